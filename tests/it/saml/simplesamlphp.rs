//! A real IdP: SimpleSAMLphp from Debian, through a browser-like client that keeps cookies as browsers do.

use serde_json::json;
use url::Url;

use super::refusals_of;
use crate::support::app::{TestApp, text};
use crate::support::browser::{Browser, Page};
use crate::support::simplesamlphp::{Person, SimpleSamlPhp, with_issuer};

struct Gate {
    app: TestApp,
    idp: SimpleSamlPhp,
    org: String,
    connection: String,
}

/// Acme, connected to the IdP by its metadata, both ways.
async fn gate() -> Gate {
    let person = Person::new("jo", "jo@acme.test", "Jo", "Doe");
    let mut idp = SimpleSamlPhp::start(&[person]).await;
    let app = TestApp::builder().machine_clock().start().await;
    let org = app.organization("Acme").await;
    let domain = app.domain(&org, "acme.test").await;
    let on = json!({ "jit_provisioning_enabled": true });
    let path = format!("/api/v1/organizations/{org}/domains/{domain}");
    app.patch(&path).operator().json(&on).send().await.expect(200);
    let connections = format!("/api/v1/organizations/{org}/saml-connections");
    let body = json!({
        "name": "SimpleSAMLphp", "type": "generic", "metadata_xml": idp.metadata_xml().await, "domain_ids": [domain],
    });
    let made = app.post(&connections).operator().json(&body).send().await.expect(201).json();
    let connection = format!("{connections}/{}", text(&made, "id"));
    let activate = format!("{connection}/activate");
    app.post(&activate).operator().json(&json!({ "skip_test": true })).send().await.expect(200);
    idp.trust(text(&made, "entity_id"), text(&made, "acs_url"));
    Gate { app, idp, org, connection }
}

impl Gate {
    /// From the sign-in page to the IdP's form, and through it.
    async fn sign_in(&self, browser: &mut Browser) -> Page {
        let page = browser.open(format!("{}/login", self.app.url)).await;
        let form = page.form_with("email").fill("email", "jo@acme.test");
        let page = browser.submit(&page, &form).await;
        self.log_in(browser, page).await
    }

    async fn log_in(&self, browser: &mut Browser, page: Page) -> Page {
        let form = page.form_with("username").fill("username", "jo").fill("password", "secret");
        let page = browser.submit(&page, &form).await;
        browser.settle(page).await
    }

    fn session(&self, browser: &Browser) -> Option<String> {
        let url = Url::parse(&self.app.url).expect("an address");
        browser.cookie(&url, "postern_session").map(str::to_owned)
    }
}

#[tokio::test]
async fn somebody_signs_in_through_a_real_idp() {
    let gate = gate().await;
    let mut browser = Browser::new();
    let page = gate.sign_in(&mut browser).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    assert!(page.text().contains("jo@acme.test") && page.text().contains("Acme"), "{page}");
    let session = gate.session(&browser).expect("a session");
    let me = gate.app.get("/api/v1/me").session(&session).send().await.expect(200).json();
    assert_eq!(me["email"], "jo@acme.test", "{me}");
    // Out again, by the page's own button.
    let form = crate::support::html::forms(&page.body).remove(0);
    let page = browser.submit(&page, &form).await;
    assert!(page.text().contains("You are signed out"), "{page}");
    gate.app.get("/api/v1/me").session(&session).send().await.expect(401);
}

#[tokio::test]
async fn a_wrong_audience_is_refused_with_its_reason() {
    let mut gate = gate().await;
    // The IdP's administrator mistyped our entity id.
    let acs = format!("{}/acs", gate.entity_id().await);
    gate.idp.trust("https://mistyped.example", &acs);
    let mut browser = Browser::new();
    let page = browser.open_once(format!("{}/login?email=jo@acme.test", gate.app.url)).await;
    let redirect = Url::parse(page.headers["location"].to_str().expect("ASCII")).expect("an address");
    let page = browser.open(with_issuer(&redirect, "https://mistyped.example")).await;
    let page = gate.log_in(&mut browser, page).await;
    assert!(page.text().contains("wrong_audience"), "{page}\n{}", gate.idp.log());
    assert!(page.text().contains("another service"), "{page}");
    assert!(gate.session(&browser).is_none());
    let refusals = refusals_of(&gate.app, &gate.org).await;
    assert!(text(&refusals[0], "detail").contains("https://mistyped.example"), "{refusals:?}");
}

#[tokio::test]
async fn a_rotated_certificate_is_refused_until_it_is_known() {
    let mut gate = gate().await;
    let new = gate.idp.rotate_key();
    let mut browser = Browser::new();
    let page = gate.sign_in(&mut browser).await;
    assert!(page.text().contains("signature_mismatch"), "{page}\n{}", gate.idp.log());
    let refusals = refusals_of(&gate.app, &gate.org).await;
    assert!(text(&refusals[0], "next_step").contains("rotated"), "{refusals:?}");
    let change = json!({ "certificates": [new] });
    gate.app.patch(&gate.connection).operator().json(&change).send().await.expect(200);
    let page = gate.sign_in(&mut Browser::new()).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}");
}

impl Gate {
    async fn entity_id(&self) -> String {
        let connection = self.app.get(&self.connection).operator().send().await.expect(200).json();
        text(&connection, "entity_id").to_owned()
    }
}
