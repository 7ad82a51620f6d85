//! Another real IdP: pysaml2, which verifies our signed requests, reads our metadata by its address and encrypts to us.

use serde_json::json;
use url::Url;

use super::refusals_of;
use crate::support::app::{TestApp, text};
use crate::support::browser::{Browser, Page};
use crate::support::pysaml2::PySaml2;
use crate::support::simplesamlphp::{EMAIL, Person};

struct Gate {
    app: TestApp,
    idp: PySaml2,
    org: String,
    connection: String,
}

/// Acme, connected to the IdP by the metadata of both.
async fn gate() -> Gate {
    let person = Person::new("jo", "jo@acme.test", "Jo", "Doe").with("mail", &["jo@acme.test"]);
    let mut idp = PySaml2::start(&[person]).await;
    let app = TestApp::builder().machine_clock().start().await;
    let org = app.organization("Acme").await;
    let domain = app.domain(&org, "acme.test").await;
    let on = json!({ "jit_provisioning_enabled": true });
    let path = format!("/api/v1/organizations/{org}/domains/{domain}");
    app.patch(&path).operator().json(&on).send().await.expect(200);
    let connections = format!("/api/v1/organizations/{org}/saml-connections");
    let body = json!({
        "name": "pysaml2", "type": "generic", "metadata_xml": idp.metadata_xml().await, "domain_ids": [domain],
    });
    let made = app.post(&connections).operator().json(&body).send().await.expect(201).json();
    let connection = format!("{connections}/{}", text(&made, "id"));
    let activate = format!("{connection}/activate");
    app.post(&activate).operator().json(&json!({ "skip_test": true })).send().await.expect(200);
    idp.trust(&format!("{}/metadata", text(&made, "entity_id")));
    Gate { app, idp, org, connection }
}

impl Gate {
    async fn to_the_idp(&self, browser: &mut Browser) -> Page {
        let page = browser.open(format!("{}/login", self.app.url)).await;
        let form = page.form_with("email").fill("email", "jo@acme.test");
        browser.submit(&page, &form).await
    }

    async fn sign_in(&self, browser: &mut Browser) -> Page {
        let page = self.to_the_idp(browser).await;
        assert!(page.body.contains("name=\"username\""), "{page}\n{}", self.idp.log());
        let form = page.form_with("username").fill("username", "jo").fill("password", "secret");
        let page = browser.submit(&page, &form).await;
        assert!(page.body.contains("SAMLResponse"), "{page}\n{}", self.idp.log());
        browser.settle(page).await
    }

    async fn set(&self, change: serde_json::Value) {
        self.app.patch(&self.connection).operator().json(&change).send().await.expect(200);
    }
}

#[tokio::test]
async fn somebody_signs_in_through_another_real_idp() {
    let mut gate = gate().await;
    for (assertion, response) in [(true, true), (true, false), (false, true)] {
        gate.idp.set("sign_assertion", json!(assertion));
        gate.idp.set("sign_response", json!(response));
        let mut browser = Browser::new();
        let page = gate.sign_in(&mut browser).await;
        assert_eq!(page.url.path(), "/signed-in", "{assertion} {response}: {page}\n{}", gate.idp.log());
        let url = Url::parse(&gate.app.url).expect("an address");
        let session = browser.cookie(&url, "postern_session").expect("a session").to_owned();
        let me = gate.app.get("/api/v1/me").session(&session).send().await.expect(200).json();
        assert_eq!(me["email"], "jo@acme.test", "{me}");
    }
    let path = format!("/api/v1/organizations/{}/members", gate.org);
    let members = gate.app.get(&path).operator().send().await.expect(200).json();
    assert_eq!(
        members["data"].as_array().map(Vec::len),
        Some(1),
        "one person, whatever was signed: {members}"
    );
    // By the address as the NameID, too.
    gate.idp.set("name_id", json!({ "attribute": "email", "format": EMAIL }));
    gate.idp.set("sign_assertion", json!(true));
    let page = gate.sign_in(&mut Browser::new()).await;
    assert!(["/signed-in", "/saml"].iter().any(|path| page.url.path().starts_with(path)), "{page}");
}

#[tokio::test]
async fn another_idp_verifies_our_requests_and_encrypts_to_us() {
    let mut gate = gate().await;
    // It wants signed requests, and ours are not.
    gate.idp.set("want_signed", json!(true));
    let page = gate.to_the_idp(&mut Browser::new()).await;
    assert!(page.text().contains("not signed correctly"), "{page}\n{}", gate.idp.log());
    // It finds both keys in our metadata, which it reads at its address.
    gate.set(json!({ "sign_requests": true, "require_encryption": true })).await;
    gate.idp.set("encrypt", json!(true));
    for (assertion, response) in [(true, false), (true, true)] {
        gate.idp.set("sign_assertion", json!(assertion));
        gate.idp.set("sign_response", json!(response));
        let page = gate.sign_in(&mut Browser::new()).await;
        let refusals = refusals_of(&gate.app, &gate.org).await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{refusals:#?}");
    }
    // What it encrypts by if nobody tells it otherwise is refused by name, with what to change.
    gate.idp.set("session_key", json!("des-192"));
    let page = gate.sign_in(&mut Browser::new()).await;
    assert!(page.text().contains("encryption_algorithm_refused"), "{page}\n{}", gate.idp.log());
    let refusals = refusals_of(&gate.app, &gate.org).await;
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert!(text(&refusals[0], "detail").contains("tripledes-cbc"), "{refusals:#?}");
    assert!(text(&refusals[0], "next_step").contains("AES"), "{refusals:#?}");
    // A plain one is not what was asked for.
    gate.idp.set("encrypt", json!(false));
    let page = gate.sign_in(&mut Browser::new()).await;
    assert!(page.text().contains("not_encrypted"), "{page}\n{}", gate.idp.log());
}
