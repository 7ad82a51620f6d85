//! Single logout, both ways and by both bindings: which sessions end, what the IdP is told and how that is signed, and the
//! messages that end nothing.

use super::encryption::certificates;
use super::{Person, Tenant, uuid_like};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::scratch::Scratch;
use crate::support::simplesamlphp::{deflated, inflated};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use openssl::x509::X509;
use postern::demo::idp::{KeyType, Signing, SigningKey};
use postern::http::limits::LimitClock;
use postern::model::time::Clock as _;
use postern::protocol::saml::request::instant;
use serde_json::json;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;
use time::OffsetDateTime;
use url::Url;

const ECDSA: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";

/// A log-out message of the IdP; a right request by default.
#[derive(Clone)]
struct Message {
    name: &'static str,
    id: String,
    issuer: String,
    destination: String,
    issued: OffsetDateTime,
    until: Option<OffsetDateTime>,
    name_id: String,
    /// Between issuer and end, instead of NameID and sessions.
    content: Option<String>,
    sessions: Vec<String>,
    in_response_to: Option<String>,
}

fn slo_url(tenant: &Tenant) -> String {
    format!("{}/slo", tenant.entity_id)
}

fn asking(app: &TestApp, tenant: &Tenant, name_id: &str, sessions: &[&str]) -> Message {
    let issued = app.clock.now().to_datetime();
    Message {
        name: "LogoutRequest",
        id: format!("_l{}", uuid_like()),
        issuer: tenant.idp.clone(),
        destination: slo_url(tenant),
        issued,
        until: Some(issued + time::Duration::minutes(5)),
        name_id: name_id.to_owned(),
        content: None,
        sessions: sessions.iter().map(|index| (*index).to_owned()).collect(),
        in_response_to: None,
    }
}

fn answering(app: &TestApp, tenant: &Tenant, request: &str, codes: &[&str]) -> Message {
    let inner =
        codes.get(1).map(|code| format!("<samlp:StatusCode Value=\"{STATUS}{code}\"/>")).unwrap_or_default();
    let status = format!(
        "<samlp:Status><samlp:StatusCode Value=\"{STATUS}{}\">{inner}</samlp:StatusCode></samlp:Status>",
        codes[0]
    );
    Message {
        name: "LogoutResponse",
        content: Some(status),
        until: None,
        in_response_to: Some(request.to_owned()),
        ..asking(app, tenant, "", &[])
    }
}

impl Message {
    fn to_xml(&self) -> String {
        let mut more = String::new();
        if let Some(until) = self.until {
            let _ = write!(more, " NotOnOrAfter=\"{}\"", instant(until));
        }
        if let Some(request) = &self.in_response_to {
            let _ = write!(more, " InResponseTo=\"{request}\"");
        }
        let content = self.content.clone().unwrap_or_else(|| {
            let mut sessions = String::new();
            for index in &self.sessions {
                let _ = write!(sessions, "<samlp:SessionIndex>{index}</samlp:SessionIndex>");
            }
            format!("<saml:NameID>{}</saml:NameID>{sessions}", self.name_id)
        });
        format!(
            "<samlp:{0} xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{1}\" Version=\"2.0\" IssueInstant=\"{2}\" \
             Destination=\"{3}\"{more}><saml:Issuer>{4}</saml:Issuer>{content}</samlp:{0}>",
            self.name,
            self.id,
            instant(self.issued),
            self.destination,
            self.issuer,
        )
    }

