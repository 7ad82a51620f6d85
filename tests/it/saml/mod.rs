//! Signing in through SAML, whole: from the sign-in page to a session, with responses that really are signed, on both
//! databases. A [`Tenant`] is an organization with a verified domain and an active connection to an IdP that the
//! test plays; a [`Person`] is a browser.

mod attacks;
mod chromium;
mod differential;
mod drafts;
mod encryption;
mod enforcement;
mod idp_initiated;
mod linking;
mod metadata;
mod pages;
mod pending_links;
mod pysaml2;
mod refusals;
mod requests;
mod roles;
mod sessions;
mod sign_in;
mod sign_in_log;
mod simplesamlphp;
mod simplesamlphp_settings;
mod single_logout;
mod step_up;
mod test_sign_in;
mod verifier;
mod ways_in;
mod xmlsec1;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::demo::idp::response::EMAIL_ADDRESS;
use postern::demo::idp::{KeyType, ResponseSpec, Signing, SigningKey};
use postern::model::id::{ConnectionId, uuid_v4};
use postern::model::random::SystemRandom;
use postern::model::time::Clock as _;
use serde_json::{Value, json};
use url::Url;

use crate::support::app::{Answer, TestApp, text};
use crate::support::simplesamlphp::inflated;

/// An organization whose people sign in through an IdP that the test plays.
pub struct Tenant {
    pub org: String,
    pub domain_id: String,
    pub connection: String,
    pub entity_id: String,
    pub acs_url: String,
    pub idp: String,
    pub key: SigningKey,
}

/// A browser, with the cookies that count.
#[derive(Debug, Default, Clone)]
pub struct Person {
    pub binding: Option<String>,
    pub session: Option<String>,
    /// The way in that was chosen last.
    pub way: Option<String>,
}

/// A sign-in that was sent to the IdP.
#[derive(Debug, Clone)]
pub struct Begun {
    pub request: String,
    pub url: Url,
}

/// The value that an answer sets a cookie to.
pub fn set_cookie(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.get_all("set-cookie").iter().find_map(|line| {
        let (found, rest) = line.to_str().expect("ASCII").split_once('=')?;
        (found == name).then(|| rest.split(';').next().unwrap_or_default().to_owned())
    })
}

impl Tenant {
    /// With just-in-time provisioning on.
    pub async fn new(app: &TestApp, name: &str, domain: &str) -> Self {
        let org = app.organization(name).await;
        let domain_id = app.domain(&org, domain).await;
        let path = format!("/api/v1/organizations/{org}/domains/{domain_id}");
        let on = json!({ "jit_provisioning_enabled": true });
        app.patch(&path).operator().json(&on).send().await.expect(200);
        Self::connect(app, org, domain, domain_id).await
    }

    /// Another connection of the organization, which takes the domain over.
    pub async fn connect(app: &TestApp, org: String, domain: &str, domain_id: String) -> Self {
        let key = SigningKey::generate(KeyType::EcP256, "idp", app.clock.now().to_datetime()).expect("a key");
        let idp = format!("https://idp.{domain}/{}", uuid_like());
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let body = json!({
            "name": "Their IdP",
            "type": "okta",
            "idp_entity_id": idp,
            "sso_url": format!("https://idp.{domain}/sso?tenant=7"),
            "certificates": [key.certificate_base64().expect("a certificate")],
            "domain_ids": [domain_id],
        });
        let made = app.post(&connections).operator().json(&body).send().await.expect(201).json();
        let connection = text(&made, "id").to_owned();
        let skip = json!({ "skip_test": true });
        let activate = format!("{connections}/{connection}/activate");
        app.post(&activate).operator().json(&skip).send().await.expect(200);
        let alone = json!({ "connection_ids": [connection] });
        let path = format!("/api/v1/organizations/{org}/domains/{domain_id}");
        app.patch(&path).operator().json(&alone).send().await.expect(200);
        Self {
            entity_id: text(&made, "entity_id").to_owned(),
            acs_url: text(&made, "acs_url").to_owned(),
            org,
            domain_id,
            connection,
            idp,
            key,
        }
    }

    pub fn api(&self, path: &str) -> String {
        format!("/api/v1/organizations/{}{path}", self.org)
    }

    /// A right response that says `subject` (a persistent NameID) has this address.
    pub fn response(&self, app: &TestApp, begun: &Begun, subject: &str, email: &str) -> ResponseSpec {
        let ids = (uuid_like(), uuid_like());
        let now = app.clock.now().to_datetime();
        let mut spec = ResponseSpec::new(
            &self.idp,
            &self.entity_id,
            &self.acs_url,
            &begun.request,
            (&format!("_r{}", ids.0), &format!("_a{}", ids.1)),
            now,
        );
        spec.name_id = Some(subject.to_owned());
        spec.attributes = vec![("email".to_owned(), vec![email.to_owned()])];
        spec
    }

    /// The same from an IdP that knows people by their address only.
    pub fn response_by_address(&self, app: &TestApp, begun: &Begun, email: &str) -> ResponseSpec {
        let mut spec = self.response(app, begun, email, email);
        spec.name_id_format = Some(EMAIL_ADDRESS.to_owned());
        spec
    }

    /// Signed, in the form field's form.
    pub fn sign(&self, spec: &ResponseSpec) -> String {
        BASE64_STANDARD.encode(Signing::default().respond(spec, &self.key).expect("signed"))
    }

