//! The token endpoint of directories: an OAuth client proves itself and is given an access token for an hour, bound to
//! its directory (RFC 6749 §4.4, RFC 7523 §2.2).
//!
//! Access tokens are opaque and stored as hashes, so that a revoked client is out at once. The client is checked again
//! in the transaction that makes the token, and an assertion is remembered in it, so that it is good once on all nodes
//! together. Whoever has not proven to be a client hears one answer for every reason; the log hears which it was.

use super::{Ctx, Error, Services};
use crate::model::id::{ScimAccessTokenId, ScimClientId};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::{ClientAuthentication, SigningAlgorithm};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::client_assertion::{self, Accepted, AssertionError, Expected, KeySet};
use crate::store::error::{StoreError, UniqueKey};
use crate::store::scim_clients::{ScimAccessToken, ScimClient};
use crate::store::{self, Tx};
use serde_json::{Value, json};
use std::time::Duration;

/// How long an access token lives.
pub const LIFETIME: Duration = Duration::from_hours(1);
/// The one scope there is.
pub const SCOPE: &str = "scim";
/// The grant.
const GRANT: &str = "client_credentials";
/// The kind of assertion (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client says who it is.
#[derive(Clone)]
pub enum Proof<'a> {
    /// An `Authorization: Basic` header.
    Basic { id: &'a str, secret: &'a str },
    /// A signed assertion in the body.
    Assertion(&'a str),
}

/// A request for a token, its parameters as they were sent.
#[derive(Clone, Default)]
pub struct TokenRequest<'a> {
    pub grant_type: Option<&'a str>,
    pub scope: Option<&'a str>,
    pub resource: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub client_assertion_type: Option<&'a str>,
    pub proof: Option<Proof<'a>>,
}

/// A client that has proven itself, and may be given a token.
#[derive(Debug)]
pub struct Proven {
    client: ScimClient,
    /// Its assertion, which is still to be used up.
    accepted: Option<Accepted>,
}

impl Proven {
    /// Which client.
    pub const fn id(&self) -> ScimClientId {
        self.client.id
    }
}

/// A refusal in the words of RFC 6749 §5.2.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    #[error("{0}")]
    InvalidRequest(String),
    /// The client has not proven itself; the sentence is what it may know.
    #[error("{0}")]
    InvalidClient(String),
    #[error("The grant_type must be client_credentials.")]
    UnsupportedGrantType,
    #[error("The only scope here is \"scim\".")]
    InvalidScope,
    #[error("The only resource here is the SCIM base URL.")]
    InvalidTarget,
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<StoreError> for OauthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(UniqueKey::UsedClientAssertion) => {
                Self::InvalidClient("This assertion was used before; each needs a jti of its own.".to_owned())
            }
            other => Self::Failed(other.into()),
        }
    }
}

impl OauthError {
    /// The code of RFC 6749 §5.2 and RFC 8707 §2; `None` for a failure of ours.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest(_) => Some("invalid_request"),
            Self::InvalidClient(_) => Some("invalid_client"),
            Self::UnsupportedGrantType => Some("unsupported_grant_type"),
            Self::InvalidScope => Some("invalid_scope"),
            Self::InvalidTarget => Some("invalid_target"),
            Self::Failed(_) => None,
        }
    }
}

/// The one answer to whoever has not proven to be a client. The log hears the reason.
fn unproven(ctx: &Ctx, client: Option<&ScimClient>, reason: &str) -> OauthError {
    let (id, organization) = (client.map(|row| row.id), client.map(|row| row.organization_id));
    tracing::info!(
        reason, client = ?id, ?organization, request_id = &*ctx.request_id, "an OAuth client was refused"
    );
    OauthError::InvalidClient(
        "The client could not be authenticated: it may be unknown or revoked, or its secret, key or algorithm is not \
         the registered one."
            .to_owned(),
    )
}

/// Who issues tokens: the installation's public URL. Assertions name it as their audience.
pub fn issuer(services: &Services) -> &str {
    &services.settings.public_url
}

/// The client that asks for a token, if it proves itself and asks for what there is.
///
/// # Errors
/// [`OauthError`].
pub async fn prove(services: &Services, ctx: &Ctx, request: &TokenRequest<'_>) -> Result<Proven, OauthError> {
    check_form(request)?;
    let proven = authenticate(services, ctx, request).await?;
    match request.grant_type {
        Some(GRANT) => {}
        Some(_) => return Err(OauthError::UnsupportedGrantType),
        None => return Err(OauthError::InvalidRequest("The parameter grant_type is missing.".to_owned())),
    }
    if request.scope.is_some_and(|scope| scope != SCOPE) {
        return Err(OauthError::InvalidScope);
    }
    if request.resource.is_some_and(|wanted| wanted != super::directories::base_url(services)) {
        return Err(OauthError::InvalidTarget);
    }
    Ok(proven)
}

/// Gives an access token to a client that has proven itself.
///
/// # Errors
/// [`OauthError::InvalidClient`] if the client was revoked meanwhile, or its assertion was used before.
pub async fn issue(services: &Services, ctx: &Ctx, proven: Proven) -> Result<Token, OauthError> {
    let tx = services.begin().await?;
    let token = insert(services, ctx, &tx, proven).await?;
    tx.commit().await?;
    Ok(token)
}

/// What is wrong whoever asks.
fn check_form(request: &TokenRequest<'_>) -> Result<(), OauthError> {
    let assertion = matches!(request.proof, Some(Proof::Assertion(_)));
    match request.client_assertion_type {
        Some(ASSERTION_TYPE) if assertion => Ok(()),
        None if !assertion => Ok(()),
        _ => Err(OauthError::InvalidRequest(format!(
            "client_assertion and client_assertion_type go together, and the type is {ASSERTION_TYPE}."
        ))),
    }
}

