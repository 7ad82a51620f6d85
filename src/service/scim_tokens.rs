//! SCIM tokens of a directory: made with their secret shown once, bound to one domain if that is wished, with an end
//! if that is wished, and rotated without an outage.
//!
//! A rotation makes a new token in the place of an old one, and the old one goes on until the overlap ends, so that the
//! IdP can be changed over at leisure. It is completed (the old one ends now) or canceled (the new one is revoked, the
//! old one goes on as before). Whatever gives a secret out, or lets one live longer, is a change of trust (rule 10a);
//! what ends one is not. All changes hold the directory's row, so that they follow each other.

pub use crate::store::scim_tokens::ScimToken;

use super::permissions::{Action, may};
use super::{Ctx, Error, FieldError, Services, access};
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, DomainId, OrganizationId, ScimTokenId};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::Role;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::store::directories::Directory;
use crate::store::{self, Tx};
use serde_json::json;
use std::time::Duration;

/// How many tokens of a directory are live at once at most: enough to rotate, few enough to know them all.
const MOST_TOKENS: usize = 20;
const DAY: Duration = Duration::from_hours(24);
/// How long a token lives at most where its life is counted in days.
const MOST_DAYS: u32 = 3_650;
/// The last time that can be written as a time: 9999-12-31T23:59:59Z.
const LAST_EXPIRY: Timestamp = Timestamp::from_micros(253_402_300_799_000_000);
/// How long the old token of a rotation goes on unless it is said, and at most.
const OVERLAP_DAYS: u32 = 7;
const MOST_OVERLAP_DAYS: u32 = 90;
/// How many days before its end the owners are told of it.
const WARN_DAYS: [u32; 3] = [30, 7, 1];
/// Warnings looked up at once.
const WARN_BATCH: u64 = 200;

/// How long a new token lives: until a time or for so many days; neither of them is without end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Life {
    pub expires_at: Option<Timestamp>,
    pub expires_in_days: Option<u32>,
}

/// A new token.
#[derive(Debug, Clone, Copy, Default)]
pub struct CreateScimToken {
    pub life: Life,
    /// The one domain whose people it may provision.
    pub domain: Option<DomainId>,
}

/// A rotation to be started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rotate {
    /// Of the new token; if nothing is said it lives as long as the old one was made to.
    pub life: Life,
    /// How long the old token goes on.
    pub overlap_days: Option<u32>,
}

/// A token that was made.
#[derive(Debug, Clone)]
pub struct Made {
    pub token: ScimToken,
    /// Given out here and never again.
    pub secret: Token,
    /// The token whose place it takes, with the end of the overlap.
    pub replaces: Option<ScimToken>,
}

fn missing() -> Error {
    Error::not_found("SCIM token")
}

fn days(days: u32) -> Duration {
    DAY.saturating_mul(days)
}

fn wrong(field: &str, code: &'static str, message: String) -> Error {
    Error::Invalid(vec![FieldError { field: field.to_owned(), code, message }])
}

impl Life {
    const fn is_unsaid(self) -> bool {
        self.expires_at.is_none() && self.expires_in_days.is_none()
    }

    /// When the token expires.
    fn end(self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        match (self.expires_at, self.expires_in_days) {
            (Some(_), Some(_)) => Err(wrong(
                "expires_in_days",
                "ambiguous",
                "Give expires_at or expires_in_days, not both.".to_owned(),
            )),
            (Some(end), None) if end <= now => {
                let message = format!("{end} is over; a time after {now} was expected.");
                Err(wrong("expires_at", "in_the_past", message))
            }
            (Some(end), None) if end > LAST_EXPIRY => {
                let message = format!(
                    "A token lives until {LAST_EXPIRY} at most; leave expires_at out for one without end."
                );
                Err(wrong("expires_at", "out_of_range", message))
            }
            (None, Some(number)) if !(1..=MOST_DAYS).contains(&number) => {
                let message = format!("{number} was given; 1 to {MOST_DAYS} days were expected.");
                Err(wrong("expires_in_days", "out_of_range", message))
            }
            (end, None) => Ok(end),
            (None, Some(number)) => Ok(Some(now.plus(days(number)))),
        }
    }
}

/// When the owners are told next that something ends: the first of the warnings that lies ahead.
fn next_warning(now: Timestamp, end: Option<Timestamp>) -> Option<Timestamp> {
    let end = end?;
    WARN_DAYS.iter().map(|number| end.minus(days(*number))).find(|at| *at > now)
}

/// Holds the directory's row. Whoever holds a domain as well takes this one first.
pub(super) async fn lock_directory(tx: &Tx, scope: TenantScope) -> Result<Directory, Error> {
    store::directories::lock(tx, scope).await?.ok_or_else(|| Error::not_found("organization"))
}

