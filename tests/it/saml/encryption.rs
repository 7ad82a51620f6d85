//! Encrypted assertions through the ACS: every algorithm and order, keys that are exchanged under people who sign in,
//! what is refused and how, and other programs that encrypt and verify: SimpleSAMLphp and xmlsec1.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use governor::clock::FakeRelativeClock;
use postern::demo::idp::{Encrypting, Placement, Signing};
use postern::http::limits::LimitClock;
use serde_json::{Value, json};

use super::{Begun, Person, Tenant, refused};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::scratch::Scratch;

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";

/// The certificates for a use in our metadata, in their order, in DER.
pub fn certificates(metadata: &str, purpose: &str) -> Vec<Vec<u8>> {
    let descriptors = metadata.split("<md:KeyDescriptor ").skip(1);
    let of_use = descriptors.filter(|text| text.starts_with(&format!("use=\"{purpose}\"")));
    of_use
        .map(|text| {
            let rest = text.split("<ds:X509Certificate>").nth(1).expect("a certificate");
            BASE64_STANDARD.decode(rest.split('<').next().expect("its end")).expect("base64")
        })
        .collect()
}

impl Tenant {
    pub async fn metadata(&self, app: &TestApp) -> String {
        let path = format!("{}/metadata", self.entity_id.strip_prefix(&app.url).expect("ours"));
        app.get(&path).send().await.expect(200).body
    }

    /// What IdPs encrypt to, by our metadata.
    async fn recipient(&self, app: &TestApp) -> Vec<u8> {
        certificates(&self.metadata(app).await, "encryption").remove(0)
    }

    fn keys(&self) -> String {
        self.api(&format!("/saml-connections/{}/keys", self.connection))
    }

    async fn make_key(&self, app: &TestApp, purpose: &str) -> Value {
        let body = json!({ "purpose": purpose });
        app.post(&self.keys()).operator().json(&body).send().await.expect(201).json()
    }

    async fn set(&self, app: &TestApp, change: &Value) -> Answer {
        let path = self.api(&format!("/saml-connections/{}", self.connection));
        app.patch(&path).operator().json(change).send().await
    }

    /// A right response, encrypted.
    fn encrypt(
        &self,
        app: &TestApp,
        begun: &Begun,
        how: &Encrypting,
        placement: Placement,
        to: &[u8],
    ) -> String {
        let spec = self.response(app, begun, "subject-1", "jo@acme.test");
        how.respond(&spec, &Signing::at(placement), &self.key, to).expect("encrypted")
    }
}

impl Person {
    async fn post_xml(&mut self, app: &TestApp, tenant: &Tenant, xml: &str) -> Answer {
        self.post(app, tenant, &BASE64_STANDARD.encode(xml)).await
    }

    /// Signs in by an encrypted assertion.
    async fn sign_in_encrypted(
        &mut self,
        app: &TestApp,
        tenant: &Tenant,
        (how, placement): (&Encrypting, Placement),
        to: &[u8],
    ) -> Answer {
        let begun = self.begin(app, "jo@acme.test").await;
        let xml = tenant.encrypt(app, &begun, how, placement, to);
        self.post_xml(app, tenant, &xml).await
    }
}

