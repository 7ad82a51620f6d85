//! `/api/v1/organizations/{organization_id}/scim/users`: whom the directory pushed, and who of them is held. They are the
//! identity provider's, so they are read here and changed there.

use super::Tag;
use super::answer::{Answer, Found, Listed};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request};
use crate::service::directory_users::{self, DirectoryUser};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// Somebody in the directory, as the identity provider says.
#[derive(Object)]
#[oai(rename = "DirectoryUser", skip_serializing_if_is_none)]
pub struct DirectoryUserView {
    /// TypeID, `dus_…`.
    pub id: String,
    /// The `id` that the identity provider knows.
    pub scim_id: String,
    pub user_name: String,
    pub external_id: Option<String>,
    /// The address by which the person is known here: userName if that is an address, else the primary or work e-mail.
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    /// What the directory says; whether the person may enter, the member says.
    pub active: bool,
    /// Whether there is neither user nor member, because the address is on none of the directory's domains, or there is
    /// none. Inviting the address lets the person in.
    pub held: bool,
    /// TypeID of the user behind, `usr_…`; absent where the person is held.
    pub user_id: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

impl From<DirectoryUser> for DirectoryUserView {
    fn from(row: DirectoryUser) -> Self {
        Self {
            id: row.id.to_string(),
            scim_id: row.id.uuid().to_string(),
            user_name: row.user_name,
            external_id: row.external_id,
            email: row.address.map(|address| address.to_string()),
            given_name: row.given_name,
            family_name: row.family_name,
            display_name: row.display_name,
            active: row.active,
            held: row.user_id.is_none(),
            user_id: row.user_id.map(|user| user.to_string()),
            created_at: row.created_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
        }
    }
}

pub struct DirectoryUsersApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl DirectoryUsersApi {
    /// List the directory's users
    ///
    /// In the order of their making. With `held=true` those whom the directory holds until an administrator invites
    /// them (`foreign_addresses`).
    #[oai(path = "/:organization_id/scim/users", method = "get", operation_id = "list_directory_users")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only those who are held, or only those who are not.
        held: Query<Option<bool>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<DirectoryUserView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "id")?;
        let page =
            directory_users::list(caller.services(), &caller.ctx, organization, held.0, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, DirectoryUserView::from))))
    }

    /// Read one of the directory's users
    #[oai(
        path = "/:organization_id/scim/users/:directory_user_id",
        method = "get",
        operation_id = "get_directory_user"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// TypeID, `dus_…`.
        directory_user_id: Path<String>,
    ) -> Answer<Found<DirectoryUserView>> {
        let organization = caller.organization(&organization_id)?;
        let found = id(&directory_user_id)?;
        let row = directory_users::find(caller.services(), &caller.ctx, organization, found).await?;
        let version = row.version;
        Ok(Found::new(DirectoryUserView::from(row), version))
    }
}
