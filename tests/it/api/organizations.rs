//! Organizations: made by the operator, reached by nobody else.

use serde_json::json;

use crate::support::app::on_both;

on_both! {
    async fn an_organization_is_made_read_and_changed(app: TestApp) {
        let made = app.post("/api/v1/organizations").operator().json(&json!({ "name": "Acme", "slug": "acme" }));
        let made = made.send().await.expect(201);
        let path = format!("/api/v1/organizations/{}", made.id());
        assert_eq!(made.header("location"), Some(path.as_str()));
        let tag = made.header("etag").expect("a version").to_owned();

        let renamed = json!({ "name": "Acme Corporation" });
        let changed = app.patch(&path).operator().header("if-match", &tag).json(&renamed).send().await.expect(200);
        assert_eq!(changed.json()["name"], "Acme Corporation");
        app.patch(&path).operator().header("if-match", &tag).json(&renamed).send().await.problem(412, "precondition_failed");

        let taken = app.post("/api/v1/organizations").operator().json(&json!({ "name": "Other", "slug": "acme" }));
        taken.send().await.problem(409, "slug_taken");
        let page = app.get("/api/v1/organizations").operator().query(&[("include_total", "true")]).send().await.expect(200);
        assert_eq!(page.json()["total"], 1);
    }

    async fn without_a_valid_credential_there_is_nothing(app: TestApp) {
        let path = "/api/v1/organizations";
        app.get(path).send().await.problem(401, "credential_missing");
        app.get(path).bearer("pstn_op_nonsense").send().await.problem(401, "credential_invalid");
        app.get(path).header("authorization", "Basic eDp5").send().await.problem(401, "credential_malformed");
    }
}
