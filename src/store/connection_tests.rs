//! Queries of test sign-ins: each link is opened once, and each test is finished once, by conditional updates.

pub use super::entities::connection_tests::Model as ConnectionTest;

use super::Conn;
use super::entities::connection_tests::{Column, Entity};
use super::error::StoreError;
use crate::model::id::{ConnectionId, ConnectionTestId};
use crate::model::secret::TokenHash;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// Inserts a new test.
pub async fn insert(conn: &impl Conn, row: ConnectionTest) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// The test of this link, if it was not opened yet and its time is not over: the connection in the link's address and
/// the link together are what names the tenant here.
pub async fn find_by_link(
    conn: &impl Conn,
    connection: ConnectionId,
    link: &TokenHash,
    now: Timestamp,
) -> Result<Option<ConnectionTest>, StoreError> {
    Ok(Entity::find()
        .filter(Column::LinkHash.eq(link.clone()))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::OpenedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .one(conn.inner())
        .await?)
}

/// A test of the organization.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionTestId,
) -> Result<Option<ConnectionTest>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// Uses a link up; `false` if somebody else did.
pub async fn open(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionTestId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::OpenedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::OpenedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// What came of a test.
#[derive(Debug, Clone)]
pub struct Finished {
    pub passed: bool,
    /// What the connection trusted, as a digest.
    pub trust: String,
    pub report: Value,
}

/// Writes down what came of a test; `false` if it was finished before.
pub async fn finish(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionTestId,
    finished: Finished,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::FinishedAt, now.into())
        .col_expr(Column::Passed, finished.passed.into())
        .col_expr(Column::Trust, finished.trust.into())
        .col_expr(Column::Report, finished.report.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::FinishedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// The newest test of a connection.
pub async fn newest(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<Option<ConnectionTest>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .order_by_desc(Column::Id)
        .one(conn.inner())
        .await?)
}

/// Whether the newest finished test of a connection that trusted just this has passed.
pub async fn has_passed(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    trust: &str,
) -> Result<bool, StoreError> {
    let newest: Option<bool> = Entity::find()
        .select_only()
        .column(Column::Passed)
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Trust.eq(trust))
        .filter(Column::FinishedAt.is_not_null())
        .order_by_desc(Column::FinishedAt)
        .into_tuple()
        .one(conn.inner())
        .await?;
    Ok(newest == Some(true))
}

/// Deletes the tests of a connection that is being deleted.
pub async fn delete_of_connection(
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

/// Deletes tests made before `before`, and those that nobody finished whose link was over before `unfinished`.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
    unfinished: Timestamp,
) -> Result<u64, StoreError> {
    let over = Condition::any()
        .add(Column::CreatedAt.lt(before))
        .add(Condition::all().add(Column::FinishedAt.is_null()).add(Column::ExpiresAt.lt(unfinished)));
    let done = Entity::delete_many().filter(over).exec(conn.inner()).await?;
    Ok(done.rows_affected)
}
