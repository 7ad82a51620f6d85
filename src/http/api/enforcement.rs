//! `/api/v1/organizations/{organization_id}/sso-enforcement`: who is affected, before it is switched on and after. The
//! settings themselves are fields of the domain (`sso_enforcement`) and of the organization (`sso_required`).

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::{PageView, id_field, page_request};
use crate::model::id::DomainId;
use crate::model::state::{EnforcedStanding, Role};
use crate::service::enforcement::preview::{self, BoundMember, Preview};
use crate::service::enforcement::ways::Hindrance;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// How many active members stand how.
#[derive(Object)]
#[oai(rename = "EnforcedMembers")]
pub struct CountsView {
    /// Have signed in through an active connection.
    pub linked: u64,
    /// Have not, and an active connection serves their address.
    pub unlinked: u64,
    /// Are on other domains, and approved as guests.
    pub guests: u64,
    /// Would have no way in: no active connection serves their address.
    pub shut_out: u64,
}

/// What stands in the way of switching on.
#[derive(Object)]
#[oai(rename = "EnforcementHindrance")]
pub struct HindranceView {
    /// The code that switching on would be refused with.
    pub code: String,
    /// What it takes.
    pub detail: String,
}

/// Who would be affected by switching enforcement on now, or is while it is on.
#[derive(Object)]
#[oai(rename = "EnforcementPreview", skip_serializing_if_is_none)]
pub struct PreviewView {
    /// Whether this credential could switch it on, as far as it may change trust at all.
    pub ready: bool,
    /// Whether the sign-in that it takes was made: the caller's own through a connection that would be enforced, or for
    /// an API key that of any admin or owner.
    pub sign_in_proven: bool,
    pub hindrance: Option<HindranceView>,
    pub members: CountsView,
    /// Owners who have not signed in through SAML. Each makes the first link while signed in some other way, so let them
    /// do it before enforcement starts, or within the grace of their sessions.
    pub owners_without_link: u64,
    /// Live sessions that no SAML made: they end with the grace.
    pub sessions_ending: u64,
    /// Live API keys. They belong to the organization, not to people, and go on.
    pub api_keys_kept: u64,
}

impl From<&Preview> for PreviewView {
    fn from(preview: &Preview) -> Self {
        let people = |standing| preview.people(standing);
        let hindrance = preview.hindrance.map(Hindrance::refusal);
        Self {
            ready: hindrance.is_none(),
            sign_in_proven: preview.hindrance.is_none(),
            hindrance: hindrance
                .map(|error| HindranceView { code: error.code().to_owned(), detail: error.to_string() }),
            members: CountsView {
                linked: people(EnforcedStanding::Linked),
                unlinked: people(EnforcedStanding::Unlinked),
                guests: people(EnforcedStanding::Guest),
                shut_out: people(EnforcedStanding::ShutOut),
            },
            owners_without_link: preview.owners_without_link(),
            sessions_ending: preview.sessions,
            api_keys_kept: preview.api_keys,
        }
    }
}

/// Somebody whom enforcement binds, or would bind.
#[derive(Object)]
#[oai(rename = "EnforcedMember")]
pub struct BoundMemberView {
    /// TypeID, `usr_…`.
    pub user_id: String,
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<String>,
    pub role: Role,
    pub standing: EnforcedStanding,
}

impl From<BoundMember> for BoundMemberView {
    fn from(row: BoundMember) -> Self {
        Self {
            user_id: row.user_id.to_string(),
            email: row.email.map(|email| email.to_string()),
            role: row.role,
            standing: row.standing,
        }
    }
}

fn domain(text: Option<&str>) -> Answer<Option<DomainId>> {
    text.map(|text| id_field("domain_id", text)).transpose()
}

pub struct EnforcementApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Enforcement")]
impl EnforcementApi {
    /// Preview enforcement
    ///
    /// Who would be affected by `sso_enforcement: saml` of a domain, or without `domain_id` by `sso_required` of the
    /// organization; and what keeps the caller from switching it on.
    #[oai(
        path = "/:organization_id/sso-enforcement/preview",
        method = "get",
        operation_id = "preview_sso_enforcement"
    )]
    async fn preview(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The people of this domain; all members if absent.
        domain_id: Query<Option<String>>,
    ) -> Answer<Listed<PreviewView>> {
        let organization = caller.organization(&organization_id)?;
        let domain = domain(domain_id.0.as_deref())?;
        let found = preview::preview(caller.services(), &caller.ctx, organization, domain).await?;
        Ok(Listed::Ok(Json(PreviewView::from(&found))))
    }

    /// List whom enforcement affects
    ///
    /// The active members whom it binds, or would bind, by id.
    #[oai(
        path = "/:organization_id/sso-enforcement/members",
        method = "get",
        operation_id = "list_sso_enforcement_members"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn members(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The people of this domain; all members if absent.
        domain_id: Query<Option<String>>,
        /// Only those who stand so.
        standing: Query<Option<EnforcedStanding>>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<BoundMemberView>>> {
        let organization = caller.organization(&organization_id)?;
        let domain = domain(domain_id.0.as_deref())?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "id")?;
        let (services, ctx) = (caller.services(), &caller.ctx);
        let page = preview::members(services, ctx, organization, domain, standing.0, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, BoundMemberView::from))))
    }
}
