//! Members: users in an organization, added, changed, deactivated, given back and removed by those who run it.
//!
//! Ending access always works (rules 11 and 12); giving it back needs the say (rule 13). Demoting or removing the last
//! active owner by hand is refused. Whether an address had an account before, nobody learns: the user behind a member
//! is obtained by its address, and its id is random either way (rule 17).

pub use crate::store::members::{Member, MemberFilter};

use super::organizations::{check_search, expect_version, reach};
use super::permissions::{Action, highest_role};
use super::{Ctx, Error, FieldError, Services, access, directory_users, managed};
use crate::model::actor::Actor;
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{OrganizationId, UserId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{InviteStatus, MemberStatus, Role, Source};
use crate::model::tenant::TenantScope;
use crate::store::{self, Tx};
use serde_json::{Value, json};

/// Names are at most this long.
const MAX_NAME: usize = 200;

/// What an organization calls a person.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
}

/// A new member.
#[derive(Debug, Clone)]
pub struct AddMember {
    pub email: String,
    pub role: Role,
    pub names: Names,
}

/// What is to change; `None` leaves alone, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UpdateMember {
    pub role: Option<Role>,
    pub active: Option<bool>,
    pub given_name: Option<Option<String>>,
    pub family_name: Option<Option<String>>,
    pub display_name: Option<Option<String>>,
}

/// Reads an e-mail address of a request.
pub(super) fn read_email(text: &str, errors: &mut Vec<FieldError>) -> Option<EmailAddress> {
    EmailAddress::parse(text)
        .map_err(|error| {
            errors.push(FieldError {
                field: "email".to_owned(),
                code: error.code(),
                message: error.to_string(),
            });
        })
        .ok()
}

fn read_name(field: &str, name: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let name = name?.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        errors.push(FieldError {
            field: field.to_owned(),
            code: "name_invalid",
            message: format!("A name has 1 to {MAX_NAME} characters and no control characters."),
        });
    }
    Some(name)
}

fn read_names(names: Names, errors: &mut Vec<FieldError>) -> Names {
    Names {
        given_name: read_name("given_name", names.given_name, errors),
        family_name: read_name("family_name", names.family_name, errors),
        display_name: read_name("display_name", names.display_name, errors),
    }
}

fn role_above_own(ctx: &Ctx, role: Role) -> Error {
    let highest = highest_role(&ctx.actor);
    Error::forbidden(
        "role_above_own",
        format!(
            "Nobody hands out or takes away a role above their own: this concerns the role {role}, and this \
             credential acts as {highest} at most. Only an owner or the operator changes owners."
        ),
    )
}

fn exists() -> Error {
    Error::conflict(
        "member_exists",
        "A person with this address is a member already, active or deactivated. Change that member instead.",
    )
}

/// Who comes back or comes in, by what way.
pub(super) struct Joining {
    pub user: UserId,
    pub email: EmailAddress,
    pub role: Role,
    pub source: Source,
    pub names: Names,
}

/// Makes a user a member inside the caller's transaction, or lifts the tombstone of one who was removed. That the
/// caller may do so (also lift the tombstone: [`access::may_reactivate`]) and that there is no present member is the
/// caller's to establish, with the row `before` locked.
pub(super) async fn join(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    joining: Joining,
    before: Option<Member>,
) -> Result<Member, Error> {
    let returned = before.is_some();
    let row = Member {
        organization_id: scope.organization(),
        user_id: joining.user,
        email: Some(joining.email),
        given_name: joining.names.given_name,
        family_name: joining.names.family_name,
        display_name: joining.names.display_name,
        role: joining.role,
        unmapped_role: None,
        status: MemberStatus::Active,
        source: joining.source,
        external_id: None,
        deactivated_by: None,
        deactivated_by_id: None,
        deactivated_at: None,
        also_deactivated_by: None,
        joined_at: ctx.now,
        updated_at: ctx.now,
        version: before.map_or(1, |before| before.version),
    };
    let row = if returned {
        store::members::update(tx, scope, row).await?
    } else {
        store::members::insert(tx, row.clone()).await?;
        row
    };
    let data = json!({ "email": row.email, "role": row.role, "source": row.source, "returned": returned });
    services.record(tx, ctx, scope.organization(), EventKind::MemberAdded, row.user_id, data).await?;
    if row.role == Role::Owner {
        access::settle_owner(tx, scope).await?;
    }
    // Nobody is in a group of the directory who was never here.
    if returned { access::lift(services, tx, ctx, scope, row).await } else { Ok(row) }
}

/// The rows of everybody in the organization who is known by this address, by account or by contact address; that of
/// `user` locked, and first.
pub(super) async fn rows_by_address(
    tx: &Tx,
    scope: TenantScope,
    user: UserId,
    email: &EmailAddress,
) -> Result<(Option<Member>, Vec<Member>), Error> {
    let own = store::members::lock(tx, scope, user).await?;
    let mut others = store::members::find_by_email(tx, scope, email).await?;
    others.retain(|other| other.user_id != user);
    Ok((own, others))
}

