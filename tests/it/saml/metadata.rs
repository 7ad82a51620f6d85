//! Connections by the address of their IdP's metadata: what is taken from it at once, what only after somebody vouched for
//! it, what is refused, and what is told. The IdP's web server is ours and misbehaves on demand; the names are those of a
//! DNS in memory.

mod tls;
mod upkeep;

use std::time::Duration;

use postern::demo::idp::signer::idp_metadata;
use postern::demo::idp::{KeyType, Signing, SigningKey};
use postern::model::dns_answer::{AddressAnswer, LookupFailure};
use postern::model::time::Clock as _;
use serde_json::{Value, json};

use super::{Person, Tenant, refused};
use crate::support::app::{Answer, TestApp, found, text};
use crate::support::database::{Backend, Database};
use crate::support::publisher::{Course, Publisher};

const IDP: &str = "https://idp.example/entity";
const SSO: &str = "https://idp.example/sso";
/// Where the metadata is, by name.
const HOST: &str = "metadata.idp.example";
const DAY: Duration = Duration::from_hours(24);

/// Defines tests on both databases, with an app that may fetch from this machine.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(async fn $name($app: TestApp) $body

        mod $name {
            use crate::support::database::Backend;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::app(Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::app(Backend::Postgres).await).await;
            }
        })+
    };
}

use on_both;

/// One that may fetch from this machine; the IdP's web server has a name.
async fn app(backend: Backend) -> TestApp {
    let builder = TestApp::builder().database(Database::migrated(backend).await);
    let app = builder.config("[saml]\nmetadata_allowed_ranges = [\"127.0.0.1\"]").start().await;
    app.dns.address(HOST, &["127.0.0.1"]);
    app
}

fn key(app: &TestApp) -> SigningKey {
    SigningKey::generate(KeyType::EcP256, "idp", app.clock.now().to_datetime()).expect("a key")
}

fn document(entity_id: &str, sso_url: &str, keys: &[&SigningKey]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| key.certificate_base64().expect("base64")).collect();
    idp_metadata(entity_id, sso_url, &keys).replace("entityID=", "ID=\"_m1\" entityID=")
}

fn usual(keys: &[&SigningKey]) -> String {
    document(IDP, SSO, keys)
}

fn signed(document: &str, key: &SigningKey) -> String {
    Signing::default().sign_metadata(document, "_m1", key).expect("signed")
}

fn fingerprint(key: &SigningKey) -> String {
    postern::protocol::saml::certificate::fingerprint_of(&key.certificate_der().expect("DER"))
}

/// The connection of an organization whose metadata a test publishes.
struct Published {
    tenant: Tenant,
    path: String,
    publisher: Publisher,
}

impl Published {
    /// Switched on, with one key.
    async fn active(app: &TestApp, key: &SigningKey) -> Self {
        let publisher = Publisher::start(&usual(&[key])).await;
        let mut tenant = Tenant::new(app, "Acme", "acme.test").await;
        let first = tenant.api(&format!("/saml-connections/{}/deactivate", tenant.connection));
        app.post(&first).operator().send().await.expect(200);
        let body = json!({
            "name": "By its address",
            "type": "generic",
            "metadata_url": publisher.url(HOST),
            "domain_ids": [tenant.domain_id],
        });
        let made =
            app.post(&tenant.api("/saml-connections")).operator().json(&body).send().await.expect(201).json();
        tenant.connection = text(&made, "id").to_owned();
        tenant.entity_id = text(&made, "entity_id").to_owned();
        tenant.acs_url = text(&made, "acs_url").to_owned();
        tenant.idp = IDP.to_owned();
        tenant.key = key.clone();
        let path = tenant.api(&format!("/saml-connections/{}", tenant.connection));
        let skip = json!({ "skip_test": true });
        app.post(&format!("{path}/activate")).operator().json(&skip).send().await.expect(200);
        Self { tenant, path, publisher }
    }

