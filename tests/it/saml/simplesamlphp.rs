//! A real IdP: SimpleSAMLphp from Debian, through a browser-like client that keeps cookies as browsers do.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::encryption::certificates;
use super::refusals_of;
use crate::support::app::{TestApp, text};
use crate::support::browser::{Browser, Page};
use crate::support::simplesamlphp::{Person, SimpleSamlPhp, key_and_certificate, with_issuer};

pub(super) struct Gate {
    pub app: TestApp,
    pub idp: SimpleSamlPhp,
    pub org: String,
    pub connection: String,
}

/// Acme, connected to the IdP by its metadata, both ways.
async fn gate() -> Gate {
    gate_for(&[Person::new("jo", "jo@acme.test", "Jo", "Doe")]).await
}

/// The same for these people of the IdP.
pub(super) async fn gate_for(people: &[Person]) -> Gate {
    let mut idp = SimpleSamlPhp::start(people).await;
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
    let metadata = text(&made, "sp_metadata_url").strip_prefix(&app.url).expect("ours").to_owned();
    let more = json!({
        "SingleLogoutService": text(&made, "sp_slo_url"),
        "keys": keys_of(&app.get(&metadata).send().await.expect(200).body),
        "sign.logout": true,
        "validate.logout": true,
    });
    idp.trust_with(text(&made, "entity_id"), text(&made, "acs_url"), &more);
    Gate { app, idp, org, connection }
}

impl Gate {
    /// From the sign-in page to the IdP's form, and through it.
    pub async fn sign_in(&self, browser: &mut Browser) -> Page {
        self.sign_in_as(browser, "jo").await
    }

    pub async fn sign_in_as(&self, browser: &mut Browser, name: &str) -> Page {
        let page = browser.open(format!("{}/login", self.app.url)).await;
        let form = page.form_with("email").fill("email", "jo@acme.test");
        let page = browser.submit(&page, &form).await;
        self.log_in_as(browser, page, name).await
    }

    async fn log_in(&self, browser: &mut Browser, page: Page) -> Page {
        self.log_in_as(browser, page, "jo").await
    }

    pub async fn log_in_as(&self, browser: &mut Browser, page: Page, name: &str) -> Page {
        let form = page.form_with("username").fill("username", name).fill("password", "secret");
        let page = browser.submit(&page, &form).await;
        browser.settle(page).await
    }