    fn parameter(&self) -> &'static str {
        if self.name == "LogoutRequest" { "SAMLRequest" } else { "SAMLResponse" }
    }

    /// Signed as a query.
    fn query(&self, key: &SigningKey, relay_state: Option<&str>) -> String {
        query(self.parameter(), &deflated(&self.to_xml()), relay_state, (key, ECDSA))
    }

    /// Signed as a form field.
    fn field(&self, key: &SigningKey) -> String {
        let signing = Signing { prefixes: Vec::new(), ..Signing::default() };
        BASE64_STANDARD.encode(signing.sign(&self.to_xml(), &self.id, key).expect("signed"))
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn query(
    parameter: &str,
    message: &str,
    relay_state: Option<&str>,
    (key, algorithm): (&SigningKey, &str),
) -> String {
    let mut signed = format!("{parameter}={}", encoded(message));
    if let Some(state) = relay_state {
        let _ = write!(signed, "&RelayState={}", encoded(state));
    }
    let _ = write!(signed, "&SigAlg={}", encoded(algorithm));
    let digest = if algorithm.ends_with("sha1") { MessageDigest::sha1() } else { MessageDigest::sha256() };
    let signature = key.sign(digest, signed.as_bytes()).expect("signed");
    format!("{signed}&Signature={}", encoded(&BASE64_STANDARD.encode(signature)))
}

/// Lets the IdP take part in logging out.
async fn join(app: &TestApp, tenant: &Tenant, binding: &str) {
    let path = tenant.api(&format!("/saml-connections/{}", tenant.connection));
    let change = json!({
        "slo_url": "https://idp.example/slo?tenant=7",
        "slo_response_url": "https://idp.example/slo-done",
        "slo_binding": binding,
    });
    app.patch(&path).operator().json(&change).send().await.expect(200);
}

/// Signs somebody in whose session the IdP calls so.
async fn signed_in(app: &TestApp, tenant: &Tenant, subject: &str, session: &str) -> Person {
    let mut person = Person::new();
    let email = format!(
        "{subject}@{}",
        tenant.idp.split("idp.").nth(1).and_then(|r| r.split('/').next()).expect("a domain")
    );
    let begun = person.begin(app, &email).await;
    let mut spec = tenant.response(app, &begun, subject, &email);
    spec.session_index = Some(session.to_owned());
    person.post(app, tenant, &tenant.sign(&spec)).await.expect(303);
    person.me(app).await.expect(200);
    person
}

async fn by_query(app: &TestApp, tenant: &Tenant, query: &str) -> Answer {
    app.get(&format!("{}?{query}", slo_url(tenant))).send().await
}

async fn by_form(app: &TestApp, tenant: &Tenant, fields: &[(&str, &str)]) -> Answer {
    app.post(&slo_url(tenant)).header("origin", "https://idp.example").form(fields).send().await
}

/// Whether the address is signed by the key of this certificate, as an IdP checks it.
fn is_signed_by(url: &Url, parameter: &str, certificate: &[u8]) -> bool {
    let query = url.query().expect("a query");
    let from = query.find(&format!("{parameter}=")).expect("a message");
    let (signed, _) = query[from..].split_once("&Signature=").expect("a signature");
    let signature = url.query_pairs().find(|(name, _)| name == "Signature").expect("a signature").1;
    let signature = BASE64_STANDARD.decode(signature.as_bytes()).expect("base64");
    let key = X509::from_der(certificate).expect("a certificate").public_key().expect("a key");
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).expect("a verifier");
    verifier.verify_oneshot(&signature, signed.as_bytes()).expect("a verdict")
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// The value of a hidden field of a page.
fn hidden(answer: &Answer, name: &str) -> Option<String> {
    let rest = answer.body.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
    Some(rest.split('"').next()?.replace("&#38;", "&").replace("&#43;", "+").replace("&#61;", "="))
}

#[track_caller]
fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains(&format!("<code>{code}</code>")), "expected {code}: {}", answer.body);
}

fn location(answer: &Answer) -> Url {
    Url::parse(answer.header("location").expect("a redirect")).expect("an address")
}

/// Asks xmlsec1, which shares no code with what signs.
fn xmlsec1_verifies(message: &str, root: &str, certificate: &[u8]) -> bool {
    let folder = Scratch::new("slo");
    let pem = X509::from_der(certificate).expect("a certificate").to_pem().expect("PEM");
    folder.write("certificate.pem", String::from_utf8(pem).expect("ASCII"));
    folder.write("message.xml", message);
    let done = Command::new("xmlsec1")
        .args(["--verify", "--pubkey-cert-pem", "certificate.pem", "--id-attr:ID"])
        .args([&format!("urn:oasis:names:tc:SAML:2.0:protocol:{root}"), "message.xml"])
        .current_dir(folder.path())
        .output()
        .expect("`make setup` installs xmlsec1");
    done.status.success()
}