/// Adds a person by address. A pending invite for the address is taken back: it has been overtaken.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] `member_exists`, or `managed_by_directory` where people on this domain come
/// from the directory alone; [`Error::Forbidden`] `role_above_own`, or
/// `deactivated_elsewhere` where a removed person's tombstone is not this caller's to lift (rule 8).
pub async fn add(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: AddMember,
) -> Result<Member, Error> {
    let scope = reach(services, ctx, organization, Action::WriteMembers).await?;
    let mut errors = Vec::new();
    let email = read_email(&new.email, &mut errors);
    let names = read_names(new.names, &mut errors);
    let (Some(email), true) = (email, errors.is_empty()) else { return Err(Error::Invalid(errors)) };
    if new.role > highest_role(&ctx.actor) {
        return Err(role_above_own(ctx, new.role));
    }
    let tx = services.begin().await?;
    if new.role == Role::Owner {
        store::organizations::lock_owners(&tx, scope).await?;
    }
    // An owner is nobody's to put out but owners'.
    let waiting =
        if new.role == Role::Owner { None } else { directory_users::waiting(&tx, scope, &email).await? };
    let user = store::users::obtain(&tx, &email, ctx.now, &*services.random).await?.id;
    let (own, others) = rows_by_address(&tx, scope, user, &email).await?;
    for row in own.iter().chain(&others) {
        if row.status != MemberStatus::Removed {
            return Err(exists());
        }
        access::may_reactivate(ctx, row, Source::Rest)?;
    }
    if own.is_none() && others.is_empty() {
        managed::check_newcomer(&tx, scope, &email, new.role).await?;
    }
    if let Some(invite) = store::invites::find_pending(&tx, scope, &email).await?
        && store::invites::answer(&tx, scope, invite.id, InviteStatus::Revoked, None, ctx.now).await?
    {
        let data = json!({ "email": email, "because": "member_added" });
        services.record(&tx, ctx, organization, EventKind::InviteRevoked, invite.id, data).await?;
    }
    let joining = Joining { user, email, role: new.role, source: Source::Rest, names };
    let member = join(services, &tx, ctx, scope, joining, own).await.map_err(taken_meanwhile)?;
    if let Some(waiting) = &waiting {
        directory_users::let_in(services, &tx, ctx, scope, waiting, user).await?;
    }
    tx.commit().await?;
    if member.role == Role::Owner {
        services.caches.api_keys.clear();
    }
    Ok(member)
}

/// Two who add one person at once: the second finds the row there.
fn taken_meanwhile(error: Error) -> Error {
    match error {
        Error::Conflict { code: "conflict", .. } | Error::PreconditionFailed => exists(),
        other => other,
    }
}

/// A page of members. Removed ones are in no list.
///
/// # Errors
/// [`Error::Invalid`] for a search text that is too long or has control characters.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    filter: &MemberFilter,
    request: &PageRequest,
) -> Result<Page<Member>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadMembers).await?;
    check_search(filter.search.as_deref())?;
    Ok(store::members::list(&services.db, scope, filter, request).await?)
}

/// How many members there are, active or deactivated.
pub async fn count(services: &Services, ctx: &Ctx, organization: OrganizationId) -> Result<u64, Error> {
    let scope = reach(services, ctx, organization, Action::ReadMembers).await?;
    Ok(store::members::count(&services.db, scope).await?)
}

/// One member.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Member, Error> {
    let scope = reach(services, ctx, organization, Action::ReadMembers).await?;
    store::members::find(&services.db, scope, user)
        .await?
        .filter(|member| member.status != MemberStatus::Removed)
        .ok_or_else(|| Error::not_found("member"))
}

/// Whether the actor may touch this member at all. Owners are changed by owners and the operator; but a key may
/// always end somebody's access, an owner's too (rule 12), and give back what was ended that way.
fn may_touch(ctx: &Ctx, member: &Member, only_access: bool) -> Result<(), Error> {
    let key = matches!(ctx.actor, Actor::Key { .. });
    if member.role > highest_role(&ctx.actor) && !(key && only_access) {
        return Err(role_above_own(ctx, member.role));
    }
    Ok(())
}

fn last_owner(what: &str) -> Error {
    Error::refused(
        "last_owner",
        format!(
            "This is the last active owner, so {what} is refused. Make somebody else an owner first, or deactivate \
             this one if the access must end now."
        ),
    )
}