on_both! {
    async fn every_algorithm_and_order_signs_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let to = acme.recipient(&app).await;
        let mut ways: Vec<Encrypting> = Vec::new();
        for content in ["aes128-cbc", "aes192-cbc", "aes256-cbc"] {
            ways.push(Encrypting::content(&format!("{XENC}{content}")));
        }
        for content in ["aes128-gcm", "aes192-gcm", "aes256-gcm"] {
            ways.push(Encrypting { beside: true, ..Encrypting::content(&format!("{XENC11}{content}")) });
        }
        for hash in ["sha256", "sha512"] {
            ways.push(Encrypting {
                transport: format!("{XENC11}rsa-oaep"),
                digest: Some(format!("{XENC}{hash}")),
                mask: Some(format!("{XENC11}mgf1{hash}")),
                ..Encrypting::default()
            });
        }
        let mut signed_in = 0;
        for (number, how) in ways.iter().enumerate() {
            // All of them by the usual order, one by each of the others.
            let placements = [Placement::Assertion, Placement::Response, Placement::Both];
            for placement in placements.into_iter().take(if number % 4 == 0 { 3 } else { 1 }) {
                let mut jo = Person::new();
                let answer = jo.sign_in_encrypted(&app, &acme, (how, placement), &to).await;
                assert_eq!(answer.status, 303, "{how:?} {placement:?}: {}", answer.body);
                jo.me(&app).await.expect(200);
                signed_in += 1;
            }
        }
        assert_eq!(acme.events(&app, "sign_in.succeeded").await.len(), signed_in);
        assert_eq!(acme.members(&app).await, 1);
    }

    async fn keys_are_exchanged_without_a_sign_in_failing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let how = (&Encrypting::default(), Placement::Assertion);
        let old = acme.recipient(&app).await;
        assert_eq!(acme.recipient(&app).await, old, "it is made once");
        Person::new().sign_in_encrypted(&app, &acme, how, &old).await.expect(303);
        // A new one stands beside the old, and both work.
        let made = acme.make_key(&app, "encryption").await;
        assert_eq!((&made["state"], &made["published"]), (&json!("next"), &json!(true)), "{made}");
        let both = certificates(&acme.metadata(&app).await, "encryption");
        assert_eq!((both.len(), &both[0]), (2, &old), "the current one first");
        let new = both[1].clone();
        app.post(&acme.keys()).operator().json(&json!({ "purpose": "encryption" })).send().await
            .problem(409, "rotation_under_way");
        for to in [&old, &new] {
            Person::new().sign_in_encrypted(&app, &acme, how, to).await.expect(303);
        }
        // The new one takes its place; who was on the way with the old one still gets in.
        let begun_before = Person::new().begin(&app, "jo@acme.test").await;
        assert!(!begun_before.request.is_empty());
        let key = format!("{}/{}", acme.keys(), text(&made, "id"));
        let now = app.post(&format!("{key}/activate")).operator().send().await.expect(200).json();
        assert_eq!(now["state"], "current", "{now}");
        assert_eq!(certificates(&acme.metadata(&app).await, "encryption"), std::slice::from_ref(&new));
        for to in [&old, &new] {
            Person::new().sign_in_encrypted(&app, &acme, how, to).await.expect(303);
        }
        // Until the old one is taken away.
        app.delete(&key).operator().send().await.problem(409, "key_is_current");
        let list = app.get(&acme.keys()).operator().send().await.expect(200).json();
        let previous = list["data"].as_array().expect("a list").iter().find(|key| key["state"] == "previous");
        let previous = previous.expect("the old one");
        assert_eq!(previous["published"], false, "{previous}");
        app.delete(&format!("{}/{}", acme.keys(), text(previous, "id"))).operator().send().await.expect(204);
        let answer = Person::new().sign_in_encrypted(&app, &acme, how, &old).await;
        let reference = refused(&answer, "decryption_failed");
        Person::new().sign_in_encrypted(&app, &acme, how, &new).await.expect(303);
        let refusals = acme.events(&app, "sign_in.refused").await;
        let refusal = Tenant::only_refusal(&refusals);
        assert_eq!(text(refusal, "reference"), reference);
        assert!(text(refusal, "detail").contains(text(previous, "sha256_fingerprint")), "{refusal}");
        assert!(text(refusal, "next_step").contains("Assertion Encryption"), "{refusal}");
        for (kind, count) in [("created", 2), ("activated", 1), ("deleted", 1)] {
            assert_eq!(acme.events(&app, &format!("saml_key.{kind}")).await.len(), count, "{kind}");
        }
    }

    async fn what_cannot_be_decrypted_looks_the_same_whatever_it_is(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let other = Tenant::new(&app, "Other", "other.test").await;
        let (to, elsewhere) = (acme.recipient(&app).await, other.recipient(&app).await);
        let how = Encrypting { names_recipient: false, ..Encrypting::content(&format!("{XENC}aes256-cbc")) };
        let mut pages = Vec::new();
        for number in 0..8 {
            let mut jo = Person::new();
            let begun = jo.begin(&app, "jo@acme.test").await;
            let spec = acme.response(&app, &begun, "subject-1", "jo@acme.test");
            let signed = |placement, key| Signing::at(placement).respond(&spec, key).expect("signed");
            let inside = |xml: &str| {
                let at = xml.find("<saml:Assertion").expect("an assertion");
                xml[at..].replace("</samlp:Response>", "")
            };
            let whole = signed(Placement::Assertion, &acme.key);
            let right = inside(&whole);
            let envelope = |plain: &[u8], to: &[u8]| {
                let sealed = how.encrypt(plain, to).expect("encrypted");
                whole.replace(&right, &sealed)
            };
            let xml = envelope(right.as_bytes(), &to);
            let from = xml.rfind("<xenc:CipherValue>").expect("a value") + "<xenc:CipherValue>".len();
            let value = xml[from..].split('<').next().expect("its end").to_owned();
            let xml = match number {
                // Cut off, at a block and elsewhere; for another connection; no XML; two assertions; not signed; signed by
                // somebody else; another person's name in it.
                0 => xml.replace(&value, &value[..value.len() / 2 / 64 * 64]),
                1 => xml.replace(&value, &value[..4]),
                2 => envelope(right.as_bytes(), &elsewhere),
                3 => envelope(b"\x00not XML", &to),
                4 => envelope(format!("{right}{right}").as_bytes(), &to),
                5 => envelope(spec.assertion_xml().as_bytes(), &to),
                6 => envelope(inside(&signed(Placement::Assertion, &other.key)).as_bytes(), &to),
                _ => envelope(right.replace("jo@acme.test", "al@acme.test").as_bytes(), &to),
            };
            let answer = jo.post_xml(&app, &acme, &xml).await;
            let reference = refused(&answer, "decryption_failed");
            pages.push(answer.body.replace(&reference, ""));
        }
        assert!(pages.iter().all(|page| *page == pages[0]), "nothing on the page tells them apart");
        assert_eq!(acme.members(&app).await, 0);
        let refusals = acme.events(&app, "sign_in.refused").await;
        let details: Vec<&str> = refusals.iter().map(|event| text(&event["data"], "detail")).collect();
        assert!(details[5].contains("neither the response nor the assertion is signed"), "{details:#?}");
        assert!(details[6].contains("did the IdP rotate its key?"), "{details:#?}");
        assert!(details[7].contains("changed after it was signed"), "{details:#?}");
    }

    async fn other_shapes_and_algorithms_are_told_by_name(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let to = acme.recipient(&app).await;
        let reference = "<xenc:CipherReference URI=\"http://169.254.169.254/latest\"/>".to_owned();
        for (how, code) in [
            (Encrypting::content(&format!("{XENC}tripledes-cbc")), "encryption_algorithm_refused"),
            (Encrypting { transport: format!("{XENC}rsa-1_5"), ..Encrypting::default() }, "encryption_algorithm_refused"),
            (Encrypting { cipher_data: Some(reference), ..Encrypting::default() }, "encryption_structure"),
        ] {
            let answer = Person::new().sign_in_encrypted(&app, &acme, (&how, Placement::Assertion), &to).await;
            refused(&answer, code);
        }
        // A good one beside a plain one, both ways round; and one that is much too large.
        let how = Encrypting::default();
        for order in [false, true] {
            let mut jo = Person::new();
            let begun = jo.begin(&app, "jo@acme.test").await;
            let xml = acme.encrypt(&app, &begun, &how, Placement::Assertion, &to);
            let plain = acme.response(&app, &begun, "subject-1", "al@acme.test").assertion_xml();
            let sealed = xml.find("<saml:EncryptedAssertion").expect("it is encrypted");
            let at = if order { sealed } else { xml.find("</samlp:Response>").expect("an end") };
            let xml = format!("{}{plain}{}", &xml[..at], &xml[at..]);
            refused(&jo.post_xml(&app, &acme, &xml).await, "assertion_count");
        }
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let huge = format!("<xenc:CipherValue>{}</xenc:CipherValue>", "QUFB".repeat(240_000));
        let how = Encrypting { cipher_data: Some(huge), names_recipient: false, ..how };
        let xml = acme.encrypt(&app, &begun, &how, Placement::Assertion, &to);
        let started = std::time::Instant::now();
        refused(&jo.post_xml(&app, &acme, &xml).await, "decryption_failed");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    async fn encryption_can_be_required_and_its_last_key_then_stays(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let to = acme.recipient(&app).await;
        acme.set(&app, &json!({ "require_encryption": true })).await.expect(200);
        let mut jo = Person::new();
        refused(&jo.sign_in(&app, &acme, "subject-1", "jo@acme.test").await, "not_encrypted");
        jo.sign_in_encrypted(&app, &acme, (&Encrypting::default(), Placement::Both), &to).await.expect(303);
        let list = app.get(&acme.keys()).operator().send().await.expect(200).json();
        let key = format!("{}/{}", acme.keys(), text(&list["data"][0], "id"));
        app.delete(&key).operator().send().await.problem(409, "key_in_use");
        acme.set(&app, &json!({ "require_encryption": false })).await.expect(200);
        app.delete(&key).operator().send().await.expect(204);
        let answer = jo.sign_in_encrypted(&app, &acme, (&Encrypting::default(), Placement::Both), &to).await;
        refused(&answer, "no_encryption_key");
    }
}

