//! Table `scim_access_tokens`. A bearer secret given to an OAuth client for an hour at most.

use crate::model::id::{DirectoryId, OrganizationId, ScimAccessTokenId, ScimClientId};
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A bearer secret given to an OAuth client for an hour at most.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_access_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScimAccessTokenId,
    pub organization_id: OrganizationId,
    pub directory_id: DirectoryId,
    pub client_id: ScimClientId,
    pub hash: TokenHash,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
