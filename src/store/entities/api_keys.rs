//! Table `api_keys`. An API key; without an organization it is the operator's.

use crate::model::id::{ApiKeyId, OrganizationId, UserId};
use crate::model::scope::ScopeSet;
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An API key; without an organization it is the operator's.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    pub organization_id: Option<OrganizationId>,
    pub name: String,
    pub hash: TokenHash,
    pub last_four: String,
    pub scopes: ScopeSet,
    pub created_by: Option<String>,
    pub created_by_user_id: Option<UserId>,
    pub rotation_due_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