#[tokio::test]
async fn failures_of_decryption_are_few_in_a_minute() {
    let clock = FakeRelativeClock::default();
    let config = "[limits]\nsign_in_per_minute = 100000";
    let app = TestApp::builder().config(config).limit_clock(LimitClock::Manual(clock.clone())).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let other = Tenant::new(&app, "Other", "other.test").await;
    let (to, elsewhere) = (acme.recipient(&app).await, other.recipient(&app).await);
    let how = (&Encrypting::default(), Placement::Assertion);
    let mut failures = 0;
    let answer = loop {
        let answer = Person::new().sign_in_encrypted(&app, &acme, how, &elsewhere).await;
        if answer.status == 429 {
            break answer;
        }
        refused(&answer, "decryption_failed");
        failures += 1;
        assert!(failures <= 100, "there is no end");
    };
    assert!(failures > 30, "an IdP's mistake is no attack: {failures}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // Who does not encrypt is not concerned, nor is another connection; and a minute later it is over.
    Person::new().sign_in(&app, &acme, "subject-1", "jo@acme.test").await.expect(303);
    let begun = Person::new().begin(&app, "jo@other.test").await;
    assert!(!begun.request.is_empty());
    clock.advance(Duration::from_secs(61));
    Person::new().sign_in_encrypted(&app, &acme, how, &to).await.expect(303);
}

/// Runs xmlsec1, which shares no code with our encryption and decryption.
fn xmlsec1(folder: &Scratch, arguments: &[&str]) {
    let mut command = Command::new("xmlsec1");
    let done = command.args(arguments).current_dir(folder.path()).output();
    let done = done.expect("`make setup` installs xmlsec1");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "xmlsec1 {arguments:?}: {said}");
}

