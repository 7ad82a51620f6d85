//! The demo IdP over HTTP: metadata, the redirect binding, a log-in page that lists the people, and the page that
//! posts the response back. It answers only services that were made known to it, at their own address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::DeflateDecoder;
use poem::http::{StatusCode, header};
use poem::listener::TcpAcceptor;
use poem::web::{Data, Form, Html, Query};
use poem::{EndpointExt as _, IntoResponse as _, Response, Route, Server, get, handler, post};
use serde::Deserialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::key::{KeyType, SigningKey};
use super::response::{PERSISTENT, ResponseSpec};
use super::signer::{SignError, Signing, idp_metadata};
use crate::model::random::Random;
use crate::model::time::Clock;
use crate::protocol::saml::request_id;
use crate::protocol::saml::scan::{Rules, ScanError, scan};
use crate::protocol::saml::xml::{escape, ns};

/// A request is small; more than this does not come out of the decompressor.
const LARGEST_REQUEST: u64 = 64 * 1024;

/// Somebody with an account at the demo IdP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account's lasting id, sent as persistent NameID.
    pub id: String,
    /// The address, sent as the attribute `email`.
    pub email: String,
    /// Sent as `firstName`.
    pub given_name: String,
    /// Sent as `lastName`.
    pub family_name: String,
}

