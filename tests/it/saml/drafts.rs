//! Drafted changes of an active connection: people sign in as before until the draft is in force, and a change of the IdP
//! is looked at before (rule 10a).

use super::{Person, Tenant, begun, refused};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people;
use postern::demo::idp::{KeyType, SigningKey};
use postern::model::time::Clock as _;
use serde_json::{Value, json};
use std::time::Duration;

fn path(acme: &Tenant, rest: &str) -> String {
    acme.api(&format!("/saml-connections/{}/draft{rest}", acme.connection))
}

/// Another IdP for the same connection, which the test plays as well.
fn other_idp(app: &TestApp, acme: &Tenant) -> Tenant {
    let key = SigningKey::generate(KeyType::EcP256, "new idp", app.clock.now().to_datetime()).expect("a key");
    Tenant {
        org: acme.org.clone(),
        domain_id: acme.domain_id.clone(),
        connection: acme.connection.clone(),
        entity_id: acme.entity_id.clone(),
        acs_url: acme.acs_url.clone(),
        idp: "https://new-idp.acme.test/idp".to_owned(),
        key,
    }
}

fn facts(idp: &Tenant) -> Value {
    json!({
        "idp_entity_id": idp.idp,
        "sso_url": "https://new-idp.acme.test/sso",
        "certificates": [idp.key.certificate_base64().expect("a certificate")],
    })
}

async fn draft(app: &TestApp, acme: &Tenant, session: &str, body: &Value) -> Answer {
    app.put(&path(acme, "")).session(session).json(body).send().await
}

/// A test sign-in with the draft; the page that comes of it.
async fn tried(app: &TestApp, acme: &Tenant, idp: &Tenant, subject: &str, email: &str) -> Answer {
    app.clock.advance(Duration::from_secs(1));
    let asked = app.post(&path(acme, "/test")).operator().send().await.expect(200).json();
    let link = text(&asked, "url").strip_prefix(&app.url).expect("an address of ours").to_owned();
    let mut admin = Person::new();
    let begun = begun(&admin.get(app, &link).await.expect(303));
    assert_eq!(begun.url.host_str(), Some("new-idp.acme.test"), "the draft's address: {}", begun.url);
    admin.post(app, acme, &idp.sign(&idp.response(app, &begun, subject, email))).await
}

