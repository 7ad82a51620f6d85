//! The operator's keys: made, listed and revoked on the command line, good for every organization. They belong to
//! no organization, so what happens to them stands in the log and not among the events.

pub use crate::store::api_keys::ApiKey as OperatorKey;

use super::permissions::operator;
use super::{Ctx, Error, Services};
use crate::model::id::ApiKeyId;
use crate::model::scope::ScopeSet;
use crate::model::secret::{Token, TokenKind};
use crate::store;

/// Names are at most this long.
const MAX_NAME: usize = 100;

/// Makes a key; the secret is in the answer and nowhere else.
///
/// # Errors
/// [`Error::Invalid`] for a name that is empty, too long or has control characters.
pub async fn create(services: &Services, ctx: &Ctx, name: &str) -> Result<(OperatorKey, Token), Error> {
    operator(ctx)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("A name has 1 to {MAX_NAME} characters and no control characters.");
        return Err(Error::field("name", "name_invalid", message));
    }
    let token = Token::generate(TokenKind::OperatorKey, &*services.random);
    let key = OperatorKey {
        id: ApiKeyId::new(ctx.now, &*services.random),
        organization_id: None,
        name: name.to_owned(),
        hash: token.hash(),
        last_four: token.last_four(),
        scopes: ScopeSet::default(),
        created_by: ctx.actor.id(),
        created_by_user_id: None,
        rotation_due_at: None,
        created_at: ctx.now,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let tx = services.begin().await?;
    store::api_keys::insert(&tx, key.clone()).await?;
    tx.commit().await?;
    tracing::info!(key = %key.id, name = key.name, "an operator's key was made");
    Ok((key, token))
}

/// All keys, revoked ones too, oldest first.
pub async fn list(services: &Services, ctx: &Ctx) -> Result<Vec<OperatorKey>, Error> {
    Ok(store::api_keys::list_operator(&services.db, operator(ctx)?).await?)
}

/// Makes a key worthless at once; `false` if it was so already.
///
/// # Errors
/// [`Error::NotFound`] if there never was such a key.
pub async fn revoke(services: &Services, ctx: &Ctx, id: ApiKeyId) -> Result<bool, Error> {
    let scope = operator(ctx)?;
    let tx = services.begin().await?;
    if store::api_keys::revoke_operator(&tx, scope, id, ctx.now).await? {
        tx.commit().await?;
        tracing::info!(key = %id, "an operator's key was revoked");
        return Ok(true);
    }
    let known = store::api_keys::list_operator(&tx, scope).await?;
    if known.iter().any(|key| key.id == id) { Ok(false) } else { Err(Error::not_found("operator's key")) }
}
