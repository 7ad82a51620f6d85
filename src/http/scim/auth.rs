//! Who calls: a directory, by its SCIM token. Asked before anything else; the limit is the token's own, so that many
//! tenants behind one address (Entra) and one tenant behind many do not disturb each other.

use super::answer::Refused;
use crate::http::limits::{address_key, enforce};
use crate::http::middleware::{Layer, layer};
use crate::http::payload::Problem;
use crate::http::payload::framework::unauthenticated;
use crate::http::state::State;
use crate::protocol::scim::Conformance;
use crate::service::scim_credentials::{self, ScimRefusal};
use crate::service::{Ctx, Services, scim_oauth};
use poem::http::header;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::sync::Arc;

/// The directory that calls, within its limit.
#[derive(Clone)]
pub struct ScimCaller {
    state: Arc<State>,
    /// Who acts, when, from where.
    pub ctx: Ctx,
    /// How strictly the directory reads what is sent.
    pub conformance: Conformance,
}

impl ScimCaller {
    /// The caller that [`Authenticate`] found.
    pub(super) fn of(request: &Request) -> std::result::Result<Self, Refused> {
        request.data::<Self>().cloned().ok_or_else(|| Problem::internal().into())
    }

    /// The use cases.
    pub fn services(&self) -> &Services {
        &self.state.services
    }
}

/// The token of an `Authorization` header: after "Bearer" in any case, or the whole header, as some older Okta apps
/// send it.
fn presented(request: &Request) -> Option<&str> {
    let value = request.header(header::AUTHORIZATION)?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        Some(_) => None,
        None => Some(value),
    }
}

/// A refusal that says where an OAuth client learns how to come in (RFC 9728 §5.1).
fn refused(state: &State, detail: &'static str, error: &str) -> Problem {
    let mut problem = unauthenticated();
    problem.detail = detail.into();
    problem.headers = None;
    let metadata = scim_oauth::resource_metadata_url(&state.services);
    let challenge = format!("Bearer realm=\"scim\"{error}, resource_metadata=\"{metadata}\"");
    problem.header(header::WWW_AUTHENTICATE, challenge)
}

/// One line in the log for a token that opens nothing: whose it was, and why not.
fn note(refusal: &ScimRefusal, ctx: &Ctx) {
    let (reason, request_id) = (refusal.reason(), &*ctx.request_id);
    let whose = refusal.whose();
    let (organization, credential) = (whose.map(|it| it.organization), whose.map(|it| it.credential));
    tracing::info!(reason, ?organization, ?credential, request_id, "a SCIM token was refused");
}

async fn authenticate(request: &Request) -> Result<ScimCaller> {
    let state = Arc::clone(State::of(request)?);
    let mut ctx = state.anonymous(request);
    let problem = match presented(request) {
        Some(token) => match scim_credentials::scim_token(&state.services, token, ctx.now).await {
            Ok(known) => {
                enforce(request, &state.limits.scim, &known.credential.uuid())?;
                ctx.actor = known.actor();
                return Ok(ScimCaller { state, ctx, conformance: known.conformance });
            }
            Err(ScimRefusal::Failed(error)) => return Err(crate::http::api::answer::problem(&error).into()),
            Err(refusal) => {
                // The log tells the reasons apart, the answer does not.
                note(&refusal, &ctx);
                refused(
                    &state,
                    "This SCIM token is not valid: it may be mistyped, revoked or expired. Make a new one for the \
                     directory.",
                    ", error=\"invalid_token\"",
                )
            }
        },
        None => refused(&state, "A SCIM token is needed: send it as Authorization: Bearer.", ""),
    };
    // Guessing is limited by address.
    if let Some(ip) = ctx.ip {
        enforce(request, &state.limits.addresses, &address_key(ip))?;
    }
    Err(problem.into())
}

/// The layer that lets only directories pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authenticate;

impl Layer for Authenticate {
    async fn around<E: Endpoint>(&self, inner: &E, mut request: Request) -> Result<Response> {
        let caller = authenticate(&request).await?;
        request.extensions_mut().insert(caller);
        inner.call(request).await.map(IntoResponse::into_response)
    }
}

layer!(Authenticate);