    async fn view(&self, app: &TestApp) -> Value {
        app.get(&self.path).operator().send().await.expect(200).json()
    }

    async fn refresh(&self, app: &TestApp) -> Value {
        app.clock.advance(Duration::from_millis(10));
        app.post(&format!("{}/refresh-metadata", self.path)).operator().send().await.expect(200).json()
    }

    /// Fetches this document.
    async fn take(&self, app: &TestApp, document: &str) -> Value {
        self.publisher.publish(document);
        self.refresh(app).await
    }

    async fn answer(&self, app: &TestApp, key: &SigningKey, verb: &str) -> Answer {
        let path = format!("{}/certificates/{}/{verb}", self.path, fingerprint(key));
        app.post(&path).operator().send().await
    }

    /// Signs somebody in with this key.
    async fn sign_in(&self, app: &TestApp, key: &SigningKey) -> Answer {
        let mut person = Person::new();
        let begun = person.begin(app, "ann@acme.test").await;
        let spec = self.tenant.response(app, &begun, "ann", "ann@acme.test");
        let xml = Signing::default().respond(&spec, key).expect("signed");
        let response = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, xml);
        person.post(app, &self.tenant, &response).await
    }

    async fn events(&self, app: &TestApp, kind: &str) -> Vec<Value> {
        self.tenant.events(app, &format!("saml_connection.{kind}")).await
    }
}

/// The states of the certificates that a view shows, by key.
fn states(view: &Value, keys: &[&SigningKey]) -> Vec<String> {
    let all = view["certificates"].as_array().expect("certificates");
    let state = |key: &&SigningKey| {
        let one = all.iter().find(|one| one["sha256_fingerprint"] == fingerprint(key).as_str());
        one.map_or("absent".to_owned(), |one| text(one, "state").to_owned())
    };
    keys.iter().map(state).collect()
}

fn warnings(view: &Value) -> Vec<&str> {
    view["warnings"].as_array().expect("warnings").iter().map(|warning| text(warning, "code")).collect()
}

