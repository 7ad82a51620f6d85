//! Table `directory_groups`. A SCIM Group in a directory.

use crate::model::id::{DirectoryGroupId, DirectoryId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A SCIM Group in a directory.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_groups")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DirectoryGroupId,
    pub organization_id: OrganizationId,
    pub directory_id: DirectoryId,
    pub display_name: String,
    pub display_name_key: String,
    pub external_id: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    pub member_count: i64,
    pub mapped: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