/// The same, of a directory that takes tokens.
async fn lock_for_token(tx: &Tx, scope: TenantScope) -> Result<DirectoryId, Error> {
    let directory = lock_directory(tx, scope).await?;
    if directory.oauth_only {
        return Err(Error::conflict(
            "oauth_only",
            "This directory refuses SCIM tokens (oauth_only), so a new one would open nothing. Register an OAuth \
             client, or switch oauth_only off.",
        ));
    }
    Ok(directory.id)
}

/// Holds a domain, so that it is not given up under a token that is being bound to it.
async fn lock_domain(tx: &Tx, scope: TenantScope, id: DomainId) -> Result<(), Error> {
    let domain = store::domains::lock(tx, scope, id).await?;
    domain.map(drop).ok_or_else(|| Error::not_found("domain"))
}

/// All tokens of the directory, revoked ones too, oldest first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<Vec<ScimToken>, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    Ok(store::scim_tokens::list(&services.db, scope).await?)
}

/// One token of the directory, revoked or not.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
) -> Result<ScimToken, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    store::scim_tokens::find(&services.db, scope, id).await?.ok_or_else(missing)
}

/// Whoever gives out a secret: a change of trust, by somebody who is still there.
async fn begin(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<(TenantScope, Tx), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let tx = services.begin().await?;
    access::maker(&tx, ctx, scope, Role::Owner).await?;
    Ok((scope, tx))
}

/// What a new token is made of beyond its secret.
struct Draft {
    directory: DirectoryId,
    domain: Option<DomainId>,
    replaces: Option<ScimTokenId>,
    expires_at: Option<Timestamp>,
}

/// Inserts a new token with its event. The caller holds the directory's row.
async fn insert(
    services: &Services,
    ctx: &Ctx,
    tx: &Tx,
    scope: TenantScope,
    draft: Draft,
) -> Result<(ScimToken, Token), Error> {
    let tokens = store::scim_tokens::list(tx, scope).await?;
    if tokens.iter().filter(|token| token.is_live(ctx.now)).count() >= MOST_TOKENS {
        return Err(Error::conflict(
            "too_many_tokens",
            format!("This directory has {MOST_TOKENS} live tokens, the most there can be. Revoke one first."),
        ));
    }
    let secret = Token::generate(TokenKind::ScimToken, &*services.random);
    let token = ScimToken {
        id: ScimTokenId::new(ctx.now, &*services.random),
        organization_id: scope.organization(),
        directory_id: draft.directory,
        hash: secret.hash(),
        last_four: secret.last_four(),
        domain_id: draft.domain,
        replaces_id: draft.replaces,
        created_by: ctx.actor.id(),
        created_at: ctx.now,
        expires_at: draft.expires_at,
        overlap_ends_at: None,
        warn_at: next_warning(ctx.now, draft.expires_at),
        last_used_at: None,
        revoked_at: None,
    };
    store::scim_tokens::insert(tx, token.clone()).await?;
    let data = json!({
        "last_four": token.last_four,
        "expires_at": token.expires_at,
        "domain_id": token.domain_id,
        "replaces": token.replaces_id,
    });
    services.record(tx, ctx, scope.organization(), EventKind::ScimTokenCreated, token.id, data).await?;
    Ok((token, secret))
}

/// Makes a token for the IdP's SCIM client: a change of trust.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`]; [`Error::NotFound`] for a domain that is none of the organization's; 409
/// `too_many_tokens`.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: CreateScimToken,
) -> Result<Made, Error> {
    let expires_at = new.life.end(ctx.now)?;
    let (scope, tx) = begin(services, ctx, organization).await?;
    let directory = lock_for_token(&tx, scope).await?;
    if let Some(domain) = new.domain {
        lock_domain(&tx, scope, domain).await?;
    }
    let draft = Draft { directory, domain: new.domain, replaces: None, expires_at };
    let (token, secret) = insert(services, ctx, &tx, scope, draft).await?;
    tx.commit().await?;
    Ok(Made { token, secret, replaces: None })
}

/// Makes the token of a domain, or, where it has one, starts its rotation: a change of trust.
///
/// # Errors
/// As for [`create`] and [`rotate`].
pub async fn create_for_domain(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    domain: DomainId,
    how: Rotate,
) -> Result<Made, Error> {
    let (scope, tx) = begin(services, ctx, organization).await?;
    let directory = lock_for_token(&tx, scope).await?;
    lock_domain(&tx, scope, domain).await?;
    let tokens = store::scim_tokens::list(&tx, scope).await?;
    let current = tokens.into_iter().rev().find(|t| t.domain_id == Some(domain) && t.is_live(ctx.now));
    let made = if let Some(old) = current {
        replace(services, ctx, &tx, scope, old, how).await?
    } else {
        overlap(how)?;
        let expires_at = how.life.end(ctx.now)?;
        let draft = Draft { directory, domain: Some(domain), replaces: None, expires_at };
        let (token, secret) = insert(services, ctx, &tx, scope, draft).await?;
        Made { token, secret, replaces: None }
    };
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(made)
}

