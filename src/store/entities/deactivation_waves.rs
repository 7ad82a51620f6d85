//! Table `deactivation_waves`. The last wave of deactivations of an organization that its owners were told of.

use crate::model::id::OrganizationId;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// The last wave of deactivations of an organization that its owners were told of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deactivation_waves")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    pub began_at: Timestamp,
    /// The latest deactivation of it that was seen.
    pub last_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
