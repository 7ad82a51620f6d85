//! Table `role_mapping_names`. A group that SAML assertions name gives a role.

use crate::model::id::OrganizationId;
use crate::model::state::Role;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A group that SAML assertions name gives a role.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_mapping_names")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    /// The name without case.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_key: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role: Role,
    pub name: String,
    pub created_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
