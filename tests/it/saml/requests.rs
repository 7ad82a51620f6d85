//! What a connection asks of its IdP: signed requests, a NameID format, fresh credentials, named ways to sign in; and
//! the level that needs some of these together.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use openssl::x509::X509;
use serde_json::{Value, json};
use url::Url;

use super::encryption::certificates;
use super::{Person, Tenant, refused};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::simplesamlphp::inflated;

const MFA: &str = "http://schemas.microsoft.com/claims/multipleauthn";
const TOKEN: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken";

async fn set(app: &TestApp, tenant: &Tenant, change: &Value) -> Answer {
    let path = tenant.api(&format!("/saml-connections/{}", tenant.connection));
    app.patch(&path).operator().json(change).send().await
}

fn message(url: &Url) -> String {
    let value = url.query_pairs().find(|(name, _)| name == "SAMLRequest").expect("a request").1;
    inflated(&value)
}

/// Whether the address is signed by the key of this certificate (DER), as an IdP checks it.
fn is_signed_by(url: &Url, certificate: &[u8]) -> bool {
    let query = url.query().expect("a query");
    let Some((signed, _)) = query[query.find("SAMLRequest=").expect("a request")..].split_once("&Signature=")
    else {
        return false;
    };
    let signature = url.query_pairs().find(|(name, _)| name == "Signature").expect("a signature").1;
    let signature = BASE64_STANDARD.decode(signature.as_bytes()).expect("base64");
    let key = X509::from_der(certificate).expect("a certificate").public_key().expect("a key");
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).expect("a verifier");
    verifier.verify_oneshot(&signature, signed.as_bytes()).expect("a verdict")
}

