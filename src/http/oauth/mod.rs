//! The OAuth door: the token endpoint for the clients of directories (RFC 6749 §4.4), and the metadata by which a client
//! finds it from the SCIM URL alone (RFC 8414, RFC 9728).
//!
//! Clients prove themselves by a signed assertion or by HTTP Basic; a secret in the body is refused. Guessing is limited
//! by address, success by client. Every refusal is the JSON of RFC 6749 §5.2.

use super::Doors;
use super::limits::{address_key, enforce};
use super::methods::Methods;
use super::middleware::{
    BodyLimit, ErrorDress, HeaderProfile, PanicGuard, RateLimitHeaders, RequestTimeout, SecurityHeaders,
};
use super::payload::{Dialect, Problem};
use super::state::State;
use crate::service::scim_oauth::{self, LIFETIME, OauthError, Proof, SCOPE, TokenRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::{StatusCode, header};
use poem::{Body, Endpoint, EndpointExt, Request, Response, Result, Route};
use serde_json::json;

/// The largest form, in bytes: an assertion and a little.
const FORM_LIMIT: u64 = 16_384;

/// The routes below `/oauth`.
pub fn routes(doors: &Doors) -> impl Endpoint<Output = Response> + 'static + use<> {
    let dialect = dialect();
    Route::new()
        .at("/token", Methods::new().post(token))
        .map_to_response()
        .with(BodyLimit {
            max_bytes: FORM_LIMIT,
            arrive_within: super::BODY_WITHIN,
            dialect: dialect.clone(),
        })
        .with(RequestTimeout { limit: doors.request_timeout, dialect: dialect.clone() })
        .with(PanicGuard(dialect.clone()))
        .with(ErrorDress::new(dialect))
        .with(RateLimitHeaders)
        .with(SecurityHeaders::new(HeaderProfile::Api, doors.state.https))
        .with(doors.metrics.surface("oauth"))
}

/// Refusals as RFC 6749 §5.2 has them. Codes of that RFC stand as they are; what the framework refuses becomes the
/// nearest of them.
fn dialect() -> Dialect {
    Dialect::custom(|problem, _| {
        let error = match problem.status.as_u16() {
            _ if OAUTH_CODES.contains(&problem.code) => problem.code,
            429 | 503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        };
        let body = json!({ "error": error, "error_description": problem.detail });
        Response::builder()
            .status(problem.status)
            .content_type("application/json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(body.to_string())
    })
}

const OAUTH_CODES: [&str; 5] =
    ["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope", "invalid_target"];

fn refused(error: &OauthError) -> Problem {
    let code = match error {
        OauthError::Failed(error) => return super::api::answer::problem(error),
        other => other.code().unwrap_or("invalid_request"),
    };
    let status = match error {
        OauthError::InvalidClient(_) => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    let problem = Problem::new(status, code, "Not given", error.to_string());
    match error {
        OauthError::InvalidClient(_) => problem.header(header::WWW_AUTHENTICATE, "Basic realm=\"oauth\""),
        _ => problem,
    }
}

fn wrong(detail: impl Into<String>) -> OauthError {
    OauthError::InvalidRequest(detail.into())
}

/// The parameters of a token request. Empty ones count as left out (RFC 6749 §3.2), none may stand twice.
#[derive(Default)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(fields: Vec<(String, String)>) -> Result<Self, OauthError> {
        let mut seen: Vec<(String, String)> = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if seen.iter().any(|(other, _)| *other == name) {
                return Err(wrong("A parameter stands twice in the request."));
            }
            seen.push((name, value));
        }
        seen.retain(|(_, value)| !value.is_empty());
        Ok(Self(seen))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// The id and secret of an `Authorization: Basic` header, each form-encoded within it (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    let decoded = STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |part: &str| {
        // What is encoded has none; the rest of the part would be dropped unseen.
        if part.contains('&') {
            return None;
        }
        let pair = format!("x={part}");
        let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}

/// Gives a token.
#[poem::handler]
async fn token(request: &Request, body: Body) -> Result<Response> {
    let state = State::of(request)?;
    let fields = super::pages::form(request, body).await?;
    let given = give(request, state, fields).await;
    let token = match given {
        Ok(token) => token,
        Err(Denied::Refused(error)) => {
            // Guessing is limited by address.
            if matches!(error, OauthError::InvalidClient(_))
                && let Some(ip) = state.anonymous(request).ip
            {
                enforce(request, &state.limits.addresses, &address_key(ip))?;
            }
            return Err(refused(&error).into());
        }
        Err(Denied::Limited(problem)) => return Err(problem.into()),
    };
    let body = json!({
        "access_token": token.reveal(),
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
        "scope": SCOPE,
    });
    Ok(Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(body.to_string()))
}

enum Denied {
    Refused(OauthError),
    Limited(Problem),
}

impl From<OauthError> for Denied {
    fn from(error: OauthError) -> Self {
        Self::Refused(error)
    }
}

async fn give(
    request: &Request,
    state: &State,
    fields: Vec<(String, String)>,
) -> Result<crate::model::secret::Token, Denied> {
    let parameters = Parameters::read(fields)?;
    let header = request.header(header::AUTHORIZATION).map(|text| basic(text).unwrap_or_default());
    let assertion = parameters.get("client_assertion");
    if parameters.get("client_secret").is_some() {
        let detail =
            "A client_secret in the body is not taken: use HTTP Basic, or a signed client_assertion.";
        return Err(OauthError::InvalidClient(detail.to_owned()).into());
    }
    let proof = match (&header, assertion) {
        (Some(_), Some(_)) => return Err(wrong("A client proves itself in one way, not in two.").into()),
        (Some((id, secret)), None) => Some(Proof::Basic { id, secret }),
        (None, assertion) => assertion.map(Proof::Assertion),
    };
    let wanted = TokenRequest {
        grant_type: parameters.get("grant_type"),
        scope: parameters.get("scope"),
        resource: parameters.get("resource"),
        client_id: parameters.get("client_id"),
        client_assertion_type: parameters.get("client_assertion_type"),
        proof,
    };
    let ctx = state.anonymous(request);
    let proven = scim_oauth::prove(&state.services, &ctx, &wanted).await?;
    enforce(request, &state.limits.oauth_clients, &proven.id().uuid()).map_err(Denied::Limited)?;
    Ok(scim_oauth::issue(&state.services, &ctx, proven).await?)
}

fn document(value: &serde_json::Value) -> Response {
    Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "public, max-age=300")
        .body(value.to_string())
}

/// `/.well-known/oauth-authorization-server`.
#[poem::handler]
pub fn server_metadata(request: &Request) -> Result<Response> {
    Ok(document(&scim_oauth::server_metadata(&State::of(request)?.services)))
}

/// `/.well-known/oauth-protected-resource/scim/v2`.
#[poem::handler]
pub fn resource_metadata(request: &Request) -> Result<Response> {
    Ok(document(&scim_oauth::resource_metadata(&State::of(request)?.services)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_read_as_the_rfc_encodes_it() {
        let header = |text: &str| format!("basic {}", STANDARD.encode(text));
        let of = |text: &str| basic(&header(text));
        assert_eq!(of("a%3Ab:c+d%25"), Some(("a:b".to_owned(), "c d%".to_owned())));
        assert_eq!(of("a:b:c"), Some(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(
            (of("a"), of("a:b&c"), basic("Basic"), basic("Bearer YTpi"), basic("Basic %%")),
            (None, None, None, None, None)
        );
    }
}
