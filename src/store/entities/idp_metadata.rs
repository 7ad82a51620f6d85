//! Table `idp_metadata`. Where the facts of a connection's IdP come from, and how fetching them went.

use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::state::MetadataSignature;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// Where the facts of a connection's IdP come from, and how fetching them went.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idp_metadata")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection_id: ConnectionId,
    pub organization_id: OrganizationId,
    /// None for metadata that was pasted.
    pub url: Option<String>,
    /// Also moved ahead by whoever takes the fetch for itself.
    pub next_fetch_at: Option<Timestamp>,
    pub fetched_at: Option<Timestamp>,
    pub succeeded_at: Option<Timestamp>,
    /// In a row.
    pub failures: i32,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub signature: Option<MetadataSignature>,
    pub valid_until: Option<Timestamp>,
    /// Whether somebody was told that this `valid_until` has passed.
    pub lapse_told: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub name_id_formats: Json,
    pub wants_signed_requests: bool,
    /// Addresses that unsigned metadata offered and nobody has confirmed.
    #[sea_orm(column_type = "JsonBinary")]
    pub pending_addresses: Option<Json>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
