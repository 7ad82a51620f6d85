//! Queries of the keys that sign access tokens; they belong to the installation.

pub use super::entities::signing_keys::Model as SigningKey;

use super::Conn;
use super::entities::signing_keys::{Column, Entity};
use super::error::StoreError;
use crate::model::tenant::InstallationScope;
use sea_orm::{EntityTrait, QueryOrder};

/// All keys, newest first.
pub async fn list(conn: &impl Conn, _scope: InstallationScope) -> Result<Vec<SigningKey>, StoreError> {
    Ok(Entity::find().order_by_desc(Column::CreatedAt).all(conn.inner()).await?)
}

/// Inserts a new key.
pub async fn insert(conn: &impl Conn, _scope: InstallationScope, row: SigningKey) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}
