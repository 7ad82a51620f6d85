//! Table `directories`. The SCIM side of an organization.

use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::state::{Conformance, ForeignAddresses};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// The SCIM side of an organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directories")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DirectoryId,
    pub organization_id: OrganizationId,
    pub foreign_addresses: ForeignAddresses,
    /// How strictly it reads what the IdP sends.
    pub conformance: Conformance,
    /// Whether SCIM tokens are refused, so that only OAuth clients come in.
    pub oauth_only: bool,
    /// Whether the `roles` of its users set the members' roles.
    pub roles_on_users: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
