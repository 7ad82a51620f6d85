//! API keys of an organization: made with their secret shown once, listed without it, revoked at once.
//!
//! A key makes keys only within its own scopes and lifetime. The scope `trust` (rule 10a) comes from the operator, or
//! from a key that has it: a person would need an owner's step-up, which a session is not. Whoever makes a key is
//! checked again in the transaction that makes it (rule 11). A key that a key made counts as made by the same person,
//! so that it is flagged for rotation with the other one when that person leaves.

pub use crate::store::api_keys::ApiKey;

use super::organizations::reach;
use super::permissions::{Action, may};
use super::{Ctx, Error, FieldError, Services, access};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::id::{ApiKeyId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::scope::{Scope, ScopeSet};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::Role;
use crate::model::time::Timestamp;
use crate::store;
use serde_json::json;

/// Names are at most this long.
const MAX_NAME: usize = 100;
/// The last time that can be written as a time: 9999-12-31T23:59:59Z.
const LAST_EXPIRY: Timestamp = Timestamp::from_micros(253_402_300_799_000_000);

/// A new key.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Without one the key lives until it is revoked.
    pub expires_at: Option<Timestamp>,
}

fn check(new: &CreateApiKey, now: Timestamp) -> Result<(String, ScopeSet), Error> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, code, message: String| {
        errors.push(FieldError { field: field.to_owned(), code, message });
    };
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("A name has 1 to {MAX_NAME} characters and no control characters.");
        wrong("name", "name_invalid", message);
    }
    let scopes = ScopeSet::new(new.scopes.iter().copied());
    if scopes.is_empty() {
        wrong(
            "scopes",
            "required",
            "A key needs at least one scope, such as \"organization:read\".".to_owned(),
        );
    }
    if let Some(end) = new.expires_at
        && end <= now
    {
        let message = format!("{end} is over; a time after {now} was expected.");
        wrong("expires_at", "in_the_past", message);
    }
    if new.expires_at.is_some_and(|end| end > LAST_EXPIRY) {
        let message =
            format!("A key lives until {LAST_EXPIRY} at most; leave expires_at out for one without end.");
        wrong("expires_at", "out_of_range", message);
    }
    if errors.is_empty() { Ok((name, scopes)) } else { Err(Error::Invalid(errors)) }
}

/// Makes a key. The secret is given this once.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] `scope_above_own`, `expiry_above_own` or `step_up_required`.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: CreateApiKey,
) -> Result<(ApiKey, Token), Error> {
    let scope = reach(services, ctx, organization, Action::WriteApiKeys).await?;
    let (name, scopes) = check(&new, ctx.now)?;
    // A key that may change trust is made by who may, or by a key that has the scope itself.
    let trusted = scopes.contains(Scope::Trust) && matches!(ctx.actor, Actor::Person { .. });
    if trusted {
        may(ctx, organization, Action::ChangeTrust)?;
    }
    let tx = services.begin().await?;
    let maker = access::maker(&tx, ctx, scope, if trusted { Role::Owner } else { Role::Admin }).await?;
    if let Some(own) = &maker.key {
        if !scopes.is_subset(&own.scopes) {
            let missing = ScopeSet::new(scopes.iter().filter(|scope| !own.scopes.contains(*scope)));
            return Err(Error::forbidden(
                "scope_above_own",
                format!("A key makes keys within its own scopes only; this one lacks: {missing}."),
            ));
        }
        if let Some(end) = own.expires_at
            && new.expires_at.is_none_or(|wanted| wanted > end)
        {
            return Err(Error::forbidden(
                "expiry_above_own",
                format!(
                    "A key makes keys that expire no later than itself: give an expires_at of {end} at most."
                ),
            ));
        }
    }
    let token = Token::generate(TokenKind::ApiKey, &*services.random);
    let key = ApiKey {
        id: ApiKeyId::new(ctx.now, &*services.random),
        organization_id: Some(organization),
        name,
        hash: token.hash(),
        last_four: token.last_four(),
        scopes,
        created_by: maker.id,
        created_by_user_id: maker.user.or_else(|| maker.key.and_then(|key| key.created_by_user_id)),
        rotation_due_at: None,
        created_at: ctx.now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::api_keys::insert(&tx, key.clone()).await?;
    let data = json!({
        "name": key.name,
        "scopes": key.scopes.iter().collect::<Vec<_>>(),
        "expires_at": key.expires_at,
    });
    services.record(&tx, ctx, organization, EventKind::ApiKeyCreated, key.id, data).await?;
    tx.commit().await?;
    Ok((key, token))
}

/// A page of the keys that were not revoked, oldest first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    request: &PageRequest,
) -> Result<Page<ApiKey>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadApiKeys).await?;
    Ok(store::api_keys::list(&services.db, scope, request).await?)
}

/// One key that was not revoked.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<ApiKey, Error> {
    let scope = reach(services, ctx, organization, Action::ReadApiKeys).await?;
    store::api_keys::find(&services.db, scope, id)
        .await?
        .filter(|key| key.revoked_at.is_none())
        .ok_or_else(|| Error::not_found("API key"))
}

/// Revokes a key: dead at once on this node, within a second on every other.
///
/// # Errors
/// [`Error::NotFound`], also for one that was revoked before.
pub async fn revoke(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<(), Error> {
    let scope = reach(services, ctx, organization, Action::WriteApiKeys).await?;
    let tx = services.begin().await?;
    if !store::api_keys::revoke(&tx, scope, id, ctx.now).await? {
        return Err(Error::not_found("API key"));
    }
    services.record(&tx, ctx, organization, EventKind::ApiKeyRevoked, id, json!({})).await?;
    tx.commit().await?;
    services.caches.api_keys.clear();
    Ok(())
}