on_both! {
    async fn the_address_fills_the_facts(app: TestApp) {
        let (org, key) = (app.organization("Acme").await, key(&app));
        let slo = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://idp.example/slo/post\"/>\
                   <md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example/slo\" ResponseLocation=\"https://idp.example/slo/back\"/>\
                   <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat><md:SingleSignOnService";
        let xml = usual(&[&key]).replacen("<md:SingleSignOnService", slo, 1)
            .replace("ID=\"_m1\"", "ID=\"_m1\" validUntil=\"2027-01-01T00:00:00Z\" cacheDuration=\"PT1H\"");
        let publisher = Publisher::start(&xml).await;
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let body = json!({ "name": "Okta", "type": "okta", "metadata_url": format!(" {}", publisher.url(HOST)) });
        let made = app.post(&connections).operator().json(&body).send().await.expect(201).json();
        assert_eq!((&made["idp_entity_id"], &made["sso_url"]), (&json!(IDP), &json!(SSO)));
        assert_eq!(made["metadata_url"], publisher.url(HOST));
        assert_eq!((&made["slo_url"], &made["slo_response_url"], &made["slo_binding"]),
            (&json!("https://idp.example/slo"), &json!("https://idp.example/slo/back"), &json!("redirect")));
        let certificate = &made["certificates"][0];
        assert_eq!(certificate["sha256_fingerprint"], fingerprint(&key));
        assert_eq!((&certificate["state"], &certificate["source"], &certificate["turn"]),
            (&json!("active"), &json!("metadata"), &json!("current")));
        let metadata = &made["metadata"];
        assert_eq!((&metadata["fetched_at"], &metadata["succeeded_at"]),
            (&json!("2026-11-18T13:46:40Z"), &json!("2026-11-18T13:46:40Z")), "{metadata}");
        assert_eq!((&metadata["valid_until"], &metadata["signature"]), (&json!("2027-01-01T00:00:00Z"), &json!("unsigned")));
        assert_eq!(metadata["name_id_formats"], json!(["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"]));
        assert_eq!((metadata.get("error"), metadata.get("pending_addresses")), (None, None));
        let path = format!("{connections}/{}", text(&made, "id"));
        assert_eq!(app.get(&path).operator().send().await.expect(200).json(), made);
        let list = app.get(&connections).operator().send().await.expect(200).json();
        assert_eq!(list["data"][0], made);

        // The address or the facts, not both: the next fetch would undo them.
        let pem = text(certificate, "pem");
        for facts in [json!({ "metadata_xml": xml }), json!({ "sso_url": SSO }), json!({ "certificates": [pem] })] {
            let field = facts.as_object().expect("one").keys().next().expect("one").clone();
            app.patch(&path).operator().json(&facts).send().await.problem(409, "metadata_url_set");
            let mut both = facts.clone();
            both["metadata_url"] = json!(publisher.url(HOST));
            let problem = app.patch(&path).operator().json(&both).send().await.problem(400, "invalid_request");
            assert_eq!((&problem["errors"][0]["field"], &problem["errors"][0]["code"]), (&json!(field), &json!("given_twice")));
        }
        assert_eq!(publisher.asked(), 1, "nothing is fetched for a request that is wrong anyhow");
        let body = json!({ "metadata_url": null, "sso_url": "https://idp.example/moved" });
        let cleared = app.patch(&path).operator().json(&body).send().await.expect(200).json();
        assert_eq!((cleared.get("metadata_url"), cleared.get("metadata")), (None, None));
        assert_eq!((&cleared["idp_entity_id"], &cleared["sso_url"]), (&json!(IDP), &json!("https://idp.example/moved")));
        assert_eq!(states(&cleared, &[&key]), ["active"], "what was taken stays");
        app.post(&format!("{path}/refresh-metadata")).operator().send().await.problem(409, "no_metadata_url");
        app.delete(&path).operator().send().await.expect(204);
    }

    async fn what_cannot_be_fetched_is_told_and_changes_nothing(app: TestApp) {
        let (org, key) = (app.organization("Acme").await, key(&app));
        let publisher = Publisher::start(&usual(&[&key])).await;
        let xml = usual(&[&key]);
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let made = app.post(&connections).operator().json(&json!({ "name": "A", "type": "okta" })).send().await.expect(201).json();
        let path = format!("{connections}/{}", text(&made, "id"));
        let url = publisher.url(HOST);
        let elsewhere = url.replace(&publisher.address.port().to_string(), "1");
        let expired = usual(&[&key]).replace("ID=\"_m1\"", "ID=\"_m1\" validUntil=\"2026-11-18T13:46:40Z\"");
        let bare = |head: &str| Course::Bare(head.to_owned());
        let served = [
            (bare("404 Not Found"), "status_unexpected", "404"),
            (bare("204 No Content"), "status_unexpected", "204"),
            (bare("302 Found\r\nlocation: http://127.0.0.1:9/inner"), "redirect_not_followed", "http://127.0.0.1:9/inner"),
            (bare("301 Moved\r\nlocation: /metadata"), "redirect_not_followed", &*url),
            (bare("200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0"), "document_compressed", "gzip"),
            (bare("200 OK\r\ncontent-length: 1500001"), "document_too_large", "1500000"),
            (bare("200 OK\r\ncontent-length: 99999999999999999999"), "connection_broken", HOST),
            (Course::Endless, "document_too_large", "1500000"),
            (Course::Claims(xml.len() + 1, xml.clone()), "connection_broken", HOST),
            (Course::Claims(xml.len() - 10, xml.clone()), "metadata_malformed_xml", "ends too early"),
            (Course::Closes, "connection_broken", HOST),
            (Course::Document("<html>Sign in</html>".to_owned()), "metadata_not_metadata", "html"),
            (Course::Document(xml.replacen('\n', "\n<!DOCTYPE x>", 1)), "metadata_malformed_xml", "document type"),
            (Course::Document(expired), "metadata_expired", "2026-11-18"),
        ];
        let asked = async |url: &str, code: &str, part: &str| {
            let problem = app.patch(&path).operator().json(&json!({ "metadata_url": url })).send().await;
            let problem = problem.problem(400, "invalid_request");
            let error = &problem["errors"][0];
            assert_eq!((&error["field"], &error["code"]), (&json!("metadata_url"), &json!(code)), "{url}: {error}");
            assert!(text(error, "message").contains(part), "{url}: {error}");
        };
        for (course, code, part) in served {
            publisher.take(course);
            asked(&url, code, part).await;
        }
        app.dns.address_answers("empty.example", [AddressAnswer::NoAddresses]);
        app.dns.address_answers("sick.example", [AddressAnswer::Failed(LookupFailure::Timeout)]);
        for (url, code, part) in [
            (&*elsewhere, "connection_refused", "port 1"),
            ("https://nowhere.example/m", "host_not_found", "nowhere.example"),
            ("https://empty.example/m", "host_without_address", "empty.example"),
            ("https://sick.example/m", "dns_timeout", "in time"),
            ("ftp://idp.example/m", "url_invalid", "https"),
            ("https://user:secret@idp.example/m", "url_invalid", "user name"),
            ("https://idp.example/m#here", "url_invalid", "fragment"),
            ("https://idp.exa\nmple/m", "url_invalid", "https"),
            ("metadata.xml", "url_invalid", "https"),
            (&*format!("https://idp.example/{}", "x".repeat(2048)), "url_invalid", "2048"),
        ] {
            asked(url, code, part).await;
        }
        assert_eq!(app.get(&path).operator().send().await.expect(200).json(), made);
    }

    async fn what_points_inside_is_refused_before_anything_connects(app: TestApp) {
        let (org, key) = (app.organization("Acme").await, key(&app));
        let publisher = Publisher::start(&usual(&[&key])).await;
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let refuse = async |url: &str, code: &str| {
            let body = json!({ "name": "A", "type": "okta", "metadata_url": url });
            let problem = app.post(&connections).operator().json(&body).send().await.problem(400, "invalid_request");
            assert_eq!(problem["errors"][0]["code"], code, "{url}: {problem}");
            text(&problem["errors"][0], "message").to_owned()
        };
        let port = publisher.address.port();
        for addresses in [
            &["10.0.0.1"][..], &["169.254.169.254"], &["100.64.1.1"], &["192.0.2.1"], &["::1"], &["::ffff:127.0.0.1"],
            &["64:ff9b::7f00:1"], &["2002:7f00:1::"], &["fd00::1"], &["127.0.0.2"], &["127.0.0.1", "127.0.0.2"],
            &["127.0.0.1", "fe80::1"],
        ] {
            app.dns.address("inside.example", addresses);
            let message = refuse(&format!("http://inside.example:{port}/"), "address_refused").await;
            assert!(addresses.iter().all(|address| !message.contains(address)), "{message}");
        }
        for host in ["10.1.1.1", "[::1]", "[::ffff:7f00:1]", "0.0.0.0", "2130706434", "0x7f.2"] {
            refuse(&format!("https://{host}:{port}/"), "address_refused").await;
        }
        // Plain http is for listed loopback addresses, and this machine's own name is one of those.
        app.dns.address("outside.example", &["8.8.8.8"]);
        refuse("http://outside.example/", "url_not_https").await;
        refuse(&format!("https://{HOST}:{port}/"), "tls_failed").await;
        assert_eq!(publisher.asked(), 1, "only the last one connected");
        let body = json!({ "name": "A", "type": "okta", "metadata_url": publisher.url("localhost") });
        app.post(&connections).operator().json(&body).send().await.expect(201);

        // Nothing is listed by default.
        let strict = TestApp::start().await;
        let org = strict.organization("Acme").await;
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        for host in ["localhost", "127.0.0.1"] {
            let body = json!({ "name": "A", "type": "okta", "metadata_url": publisher.url(host) });
            let problem = strict.post(&connections).operator().json(&body).send().await.problem(400, "invalid_request");
            assert_eq!(problem["errors"][0]["code"], "address_refused");
        }
        assert_eq!(publisher.asked(), 2);
    }

    async fn a_second_answer_of_dns_moves_no_connection(app: TestApp) {
        let key = key(&app);
        let connection = Published::active(&app, &key).await;
        // Judged once, and what was judged is connected to: the second answer would be asked for only by a second look-up.
        app.dns.address_answers(HOST, [found(&["127.0.0.1"]), found(&["10.0.0.1"])]);
        let view = connection.refresh(&app).await;
        assert_eq!((connection.publisher.asked(), view["metadata"].get("error")), (2, None), "{view}");
        let view = connection.refresh(&app).await;
        assert_eq!(view["metadata"]["error"]["code"], "address_refused", "each fetch judges anew");
        assert_eq!(connection.publisher.asked(), 2);
    }

    async fn setting_the_address_of_an_active_connection_is_a_change_of_trust(app: TestApp) {
        let (key, other) = (key(&app), key(&app));
        let connection = Published::active(&app, &key).await;
        let elsewhere = Publisher::start(&usual(&[&other])).await;
        let writer = app.api_key(&connection.tenant.org, &["saml_connection:read", "saml_connection:write"]).await;
        let body = json!({ "metadata_url": elsewhere.url(HOST) });
        app.patch(&connection.path).bearer(&writer).json(&body).send().await.problem(403, "scope_missing");
        assert_eq!(elsewhere.asked(), 0, "not even fetched");
        app.patch(&connection.path).bearer(&writer).json(&json!({ "metadata_url": null })).send().await.problem(403, "scope_missing");
        let view = app.patch(&connection.path).operator().json(&body).send().await.expect(200).json();
        assert_eq!(states(&view, &[&key, &other]), ["absent", "active"]);
        let events = connection.events(&app, "updated").await;
        assert_eq!(events[0]["data"]["changed"]["metadata_url"]["to"], elsewhere.url(HOST), "{events:?}");
        assert_eq!(events[0]["data"]["changed"]["certificates"]["to"], json!([fingerprint(&other)]));
        let etag = app.get(&connection.path).operator().send().await.header("etag").expect("an ETag").to_owned();
        connection.refresh(&app).await;
        let again = app.get(&connection.path).operator().send().await;
        assert_eq!(again.header("etag"), Some(&*etag), "a fetch that brings nothing new is no change");
    }

    async fn signed_metadata_rolls_keys_over_by_itself(app: TestApp) {
        let (old, new, stranger) = (key(&app), key(&app), key(&app));
        let connection = Published::active(&app, &old).await;
        refused(&connection.sign_in(&app, &new).await, "signature_mismatch");
        let view = connection.take(&app, &signed(&usual(&[&old, &new]), &old)).await;
        assert_eq!(view["metadata"]["signature"], "current_key", "{view}");
        assert_eq!(states(&view, &[&old, &new]), ["active", "active"]);
        connection.sign_in(&app, &new).await.expect(303);
        connection.sign_in(&app, &old).await.expect(303);
        let added = connection.events(&app, "certificate_added").await;
        assert_eq!((added.len(), &added[0]["data"]["sha256_fingerprint"]), (1, &json!(fingerprint(&new))));
        // The sign-on address moves along, and by the word of the new key.
        let moved = signed(&document(IDP, "https://idp.example/moved", &[&new]), &new);
        let view = connection.take(&app, &moved).await;
        assert_eq!(view["sso_url"], "https://idp.example/moved");
        // The old key is gone from the metadata: announced, and dropped a week later.
        assert_eq!(warnings(&view), ["certificate_missing"]);
        assert_eq!(connection.events(&app, "certificate_missing").await.len(), 1);
        app.clock.advance(6 * DAY);
        assert_eq!(states(&connection.refresh(&app).await, &[&old, &new]), ["active", "active"]);
        app.clock.advance(DAY);
        let view = connection.refresh(&app).await;
        assert_eq!(states(&view, &[&old, &new]), ["absent", "active"]);
        assert_eq!(connection.events(&app, "certificate_missing").await.len(), 1, "told once");
        assert_eq!(connection.events(&app, "certificate_removed").await.len(), 1);
        refused(&connection.sign_in(&app, &old).await, "signature_mismatch");
        // A document that another key signed, or that was changed afterwards, vouches for nothing.
        for forged in [
            signed(&usual(&[&new, &stranger]), &stranger),
            signed(&usual(&[&new]), &new).replacen("</md:KeyDescriptor>", &format!(
                "</md:KeyDescriptor><md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                stranger.certificate_base64().expect("base64")), 1),
        ] {
            let view = connection.take(&app, &forged).await;
            assert_eq!(view["metadata"]["signature"], "other_key");
            assert_eq!(states(&view, &[&new, &stranger]), ["active", "pending"]);
        }
        refused(&connection.sign_in(&app, &stranger).await, "signature_mismatch");
    }

    async fn an_unsigned_key_waits_for_one_confirmation(app: TestApp) {
        let (old, new, third) = (key(&app), key(&app), key(&app));
        let connection = Published::active(&app, &old).await;
        let view = connection.take(&app, &usual(&[&old, &new])).await;
        assert_eq!(states(&view, &[&old, &new]), ["active", "pending"]);
        assert_eq!((warnings(&view), &view["certificates"][1]["turn"]), (vec!["certificate_pending"], &json!("next")));
        assert_eq!(connection.refresh(&app).await["warnings"], view["warnings"]);
        assert_eq!(connection.events(&app, "certificate_pending").await.len(), 1, "told once");
        refused(&connection.sign_in(&app, &new).await, "signature_mismatch");
        connection.sign_in(&app, &old).await.expect(303);

        let writer = app.api_key(&connection.tenant.org, &["saml_connection:read", "saml_connection:write"]).await;
        let confirm = format!("{}/certificates/{}/confirm", connection.path, fingerprint(&new).replace(':', "").to_lowercase());
        app.post(&confirm).bearer(&writer).send().await.problem(403, "scope_missing");
        let view = app.post(&confirm).operator().send().await.expect(200).json();
        assert_eq!(states(&view, &[&old, &new]), ["active", "active"]);
        connection.sign_in(&app, &new).await.expect(303);
        app.post(&confirm).operator().send().await.expect(200);
        assert_eq!(connection.events(&app, "certificate_confirmed").await.len(), 1);
        connection.answer(&app, &new, "dismiss").await.problem(409, "certificate_active");
        connection.answer(&app, &third, "confirm").await.problem(404, "not_found");

        // What was dismissed is not brought up again, but can be confirmed after all.
        let all = usual(&[&old, &new, &third]);
        connection.take(&app, &all).await;
        let path = format!("{}/certificates/{}/dismiss", connection.path, fingerprint(&third));
        let view = app.post(&path).bearer(&writer).send().await.expect(200).json();
        assert_eq!((states(&view, &[&third]), warnings(&view).len()), (vec!["dismissed".to_owned()], 0));
        let view = connection.take(&app, &all).await;
        assert_eq!(states(&view, &[&third]), ["dismissed"]);
        refused(&connection.sign_in(&app, &third).await, "signature_mismatch");
        assert_eq!(states(&connection.take(&app, &signed(&all, &new)).await, &[&third]), ["dismissed"], "a no is a no");
        connection.answer(&app, &third, "confirm").await.expect(200);
        connection.sign_in(&app, &third).await.expect(303);

        // All keys gone but one that nobody confirms: the last one that is trusted stays.
        let stranger = key(&app);
        connection.take(&app, &usual(&[&stranger])).await;
        for _ in 0..3 {
            app.clock.advance(8 * DAY);
            connection.refresh(&app).await;
        }
        let view = connection.view(&app).await;
        assert_eq!(states(&view, &[&stranger]), ["pending"]);
        let left = states(&view, &[&old, &new, &third]);
        assert_eq!(left.iter().filter(|state| *state == "active").count(), 1, "{left:?}");
        assert_eq!(view["status"], "active");
        // A pending key that the metadata has no more is forgotten.
        let view = connection.take(&app, &usual(&[&third])).await;
        assert_eq!(states(&view, &[&stranger]), ["absent"]);
    }

    async fn another_entity_id_changes_nothing_and_is_told_once(app: TestApp) {
        let (key, other) = (key(&app), key(&app));
        let connection = Published::active(&app, &key).await;
        let before = connection.view(&app).await;
        for _ in 0..2 {
            let view = connection.take(&app, &signed(&document("https://evil.example", SSO, &[&key, &other]), &key)).await;
            assert_eq!(view["metadata"]["error"]["code"], "entity_id_changed");
            assert!(text(&view["metadata"]["error"], "message").contains("https://evil.example"), "{view}");
            assert_eq!(warnings(&view), ["metadata_failing"]);
            for field in ["idp_entity_id", "sso_url", "certificates"] {
                assert_eq!(view[field], before[field]);
            }
            assert_eq!(view["metadata"]["succeeded_at"], before["metadata"]["succeeded_at"]);
        }
        let failed = connection.events(&app, "metadata_failed").await;
        assert_eq!((failed.len(), &failed[0]["data"]["code"]), (1, &json!("entity_id_changed")));
        connection.publisher.take(Course::Closes);
        connection.refresh(&app).await;
        assert_eq!(connection.events(&app, "metadata_failed").await.len(), 2, "another reason is news");
        let view = connection.take(&app, &usual(&[&key])).await;
        assert_eq!((view["metadata"].get("error"), warnings(&view).len()), (None, 0));
        assert_eq!(connection.events(&app, "metadata_recovered").await.len(), 1);
        connection.sign_in(&app, &key).await.expect(303);
        // Whoever may change trust can take the other IdP, and the links to the old one are void.
        connection.publisher.publish(&document("https://new.example", SSO, &[&other]));
        let body = json!({ "metadata_url": connection.publisher.url(HOST) });
        let view = app.patch(&connection.path).operator().json(&body).send().await.expect(200).json();
        assert_eq!((&view["idp_entity_id"], states(&view, &[&key, &other])),
            (&json!("https://new.example"), vec!["absent".to_owned(), "active".to_owned()]));
    }

    async fn one_idp_is_chosen_by_its_entity_id_among_several(app: TestApp) {
        let (key, other) = (key(&app), key(&app));
        let connection = Published::active(&app, &key).await;
        let inner = |document: String| document.split_once('\n').expect("a declaration").1.to_owned();
        let all = format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{}{}</md:EntitiesDescriptor>",
            inner(document("https://other.example", SSO, &[&other]).replace("_m1", "_m2")), inner(usual(&[&key]))
        );
        let view = connection.take(&app, &all).await;
        assert_eq!((view["metadata"].get("error"), states(&view, &[&key, &other])),
            (None, vec!["active".to_owned(), "absent".to_owned()]));
        // A connection that knows no IdP yet cannot choose.
        let body = json!({ "name": "B", "type": "okta", "metadata_url": connection.publisher.url(HOST) });
        let problem = app.post(&connection.tenant.api("/saml-connections")).operator().json(&body).send().await;
        assert_eq!(problem.problem(400, "invalid_request")["errors"][0]["code"], "metadata_several_idps");
    }

    async fn unsigned_addresses_wait_too(app: TestApp) {
        let key = key(&app);
        let connection = Published::active(&app, &key).await;
        let moved = document(IDP, "https://idp.example/moved", &[&key]);
        for _ in 0..2 {
            let view = connection.take(&app, &moved).await;
            assert_eq!((&view["sso_url"], warnings(&view)), (&json!(SSO), vec!["addresses_pending"]));
            assert_eq!(view["metadata"]["pending_addresses"]["sso_url"], "https://idp.example/moved");
        }
        assert_eq!(connection.events(&app, "addresses_pending").await.len(), 1);
        let writer = app.api_key(&connection.tenant.org, &["saml_connection:read", "saml_connection:write"]).await;
        let (confirm, dismiss) =
            (format!("{}/pending-addresses/confirm", connection.path), format!("{}/pending-addresses/dismiss", connection.path));
        app.post(&confirm).bearer(&writer).send().await.problem(403, "scope_missing");
        let view = app.post(&dismiss).bearer(&writer).send().await.expect(200).json();
        assert_eq!((warnings(&view).len(), &view["metadata"]["pending_addresses"]["dismissed"]), (0, &json!(true)));
        assert!(warnings(&connection.take(&app, &moved).await).is_empty(), "not brought up again");
        let again = document(IDP, "https://idp.example/again", &[&key]);
        assert_eq!(warnings(&connection.take(&app, &again).await), ["addresses_pending"], "another one is");
        let view = app.post(&confirm).operator().send().await.expect(200).json();
        assert_eq!((&view["sso_url"], view["metadata"].get("pending_addresses")), (&json!("https://idp.example/again"), None));
        app.post(&confirm).operator().send().await.problem(409, "nothing_pending");
        app.post(&dismiss).operator().send().await.problem(409, "nothing_pending");
    }

    async fn a_draft_takes_what_comes(app: TestApp) {
        let (old, new) = (key(&app), key(&app));
        let publisher = Publisher::start(&usual(&[&old])).await;
        let tenant = Tenant::new(&app, "Acme", "acme.test").await;
        let body = json!({ "name": "A", "type": "okta", "metadata_url": publisher.url(HOST) });
        let made = app.post(&tenant.api("/saml-connections")).operator().json(&body).send().await.expect(201).json();
        let path = tenant.api(&format!("/saml-connections/{}", text(&made, "id")));
        let draft = Published { tenant, path, publisher };
        let view = draft.take(&app, &document(IDP, "https://idp.example/moved", &[&new])).await;
        assert_eq!((states(&view, &[&new]), &view["sso_url"]), (vec!["active".to_owned()], &json!("https://idp.example/moved")));
    }
}

/// A server that takes its time holds nobody up for longer than is allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_servers_are_given_up() {
    let builder = TestApp::builder().config("[saml]\nmetadata_allowed_ranges = [\"127.0.0.1\"]");
    let app = builder.fetch_within(Duration::from_secs(1)).start().await;
    app.dns.address(HOST, &["127.0.0.1"]);
    let org = app.organization("Acme").await;
    let publisher = Publisher::start("").await;
    for course in [Course::Silent, Course::Stalls] {
        publisher.take(course);
        let body = json!({ "name": "A", "type": "okta", "metadata_url": publisher.url(HOST) });
        let path = format!("/api/v1/organizations/{org}/saml-connections");
        let problem = app.post(&path).operator().json(&body).send().await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], "document_too_slow", "{problem}");
        assert!(text(&problem["errors"][0], "message").contains("1 second"), "{problem}");
    }
    // Who has such a server cannot fill the queue with it.
    let body = json!({ "name": "A", "type": "okta", "metadata_url": publisher.url(HOST) });
    let path = format!("/api/v1/organizations/{org}/saml-connections");
    let (one, two) = tokio::join!(
        app.post(&path).operator().json(&body).send(),
        app.post(&path).operator().json(&body).send()
    );
    let mut codes = [one, two].map(|answer| text(&answer.json(), "code").to_owned());
    codes.sort();
    assert_eq!(codes, ["fetch_under_way", "invalid_request"]);
}
