//! Table `organizations`. An organization: a tenant.

use crate::model::id::OrganizationId;
use crate::model::state::{FirstLink, ProvisioningMode};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An organization: a tenant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrganizationId,
    pub name: String,
    pub slug: String,
    pub provisioning_mode: ProvisioningMode,
    pub first_link: FirstLink,
    pub session_lifetime_seconds: Option<i64>,
    pub session_idle_seconds: Option<i64>,
    /// Whether every member comes in through SAML alone, whatever the address.
    pub sso_required: bool,
    pub sso_required_starts_at: Option<Timestamp>,
    pub sso_required_grace_days: i32,
    pub ownerless_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
