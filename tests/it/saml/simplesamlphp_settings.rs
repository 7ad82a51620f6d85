//! SimpleSAMLphp set up otherwise: sign-ins that begin there, a key that is announced before it signs, and settings that
//! are wrong on purpose, on either side, each with what the page and the sign-in log say of it.

use serde_json::{Value, json};

use super::simplesamlphp::{Gate, gate_for};
use crate::support::app::text;
use crate::support::browser::{Browser, Page};
use crate::support::simplesamlphp::{PERSISTENT, Person, key_and_certificate};

impl Gate {
    async fn change(&self, change: Value) {
        self.app.patch(&self.connection).operator().json(&change).send().await.expect(200);
    }

    async fn facts(&self) -> Value {
        self.app.get(&self.connection).operator().send().await.expect(200).json()
    }

    /// The newest entry of the sign-in log.
    async fn newest(&self) -> Value {
        let path = format!("/api/v1/organizations/{}/sign-ins", self.org);
        let log = self.app.get(&path).operator().query(&[("limit", "1")]).send().await.expect(200).json();
        log["data"][0].clone()
    }

    /// Signs somebody in, who is refused with this code; what the page says stands in the log under its reference.
    async fn is_refused(&self, name: &str, code: &str) -> Value {
        let mut browser = Browser::new();
        let page = self.sign_in_as(&mut browser, name).await;
        assert!(self.session(&browser).is_none(), "{code}: {page}");
        self.refusal(&page, code).await
    }

    async fn refusal(&self, page: &Page, code: &str) -> Value {
        let entry = self.newest().await;
        assert!(page.text().contains(code), "{code}: {page}\n{entry:#}\n{}", self.idp.log());
        assert!(
            page.text().contains("You were not signed in") && page.text().contains("What to check"),
            "{page}"
        );
        assert!(page.body.contains(&format!("/problems/{code}")) && page.body.contains("/login"), "{page}");
        assert_eq!((&entry["outcome"], &entry["code"]), (&json!("refused"), &json!(code)), "{entry:#}");
        assert!(page.text().contains(text(&entry, "reference")), "{page}\n{entry:#}");
        entry
    }
}

/// Fails unless the log says all of this, in what it found and what to do.
#[track_caller]
fn says(entry: &Value, detail: &[&str], next_step: &[&str]) {
    for (name, parts) in [("detail", detail), ("next_step", next_step)] {
        for part in parts {
            assert!(text(entry, name).contains(part), "no {part:?} in {name}: {entry:#}");
        }
    }
}

fn people() -> Vec<Person> {
    let mut nameless = Person::new("al", "al@acme.test", "Al", "Roe");
    nameless.attributes.remove("email");
    vec![
        Person::new("jo", "jo@acme.test", "Jo", "Doe"),
        nameless,
        Person::new("mo", "mo@acme.test", "Mo", "Noe"),
        Person::new("ed", "ed@elsewhere.test", "Ed", "Poe"),
    ]
}

