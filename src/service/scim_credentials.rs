//! From what is presented at the SCIM door to the directory behind it.
//!
//! Whoever is refused hears one answer for every reason; the log hears which it was, because "expired" and "mistyped"
//! are mended in different places. Known tokens are cached for less than a second, with their end, so that an expiry
//! needs nobody to clear anything.

use super::cache::KnownScimToken;
use super::credentials::TOUCH_EVERY;
use super::{Error, Services};
use crate::model::actor::DirectoryCredential;
use crate::model::secret::{Token, TokenKind};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store;
use crate::store::error::StoreError;
use crate::store::scim_tokens::{Presented, ScimToken};

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScimRefusal {
    /// None of ours, or mistyped.
    #[error("the token is not known")]
    Wrong,
    /// Somebody took it back.
    #[error("the token was revoked")]
    Revoked(Box<ScimToken>),
    /// It ran out, or the overlap of its rotation did.
    #[error("the token has expired")]
    Expired(Box<ScimToken>),
    /// Its directory takes OAuth clients only.
    #[error("the directory takes no SCIM tokens")]
    OauthOnly(Box<ScimToken>),
    /// It could not be looked up.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl ScimRefusal {
    /// The reason in one word, for logs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Revoked(_) => "revoked",
            Self::Expired(_) => "expired",
            Self::OauthOnly(_) => "oauth_only",
            Self::Failed(_) => "failed",
        }
    }

    /// The token, if it is or was one of ours.
    pub const fn token(&self) -> Option<&ScimToken> {
        match self {
            Self::Revoked(token) | Self::Expired(token) | Self::OauthOnly(token) => Some(token),
            Self::Wrong | Self::Failed(_) => None,
        }
    }
}

impl From<StoreError> for ScimRefusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A SCIM token.
///
/// # Errors
/// [`ScimRefusal`]; only [`ScimRefusal::Failed`] may be told from the others by whoever asks.
pub async fn scim_token(
    services: &Services,
    text: &str,
    now: Timestamp,
) -> Result<KnownScimToken, ScimRefusal> {
    let token = Token::parse(TokenKind::ScimToken, text).ok_or(ScimRefusal::Wrong)?;
    let hash = token.hash();
    let fetch = || async {
        match store::scim_tokens::find_by_hash(&services.db, &hash).await? {
            Some(presented) => known(services, presented, now).await.map(Some),
            None => Ok(None),
        }
    };
    let known = services.caches.scim_tokens.get(hash.clone(), fetch).await?.ok_or(ScimRefusal::Wrong)?;
    if known.ends_at.is_some_and(|end| end <= now) {
        // It ended while it was cached; the row says what to tell the log.
        let row = store::scim_tokens::find_by_hash(&services.db, &hash).await?.ok_or(ScimRefusal::Wrong)?;
        return Err(ScimRefusal::Expired(Box::new(row.token)));
    }
    Ok(known)
}

/// What a live token stands for; notes its use.
async fn known(
    services: &Services,
    presented: Presented,
    now: Timestamp,
) -> Result<KnownScimToken, ScimRefusal> {
    let Presented { token, domain, conformance, oauth_only } = presented;
    if token.revoked_at.is_some() || token.domain_id.is_some() && domain.is_none() {
        return Err(ScimRefusal::Revoked(Box::new(token)));
    }
    if !token.is_live(now) {
        return Err(ScimRefusal::Expired(Box::new(token)));
    }
    if oauth_only {
        return Err(ScimRefusal::OauthOnly(Box::new(token)));
    }
    if token.last_used_at.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
        touch(services, &token, now).await;
    }
    Ok(KnownScimToken {
        credential: DirectoryCredential::Token(token.id),
        organization: token.organization_id,
        directory: token.directory_id,
        domain,
        ends_at: token.ends_at(),
        conformance,
    })
}

/// Notes the use of a token, at most once a minute; that it could not be noted fails no request.
async fn touch(services: &Services, token: &ScimToken, now: Timestamp) {
    let scope = TenantScope::established(token.organization_id);
    let noted = async {
        let tx = services.db.begin().await?;
        store::scim_tokens::touch(&tx, scope, token.id, now.minus(TOUCH_EVERY), now).await?;
        tx.commit().await
    };
    if let Err(error) = noted.await {
        tracing::debug!(%error, "the use of a SCIM token was not noted");
    }
}
