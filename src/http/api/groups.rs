//! `/api/v1/organizations/{organization_id}/groups`: the directory's groups, to be read. They are changed at the
//! identity provider.

use super::Tag;
use super::answer::{Answer, Found, Listed};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request};
use crate::model::state::{Role, Source};
use crate::service::groups::{self, Group, Inside};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// A group of the directory.
#[derive(Object)]
#[oai(rename = "Group", skip_serializing_if_is_none)]
pub struct GroupView {
    /// TypeID, `grp_…`.
    pub id: String,
    /// Unique in the directory without case.
    pub display_name: String,
    /// What the identity provider calls it.
    pub external_id: Option<String>,
    /// Whose the group is: only there it is changed.
    pub source: Source,
    pub member_count: i64,
    /// The roles that it gives its members; set in the role mappings.
    pub roles: Vec<Role>,
    pub created_at: Time,
    /// When the name, the external id or the members last changed.
    pub updated_at: Time,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        Self {
            id: group.row.id.to_string(),
            display_name: group.row.display_name,
            external_id: group.row.external_id,
            source: Source::Scim,
            member_count: group.row.member_count,
            roles: group.roles,
            created_at: group.row.created_at.to_datetime(),
            updated_at: group.row.updated_at.to_datetime(),
        }
    }
}

/// Somebody in a group.
#[derive(Object)]
#[oai(rename = "GroupMember", skip_serializing_if_is_none)]
pub struct GroupMemberView {
    /// TypeID of the directory user, `dus_…`.
    pub directory_user_id: String,
    /// TypeID of the user behind, `usr_…`; absent where the person is held.
    pub user_id: Option<String>,
    pub user_name: String,
    pub display_name: Option<String>,
    /// What the directory says; whether the person may enter, the member says.
    pub active: bool,
    pub added_at: Time,
}

impl From<Inside> for GroupMemberView {
    fn from(inside: Inside) -> Self {
        Self {
            directory_user_id: inside.directory_user_id.to_string(),
            user_id: inside.user_id.map(|user| user.to_string()),
            user_name: inside.user_name,
            display_name: inside.display_name,
            active: inside.active,
            added_at: inside.added_at.to_datetime(),
        }
    }
}

pub struct GroupsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Groups")]
impl GroupsApi {
    /// List groups
    ///
    /// In the order of their making.
    #[oai(path = "/:organization_id/groups", method = "get", operation_id = "list_groups")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Part of the name, without case.
        search: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<GroupView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "id")?;
        let search = search.0.filter(|text| !text.is_empty());
        let page =
            groups::list(caller.services(), &caller.ctx, organization, search.as_deref(), &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, GroupView::from))))
    }

    /// Read a group
    #[oai(path = "/:organization_id/groups/:group_id", method = "get", operation_id = "get_group")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        group_id: Path<String>,
    ) -> Answer<Found<GroupView>> {
        let organization = caller.organization(&organization_id)?;
        let group = groups::find(caller.services(), &caller.ctx, organization, id(&group_id)?).await?;
        let version = group.row.version;
        Ok(Found::new(GroupView::from(group), version))
    }

    /// List who is in a group
    #[oai(
        path = "/:organization_id/groups/:group_id/members",
        method = "get",
        operation_id = "list_group_members"
    )]
    async fn members(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        group_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<GroupMemberView>>> {
        let organization = caller.organization(&organization_id)?;
        let group = id(&group_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "id")?;
        let page = groups::members(caller.services(), &caller.ctx, organization, group, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, GroupMemberView::from))))
    }
}
