//! `/api/v1/organizations/{organization_id}/guests`.

use super::Tag;
use super::answer::{Answer, Done, Found, Listed, Made, if_match};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request};
use crate::http::payload::JsonBody;
use crate::model::id::{GuestId, OrganizationId};
use crate::model::state::GuestStatus;
use crate::model::time::Timestamp;
use crate::service::guests::{self, Guest};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// The approval of a guest: somebody on none of the organization's domains whom an owner lets in without its SAML until
/// a day, although `sso_required` is on. It counts while the person is an ordinary member.
#[derive(Object)]
#[oai(rename = "Guest", skip_serializing_if_is_none)]
pub struct GuestView {
    /// TypeID, `gst_…`.
    pub id: String,
    pub email: String,
    /// Why, as whoever approved has put it.
    pub note: Option<String>,
    pub status: GuestStatus,
    pub ends_at: Time,
    /// The person or key that approved.
    pub approved_by: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

impl GuestView {
    fn new(row: &Guest, now: Timestamp) -> Self {
        Self {
            id: row.id.to_string(),
            email: row.email.to_string(),
            note: row.note.clone(),
            status: guests::status_at(row, now),
            ends_at: row.ended_at.map_or(row.ends_at, |ended| ended.min(row.ends_at)).to_datetime(),
            approved_by: row.approved_by.clone(),
            created_at: row.created_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
        }
    }
}

/// A new approval.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct ApproveGuest {
    /// Who, a member already or about to accept an invite; on none of the organization's verified domains.
    pub email: String,
    /// Until when, at most 90 days ahead; renewed by a change of it.
    pub ends_at: Time,
    /// At most 500 characters.
    pub note: Option<String>,
}

/// Changes of an approval.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct RenewGuest {
    /// Until when, at most 90 days ahead.
    pub ends_at: Time,
}

fn ids(caller: &Caller, organization: &str, guest: &str) -> Answer<(OrganizationId, GuestId)> {
    Ok((caller.organization(organization)?, id(guest)?))
}

pub struct GuestsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Enforcement")]
impl GuestsApi {
    /// Approve a guest
    ///
    /// A change of trust. 409 `guest_on_own_domain`, `guest_role` for an admin or owner, `guest_approved` where an
    /// approval stands.
    #[oai(path = "/:organization_id/guests", method = "post", operation_id = "approve_guest")]
    async fn approve(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<ApproveGuest>,
    ) -> Answer<Made<GuestView>> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = guests::ApproveGuest { email: body.email, ends_at: body.ends_at.into(), note: body.note };
        let row = guests::approve(caller.services(), &caller.ctx, organization, new).await?;
        let location = format!("/api/v1/organizations/{organization}/guests/{}", row.id);
        Ok(Made::new(GuestView::new(&row, caller.ctx.now), location, row.version))
    }

    /// List guests
    #[oai(path = "/:organization_id/guests", method = "get", operation_id = "list_guests")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Only these; all if absent.
        status: Query<Option<GuestStatus>>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<GuestView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page = guests::list(caller.services(), &caller.ctx, organization, status.0, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| GuestView::new(&row, caller.ctx.now)))))
    }

    /// Read a guest
    #[oai(path = "/:organization_id/guests/:guest_id", method = "get", operation_id = "get_guest")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        guest_id: Path<String>,
    ) -> Answer<Found<GuestView>> {
        let (organization, guest) = ids(&caller, &organization_id, &guest_id)?;
        let row = guests::find(caller.services(), &caller.ctx, organization, guest).await?;
        Ok(Found::new(GuestView::new(&row, caller.ctx.now), row.version))
    }

    /// Renew a guest
    ///
    /// A change of trust. 409 `guest_ended` for one whose approval has ended: approve anew.
    #[oai(path = "/:organization_id/guests/:guest_id", method = "patch", operation_id = "renew_guest")]
    async fn renew(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        guest_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<RenewGuest>,
    ) -> Answer<Found<GuestView>> {
        let (organization, guest) = ids(&caller, &organization_id, &guest_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let (services, ends_at) = (caller.services(), body.0.ends_at.into());
        let row = guests::renew(services, &caller.ctx, organization, guest, expected, ends_at).await?;
        Ok(Found::new(GuestView::new(&row, caller.ctx.now), row.version))
    }

    /// End the approval of a guest
    ///
    /// From then on enforcement binds the person like everybody.
    #[oai(path = "/:organization_id/guests/:guest_id", method = "delete", operation_id = "end_guest")]
    async fn end(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        guest_id: Path<String>,
        /// The `ETag` that was read; nothing is ended if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
    ) -> Answer<Done> {
        let (organization, guest) = ids(&caller, &organization_id, &guest_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        guests::end(caller.services(), &caller.ctx, organization, guest, expected).await?;
        Ok(Done::NoContent)
    }
}
