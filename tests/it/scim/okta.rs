//! What Okta sends, in its order: the connection test, create, profile push, deactivation, reactivation, import.

use serde_json::json;

use super::{GROUP, PATCH, Tenant, USER, members};
use crate::support::app::on_both;

on_both! {
    async fn a_person_is_assigned_changed_and_unassigned(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lookup = "/Users?filter=userName%20eq%20%22test.user%40acme.com%22&startIndex=1&count=100";
        let none = acme.get(lookup).header("user-agent", "Okta SCIM Client 1.0.0").send().await.expect(200).json();
        assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(0), &json!([])));

        let create = json!({
            "schemas": [USER], "userName": "test.user@acme.com",
            "name": { "givenName": "Test", "familyName": "User" },
            "emails": [{ "primary": true, "value": "test.user@acme.com", "type": "work" }],
            "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [], "password": "1mz050nq", "active": true,
        });
        let made = app.post("/scim/v2/Users").bearer(&acme.token).header("accept", "application/scim+json; charset=utf-8");
        let made = made.body("application/json", create.to_string()).send().await.expect(201);
        let id = made.id();
        assert!(!made.body.contains("1mz050nq"));
        acme.post(&create).send().await.scim_error(409, Some("uniqueness"));
        let found = acme.get(lookup).send().await.expect(200).json();
        let first = &found["Resources"][0];
        assert!(first["active"].is_boolean());
        assert_eq!(first["name"], json!({ "familyName": "User", "givenName": "Test" }));

        let mut profile = acme.get(&format!("/Users/{id}")).send().await.expect(200).json();
        profile["name"] = json!({ "givenName": "Another", "middleName": "Excited", "familyName": "User" });
        profile["emails"] = json!([{ "primary": true, "value": "test.user@acme.com", "type": "work", "display": "test.user@acme.com" }]);
        profile["groups"] = json!([]);
        let pushed = acme.put(&id, &profile).send().await.expect(200).json();
        assert_eq!(pushed["name"]["middleName"], "Excited");
        let member = acme.member("test.user@acme.com").await.expect("a member");
        assert_eq!((&member["given_name"], &member["external_id"]), (&json!("Another"), &json!("00ujl29u0le5T6Aj10h7")));

        // From the catalogue by PATCH, from the wizard by PUT.
        assert_eq!(acme.active(&id, false).await.json()["active"], false);
        assert_eq!(acme.member("test.user@acme.com").await.expect("kept")["status"], "deactivated");
        assert_eq!(acme.active(&id, true).await.json()["active"], true);
        assert_eq!(acme.member("test.user@acme.com").await.expect("back")["status"], "active");
        profile["active"] = json!(false);
        assert_eq!(acme.put(&id, &profile).send().await.expect(200).json()["active"], false);
        assert_eq!(acme.member("test.user@acme.com").await.expect("kept")["status"], "deactivated");
        let found = acme.get(lookup).send().await.expect(200).json();
        assert_eq!(found["Resources"][0]["active"], false, "still to be found");
        profile["active"] = json!(true);
        acme.put(&id, &profile).send().await.expect(200);
        let password = json!([{ "op": "replace", "value": { "password": "another" } }]);
        let synced = acme.patch(&id, &password).send().await.expect(200);
        assert!(!synced.body.contains("another"));
    }

    async fn its_test_suite_before_submission(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.user("first@acme.com").await;
        let first = acme.get("/Users?count=1&startIndex=1").send().await.expect(200).json();
        for number in ["totalResults", "itemsPerPage", "startIndex"] {
            assert!(first[number].is_u64(), "{number}");
        }
        let resource = &first["Resources"][0];
        for path in ["/id", "/name/familyName", "/name/givenName", "/userName", "/active", "/emails/0/value"] {
            assert!(resource.pointer(path).is_some_and(|value| value != ""), "{path}");
        }
        let error = acme.get("/Users/010101001010101011001010101011").send().await.scim_error(404, None);
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let capitals = acme.get("/Users?filter=userName%20eq%20%22FIRST%40ACME.COM%22").send().await.expect(200).json();
        assert_eq!(capitals["totalResults"], 1);
        // A rename echoes the id without a path.
        let id = resource["id"].as_str().expect("an id");
        let body = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": { "id": id, "displayName": "First" } }] });
        let call = app.patch(&format!("/scim/v2/Users/{id}")).bearer(&acme.token).json(&body);
        assert_eq!(call.send().await.expect(200).json()["displayName"], "First");
    }

    async fn a_group_is_pushed_renamed_filled_and_unlinked(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (one, two) = (acme.user("one@acme.com").await, acme.user("two@acme.com").await);
        let create = json!({ "schemas": [GROUP], "displayName": "Test SCIMv2", "members": [] });
        let call = app.post("/scim/v2/Groups").bearer(&acme.token).body("application/json", create.to_string());
        let id = call.send().await.expect(201).id();
        let path = format!("/scim/v2/Groups/{id}");
        let patch = |operations: serde_json::Value| {
            let body = json!({ "schemas": [PATCH], "Operations": operations });
            app.patch(&path).bearer(&acme.token).body("application/json", body.to_string())
        };
        let rename = |name: &str| patch(json!([{ "op": "replace", "value": { "id": id, "displayName": name } }]));
        let renamed = rename("Test SCIMv20").send().await.expect(200).json();
        assert_eq!((&renamed["displayName"], &renamed["id"]), (&json!("Test SCIMv20"), &json!(id)));
        // Each change of members comes with the name once more.
        let first = patch(json!([{ "op": "add", "path": "members", "value": [{ "value": one, "display": "one@acme.com" }] }]));
        assert_eq!(members(&first.send().await.expect(200).json()), [one.as_str()]);
        rename("Test SCIMv20").send().await.expect(200);
        let swap = patch(json!([{ "op": "remove", "path": format!("members[value eq \"{one}\"]") },
            { "op": "add", "path": "members", "value": [{ "value": two, "display": "two@acme.com" }] }]));
        assert_eq!(members(&swap.send().await.expect(200).json()), [two.as_str()]);
        let both = json!([{ "value": one, "display": "one@acme.com" }, { "value": two, "display": "two@acme.com" }]);
        let full = patch(json!([{ "op": "replace", "path": "members", "value": both }]));
        assert_eq!(members(&full.send().await.expect(200).json()).len(), 2);
        // From the wizard: name and members by PUT.
        let put = json!({ "schemas": [GROUP], "id": id, "displayName": "Test SCIMv2", "members": [both[0]] });
        let call = app.put(&path).bearer(&acme.token).body("application/json", put.to_string());
        let pushed = call.send().await.expect(200).json();
        assert_eq!((&pushed["displayName"], members(&pushed)), (&json!("Test SCIMv2"), vec![one.clone()]));
        // The profile push echoes the groups that it read, and takes nobody out of them.
        let mut profile = acme.get(&format!("/Users/{one}")).send().await.expect(200).json();
        assert_eq!(profile["groups"][0]["value"], json!(id));
        profile["groups"] = json!([]);
        acme.put(&one, &profile).send().await.expect(200);
        assert_eq!(acme.members_of(&id).await, [one.as_str()]);
        // Its import, and its suite's optional question.
        let import = acme.get("/Groups?startIndex=1&count=100").send().await.expect(200).json();
        assert!(["totalResults", "startIndex", "itemsPerPage"].iter().all(|number| import[number].is_u64()));
        assert_eq!(members(&import["Resources"][0]), [one.as_str()]);
        app.delete(&path).bearer(&acme.token).send().await.expect(204);
        assert_eq!(acme.get("/Groups").send().await.expect(200).json()["totalResults"], 0);
    }
}
