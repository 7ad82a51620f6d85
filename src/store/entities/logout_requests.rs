//! Table `logout_requests`. What the IdP was asked for: to log somebody out who signed out here.

use crate::model::id::{ConnectionId, OrganizationId, SessionId};
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A request to the IdP to log somebody out; one for each session, which ends once.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "logout_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: SessionId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub request_hash: TokenHash,
    pub browser_hash: TokenHash,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
