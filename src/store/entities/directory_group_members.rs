//! Table `directory_group_members`. A directory user in a directory group.

use crate::model::id::{DirectoryGroupId, DirectoryUserId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A directory user in a directory group.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_group_members")]
pub struct Model {
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: DirectoryGroupId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub directory_user_id: DirectoryUserId,
    pub added_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
