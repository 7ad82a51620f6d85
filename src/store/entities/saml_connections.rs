//! Table `saml_connections`. A SAML connection: one IdP configured for an organization.

use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::saml::{SamlLevel, SamlNameIdFormat};
use crate::model::state::{ConnectionStatus, ConnectionType, SloBinding};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A SAML connection: one IdP configured for an organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "saml_connections")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectionId,
    pub organization_id: OrganizationId,
    pub name: String,
    #[sea_orm(column_name = "type")]
    pub kind: ConnectionType,
    pub status: ConnectionStatus,
    pub idp_entity_id: String,
    pub sso_url: String,
    pub slo_url: Option<String>,
    pub slo_response_url: Option<String>,
    pub slo_binding: Option<SloBinding>,
    #[sea_orm(column_type = "JsonBinary")]
    pub certificates: Json,
    /// When somebody is to be told next that one of them ends.
    pub certificates_warn_at: Option<Timestamp>,
    #[sea_orm(column_type = "JsonBinary")]
    pub attribute_mapping: Json,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    /// Counts changes of our own keys here, which clients do not know the connection by.
    pub keys_version: i64,
    pub sign_requests: bool,
    pub name_id_format: Option<SamlNameIdFormat>,
    pub force_authn: bool,
    /// URIs: what requests ask for, and nothing else is accepted; empty for whatever the IdP likes.
    #[sea_orm(column_type = "JsonBinary")]
    pub requested_authn_contexts: Json,
    pub require_encryption: bool,
    pub level: SamlLevel,
    /// Whether the sign-in log shows the values of attributes.
    pub unmask_sign_in_attributes: bool,
    /// Whether it was switched on although no test sign-in had passed, and none has since.
    pub activated_without_test: bool,
    /// Whether a sign-in may begin at the IdP.
    pub idp_initiated: bool,
    /// Since when it has been switched on, at the last time that it was.
    pub activated_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
