//! Access tokens: a signed-in person trades the session for a short-lived JWT for the REST API.
//!
//! The signing key is made on first need, sealed under the installation key in the database, and shared by all nodes.
//! A token is dead with its session at once: each use asks for the session.

use super::credentials::{self, Authenticated, Session};
use super::{Ctx, Error, Services};
use crate::model::actor::Actor;
use crate::model::id::{OrganizationId, SessionId};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::protocol::jwt::{self, Claims, SigningKey};
use crate::store;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// What the sealed private part is sealed for.
const PURPOSE: &str = "signing-key";

/// The signing keys that this node knows, newest first.
#[derive(Debug, Default)]
pub struct SigningKeys(ArcSwap<Vec<SigningKey>>);

impl SigningKeys {
    /// None known yet.
    pub fn new() -> Self {
        jwt::use_openssl();
        Self::default()
    }
}

/// A token and how long it lives.
#[derive(Debug)]
pub struct AccessToken {
    /// The JWT.
    pub token: String,
    /// Seconds until it ends.
    pub expires_in: i64,
}

fn audience(services: &Services) -> String {
    services.settings.url("/api/v1")
}

fn internal(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("{what}: {error}"))
}

/// Reads the keys from the database, and makes the first one if there is none. Two nodes at once may make one each:
/// both are kept and published.
pub async fn load_keys(services: &Services) -> Result<Arc<Vec<SigningKey>>, Error> {
    let scope = InstallationScope::established();
    let mut rows = store::signing_keys::list(&services.db, scope).await?;
    if rows.is_empty() {
        let (private, public) =
            SigningKey::generate().map_err(|e| internal("no signing key could be made", e))?;
        let key =
            SigningKey::from_pkcs8(&private).map_err(|e| internal("a new signing key cannot be read", e))?;
        let sealed = services
            .sealer
            .seal(PURPOSE, &private, &*services.random)
            .map_err(|e| internal("a signing key cannot be sealed", e))?;
        let row = store::signing_keys::SigningKey {
            id: key.id().to_owned(),
            public_pem: public,
            private_sealed: sealed,
            created_at: services.clock.now(),
            retired_at: None,
        };
        let tx = services.begin().await?;
        store::signing_keys::insert(&tx, scope, row).await?;
        tx.commit().await?;
        rows = store::signing_keys::list(&services.db, scope).await?;
    }
    let keys = Arc::new(opened(services, rows)?);
    services.signing_keys.0.store(Arc::clone(&keys));
    Ok(keys)
}

/// Opens the keys that are there, making none: for the doctor.
pub async fn open_keys(services: &Services) -> Result<Vec<SigningKey>, Error> {
    let rows = store::signing_keys::list(&services.db, InstallationScope::established()).await?;
    opened(services, rows)
}

fn opened(services: &Services, rows: Vec<store::signing_keys::SigningKey>) -> Result<Vec<SigningKey>, Error> {
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let private = services
            .sealer
            .open(PURPOSE, &row.private_sealed)
            .map_err(|e| internal("a signing key was sealed under another installation key", e))?;
        keys.push(SigningKey::from_pkcs8(&private).map_err(|e| internal("a signing key cannot be read", e))?);
    }
    Ok(keys)
}

async fn known_keys(services: &Services) -> Result<Arc<Vec<SigningKey>>, Error> {
    let keys = services.signing_keys.0.load_full();
    if keys.is_empty() { load_keys(services).await } else { Ok(keys) }
}

/// The public keys as a JWK set (RFC 7517 §5).
pub async fn key_set(services: &Services) -> Result<serde_json::Value, Error> {
    let keys = load_keys(services).await?;
    Ok(serde_json::json!({ "keys": keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() }))
}

/// Issues a token for the signed-in person; it never outlives the session.
///
/// # Errors
/// [`Error::Forbidden`] `session_required` for any other credential.
pub async fn issue(services: &Services, ctx: &Ctx, session: Option<&Session>) -> Result<AccessToken, Error> {
    let (Actor::Person { user, organization, role, session: id, .. }, Some(session)) = (&ctx.actor, session)
    else {
        return Err(Error::forbidden(
            "session_required",
            "Only a signed-in person trades a session for an access token; a key is a credential by itself.",
        ));
    };
    let end = ctx.now.plus(services.settings.access_token_lifetime).min(session.expires_at);
    let claims = Claims {
        iss: services.settings.public_url.clone(),
        sub: user.to_string(),
        aud: audience(services),
        client_id: "postern".to_owned(),
        iat: ctx.now.unix_seconds(),
        exp: end.unix_seconds(),
        jti: crate::model::id::uuid_v4(&*services.random).to_string(),
        auth_time: session.authn_at.unix_seconds(),
        sid: id.to_string(),
        org: organization.to_string(),
        role: role.to_string(),
    };
    let keys = known_keys(services).await?;
    let key = keys.first().ok_or_else(|| Error::Internal("there is no signing key".to_owned()))?;
    let token = key.sign(&claims).map_err(|e| internal("an access token could not be signed", e))?;
    Ok(AccessToken { token, expires_in: claims.exp - claims.iat })
}

/// Who a token stands for, if its session lives.
///
/// # Errors
/// [`Error::Unauthenticated`]: `access_token_expired` for one of ours that ended (ask for a new one), else the same
/// for every reason.
pub async fn authenticate(
    services: &Services,
    token: &str,
    now: Timestamp,
) -> Result<(Authenticated, Session), Error> {
    let (issuer, audience) = (services.settings.public_url.as_str(), audience(services));
    let keys = known_keys(services).await?;
    let mut read = jwt::verify(token, &keys, issuer, &audience, now.unix_seconds());
    if read == Err(jwt::TokenError::Invalid) && names_unknown_key(token, &keys) {
        // Another node may have made a key since.
        let keys = load_keys(services).await?;
        read = jwt::verify(token, &keys, issuer, &audience, now.unix_seconds());
    }
    let claims = read.map_err(|error| match error {
        jwt::TokenError::Expired => Error::Unauthenticated {
            code: "access_token_expired",
            message: "This access token has ended. Ask for a new one with the session.".to_owned(),
        },
        jwt::TokenError::Invalid => credentials::refused(),
    })?;
    let session: SessionId = claims.sid.parse().map_err(|_| credentials::refused())?;
    let organization: OrganizationId = claims.org.parse().map_err(|_| credentials::refused())?;
    let scope = TenantScope::established(organization);
    let (known, session) = credentials::session_by_id(services, scope, session, now).await?;
    if session.user_id.to_string() != claims.sub {
        return Err(credentials::refused());
    }
    Ok((known, session))
}

fn names_unknown_key(token: &str, keys: &[SigningKey]) -> bool {
    jwt::key_id(token).is_some_and(|id| keys.iter().all(|key| key.id() != id))
}
