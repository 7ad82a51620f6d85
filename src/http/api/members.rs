//! `/api/v1/organizations/{organization_id}/members`.

use super::Tag;
use super::answer::{Answer, Done, Found, Listed, Made, if_match};
use super::caller::Caller;
use super::dto::{PageView, Time, page_request};
use super::organizations::patch;
use crate::http::payload::JsonBody;
use crate::model::state::{MemberStatus, Role, RoleSource, Source};
use crate::model::time::Timestamp;
use crate::service::members::{self, Member, MemberFilter, Names};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object, OpenApi};

/// A member: a user in an organization.
#[derive(Object)]
#[oai(rename = "Member", skip_serializing_if_is_none)]
pub struct MemberView {
    /// TypeID of the user, `usr_…`.
    pub user_id: String,
    /// The contact address.
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    pub role: Role,
    /// `groups` where the role comes from the directory's groups (or the `roles` of its user) and goes with them.
    pub role_source: RoleSource,
    /// `active` or `deactivated`.
    pub status: MemberStatus,
    /// How the member came.
    pub source: Source,
    /// What the directory calls this person.
    pub external_id: Option<String>,
    pub joined_at: Time,
    pub updated_at: Time,
    /// Since when the person may not enter.
    pub deactivated_at: Option<Time>,
    /// Who ended the access: only that source, or an owner, gives it back.
    pub deactivated_by: Option<Source>,
    /// Who said the same afterwards: then neither gives the access back alone, but an owner.
    pub also_deactivated_by: Option<Source>,
}

impl From<&Member> for MemberView {
    fn from(row: &Member) -> Self {
        Self {
            user_id: row.user_id.to_string(),
            email: row.email.as_ref().map(ToString::to_string),
            given_name: row.given_name.clone(),
            family_name: row.family_name.clone(),
            display_name: row.display_name.clone(),
            role: row.role,
            role_source: if row.unmapped_role.is_some() { RoleSource::Groups } else { RoleSource::Own },
            status: row.status,
            source: row.source,
            external_id: row.external_id.clone(),
            joined_at: row.joined_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
            deactivated_at: row.deactivated_at.map(Timestamp::to_datetime),
            deactivated_by: row.deactivated_by,
            also_deactivated_by: row.also_deactivated_by,
        }
    }
}

/// A new member.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct AddMember {
    /// ASCII; compared wholly in lower case.
    pub email: String,
    /// `member` if absent; never above the caller's own.
    pub role: Option<Role>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
}

/// Changes of a member (JSON Merge Patch: absent leaves alone, `null` clears).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateMember {
    /// Owners are made and unmade by owners and the operator. A person who is reactivated comes back as `member`
    /// unless it is said here.
    pub role: Option<Role>,
    /// `false` ends every way in at once; `true` gives access back, for whoever ended it or an owner.
    pub active: Option<bool>,
    /// Kept by the directory where one stands for the member; the same for the other names.
    pub given_name: MaybeUndefined<String>,
    pub family_name: MaybeUndefined<String>,
    pub display_name: MaybeUndefined<String>,
}

/// How many members there are.
#[derive(Object)]
pub struct MemberCount {
    /// Active and deactivated ones.
    pub count: u64,
}

/// The states that a list can be narrowed to.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "ListedMemberStatus", rename_all = "snake_case")]
pub enum ListedStatus {
    Active,
    Deactivated,
}

/// The orders of a list of members.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "MemberOrder")]
pub enum MemberOrder {
    /// Oldest first.
    #[oai(rename = "joined_at")]
    JoinedAt,
    /// Newest first.
    #[oai(rename = "-joined_at")]
    JoinedAtDescending,
}

