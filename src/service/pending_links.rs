//! Links that an administrator has to confirm (rule 7): somebody signs in with a member's address and a subject that is
//! not the member's, and the address alone does not do. What is confirmed is one subject for one member at one
//! connection, for a while; the link is made at the person's next sign-in, where everything else is checked again.
//!
//! Nobody confirms for somebody above them, and nobody for an owner: owners connect themselves, signed in (rule 10a).

pub use crate::store::pending_links::PendingLink;

use super::organizations::reach;
use super::permissions::{Action, highest_role, may};
use super::{Ctx, Error, Services, access};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId, PendingLinkId, UserId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{PendingLinkReason, PendingLinkStatus, Role};
use crate::model::tenant::TenantScope;
use crate::store::{self, Tx};
use serde_json::json;
use std::time::Duration;

/// How long one waits, and how long it counts after it was confirmed.
pub const LIFETIME: Duration = Duration::from_hours(24 * 14);

/// A link that somebody would need.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub connection: ConnectionId,
    pub user: UserId,
    pub subject: String,
    pub immutable: bool,
    pub address: EmailAddress,
    pub because: PendingLinkReason,
}

/// Puts it before the administrators, in the transaction that refuses the sign-in with this reference. The same one
/// again changes the reference only; another subject takes the place of the one before.
pub(super) async fn ask(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    wanted: &Wanted,
    reference: &str,
) -> Result<(), Error> {
    // Whoever does the same at this moment waits here.
    if store::members::lock(tx, scope, wanted.user).await?.is_none() {
        return Ok(());
    }
    let present =
        store::pending_links::lock_of_user(tx, scope, wanted.connection, wanted.user, ctx.now).await?;
    if let Some(mut same) = present.filter(|row| {
        row.subject == wanted.subject
            && row.because == wanted.because
            && row.status == PendingLinkStatus::Pending
    }) {
        reference.clone_into(&mut same.reference);
        return Ok(store::pending_links::update(tx, scope, same).await?);
    }
    let row = PendingLink {
        id: PendingLinkId::new(ctx.now, &*services.random),
        organization_id: scope.organization(),
        connection_id: wanted.connection,
        user_id: wanted.user,
        subject: wanted.subject.clone(),
        immutable: wanted.immutable,
        address: wanted.address.clone(),
        because: wanted.because,
        status: PendingLinkStatus::Pending,
        reference: reference.to_owned(),
        confirmed_up_to: None,
        answered_by: None,
        answered_at: None,
        created_at: ctx.now,
        expires_at: ctx.now.plus(LIFETIME),
    };
    let data = told(&row);
    store::pending_links::put(tx, scope, row).await?;
    let kind = EventKind::MemberLinkPending;
    services.record(tx, ctx, scope.organization(), kind, wanted.user, data).await
}

/// What events tell of one.
fn told(row: &PendingLink) -> serde_json::Value {
    json!({
        "pending_link": row.id,
        "connection": row.connection_id,
        "subject": row.subject,
        "address": row.address,
        "because": row.because,
        "reference": row.reference,
        "expires_at": row.expires_at,
    })
}

/// The links of the organization that wait, or were answered and not used yet.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    statuses: &[PendingLinkStatus],
    request: &PageRequest,
) -> Result<Page<PendingLink>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadPendingLinks).await?;
    Ok(store::pending_links::list(&services.db, scope, statuses, ctx.now, request).await?)
}

/// Says that the subject is the member's: the link is made at the person's next sign-in, if that comes in time. Once
/// more changes nothing; one that was dismissed can be confirmed after all.
///
/// # Errors
/// [`Error::NotFound`] for one that is over; [`Error::Forbidden`] `role_above_own` for a member above whoever asks,
/// `owner_links_alone` for an owner.
pub async fn confirm(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: PendingLinkId,
) -> Result<PendingLink, Error> {
    answer(services, ctx, organization, id, PendingLinkStatus::Confirmed).await
}

/// Says that it is somebody else: the subject is refused until this is over. A confirmation can be taken back so.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn dismiss(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: PendingLinkId,
) -> Result<PendingLink, Error> {
    answer(services, ctx, organization, id, PendingLinkStatus::Dismissed).await
}

async fn answer(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: PendingLinkId,
    status: PendingLinkStatus,
) -> Result<PendingLink, Error> {
    let missing = || Error::not_found("pending link");
    let scope = may(ctx, organization, Action::WriteMembers)?;
    let tx = services.begin().await?;
    let maker = access::maker(&tx, ctx, scope, Role::Admin).await?;
    // Whose it is never changes. The member's row comes first, as in a sign-in.
    let found = store::pending_links::find(&tx, scope, id, ctx.now).await?.ok_or_else(missing)?;
    let member = access::lock_present(&tx, scope, found.user_id).await?;
    let mut row = store::pending_links::lock(&tx, scope, id, ctx.now).await?.ok_or_else(missing)?;
    if row.status == status {
        return Ok(row);
    }
    let own = highest_role(&ctx.actor);
    if status == PendingLinkStatus::Confirmed {
        if member.role == Role::Owner {
            return Err(Error::forbidden(
                "owner_links_alone",
                "This member is an owner: only they themselves connect single sign-on, by a sign-in that they begin at our \
                 sign-in page while they are signed in.",
            ));
        }
        if member.role > own {
            return Err(Error::forbidden(
                "role_above_own",
                format!("Nobody confirms a link for somebody above them: this member is {}.", member.role),
            ));
        }
    }
    row.status = status;
    row.confirmed_up_to = (status == PendingLinkStatus::Confirmed).then_some(own.min(Role::Admin));
    row.answered_by = maker.id;
    row.answered_at = Some(ctx.now);
    row.expires_at = ctx.now.plus(LIFETIME);
    store::pending_links::update(&tx, scope, row.clone()).await?;
    let kind = match status {
        PendingLinkStatus::Confirmed => EventKind::MemberLinkConfirmed,
        _ => EventKind::MemberLinkDismissed,
    };
    services.record(&tx, ctx, organization, kind, row.user_id, told(&row)).await?;
    tx.commit().await?;
    Ok(row)
}
