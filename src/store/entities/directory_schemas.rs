//! Table `directory_schemas`. The schemas that an organization adds to the users of its directory.

use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// The schemas that an organization adds to the users of its directory.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_schemas")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub directory_id: DirectoryId,
    pub organization_id: OrganizationId,
    /// A list of schemas as administrators describe them.
    #[sea_orm(column_type = "JsonBinary")]
    pub schemas: Json,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
