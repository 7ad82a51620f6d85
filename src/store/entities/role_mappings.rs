//! Table `role_mappings`. A directory group gives its members a role.

use crate::model::id::{DirectoryGroupId, OrganizationId};
use crate::model::state::Role;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A directory group gives its members a role.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_mappings")]
pub struct Model {
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: DirectoryGroupId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role: Role,
    pub created_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