/// Revokes a token: it opens nothing from now on. The other token of a rotation stays as it is.
///
/// # Errors
/// [`Error::NotFound`] also for a token that was revoked before.
pub async fn revoke(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    lock_directory(&tx, scope).await?;
    if !store::scim_tokens::revoke(&tx, scope, id, ctx.now).await? {
        return Err(Error::not_found("live SCIM token"));
    }
    services.record(&tx, ctx, organization, EventKind::ScimTokenRevoked, id, json!({})).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(())
}

/// Revokes the tokens of a domain that is being given up. The caller holds the directory's row, or a rotation under way
/// would make another one behind its back; it commits, and clears the cache of tokens.
pub(super) async fn revoke_of_domain(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    domain: DomainId,
) -> Result<(), Error> {
    for token in store::scim_tokens::revoke_of_domain(tx, scope, domain, ctx.now).await? {
        let data = json!({ "because": "domain_deleted", "domain_id": domain });
        services.record(tx, ctx, scope.organization(), EventKind::ScimTokenRevoked, token.id, data).await?;
    }
    Ok(())
}

/// The length of an overlap.
fn overlap(how: Rotate) -> Result<Duration, Error> {
    let number = how.overlap_days.unwrap_or(OVERLAP_DAYS);
    if (1..=MOST_OVERLAP_DAYS).contains(&number) {
        return Ok(days(number));
    }
    let message = format!("{number} was given; 1 to {MOST_OVERLAP_DAYS} days were expected.");
    Err(wrong("overlap_days", "out_of_range", message))
}

/// Starts a rotation: makes a token in the place of this one, bound as it is, and lets this one go on until the overlap
/// ends. A change of trust.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::NotFound`]; 409 `token_over` for one that is revoked or expired, `rotation_under_way`
/// if another token takes its place already, `too_many_tokens`.
pub async fn rotate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
    how: Rotate,
) -> Result<Made, Error> {
    let (scope, tx) = begin(services, ctx, organization).await?;
    lock_for_token(&tx, scope).await?;
    let old = store::scim_tokens::find(&tx, scope, id).await?.ok_or_else(missing)?;
    let made = replace(services, ctx, &tx, scope, old, how).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(made)
}

async fn replace(
    services: &Services,
    ctx: &Ctx,
    tx: &Tx,
    scope: TenantScope,
    mut old: ScimToken,
    how: Rotate,
) -> Result<Made, Error> {
    let overlap = overlap(how)?;
    let expires_at = if how.life.is_unsaid() {
        old.expires_at.map(|end| ctx.now.plus(end.since(old.created_at)).min(LAST_EXPIRY))
    } else {
        how.life.end(ctx.now)?
    };
    if !old.is_live(ctx.now) {
        return Err(Error::conflict(
            "token_over",
            "This token is revoked or expired, so nothing can overlap with it. Make a new token instead.",
        ));
    }
    if successor(tx, scope, &old, ctx.now).await?.is_some() {
        return Err(Error::conflict(
            "rotation_under_way",
            "Another token is taking the place of this one. Complete or cancel that rotation first.",
        ));
    }
    let draft =
        Draft { directory: old.directory_id, domain: old.domain_id, replaces: Some(old.id), expires_at };
    let (token, secret) = insert(services, ctx, tx, scope, draft).await?;
    old.overlap_ends_at = Some(ctx.now.plus(overlap));
    old.warn_at = next_warning(ctx.now, old.ends_at());
    store::scim_tokens::set_overlap(tx, scope, old.id, old.overlap_ends_at, old.warn_at).await?;
    let data = json!({
        "last_four": old.last_four,
        "replaced_by": token.id,
        "overlap_ends_at": old.overlap_ends_at,
    });
    let kind = EventKind::ScimTokenRotationStarted;
    services.record(tx, ctx, scope.organization(), kind, old.id, data).await?;
    Ok(Made { token, secret, replaces: Some(old) })
}

/// The live token that takes the place of this one.
async fn successor(
    tx: &Tx,
    scope: TenantScope,
    old: &ScimToken,
    now: Timestamp,
) -> Result<Option<ScimToken>, Error> {
    let tokens = store::scim_tokens::list(tx, scope).await?;
    Ok(tokens.into_iter().find(|token| token.replaces_id == Some(old.id) && token.is_live(now)))
}

