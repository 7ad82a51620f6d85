//! Table `scim_requests`. An entry of the SCIM request log, masked.

use crate::model::id::{OrganizationId, ScimRequestId};
use crate::model::scim_request::{IdentityProvider, ScimResource};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An entry of the SCIM request log, masked.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScimRequestId,
    pub created_at: Timestamp,
    pub duration_us: i64,
    pub method: String,
    /// With its query.
    pub path: String,
    pub resource: ScimResource,
    /// `None` if the client hung up before there was one.
    pub status: Option<i32>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    /// What happened, in a sentence.
    pub summary: String,
    pub identity_provider: IdentityProvider,
    pub actor_kind: String,
    pub actor_id: String,
    /// The domain that the call was about.
    pub domain: Option<String>,
    pub ip: Option<String>,
    pub request_id: String,
    /// One a line.
    pub request_headers: String,
    /// JSON, if it was kept.
    pub request_body: Option<String>,
    /// How long it was.
    pub request_bytes: i64,
    pub request_cut: bool,
    pub response_body: Option<String>,
    pub response_bytes: i64,
    pub response_cut: bool,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
