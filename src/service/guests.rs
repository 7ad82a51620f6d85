//! Guests: people on domains of others whom an owner lets in without the organization's SAML, until a day at most 90 days
//! ahead (rule 9). A guest is an address: whoever has it keeps what credentials there are, and may accept an invite.
//! Nobody on a domain of the organization is a guest, and no admin or owner; an approval counts for an ordinary member
//! alone, whatever became of the person since.

pub use crate::store::guests::Guest;

use super::members::read_email;
use super::organizations::{expect_version, reach};
use super::permissions::{Action, may};
use super::{Ctx, Error, FieldError, Services};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{GuestId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{GuestStatus, MemberStatus, Role};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::store::{self, Tx};
use serde_json::json;
use std::time::Duration;

/// An approval stands for at most so long, and is renewed for as long again.
const LONGEST: Duration = Duration::from_hours(90 * 24);
const MAX_NOTE: usize = 500;
/// How many are ended at a time whose day has come.
const BATCH: u64 = 100;

/// A new approval.
#[derive(Debug, Clone)]
pub struct ApproveGuest {
    pub email: String,
    pub ends_at: Timestamp,
    /// Why, for whoever looks at it later.
    pub note: Option<String>,
}

/// Where an approval stands.
pub fn status_at(guest: &Guest, now: Timestamp) -> GuestStatus {
    if guest.ended_at.is_none() && guest.ends_at > now { GuestStatus::Active } else { GuestStatus::Ended }
}

fn missing() -> Error {
    Error::not_found("guest")
}

fn check_end(ends_at: Timestamp, now: Timestamp, errors: &mut Vec<FieldError>) {
    let latest = now.plus(LONGEST);
    if ends_at <= now || ends_at > latest {
        errors.push(FieldError {
            field: "ends_at".to_owned(),
            code: "out_of_range",
            message: format!("{ends_at} was given; a time after {now} and until {latest} was expected."),
        });
    }
}

fn read_note(note: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let note = note?.trim().to_owned();
    if note.chars().count() > MAX_NOTE || note.chars().any(|c| c.is_control() && c != '\n') {
        errors.push(FieldError {
            field: "note".to_owned(),
            code: "note_invalid",
            message: format!("A note has at most {MAX_NOTE} characters and no control characters."),
        });
    }
    (!note.is_empty()).then_some(note)
}

/// Refuses whom no approval can help: somebody on a domain of the organization, and an admin or owner.
async fn check_person(tx: &Tx, scope: TenantScope, email: &EmailAddress) -> Result<(), Error> {
    let domains = store::domains::list_verified(tx, scope).await?;
    if domains.iter().any(|domain| domain.name.as_str() == email.domain()) {
        return Err(Error::conflict(
            "guest_on_own_domain",
            format!(
                "{} is a domain of the organization, whose people sign in through its identity provider. Guests are \
                 people on other domains.",
                email.domain()
            ),
        ));
    }
    let mut known = store::members::find_by_email(tx, scope, email).await?;
    if let Some(user) = store::users::find_by_email(tx, email).await? {
        known.extend(store::members::find(tx, scope, user.id).await?);
    }
    if known.iter().any(|member| member.status == MemberStatus::Active && member.role > Role::Member) {
        return Err(Error::conflict(
            "guest_role",
            "This person is an admin or owner, and guests are ordinary members. Change the role first.",
        ));
    }
    Ok(())
}

/// Approves a guest. A change of trust.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`]; [`Error::Conflict`] `guest_on_own_domain`, `guest_role`, or `guest_approved`
/// where an approval stands for the address.
pub async fn approve(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: ApproveGuest,
) -> Result<Guest, Error> {
    let scope = reach(services, ctx, organization, Action::WriteMembers).await?;
    may(ctx, organization, Action::ChangeTrust)?;
    let mut errors = Vec::new();
    let email = read_email(&new.email, &mut errors);
    let note = read_note(new.note, &mut errors);
    check_end(new.ends_at, ctx.now, &mut errors);
    let (Some(email), true) = (email, errors.is_empty()) else { return Err(Error::Invalid(errors)) };
    let tx = services.begin().await?;
    check_person(&tx, scope, &email).await?;
    for held in store::guests::lock_of_person(&tx, scope, std::slice::from_ref(&email)).await? {
        if held.ends_at > ctx.now {
            return Err(Error::conflict(
                "guest_approved",
                format!("This address is approved until {}. Renew that approval: {}.", held.ends_at, held.id),
            ));
        }
        close(services, &tx, &ctx.acting(crate::model::actor::Actor::System), scope, held, "over").await?;
    }
    let guest = Guest {
        id: GuestId::new(ctx.now, &*services.random),
        organization_id: organization,
        email,
        note,
        approved_by: ctx.actor.id(),
        created_at: ctx.now,
        ends_at: new.ends_at,
        ended_at: None,
        updated_at: ctx.now,
        version: 1,
    };
    store::guests::insert(&tx, guest.clone()).await?;
    let data = json!({ "email": guest.email, "ends_at": guest.ends_at, "note": guest.note, "to": "owners" });
    services.record(&tx, ctx, organization, EventKind::GuestApproved, guest.id, data).await?;
    tx.commit().await?;
    Ok(guest)
}

/// A page of guests, oldest first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    status: Option<GuestStatus>,
    request: &PageRequest,
) -> Result<Page<Guest>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadEnforcement).await?;
    let active = status.map(|status| status == GuestStatus::Active);
    Ok(store::guests::list(&services.db, scope, active, ctx.now, request).await?)
}

