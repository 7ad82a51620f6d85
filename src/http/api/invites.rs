//! `/api/v1/organizations/{organization_id}/invites`, and accepting one by its link.

use super::Tag;
use super::answer::{Answer, Done, Listed, Made};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request, words};
use super::members::MemberView;
use super::organizations::OrganizationView;
use crate::http::limits::{address_key, enforce};
use crate::http::payload::JsonBody;
use crate::http::state::State;
use crate::model::state::{InviteStatus, Role};
use crate::model::time::Timestamp;
use crate::service::invites::{self, Invite};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// An invite: an offer of membership to an e-mail address.
#[derive(Object)]
#[oai(rename = "Invite", skip_serializing_if_is_none)]
pub struct InviteView {
    /// TypeID, `inv_…`.
    pub id: String,
    pub email: String,
    pub role: Role,
    pub message: Option<String>,
    pub status: InviteStatus,
    /// The person or key that invited.
    pub invited_by: Option<String>,
    pub created_at: Time,
    pub expires_at: Time,
    /// When it was accepted, declined or taken back.
    pub answered_at: Option<Time>,
    /// Who became a member by it.
    pub accepted_by_user_id: Option<String>,
    /// The address to hand to the invited person; only in the answer that made the invite.
    pub link: Option<String>,
}

impl InviteView {
    fn new(row: &Invite, now: Timestamp) -> Self {
        Self {
            id: row.id.to_string(),
            email: row.email.to_string(),
            role: row.role,
            message: row.message.clone(),
            status: invites::status_at(row, now),
            invited_by: row.invited_by.clone(),
            created_at: row.created_at.to_datetime(),
            expires_at: row.expires_at.to_datetime(),
            answered_at: row.answered_at.map(Timestamp::to_datetime),
            accepted_by_user_id: row.accepted_by_user_id.map(|user| user.to_string()),
            link: None,
        }
    }
}

/// A new invite.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CreateInvite {
    /// Who is invited; ASCII, compared wholly in lower case.
    pub email: String,
    /// `member` if absent; `admin` at most.
    pub role: Option<Role>,
    /// Shown to the invited person; at most 1000 characters.
    pub message: Option<String>,
}

/// The secret of an invite.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct AcceptInvite {
    /// What stands behind the `#` of the link.
    pub token: String,
}

/// What accepting came to.
#[derive(Object)]
pub struct AcceptedInvite {
    pub member: MemberView,
    pub organization: OrganizationView,
}

pub struct InvitesApi;

#[OpenApi(tag = "Tag::Invites")]
impl InvitesApi {
    /// Invite somebody
    ///
    /// The answer carries the link, this once. It works in a browser; a program takes what stands behind its `#` as
    /// the token for `accept_invite`.
    #[oai(path = "/organizations/:organization_id/invites", method = "post", operation_id = "create_invite")]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<CreateInvite>,
    ) -> Answer<Made<InviteView>> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = invites::CreateInvite {
            email: body.email,
            role: body.role.unwrap_or(Role::Member),
            message: body.message,
        };
        let (row, token) = invites::create(caller.services(), &caller.ctx, organization, new).await?;
        let location = format!("/api/v1/organizations/{organization}/invites/{}", row.id);
        let mut view = InviteView::new(&row, caller.ctx.now);
        view.link = Some(invites::link(caller.services(), &token));
        Ok(Made::new(view, location, 1))
    }

    /// List invites
    #[oai(path = "/organizations/:organization_id/invites", method = "get", operation_id = "list_invites")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only these, with commas between: `pending`, `accepted`, `declined`, `expired`, `revoked`.
        status: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<InviteView>>> {
        let organization = caller.organization(&organization_id)?;
        let statuses = words::<InviteStatus>("status", status.0.as_deref())?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let now = caller.ctx.now;
        let page = invites::list(caller.services(), &caller.ctx, organization, &statuses, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| InviteView::new(&row, now)))))
    }

    /// Read an invite
    #[oai(
        path = "/organizations/:organization_id/invites/:invite_id",
        method = "get",
        operation_id = "get_invite"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        invite_id: Path<String>,
    ) -> Answer<Listed<InviteView>> {
        let organization = caller.organization(&organization_id)?;
        let row = invites::find(caller.services(), &caller.ctx, organization, id(&invite_id)?).await?;
        Ok(Listed::Ok(Json(InviteView::new(&row, caller.ctx.now))))
    }

    /// Take an invite back
    ///
    /// Its link is dead at once. One that was taken back or expired before is left as it is.
    #[oai(
        path = "/organizations/:organization_id/invites/:invite_id",
        method = "delete",
        operation_id = "revoke_invite"
    )]
    async fn revoke(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        invite_id: Path<String>,
    ) -> Answer<Done> {
        let organization = caller.organization(&organization_id)?;
        invites::revoke(caller.services(), &caller.ctx, organization, id(&invite_id)?).await?;
        Ok(Done::NoContent)
    }

    /// Accept an invite by its link
    ///
    /// Needs no credential but the token, and makes the invited address a member, once. No session comes of it: the
    /// person signs in by the way that the organization has.
    #[oai(path = "/invites/accept", method = "post", operation_id = "accept_invite")]
    async fn accept(
        &self,
        request: &Request,
        body: JsonBody<AcceptInvite>,
    ) -> Answer<Listed<AcceptedInvite>> {
        let state = State::of(request).map_err(|_| crate::http::payload::Problem::internal())?;
        let ctx = state.anonymous(request);
        if let Some(ip) = ctx.ip {
            enforce(request, &state.limits.addresses, &address_key(ip))?;
        }
        let accepted = invites::accept(&state.services, &ctx, &body.token).await?;
        Ok(Listed::Ok(Json(AcceptedInvite {
            member: MemberView::from(&accepted.member),
            organization: OrganizationView::from(&accepted.organization),
        })))
    }
}