/// Why the demo IdP did not answer.
#[derive(Debug, Error)]
pub enum IdpError {
    /// The request cannot be read.
    #[error("the SAMLRequest cannot be read: {0}")]
    BadRequest(&'static str),
    /// The request is not XML.
    #[error("the SAMLRequest is not acceptable XML: {0}")]
    Xml(#[from] ScanError),
    /// Nobody told the IdP of that service.
    #[error("the service {0} is not known here")]
    UnknownService(String),
    /// The service asks for the answer at another address.
    #[error("the service {service} is to be answered at {known}, not at {asked}")]
    OtherAddress {
        /// The service's entity id.
        service: String,
        /// The address that is known.
        known: String,
        /// The address in the request.
        asked: String,
    },
    /// No such account.
    #[error("there is no account {0}")]
    UnknownPerson(String),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What the browser is to post, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The service's assertion consumer service URL.
    pub acs_url: String,
    /// The form field `SAMLResponse`, base64.
    pub saml_response: String,
    /// The form field `RelayState`, if one came.
    pub relay_state: Option<String>,
}

struct State {
    base_url: String,
    key: RwLock<SigningKey>,
    signing: RwLock<Signing>,
    people: RwLock<Vec<Person>>,
    /// Entity ids and the addresses they are answered at.
    services: RwLock<BTreeMap<String, String>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A running demo IdP; ends when dropped.
pub struct DemoIdp {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
}

impl Drop for DemoIdp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl DemoIdp {
    /// Makes a key of the kind and serves on the listener, which is on loopback.
    ///
    /// # Errors
    /// If the listener has no address or no key can be made.
    pub fn start(
        listener: TcpListener,
        key: KeyType,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let key = SigningKey::generate(key, "Postern demo IdP", clock.now().to_datetime())?;
        let state = Arc::new(State {
            base_url: format!("http://{address}"),
            key: RwLock::new(key),
            signing: RwLock::new(Signing::default()),
            people: RwLock::new(Vec::new()),
            services: RwLock::new(BTreeMap::new()),
            clock,
            random,
        });
        let stop = CancellationToken::new();
        let routes = Route::new()
            .at("/metadata", get(metadata))
            .at("/sso", get(sso))
            .at("/sso/login", post(login))
            .data(Arc::clone(&state));
        let until = stop.clone().cancelled_owned();
        tokio::spawn(
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run_with_graceful_shutdown(
                routes,
                until,
                Some(Duration::from_secs(1)),
            ),
        );
        Ok(Self { address, state, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its entity id, which is also where its metadata is.
    pub fn entity_id(&self) -> String {
        self.state.entity_id()
    }

    /// Its sign-on address.
    pub fn sso_url(&self) -> String {
        self.state.sso_url()
    }

    /// Its metadata.
    ///
    /// # Errors
    /// [`IdpError::Sign`], which is not expected.
    pub fn metadata(&self) -> Result<String, IdpError> {
        self.state.metadata()
    }

    /// Its present key, for making responses by hand.
    pub fn key(&self) -> SigningKey {
        read(&self.state.key).clone()
    }

    /// Makes a new key; responses from now on are signed with it.
    ///
    /// # Errors
    /// [`IdpError::Sign`], which is not expected.
    pub fn rotate_key(&self, kind: KeyType) -> Result<(), IdpError> {
        let now = self.state.clock.now().to_datetime();
        let key = SigningKey::generate(kind, "Postern demo IdP", now).map_err(SignError::from)?;
        *self.state.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// Sets how responses are signed from now on.
    pub fn set_signing(&self, signing: Signing) {
        *self.state.signing.write().unwrap_or_else(PoisonError::into_inner) = signing;
    }

    /// Makes a service known: its entity id and where it is answered.
    pub fn add_service(&self, entity_id: &str, acs_url: &str) {
        let mut services = self.state.services.write().unwrap_or_else(PoisonError::into_inner);
        services.insert(entity_id.to_owned(), acs_url.to_owned());
    }

    /// Adds somebody, or changes who has that id.
    pub fn put_person(&self, person: Person) {
        let mut people = self.state.people.write().unwrap_or_else(PoisonError::into_inner);
        people.retain(|p| p.id != person.id);
        people.push(person);
    }

    /// Removes somebody; they can no longer sign in.
    pub fn remove_person(&self, id: &str) {
        self.state.people.write().unwrap_or_else(PoisonError::into_inner).retain(|p| p.id != id);
    }

    /// Answers a request as the log-in page would, for the person with that id.
    ///
    /// # Errors
    /// [`IdpError`].
    pub fn answer(
        &self,
        saml_request: &str,
        relay_state: Option<&str>,
        person_id: &str,
    ) -> Result<Answer, IdpError> {
        self.state.answer(saml_request, relay_state, person_id)
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// An AuthnRequest from a known service.
struct Asked {
    id: String,
    service: String,
    acs_url: String,
}

impl State {
    fn entity_id(&self) -> String {
        format!("{}/metadata", self.base_url)
    }

    fn sso_url(&self) -> String {
        format!("{}/sso", self.base_url)
    }

    fn metadata(&self) -> Result<String, IdpError> {
        let certificate = read(&self.key).certificate_base64().map_err(SignError::from)?;
        Ok(idp_metadata(&self.entity_id(), &self.sso_url(), &[certificate]))
    }

    fn asked(&self, saml_request: &str) -> Result<Asked, IdpError> {
        let packed = STANDARD.decode(saml_request).map_err(|_| IdpError::BadRequest("it is not base64"))?;
        let mut xml = String::new();
        DeflateDecoder::new(&packed[..])
            .take(LARGEST_REQUEST)
            .read_to_string(&mut xml)
            .map_err(|_| IdpError::BadRequest("it is not deflated text"))?;
        let doc = scan(&xml, Rules::MESSAGE)?;
        if !doc.is(doc.root(), ns::SAMLP, "AuthnRequest") {
            return Err(IdpError::BadRequest("it is not an AuthnRequest"));
        }
        let request = doc.element(doc.root());
        let id = request.attribute("ID").ok_or(IdpError::BadRequest("it has no ID"))?.to_owned();
        let issuer = doc.child(doc.root(), ns::SAML, "Issuer");
        let service = issuer.map(|i| doc.text(i).trim().to_owned()).unwrap_or_default();
        let Some(known) = read(&self.services).get(&service).cloned() else {
            return Err(IdpError::UnknownService(service));
        };
        if let Some(asked) = request.attribute("AssertionConsumerServiceURL").filter(|asked| *asked != known)
        {
            return Err(IdpError::OtherAddress { service, asked: asked.to_owned(), known });
        }
        Ok(Asked { id, service, acs_url: known })
    }

    fn answer(
        &self,
        saml_request: &str,
        relay_state: Option<&str>,
        person_id: &str,
    ) -> Result<Answer, IdpError> {
        let asked = self.asked(saml_request)?;
        let person = read(&self.people).iter().find(|p| p.id == person_id).cloned();
        let person = person.ok_or_else(|| IdpError::UnknownPerson(person_id.to_owned()))?;
        let mut spec = ResponseSpec::new(
            &self.entity_id(),
            &asked.service,
            &asked.acs_url,
            &asked.id,
            (&self.new_id(), &self.new_id()),
            self.clock.now().to_datetime(),
        );
        spec.name_id = Some(person.id);
        spec.name_id_format = Some(PERSISTENT.to_owned());
        spec.attributes = vec![
            ("email".to_owned(), vec![person.email]),
            ("firstName".to_owned(), vec![person.given_name]),
            ("lastName".to_owned(), vec![person.family_name]),
        ];
        let xml = read(&self.signing).respond(&spec, &read(&self.key))?;
        Ok(Answer {
            acs_url: asked.acs_url,
            saml_response: STANDARD.encode(xml),
            relay_state: relay_state.map(str::to_owned),
        })
    }

    fn new_id(&self) -> String {
        let mut bytes = [0; 20];
        self.random.fill(&mut bytes);
        request_id(bytes)
    }
}

#[derive(Deserialize)]
struct SsoQuery {
    #[serde(rename = "SAMLRequest")]
    saml_request: String,
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(rename = "SAMLRequest")]
    saml_request: String,
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
    person: String,
}

#[handler]
fn metadata(state: Data<&Arc<State>>) -> Response {
    match state.metadata() {
        Ok(xml) => xml.with_content_type("application/samlmetadata+xml").into_response(),
        Err(error) => refusal(&error),
    }
}

#[handler]
fn sso(state: Data<&Arc<State>>, Query(query): Query<SsoQuery>) -> Response {
    let asked = match state.asked(&query.saml_request) {
        Ok(asked) => asked,
        Err(error) => return refusal(&error),
    };
    let mut people = String::new();
    for person in read(&state.people).iter() {
        let _ = write!(
            people,
            "<li><button name=\"person\" value=\"{}\">{} {} <small>{}</small></button></li>",
            escape(&person.id),
            escape(&person.given_name),
            escape(&person.family_name),
            escape(&person.email),
        );
    }
    if people.is_empty() {
        people.push_str("<li>There are no accounts.</li>");
    }
    page(
        "Sign in at the demo IdP",
        &format!(
            "<p>{} asks who you are.</p><form method=\"post\" action=\"/sso/login\">{}{}<ul>{people}</ul></form>",
            escape(&asked.service),
            hidden("SAMLRequest", &query.saml_request),
            query.relay_state.map(|state| hidden("RelayState", &state)).unwrap_or_default(),
        ),
    )
    .into_response()
}

#[handler]
fn login(state: Data<&Arc<State>>, Form(form): Form<LoginForm>) -> Response {
    match state.answer(&form.saml_request, form.relay_state.as_deref(), &form.person) {
        Ok(answer) => page(
            "Signing in",
            &format!(
                "<form id=\"answer\" method=\"post\" action=\"{}\">{}{}<p><button>Continue</button></p></form>\
                 <script>document.getElementById('answer').submit()</script>",
                escape(&answer.acs_url),
                hidden("SAMLResponse", &answer.saml_response),
                answer.relay_state.map(|state| hidden("RelayState", &state)).unwrap_or_default(),
            ),
        )
        .into_response(),
        Err(error) => refusal(&error),
    }
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn page(title: &str, body: &str) -> impl poem::IntoResponse + use<> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}\
         ul{{list-style:none;padding:0}}button{{font:inherit;padding:.5rem 1rem;margin:.25rem 0;cursor:pointer}}</style>\
         <h1>{title}</h1>{body}</html>"
    );
    Html(html).with_header(header::CACHE_CONTROL, "no-store")
}

fn refusal(error: &IdpError) -> Response {
    let body = format!("<p>{}</p>", escape(&error.to_string()));
    page("The demo IdP cannot answer", &body).with_status(StatusCode::BAD_REQUEST).into_response()
}