#[tokio::test]
async fn what_xmlsec1_encrypts_is_understood() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let list = app.get(&acme.keys()).operator().send().await.expect(200).json();
    let folder = Scratch::new("xmlsec1");
    folder.write("to.pem", text(&list["data"][0], "certificate_pem"));
    for (session, content, digest) in [
        ("aes-128", format!("{XENC}aes128-cbc"), None),
        ("aes-192", format!("{XENC}aes192-cbc"), None),
        ("aes-256", format!("{XENC}aes256-cbc"), Some("http://www.w3.org/2000/09/xmldsig#sha1")),
        ("aes-128", format!("{XENC11}aes128-gcm"), None),
        ("aes-192", format!("{XENC11}aes192-gcm"), None),
        ("aes-256", format!("{XENC11}aes256-gcm"), None),
    ] {
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let spec = acme.response(&app, &begun, "subject-1", "jo@acme.test");
        let signed = Signing::at(Placement::Assertion).respond(&spec, &acme.key).expect("signed");
        folder.write("response.xml", &signed);
        let digest = digest.map(|uri| {
            format!("<DigestMethod xmlns=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"{uri}\"/>")
        });
        folder.write(
            "template.xml",
            format!(
                "<EncryptedData xmlns=\"{XENC}\" Type=\"{XENC}Element\"><EncryptionMethod Algorithm=\"{content}\"/>\
                 <KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><EncryptedKey xmlns=\"{XENC}\">\
                 <EncryptionMethod Algorithm=\"{XENC}rsa-oaep-mgf1p\">{}</EncryptionMethod>\
                 <KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><KeyName/></KeyInfo>\
                 <CipherData><CipherValue/></CipherData></EncryptedKey></KeyInfo>\
                 <CipherData><CipherValue/></CipherData></EncryptedData>",
                digest.unwrap_or_default(),
            ),
        );
        let node = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";
        xmlsec1(
            &folder,
            &[
                "--encrypt",
                "--pubkey-cert-pem",
                "to.pem",
                "--session-key",
                session,
                "--xml-data",
                "response.xml",
                "--node-name",
                node,
                "--output",
                "encrypted.xml",
                "template.xml",
            ],
        );
        let xml = std::fs::read_to_string(folder.path().join("encrypted.xml")).expect("encrypted");
        let from = xml.find("<EncryptedData").expect("encrypted data");
        let end = "</EncryptedData>";
        let to = xml.rfind(end).expect("its end") + end.len();
        let wrapped = format!(
            "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{}</saml:EncryptedAssertion>",
            &xml[from..to]
        );
        let xml = format!("{}{wrapped}{}", &xml[..from], &xml[to..]);
        let answer = jo.post_xml(&app, &acme, &xml).await;
        assert_eq!(
            answer.status,
            303,
            "{content}: {}\n{:#?}",
            answer.body,
            acme.events(&app, "sign_in.refused").await
        );
    }
}
