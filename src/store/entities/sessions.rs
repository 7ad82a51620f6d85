//! Table `sessions`. Somebody signed in to one organization.

use crate::model::id::{ConnectionId, OrganizationId, SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::state::SignInMethod;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// Somebody signed in to one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    pub hash: TokenHash,
    pub method: SignInMethod,
    pub connection_id: Option<ConnectionId>,
    pub name_id: Option<String>,
    pub session_index: Option<String>,
    pub authn_context: Option<String>,
    pub authn_at: Timestamp,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// When the person last proved to be there, to the IdP that was asked not to take its own session for it.
    pub stepped_up_at: Option<Timestamp>,
    /// What the NameID says beside its value, as JSON; absent where that is nothing.
    pub name_id_attributes: Option<String>,
    /// A digest of connection and NameID, to find the sessions of somebody whom the IdP names.
    pub name_id_key: Option<Vec<u8>>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
