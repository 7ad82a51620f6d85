//! What the identity provider owns is changed there: what REST refuses, and what stays open.

use serde_json::{Value, json};

use super::Tenant;
use crate::support::app::{Answer, on_both, text};

impl Tenant<'_> {
    /// A call to REST below the organization with this key.
    async fn by(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/organizations/{}/{path}", self.org);
        let call = self.app.call(method.parse().expect("a method"), &path).bearer(key);
        if body.is_null() { call.send().await } else { call.json(body).send().await }
    }

    async fn path_of(&self, address: &str) -> String {
        format!("members/{}", text(&self.member(address).await.expect("a member"), "user_id"))
    }
}

const SCOPES: [&str; 5] =
    ["organization_member:read", "organization_member:write", "invite:write", "group:read", "scim:read"];

on_both! {
    async fn whom_the_directory_brings_nobody_else_does(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let key = app.api_key(&acme.org, &SCOPES).await;
        let add = async |address: &str| acme.by(&key, "POST", "members", &json!({ "email": address })).await;
        let invite = async |address: &str| acme.by(&key, "POST", "invites", &json!({ "email": address })).await;
        add("before@acme.com").await.expect(201);
        acme.set("", &json!({ "provisioning_mode": "scim" })).await;
        let members = acme.rest("members/count").await["count"].clone();
        for refused in [add("jo@acme.com").await, invite("jo@acme.com").await] {
            let problem = refused.problem(409, "managed_by_directory");
            let directory = acme.rest("scim").await["directory_id"].clone();
            let detail = text(&problem, "detail");
            assert!(detail.contains("acme.com") && detail.contains(directory.as_str().expect("an id")), "{problem}");
        }
        assert_eq!(acme.rest("members/count").await["count"], members);
        assert_eq!(acme.rest("invites").await["data"], json!([]));
        // Owners are no IdP's, nor are people on other domains.
        acme.add_member("boss@acme.com", "owner").await;
        add("guest@elsewhere.org").await.expect(201);
        invite("other@elsewhere.org").await.expect(201);
        // Who was removed here comes back here (rule 8).
        let path = acme.path_of("before@acme.com").await;
        acme.by(&key, "DELETE", &path, &Value::Null).await.expect(204);
        add("before@acme.com").await.expect(201);
        // The directory itself, and everybody again once the mode is another one.
        acme.user("jo@acme.com").await;
        acme.set("", &json!({ "provisioning_mode": "jit" })).await;
        add("kim@acme.com").await.expect(201);
    }

    async fn names_and_groups_are_the_identity_providers(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let key = app.api_key(&acme.org, &SCOPES).await;
        let (jo, kim) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        acme.add_member("hand@acme.com", "member").await;
        acme.group("Staff", &[&jo]).await;
        acme.delete(&kim).send().await.expect(204);
        let names = json!({ "given_name": "Another" });
        let (jo_path, kim_path) = (acme.path_of("jo@acme.com").await, acme.path_of("kim@acme.com").await);
        acme.by(&key, "PATCH", &jo_path, &names).await.problem(409, "managed_by_directory");
        acme.by(&key, "PATCH", &kim_path, &json!({ "given_name": "Left" })).await.expect(200);
        acme.set("", &json!({ "provisioning_mode": "scim" })).await;
        for path in [&jo_path, &kim_path] {
            let problem = acme.by(&key, "PATCH", path, &names).await.problem(409, "managed_by_directory");
            assert!(text(&problem, "detail").contains("identity provider"), "{problem}");
        }
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["given_name"], "Jo");
        // The address is nobody's to change here, and groups have no way to be changed at all.
        acme.by(&key, "PATCH", &jo_path, &json!({ "email": "x@acme.com" })).await.expect(400);
        let group = text(&acme.rest("groups").await["data"][0], "id").to_owned();
        for (method, path) in [("PATCH", format!("groups/{group}")), ("DELETE", format!("groups/{group}")), ("POST", "groups".to_owned())] {
            acme.by(&key, method, &path, &json!({ "display_name": "Mine" })).await.expect(405);
        }
        // Who came in by hand is kept by hand.
        let path = acme.path_of("hand@acme.com").await;
        acme.by(&key, "PATCH", &path, &names).await.expect(200);
    }

    async fn access_can_be_ended_here_and_only_that(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("", &json!({ "provisioning_mode": "scim" })).await;
        let key = app.api_key(&acme.org, &SCOPES).await;
        let (jo, boss) = (acme.user("jo@acme.com").await, acme.user("boss@acme.com").await);
        let (jo_path, boss_path) = (acme.path_of("jo@acme.com").await, acme.path_of("boss@acme.com").await);
        acme.set(&boss_path, &json!({ "role": "owner" })).await;
        acme.add_member("second@acme.com", "owner").await;
        // Whom the directory put out only the directory or an owner lets in.
        acme.active(&jo, false).await;
        let refused = acme.by(&key, "PATCH", &jo_path, &json!({ "active": true })).await;
        let problem = refused.problem(403, "deactivated_elsewhere");
        assert!(text(&problem, "detail").contains("directory"), "{problem}");
        acme.active(&jo, true).await;
        // Whom an administrator puts out the directory does not let in; the same administrator does.
        acme.by(&key, "PATCH", &jo_path, &json!({ "active": false })).await.expect(200);
        acme.active(&jo, false).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "deactivated");
        acme.by(&key, "PATCH", &jo_path, &json!({ "active": true })).await.expect(200);
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "active");
        // An owner whom the directory knows can be put out and removed, too.
        acme.by(&key, "PATCH", &boss_path, &json!({ "active": false })).await.expect(200);
        acme.by(&key, "DELETE", &boss_path, &Value::Null).await.expect(204);
        acme.active(&boss, false).await;
        acme.active(&boss, true).await;
        assert!(acme.member("boss@acme.com").await.is_none());
    }

    async fn a_role_is_the_groups_where_they_give_one(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let key = app.api_key(&acme.org, &SCOPES).await;
        let (jo, _) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        acme.group("Staff", &[&jo]).await;
        let groups = acme.rest("groups").await;
        let mapping = json!({ "mappings": [{ "group_id": groups["data"][0]["id"], "role": "member" }] });
        app.put(&format!("/api/v1/organizations/{}/scim/role-mappings", acme.org)).operator().json(&mapping).send().await.expect(200);
        let (jo_path, kim_path) = (acme.path_of("jo@acme.com").await, acme.path_of("kim@acme.com").await);
        let admin = json!({ "role": "admin" });
        acme.by(&key, "PATCH", &jo_path, &admin).await.expect(200);
        acme.by(&key, "PATCH", &jo_path, &json!({ "role": "member" })).await.expect(200);
        acme.set("", &json!({ "provisioning_mode": "scim" })).await;
        let problem = acme.by(&key, "PATCH", &jo_path, &admin).await.problem(409, "managed_by_directory");
        assert!(text(&problem, "detail").contains("give this person the role member"), "{problem}");
        acme.by(&key, "PATCH", &kim_path, &admin).await.expect(200);
        // Owners are made and unmade by owners, whatever the groups give.
        acme.set(&jo_path, &json!({ "role": "owner" })).await;
        acme.add_member("second@acme.com", "owner").await;
        acme.set(&jo_path, &json!({ "role": "member" })).await;
    }
}
