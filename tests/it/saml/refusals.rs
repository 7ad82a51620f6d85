//! What a refused person sees and what the administrator finds: a code, plain words, a reference that leads from one
//! to the other, and the field to change.

use super::{Begun, Person, Tenant, refused};
use crate::support::app::{on_both, text};
use postern::demo::idp::{KeyType, ResponseSpec, SigningKey};
use postern::model::time::Clock as _;
use serde_json::json;
use std::time::Duration;

/// What is wrong with a response.
type Change<'a> = &'a dyn Fn(&mut ResponseSpec);

on_both! {
    async fn the_reference_on_the_page_is_found_in_the_log(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.audiences = vec![vec!["https://other.example/<b>evil".to_owned()]];
        let answer = jo.post(&app, &acme, &acme.sign(&spec)).await;
        let reference = refused(&answer, "wrong_audience");
        assert!(answer.body.contains("another service"), "{}", answer.body);
        assert!(!answer.body.contains("other.example"), "what was posted is not shown: {}", answer.body);
        let refusals = acme.events(&app, "sign_in.refused").await;
        let data = Tenant::only_refusal(&refusals);
        assert_eq!((text(data, "reference"), text(data, "code")), (reference.as_str(), "wrong_audience"));
        assert!(text(data, "detail").contains(&acme.entity_id) && text(data, "detail").contains("other.example"));
        assert!(text(data, "next_step").contains("Audience URI (SP Entity ID)"), "{data}");
        // The refusal used the attempt up, and nobody was made.
        let again = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &acme, &again).await, "attempt_used");
        assert_eq!(acme.members(&app).await, 0);
    }

    async fn each_fault_has_its_reason(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let now = app.clock.now().to_datetime();
        let cases: [(&str, Change<'_>); 10] = [
            ("wrong_recipient", &|s| s.recipient = Some("https://other.example/acs".to_owned())),
            ("wrong_destination", &|s| s.destination = Some("https://other.example/acs".to_owned())),
            ("wrong_issuer", &|s| s.assertion_issuer = Some("https://other.example".to_owned())),
            ("idp_status", &|s| s.status = Some("urn:oasis:names:tc:SAML:2.0:status:Responder".to_owned())),
            ("expired", &|s| s.not_on_or_after = Some(now - Duration::from_mins(10))),
            ("not_yet_valid", &|s| s.not_before = Some(now + Duration::from_mins(10))),
            ("unsolicited", &|s| s.response_in_response_to = None),
            ("unknown_request", &|s| s.response_in_response_to = Some("_0000".to_owned())),
            ("no_email", &|s| s.attributes.clear()),
            ("address_invalid", &|s| s.attributes[0].1 = vec!["jö@acme.test".to_owned()]),
        ];
        for (code, change) in cases {
            let mut jo = Person::new();
            let begun = jo.begin(&app, "jo@acme.test").await;
            let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
            change(&mut spec);
            refused(&jo.post(&app, &acme, &acme.sign(&spec)).await, code);
        }
        assert_eq!(acme.events(&app, "sign_in.refused").await.len(), 10);
        assert_eq!(acme.members(&app).await, 0);
    }

    async fn a_rotated_key_is_told(app: TestApp) {
        let mut acme = Tenant::new(&app, "Acme", "acme.test").await;
        let old = acme.key.clone();
        acme.key = SigningKey::generate(KeyType::Rsa2048, "new", app.clock.now().to_datetime()).expect("a key");
        refused(&Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await, "signature_mismatch");
        let refusals = acme.events(&app, "sign_in.refused").await;
        assert!(text(&refusals[0]["data"], "next_step").contains("rotated"), "{refusals:?}");
        // Both at once while the change lasts.
        let both: Vec<String> =
            [&old, &acme.key].iter().map(|key| key.certificate_base64().expect("a certificate")).collect();
        let path = acme.api(&format!("/saml-connections/{}", acme.connection));
        app.patch(&path).operator().json(&json!({ "certificates": both })).send().await.expect(200);
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        acme.key = old;
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    }

    async fn an_attempt_ends_in_time(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        app.clock.advance(Duration::from_mins(16));
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &acme, &response).await, "attempt_expired");
    }

    async fn what_is_switched_off_in_between_stays_off(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
        let ready = async || {
            let mut jo = Person::new();
            let begun: Begun = jo.begin(&app, "jo@acme.test").await;
            let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
            (jo, response)
        };
        // The domain is taken from the connection.
        let (mut jo, response) = ready().await;
        let none: [&str; 0] = [];
        app.patch(&connection).operator().json(&json!({ "domain_ids": none })).send().await.expect(200);
        refused(&jo.post(&app, &acme, &response).await, "foreign_domain");
        app.get("/login?email=jo@acme.test").send().await.expect(404);
        let back = json!({ "domain_ids": [acme.domain_id] });
        app.patch(&connection).operator().json(&back).send().await.expect(200);
        // The connection is deactivated.
        let (mut jo, response) = ready().await;
        app.post(&format!("{connection}/deactivate")).operator().send().await.expect(200);
        refused(&jo.post(&app, &acme, &response).await, "connection_inactive");
        app.get("/login?email=jo@acme.test").send().await.expect(404);
    }
}
