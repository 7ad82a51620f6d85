//! From a presented secret to the actor behind it: API keys, session cookies, access tokens. The SCIM door has its own
//! credentials, in the file beside.
//!
//! A secret with a wrong checksum is refused before the database is asked. What is not found, revoked and expired is
//! one answer, so that nobody can sort stolen secrets by it.

use super::cache::KnownApiKey;
use super::enforcement::{self, Permit};
use super::{Error, Services};
use crate::model::actor::Actor;
use crate::model::secret::{Token, TokenKind};
use crate::model::state::MemberStatus;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store;
use crate::store::organizations::Organization;
pub use crate::store::sessions::Session;
use std::sync::Arc;
use std::time::Duration;

/// How often a credential's "last used" is written at most.
pub(super) const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// Who a credential belongs to.
#[derive(Debug)]
pub struct Authenticated {
    /// That enforcement lets it pass; without it there is no caller.
    _permit: Permit,
    /// Who acts.
    pub actor: Actor,
    /// What the limits count by: the credential's id.
    pub limit_key: uuid::Uuid,
    /// The organization of the credential, where it was read along with it.
    pub organization: Option<Arc<Organization>>,
}

/// The one refusal for what is mistyped, unknown, revoked or expired.
pub(super) fn refused() -> Error {
    Error::Unauthenticated {
        code: "credential_invalid",
        message: "This credential is not valid: it may be mistyped, revoked or expired.".to_owned(),
    }
}

/// An API key, of an organization or the operator's.
///
/// # Errors
/// [`Error::Unauthenticated`], the same for every reason.
pub async fn api_key(services: &Services, text: &str, now: Timestamp) -> Result<Authenticated, Error> {
    if let Some(token) = Token::parse(TokenKind::OperatorKey, text) {
        let key = store::api_keys::find_live(&services.db, &token.hash(), now).await?;
        let key = key.filter(|key| key.organization_id.is_none()).ok_or_else(refused)?;
        touch_api_key(services, key.id, key.last_used_at, now).await;
        return Ok(Authenticated {
            _permit: Permit::of_no_person(),
            actor: Actor::Operator { key: key.id },
            limit_key: key.id.uuid(),
            organization: None,
        });
    }
    let token = Token::parse(TokenKind::ApiKey, text).ok_or_else(refused)?;
    let hash = token.hash();
    let fetch = || async {
        let Some(key) = store::api_keys::find_live(&services.db, &hash, now).await? else { return Ok(None) };
        let Some(organization) = key.organization_id else { return Ok(None) };
        let scope = TenantScope::established(organization);
        let Some(organization) = store::organizations::find(&services.db, scope).await? else {
            return Ok(None);
        };
        touch_api_key(services, key.id, key.last_used_at, now).await;
        Ok::<_, Error>(Some(KnownApiKey {
            id: key.id,
            organization: Arc::new(organization),
            scopes: key.scopes,
            expires_at: key.expires_at,
        }))
    };
    let key = services.caches.api_keys.get(hash.clone(), fetch).await?;
    let key = key.filter(|key| key.expires_at.is_none_or(|end| end > now)).ok_or_else(refused)?;
    Ok(Authenticated {
        _permit: Permit::of_no_person(),
        actor: Actor::Key { key: key.id, organization: key.organization.id, scopes: key.scopes },
        limit_key: key.id.uuid(),
        organization: Some(key.organization),
    })
}

/// Notes the use of a key, at most once a minute; that it could not be noted fails no request.
async fn touch_api_key(
    services: &Services,
    id: crate::model::id::ApiKeyId,
    last: Option<Timestamp>,
    now: Timestamp,
) {
    if last.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
        let noted = async {
            let tx = services.db.begin().await?;
            store::api_keys::touch(&tx, id, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(%error, "the use of an API key was not noted");
        }
    }
}

/// A session cookie: the session and the member it belongs to, if both are alive.
///
/// # Errors
/// [`Error::Unauthenticated`], the same for every reason.
pub async fn session(
    services: &Services,
    text: &str,
    now: Timestamp,
) -> Result<(Authenticated, Session), Error> {
    let token = Token::parse(TokenKind::Session, text).ok_or_else(refused)?;
    let session = store::sessions::find_live(&services.db, &token.hash(), now).await?.ok_or_else(refused)?;
    alive(services, session, now).await
}

/// The session that an access token names, if it is alive.
///
/// # Errors
/// [`Error::Unauthenticated`], the same for every reason.
pub async fn session_by_id(
    services: &Services,
    scope: TenantScope,
    id: crate::model::id::SessionId,
    now: Timestamp,
) -> Result<(Authenticated, Session), Error> {
    let session = store::sessions::find(&services.db, scope, id, now).await?.ok_or_else(refused)?;
    alive(services, session, now).await
}

async fn alive(
    services: &Services,
    session: Session,
    now: Timestamp,
) -> Result<(Authenticated, Session), Error> {
    let scope = TenantScope::established(session.organization_id);
    let organization = store::organizations::find(&services.db, scope).await?.ok_or_else(refused)?;
    let idle = organization
        .session_idle_seconds
        .and_then(|s| u64::try_from(s).ok())
        .map_or(services.settings.session_idle, Duration::from_secs);
    if now.since(session.last_seen_at) >= idle {
        return Err(refused());
    }
    let member = store::members::find(&services.db, scope, session.user_id).await?;
    let member = member.filter(|m| m.status == MemberStatus::Active).ok_or_else(refused)?;
    let permit = enforcement::of_session(services, &organization, &session, &member, now).await?;
    if now.since(session.last_seen_at) >= TOUCH_EVERY {
        let tx = services.db.begin().await?;
        store::sessions::touch(&tx, scope, session.id, now).await?;
        tx.commit().await?;
    }
    let actor = Actor::Person {
        user: session.user_id,
        organization: session.organization_id,
        role: member.role,
        session: session.id,
        stepped_up_at: session.stepped_up_at,
    };
    let authenticated = Authenticated {
        _permit: permit,
        actor,
        limit_key: session.id.uuid(),
        organization: Some(Arc::new(organization)),
    };
    Ok((authenticated, session))
}

/// Whatever stands behind `Authorization: Bearer`; with the session where it is an access token.
///
/// # Errors
/// [`Error::Unauthenticated`], the same for every reason.
pub async fn bearer(
    services: &Services,
    text: &str,
    now: Timestamp,
) -> Result<(Authenticated, Option<Session>), Error> {
    // A JWT has three parts with dots between them; no secret of ours has a dot.
    if text.bytes().filter(|b| *b == b'.').count() == 2 {
        // In a box, so that the way of API keys does not carry this one's state.
        let (known, session) = Box::pin(super::access_tokens::authenticate(services, text, now)).await?;
        return Ok((known, Some(session)));
    }
    Ok((api_key(services, text, now).await?, None))
}
