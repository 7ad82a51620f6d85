//! Queries of where the facts of connections' IdPs come from. A row is written by whoever holds the row of its
//! connection; only the time of the next fetch moves without it.

pub use super::entities::idp_metadata::Model as IdpMetadata;

use super::Conn;
use super::entities::idp_metadata::{Column, Entity};
use super::error::StoreError;
use crate::model::id::ConnectionId;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// What is known of a connection's metadata; `None` if it never had any.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<Option<IdpMetadata>, StoreError> {
    Ok(Entity::find_by_id(connection).filter(of(scope)).one(conn.inner()).await?)
}

/// The same for several connections.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    connections: &[ConnectionId],
) -> Result<Vec<IdpMetadata>, StoreError> {
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    let these = Column::ConnectionId.is_in(connections.iter().copied());
    Ok(Entity::find().filter(of(scope)).filter(these).all(conn.inner()).await?)
}

/// Writes the row of a connection, the first one or over the one that is there.
pub async fn save(conn: &impl Conn, scope: TenantScope, row: IdpMetadata) -> Result<(), StoreError> {
    let condition = of(scope).add(Column::ConnectionId.eq(row.connection_id));
    match super::replace::<Entity>(conn, row.clone(), condition).await {
        Err(StoreError::Stale) => super::insert::<Entity>(conn, row).await,
        done => done,
    }
}

/// Deletes the row of a connection, if there is one.
pub async fn delete(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<(), StoreError> {
    Entity::delete_many()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Rows of all organizations whose metadata is to be fetched by now, the longest overdue first, at most `limit`.
pub async fn due(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<IdpMetadata>, StoreError> {
    Ok(Entity::find()
        .filter(Column::NextFetchAt.lte(now))
        .order_by_asc(Column::NextFetchAt)
        .limit(limit)
        .all(conn.inner())
        .await?)
}

/// Takes a fetch that is due for this caller alone, until a time; `false` if somebody else took it.
pub async fn claim(
    conn: &impl Conn,
    scope: TenantScope,
    row: &IdpMetadata,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::NextFetchAt, until.into())
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(row.connection_id))
        .filter(Column::NextFetchAt.eq(row.next_fetch_at))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Rows of all organizations whose metadata is over by now, and nobody was told, at most `limit`.
pub async fn lapsed(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<IdpMetadata>, StoreError> {
    Ok(Entity::find()
        .filter(Column::ValidUntil.lte(now))
        .filter(Column::LapseTold.eq(false))
        .limit(limit)
        .all(conn.inner())
        .await?)
}

/// Takes the telling of a lapse for this caller alone; `false` if somebody else took it, or it lapsed no more.
pub async fn take_lapse(conn: &impl Conn, scope: TenantScope, row: &IdpMetadata) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::LapseTold, true.into())
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(row.connection_id))
        .filter(Column::ValidUntil.eq(row.valid_until))
        .filter(Column::LapseTold.eq(false))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}
