//! Ending and giving back access: deprovisioning always wins (rules 11 to 13), whichever door asks.
//!
//! [`end`] takes every way in and every credential of a person in one organization, inside the caller's transaction.
//! The member's row is locked first: whoever makes a credential for this person locks it too, and finds it
//! deactivated afterwards.

use super::credentials::refused;
use super::enforcement::{self, Permit};
use super::roles::{self, People};
use super::{Ctx, Error, Services, guests};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::id::UserId;
use crate::model::state::{MemberStatus, Role, Source};
use crate::model::tenant::TenantScope;
use crate::store::api_keys::ApiKey;
use crate::store::members::Member;
use crate::store::{self, Tx};
use serde_json::json;

/// What ending somebody's access did.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The member as it is now.
    pub member: Member,
    /// How many sessions ended.
    pub sessions: u64,
}

/// Deactivates (or, with `remove`, removes) a member and ends every way in: sessions, links, invites to and from the
/// person; keys of the organization that the person made are flagged for rotation. An organization that loses its
/// last owner is flagged ownerless (rule 12). Ending the access of somebody who has none changes nothing but who has
/// the say about reactivation: whoever else said so as well stands beside the first, and neither gives back alone.
///
/// The caller commits, and afterwards clears no cache: sessions are not cached and members have no keys of their own.
pub async fn end(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    user: UserId,
    by: Source,
    remove: bool,
) -> Result<Ended, Error> {
    let (member, other_owners) = lock_among_owners(tx, scope, user, false).await?;
    let was_owner = member.role == Role::Owner && member.status == MemberStatus::Active;
    let sessions = store::sessions::end_of_user(tx, scope, user, ctx.now).await?;
    let links = store::links::delete_of_user(tx, scope, user).await?;
    store::pending_links::delete_of_user(tx, scope, user).await?;
    let account = store::users::find(tx, user).await?;
    let addresses: Vec<_> = member.email.clone().into_iter().chain(account.and_then(|a| a.email)).collect();
    for invite in store::invites::revoke_of_person(tx, scope, &addresses, user, ctx.now).await? {
        let data = json!({ "email": invite.email, "because": "deprovisioned" });
        services.record(tx, ctx, scope.organization(), EventKind::InviteRevoked, invite.id, data).await?;
    }
    guests::end_of_person(services, tx, ctx, scope, &addresses).await?;
    for key in store::api_keys::flag_made_by(tx, scope, user, ctx.now).await? {
        let data = json!({ "name": key.name, "made_by": user });
        services.record(tx, ctx, scope.organization(), EventKind::ApiKeyRotationDue, key.id, data).await?;
    }
    let before = member.clone();
    let mut member = member;
    member.status = if remove { MemberStatus::Removed } else { MemberStatus::Deactivated };
    note_end(&mut member, ctx, by);
    if member != before {
        member.updated_at = ctx.now;
        if remove {
            // A tombstone keeps what recognises the person, and nothing else.
            member.given_name = None;
            member.family_name = None;
            member.display_name = None;
        }
        member = store::members::update(tx, scope, member).await?;
        let kind = if remove { EventKind::MemberRemoved } else { EventKind::MemberDeactivated };
        let data = json!({
            "by": by,
            "role": member.role,
            "sessions_ended": sessions,
            "links_removed": links,
            // Whose word stood already.
            "besides": before.deactivated_by,
        });
        services.record(tx, ctx, scope.organization(), kind, user, data).await?;
    }
    if was_owner && other_owners == 0 {
        store::organizations::set_ownerless(tx, scope, Some(ctx.now)).await?;
        let data = json!({ "last_owner": user });
        services
            .record(
                tx,
                ctx,
                scope.organization(),
                EventKind::OrganizationOwnerless,
                scope.organization(),
                data,
            )
            .await?;
    }
    Ok(Ended { member, sessions })
}

/// Notes on a member who it is that says: this person is out.
fn note_end(member: &mut Member, ctx: &Ctx, by: Source) {
    let id = ctx.actor.id();
    match member.deactivated_by {
        None => {
            member.deactivated_by = Some(by);
            member.deactivated_by_id = id;
            member.deactivated_at = Some(ctx.now);
        }
        Some(first) if first != by => member.also_deactivated_by = Some(by),
        Some(Source::Scim) if member.deactivated_by_id != id && member.also_deactivated_by.is_none() => {
            member.also_deactivated_by = Some(by);
        }
        Some(_) => {}
    }
}

/// Takes back what one source said of a member's access, where another keeps the person out: that one alone has the
/// say from now on.
pub async fn waive(
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    member: Member,
    by: Source,
) -> Result<Member, Error> {
    let mut changed = member.clone();
    if changed.deactivated_by == Some(by) {
        changed.deactivated_by = changed.also_deactivated_by;
        changed.deactivated_by_id = None;
    }
    changed.also_deactivated_by = None;
    if changed == member || changed.deactivated_by.is_none_or(|left| left == by) {
        return Ok(member);
    }
    changed.updated_at = ctx.now;
    Ok(store::members::update(tx, scope, changed).await?)
}

/// Gives access back (rule 13). Whether the asker has the say is the caller's to check with [`may_reactivate`].
/// A person who was admin or owner comes back as an ordinary member unless `role` says otherwise, or the person's groups
/// give more.
pub async fn give_back(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    member: Member,
    role: Role,
) -> Result<Member, Error> {
    let mut changed = member;
    changed.status = MemberStatus::Active;
    changed.role = role;
    changed.unmapped_role = None;
    changed.deactivated_by = None;
    changed.deactivated_by_id = None;
    changed.deactivated_at = None;
    changed.also_deactivated_by = None;
    changed.updated_at = ctx.now;
    let changed = store::members::update(tx, scope, changed).await?;
    let data = json!({ "role": changed.role });
    services
        .record(tx, ctx, scope.organization(), EventKind::MemberReactivated, changed.user_id, data)
        .await?;
    lift(services, tx, ctx, scope, changed).await
}

