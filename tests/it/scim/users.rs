//! Users as resources: made, read, replaced, patched, deleted; versions and projections.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ENTERPRISE, Tenant, USER, user};
use crate::support::app::{on_both, text};

on_both! {
    async fn a_user_from_beginning_to_end(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut body = user("Jo.Doe@acme.com");
        body["externalId"] = json!("okta-1");
        body["password"] = json!("secret");
        body["id"] = json!("mine");
        body["groups"] = json!([{ "value": "x" }]);
        body["nonsense"] = json!({ "a": [1] });
        body[ENTERPRISE] = json!({ "department": "R&D", "manager": { "value": "boss" } });
        let made = acme.post(&body).send().await.expect(201);
        let resource = made.json();
        let id = text(&resource, "id").to_owned();
        let location = format!("{}/scim/v2/Users/{id}", app.url);
        assert!(!id.contains('_'), "Okta refuses addresses with an underscore");
        assert_eq!(made.header("content-type"), Some("application/scim+json"));
        assert_eq!(made.header("location"), Some(location.as_str()));
        assert_eq!(resource["meta"]["location"], location);
        assert_eq!(resource["meta"]["resourceType"], "User");
        assert_eq!(made.header("etag"), resource["meta"]["version"].as_str());
        assert_eq!(resource["userName"], "Jo.Doe@acme.com", "as it was sent");
        assert_eq!(resource["schemas"], json!([USER, ENTERPRISE]));
        for dropped in ["password", "groups", "nonsense"] {
            assert_eq!(resource.get(dropped), None, "{dropped}");
        }
        let path = format!("/Users/{id}");
        assert_eq!(acme.get(&path).send().await.expect(200).json(), resource);
        assert_eq!(acme.get(&format!("{path}/?aadOptscim062020")).send().await.expect(200).json(), resource);

        let replaced = acme.put(&id, &user("jo.doe@acme.com")).send().await.expect(200).json();
        assert_eq!(replaced["userName"], "jo.doe@acme.com");
        assert_eq!(replaced.get("externalId"), None);
        assert_eq!(replaced.get(ENTERPRISE), None);

        assert_eq!(acme.delete(&id).send().await.expect(204).body, "");
        acme.get(&path).send().await.scim_error(404, None);
        acme.delete(&id).send().await.scim_error(404, None);
        let again = acme.user("jo.doe@acme.com").await;
        assert_ne!(again, id, "the userName is free, the id is not");
    }

    async fn a_user_name_is_there_once_whatever_its_case(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let other = acme.user("kim@acme.com").await;
        let twice = acme.post(&user("JO@ACME.COM")).send().await.scim_error(409, Some("uniqueness"));
        assert!(text(&twice, "detail").contains("has this userName"), "{twice}");
        acme.active(&id, false).await;
        acme.post(&user("jo@acme.com")).send().await.scim_error(409, Some("uniqueness"));
        let rename = json!([{ "op": "replace", "path": "userName", "value": "Jo@Acme.com" }]);
        let taken = acme.patch(&other, &rename).send().await.scim_error(409, Some("uniqueness"));
        assert!(text(&taken, "detail").contains("has this userName"), "{taken}");
        // Another userName for the same person is no second person.
        let mut alias = user("jdoe");
        alias["emails"][0]["value"] = json!("jo@acme.com");
        let twice = acme.post(&alias).send().await.scim_error(409, Some("uniqueness"));
        assert!(text(&twice, "detail").contains("e-mail address"), "{twice}");
        // The same name in another organization is nobody's business here.
        let other = Tenant::new(&app, "Other", "other.com").await;
        other.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        other.user("jo@acme.com").await;
    }

    async fn versions_move_with_real_changes_only(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let made = acme.post(&user("jo@acme.com")).send().await.expect(201);
        let (id, first) = (made.id(), made.json());
        let events = acme.events().await;
        app.clock.advance(Duration::from_secs(10));
        let same = acme.put(&id, &user("jo@acme.com")).send().await.expect(200).json();
        assert_eq!(same["meta"], first["meta"]);
        let same = json!([{ "op": "add", "path": "emails", "value": [first["emails"][0]] },
            { "op": "replace", "path": "active", "value": "True" }]);
        assert_eq!(acme.patch(&id, &same).send().await.expect(200).json()["meta"], first["meta"]);
        assert_eq!(acme.events().await, events, "nothing happened");

        let title = json!([{ "op": "add", "path": "title", "value": "CTO" }]);
        let second = acme.patch(&id, &title).send().await.expect(200);
        let meta = second.json()["meta"].clone();
        assert_ne!(meta["version"], first["meta"]["version"]);
        assert_ne!(meta["lastModified"], first["meta"]["lastModified"]);
        assert_eq!(meta["created"], first["meta"]["created"]);

        let old = text(&first["meta"], "version");
        let new = second.header("etag").expect("a tag").to_owned();
        acme.patch(&id, &title).header("if-match", old).send().await.scim_error(412, None);
        acme.put(&id, &user("jo@acme.com")).header("if-match", old).send().await.scim_error(412, None);
        acme.delete(&id).header("if-match", old).send().await.scim_error(412, None);
        let path = format!("/Users/{id}");
        let known = acme.get(&path).header("if-none-match", &new).send().await.expect(304);
        assert_eq!(known.body, "");
        acme.get(&path).header("if-none-match", old).send().await.expect(200);
        acme.patch(&id, &title).header("if-match", &new).send().await.expect(200);
    }

    async fn answers_carry_what_was_asked_for(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let only = acme.get(&format!("/Users/{id}?attributes=USERNAME,name.familyName")).send().await.expect(200).json();
        let expected = json!({ "schemas": [USER], "id": id, "userName": "jo@acme.com", "name": { "familyName": "Doe" } });
        assert_eq!(only, expected);
        let without = acme.get("/Users?excludedAttributes=emails,meta").send().await.expect(200).json();
        assert_eq!(without["Resources"][0].get("emails"), None);
        assert_eq!(without["Resources"][0]["userName"], "jo@acme.com");
        let operations = json!({ "schemas": [super::PATCH], "Operations": [{ "op": "add", "path": "title", "value": "x" }] });
        let patched = app.patch(&format!("/scim/v2/Users/{id}?attributes=title")).bearer(&acme.token).json(&operations);
        assert_eq!(patched.send().await.expect(200).json(), json!({ "schemas": [USER], "id": id, "title": "x" }));
    }

    async fn a_patch_is_done_whole_or_not_at_all(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let made = acme.post(&user("jo@acme.com")).send().await.expect(201);
        let (id, before): (String, Value) = (made.id(), made.json());
        for (operations, scim_type) in [
            (json!([{ "op": "add", "path": "title", "value": "x" }, { "op": "replace", "path": "nope", "value": 1 }]), "invalidPath"),
            (json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "id", "value": "x" }]), "mutability"),
            (json!([{ "op": "replace", "path": "emails[type eq \"home\"].value", "value": 7 }]), "invalidValue"),
            (json!([{ "op": "remove", "path": "userName" }]), "mutability"),
            (json!([{ "op": "remove" }]), "noTarget"),
        ] {
            let answer = acme.patch(&id, &operations).send().await;
            assert_eq!(answer.status, 400, "{operations}");
            assert_eq!(answer.json()["scimType"], scim_type, "{operations}: {}", answer.body);
        }
        assert_eq!(acme.get(&format!("/Users/{id}")).send().await.expect(200).json(), before);
        assert_eq!(acme.member("jo@acme.com").await.expect("a member")["status"], "active");
    }
}
