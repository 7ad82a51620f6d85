//! Queries of our requests to IdPs to log somebody out: each is answered once, by a conditional update.

pub use super::entities::logout_requests::Model as LogoutRequest;

use super::Conn;
use super::entities::logout_requests::{Column, Entity};
use super::error::StoreError;
use crate::model::id::ConnectionId;
use crate::model::secret::TokenHash;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

fn of(scope: TenantScope, connection: ConnectionId, request: &TokenHash) -> Condition {
    Condition::all()
        .add(Column::RequestHash.eq(request.clone()))
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::ConnectionId.eq(connection))
}

/// Inserts a new request.
pub async fn insert(conn: &impl Conn, row: LogoutRequest) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// The request of this id at the connection, whatever its state.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    request: &TokenHash,
) -> Result<Option<LogoutRequest>, StoreError> {
    Ok(Entity::find().filter(of(scope, connection, request)).one(conn.inner()).await?)
}

/// Notes that it was answered; `false` if it was before.
pub async fn answer(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    request: &TokenHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::AnsweredAt, now.into())
        .filter(of(scope, connection, request))
        .filter(Column::AnsweredAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Deletes those that could be answered until `before`; tells how many.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let done = Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(conn.inner()).await?;
    Ok(done.rows_affected)
}