/// Changes a member: access first (so that ending it never waits for anything else), then role, then names.
///
/// A person who was an admin or owner comes back as an ordinary member unless `role` says otherwise.
///
/// # Errors
/// [`Error::PreconditionFailed`]; [`Error::Invalid`]; [`Error::Forbidden`] `role_above_own`, `deactivated_elsewhere`;
/// [`Error::Refused`] `last_owner`; [`Error::Conflict`] `managed_by_directory` for names and roles that are the identity
/// provider's.
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    user: UserId,
    expected: Option<i64>,
    change: UpdateMember,
) -> Result<Member, Error> {
    let scope = reach(services, ctx, organization, Action::WriteMembers).await?;
    let mut errors = Vec::new();
    let mut read = |field, name: Option<Option<String>>| name.map(|name| read_name(field, name, &mut errors));
    let given_name = read("given_name", change.given_name);
    let family_name = read("family_name", change.family_name);
    let display_name = read("display_name", change.display_name);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let tx = services.begin().await?;
    let (before, other_owners) = access::lock_among_owners(&tx, scope, user, true).await?;
    expect_version(expected, before.version)?;
    let named = given_name.is_some() || family_name.is_some() || display_name.is_some();
    may_touch(ctx, &before, change.role.is_none() && !named)?;
    if let Some(role) = change.role
        && role > highest_role(&ctx.actor)
    {
        return Err(role_above_own(ctx, role));
    }
    let mut row = before.clone();
    match (change.active, row.status) {
        (Some(false), _) => {
            row = access::end(services, &tx, ctx, scope, user, Source::Rest, false).await?.member;
        }
        (Some(true), MemberStatus::Deactivated) => {
            access::may_reactivate(ctx, &row, Source::Rest)?;
            let role = change.role.unwrap_or(Role::Member);
            row = access::give_back(services, &tx, ctx, scope, row, role).await?;
        }
        _ => {}
    }
    if let Some(role) = change.role
        && role != row.role
    {
        let owned = row.role == Role::Owner && row.status == MemberStatus::Active;
        if owned && other_owners == 0 {
            return Err(last_owner("taking the role away"));
        }
        managed::check_role(&tx, scope, &row, role).await?;
        let data = json!({ "from": row.role, "to": role });
        row.role = role;
        row.unmapped_role = None;
        row.updated_at = ctx.now;
        row = store::members::update(&tx, scope, row).await?;
        services.record(&tx, ctx, organization, EventKind::MemberRoleChanged, user, data).await?;
    }
    if row.role == Role::Owner && row.status == MemberStatus::Active {
        access::settle_owner(&tx, scope).await?;
    }
    let wanted = Names {
        given_name: given_name.unwrap_or_else(|| row.given_name.clone()),
        family_name: family_name.unwrap_or_else(|| row.family_name.clone()),
        display_name: display_name.unwrap_or_else(|| row.display_name.clone()),
    };
    row = rename(services, &tx, ctx, scope, row, wanted).await?;
    tx.commit().await?;
    if before.role == Role::Owner || row.role == Role::Owner {
        services.caches.api_keys.clear();
    }
    Ok(row)
}

fn names_of(names: &Names) -> Value {
    json!({
        "given_name": names.given_name,
        "family_name": names.family_name,
        "display_name": names.display_name,
    })
}

async fn rename(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    mut row: Member,
    wanted: Names,
) -> Result<Member, Error> {
    let held = Names {
        given_name: row.given_name.clone(),
        family_name: row.family_name.clone(),
        display_name: row.display_name.clone(),
    };
    let (held, now) = (names_of(&held), names_of(&wanted));
    if held == now {
        return Ok(row);
    }
    managed::check_names(tx, scope, &row).await?;
    row.given_name = wanted.given_name;
    row.family_name = wanted.family_name;
    row.display_name = wanted.display_name;
    row.updated_at = ctx.now;
    let row = store::members::update(tx, scope, row).await?;
    let data = super::organizations::difference(&Ok(held), &Ok(now));
    services.record(tx, ctx, scope.organization(), EventKind::MemberUpdated, row.user_id, data).await?;
    Ok(row)
}

/// Removes a member; the row stays as a tombstone that keeps just-in-time provisioning away (rule 8). A person may
/// remove himself, whatever his role.
///
/// # Errors
/// [`Error::Refused`] `last_owner`; [`Error::Forbidden`] `role_above_own`; [`Error::PreconditionFailed`].
pub async fn remove(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    user: UserId,
    expected: Option<i64>,
) -> Result<(), Error> {
    let himself = matches!(&ctx.actor, Actor::Person { user: own, .. } if *own == user);
    let action = if himself { Action::ReadMembers } else { Action::WriteMembers };
    let scope = reach(services, ctx, organization, action).await?;
    let tx = services.begin().await?;
    let (member, other_owners) = access::lock_among_owners(&tx, scope, user, true).await?;
    expect_version(expected, member.version)?;
    may_touch(ctx, &member, true)?;
    if member.role == Role::Owner && member.status == MemberStatus::Active && other_owners == 0 {
        return Err(last_owner("removing the person"));
    }
    access::end(services, &tx, ctx, scope, user, Source::Rest, true).await?;
    tx.commit().await?;
    if member.role == Role::Owner {
        services.caches.api_keys.clear();
    }
    Ok(())
}