#[tokio::test]
async fn wrong_settings_at_the_idp_are_told_by_name() {
    let mut gate = gate_for(&people()).await;
    let entity_id = gate.entity_id().await;
    let acs = format!("{entity_id}/acs");

    // Where we are: mistyped, yet it arrives.
    gate.idp.trust(&entity_id, &format!("{acs}?tenant=1"));
    let entry = gate.is_refused("jo", "wrong_destination").await;
    says(&entry, &[&acs, "?tenant=1"], &["ACS"]);
    gate.idp.trust(&entity_id, &acs);

    // How it signs.
    let sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
    gate.idp.set("signature.algorithm", json!(sha1));
    let entry = gate.is_refused("jo", "sha1_refused").await;
    says(&entry, &[sha1], &["SHA-256"]);
    gate.idp.set("signature.algorithm", json!("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"));
    assert_eq!(gate.sign_in(&mut Browser::new()).await.url.path(), "/signed-in");
    let unsigned = json!({ "saml20.sign.response": false, "saml20.sign.assertion": false });
    gate.idp.trust_with(&entity_id, &acs, &unsigned);
    let entry = gate.is_refused("jo", "unsigned").await;
    says(&entry, &["signed"], &["ign"]);
    gate.idp.trust(&entity_id, &acs);

    // Whom it tells of: nobody with an address, and somebody of another domain.
    let entry = gate.is_refused("al", "no_email").await;
    says(&entry, &["uid", "givenName"], &[]);
    let entry = gate.is_refused("ed", "foreign_domain").await;
    says(&entry, &["elsewhere.test"], &[]);

    // No lasting NameID: it falls back to transient ones, which are no key; the address is. Whoever is linked by a lasting
    // one is not taken for the same by the address alone.
    assert_eq!(gate.sign_in(&mut Browser::new()).await.url.path(), "/signed-in");
    gate.idp.set_name_id("nothing", PERSISTENT);
    let entry = gate.is_refused("jo", "link_pending").await;
    says(&entry, &["another subject"], &["confirm"]);
    for _ in 0..2 {
        let page = gate.sign_in_as(&mut Browser::new(), "mo").await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{:#}", gate.newest().await);
    }
    let members = format!("/api/v1/organizations/{}/members", gate.org);
    let members = gate.app.get(&members).operator().send().await.expect(200).json();
    assert_eq!(members["data"].as_array().map(Vec::len), Some(2), "{members}");
}

#[tokio::test]
async fn wrong_settings_of_the_connection_are_told_by_name() {
    let gate = gate_for(&people()).await;
    let facts = gate.facts().await;
    let right = text(&facts, "idp_entity_id");
    let (_, stranger) = key_and_certificate("stranger");
    gate.change(json!({ "certificates": [stranger] })).await;
    let entry = gate.is_refused("jo", "signature_mismatch").await;
    says(&entry, &["does not match the connection's certificate", "fingerprint"], &["rotated"]);
    gate.change(json!({ "certificates": [gate.idp.certificate_pem()] })).await;

    gate.change(json!({ "idp_entity_id": "https://mistyped.example" })).await;
    let entry = gate.is_refused("jo", "wrong_issuer").await;
    says(&entry, &["https://mistyped.example", right], &[]);
    gate.change(json!({ "idp_entity_id": right })).await;
    let page = gate.sign_in(&mut Browser::new()).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{:#}", gate.newest().await);
}

#[tokio::test]
async fn a_sign_in_may_begin_at_the_idp_where_that_is_switched_on() {
    let gate = gate_for(&people()).await;
    let start = format!("{}?spentityid={}", gate.idp.sso_url(), gate.entity_id().await);
    let begin = async |browser: &mut Browser| {
        let page = browser.open(&start).await;
        gate.log_in_as(browser, page, "jo").await
    };
    let page = begin(&mut Browser::new()).await;
    gate.refusal(&page, "unsolicited").await;
    gate.change(json!({ "idp_initiated": true })).await;
    let mut browser = Browser::new();
    let page = begin(&mut browser).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}\n{}", gate.idp.log());
    let session = gate.session(&browser).expect("a session");
    let me = gate.app.get("/api/v1/me").session(&session).send().await.expect(200).json();
    assert_eq!(me["email"], "jo@acme.test", "{me}");
    // At the second time the IdP knows the person already.
    let page = browser.open(&start).await;
    let page = browser.settle(page).await;
    assert_eq!(page.url.path(), "/signed-in", "{page}");
}

#[tokio::test]
async fn an_announced_key_signs_later_without_a_sign_in_failing() {
    let mut gate = gate_for(&people()).await;
    let fingerprint = async |gate: &Gate| {
        let page = gate.sign_in(&mut Browser::new()).await;
        let entry = gate.newest().await;
        assert_eq!(page.url.path(), "/signed-in", "{page}\n{entry:#}");
        let path = format!("/api/v1/organizations/{}/sign-ins/{}", gate.org, text(&entry, "id"));
        let entry = gate.app.get(&path).operator().send().await.expect(200).json();
        text(&entry, "certificate_sha256_fingerprint").to_owned()
    };
    let first = fingerprint(&gate).await;
    gate.idp.announce_key();
    let both = gate.idp.metadata_xml().await;
    gate.change(json!({ "metadata_xml": both })).await;
    let certificates = gate.facts().await["certificates"].as_array().map(Vec::len);
    assert_eq!(certificates, Some(2), "{both}");
    assert_eq!(fingerprint(&gate).await, first, "the old one still signs");
    gate.idp.use_announced_key();
    let second = fingerprint(&gate).await;
    assert_ne!(second, first);
    gate.change(json!({ "metadata_xml": gate.idp.metadata_xml().await })).await;
    assert_eq!(gate.facts().await["certificates"].as_array().map(Vec::len), Some(1));
    assert_eq!(fingerprint(&gate).await, second);
}
