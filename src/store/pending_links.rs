//! Queries of links that wait for an administrator: at most one for each member at each connection.

pub use super::entities::pending_links::Model as PendingLink;

use super::entities::pending_links::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::id::{ConnectionId, PendingLinkId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::state::PendingLinkStatus;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The one of a member at a connection, if it is not over; its row is locked.
pub async fn lock_of_user(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<PendingLink>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::UserId.eq(user))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::ExpiresAt.gt(now))
        .lock_exclusive()
        .one(conn.inner())
        .await?)
}

/// One of the organization that is not over.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: PendingLinkId,
    now: Timestamp,
) -> Result<Option<PendingLink>, StoreError> {
    let row = Entity::find_by_id(id).filter(of(scope)).filter(Column::ExpiresAt.gt(now));
    Ok(row.one(conn.inner()).await?)
}

/// One of the organization that is not over; its row is locked.
pub async fn lock(
    conn: &impl Conn,
    scope: TenantScope,
    id: PendingLinkId,
    now: Timestamp,
) -> Result<Option<PendingLink>, StoreError> {
    Ok(Entity::find_by_id(id)
        .filter(of(scope))
        .filter(Column::ExpiresAt.gt(now))
        .lock_exclusive()
        .one(conn.inner())
        .await?)
}

/// Writes a new one in the place of whatever there is of this member at this connection. The caller holds the member's
/// row.
pub async fn put(conn: &impl Conn, scope: TenantScope, row: PendingLink) -> Result<(), StoreError> {
    Entity::delete_many()
        .filter(of(scope))
        .filter(Column::UserId.eq(row.user_id))
        .filter(Column::ConnectionId.eq(row.connection_id))
        .exec(conn.inner())
        .await?;
    super::insert::<Entity>(conn, row).await
}

/// Writes a changed one. Its row is locked.
pub async fn update(conn: &impl Conn, scope: TenantScope, row: PendingLink) -> Result<(), StoreError> {
    let matches = of(scope).add(Column::Id.eq(row.id));
    super::replace::<Entity>(conn, row, matches).await
}

/// A page of those that are not over, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    statuses: &[PendingLinkStatus],
    now: Timestamp,
    request: &PageRequest,
) -> Result<Page<PendingLink>, StoreError> {
    let mut filter = of(scope).add(Column::ExpiresAt.gt(now));
    if !statuses.is_empty() {
        filter = filter.add(Column::Status.is_in(statuses.iter().copied()));
    }
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, filter, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |row| {
        Cursor::after_time("created_at", row.created_at, row.id.uuid())
    }))
}

async fn delete_where(conn: &impl Conn, condition: Condition) -> Result<u64, StoreError> {
    Ok(Entity::delete_many().filter(condition).exec(conn.inner()).await?.rows_affected)
}

/// Deletes one that was used.
pub async fn delete(conn: &impl Conn, scope: TenantScope, id: PendingLinkId) -> Result<(), StoreError> {
    delete_where(conn, of(scope).add(Column::Id.eq(id))).await.map(drop)
}

/// Deletes those of a user in the organization.
pub async fn delete_of_user(conn: &impl Conn, scope: TenantScope, user: UserId) -> Result<(), StoreError> {
    delete_where(conn, of(scope).add(Column::UserId.eq(user))).await.map(drop)
}

/// Deletes those at a connection.
pub async fn delete_of_connection(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<(), StoreError> {
    delete_where(conn, of(scope).add(Column::ConnectionId.eq(connection))).await.map(drop)
}

/// Deletes what is over; tells how many.
pub async fn prune(conn: &impl Conn, _scope: InstallationScope, now: Timestamp) -> Result<u64, StoreError> {
    delete_where(conn, Condition::all().add(Column::ExpiresAt.lte(now))).await
}
