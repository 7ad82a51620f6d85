//! Invites: offers of membership to an address, accepted by whoever holds the link.
//!
//! The link is shown once and stands in a fragment (`/invite#…`): browsers do not send fragments, so the secret is in
//! no server's or proxy's log and in no `Referer`. An invite makes admins at most (rule 8) and is used up by one
//! conditional update. It opens no session: there is no way of signing in yet but SAML, and holding a link that the
//! inviter could read as well proves no address. Who was deactivated comes back by an invite only if the side that
//! invites has that say (rule 13), at the time of inviting and again at the time of accepting.

pub use crate::store::invites::Invite;

use super::enforcement::{self, Permit};
use super::members::{Joining, Names, join, read_email, rows_by_address};
use super::organizations::{Organization, reach};
use super::permissions::{Action, highest_role};
use super::{Ctx, Error, FieldError, Services, access, directory_users, managed};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{ApiKeyId, InviteId, OrganizationId, UserId};
use crate::model::page::{Page, PageRequest};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::{InviteStatus, MemberStatus, Role, Source};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store::members::Member;
use crate::store::{self, Tx};
use serde_json::json;

/// A message has at most so many characters.
const MAX_MESSAGE: usize = 1_000;

/// A new invite.
#[derive(Debug, Clone)]
pub struct CreateInvite {
    pub email: String,
    pub role: Role,
    pub message: Option<String>,
}

/// What accepting came to.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub member: Member,
    pub organization: Organization,
}

/// The status that people are shown: a pending invite whose time ran out is expired.
pub fn status_at(invite: &Invite, now: Timestamp) -> InviteStatus {
    if invite.status == InviteStatus::Pending && invite.expires_at <= now {
        InviteStatus::Expired
    } else {
        invite.status
    }
}

/// The address that the secret is handed out in.
pub fn link(services: &Services, token: &Token) -> String {
    services.settings.url(&format!("/invite#{}", token.reveal()))
}

fn read_message(message: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let message = message?.trim().to_owned();
    if message.chars().count() > MAX_MESSAGE || message.chars().any(|c| c.is_control() && c != '\n') {
        errors.push(FieldError {
            field: "message".to_owned(),
            code: "message_invalid",
            message: format!("A message has at most {MAX_MESSAGE} characters and no control characters."),
        });
    }
    (!message.is_empty()).then_some(message)
}

/// Invites an address. An expired invite for it is replaced, a pending one stands in the way.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] `member_exists`, `invite_pending`, or `managed_by_directory` where people on
/// this domain come from the directory alone; [`Error::Forbidden`]
/// `deactivated_elsewhere` where the person's access was ended by a source whose say the caller does not have.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: CreateInvite,
) -> Result<(Invite, Token), Error> {
    let scope = reach(services, ctx, organization, Action::WriteInvites).await?;
    let mut errors = Vec::new();
    let email = read_email(&new.email, &mut errors);
    let message = read_message(new.message, &mut errors);
    if new.role > Role::Admin {
        errors.push(FieldError {
            field: "role".to_owned(),
            code: "role_not_by_invite",
            message: "Nobody becomes an owner by an invite: invite as member or admin, and let an owner change the role."
                .to_owned(),
        });
    }
    let (Some(email), true) = (email, errors.is_empty()) else { return Err(Error::Invalid(errors)) };
    if new.role > highest_role(&ctx.actor) {
        return Err(Error::forbidden("role_above_own", "Nobody hands out a role above their own."));
    }
    let tx = services.begin().await?;
    let maker = access::maker(&tx, ctx, scope, Role::Admin.max(new.role)).await?;
    let known = known_by(&tx, scope, &email).await?;
    if known.is_empty() {
        managed::check_newcomer(&tx, scope, &email, new.role).await?;
    }
    for row in known {
        match row.status {
            MemberStatus::Active => {
                return Err(Error::conflict(
                    "member_exists",
                    "A person with this address is a member already.",
                ));
            }
            MemberStatus::Deactivated | MemberStatus::Removed => {
                access::may_reactivate(ctx, &row, Source::Rest)?;
            }
        }
    }
    if let Some(held) = store::invites::find_pending(&tx, scope, &email).await?
        && held.expires_at <= ctx.now
    {
        store::invites::answer(&tx, scope, held.id, InviteStatus::Expired, None, ctx.now).await?;
    }
    let token = Token::generate(TokenKind::InviteLink, &*services.random);
    let invite = Invite {
        id: InviteId::new(ctx.now, &*services.random),
        organization_id: organization,
        email,
        role: new.role,
        message,
        hash: token.hash(),
        status: InviteStatus::Pending,
        invited_by: maker.id,
        invited_by_user_id: maker.user,
        created_at: ctx.now,
        expires_at: ctx.now.plus(services.settings.invite_lifetime),
        answered_at: None,
        accepted_by_user_id: None,
    };
    store::invites::insert(&tx, invite.clone()).await?;
    let data = json!({ "email": invite.email, "role": invite.role, "expires_at": invite.expires_at });
    services.record(&tx, ctx, organization, EventKind::InviteCreated, invite.id, data).await?;
    tx.commit().await?;
    Ok((invite, token))
}

