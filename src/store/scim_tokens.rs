//! Queries of SCIM tokens.

pub use super::entities::scim_tokens::Model as ScimToken;

use super::Conn;
use super::entities::scim_tokens::{Column, Entity};
use super::error::StoreError;
use crate::model::id::ScimTokenId;
use crate::model::secret::TokenHash;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The token with this hash, if it is not revoked: the secret is what names the tenant here.
pub async fn find_live(conn: &impl Conn, hash: &TokenHash) -> Result<Option<ScimToken>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Hash.eq(hash.clone()))
        .filter(Column::RevokedAt.is_null())
        .one(conn.inner())
        .await?)
}

/// All tokens of the organization's directory, revoked ones too, oldest first.
pub async fn list(conn: &impl Conn, scope: TenantScope) -> Result<Vec<ScimToken>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn.inner())
        .await?)
}

/// Inserts a new token.
pub async fn insert(conn: &impl Conn, row: ScimToken) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Revokes a token; `false` if there is none that was live.
pub async fn revoke(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::RevokedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes that the token was used.
pub async fn touch(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}
