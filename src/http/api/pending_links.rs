//! `/api/v1/organizations/{organization_id}/pending-links`: sign-ins with a member's address that wait for an
//! administrator's word on whether it is that member.

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request, words};
use crate::model::state::{PendingLinkReason, PendingLinkStatus};
use crate::model::time::Timestamp;
use crate::service::pending_links::{self, PendingLink};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// A link that waits for an administrator, or was answered and not used yet.
#[derive(Object)]
#[oai(rename = "PendingLink", skip_serializing_if_is_none)]
pub struct PendingLinkView {
    /// TypeID, `pln_…`.
    pub id: String,
    /// The member whose address came.
    pub user_id: String,
    /// The SAML connection that somebody signed in through.
    pub connection_id: String,
    /// The address that the identity provider asserts.
    pub address: String,
    /// What the identity provider knows the person by.
    pub subject: String,
    /// Whether that never changes; else it is the address.
    pub immutable: bool,
    pub because: PendingLinkReason,
    pub status: PendingLinkStatus,
    /// What stood on the page of the newest sign-in that waits for it.
    pub reference: String,
    /// The person or key that confirmed or dismissed.
    pub answered_by: Option<String>,
    pub answered_at: Option<Time>,
    pub created_at: Time,
    /// It is over then: one that is pending or dismissed begins anew at the next sign-in, one that was confirmed has to
    /// be confirmed again.
    pub expires_at: Time,
}

impl From<PendingLink> for PendingLinkView {
    fn from(row: PendingLink) -> Self {
        Self {
            id: row.id.to_string(),
            user_id: row.user_id.to_string(),
            connection_id: row.connection_id.to_string(),
            address: row.address.to_string(),
            subject: row.subject,
            immutable: row.immutable,
            because: row.because,
            status: row.status,
            reference: row.reference,
            answered_by: row.answered_by,
            answered_at: row.answered_at.map(Timestamp::to_datetime),
            created_at: row.created_at.to_datetime(),
            expires_at: row.expires_at.to_datetime(),
        }
    }
}

pub struct PendingLinksApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Members")]
impl PendingLinksApi {
    /// List links that wait
    ///
    /// Somebody signed in with a member's address and a subject that is not the member's: for the first time, where
    /// `first_link` of the organization is `confirm`, or with another subject than before. At most one for each member at
    /// each connection: the newest. Each is over after 14 days.
    #[oai(path = "/:organization_id/pending-links", method = "get", operation_id = "list_pending_links")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only these, with commas between: `pending`, `confirmed`, `dismissed`.
        status: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<PendingLinkView>>> {
        let organization = caller.organization(&organization_id)?;
        let statuses = words::<PendingLinkStatus>("status", status.0.as_deref())?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page =
            pending_links::list(caller.services(), &caller.ctx, organization, &statuses, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, PendingLinkView::from))))
    }

    /// Confirm that it is the member
    ///
    /// The link is made at the person's next sign-in within 14 days, which ends the member's other sessions; a link to
    /// another subject goes. 403 `role_above_own` for a member above the caller, `owner_links_alone` for an owner.
    #[oai(
        path = "/:organization_id/pending-links/:pending_link_id/confirm",
        method = "post",
        operation_id = "confirm_pending_link"
    )]
    async fn confirm(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        pending_link_id: Path<String>,
    ) -> Answer<Listed<PendingLinkView>> {
        let organization = caller.organization(&organization_id)?;
        let link = id(&pending_link_id)?;
        let row = pending_links::confirm(caller.services(), &caller.ctx, organization, link).await?;
        Ok(Listed::Ok(Json(row.into())))
    }

    /// Say that it is somebody else
    ///
    /// The subject is refused for 14 days. A confirmation that was not used yet is taken back so.
    #[oai(
        path = "/:organization_id/pending-links/:pending_link_id/dismiss",
        method = "post",
        operation_id = "dismiss_pending_link"
    )]
    async fn dismiss(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        pending_link_id: Path<String>,
    ) -> Answer<Listed<PendingLinkView>> {
        let organization = caller.organization(&organization_id)?;
        let link = id(&pending_link_id)?;
        let row = pending_links::dismiss(caller.services(), &caller.ctx, organization, link).await?;
        Ok(Listed::Ok(Json(row.into())))
    }
}
