//! Table `directory_users`. A SCIM User in a directory; without `user_id` it is held (rule 6).

use crate::model::email::EmailAddress;
use crate::model::id::{DirectoryId, DirectoryUserId, OrganizationId, UserId};
use crate::model::state::Role;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A SCIM User in a directory; without `user_id` it is held (rule 6).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DirectoryUserId,
    pub organization_id: OrganizationId,
    pub directory_id: DirectoryId,
    pub user_name: String,
    pub user_name_key: String,
    pub external_id: Option<String>,
    pub active: bool,
    pub address: Option<EmailAddress>,
    pub user_id: Option<UserId>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    /// The first e-mail address that is not the userName, folded.
    pub email_key: Option<String>,
    /// Whether there are other e-mail addresses still.
    pub more_emails: bool,
    /// The highest role that `roles` names and that an IdP may give, whether the directory heeds it or not.
    pub asserted_role: Option<Role>,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