/// Everybody in the organization, also past, who is known by this address; without making an account for it.
async fn known_by(tx: &Tx, scope: TenantScope, email: &EmailAddress) -> Result<Vec<Member>, Error> {
    let mut rows = store::members::find_by_email(tx, scope, email).await?;
    if let Some(user) = store::users::find_by_email(tx, email).await?
        && let Some(row) = store::members::find(tx, scope, user.id).await?
        && rows.iter().all(|known| known.user_id != row.user_id)
    {
        rows.push(row);
    }
    Ok(rows)
}

/// A page of invites, oldest first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    statuses: &[InviteStatus],
    request: &PageRequest,
) -> Result<Page<Invite>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadInvites).await?;
    Ok(store::invites::list(&services.db, scope, statuses, ctx.now, request).await?)
}

/// One invite.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: InviteId,
) -> Result<Invite, Error> {
    let scope = reach(services, ctx, organization, Action::ReadInvites).await?;
    store::invites::find(&services.db, scope, id).await?.ok_or_else(|| Error::not_found("invite"))
}

/// Takes an invite back. Taking back what is expired or taken back already changes nothing.
///
/// # Errors
/// [`Error::Conflict`] `invite_answered` for one that was accepted or declined.
pub async fn revoke(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: InviteId,
) -> Result<(), Error> {
    let scope = reach(services, ctx, organization, Action::WriteInvites).await?;
    let tx = services.begin().await?;
    if store::invites::answer(&tx, scope, id, InviteStatus::Revoked, None, ctx.now).await? {
        let data = json!({ "because": "revoked" });
        services.record(&tx, ctx, organization, EventKind::InviteRevoked, id, data).await?;
        tx.commit().await?;
        return Ok(());
    }
    match store::invites::find(&tx, scope, id).await?.map(|invite| invite.status) {
        None => Err(Error::not_found("invite")),
        Some(InviteStatus::Accepted | InviteStatus::Declined) => Err(Error::conflict(
            "invite_answered",
            "This invite has been answered, so there is nothing to take back. Remove the member instead.",
        )),
        Some(InviteStatus::Pending | InviteStatus::Revoked | InviteStatus::Expired) => Ok(()),
    }
}

/// The one answer for a link that opens nothing, whatever the reason.
fn invalid() -> Error {
    Error::refused(
        "invite_invalid",
        "This invite link is not valid: it may be mistyped, used up or taken back. Ask for a new invite.",
    )
}

/// What stands behind an invite now: `None` if whoever invited could not invite any more, else whether it is an owner
/// or the operator.
pub(super) async fn owner_behind(
    tx: &Tx,
    scope: TenantScope,
    invite: &Invite,
) -> Result<Option<bool>, Error> {
    if let Some(user) = invite.invited_by_user_id {
        // Unlocked on purpose: whoever ends the inviter's access takes the invite back by an update of its row.
        let inviter = store::members::find(tx, scope, user).await?;
        let fit = inviter
            .filter(|m| m.status == MemberStatus::Active && m.role >= Role::Admin && m.role >= invite.role);
        return Ok(fit.map(|member| member.role == Role::Owner));
    }
    match invite.invited_by.as_deref().and_then(|id| id.parse::<ApiKeyId>().ok()) {
        Some(key) => Ok(Some(store::api_keys::is_operator(tx, key).await?)),
        None => Ok(Some(false)),
    }
}

