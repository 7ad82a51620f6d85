//! Queries of API keys. A key without an organization is the operator's.

pub use super::entities::api_keys::Model as ApiKey;

use super::Conn;
use super::entities::api_keys::{Column, Entity};
use super::error::StoreError;
use super::fetch_page;
use crate::model::id::{ApiKeyId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::secret::TokenHash;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

fn of_operator() -> Condition {
    Condition::all().add(Column::OrganizationId.is_null())
}

/// The key with this hash, if it is neither revoked nor expired: the secret is what names the tenant here.
pub async fn find_live(
    conn: &impl Conn,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<ApiKey>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Hash.eq(hash.clone()))
        .filter(Column::RevokedAt.is_null())
        .filter(Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now)))
        .one(conn.inner())
        .await?)
}

/// A key of the organization.
pub async fn find(conn: &impl Conn, scope: TenantScope, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// A key of the organization that is neither revoked nor expired, locked until the transaction ends: whoever makes
/// something with a key finds it alive, and its revocation waits.
pub async fn lock_live(
    conn: &impl Conn,
    scope: TenantScope,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<Option<ApiKey>, StoreError> {
    Ok(Entity::find_by_id(id)
        .filter(of(scope))
        .filter(Column::RevokedAt.is_null())
        .filter(Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now)))
        .lock_exclusive()
        .one(conn.inner())
        .await?)
}

/// Whether a key, of whatever organization, is the operator's.
pub async fn is_operator(conn: &impl Conn, id: ApiKeyId) -> Result<bool, StoreError> {
    Ok(Entity::find_by_id(id).filter(of_operator()).one(conn.inner()).await?.is_some())
}

/// A page of the organization's live keys, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    request: &PageRequest,
) -> Result<Page<ApiKey>, StoreError> {
    let by = (Column::CreatedAt, Column::Id, false);
    let filter = of(scope).add(Column::RevokedAt.is_null());
    let (rows, total) = fetch_page::<Entity>(conn, filter, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |k| {
        Cursor::after_time("created_at", k.created_at, k.id.uuid())
    }))
}

/// All of the operator's keys, revoked ones too, oldest first.
pub async fn list_operator(conn: &impl Conn, _scope: InstallationScope) -> Result<Vec<ApiKey>, StoreError> {
    Ok(Entity::find().filter(of_operator()).order_by_asc(Column::CreatedAt).all(conn.inner()).await?)
}

/// Inserts a new key.
pub async fn insert(conn: &impl Conn, row: ApiKey) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

async fn revoke_where(conn: &impl Conn, condition: Condition, now: Timestamp) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::RevokedAt, now.into())
        .filter(condition.add(Column::RevokedAt.is_null()))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Revokes a key of the organization; `false` if there is none that was live.
pub async fn revoke(
    conn: &impl Conn,
    scope: TenantScope,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    revoke_where(conn, of(scope).add(Column::Id.eq(id)), now).await
}

/// Revokes an operator's key; `false` if there is none that was live.
pub async fn revoke_operator(
    conn: &impl Conn,
    _scope: InstallationScope,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    revoke_where(conn, of_operator().add(Column::Id.eq(id)), now).await
}

/// Flags the live keys of the organization that a user made, for rotation (rule 11); gives those flagged now.
pub async fn flag_made_by(
    conn: &impl Conn,
    scope: TenantScope,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<ApiKey>, StoreError> {
    let condition = of(scope)
        .add(Column::CreatedByUserId.eq(user))
        .add(Column::RevokedAt.is_null())
        .add(Column::RotationDueAt.is_null());
    let keys = Entity::find().filter(condition.clone()).all(conn.inner()).await?;
    if !keys.is_empty() {
        Entity::update_many()
            .col_expr(Column::RotationDueAt, now.into())
            .filter(condition)
            .exec(conn.inner())
            .await?;
    }
    Ok(keys)
}

/// Notes that the key was used.
pub async fn touch(conn: &impl Conn, id: ApiKeyId, now: Timestamp) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, now.into())
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}
