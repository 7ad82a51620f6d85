//! What Entra ID sends, with and without its flag: capital ops, booleans as words, paths with filters, nulls.

use serde_json::{Value, json};

use super::{ENTERPRISE, GROUP, LIST, Tenant, USER, members};
use crate::support::app::on_both;

on_both! {
    async fn a_person_lives_through_its_cycle(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let probe = "/Users/?filter=userName%20eq%20%22c5c5d5e5-0000-4000-8000-000000000000%22&aadOptscim062020";
        let none = acme.get(probe).send().await.expect(200);
        assert_eq!(none.header("content-type"), Some("application/scim+json"));
        assert_eq!(none.json()["totalResults"], 0);

        let create = json!({
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": "test_user@acme.com", "active": "True",
            "emails": [{ "primary": true, "type": "work", "value": "Test_User@acme.com" }],
            "meta": { "resourceType": "User" },
            "name": { "formatted": "Given Family", "familyName": "Family", "givenName": "Given" },
            "roles": [], "addresses": null, "phoneNumbers": null, "title": null, "department": null, "manager": null,
        });
        let made = acme.post(&create).send().await.expect(201);
        let id = made.id();
        assert_eq!(made.json()["active"], true);
        assert!(!made.body.contains("null"));

        let update = json!([
            { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "test_user@acme.com" },
            { "op": "Replace", "path": "name.familyName", "value": "Updated" },
            { "op": "Add", "path": "nickName", "value": "Babs" },
            { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 (425) 555" },
            { "op": "Replace", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "Eqpj" },
            { "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "00aa" },
        ]);
        let updated = acme.patch(&id, &update).send().await.expect(200).json();
        assert_eq!(updated["name"]["familyName"], "Updated");
        assert_eq!(updated["phoneNumbers"], json!([{ "type": "mobile", "value": "+1 (425) 555" }]));
        assert_eq!(updated[ENTERPRISE], json!({ "employeeNumber": "Eqpj", "manager": { "value": "00aa" } }));
        let member = acme.member("test_user@acme.com").await.expect("a member");
        assert_eq!(member["family_name"], "Updated");

        let probe = format!("id eq \"{id}\" and manager eq \"00aa\"");
        let found = acme.get("/Users").query(&[("filter", probe.as_str()), ("attributes", "id")]).send().await.expect(200).json();
        assert_eq!(found["Resources"], json!([{ "schemas": [USER, ENTERPRISE], "id": id }]));

        // With the flag: several values without a path.
        let flagged = json!([{ "op": "replace", "value": {
            "displayName": "Bjfe", "name.givenName": "Kkom", format!("{ENTERPRISE}:employeeNumber"): "Aklq" } }]);
        let updated = acme.patch(&id, &flagged).send().await.expect(200).json();
        assert_eq!((&updated["displayName"], &updated["name"]["givenName"]), (&json!("Bjfe"), &json!("Kkom")));
        assert_eq!(updated[ENTERPRISE]["employeeNumber"], "Aklq");

        for (word, active) in [("False", false), ("True", true), ("false", false)] {
            let switch = json!([{ "op": "Replace", "path": "active", "value": word }]);
            assert_eq!(acme.patch(&id, &switch).send().await.expect(200).json()["active"], active);
            let status = if active { "active" } else { "deactivated" };
            assert_eq!(acme.member("test_user@acme.com").await.expect("kept")["status"], status);
        }
        let banana = json!([{ "op": "Replace", "path": "active", "value": "banana" }]);
        acme.patch(&id, &banana).send().await.scim_error(400, Some("invalidValue"));
        acme.delete(&id).send().await.expect(204);
    }

    async fn its_validator_encodes_values_once_more(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo+x@acme.com").await;
        acme.send("POST", "/Groups", &json!({ "displayName": "R&D 50%25" })).send().await.expect(201);
        acme.send("POST", "/Groups", &json!({ "displayName": "R&D 50%" })).send().await.expect(201);
        let found = async |what: &str, filter: &str| -> Vec<Value> {
            let list = acme.get(what).query(&[("filter", filter)]).send().await.expect(200).json();
            assert_eq!(list["totalResults"], list["Resources"].as_array().map_or(0, Vec::len), "{list}");
            list["Resources"].as_array().expect("a list").clone()
        };
        for filter in ["userName eq \"jo%2Bx%40acme.com\"", "userName eq \"jo+x%40acme.com\"",
            "active eq true and emails[type eq \"work\" and value eq \"jo%2bx%40acme.com\"]"] {
            assert_eq!(found("/Users", filter).await[0]["id"], jo.as_str(), "{filter}");
        }
        // What is found as it stands is meant as it stands.
        for name in ["R&D 50%25", "R&D 50%"] {
            let groups = found("/Groups", &format!("displayName eq \"{name}\"")).await;
            assert_eq!((groups.len(), &groups[0]["displayName"]), (1, &json!(name)));
        }
        assert!(found("/Users", "userName eq \"kim%40acme.com\"").await.is_empty());
    }

    async fn a_new_user_name_moves_the_address(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("maiden@acme.com").await;
        let before = acme.member("maiden@acme.com").await.expect("a member");
        let rename = json!([{ "op": "Replace", "path": "userName", "value": "married@acme.com" }]);
        acme.patch(&id, &rename).send().await.expect(200);
        let after = acme.member("married@acme.com").await.expect("the same member");
        assert_eq!(after["user_id"], before["user_id"]);
        // The address left behind is free for the next person, who is somebody else.
        acme.user("maiden@acme.com").await;
        assert_ne!(acme.member("maiden@acme.com").await.expect("a new member")["user_id"], before["user_id"]);
    }

    async fn a_group_lives_through_its_cycle(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (one, two) = (acme.user("one@acme.com").await, acme.user("two@acme.com").await);
        let probe = "/Groups?excludedAttributes=members&filter=displayName%20eq%20%22displayName%22";
        let none = acme.get(probe).send().await.expect(200);
        assert_eq!(none.header("content-type"), Some("application/scim+json"));
        assert_eq!((&none.json()["schemas"], &none.json()["totalResults"]), (&json!([LIST]), &json!(0)));
        let create = json!({
            "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": "displayName", "meta": { "resourceType": "Group" },
        });
        let made = acme.send("POST", "/Groups?aadOptscim062020", &create).send().await.expect(201);
        let id = made.id();
        assert_eq!(made.json()["externalId"], create["externalId"]);
        assert!(!made.body.contains("null"));
        let found = acme.get(probe).send().await.expect(200).json();
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)));
        let read = acme.get(&format!("/Groups/{id}?excludedAttributes=members")).send().await.expect(200).json();
        assert_eq!(read["displayName"], "displayName");

        let rename = json!([{ "op": "Replace", "path": "displayName", "value": "1879db59" }]);
        assert_eq!(acme.patch_group(&id, &rename).send().await.expect(200).json()["displayName"], "1879db59");
        for who in [&one, &two] {
            let add = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": who }] }]);
            acme.patch_group(&id, &add).send().await.expect(200);
        }
        let probe = format!("id eq \"{id}\" and members eq \"{one}\"");
        let probe = |call: &str| acme.get(call).query(&[("filter", probe.as_str()), ("attributes", "id")]);
        assert_eq!(probe("/Groups").send().await.expect(200).json()["totalResults"], 1);
        // Without the flag by value, with it by path.
        let remove = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": one }] }]);
        assert_eq!(members(&acme.patch_group(&id, &remove).send().await.expect(200).json()), [two.as_str()]);
        assert_eq!(probe("/Groups").send().await.expect(200).json()["totalResults"], 0);
        let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{two}\"]") }]);
        assert!(members(&acme.patch_group(&id, &remove).send().await.expect(200).json()).is_empty());
        acme.send("DELETE", &format!("/Groups/{id}"), &serde_json::Value::Null).send().await.expect(204);
        acme.get(&format!("/Groups/{id}")).send().await.scim_error(404, None);
    }
}