/// The client, if it proves itself.
async fn authenticate(
    services: &Services,
    ctx: &Ctx,
    request: &TokenRequest<'_>,
) -> Result<Proven, OauthError> {
    let Some(proof) = &request.proof else {
        return Err(unproven(ctx, None, "no proof"));
    };
    let claimed = match proof {
        Proof::Basic { id, .. } => Some((*id).to_owned()),
        Proof::Assertion(assertion) => client_assertion::claimed_client(assertion),
    };
    let claimed = claimed.ok_or_else(|| unproven(ctx, None, "malformed"))?;
    if request.client_id.is_some_and(|id| id != claimed) {
        return Err(unproven(ctx, None, "another client_id"));
    }
    let id: ScimClientId = claimed.parse().map_err(|_| unproven(ctx, None, "unknown"))?;
    let client = store::scim_clients::find_claimed(&services.db, id).await?;
    let client = client.ok_or_else(|| unproven(ctx, None, "unknown"))?;
    match (proof, client.method) {
        (Proof::Basic { secret, .. }, ClientAuthentication::SecretBasic) => {
            let secret = Token::parse(TokenKind::ScimClientSecret, secret).map(|secret| secret.hash());
            if secret.is_none() || secret != client.secret_hash {
                return Err(unproven(ctx, Some(&client), "wrong secret"));
            }
            Ok(Proven { client, accepted: None })
        }
        (Proof::Assertion(assertion), ClientAuthentication::PrivateKeyJwt) => {
            let accepted = verify(services, ctx, &client, assertion)?;
            Ok(Proven { client, accepted: Some(accepted) })
        }
        _ => Err(unproven(ctx, Some(&client), "another method")),
    }
}

fn verify(
    services: &Services,
    ctx: &Ctx,
    client: &ScimClient,
    assertion: &str,
) -> Result<Accepted, OauthError> {
    let keys = keys(client)?;
    let client_id = client.id.to_string();
    let expected = Expected {
        client_id: &client_id,
        issuer: issuer(services),
        now: ctx.now.unix_seconds(),
        skew: i64::try_from(services.settings.clock_skew.as_secs()).unwrap_or(0),
    };
    client_assertion::verify(assertion, &keys, expected).map_err(|error| {
        let refused = unproven(ctx, Some(client), &error.to_string());
        if error.is_of_the_client() { told(error) } else { refused }
    })
}

/// What a client that has signed may know of its mistake.
fn told(error: AssertionError) -> OauthError {
    OauthError::InvalidClient(format!("The client_assertion is not taken: {error}."))
}

/// The keys as they were registered.
fn keys(client: &ScimClient) -> Result<KeySet, Error> {
    let broken = |error: &dyn std::fmt::Display| Error::Internal(format!("keys of {}: {error}", client.id));
    let algorithms: Vec<SigningAlgorithm> =
        serde_json::from_value(client.signing_algorithms.clone()).map_err(|error| broken(&error))?;
    KeySet::parse(&client.jwks, &algorithms).map_err(|error| broken(&error))
}

/// Makes the token, in the transaction that finds the client alive once more and uses its assertion up.
async fn insert(services: &Services, ctx: &Ctx, tx: &Tx, proven: Proven) -> Result<Token, OauthError> {
    let Proven { client, accepted } = proven;
    store::scim_clients::lock_claimed(tx, client.id)
        .await?
        .ok_or_else(|| unproven(ctx, Some(&client), "revoked meanwhile"))?;
    if let Some(accepted) = accepted {
        let until = Timestamp::from_micros(accepted.usable_until.saturating_mul(1_000_000));
        store::scim_clients::use_assertion(tx, client.id, &accepted.jti, until).await.inspect_err(|_| {
            drop(unproven(ctx, Some(&client), "used before"));
        })?;
    }
    let token = Token::generate(TokenKind::ScimAccessToken, &*services.random);
    let row = ScimAccessToken {
        id: ScimAccessTokenId::new(ctx.now, &*services.random),
        organization_id: client.organization_id,
        directory_id: client.directory_id,
        client_id: client.id,
        hash: token.hash(),
        created_at: ctx.now,
        expires_at: ctx.now.plus(LIFETIME),
    };
    store::scim_clients::insert_token(tx, row).await?;
    // The client has proven whose it is.
    let scope = TenantScope::established(client.organization_id);
    store::scim_clients::touch(tx, scope, client.id, ctx.now).await?;
    Ok(token)
}

/// The URL of the token endpoint.
pub(super) fn token_endpoint(services: &Services) -> String {
    services.settings.url("/oauth/token")
}

/// What describes the resource, for whoever was refused there (RFC 9728 §3).
pub fn resource_metadata_url(services: &Services) -> String {
    services.settings.url("/.well-known/oauth-protected-resource/scim/v2")
}

/// The metadata of the authorization server (RFC 8414 §2).
pub fn server_metadata(services: &Services) -> Value {
    let methods = ClientAuthentication::ALL.iter().rev().map(|method| method.as_str());
    json!({
        "issuer": issuer(services),
        "token_endpoint": token_endpoint(services),
        "jwks_uri": services.settings.url("/.well-known/jwks.json"),
        "scopes_supported": [SCOPE],
        "response_types_supported": [],
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": methods.collect::<Vec<_>>(),
        "token_endpoint_auth_signing_alg_values_supported": SigningAlgorithm::ALL,
        "protected_resources": [super::directories::base_url(services)],
    })
}

/// The metadata of the SCIM door as a protected resource (RFC 9728 §2).
pub fn resource_metadata(services: &Services) -> Value {
    json!({
        "resource": super::directories::base_url(services),
        "authorization_servers": [issuer(services)],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": "SCIM 2.0",
    })
}
