//! `/api/v1/login-url`: where to send somebody who has typed an address, for applications with a sign-in page of their
//! own. What comes depends on the address's domain alone (rule 17).

use super::Tag;
use super::answer::{Answer, Listed};
use crate::http::limits::{address_key, enforce};
use crate::http::payload::{JsonBody, Problem};
use crate::http::state::State;
use crate::model::email::EmailAddress;
use crate::model::state::ConnectionType;
use crate::service::discovery::{self, Outcome};
use crate::service::sign_in::ReturnTo;
use crate::service::{Error, FieldError};
use poem::Request;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

/// Whose way in is asked for.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct FindLoginUrl {
    /// Only its domain counts.
    pub email: String,
    /// Where to go after signing in: a path of this installation.
    pub return_to: Option<String>,
}

/// What to do with the person.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case", rename = "LoginOutcome")]
pub enum OutcomeWord {
    /// Send the browser to `url`: it goes on to the person's identity provider.
    Redirect,
    /// Several connections serve the domain: offer `connections`, or send the browser to `url`, which offers them.
    ChooseConnection,
    /// Nobody signs in through SAML at this domain: offer another way.
    Manual,
}

/// One of several ways in.
#[derive(Object)]
#[oai(rename = "LoginConnection")]
pub struct WayView {
    /// TypeID, `con_…`.
    pub id: String,
    pub name: String,
    /// Whose product the IdP is.
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    /// Send the browser here.
    pub url: String,
}

/// The way in for an address; always of this shape.
#[derive(Object)]
#[oai(rename = "LoginUrl")]
pub struct LoginUrlView {
    pub outcome: OutcomeWord,
    /// A page of this installation, to be opened in the person's own browser.
    pub url: String,
    /// The ways to choose from; empty unless there are several.
    pub connections: Vec<WayView>,
}

impl From<Outcome> for LoginUrlView {
    fn from(outcome: Outcome) -> Self {
        let (outcome, url, ways) = match outcome {
            Outcome::Redirect { url } => (OutcomeWord::Redirect, url, Vec::new()),
            Outcome::Choose { url, ways } => (OutcomeWord::ChooseConnection, url, ways),
            Outcome::Manual { url } => (OutcomeWord::Manual, url, Vec::new()),
        };
        let connections = ways.into_iter().map(|way| WayView {
            id: way.connection.to_string(),
            name: way.name,
            kind: way.kind,
            url: way.url,
        });
        Self { outcome, url, connections: connections.collect() }
    }
}

pub struct LoginUrlApi;

#[OpenApi(tag = "Tag::SamlConnections")]
impl LoginUrlApi {
    /// Find the way in for an address
    ///
    /// Needs no credential. The answer says nothing of the person: it is the same for every address on the domain.
    /// Counts against the limit of sign-ins of the client's address.
    #[oai(path = "/login-url", method = "post", operation_id = "find_login_url")]
    async fn find(&self, request: &Request, body: JsonBody<FindLoginUrl>) -> Answer<Listed<LoginUrlView>> {
        let state = State::of(request).map_err(|_| Problem::internal())?;
        if let Some(ip) = state.anonymous(request).ip {
            enforce(request, &state.limits.addresses, &address_key(ip))?;
        }
        let mut errors = Vec::new();
        let mut wrong = |field: &str, code, message: String| {
            errors.push(FieldError { field: field.to_owned(), code, message });
        };
        let address = EmailAddress::parse(&body.0.email)
            .map_err(|error| wrong("email", "email_invalid", error.to_string()))
            .ok();
        let return_to = match body.0.return_to.as_deref().map(ReturnTo::parse) {
            Some(Err(error)) => {
                wrong("return_to", "return_to_refused", format!("{error}."));
                None
            }
            Some(Ok(path)) => Some(path),
            None => None,
        };
        let Some(address) = address.filter(|_| errors.is_empty()) else {
            return Err(Error::Invalid(errors).into());
        };
        let outcome = discovery::login_url(&state.services, &address, return_to.as_ref()).await?;
        Ok(Listed::Ok(Json(outcome.into())))
    }
}
