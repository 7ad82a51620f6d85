//! Table `domains`. A domain that an organization claims.

use crate::model::connection_ids::ConnectionIds;
use crate::model::dns_name::DomainName;
use crate::model::id::{DomainId, OrganizationId};
use crate::model::state::{DomainStatus, SsoEnforcement};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A domain that an organization claims.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "domains")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DomainId,
    pub organization_id: OrganizationId,
    pub name: DomainName,
    pub status: DomainStatus,
    pub challenge: String,
    pub challenge_expires_at: Timestamp,
    pub verified_at: Option<Timestamp>,
    pub last_checked_at: Option<Timestamp>,
    pub last_result: Option<String>,
    pub jit_provisioning_enabled: bool,
    pub scim_enabled: bool,
    /// The connections that serve it.
    pub connection_ids: ConnectionIds,
    /// Whether its people come in through SAML alone.
    pub sso_enforcement: SsoEnforcement,
    pub sso_enforcement_starts_at: Option<Timestamp>,
    pub sso_enforcement_grace_days: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