on_both! {
    async fn an_administrator_drafts_another_idp_and_who_may_change_trust_switches(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let (_, admin) = people::signed_in(&app, &acme.org, "ada@acme.test", "admin").await;
        for name in ["jo", "al", "olga"] {
            let address = format!("{name}@acme.test");
            Person::new().sign_in(&app, &acme, &format!("old-{name}"), &address).await.expect(303);
        }
        let olga = text(&acme.member(&app, "olga@acme.test").await, "user_id").to_owned();
        app.patch(&acme.api(&format!("/members/{olga}"))).operator().json(&json!({ "role": "owner" })).send().await.expect(200);
        let new = other_idp(&app, &acme);
        // What is live an administrator does not change, but a draft of it they write.
        let live = acme.api(&format!("/saml-connections/{}", acme.connection));
        app.patch(&live).session(&admin).json(&facts(&new)).send().await.problem(403, "role_too_low");
        let drafted = draft(&app, &acme, &admin, &facts(&new)).await.expect(200);
        let shown = drafted.json();
        assert_eq!(shown["relink"], json!({ "new_idp": true, "links_voided": 3, "linked_by_address": 2, "to_be_confirmed": 0, "owners": 1 }));
        assert_eq!((&shown["tested"], &shown["idp_entity_id"]), (&json!(false), &json!(new.idp)));
        // Nobody feels it.
        Person::new().sign_in(&app, &acme, "old-jo", "jo@acme.test").await.expect(303);
        assert_eq!(app.get(&live).operator().send().await.expect(200).json()["idp_entity_id"], json!(acme.idp));
        let mut stranger = Person::new();
        let real = stranger.begin(&app, "jo@acme.test").await;
        refused(&stranger.post(&app, &acme, &new.sign(&new.response(&app, &real, "new-jo", "jo@acme.test"))).await, "signature_mismatch");

        let activate = async |by: &str| app.post(&path(&acme, "/activate")).bearer(by).json(&json!({})).send().await;
        let key = app.api_key(&acme.org, &["saml_connection:write", "trust"]).await;
        activate(&key).await.problem(409, "test_sign_in_required");
        // A test by the IdP of before is none of the draft's.
        let page = tried(&app, &acme, &acme, "old-jo", "jo@acme.test").await.expect(200);
        assert!(page.body.contains("did not pass") && page.body.contains("signature_mismatch"), "{}", page.body);
        // What the test tells is what would be: nobody is linked to the new one yet, and owners connect themselves.
        let page = tried(&app, &acme, &new, "new-olga", "olga@acme.test").await.expect(200);
        assert!(page.body.contains("owner_link_refused"), "{}", page.body);
        let page = tried(&app, &acme, &new, "old-jo", "jo@acme.test").await.expect(200);
        assert!(page.body.contains("would be linked to this subject"), "{}", page.body);
        Person::new().sign_in(&app, &acme, "old-jo", "jo@acme.test").await.expect(303);
        assert_eq!(app.get(&path(&acme, "")).session(&admin).send().await.expect(200).json()["tested"], true);
        app.post(&path(&acme, "/activate")).session(&admin).json(&json!({})).send().await.problem(403, "role_too_low");

        let changed = activate(&key).await.expect(200).json();
        assert_eq!((&changed["idp_entity_id"], &changed["activated_without_test"]), (&json!(new.idp), &json!(false)));
        let event = acme.events(&app, "saml_connection.updated").await.pop().expect("there");
        assert_eq!(event["data"]["links_voided"], 3, "{event}");
        app.get(&path(&acme, "")).operator().send().await.problem(404, "not_found");
        refused(&Person::new().sign_in(&app, &acme, "old-jo", "jo@acme.test").await, "signature_mismatch");
        Person::new().sign_in(&app, &new, "new-jo", "jo@acme.test").await.expect(303);
        assert_eq!(acme.members(&app).await, 4, "the same person");
        refused(&Person::new().sign_in(&app, &new, "new-olga", "olga@acme.test").await, "owner_link_refused");
    }

    async fn only_the_draft_that_was_looked_at_is_put_in_force(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let (_, admin) = people::signed_in(&app, &acme.org, "ada@acme.test", "admin").await;
        Person::new().sign_in(&app, &acme, "s-jo", "jo@acme.test").await.expect(303);
        let new = other_idp(&app, &acme);
        let key = json!({ "certificates": [
            acme.key.certificate_base64().expect("a certificate"), new.key.certificate_base64().expect("a certificate"),
        ] });
        let first = draft(&app, &acme, &admin, &key).await.expect(200);
        let seen = first.header("etag").expect("a version").to_owned();
        assert_eq!(first.json()["relink"]["links_voided"], 0, "the IdP stays");
        draft(&app, &acme, &admin, &facts(&new)).await.expect(200);
        let skip = json!({ "skip_test": true });
        let activate = async |etag: &str| {
            app.post(&path(&acme, "/activate")).operator().header("if-match", etag).json(&skip).send().await
        };
        activate(&seen).await.problem(412, "precondition_failed");
        let again = draft(&app, &acme, &admin, &key).await.expect(200);
        let changed = activate(again.header("etag").expect("a version")).await.expect(200).json();
        assert_eq!((changed["certificates"].as_array().expect("a list").len(), &changed["activated_without_test"]), (2, &json!(true)));
        // Links stay, both keys count, and who was signed in goes on.
        Person::new().sign_in(&app, &acme, "s-jo", "jo@acme.test").await.expect(303);
        let mut browser = Person::new();
        let begun = browser.begin(&app, "jo@acme.test").await;
        let rotated = Tenant { idp: acme.idp.clone(), ..other_idp(&app, &acme) };
        let rotated = Tenant { key: new.key, ..rotated };
        browser.post(&app, &acme, &rotated.sign(&rotated.response(&app, &begun, "s-jo", "jo@acme.test"))).await.expect(303);
        assert_eq!(acme.members(&app).await, 2);
    }

    async fn drafts_that_cannot_be_are_refused_and_are_dropped(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let beta = app.organization("Beta").await;
        let (_, admin) = people::signed_in(&app, &acme.org, "ada@acme.test", "admin").await;
        for wrong in [
            json!({}),
            json!({ "idp_entity_id": acme.idp }),
            json!({ "sso_url": "http://elsewhere.test/sso" }),
            json!({ "certificates": [] }),
            json!({ "metadata_xml": "<no/>" }),
        ] {
            draft(&app, &acme, &admin, &wrong).await.problem(400, "invalid_request");
        }
        app.get(&path(&acme, "")).session(&admin).send().await.problem(404, "not_found");
        app.post(&path(&acme, "/test")).session(&admin).send().await.problem(404, "not_found");
        app.post(&path(&acme, "/activate")).operator().json(&json!({})).send().await.problem(404, "not_found");
        let change = json!({ "sso_url": "https://new-idp.acme.test/sso", "attribute_mapping": { "email": "work" } });
        let drafted = draft(&app, &acme, &admin, &change).await.expect(200).json();
        assert_eq!((&drafted["attribute_mapping"]["email"], &drafted["drafted_by"].is_string()), (&json!("work"), &true));
        let elsewhere = format!("/api/v1/organizations/{beta}/saml-connections/{}/draft", acme.connection);
        app.get(&elsewhere).operator().send().await.problem(404, "not_found");
        app.delete(&path(&acme, "")).session(&admin).send().await.expect(204);
        app.delete(&path(&acme, "")).session(&admin).send().await.problem(404, "not_found");
        assert_eq!(acme.events(&app, "saml_connection.change_drafted").await.len(), 1);
        assert_eq!(acme.events(&app, "saml_connection.change_dropped").await.len(), 1);
        let off = acme.api(&format!("/saml-connections/{}/deactivate", acme.connection));
        app.post(&off).operator().send().await.expect(200);
        draft(&app, &acme, &admin, &change).await.problem(409, "connection_not_active");
    }
}
