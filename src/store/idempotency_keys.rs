//! Queries of the answers kept for `Idempotency-Key` (rule 15). They are bound to the credential that asked.

pub use super::entities::idempotency_keys::Model as IdempotencyKey;

use super::entities::idempotency_keys::{Column, Entity};
use super::error::StoreError;
use super::{Conn, Db, Tx};
use crate::model::tenant::InstallationScope;
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// The row of a key.
pub async fn find(
    conn: &impl Conn,
    credential: &str,
    key: &str,
) -> Result<Option<IdempotencyKey>, StoreError> {
    Ok(Entity::find_by_id((credential.to_owned(), key.to_owned())).one(conn.inner()).await?)
}

/// Claims a key for a request that begins now. [`StoreError::Conflict`] with `IdempotencyKey` if it is taken.
pub async fn claim(db: &Db, row: IdempotencyKey) -> Result<(), StoreError> {
    let tx = db.begin().await?;
    Entity::delete_many()
        .filter(Column::Credential.eq(row.credential.as_str()))
        .filter(Column::Key.eq(row.key.as_str()))
        .filter(Column::ExpiresAt.lte(row.created_at))
        .exec(tx.inner())
        .await?;
    super::insert::<Entity>(&tx, row).await?;
    tx.commit().await
}

/// Keeps the answer of the request that claimed the key.
pub async fn complete(
    db: &Db,
    credential: &str,
    key: &str,
    status: i32,
    body: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let tx: Tx = db.begin().await?;
    Entity::update_many()
        .col_expr(Column::Status, Some(status).into())
        .col_expr(Column::Body, Some(body.to_owned()).into())
        .col_expr(Column::ExpiresAt, expires_at.into())
        .filter(Column::Credential.eq(credential))
        .filter(Column::Key.eq(key))
        .exec(tx.inner())
        .await?;
    tx.commit().await
}

/// Gives a claimed key free again: the request changed nothing.
pub async fn release(db: &Db, credential: &str, key: &str) -> Result<(), StoreError> {
    let tx = db.begin().await?;
    Entity::delete_many()
        .filter(Column::Credential.eq(credential))
        .filter(Column::Key.eq(key))
        .exec(tx.inner())
        .await?;
    tx.commit().await
}

/// Deletes what expired.
pub async fn prune(conn: &impl Conn, _scope: InstallationScope, now: Timestamp) -> Result<u64, StoreError> {
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lt(now)).exec(conn.inner()).await?.rows_affected)
}