on_both! {
    async fn requests_are_signed_by_the_current_key(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let plain = Person::new().begin(&app, "jo@acme.test").await;
        assert!(!plain.url.as_str().contains("Signature="), "{}", plain.url);
        assert!(acme.metadata(&app).await.contains("AuthnRequestsSigned=\"false\""));
        assert!(certificates(&acme.metadata(&app).await, "signing").is_empty());
        set(&app, &acme, &json!({ "sign_requests": true })).await.expect(200);
        // The address has a query already, which is no part of what is signed.
        let begun = Person::new().begin(&app, "jo@acme.test").await;
        assert!(begun.url.as_str().contains("?tenant=7&SAMLRequest="), "{}", begun.url);
        let metadata = acme.metadata(&app).await;
        assert!(metadata.contains("AuthnRequestsSigned=\"true\""), "{metadata}");
        let old = certificates(&metadata, "signing");
        assert_eq!(old.len(), 1, "{metadata}");
        assert!(is_signed_by(&begun.url, &old[0]));
        // The next key is known to the IdP before anything is signed with it.
        let keys = acme.api(&format!("/saml-connections/{}/keys", acme.connection));
        let body = json!({ "purpose": "signing", "bits": 3072 });
        let made = app.post(&keys).operator().json(&body).send().await.expect(201).json();
        assert_eq!(made["key_type"], "RSA 3072", "{made}");
        let both = certificates(&acme.metadata(&app).await, "signing");
        assert_eq!((both.len(), &both[0]), (2, &old[0]));
        let begun = Person::new().begin(&app, "jo@acme.test").await;
        assert!(is_signed_by(&begun.url, &both[0]) && !is_signed_by(&begun.url, &both[1]));
        app.post(&format!("{keys}/{}/activate", text(&made, "id"))).operator().send().await.expect(200);
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        assert!(is_signed_by(&begun.url, &both[1]) && !is_signed_by(&begun.url, &both[0]));
        assert_eq!(certificates(&acme.metadata(&app).await, "signing"), [both[1].clone(), both[0].clone()]);
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        jo.post(&app, &acme, &response).await.expect(303);
    }

    async fn requests_ask_for_what_the_connection_wants(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let wants = json!({
            "name_id_format": "email_address",
            "force_authn": true,
            "requested_authn_contexts": [MFA, TOKEN, MFA],
        });
        let view = set(&app, &acme, &wants).await.expect(200).json();
        assert_eq!(view["requested_authn_contexts"], json!([MFA, TOKEN]), "{view}");
        let xml = message(&Person::new().begin(&app, "jo@acme.test").await.url);
        for part in [
            "ForceAuthn=\"true\"",
            "Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\"",
            "<samlp:RequestedAuthnContext Comparison=\"exact\">",
            MFA,
            TOKEN,
        ] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        assert!(acme.metadata(&app).await.matches("<md:NameIDFormat>").count() == 1);
        // And only that is good enough.
        let mut jo = Person::new();
        refused(&jo.sign_in(&app, &acme, "s", "jo@acme.test").await, "wrong_authn_context");
        let refusals = acme.events(&app, "sign_in.refused").await;
        let detail = text(Tenant::only_refusal(&refusals), "detail");
        assert!(detail.contains(MFA) && detail.contains("PasswordProtectedTransport"), "{detail}");
        let begun = jo.begin(&app, "jo@acme.test").await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.class_ref = TOKEN.to_owned();
        jo.post(&app, &acme, &acme.sign(&spec)).await.expect(303);
        let wants = json!({ "name_id_format": null, "force_authn": false, "requested_authn_contexts": [] });
        let view = set(&app, &acme, &wants).await.expect(200).json();
        assert!(view.get("name_id_format").is_none(), "{view}");
        let xml = message(&Person::new().begin(&app, "jo@acme.test").await.url);
        assert!(!xml.contains("ForceAuthn") && !xml.contains("Format=") && !xml.contains("Requested"), "{xml}");
        jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    }

    async fn the_second_level_signs_and_checks_how_people_signed_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let wrong = set(&app, &acme, &json!({ "level": "sl2" })).await.problem(400, "invalid_request");
        assert_eq!(wrong["errors"][0]["field"], "requested_authn_contexts", "{wrong}");
        let both = json!({ "level": "sl2", "requested_authn_contexts": [MFA], "sign_requests": false });
        let wrong = set(&app, &acme, &both).await.problem(400, "invalid_request");
        assert_eq!(wrong["errors"][0]["field"], "sign_requests", "{wrong}");
        let on = json!({ "level": "sl2", "requested_authn_contexts": [MFA] });
        let view = set(&app, &acme, &on).await.expect(200).json();
        assert_eq!((&view["level"], &view["sign_requests"]), (&json!("sl2"), &json!(true)), "{view}");
        for lowered in [json!({ "requested_authn_contexts": [] }), json!({ "sign_requests": false })] {
            set(&app, &acme, &lowered).await.problem(400, "invalid_request");
        }
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        assert!(is_signed_by(&begun.url, &certificates(&acme.metadata(&app).await, "signing")[0]));
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.class_ref = MFA.to_owned();
        jo.post(&app, &acme, &acme.sign(&spec)).await.expect(303);
        // Nobody gets in unasked.
        let begun = jo.begin(&app, "jo@acme.test").await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        (spec.class_ref, spec.response_in_response_to, spec.confirmation_in_response_to) = (MFA.to_owned(), None, None);
        refused(&jo.post(&app, &acme, &acme.sign(&spec)).await, "unsolicited");
    }

    async fn what_is_asked_for_is_trust(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let admin = app.api_key(&acme.org, &["saml_connection:write", "saml_connection:read"]).await;
        let path = acme.api(&format!("/saml-connections/{}", acme.connection));
        for change in [
            json!({ "require_encryption": true }),
            json!({ "requested_authn_contexts": [MFA] }),
            json!({ "sign_requests": true }),
        ] {
            app.patch(&path).bearer(&admin).json(&change).send().await.problem(403, "scope_missing");
        }
        // A next key may be prepared without it, and not activated.
        let keys = format!("{path}/keys");
        app.get(&keys).bearer(&admin).send().await.expect(200);
        let body = json!({ "purpose": "encryption" });
        let made = app.post(&keys).bearer(&admin).json(&body).send().await.expect(201).json();
        let key = format!("{keys}/{}", text(&made, "id"));
        app.post(&format!("{key}/activate")).bearer(&admin).send().await.problem(403, "scope_missing");
        app.delete(&key).bearer(&admin).send().await.problem(403, "scope_missing");
        for wrong in [json!({ "purpose": "encryption", "bits": 1024 }), json!({ "purpose": "signing", "bits": 65536 })] {
            app.post(&keys).bearer(&admin).json(&wrong).send().await.problem(400, "invalid_request");
        }
        // Another organization sees none of it.
        let other = Tenant::new(&app, "Other", "other.test").await;
        let stranger = app.api_key(&other.org, &["saml_connection:write", "saml_connection:read", "trust"]).await;
        let theirs = other.api(&format!("/saml-connections/{}/keys/{}", other.connection, text(&made, "id")));
        app.get(&theirs).bearer(&stranger).send().await.problem(404, "not_found");
        app.delete(&theirs).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&keys).bearer(&stranger).send().await.problem(404, "not_found");
        let view = app.get(&key).operator().send().await.expect(200).body;
        assert!(!view.contains("PRIVATE") && !view.contains("sealed"), "{view}");
    }
}
