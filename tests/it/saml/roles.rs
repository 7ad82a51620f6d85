//! Roles from the groups that an assertion names: who gets which, when they go again, and whom they never touch (rule 8).

use super::{Person, Tenant, refused};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people;
use serde_json::{Value, json};

/// Maps groups by their names.
async fn map(app: &TestApp, acme: &Tenant, named: Value) -> Answer {
    let body = json!({ "mappings": [], "named": named });
    app.put(&acme.api("/scim/role-mappings")).operator().json(&body).send().await
}

/// Signs somebody in who is in these groups.
async fn sign_in(app: &TestApp, acme: &Tenant, name: &str, groups: &[&str]) -> (Answer, Person) {
    let mut browser = Person::new();
    let address = format!("{name}@acme.test");
    let begun = browser.begin(app, &address).await;
    let mut spec = acme.response(app, &begun, &format!("s-{name}"), &address);
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    spec.attributes.push(("groups".to_owned(), groups));
    (browser.post(app, acme, &acme.sign(&spec)).await, browser)
}

/// The role that somebody has, where it comes from, and what the session may do by it.
async fn role(app: &TestApp, acme: &Tenant, name: &str) -> (String, String) {
    let member = acme.member(app, &format!("{name}@acme.test")).await;
    (text(&member, "role").to_owned(), text(&member, "role_source").to_owned())
}

fn of(role: &str, source: &str) -> (String, String) {
    (role.to_owned(), source.to_owned())
}