    /// The events of one kind, oldest first.
    pub async fn events(&self, app: &TestApp, kind: &str) -> Vec<Value> {
        let all = app.get(&self.api("/events?limit=200")).operator().send().await.expect(200).json();
        let all = all["data"].as_array().expect("a list").clone();
        all.into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// The only refusal on record.
    #[track_caller]
    pub fn only_refusal(refusals: &[Value]) -> &Value {
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        &refusals[0]["data"]
    }

    /// The member with this address, as the API shows it.
    pub async fn member(&self, app: &TestApp, email: &str) -> Value {
        let list = app.get(&self.api("/members")).operator().query(&[("search", email)]).send().await;
        let list = list.expect(200).json();
        let data = list["data"].as_array().expect("a list");
        assert_eq!(data.len(), 1, "{list}");
        data[0].clone()
    }

    pub async fn members(&self, app: &TestApp) -> usize {
        let list = app.get(&self.api("/members")).operator().send().await.expect(200).json();
        list["data"].as_array().expect("a list").len()
    }

    pub fn connection_id(&self) -> ConnectionId {
        self.connection.parse().expect("an id")
    }
}

/// What the sign-in log of an organization says of its refusals, oldest first.
pub async fn refusals_of(app: &TestApp, org: &str) -> Vec<Value> {
    let path = format!("/api/v1/organizations/{org}/events?limit=200");
    let all = app.get(&path).operator().send().await.expect(200).json();
    let events = all["data"].as_array().expect("a list");
    events.iter().filter(|event| event["kind"] == "sign_in.refused").map(|e| e["data"].clone()).collect()
}

/// Something that is used once.
pub fn uuid_like() -> String {
    uuid_v4(&SystemRandom).simple().to_string()
}

impl Person {
    pub fn new() -> Self {
        Self::default()
    }

    fn cookies(&self) -> String {
        let pair = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name}={value}"));
        let pairs = [
            pair("postern_browser", &self.binding),
            pair("postern_session", &self.session),
            pair("postern_way", &self.way),
        ];
        pairs.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn take(&mut self, answer: &Answer) {
        if let Some(value) = set_cookie(answer, "postern_browser") {
            self.binding = Some(value);
        }
        if let Some(value) = set_cookie(answer, "postern_way") {
            self.way = Some(value);
        }
        if let Some(value) = set_cookie(answer, "postern_session") {
            self.session = Some(value).filter(|value| !value.is_empty());
        }
    }

    pub async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        let answer = app.get(path).header("cookie", &self.cookies()).send().await;
        self.take(&answer);
        answer
    }

    /// Posts a form of our own pages.
    pub async fn submit(&mut self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
        let call = app.post(path).header("cookie", &self.cookies()).header("sec-fetch-site", "same-origin");
        let answer = call.form(fields).send().await;
        self.take(&answer);
        answer
    }

    /// Follows a link to the sign-in page that names an address.
    pub async fn begin(&mut self, app: &TestApp, email: &str) -> Begun {
        let answer = app.get("/login").query(&[("email", email)]).header("cookie", &self.cookies());
        let answer = answer.send().await.expect(303);
        self.take(&answer);
        begun(&answer)
    }

    /// Types the address into our own form.
    pub async fn begin_here(&mut self, app: &TestApp, email: &str) -> Begun {
        begun(&self.submit(app, "/login", &[("email", email)]).await.expect(303))
    }

    /// Posts a response as the IdP's page would.
    pub async fn post(&mut self, app: &TestApp, tenant: &Tenant, response: &str) -> Answer {
        let call = app.post(&tenant.acs_url).header("cookie", &self.cookies());
        let fields = [("SAMLResponse", response), ("RelayState", "x")];
        let answer = call.header("origin", "https://idp.example").form(&fields).send().await;
        self.take(&answer);
        answer
    }

    /// Signs in, all the way.
    pub async fn sign_in(&mut self, app: &TestApp, tenant: &Tenant, subject: &str, email: &str) -> Answer {
        let begun = self.begin(app, email).await;
        let response = tenant.sign(&tenant.response(app, &begun, subject, email));
        self.post(app, tenant, &response).await
    }

    /// Who the API says is signed in.
    pub async fn me(&self, app: &TestApp) -> Answer {
        app.get("/api/v1/me").header("cookie", &self.cookies()).send().await
    }
}

pub fn begun(answer: &Answer) -> Begun {
    let url = Url::parse(answer.header("location").expect("a redirect")).expect("an address");
    let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    let state = value("RelayState").expect("a state");
    assert!(state.len() <= 80 && !state.contains("acme"), "an opaque key: {state}");
    let xml = inflated(&value("SAMLRequest").expect("a request"));
    let id = xml.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    Begun { request: id, url }
}

/// Fails unless this is the page of a refusal with this code; gives the reference on it.
#[track_caller]
pub fn refused(answer: &Answer, code: &str) -> String {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert!(answer.body.contains(&format!("<code>{code}</code>")), "expected {code}: {}", answer.body);
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(set_cookie(answer, "postern_session"), None);
    let rest = answer.body.split("class=\"reference\">").nth(1).expect("a reference");
    rest.split('<').next().expect("its end").to_owned()
}