/// A rotation under way, found by either of its tokens: the old one, live until the overlap ends, and the new one,
/// unless it was revoked meanwhile.
async fn under_way(
    tx: &Tx,
    scope: TenantScope,
    id: ScimTokenId,
    now: Timestamp,
) -> Result<(ScimToken, Option<ScimToken>), Error> {
    let named = store::scim_tokens::find(tx, scope, id).await?.ok_or_else(missing)?;
    let old = match (named.overlap_ends_at, named.replaces_id) {
        (None, Some(replaced)) => store::scim_tokens::find(tx, scope, replaced).await?,
        _ => Some(named),
    };
    let old = old.filter(|old| old.overlap_ends_at.is_some() && old.is_live(now)).ok_or_else(|| {
        Error::conflict(
            "no_rotation",
            "This token is in no rotation that is under way: none was started, or its overlap has ended.",
        )
    })?;
    let new = successor(tx, scope, &old, now).await?;
    Ok((old, new))
}

/// Ends a rotation for good: the old token is revoked now. Gives the new one. Either token names the rotation.
///
/// # Errors
/// [`Error::NotFound`]; 409 `no_rotation`, also if the new token is not live any more, for then none would be left.
pub async fn complete_rotation(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
) -> Result<ScimToken, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    lock_directory(&tx, scope).await?;
    let (old, new) = under_way(&tx, scope, id, ctx.now).await?;
    let new = new.ok_or_else(|| {
        Error::conflict(
            "no_rotation",
            "The new token of this rotation is not live any more. Cancel the rotation, or start another one.",
        )
    })?;
    store::scim_tokens::revoke(&tx, scope, old.id, ctx.now).await?;
    let data = json!({ "last_four": old.last_four, "replaced_by": new.id });
    let kind = EventKind::ScimTokenRotationCompleted;
    services.record(&tx, ctx, organization, kind, old.id, data).await?;
    let data = json!({ "because": "rotation_completed" });
    services.record(&tx, ctx, organization, EventKind::ScimTokenRevoked, old.id, data).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(new)
}

/// Takes a rotation back: the new token is revoked, and the old one, which is given, goes on as before. A change of
/// trust, for the old token lives longer by it. Either token names the rotation.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::NotFound`]; 409 `no_rotation`.
pub async fn cancel_rotation(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
) -> Result<ScimToken, Error> {
    let (scope, tx) = begin(services, ctx, organization).await?;
    lock_directory(&tx, scope).await?;
    let (mut old, new) = under_way(&tx, scope, id, ctx.now).await?;
    if let Some(new) = &new {
        store::scim_tokens::revoke(&tx, scope, new.id, ctx.now).await?;
        let data = json!({ "because": "rotation_canceled" });
        services.record(&tx, ctx, organization, EventKind::ScimTokenRevoked, new.id, data).await?;
    }
    old.overlap_ends_at = None;
    old.warn_at = next_warning(ctx.now, old.ends_at());
    store::scim_tokens::set_overlap(&tx, scope, old.id, None, old.warn_at).await?;
    let data = json!({ "last_four": old.last_four, "expires_at": old.expires_at });
    let kind = EventKind::ScimTokenRotationCanceled;
    services.record(&tx, ctx, organization, kind, old.id, data).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(old)
}

/// Writes an event for each token that ends in 30 days, in 7 and in 1; tells how many. Each warning is taken by one
/// conditional update in the transaction of its event, so that several nodes at once write it once. A warning that
/// was slept through is made up for by the next one that lies ahead, never by several.
pub async fn warn_of_expiry(services: &Services) -> Result<u64, Error> {
    let ctx = Ctx::system(services.clock.now());
    let installation = InstallationScope::established();
    let mut warned = 0;
    loop {
        let due =
            store::scim_tokens::due_for_warning(&services.db, installation, ctx.now, WARN_BATCH).await?;
        for token in &due {
            if warn(services, &ctx, token).await? {
                warned += 1;
            }
        }
        if (due.len() as u64) < WARN_BATCH {
            return Ok(warned);
        }
    }
}

async fn warn(services: &Services, ctx: &Ctx, token: &ScimToken) -> Result<bool, Error> {
    let scope = TenantScope::established(token.organization_id);
    let end = token.ends_at();
    let tx = services.begin().await?;
    if !store::scim_tokens::take_warning(&tx, scope, token, next_warning(ctx.now, end)).await? {
        return Ok(false);
    }
    let ahead = end.filter(|end| *end > ctx.now);
    if let Some(end) = ahead {
        let left = end.since(ctx.now).as_secs().div_ceil(DAY.as_secs());
        let data = json!({
            "last_four": token.last_four,
            "ends_at": end,
            "days_left": left,
            "because": if token.overlap_ends_at == Some(end) { "rotation" } else { "expiry" },
            "last_used_at": token.last_used_at,
        });
        let kind = EventKind::ScimTokenExpiring;
        services.record(&tx, ctx, token.organization_id, kind, token.id, data).await?;
    }
    tx.commit().await?;
    Ok(ahead.is_some())
}