    pub fn session(&self, browser: &Browser) -> Option<String> {
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
    // Out again, by the page's own button: here, and at the IdP, which asks for the password next time.
    let form = crate::support::html::forms(&page.body).remove(0);
    let page = browser.submit(&page, &form).await;
    assert!(page.text().contains("Here, and at your identity provider"), "{page}\n{}", gate.idp.log());
    gate.app.get("/api/v1/me").session(&session).send().await.expect(401);
    let page = gate.sign_in(&mut browser).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
}

#[tokio::test]
async fn signing_out_at_a_real_idp_signs_out_here() {
    let gate = gate().await;
    let mut browser = Browser::new();
    let page = gate.sign_in(&mut browser).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    let session = gate.session(&browser).expect("a session");
    let mut elsewhere = Browser::new();
    gate.sign_in(&mut elsewhere).await;
    let other = gate.session(&elsewhere).expect("a session");
    // By its own button for that, which leads to a page of its own once everybody has answered.
    let entity_id = gate.idp.entity_id();
    let mut leave =
        Url::parse(&entity_id.replace("metadata.php", "SingleLogoutService.php")).expect("an address");
    leave.query_pairs_mut().append_pair("ReturnTo", &entity_id);
    let page = browser.open(leave).await;
    assert_eq!(page.url.as_str(), entity_id, "{page}\n{}", gate.idp.log());
    gate.app.get("/api/v1/me").session(&session).send().await.expect(401);
    gate.app.get("/api/v1/me").session(&other).send().await.expect(200);
    let ended = gate.events("session.ended").await;
    assert!(ended.len() == 1 && ended[0]["data"]["because"] == "single_logout", "{ended:?}");
    let refused = gate.events("single_logout.refused").await;
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn a_connection_is_tested_through_a_real_idp() {
    let mut gate = gate().await;
    gate.app.post(&format!("{}/deactivate", gate.connection)).operator().send().await.expect(200);
    let test = format!("{}/test", gate.connection);
    let asked = gate.app.post(&test).operator().send().await.expect(200).json();
    let mut browser = Browser::new();
    let page = browser.open(text(&asked, "url")).await;
    let page = gate.log_in(&mut browser, page).await;
    assert_eq!(page.status.as_u16(), 200, "{page}\n{}", gate.idp.log());
    for shown in
        ["The test sign-in passed", "jo@acme.test", "Jo", "Doe", "givenName", "just in time", "persistent"]
    {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
    assert!(gate.session(&browser).is_none(), "nobody is signed in by a test");
    let activate = format!("{}/activate", gate.connection);
    gate.app.post(&activate).operator().json(&json!({})).send().await.expect(200);
    assert_eq!(gate.sign_in(&mut Browser::new()).await.url.path(), "/signed-in");

    // A key that the connection does not know: the page says so, and names what to compare.
    gate.idp.rotate_key();
    let asked = gate.app.post(&test).operator().send().await.expect(200).json();
    let mut browser = Browser::new();
    let page = browser.open(text(&asked, "url")).await;
    let page = gate.log_in(&mut browser, page).await;
    assert!(page.text().contains("The test sign-in did not pass"), "{page}");
    assert!(page.text().contains("signature_mismatch") && page.text().contains("fingerprint"), "{page}");
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

/// Our keys as its administrator would copy them out of our metadata.
fn keys_of(metadata: &str) -> Value {
    let of = |purpose: &'static str| {
        certificates(metadata, purpose).into_iter().map(move |der| {
            json!({
                "type": "X509Certificate",
                "X509Certificate": BASE64_STANDARD.encode(der),
                "signing": purpose == "signing",
                "encryption": purpose == "encryption",
            })
        })
    };
    of("signing").chain(of("encryption")).collect()
}

#[tokio::test]
async fn encrypted_assertions_and_signed_requests_work_while_keys_are_exchanged() {
    let mut gate = gate().await;
    let entity_id = gate.entity_id().await;
    let acs = format!("{entity_id}/acs");
    let metadata =
        async |gate: &Gate| gate.app.get(&format!("{entity_id}/metadata")).send().await.expect(200).body;
    let change = json!({ "sign_requests": true, "require_encryption": true });
    gate.app.patch(&gate.connection).operator().json(&change).send().await.expect(200);
    let trust = |gate: &mut Gate, keys: Value| {
        let more = json!({
            "keys": keys, "assertion.encryption": true, "validate.authnrequest": true, "redirect.validate": true,
        });
        gate.idp.trust_with(&entity_id, &acs, &more);
    };
    let first = keys_of(&metadata(&gate).await);
    trust(&mut gate, first.clone());
    let page = gate.sign_in(&mut Browser::new()).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    let succeeded = gate.events("sign_in.succeeded").await;
    assert_eq!(succeeded[0]["data"]["encrypted"], true, "{succeeded:?}");

    // New keys of both kinds beside the old; the IdP reads our metadata again; then they take the others' places.
    let mut made = Vec::new();
    for purpose in ["signing", "encryption"] {
        let body = json!({ "purpose": purpose });
        let keys = format!("{}/keys", gate.connection);
        made.push(gate.app.post(&keys).operator().json(&body).send().await.expect(201).id());
        let page = gate.sign_in(&mut Browser::new()).await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    }
    let both = keys_of(&metadata(&gate).await);
    assert_eq!(both.as_array().map(Vec::len), Some(4), "{both}");
    trust(&mut gate, both);
    for key in made {
        let page = gate.sign_in(&mut Browser::new()).await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
        let path = format!("{}/keys/{key}/activate", gate.connection);
        gate.app.post(&path).operator().send().await.expect(200);
        let page = gate.sign_in(&mut Browser::new()).await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    }
    let last = keys_of(&metadata(&gate).await);
    assert_ne!(last[2], first[1], "another key to encrypt to: {last}");
    trust(&mut gate, last);
    let page = gate.sign_in(&mut Browser::new()).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());

    // It really validates: by the keys of somebody else it refuses our request.
    let (_, stranger) = key_and_certificate("stranger");
    let stranger: String = stranger.lines().filter(|line| !line.starts_with('-')).collect();
    let keys = json!([{ "type": "X509Certificate", "X509Certificate": stranger, "signing": true, "encryption": true }]);
    trust(&mut gate, keys);
    let mut browser = Browser::new();
    let page = browser.open(format!("{}/login", gate.app.url)).await;
    let form = page.form_with("email").fill("email", "jo@acme.test");
    let page = browser.submit(&page, &form).await;
    assert!(!page.body.contains("name=\"username\""), "{page}");
}

impl Gate {
    async fn events(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/v1/organizations/{}/events?limit=200", self.org);
        let all = self.app.get(&path).operator().send().await.expect(200).json();
        all["data"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|event| event["kind"] == kind)
            .cloned()
            .collect()
    }
}

impl Gate {
    pub async fn entity_id(&self) -> String {
        let connection = self.app.get(&self.connection).operator().send().await.expect(200).json();
        text(&connection, "entity_id").to_owned()
    }
}
