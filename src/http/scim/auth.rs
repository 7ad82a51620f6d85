//! Who calls: a directory, by its SCIM token. Asked before anything else; the limit is the token's own, so that many
//! tenants behind one address (Entra) and one tenant behind many do not disturb each other.

use super::answer::Refused;
use super::log::Slot;
use crate::http::limits::{RateLimitSlot, address_key, enforce};
use crate::http::middleware::{Layer, layer};
use crate::http::payload::Problem;
use crate::http::payload::framework::unauthenticated;
use crate::http::state::State;
use crate::protocol::scim::{Conformance, ResourceType, ScimError};
use crate::service::scim_credentials::{self, ScimRefusal};
use crate::service::{Ctx, Services, schemas, scim_oauth};
use poem::http::header;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use uuid::Uuid;

const INVALID: &str = "This SCIM token is not valid: it may be mistyped, revoked or expired. Make a new one for the \
                       directory.";

/// The directory that calls, within its limit.
#[derive(Clone)]
pub struct ScimCaller {
    services: Arc<Services>,
    /// Who acts, when, from where.
    pub ctx: Ctx,
    /// How strictly the directory reads what is sent.
    pub conformance: Conformance,
    /// The credential that it showed; a dry run takes one as given.
    shown: Option<Shown>,
}

#[derive(Clone)]
struct Shown {
    state: Arc<State>,
    /// Whose limit it is.
    credential: Uuid,
    token: Arc<SecretString>,
}

impl ScimCaller {
    /// The caller that [`Authenticate`] found.
    pub(super) fn of(request: &Request) -> std::result::Result<Self, Refused> {
        request.data::<Self>().cloned().ok_or_else(|| Problem::internal().into())
    }

    /// A caller that has shown no credential, and has no limit: for a dry run.
    pub(super) const fn assumed(services: Arc<Services>, ctx: Ctx, conformance: Conformance) -> Self {
        Self { services, ctx, conformance, shown: None }
    }

    /// The use cases.
    pub const fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The tables that the users of its directory are read by.
    pub(super) async fn user_type(&self) -> std::result::Result<Arc<ResourceType>, Refused> {
        let found = schemas::user_type(self.services(), &self.ctx).await;
        found.map_err(|error| crate::http::api::answer::problem(&error).into())
    }

    /// Counts a request as so many, however few its limit would grant at once: what it takes beyond them is waited for
    /// by the token's next requests. Refused only while an earlier one is not paid for.
    pub(super) fn count_as(&self, request: &Request, requests: usize) -> std::result::Result<(), Refused> {
        let further = u32::try_from(requests.saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(Shown { state, credential, .. }) = self.shown.as_ref().filter(|_| further > 0) {
            let decision = state.limits.scim.overdraw(credential, further);
            let refusal = decision.problem();
            RateLimitSlot::revise(request, decision);
            if let Some(problem) = refusal {
                return Err(problem.into());
            }
        }
        Ok(())
    }

    /// Asks again whether the token is good, for a request that takes long.
    pub(super) async fn still_known(&self) -> std::result::Result<(), ScimError> {
        let services = &self.services;
        let Some(Shown { token, .. }) = &self.shown else { return Ok(()) };
        match scim_credentials::scim_token(services, token.expose_secret(), services.clock.now()).await {
            Ok(known) if known.actor() == self.ctx.actor => Ok(()),
            // Whether it is good cannot be told; each operation meets the same and says so.
            Err(ScimRefusal::Failed(_)) => Ok(()),
            _ => Err(ScimError::new(401, INVALID)),
        }
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
fn refused(services: &Services, detail: &'static str, error: &str) -> Problem {
    let mut problem = unauthenticated();
    problem.detail = detail.into();
    problem.headers = None;
    let metadata = scim_oauth::resource_metadata_url(services);
    let challenge = format!("Bearer realm=\"scim\"{error}, resource_metadata=\"{metadata}\"");
    problem.header(header::WWW_AUTHENTICATE, challenge)
}

/// The refusal of a token that opens nothing, whatever the reason.
pub(super) fn invalid(services: &Services) -> Problem {
    refused(services, INVALID, ", error=\"invalid_token\"")
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
                let credential = known.credential.uuid();
                ctx.actor = known.actor();
                Slot::known(request, &ctx);
                enforce(request, &state.limits.scim, &credential)?;
                let token = Arc::new(SecretString::from(token));
                let services = Arc::clone(&state.services);
                let shown = Some(Shown { state, credential, token });
                return Ok(ScimCaller { services, ctx, conformance: known.conformance, shown });
            }
            Err(ScimRefusal::Failed(error)) => return Err(crate::http::api::answer::problem(&error).into()),
            Err(refusal) => {
                // The log tells the reasons apart, the answer does not.
                note(&refusal, &ctx);
                if let Some(whose) = refusal.whose() {
                    Slot::refused(request, &ctx, whose, (refusal.reason(), refusal.to_string()));
                }
                invalid(&state.services)
            }
        },
        None => refused(&state.services, "A SCIM token is needed: send it as Authorization: Bearer.", ""),
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
