//! What Okta sends, in its order: the connection test, create, profile push, deactivation, reactivation, import.

use serde_json::json;

use super::{PATCH, Tenant, USER};
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
}
