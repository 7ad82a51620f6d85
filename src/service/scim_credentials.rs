//! From what is presented at the SCIM door to the directory behind it: a SCIM token, or an access token that an OAuth
//! client of the directory was given.
//!
//! Whoever is refused hears one answer for every reason; the log hears which it was, because "expired" and "mistyped"
//! are mended in different places. Known tokens are cached for less than a second, with their end, so that an expiry
//! needs nobody to clear anything.

use super::cache::KnownScimToken;
use super::credentials::TOUCH_EVERY;
use super::{Error, Services};
use crate::model::actor::DirectoryCredential;
use crate::model::id::OrganizationId;
use crate::model::secret::{Token, TokenHash, TokenKind};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store;
use crate::store::error::StoreError;
use crate::store::scim_clients::PresentedAccessToken;
use crate::store::scim_tokens::{Presented, ScimToken};

/// Whose a token is that opens nothing, for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose {
    pub organization: OrganizationId,
    pub credential: DirectoryCredential,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScimRefusal {
    /// None of ours, or mistyped; or of an OAuth client that was revoked.
    #[error("the token is not known")]
    Wrong,
    /// Somebody took it back.
    #[error("the token was revoked")]
    Revoked(Whose),
    /// It ran out, or the overlap of its rotation did.
    #[error("the token has expired")]
    Expired(Whose),
    /// Its directory takes OAuth clients only.
    #[error("the directory takes no SCIM tokens")]
    OauthOnly(Whose),
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

    /// Whose token it is or was, if it is one of ours.
    pub const fn whose(&self) -> Option<Whose> {
        match self {
            Self::Revoked(whose) | Self::Expired(whose) | Self::OauthOnly(whose) => Some(*whose),
            Self::Wrong | Self::Failed(_) => None,
        }
    }
}

impl From<StoreError> for ScimRefusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a SCIM token, or an access token of an OAuth client, stands for.
///
/// # Errors
/// [`ScimRefusal`]; only [`ScimRefusal::Failed`] may be told from the others by whoever asks.
pub async fn scim_token(
    services: &Services,
    text: &str,
    now: Timestamp,
) -> Result<KnownScimToken, ScimRefusal> {
    let token = Token::parse(TokenKind::ScimToken, text);
    let given = token.is_none();
    let token = token.or_else(|| Token::parse(TokenKind::ScimAccessToken, text));
    let hash = token.ok_or(ScimRefusal::Wrong)?.hash();
    let fetch = || async {
        if given {
            access_token(services, &hash, now).await
        } else {
            static_token(services, &hash, now).await
        }
    };
    let known = services.caches.scim_tokens.get(hash.clone(), fetch).await?.ok_or(ScimRefusal::Wrong)?;
    if known.ends_at.is_some_and(|end| end <= now) {
        // It ended while it was cached.
        let whose = Whose { organization: known.organization, credential: known.credential };
        return Err(ScimRefusal::Expired(whose));
    }
    Ok(known)
}

/// What a token stands for that somebody pasted into the IdP; notes its use.
async fn static_token(
    services: &Services,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<KnownScimToken>, ScimRefusal> {
    let Some(presented) = store::scim_tokens::find_by_hash(&services.db, hash).await? else {
        return Ok(None);
    };
    let Presented { token, domain, conformance, oauth_only } = presented;
    let credential = DirectoryCredential::Token(token.id);
    let whose = Whose { organization: token.organization_id, credential };
    if token.revoked_at.is_some() || token.domain_id.is_some() && domain.is_none() {
        return Err(ScimRefusal::Revoked(whose));
    }
    if !token.is_live(now) {
        return Err(ScimRefusal::Expired(whose));
    }
    if oauth_only {
        return Err(ScimRefusal::OauthOnly(whose));
    }
    if token.last_used_at.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
        touch(services, &token, now).await;
    }
    Ok(Some(KnownScimToken {
        credential,
        organization: token.organization_id,
        directory: token.directory_id,
        domain,
        ends_at: token.ends_at(),
        conformance,
    }))
}

/// What a token stands for that an OAuth client was given.
async fn access_token(
    services: &Services,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<KnownScimToken>, ScimRefusal> {
    let Some(presented) = store::scim_clients::find_token(&services.db, hash).await? else { return Ok(None) };
    let PresentedAccessToken { token, conformance } = presented;
    let credential = DirectoryCredential::Client(token.client_id);
    if token.expires_at <= now {
        return Err(ScimRefusal::Expired(Whose { organization: token.organization_id, credential }));
    }
    Ok(Some(KnownScimToken {
        credential,
        organization: token.organization_id,
        directory: token.directory_id,
        domain: None,
        ends_at: Some(token.expires_at),
        conformance,
    }))
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
