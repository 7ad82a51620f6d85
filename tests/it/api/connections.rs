//! SAML connections through HTTP: drafted, completed, switched on and off, deleted; and who may do what.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use postern::model::id::{ConnectionId, LinkId, OrganizationId, SessionId, UserId};
use postern::model::secret::{Token, TokenKind};
use postern::model::state::{MemberStatus, Role, SignInMethod, Source};
use postern::model::tenant::TenantScope;
use postern::store;
use serde_json::{Value, json};

use crate::support::app::{TestApp, on_both, text};

/// 2026-11-18T13:46:40Z, where the tests' clock starts.
const NOW: i64 = 1_795_009_600;
const DAY: i64 = 24 * 3600;

fn key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
}

/// A self-signed certificate, valid from and until so many days from now, in PEM form.
fn certificate(key: &PKey<Private>, days: std::ops::Range<i64>) -> String {
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", "idp.example").expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("set");
    builder.set_subject_name(&name).expect("set");
    builder.set_issuer_name(&name).expect("set");
    builder.set_pubkey(key).expect("set");
    builder.set_not_before(&Asn1Time::from_unix(NOW + days.start * DAY).expect("a time")).expect("set");
    builder.set_not_after(&Asn1Time::from_unix(NOW + days.end * DAY).expect("a time")).expect("set");
    builder.sign(key, MessageDigest::sha256()).expect("signed");
    String::from_utf8(builder.build().to_pem().expect("PEM")).expect("text")
}

/// A certificate of its own each time; the key under it is made once.
fn pem() -> String {
    static KEY: LazyLock<PKey<Private>> = LazyLock::new(|| key(2048));
    static SERIAL: AtomicI64 = AtomicI64::new(1);
    certificate(&KEY, -10..1000 + SERIAL.fetch_add(1, Ordering::Relaxed))
}

fn metadata(entity_id: &str, sso_url: &str, pem: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{entity_id}">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{sso_url}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"#
    )
}

/// The body of a connection that knows all of its IdP.
pub fn complete(name: &str) -> Value {
    json!({
        "name": name,
        "type": "okta",
        "idp_entity_id": "https://idp.example/entity",
        "sso_url": "https://idp.example/sso",
        "certificates": [pem()],
    })
}

fn connections(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/saml-connections")
}

/// A new connection's path.
async fn create(app: &TestApp, organization: &str, body: &Value) -> String {
    let made = app.post(&connections(organization)).operator().json(body).send().await.expect(201);
    format!("{}/{}", connections(organization), made.id())
}

async fn read(app: &TestApp, path: &str) -> Value {
    app.get(path).operator().send().await.expect(200).json()
}

async fn activate(app: &TestApp, path: &str) -> Value {
    let body = json!({ "skip_test": true });
    app.post(&format!("{path}/activate")).operator().json(&body).send().await.expect(200).json()
}

fn id_of(path: &str) -> ConnectionId {
    path.rsplit('/').next().expect("an id").parse().expect("an id")
}

/// A member who is linked and signed in through the connection; gives the user and the session's cookie.
async fn signed_in(app: &TestApp, organization: &str, connection: ConnectionId) -> (UserId, String) {
    let services = app.services();
    let (now, random) = (services.clock.now(), &*services.random);
    let organization: OrganizationId = organization.parse().expect("an id");
    let token = Token::generate(TokenKind::Session, random);
    let tx = services.db.begin().await.expect("a transaction");
    let address = format!("person-{}@people.test", UserId::random(random)).parse().expect("an address");
    let user = store::users::obtain(&tx, &address, now, random).await.expect("a user").id;
    let member = store::members::Member {
        organization_id: organization,
        user_id: user,
        email: None,
        given_name: None,
        family_name: None,
        display_name: None,
        role: Role::Admin,
        unmapped_role: None,
        status: MemberStatus::Active,
        source: Source::Jit,
        external_id: None,
        deactivated_by: None,
        deactivated_by_id: None,
        deactivated_at: None,
        also_deactivated_by: None,
        joined_at: now,
        updated_at: now,
        version: 1,
    };
    store::members::insert(&tx, member).await.expect("a member");
    let link = store::links::Link {
        id: LinkId::new(now, random),
        organization_id: organization,
        connection_id: connection,
        user_id: user,
        subject: user.to_string(),
        immutable: true,
        created_at: now,
        last_used_at: now,
    };
    store::links::insert(&tx, link).await.expect("a link");
    let session = store::sessions::Session {
        id: SessionId::new(now, random),
        organization_id: organization,
        user_id: user,
        hash: token.hash(),
        method: SignInMethod::Saml,
        connection_id: Some(connection),
        name_id: None,
        session_index: None,
        authn_context: None,
        authn_at: now,
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        ended_at: None,
        stepped_up_at: None,
        name_id_attributes: None,
        name_id_key: None,
    };
    store::sessions::insert(&tx, session).await.expect("a session");
    tx.commit().await.expect("committed");
    (user, token.reveal().to_owned())
}