/// Gives a member who came in what the person's groups give; the member as it is then.
pub async fn lift(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    member: Member,
) -> Result<Member, Error> {
    if roles::settle(services, tx, ctx, scope, People::User(member.user_id)).await? == 0 {
        return Ok(member);
    }
    Ok(store::members::find(tx, scope, member.user_id).await?.unwrap_or(member))
}

/// Only the source that deactivated, or an owner (or the operator), reactivates; where two did, an owner.
pub fn may_reactivate(ctx: &Ctx, member: &Member, by: Source) -> Result<(), Error> {
    let owner =
        matches!(ctx.actor, Actor::Operator { .. } | Actor::System | Actor::Person { role: Role::Owner, .. });
    has_the_say(owner, member, by)
}

/// The rule behind [`may_reactivate`], for somebody of whom only this is known: whether an owner (or the operator)
/// stands behind the act, and which source it comes from.
pub fn has_the_say(owner: bool, member: &Member, by: Source) -> Result<(), Error> {
    let sources = [member.deactivated_by, member.also_deactivated_by];
    match sources.into_iter().flatten().find(|source| *source != by) {
        Some(source) if !owner => Err(Error::forbidden(
            "deactivated_elsewhere",
            match source {
                Source::Scim => {
                    "The directory deactivated this person over SCIM: reactivate them there, or ask an owner."
                }
                _ => "An administrator deactivated this person: ask whoever did, or an owner.",
            },
        )),
        _ => Ok(()),
    }
}

/// The member of a user, locked, if there is one that was not removed.
pub async fn lock_present(tx: &Tx, scope: TenantScope, user: UserId) -> Result<Member, Error> {
    match store::members::lock(tx, scope, user).await? {
        Some(member) if member.status != MemberStatus::Removed => Ok(member),
        _ => Err(Error::not_found("member")),
    }
}

/// The member of a user, locked, and how many *other* active owners there are if it is an owner.
///
/// Changes of owners go one after the other: each holds the organization's row, taken before the member's, so that two
/// of them never wait for each other. `may_make_owner` says that the change may concern owners whatever the member is
/// now; else the row is only taken for one who is an owner, so that many ordinary people can be ended at once.
pub async fn lock_among_owners(
    tx: &Tx,
    scope: TenantScope,
    user: UserId,
    may_make_owner: bool,
) -> Result<(Member, u64), Error> {
    let first = may_make_owner
        || store::members::find(tx, scope, user).await?.is_some_and(|member| member.role == Role::Owner);
    if first {
        store::organizations::lock_owners(tx, scope).await?;
    }
    let member = lock_present(tx, scope, user).await?;
    if member.role != Role::Owner {
        return Ok((member, 0));
    }
    if !first {
        // Became an owner since we looked.
        store::organizations::lock_owners(tx, scope).await?;
    }
    let others = store::members::count_owners_but(tx, scope, user).await?;
    Ok((member, others))
}

/// Whoever makes a credential or an offer of one, found alive in the transaction that makes it.
#[derive(Debug)]
pub struct Maker {
    /// That enforcement lets the credential pass.
    _permit: Permit,
    /// The id of the person or key.
    pub id: Option<String>,
    /// The person.
    pub user: Option<UserId>,
    /// The key of the organization.
    pub key: Option<ApiKey>,
}

/// Checks the credential that makes another one again, in the transaction that does (rule 11): a person's membership
/// and role and the session, or the key, locked until the transaction ends, so that neither can be ended in between.
///
/// # Errors
/// [`Error::Unauthenticated`] if the credential died since; [`Error::Forbidden`] if the role does not reach any more.
pub async fn maker(tx: &Tx, ctx: &Ctx, scope: TenantScope, role: Role) -> Result<Maker, Error> {
    let id = ctx.actor.id();
    match &ctx.actor {
        Actor::Person { user, session, .. } => {
            let member = store::members::lock(tx, scope, *user).await?;
            let member = member.filter(|m| m.status == MemberStatus::Active).ok_or_else(refused)?;
            if member.role < role {
                let has = member.role;
                return Err(Error::forbidden(
                    "role_too_low",
                    format!("This needs the role {role} in the organization; yours is {has}."),
                ));
            }
            let session = store::sessions::find(tx, scope, *session, ctx.now).await?.ok_or_else(refused)?;
            let permit = enforcement::of_session_within(tx, scope, &session, &member, ctx.now).await?;
            Ok(Maker { _permit: permit, id, user: Some(*user), key: None })
        }
        Actor::Key { key, .. } => {
            let key = store::api_keys::lock_live(tx, scope, *key, ctx.now).await?.ok_or_else(refused)?;
            Ok(Maker { _permit: Permit::of_no_person(), id, user: None, key: Some(key) })
        }
        _ => Ok(Maker { _permit: Permit::of_no_person(), id, user: None, key: None }),
    }
}

/// Marks an organization as owned again, where it was without an owner (rule 12). The caller holds the organization's
/// row ([`store::organizations::lock_owners`]), so that the mark of one who goes at this moment is seen.
pub async fn settle_owner(tx: &Tx, scope: TenantScope) -> Result<(), Error> {
    let organization = store::organizations::find(tx, scope).await?;
    if organization.is_some_and(|organization| organization.ownerless_since.is_some()) {
        store::organizations::set_ownerless(tx, scope, None).await?;
    }
    Ok(())
}