/// One guest, also one whose approval has ended.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: GuestId,
) -> Result<Guest, Error> {
    let scope = reach(services, ctx, organization, Action::ReadEnforcement).await?;
    store::guests::find(&services.db, scope, id).await?.ok_or_else(missing)
}

/// Gives an approval another end. A change of trust. One that has ended is not renewed: approve anew.
///
/// # Errors
/// Those of [`approve`]; [`Error::Conflict`] `guest_ended`; [`Error::PreconditionFailed`].
pub async fn renew(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: GuestId,
    expected: Option<i64>,
    ends_at: Timestamp,
) -> Result<Guest, Error> {
    let scope = reach(services, ctx, organization, Action::WriteMembers).await?;
    may(ctx, organization, Action::ChangeTrust)?;
    let mut errors = Vec::new();
    check_end(ends_at, ctx.now, &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let tx = services.begin().await?;
    let mut guest = store::guests::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, guest.version)?;
    if status_at(&guest, ctx.now) == GuestStatus::Ended {
        return Err(Error::conflict("guest_ended", "This approval has ended. Approve the guest anew."));
    }
    check_person(&tx, scope, &guest.email).await?;
    let data =
        json!({ "email": guest.email, "ends_at": { "from": guest.ends_at, "to": ends_at }, "to": "owners" });
    guest.ends_at = ends_at;
    guest.updated_at = ctx.now;
    let guest = store::guests::update(&tx, scope, guest).await?;
    services.record(&tx, ctx, organization, EventKind::GuestRenewed, id, data).await?;
    tx.commit().await?;
    Ok(guest)
}

/// Ends an approval. Ending one that has ended changes nothing.
///
/// # Errors
/// [`Error::PreconditionFailed`].
pub async fn end(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: GuestId,
    expected: Option<i64>,
) -> Result<(), Error> {
    let scope = reach(services, ctx, organization, Action::WriteMembers).await?;
    let tx = services.begin().await?;
    let guest = store::guests::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, guest.version)?;
    if guest.ended_at.is_some() {
        return Ok(());
    }
    close(services, &tx, ctx, scope, guest, "ended").await?;
    tx.commit().await?;
    Ok(())
}

/// Marks an approval as ended, with its event.
async fn close(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    mut guest: Guest,
    because: &str,
) -> Result<(), Error> {
    guest.ended_at = Some(ctx.now);
    guest.updated_at = ctx.now;
    let data = json!({ "email": guest.email, "ends_at": guest.ends_at, "because": because, "to": "owners" });
    let guest = store::guests::update(tx, scope, guest).await?;
    services.record(tx, ctx, scope.organization(), EventKind::GuestEnded, guest.id, data).await
}

/// Ends the approvals of somebody whose access ends, within its transaction.
pub(super) async fn end_of_person(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    addresses: &[EmailAddress],
) -> Result<(), Error> {
    for guest in store::guests::lock_of_person(tx, scope, addresses).await? {
        close(services, tx, ctx, scope, guest, "deprovisioned").await?;
    }
    Ok(())
}

/// Tells of approvals whose day has come, of all organizations; tells how many. They ended by themselves at that time.
pub async fn tell_ended(services: &Services) -> Result<u64, Error> {
    let installation = InstallationScope::established();
    let ctx = Ctx::system(services.clock.now());
    let mut told = 0;
    loop {
        let due = store::guests::due(&services.db, installation, ctx.now, BATCH).await?;
        for row in &due {
            let scope = TenantScope::established(row.organization_id);
            let tx = services.begin().await?;
            let Some(guest) = store::guests::lock(&tx, scope, row.id).await? else { continue };
            if guest.ended_at.is_none() && guest.ends_at <= ctx.now {
                close(services, &tx, &ctx, scope, guest, "over").await?;
                told += 1;
            }
            tx.commit().await?;
        }
        if (due.len() as u64) < BATCH {
            return Ok(told);
        }
    }
}