/// Marks an invite as accepted by its link; `false` if it is not pending any more.
async fn take_up(
    tx: &Tx,
    scope: TenantScope,
    invite: &Invite,
    user: UserId,
    _: Permit,
    now: Timestamp,
) -> Result<bool, Error> {
    let accepted = InviteStatus::Accepted;
    Ok(store::invites::answer(tx, scope, invite.id, accepted, Some(user), now).await?)
}

/// Accepts the invite behind a secret: its address becomes a member with the invite's role, once. Where the directory
/// holds somebody with the address, its directory user stands for the member from then on.
///
/// # Errors
/// [`Error::Refused`] `invite_invalid`, one answer for what was never given out, used up or taken back;
/// [`Error::Gone`] `invite_expired` if the secret was right but its time ran out; [`Error::Conflict`] `member_exists`
/// for an active member; [`Error::Forbidden`] `deactivated_elsewhere`, or `sso_required` where the person comes in through
/// SAML alone: the invite is honored at the first sign-in then.
pub async fn accept(services: &Services, ctx: &Ctx, secret: &str) -> Result<Accepted, Error> {
    let token = Token::parse(TokenKind::InviteLink, secret.trim()).ok_or_else(invalid)?;
    let invite = store::invites::find_by_hash(&services.db, &token.hash()).await?.ok_or_else(invalid)?;
    // The secret names the organization.
    let scope = TenantScope::established(invite.organization_id);
    match status_at(&invite, ctx.now) {
        InviteStatus::Pending => {}
        InviteStatus::Expired => {
            return Err(Error::Gone {
                code: "invite_expired",
                message: "This invite has expired. Ask whoever invited you for a new one.".to_owned(),
            });
        }
        _ => return Err(invalid()),
    }
    let tx = services.begin().await?;
    let owner = owner_behind(&tx, scope, &invite).await?.ok_or_else(invalid)?;
    let organization =
        store::organizations::find(&tx, scope).await?.ok_or_else(|| Error::not_found("organization"))?;
    let permit = enforcement::of_invite(&tx, &organization, &invite.email, invite.role, ctx.now).await?;
    let waiting = directory_users::waiting(&tx, scope, &invite.email).await?;
    let user = store::users::obtain(&tx, &invite.email, ctx.now, &*services.random).await?.id;
    // The member's row before the invite's: the order in which ending somebody's access takes them, too.
    let (own, others) = rows_by_address(&tx, scope, user, &invite.email).await?;
    if !take_up(&tx, scope, &invite, user, permit, ctx.now).await? {
        return Err(invalid());
    }
    for row in own.iter().chain(&others) {
        match row.status {
            MemberStatus::Active => {
                return Err(Error::conflict(
                    "member_exists",
                    "You are a member of this organization already.",
                ));
            }
            MemberStatus::Deactivated if row.user_id != user => {
                return Err(Error::conflict(
                    "member_exists",
                    "A deactivated member has this address. Ask an administrator to reactivate that member.",
                ));
            }
            MemberStatus::Deactivated | MemberStatus::Removed => {
                access::has_the_say(owner, row, Source::Rest)?;
            }
        }
    }
    let member = match own {
        Some(row) if row.status == MemberStatus::Deactivated => {
            access::give_back(services, &tx, ctx, scope, row, invite.role).await?
        }
        before => {
            let joining = Joining {
                user,
                email: invite.email.clone(),
                role: invite.role,
                source: Source::Invite,
                names: Names::default(),
            };
            join(services, &tx, ctx, scope, joining, before).await?
        }
    };
    if let Some(waiting) = &waiting {
        directory_users::let_in(services, &tx, ctx, scope, waiting, user).await?;
    }
    let data = json!({ "email": invite.email, "role": invite.role, "user_id": user });
    services.record(&tx, ctx, scope.organization(), EventKind::InviteAccepted, invite.id, data).await?;
    tx.commit().await?;
    Ok(Accepted { member, organization })
}
