//! Table `scim_clients`. An OAuth client of a directory.

use crate::model::id::{DirectoryId, OrganizationId, ScimClientId};
use crate::model::secret::TokenHash;
use crate::model::state::ClientAuthentication;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An OAuth client of a directory.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_clients")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScimClientId,
    pub organization_id: OrganizationId,
    pub directory_id: DirectoryId,
    pub name: String,
    pub method: ClientAuthentication,
    /// Of a client with a secret.
    pub secret_hash: Option<TokenHash>,
    pub last_four: Option<String>,
    /// A JWK set of public keys; without keys for a client with a secret.
    #[sea_orm(column_type = "JsonBinary")]
    pub jwks: Json,
    /// The algorithms that the client may sign with.
    #[sea_orm(column_type = "JsonBinary")]
    pub signing_algorithms: Json,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