on_both! {
    async fn groups_give_and_take_roles_at_each_sign_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let both = json!([{ "group": "IT Admins", "role": "admin" }, { "group": "4f-01", "role": "member" }]);
        let mapped = map(&app, &acme, both).await.expect(200).json();
        assert_eq!(mapped["named"].as_array().expect("names").len(), 2, "{mapped}");
        // Somebody new, in the role at once, by a name without case.
        let (answer, jo) = sign_in(&app, &acme, "jo", &["Staff", "it admins"]).await;
        answer.expect(303);
        assert_eq!(role(&app, &acme, "jo").await, of("admin", "groups"));
        jo.me(&app).await.expect(200);
        let added = acme.events(&app, "member.added").await;
        assert_eq!((&added[0]["data"]["role"], &added[0]["data"]["without_groups"]), (&json!("admin"), &json!("member")));
        // Somebody who is known: up, as before, down; each change is an event, and no other sign-in is.
        sign_in(&app, &acme, "al", &["Staff"]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "al").await, of("member", "own"));
        for (groups, expected) in [
            (&["IT Admins"] as &[&str], of("admin", "groups")),
            (&["IT Admins", "4f-01"], of("admin", "groups")),
            (&["4f-01"], of("member", "own")),
            (&["IT Admins"], of("admin", "groups")),
            (&[], of("member", "own")),
            (&[], of("member", "own")),
        ] {
            sign_in(&app, &acme, "al", groups).await.0.expect(303);
            assert_eq!(role(&app, &acme, "al").await, expected, "{groups:?}");
        }
        let changed = acme.events(&app, "member.role_changed").await;
        assert_eq!(changed.len(), 4, "{changed:#?}");
        assert_eq!(changed[0]["data"], json!({ "from": "member", "to": "admin", "because": "groups", "connection": acme.connection }));
        // The mapping goes: so does what it gave, at the next sign-in, whatever the groups.
        map(&app, &acme, json!([])).await.expect(200);
        sign_in(&app, &acme, "jo", &["IT Admins"]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "jo").await, of("member", "own"));
    }

    async fn what_somebody_is_by_themselves_stays_and_owners_are_never_touched(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        map(&app, &acme, json!([{ "group": "Staff", "role": "member" }, { "group": "Ops", "role": "admin" }])).await.expect(200);
        people::member(&app, &acme.org, "ada@acme.test", "admin").await;
        sign_in(&app, &acme, "ada", &["Staff"]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "ada").await, of("admin", "own"));
        // An invite's role is the person's own; the groups go on top of it.
        let invite = json!({ "email": "jo@acme.test", "role": "member" });
        app.post(&acme.api("/invites")).operator().json(&invite).send().await.expect(201);
        sign_in(&app, &acme, "jo", &["Ops"]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "jo").await, of("admin", "groups"));
        // An owner stays one, with and without groups.
        let path = acme.api(&format!("/members/{}", text(&acme.member(&app, "jo@acme.test").await, "user_id")));
        app.patch(&path).operator().json(&json!({ "role": "owner" })).send().await.expect(200);
        for groups in [&["Staff"] as &[&str], &["Ops"], &[]] {
            sign_in(&app, &acme, "jo", groups).await.0.expect(303);
            assert_eq!(role(&app, &acme, "jo").await.0, "owner");
        }
        // And nobody becomes one by a group.
        let owners = json!([{ "group": "Owners", "role": "owner" }, { "group": " ", "role": "member" }]);
        let refused = map(&app, &acme, owners).await.problem(400, "invalid_request");
        let errors = refused["errors"].as_array().expect("errors");
        assert_eq!(errors.iter().map(|e| text(e, "field")).collect::<Vec<_>>(), ["named.0.role", "named.1.group"], "{refused}");
    }

    async fn the_directory_decides_for_whom_it_keeps(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let on = json!({ "scim_enabled": true });
        app.patch(&acme.api(&format!("/domains/{}", acme.domain_id))).operator().json(&on).send().await.expect(200);
        let token = app.scim_token(&acme.org).await;
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "jo@acme.test", "active": true,
        });
        app.post("/scim/v2/Users").bearer(&token).scim(&user).send().await.expect(201);
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Ops", "externalId": "4F-77",
        });
        let group = app.post("/scim/v2/Groups").bearer(&token).scim(&group).send().await.expect(201).json();
        let groups = app.get(&acme.api("/groups")).operator().send().await.expect(200).json();
        let body = json!({ "mappings": [{ "group_id": groups["data"][0]["id"], "role": "admin" }] });
        let mapped = app.put(&acme.api("/scim/role-mappings")).operator().json(&body).send().await.expect(200).json();
        assert_eq!(mapped["named"], json!([]));
        // The assertion says it, the directory does not.
        sign_in(&app, &acme, "jo", &["Ops"]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "jo").await, of("member", "own"));
        // The other way round: the role stays though the assertion is silent.
        let id = text(&group, "id");
        let users = app.get("/scim/v2/Users").bearer(&token).send().await.expect(200).json();
        let add = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "add", "path": "members", "value": [{ "value": users["Resources"][0]["id"] }] }],
        });
        let added = app.patch(&format!("/scim/v2/Groups/{id}")).bearer(&token).scim(&add).send().await;
        assert!(matches!(added.status, 200 | 204), "{added:?}");
        sign_in(&app, &acme, "jo", &[]).await.0.expect(303);
        assert_eq!(role(&app, &acme, "jo").await, of("admin", "groups"));
        // For whom it does not keep, its groups count by their name and by their id at the IdP.
        for (name, group) in [("al", "ops"), ("bo", "4F-77")] {
            sign_in(&app, &acme, name, &[group]).await.0.expect(303);
            assert_eq!(role(&app, &acme, name).await, of("admin", "groups"), "{name}");
        }
    }

    async fn a_test_tells_the_role_that_the_groups_would_give(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        map(&app, &acme, json!([{ "group": "Ops", "role": "admin" }])).await.expect(200);
        let mut admin = Person::new();
        let begun = admin.open_test(&app, &acme).await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.attributes.push(("groups".to_owned(), vec!["Ops".to_owned()]));
        let page = admin.post(&app, &acme, &acme.sign(&spec)).await.expect(200);
        assert!(page.body.contains("<dt>Role</dt><dd>admin</dd>") && page.body.contains("comes from the person"), "{}", page.body);
        assert_eq!(acme.members(&app).await, 0);
        refused(&admin.post(&app, &acme, &acme.sign(&spec)).await, "attempt_used");
    }
}
