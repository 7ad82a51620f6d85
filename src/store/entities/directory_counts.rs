//! Table `directory_counts`. How many resources of a kind a directory has, as far as they were counted.

use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// How many resources of a kind a directory has, as far as they were counted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_counts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub directory_id: DirectoryId,
    /// The name of their table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    pub organization_id: OrganizationId,
    /// Those before this id were counted.
    pub up_to: Uuid,
    pub counted: i64,
    pub counted_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