async fn is_linked(app: &TestApp, organization: &str, connection: ConnectionId, user: UserId) -> bool {
    let scope = TenantScope::established(organization.parse().expect("an id"));
    let link = store::links::find_by_user(&app.services().db, scope, connection, user).await;
    link.expect("an answer").is_some()
}

on_both! {
    async fn a_connection_from_draft_to_its_end(app: TestApp) {
        let org = app.organization("Acme").await;
        let domain = app.domain(&org, "acme.test").await;
        // The IdP asks for our addresses before it gives its own.
        let body = json!({ "name": " Okta ", "type": "okta", "domain_ids": [domain] });
        let made = app.post(&connections(&org)).operator().json(&body).send().await.expect(201);
        let path = made.header("location").expect("a location").to_owned();
        let draft = made.json();
        let uuid = id_of(&path).uuid();
        assert_eq!((&draft["name"], &draft["status"]), (&json!("Okta"), &json!("draft")));
        assert_eq!(draft["entity_id"], format!("{}/saml/{uuid}", app.url));
        assert_eq!(draft["acs_url"], format!("{}/saml/{uuid}/acs", app.url));
        assert_eq!(draft["sp_metadata_url"], format!("{}/saml/{uuid}/metadata", app.url));
        for url in ["entity_id", "acs_url", "sp_metadata_url"] {
            assert!(!text(&draft, url).contains('_'), "Okta refuses underscores: {draft}");
        }
        assert_eq!(draft["domain_ids"], json!([domain]));
        assert!(draft.get("idp_entity_id").is_none() && draft["certificates"] == json!([]), "{draft}");

        let skip = json!({ "skip_test": true });
        let activating = format!("{path}/activate");
        let problem = app.post(&activating).operator().json(&skip).send().await.problem(409, "connection_incomplete");
        assert!(text(&problem, "detail").contains("idp_entity_id, sso_url, certificates"), "{problem}");
        let xml = metadata("https://idp.example/entity", "https://idp.example/sso?a=b", &pem());
        let complete = app.patch(&path).operator().json(&json!({ "metadata_xml": xml })).send().await.expect(200).json();
        assert_eq!(complete["idp_entity_id"], "https://idp.example/entity");
        assert_eq!(complete["sso_url"], "https://idp.example/sso?a=b");
        let shown = &complete["certificates"][0];
        assert_eq!((&shown["subject"], &shown["key_type"]), (&json!("idp.example"), &json!("RSA 2048")));
        assert_eq!(shown["not_before"], "2026-11-08T13:46:40Z");
        assert_eq!(text(shown, "sha256_fingerprint").len(), 95);
        assert!(text(shown, "pem").starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(complete["warnings"], json!([]));

        for body in [json!({}), json!({ "skip_test": false })] {
            app.post(&activating).operator().json(&body).send().await.problem(409, "test_sign_in_required");
        }
        let active = activate(&app, &path).await;
        assert_eq!(active["status"], "active");
        assert_eq!(activate(&app, &path).await, active, "once more changes nothing");
        app.delete(&path).operator().send().await.problem(409, "connection_active");

        let (user, cookie) = signed_in(&app, &org, id_of(&path)).await;
        let deactivating = format!("{path}/deactivate");
        let off = app.post(&deactivating).operator().send().await.expect(200).json();
        assert_eq!(off["status"], "inactive");
        assert_eq!(app.post(&deactivating).operator().send().await.expect(200).json(), off);
        let own = format!("/api/v1/organizations/{org}");
        app.get(&own).session(&cookie).send().await.expect(200);
        assert!(is_linked(&app, &org, id_of(&path), user).await, "a pause ends nothing");

        let other = create(&app, &org, &self::complete("Entra")).await;
        let (_, elsewhere) = signed_in(&app, &org, id_of(&other)).await;
        app.delete(&path).operator().send().await.expect(204);
        app.get(&path).operator().send().await.problem(404, "not_found");
        app.get(&own).session(&cookie).send().await.problem(401, "credential_invalid");
        app.get(&own).session(&elsewhere).send().await.expect(200);
        let domain = format!("/api/v1/organizations/{org}/domains/{domain}");
        let domain = app.get(&domain).operator().send().await.expect(200).json();
        assert!(domain["connection_ids"] == json!([]) && domain["status"] == "verified", "{domain}");
        let left = app.get(&connections(&org)).operator().send().await.expect(200).json();
        assert_eq!((left["data"].as_array().map(Vec::len), &left["data"][0]["name"]), (Some(1), &json!("Entra")));
    }

    async fn each_wrong_field_is_named(app: TestApp) {
        let org = app.organization("Acme").await;
        let xml = metadata("https://idp.example/entity", "https://idp.example/sso", &pem());
        let weak = certificate(&key(1024), -10..1000);
        let weak_xml = metadata("https://idp.example/entity", "https://idp.example/sso", &weak);
        let plain_xml = metadata("https://idp.example/entity", "http://idp.example/sso", &pem());
        let expired = xml.replace("entityID=", "validUntil=\"2026-11-18T13:46:40Z\" entityID=");
        let private = String::from_utf8(key(2048).private_key_to_pem_pkcs8().expect("PEM")).expect("text");
        let many: Vec<String> = (0..11).map(|_| pem()).collect();
        let cases = [
            (json!({ "name": " " }), "name", "name_invalid"),
            (json!({ "name": "x".repeat(101) }), "name", "name_invalid"),
            (json!({ "sso_url": "http://idp.example/sso" }), "sso_url", "url_invalid"),
            (json!({ "sso_url": "https://idp.example/\0" }), "sso_url", "url_invalid"),
            (json!({ "sso_url": "https://idp.exa\nmple/sso" }), "sso_url", "url_invalid"),
            (json!({ "sso_url": "javascript:alert(1)" }), "sso_url", "url_invalid"),
            (json!({ "sso_url": "https://user:secret@idp.example/" }), "sso_url", "url_invalid"),
            (json!({ "idp_entity_id": "" }), "idp_entity_id", "entity_id_invalid"),
            (json!({ "certificates": [] }), "certificates", "number_of_certificates"),
            (json!({ "certificates": many }), "certificates", "number_of_certificates"),
            (json!({ "certificates": [pem(), "rubbish"] }), "certificates.1", "certificate_invalid"),
            (json!({ "certificates": [weak] }), "certificates.0", "certificate_invalid"),
            (json!({ "certificates": [private] }), "certificates.0", "certificate_invalid"),
            (json!({ "metadata_xml": "https://idp.example/metadata" }), "metadata_xml", "metadata_malformed_xml"),
            (json!({ "metadata_xml": format!("<!DOCTYPE x>{xml}") }), "metadata_xml", "metadata_malformed_xml"),
            (json!({ "metadata_xml": weak_xml }), "metadata_xml", "metadata_no_certificate"),
            (json!({ "metadata_xml": plain_xml }), "metadata_xml", "metadata_bad_url"),
            (json!({ "metadata_xml": expired }), "metadata_xml", "metadata_expired"),
            (json!({ "metadata_xml": " ".repeat(256 * 1024 + 1) }), "metadata_xml", "metadata_too_large"),
            (json!({ "metadata_xml": xml, "sso_url": "https://idp.example/sso" }), "sso_url", "given_twice"),
            (json!({ "attribute_mapping": { "subject": "" } }), "attribute_mapping.subject", "attribute_invalid"),
            (json!({ "domain_ids": ["dom_01h455vb4pex5vsknk084sn02q"] }), "domain_ids", "domain_not_found"),
            (json!({ "domain_ids": ["acme.test"] }), "domain_ids.0", "id_invalid"),
        ];
        let path = create(&app, &org, &json!({ "name": "Okta", "type": "okta" })).await;
        let before = read(&app, &path).await;
        for (body, field, code) in cases {
            let mut whole = json!({ "name": "Okta", "type": "okta" });
            for (name, value) in body.as_object().expect("an object") {
                whole[name] = value.clone();
            }
            let answers = [
                app.post(&connections(&org)).operator().json(&whole).send().await,
                app.patch(&path).operator().json(&body).send().await,
            ];
            for answer in answers {
                let problem = answer.problem(400, "invalid_request");
                let errors = problem["errors"].as_array().expect("errors");
                let hit = errors.iter().any(|error| error["field"] == field && error["code"] == code);
                assert!(hit, "{field} {code}: {problem}");
            }
        }
        assert_eq!(read(&app, &path).await, before, "what fails changes nothing");
        let all = app.get(&connections(&org)).operator().send().await.expect(200).json();
        assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
        // Several wrong fields are named at once; unknown ones and kinds by name.
        let body = json!({ "name": "", "type": "okta", "sso_url": "x", "certificates": ["y"] });
        let problem = app.post(&connections(&org)).operator().json(&body).send().await.problem(400, "invalid_request");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(3), "{problem}");
        for (body, word) in [
            (json!({ "name": "A", "type": "saml" }), "\"field\":\"type\""),
            (json!({ "name": "A", "type": "okta", "status": "active" }), "status"),
            (json!({ "name": "A", "type": "okta", "attribute_mapping": { "mail": "x" } }), "mail"),
        ] {
            let answer = app.post(&connections(&org)).operator().json(&body).send().await.expect(400);
            assert!(answer.body.contains(word), "{}", answer.body);
        }
        // A demo or a test has its IdP on loopback.
        let loopback = json!({ "name": "Demo", "type": "generic", "sso_url": "http://127.0.0.1:9000/sso" });
        create(&app, &org, &loopback).await;
    }

    async fn administrators_draft_and_trust_switches_on(app: TestApp) {
        let org = app.organization("Acme").await;
        let domain = app.domain(&org, "acme.test").await;
        let writer = app.api_key(&org, &["saml_connection:read", "saml_connection:write"]).await;
        let trusted = app.api_key(&org, &["saml_connection:write", "trust"]).await;
        let only_trusted = app.api_key(&org, &["trust"]).await;
        let mut body = complete("Okta");
        let made = app.post(&connections("me")).bearer(&writer).json(&body).send().await.expect(201);
        let path = format!("{}/{}", connections(&org), made.id());
        let draft = json!({ "sso_url": "https://idp.example/other", "attribute_mapping": { "email": "mail" } });
        app.patch(&path).bearer(&writer).json(&draft).send().await.expect(200);
        // Which domains it serves is a change of trust from the start.
        let serving = json!({ "domain_ids": [domain] });
        body["domain_ids"] = serving["domain_ids"].clone();
        app.post(&connections("me")).bearer(&writer).json(&body).send().await.problem(403, "scope_missing");
        app.patch(&path).bearer(&writer).json(&serving).send().await.problem(403, "scope_missing");
        app.patch(&path).bearer(&trusted).json(&serving).send().await.expect(200);
        app.patch(&path).bearer(&writer).json(&serving).send().await.expect(200);
        app.patch(&path).bearer(&writer).json(&json!({ "domain_ids": [] })).send().await.problem(403, "scope_missing");

        let skip = json!({ "skip_test": true });
        let activating = format!("{path}/activate");
        let refused = app.post(&activating).bearer(&writer).json(&skip).send().await;
        assert!(text(&refused.problem(403, "scope_missing"), "detail").contains("trust"));
        app.post(&activating).bearer(&only_trusted).json(&skip).send().await.problem(403, "scope_missing");
        app.post(&activating).bearer(&trusted).json(&skip).send().await.expect(200);

        let before = read(&app, &path).await;
        let xml = metadata("https://evil.example/", "https://evil.example/sso", &pem());
        for body in [
            json!({ "idp_entity_id": "https://evil.example/" }),
            json!({ "sso_url": "https://evil.example/sso" }),
            json!({ "certificates": [pem()] }),
            json!({ "metadata_xml": xml }),
            json!({ "attribute_mapping": { "email": "other" } }),
            json!({ "attribute_mapping": null }),
            json!({ "name": "Renamed", "sso_url": "https://evil.example/sso" }),
        ] {
            app.patch(&path).bearer(&writer).json(&body).send().await.problem(403, "scope_missing");
            assert_eq!(read(&app, &path).await, before);
        }
        // What is as it was is no change, and the name is free.
        let same = json!({ "name": "Renamed", "type": "entra", "sso_url": before["sso_url"], "domain_ids": [domain] });
        let renamed = app.patch(&path).bearer(&writer).json(&same).send().await.expect(200).json();
        assert_eq!((&renamed["name"], &renamed["type"], &renamed["status"]), (&json!("Renamed"), &json!("entra"), &json!("active")));
        let rotated = json!({ "certificates": [text(&before["certificates"][0], "pem"), pem()] });
        let rotated = app.patch(&path).bearer(&trusted).json(&rotated).send().await.expect(200).json();
        assert_eq!(rotated["certificates"].as_array().map(Vec::len), Some(2));
        // Stopping needs no right to change trust; starting again does, whatever was drafted meanwhile.
        app.post(&format!("{path}/deactivate")).bearer(&writer).send().await.expect(200);
        app.patch(&path).bearer(&writer).json(&json!({ "metadata_xml": xml })).send().await.expect(200);
        app.post(&activating).bearer(&writer).json(&skip).send().await.problem(403, "scope_missing");

        // A person who signed in is no step-up, not even an owner; an admin drafts.
        let (_, cookie) = signed_in(&app, &org, id_of(&path)).await;
        app.patch(&path).session(&cookie).json(&json!({ "name": "By hand" })).send().await.expect(200);
        app.post(&activating).session(&cookie).json(&skip).send().await.expect(403);
    }

    async fn a_new_entity_id_voids_the_links(app: TestApp) {
        let org = app.organization("Acme").await;
        let path = create(&app, &org, &complete("Okta")).await;
        activate(&app, &path).await;
        let other = create(&app, &org, &complete("Other")).await;
        let (user, _) = signed_in(&app, &org, id_of(&path)).await;
        let (neighbor, _) = signed_in(&app, &org, id_of(&other)).await;
        for body in [
            json!({ "certificates": [pem()], "sso_url": "https://idp.example/moved" }),
            json!({ "idp_entity_id": "https://idp.example/entity" }),
        ] {
            app.patch(&path).operator().json(&body).send().await.expect(200);
            assert!(is_linked(&app, &org, id_of(&path), user).await, "{body}: the same IdP");
        }
        // Events of one millisecond have no order among themselves.
        app.clock.advance(Duration::from_millis(1));
        let body = json!({ "idp_entity_id": "https://idp.example/another" });
        app.patch(&path).operator().json(&body).send().await.expect(200);
        assert!(!is_linked(&app, &org, id_of(&path), user).await);
        assert!(is_linked(&app, &org, id_of(&other), neighbor).await);
        postern::service::number_events(app.services()).await.expect("numbered");
        let scope = TenantScope::established(org.parse().expect("an id"));
        let events = store::events::list(&app.services().db, scope, &[], None, true, 1).await.expect("events");
        assert_eq!(events[0].kind.as_str(), "saml_connection.updated");
        assert_eq!(events[0].data["links_voided"], 1, "{:?}", events[0]);
        assert_eq!(events[0].data["changed"]["idp_entity_id"]["to"], "https://idp.example/another");
    }

    async fn connections_of_one_organization_share_domains_and_no_others(app: TestApp) {
        let (org, elsewhere) = (app.organization("Acme").await, app.organization("Other").await);
        let (a, b) = (app.domain(&org, "a.test").await, app.domain(&org, "b.test").await);
        let foreign = app.domain(&elsewhere, "other.test").await;
        let mut first = complete("First");
        first["domain_ids"] = json!([a, b]);
        let first = create(&app, &org, &first).await;
        app.clock.advance(Duration::from_millis(1));
        let second = create(&app, &org, &complete("Second")).await;
        let shared = app.patch(&second).operator().json(&json!({ "domain_ids": [b] })).send().await.expect(200);
        assert_eq!(shared.json()["domain_ids"], json!([b]));
        assert_eq!(read(&app, &first).await["domain_ids"], json!([a, b]), "both serve it");
        let domain = format!("/api/v1/organizations/{org}/domains/{b}");
        let ids = app.get(&domain).operator().send().await.expect(200).json();
        assert_eq!(ids["connection_ids"], json!([id_of(&first).to_string(), id_of(&second).to_string()]));
        // The other way round, from the domain: it leaves the one and stays with the other.
        let only = json!({ "connection_ids": [id_of(&second).to_string()] });
        app.patch(&domain).operator().json(&only).send().await.expect(200);
        assert_eq!(read(&app, &first).await["domain_ids"], json!([a]));
        let body = json!({ "domain_ids": [a, foreign], "name": "Never" });
        let problem = app.patch(&second).operator().json(&body).send().await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], "domain_not_found");
        assert_eq!(read(&app, &first).await["domain_ids"], json!([a]), "all or nothing");
        assert_eq!(read(&app, &second).await["name"], "Second");
        let mut new = complete("Third");
        new["domain_ids"] = json!([foreign]);
        app.post(&connections(&org)).operator().json(&new).send().await.problem(400, "invalid_request");
        let all = app.get(&connections(&org)).operator().send().await.expect(200).json();
        assert_eq!(all["data"].as_array().map(Vec::len), Some(2));
        assert_eq!(all["data"][1]["domain_ids"], json!([b]), "lists show them too");
        app.patch(&second).operator().json(&json!({ "domain_ids": [] })).send().await.expect(200);
        assert_eq!(read(&app, &second).await["domain_ids"], json!([]));
    }

    async fn a_mapping_is_merged_and_cleared(app: TestApp) {
        let org = app.organization("Acme").await;
        let mut body = complete("Okta");
        body["attribute_mapping"] = json!({ "email": "mail", "subject": "user.id", "given_name": null });
        let path = create(&app, &org, &body).await;
        let first = app.get(&path).operator().send().await.expect(200);
        assert_eq!(first.json()["attribute_mapping"], json!({ "email": "mail", "subject": "user.id" }));
        let body = json!({ "attribute_mapping": { "subject": null, "family_name": "sn", "groups": "teams" } });
        let merged = app.patch(&path).operator().json(&body).send().await.expect(200);
        assert_eq!(merged.json()["attribute_mapping"], json!({ "email": "mail", "family_name": "sn", "groups": "teams" }));
        let etag = first.header("etag").expect("an ETag");
        let cleared = json!({ "attribute_mapping": null });
        let late = app.patch(&path).operator().header("if-match", etag).json(&cleared).send().await;
        late.problem(412, "precondition_failed");
        app.delete(&path).operator().header("if-match", etag).send().await.problem(412, "precondition_failed");
        let etag = merged.header("etag").expect("an ETag");
        let cleared = app.patch(&path).operator().header("if-match", etag).json(&cleared).send().await.expect(200);
        assert_eq!(cleared.json()["attribute_mapping"], json!({}));
    }

    async fn certificates_near_or_past_their_end_are_warned_about(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = key(2048);
        let mut body = complete("Okta");
        let certificates = [-100..-1, -100..30, 5..1000, -100..1000].map(|days| certificate(&key, days));
        body["certificates"] = json!(certificates);
        let path = create(&app, &org, &body).await;
        let shown = read(&app, &path).await;
        let codes: Vec<&str> =
            shown["warnings"].as_array().expect("warnings").iter().map(|w| text(w, "code")).collect();
        assert_eq!(codes, ["certificate_expired", "certificate_expires_soon", "certificate_not_yet_valid"]);
        let expired = text(&shown["certificates"][0], "sha256_fingerprint");
        assert!(text(&shown["warnings"][0], "message").contains(expired), "{shown}");
        // A date alone shuts nobody out.
        assert_eq!(activate(&app, &path).await["status"], "active");
    }

    async fn another_tenants_connection_is_not_there(app: TestApp) {
        let (own, other) = (app.organization("Acme").await, app.organization("Other").await);
        let theirs = create(&app, &other, &complete("Okta")).await;
        let key = app.api_key(&own, &["saml_connection:read", "saml_connection:write", "trust"]).await;
        let id = id_of(&theirs);
        for base in [connections(&own), connections(&other), connections("me")] {
            let path = format!("{base}/{id}");
            app.get(&path).bearer(&key).send().await.problem(404, "not_found");
            app.patch(&path).bearer(&key).json(&json!({ "name": "Mine" })).send().await.problem(404, "not_found");
            app.delete(&path).bearer(&key).send().await.problem(404, "not_found");
            let skip = json!({ "skip_test": true });
            app.post(&format!("{path}/activate")).bearer(&key).json(&skip).send().await.problem(404, "not_found");
            app.post(&format!("{path}/deactivate")).bearer(&key).send().await.problem(404, "not_found");
        }
        app.get(&connections(&other)).bearer(&key).send().await.problem(404, "not_found");
        app.get(&connections(&own)).send().await.problem(401, "credential_missing");
        assert_eq!(read(&app, &theirs).await["status"], "draft");
    }
}
