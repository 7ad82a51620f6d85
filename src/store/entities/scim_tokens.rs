//! Table `scim_tokens`. A bearer secret of a directory.

use crate::model::id::{DirectoryId, OrganizationId, ScimTokenId};
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A bearer secret of a directory.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScimTokenId,
    pub organization_id: OrganizationId,
    pub directory_id: DirectoryId,
    pub hash: TokenHash,
    pub last_four: String,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
