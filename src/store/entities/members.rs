//! Table `members`. A user in an organization.

use crate::model::email::EmailAddress;
use crate::model::id::{OrganizationId, UserId};
use crate::model::state::{MemberStatus, Role, Source};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A user in an organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub email: Option<EmailAddress>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    pub role: Role,
    /// What the person would be without the groups that give `role`; nothing where it is the person's own.
    pub unmapped_role: Option<Role>,
    pub status: MemberStatus,
    pub source: Source,
    pub external_id: Option<String>,
    /// Who ended the access.
    pub deactivated_by: Option<Source>,
    /// The credential or person of that source, as events show it.
    pub deactivated_by_id: Option<String>,
    pub deactivated_at: Option<Timestamp>,
    /// Who else has said since that this person is out: another source, or another credential of the directory.
    pub also_deactivated_by: Option<Source>,
    pub joined_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
