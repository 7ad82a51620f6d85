//! Who calls the REST API: one security scheme that reads the credential itself, so that a wrong credential is told
//! from a missing one (poem-openapi's own enum schemes and fallbacks do not).
//!
//! An `Authorization` header wins over the session cookie; a cookie counts for a change only from our own pages.

use super::answer::{Failure, problem};
use super::dto::id;
use crate::http::limits::enforce;
use crate::http::same_origin;
use crate::http::state::State;
use crate::model::actor::Actor;
use crate::model::id::{OrganizationId, UserId};
use crate::service::credentials::Session;
use crate::service::credentials::{self, Authenticated};
use crate::service::{Ctx, Error, Services};
use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use std::sync::Arc;

/// The caller of a REST operation, authenticated and within the limits.
#[derive(Clone)]
pub struct Caller {
    state: Arc<State>,
    /// Who acts, when, from where.
    pub ctx: Ctx,
    /// The credential.
    pub credential: Arc<Authenticated>,
    /// The session, if the credential is a session cookie or an access token.
    pub session: Option<Arc<Session>>,
}

impl Caller {
    /// The use cases.
    pub fn services(&self) -> &Services {
        &self.state.services
    }

    /// What handlers share.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Reads the user of the path; `me` stands for the signed-in person.
    ///
    /// # Errors
    /// 404 for an id of another kind; 403 for `me` with a key.
    pub fn user(&self, text: &str) -> std::result::Result<UserId, Failure> {
        match &self.ctx.actor {
            _ if text != "me" => id(text),
            Actor::Person { user, .. } => Ok(*user),
            _ => Err(crate::service::me::not_signed_in().into()),
        }
    }

    /// The authenticated caller of a request.
    ///
    /// # Errors
    /// 401 without a valid credential, 403 for a cookie from elsewhere, 429 over the limit.
    pub async fn authenticate(request: &Request) -> Result<Self> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(known.clone());
        }
        let state = Arc::clone(State::of(request)?);
        let mut ctx = state.anonymous(request);
        let presented = present(request, &state, ctx.now).await;
        let (credential, session) = match presented {
            Ok(known) => known,
            Err(error) => {
                // Guessing is limited by address; what is left of that limit is told as well.
                if let Some(ip) = ctx.ip {
                    enforce(request, &state.limits.addresses, &crate::http::limits::address_key(ip))?;
                }
                return Err(problem(&error).into());
            }
        };
        enforce(request, &state.limits.credentials, &credential.limit_key)?;
        ctx.actor = credential.actor.clone();
        if session.is_some()
            && request.header(header::AUTHORIZATION).is_none()
            && same_origin::is_unsafe(request.method())
        {
            same_origin::check(request, &state.origin)?;
        }
        Ok(Self { state, ctx, credential: Arc::new(credential), session: session.map(Arc::new) })
    }

    /// The organization that a path names: by its id, or as `me`, the organization of the credential.
    ///
    /// # Errors
    /// 404 for an id of another kind; 400 for `me` with a credential that belongs to no organization.
    pub fn organization(&self, text: &str) -> std::result::Result<OrganizationId, Failure> {
        if text != "me" {
            return id(text);
        }
        self.ctx.actor.organization().ok_or_else(|| {
            Error::refused(
                "operator_has_no_organization",
                "An operator's key belongs to no organization: name one by its id instead of \"me\".",
            )
            .into()
        })
    }

    /// The name that idempotency keys are bound to.
    pub fn credential_name(&self) -> String {
        match &self.ctx.actor {
            Actor::Person { session, .. } => session.to_string(),
            actor => actor.id().unwrap_or_default(),
        }
    }
}

async fn present(
    request: &Request,
    state: &State,
    now: crate::model::time::Timestamp,
) -> Result<(Authenticated, Option<Session>), Error> {
    let services = &state.services;
    if let Some(value) = request.header(header::AUTHORIZATION) {
        let (scheme, text) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || text.trim().is_empty() {
            return Err(Error::Unauthenticated {
                code: "credential_malformed",
                message: "The Authorization header is not \"Bearer\" and a credential.".to_owned(),
            });
        }
        return credentials::bearer(services, text.trim(), now).await;
    }
    if let Some(cookie) = request.cookie().get(state.session_cookie()) {
        let (known, session) = Box::pin(credentials::session(services, cookie.value_str(), now)).await?;
        return Ok((known, Some(session)));
    }
    Err(Error::Unauthenticated {
        code: "credential_missing",
        message: "This needs a credential: an API key or access token as \"Authorization: Bearer …\", or a session cookie."
            .to_owned(),
    })
}

const SCHEME: &str = "credential";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some(
                    "An API key, an operator's key, or an access token of a signed-in person. Browsers may use the \
                     session cookie instead, from our own pages.",
                ),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Self::authenticate(request).await
    }
}
