//! Table `directory_departures`. A resource that left its directory after it was counted.

use crate::model::id::{DirectoryId, OrganizationId};
use sea_orm::entity::prelude::*;

/// A resource that left its directory after it was counted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_departures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub directory_id: DirectoryId,
    /// The name of its table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: OrganizationId,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