on_both! {
    async fn the_idp_ends_the_sessions_that_it_names(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let other = Tenant::new(&app, "Other", "other.test").await;
        join(&app, &acme, "redirect").await;
        let (first, second) =
            (signed_in(&app, &acme, "jo", "i1").await, signed_in(&app, &acme, "jo", "i2").await);
        let third = signed_in(&app, &acme, "jo", "i3").await;
        let (ann, stranger) =
            (signed_in(&app, &acme, "ann", "i1").await, signed_in(&app, &other, "jo", "i1").await);
        // By its index.
        let asked = asking(&app, &acme, "jo", &["i1", "unknown"]);
        let answer = by_query(&app, &acme, &asked.query(&acme.key, Some("a+b&c d"))).await.expect(303);
        first.me(&app).await.expect(401);
        for lives in [&second, &third, &ann, &stranger] {
            lives.me(&app).await.expect(200);
        }
        // What the IdP is told: at its address for answers, with its state, signed.
        let url = location(&answer);
        assert!(url.as_str().starts_with("https://idp.example/slo-done?SAMLResponse="), "{url}");
        assert_eq!(parameter(&url, "RelayState").as_deref(), Some("a+b&c d"));
        let xml = inflated(&parameter(&url, "SAMLResponse").expect("a message"));
        assert!(xml.contains(&format!("InResponseTo=\"{}\"", asked.id)) && xml.contains("status:Success"), "{xml}");
        assert!(xml.contains("Destination=\"https://idp.example/slo-done\"") && xml.contains(&acme.entity_id), "{xml}");
        let ours = certificates(&acme.metadata(&app).await, "signing");
        assert!(is_signed_by(&url, "SAMLResponse", &ours[0]), "{url}");
        // All of the person's, by the other binding.
        join(&app, &acme, "post").await;
        let asked = asking(&app, &acme, "jo", &[]);
        let fields = [("SAMLRequest", &*asked.field(&acme.key)), ("RelayState", "\"><script>")];
        let page = by_form(&app, &acme, &fields).await.expect(200);
        second.me(&app).await.expect(401);
        third.me(&app).await.expect(401);
        ann.me(&app).await.expect(200);
        stranger.me(&app).await.expect(200);
        assert!(page.body.contains("action=\"https://idp.example/slo-done\"") && !page.body.contains("<script>\""), "{}", page.body);
        let xml = BASE64_STANDARD.decode(hidden(&page, "SAMLResponse").expect("a message")).expect("base64");
        let xml = String::from_utf8(xml).expect("UTF-8");
        assert!(xml.contains(&format!("InResponseTo=\"{}\"", asked.id)), "{xml}");
        assert!(xmlsec1_verifies(&xml, "LogoutResponse", &ours[0]), "{xml}");
        assert!(!xmlsec1_verifies(&xml.replace("Success", "Failure"), "LogoutResponse", &ours[0]));
        let ended = acme.events(&app, "session.ended").await;
        assert!(ended.len() == 3 && ended.iter().all(|e| e["data"]["because"] == "single_logout"), "{ended:?}");
        assert!(ended[0]["actor"].to_string().contains(&acme.connection), "{ended:?}");
        // Nobody is left: that is well, too.
        by_query(&app, &acme, &asking(&app, &acme, "nobody", &[]).query(&acme.key, None)).await.expect(200);
    }

    async fn who_signs_out_here_is_signed_out_at_the_idp(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        // While the IdP takes no part, nobody is sent there, and our metadata offers nothing.
        assert!(!acme.metadata(&app).await.contains("SingleLogoutService"));
        let mut jo = signed_in(&app, &acme, "jo", "i1").await;
        let page = jo.submit(&app, "/logout", &[]).await.expect(200);
        assert!(page.body.contains("may still be signed in at your identity provider"), "{}", page.body);
        join(&app, &acme, "redirect").await;
        let metadata = acme.metadata(&app).await;
        assert_eq!(metadata.matches(&format!("Location=\"{}\"", slo_url(&acme))).count(), 2, "{metadata}");
        let ours = certificates(&metadata, "signing");
        // Each outcome that the IdP may tell, by each binding.
        for (codes, told) in [
            (&["Success"][..], "Here, and at your identity provider.</p>"),
            (&["Success", "PartialLogout"], "not every other application"),
            (&["Responder", "PartialLogout"], "not every other application"),
            (&["Responder", "RequestDenied"], "did not sign you out"),
        ] {
            let mut jo = signed_in(&app, &acme, "jo", "i1").await;
            let same = signed_in(&app, &acme, "jo", "i1").await;
            let elsewhere = signed_in(&app, &acme, "jo", "i2").await;
            let session = jo.session.clone().expect("a session");
            let url = location(&jo.submit(&app, "/logout", &[]).await.expect(303));
            assert_eq!(jo.session, None);
            app.get("/api/v1/me").session(&session).send().await.expect(401);
            same.me(&app).await.expect(401);
            elsewhere.me(&app).await.expect(200);
            assert!(url.as_str().starts_with("https://idp.example/slo?tenant=7&SAMLRequest="), "{url}");
            assert!(is_signed_by(&url, "SAMLRequest", &ours[0]), "{url}");
            let xml = inflated(&parameter(&url, "SAMLRequest").expect("a message"));
            for part in [
                "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">jo</saml:NameID>",
                "<samlp:SessionIndex>i1</samlp:SessionIndex>",
                "NotOnOrAfter=",
            ] {
                assert!(xml.contains(part), "{part}: {xml}");
            }
            let id = xml.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
            let answer = answering(&app, &acme, id, codes);
            let path = format!("{}?{}", slo_url(&acme), answer.query(&acme.key, None));
            // In another browser it is nothing, and uses nothing up.
            refused(&Person::new().get(&app, &path).await, "logout_unknown_request");
            let page = jo.get(&app, &path).await.expect(200);
            assert!(page.body.contains(told), "{told}: {}", page.body);
            refused(&jo.get(&app, &path).await, "logout_unknown_request");
        }
        assert_eq!(acme.events(&app, "single_logout.incomplete").await.len(), 3);
        // By a form, to and fro.
        join(&app, &acme, "post").await;
        let mut jo = signed_in(&app, &acme, "jo", "i<&\"1").await;
        let page = jo.submit(&app, "/logout", &[]).await.expect(200);
        assert!(page.body.contains("action=\"https://idp.example/slo?tenant=7\""), "{}", page.body);
        assert!(page.header("content-security-policy").is_some_and(|csp| csp.contains("script-src 'self'")));
        let xml = BASE64_STANDARD.decode(hidden(&page, "SAMLRequest").expect("a message")).expect("base64");
        let xml = String::from_utf8(xml).expect("UTF-8");
        assert!(xmlsec1_verifies(&xml, "LogoutRequest", &ours[0]), "{xml}");
        let id = xml.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
        let answer = answering(&app, &acme, id, &["Success"]).field(&acme.key);
        let binding = format!("postern_browser={}", jo.binding.clone().expect("a cookie"));
        let call = app.post(&slo_url(&acme)).header("cookie", &binding).header("origin", "https://idp.example");
        let page = call.form(&[("SAMLResponse", &answer)]).send().await.expect(200);
        assert!(page.body.contains("Here, and at your identity provider"), "{}", page.body);
        // The answer to a request that is over.
        let mut jo = signed_in(&app, &acme, "jo", "i9").await;
        join(&app, &acme, "redirect").await;
        let url = location(&jo.submit(&app, "/logout", &[]).await.expect(303));
        let xml = inflated(&parameter(&url, "SAMLRequest").expect("a message"));
        let id = xml.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
        app.clock.advance(Duration::from_hours(1));
        let answer = answering(&app, &acme, &id, &["Success"]);
        let path = format!("{}?{}", slo_url(&acme), answer.query(&acme.key, None));
        refused(&jo.get(&app, &path).await, "logout_unknown_request");
    }

    async fn forged_messages_end_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let evil = Tenant::new(&app, "Evil", "evil.test").await;
        join(&app, &acme, "redirect").await;
        join(&app, &evil, "redirect").await;
        let jo = signed_in(&app, &acme, "jo", "i1").await;
        let right = asking(&app, &acme, "jo", &[]);
        let message = deflated(&right.to_xml());
        let rsa = SigningKey::generate(KeyType::Rsa2048, "evil", app.clock.now().to_datetime()).expect("a key");
        let plain = format!("SAMLRequest={}", encoded(&message));
        let good = right.query(&acme.key, Some("s"));
        let swapped = deflated(&asking(&app, &acme, "ann", &[]).to_xml());
        let cases: Vec<(String, &str)> = vec![
            (plain.clone(), "logout_unsigned"),
            (right.query(&evil.key, None), "logout_not_genuine"),
            (right.query(&rsa, None), "logout_not_genuine"),
            // Another algorithm than was signed with, an old one, none, one by a shared secret.
            (good.replace("ecdsa-sha256", "ecdsa-sha512"), "logout_not_genuine"),
            (good.replace("ecdsa-sha256", "rsa-sha256"), "logout_not_genuine"),
            (query("SAMLRequest", &message, None, (&acme.key, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1")), "logout_not_genuine"),
            (query("SAMLRequest", &message, None, (&acme.key, "http://www.w3.org/2000/09/xmldsig#hmac-sha1")), "logout_not_genuine"),
            (query("SAMLRequest", &message, None, (&acme.key, "")), "logout_not_genuine"),
            // Signed for another message, or with another state.
            (good.replace(&encoded(&message), &encoded(&swapped)), "logout_not_genuine"),
            (good.replace("RelayState=s", "RelayState=t"), "logout_not_genuine"),
            (good.replace("&RelayState=s", ""), "logout_not_genuine"),
            (good.replace("SAMLRequest=", "SAMLResponse="), "logout_unreadable"),
            // Parameters that stand twice, or in disguise.
            (format!("{good}&{plain}"), "logout_unreadable"),
            (format!("SAMLRequest={}&{good}", encoded(&swapped)), "logout_unreadable"),
            (format!("{good}&RelayState=evil"), "logout_unreadable"),
            (format!("{good}&SAML%52equest={}", encoded(&swapped)), "logout_unreadable"),
            (format!("{good}&SAMLResponse=x"), "logout_unreadable"),
            (format!("{good}&Signature=AAAA"), "logout_unreadable"),
            (String::new(), "logout_unreadable"),
            // What is not a message.
            (query("SAMLRequest", &deflated(&"a".repeat(8 * 1024 * 1024)), None, (&acme.key, ECDSA)), "logout_unreadable"),
            (query("SAMLRequest", &deflated("<!DOCTYPE a [<!ENTITY x \"y\">]><a/>"), None, (&acme.key, ECDSA)), "logout_unreadable"),
            (query("SAMLRequest", &deflated("<a/>"), None, (&acme.key, ECDSA)), "logout_unreadable"),
            (query("SAMLRequest", "!!!", None, (&acme.key, ECDSA)), "logout_unreadable"),
        ];
        for (query, code) in cases {
            let answer = by_query(&app, &acme, &query).await;
            assert!(answer.body.contains(&format!("<code>{code}</code>")), "{code}: {query:.300}\n{}", answer.body);
            assert_eq!(answer.status, 403, "{query:.300}");
        }
        jo.me(&app).await.expect(200);
        // It was the forgeries: as it was signed it is done.
        by_query(&app, &acme, &good).await.expect(303);
        jo.me(&app).await.expect(401);
    }

    async fn posted_forgeries_end_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let evil = Tenant::new(&app, "Evil", "evil.test").await;
        join(&app, &acme, "post").await;
        let jo = signed_in(&app, &acme, "jo", "i1").await;
        let right = asking(&app, &acme, "jo", &[]);
        let ann = asking(&app, &acme, "ann", &[]);
        let signing = Signing { prefixes: Vec::new(), ..Signing::default() };
        let signed = signing.sign(&ann.to_xml(), &ann.id, &acme.key).expect("signed");
        let sha1 = Signing { digest: "http://www.w3.org/2000/09/xmldsig#sha1".to_owned(), ..signing.clone() };
        // The signed request of somebody else, around and inside of a forged one.
        let inside = right.to_xml().replace("</samlp:LogoutRequest>", &format!("<samlp:Extensions>{signed}</samlp:Extensions></samlp:LogoutRequest>"));
        let from = signed.find("<ds:Signature xmlns").expect("a signature");
        let to = signed.find("</ds:Signature>").expect("its end") + "</ds:Signature>".len();
        let signature = &signed[from..to];
        let moved = right.to_xml().replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1);
        let cases = [
            (right.to_xml(), "logout_unsigned"),
            (signing.sign(&right.to_xml(), &right.id, &evil.key).expect("signed"), "logout_not_genuine"),
            (sha1.sign(&right.to_xml(), &right.id, &acme.key).expect("signed"), "logout_not_genuine"),
            (signed.replace(">ann<", ">jo<"), "logout_not_genuine"),
            (inside, "logout_unreadable"),
            (moved, "logout_not_genuine"),
        ];
        for (xml, code) in cases {
            let field = BASE64_STANDARD.encode(&xml);
            let answer = by_form(&app, &acme, &[("SAMLRequest", &field)]).await;
            assert!(answer.status == 403 && answer.body.contains("<code>logout_"), "{code}: {xml}\n{}", answer.body);
            assert!(answer.body.contains(&format!("<code>{code}</code>")), "{code}: {xml}\n{}", answer.body);
        }
        let good = right.field(&acme.key);
        for fields in [
            vec![("SAMLRequest", &*good), ("SAMLRequest", &*good)],
            vec![("SAMLRequest", &*good), ("SAMLResponse", &*good)],
            vec![("RelayState", "x")],
        ] {
            refused(&by_form(&app, &acme, &fields).await, "logout_unreadable");
        }
        jo.me(&app).await.expect(200);
        by_form(&app, &acme, &[("SAMLRequest", &good)]).await.expect(200);
        jo.me(&app).await.expect(401);
    }

    async fn a_request_is_for_us_for_now_and_for_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let second = Tenant::connect(&app, acme.org.clone(), "acme.test", acme.domain_id.clone()).await;
        let evil = Tenant::new(&app, "Evil", "evil.test").await;
        for tenant in [&acme, &second, &evil] {
            join(&app, tenant, "redirect").await;
        }
        let jo = signed_in(&app, &second, "jo", "i1").await;
        let right = asking(&app, &second, "jo", &[]);
        let now = right.issued;
        let minutes = time::Duration::minutes;
        for (wrong, code) in [
            (Message { issuer: evil.idp.clone(), ..right.clone() }, "logout_wrong_issuer"),
            (Message { destination: slo_url(&acme), ..right.clone() }, "logout_wrong_destination"),
            (Message { destination: String::new(), ..right.clone() }, "logout_wrong_destination"),
            (Message { destination: format!("{}/", slo_url(&second)), ..right.clone() }, "logout_wrong_destination"),
            (Message { issued: now - minutes(7), ..right.clone() }, "logout_untimely"),
            (Message { issued: now + minutes(2), ..right.clone() }, "logout_untimely"),
            (Message { until: Some(now - minutes(2)), ..right.clone() }, "logout_untimely"),
            (Message { content: Some("<saml:EncryptedID/>".to_owned()), ..right.clone() }, "logout_no_name_id"),
            (Message { content: Some(String::new()), ..right.clone() }, "logout_no_name_id"),
            (Message { content: Some("<saml:NameID>jo</saml:NameID><saml:NameID>jo</saml:NameID>".to_owned()), ..right.clone() }, "logout_unreadable"),
        ] {
            refused(&by_query(&app, &second, &wrong.query(&second.key, None)).await, code);
        }
        // At another door: another connection of the organization, and another organization, each with its own key.
        for tenant in [&acme, &evil] {
            refused(&by_query(&app, tenant, &right.query(&second.key, None)).await, "logout_not_genuine");
            by_query(&app, tenant, &asking(&app, tenant, "jo", &[]).query(&tenant.key, None)).await.expect(303);
        }
        // Another format is another name.
        let format = "<saml:NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">jo</saml:NameID>";
        let other = Message { content: Some(format.to_owned()), ..asking(&app, &second, "", &[]) };
        by_query(&app, &second, &other.query(&second.key, None)).await.expect(303);
        jo.me(&app).await.expect(200);
        let query = right.query(&second.key, None);
        by_query(&app, &second, &query).await.expect(303);
        jo.me(&app).await.expect(401);
        // Once, by whichever binding.
        let again = signed_in(&app, &second, "jo", "i1").await;
        refused(&by_query(&app, &second, &query).await, "logout_replayed");
        refused(&by_form(&app, &second, &[("SAMLRequest", &right.field(&second.key))]).await, "logout_replayed");
        again.me(&app).await.expect(200);
        // An administrator finds the refusal by its reference.
        let found = acme.events(&app, "single_logout.refused").await;
        let last = found.last().expect("an event");
        let log = acme.api(&format!("/sign-ins?reference={}", text(&last["data"], "reference")));
        let log = app.get(&log).operator().send().await.expect(200).json();
        assert_eq!(log["data"][0]["code"], "logout_replayed", "{log}");
    }

    async fn the_addresses_of_the_idp_are_given_by_hand(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let path = acme.api(&format!("/saml-connections/{}", acme.connection));
        for (wrong, field) in [
            (json!({ "slo_url": "http://idp.example/slo" }), "slo_url"),
            (json!({ "slo_url": "javascript:alert(1)" }), "slo_url"),
            (json!({ "slo_url": "https://idp.example/slo", "slo_response_url": "https://u:p@idp.example/" }), "slo_response_url"),
            (json!({ "slo_response_url": "https://idp.example/" }), "slo_response_url"),
            (json!({ "slo_binding": "post" }), "slo_binding"),
        ] {
            let problem = app.patch(&path).operator().json(&wrong).send().await.problem(400, "invalid_request");
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        }
        let admin = app.api_key(&acme.org, &["saml_connection:write", "saml_connection:read"]).await;
        let right = json!({ "slo_url": "https://idp.example/slo" });
        app.patch(&path).bearer(&admin).json(&right).send().await.problem(403, "scope_missing");
        let view = app.patch(&path).operator().json(&right).send().await.expect(200).json();
        assert_eq!((&view["slo_binding"], &view["sp_slo_url"]), (&json!("redirect"), &json!(slo_url(&acme))), "{view}");
        let view = app.patch(&path).operator().json(&json!({ "slo_url": null })).send().await.expect(200).json();
        assert!(view.get("slo_url").is_none() && view.get("slo_binding").is_none(), "{view}");
        // Without them the IdP may still end sessions, and is not answered.
        let jo = signed_in(&app, &acme, "jo", "i1").await;
        let query = asking(&app, &acme, "jo", &[]).query(&acme.key, None);
        let page = by_query(&app, &acme, &query).await.expect(200);
        assert!(page.body.contains("You are signed out"), "{}", page.body);
        jo.me(&app).await.expect(401);
    }
}

#[tokio::test]
async fn one_address_cannot_try_for_ever() {
    let clock = governor::clock::FakeRelativeClock::default();
    let limits = "[limits]\nsign_in_per_minute = 4";
    let app = TestApp::builder().config(limits).limit_clock(LimitClock::Manual(clock)).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    for _ in 0..2 {
        refused(&by_query(&app, &acme, "SAMLRequest=x").await, "logout_unreadable");
        refused(&by_form(&app, &acme, &[("SAMLRequest", "x")]).await, "logout_unreadable");
    }
    assert_eq!(by_query(&app, &acme, "SAMLRequest=x").await.status, 429);
    assert_eq!(by_form(&app, &acme, &[("SAMLRequest", "x")]).await.status, 429);
}
