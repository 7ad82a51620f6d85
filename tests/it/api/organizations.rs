//! Organizations: made by the operator, reached by nobody else.

use serde_json::json;

use crate::support::app::{Call, on_both, text};
use crate::support::people::event_kinds;

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

    async fn odd_input_is_named_and_makes_nothing(app: TestApp) {
        let path = "/api/v1/organizations";
        for (body, field) in [
            (json!({}), "name"),
            (json!({ "name": 5 }), "name"),
            (json!({ "name": " " }), "name"),
            (json!({ "name": "x".repeat(201) }), "name"),
            (json!({ "name": "x", "slug": "No Slug" }), "slug"),
            (json!({ "name": "x", "slug": "-x-" }), "slug"),
            (json!({ "name": "x", "colour": "red" }), "colour"),
        ] {
            let problem = app.post(path).operator().json(&body).send().await.expect(400).json();
            assert_eq!(text(&problem["errors"][0], "field"), field, "{problem}");
        }
        for body in ["", "{", "[]", "null", "\"x\"", "{\"name\":\"a\"} x"] {
            app.post(path).operator().body("application/json", body).send().await.problem(400, "invalid_body");
        }
        let both = app.post(path).operator().json(&json!({ "name": "", "slug": "!" })).send().await;
        assert_eq!(both.problem(400, "invalid_request")["errors"].as_array().map(Vec::len), Some(2));
        let page = app.get(path).operator().query(&[("include_total", "true")]).send().await.expect(200).json();
        assert_eq!(page["total"], 0);

        let org = app.organization("Acme").await;
        let own = format!("{path}/{org}");
        for (body, field) in [
            (json!({ "provisioning_mode": "chaos" }), "provisioning_mode"),
            (json!({ "session_idle_seconds": 5 }), "session_idle_seconds"),
            (json!({ "session_lifetime_seconds": "long" }), "session_lifetime_seconds"),
            (json!({ "id": "org_x" }), "id"),
        ] {
            let problem = app.patch(&own).operator().json(&body).send().await.expect(400).json();
            assert_eq!(text(&problem["errors"][0], "field"), field, "{problem}");
        }
        for id in ["nonsense", "usr_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02q"] {
            app.get(&format!("{path}/{id}")).operator().send().await.problem(404, "not_found");
        }
    }

    async fn a_patch_leaves_alone_what_is_absent_and_clears_what_is_null(app: TestApp) {
        let org = app.organization("Acme").await;
        let path = format!("/api/v1/organizations/{org}");
        let set = json!({ "session_idle_seconds": 600, "session_lifetime_seconds": 3600, "provisioning_mode": "scim" });
        app.patch(&path).operator().json(&set).send().await.expect(200);
        let cleared = app.patch(&path).operator().json(&json!({ "session_idle_seconds": null })).send().await;
        let cleared = cleared.expect(200).json();
        assert!(cleared.get("session_idle_seconds").is_none(), "{cleared}");
        assert_eq!((&cleared["session_lifetime_seconds"], text(&cleared, "provisioning_mode")), (&json!(3600), "scim"));
        let same = app.patch(&path).operator().json(&json!({})).send().await.expect(200).json();
        assert_eq!(same["updated_at"], cleared["updated_at"], "nothing changed");
        let updates = event_kinds(&app, &org).await;
        assert_eq!(updates.iter().filter(|kind| *kind == "organization.updated").count(), 2);
    }

    async fn each_credential_sees_its_own_and_the_operator_all(app: TestApp) {
        let (ours, theirs) = (app.organization("Ours").await, app.organization("Theirs 100%").await);
        let key = app.api_key(&ours, &["organization:read", "organization:write"]).await;
        let path = "/api/v1/organizations";
        let ids = async |call: Call| -> Vec<String> {
            let page = call.send().await.expect(200).json();
            page["data"].as_array().expect("rows").iter().map(|row| text(row, "id").to_owned()).collect()
        };
        assert_eq!(ids(app.get(path).bearer(&key)).await, std::slice::from_ref(&ours));
        assert_eq!(ids(app.get(path).operator()).await.len(), 2);
        assert_eq!(ids(app.get(path).operator().query(&[("search", "100%")])).await, std::slice::from_ref(&theirs));
        assert_eq!(ids(app.get(path).bearer(&key).query(&[("search", "Theirs")])).await, Vec::<String>::new());
        app.get(&format!("{path}/{theirs}")).bearer(&key).send().await.problem(404, "not_found");
        app.patch(&format!("{path}/{theirs}")).bearer(&key).json(&json!({ "name": "x" })).send().await.problem(404, "not_found");
        app.post(path).bearer(&key).json(&json!({ "name": "x" })).send().await.problem(403, "operator_only");

        // What was changed is seen at once, also where the organization was cached with the key.
        let own = format!("{path}/me");
        assert_eq!(text(&app.get(&own).bearer(&key).send().await.expect(200).json(), "name"), "Ours");
        app.patch(&own).bearer(&key).json(&json!({ "name": "Renamed" })).send().await.expect(200);
        assert_eq!(text(&app.get(&own).bearer(&key).send().await.expect(200).json(), "name"), "Renamed");
        app.get(&own).operator().send().await.problem(400, "operator_has_no_organization");
    }
}