pub struct MembersApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Members")]
impl MembersApi {
    /// Add a member
    ///
    /// Without an invite. Whether the address had an account before is not told. In the provisioning mode `scim` people
    /// on the directory's domains come from the identity provider alone, but for owners.
    #[oai(path = "/:organization_id/members", method = "post", operation_id = "add_member")]
    async fn add(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<AddMember>,
    ) -> Answer<Made<MemberView>> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = members::AddMember {
            email: body.email,
            role: body.role.unwrap_or(Role::Member),
            names: Names {
                given_name: body.given_name,
                family_name: body.family_name,
                display_name: body.display_name,
            },
        };
        let row = members::add(caller.services(), &caller.ctx, organization, new).await?;
        let location = format!("/api/v1/organizations/{organization}/members/{}", row.user_id);
        Ok(Made::new(MemberView::from(&row), location, row.version))
    }

    /// List members
    #[oai(path = "/:organization_id/members", method = "get", operation_id = "list_members")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// `joined_at` if absent.
        order_by: Query<Option<MemberOrder>>,
        /// Part of the address or a name, without case.
        search: Query<Option<String>>,
        /// Only this role.
        role: Query<Option<Role>>,
        /// Only these; both if absent.
        status: Query<Option<ListedStatus>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<MemberView>>> {
        let organization = caller.organization(&organization_id)?;
        let descending = matches!(order_by.0, Some(MemberOrder::JoinedAtDescending));
        let order = if descending { "-joined_at" } else { "joined_at" };
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, order)?;
        let filter = MemberFilter {
            search: search.0.filter(|text| !text.is_empty()),
            role: role.0,
            status: status.0.map(|status| match status {
                ListedStatus::Active => MemberStatus::Active,
                ListedStatus::Deactivated => MemberStatus::Deactivated,
            }),
            descending,
        };
        let page = members::list(caller.services(), &caller.ctx, organization, &filter, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| MemberView::from(&row)))))
    }

    /// Count members
    #[oai(path = "/:organization_id/members/count", method = "get", operation_id = "count_members")]
    async fn count(&self, caller: Caller, organization_id: Path<String>) -> Answer<Listed<MemberCount>> {
        let organization = caller.organization(&organization_id)?;
        let count = members::count(caller.services(), &caller.ctx, organization).await?;
        Ok(Listed::Ok(Json(MemberCount { count })))
    }

    /// Read a member
    #[oai(path = "/:organization_id/members/:user_id", method = "get", operation_id = "get_member")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        user_id: Path<String>,
    ) -> Answer<Found<MemberView>> {
        let organization = caller.organization(&organization_id)?;
        let user = caller.user(&user_id)?;
        let row = members::find(caller.services(), &caller.ctx, organization, user).await?;
        Ok(Found::new(MemberView::from(&row), row.version))
    }

    /// Change a member
    ///
    /// Role, access and names; names and roles that are the identity provider's are changed there. Ending the access of the last owner works and leaves the organization without one;
    /// taking the role from the last owner is refused.
    #[oai(path = "/:organization_id/members/:user_id", method = "patch", operation_id = "update_member")]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        user_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateMember>,
    ) -> Answer<Found<MemberView>> {
        let organization = caller.organization(&organization_id)?;
        let user = caller.user(&user_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let body = body.0;
        let change = members::UpdateMember {
            role: body.role,
            active: body.active,
            given_name: patch(body.given_name),
            family_name: patch(body.family_name),
            display_name: patch(body.display_name),
        };
        let row =
            members::update(caller.services(), &caller.ctx, organization, user, expected, change).await?;
        Ok(Found::new(MemberView::from(&row), row.version))
    }

    /// Remove a member
    ///
    /// `me` as the user lets a signed-in person leave. Every way in ends at once; the last owner cannot be removed.
    #[oai(path = "/:organization_id/members/:user_id", method = "delete", operation_id = "remove_member")]
    async fn remove(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        user_id: Path<String>,
        /// The `ETag` that was read; the removal is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
    ) -> Answer<Done> {
        let organization = caller.organization(&organization_id)?;
        let user = caller.user(&user_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        members::remove(caller.services(), &caller.ctx, organization, user, expected).await?;
        Ok(Done::NoContent)
    }
}
