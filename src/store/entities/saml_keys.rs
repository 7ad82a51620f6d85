//! Table `saml_keys`. A key of ours at a SAML connection, its private part sealed under the installation key.

use crate::model::id::{ConnectionId, OrganizationId, SamlKeyId};
use crate::model::saml::{SamlKeyPurpose, SamlKeyState};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A key of ours at a SAML connection, its private part sealed under the installation key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "saml_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SamlKeyId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub purpose: SamlKeyPurpose,
    pub state: SamlKeyState,
    /// In PEM form.
    pub certificate: String,
    pub private_sealed: Vec<u8>,
    pub created_at: Timestamp,
    /// When it became the current one.
    pub activated_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
