//! Table `scim_tokens`. A bearer secret of a directory.

use crate::model::id::{DirectoryId, DomainId, OrganizationId, ScimTokenId};
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
    /// The one domain whose people the token may provision; without it all of the directory's.
    pub domain_id: Option<DomainId>,
    /// The token whose place this one takes.
    pub replaces_id: Option<ScimTokenId>,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// When a token whose place another one takes stops working.
    pub overlap_ends_at: Option<Timestamp>,
    /// When the owners are told next that the token will end.
    pub warn_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Model {
    /// When the token ends by itself, if it does.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match (self.expires_at, self.overlap_ends_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Whether the token opens its directory at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.ends_at().is_none_or(|end| end > now)
    }
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
