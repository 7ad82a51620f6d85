//! Queries of sign-in attempts, and of the assertions already used: each is consumed once, by a conditional update.

pub use super::entities::sign_in_attempts::Model as SignInAttempt;

use super::Conn;
use super::entities::{sign_in_attempts, used_assertions};
use super::error::StoreError;
use crate::model::id::{ConnectionId, SignInAttemptId};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use sign_in_attempts::{Column, Entity};

/// The outcome of an attempt that ended in a session.
pub const SUCCEEDED: &str = "succeeded";

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// Inserts a new attempt.
pub async fn insert(conn: &impl Conn, row: SignInAttempt) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Consumes an attempt that succeeds; `false` if it was consumed before or has expired.
pub async fn consume(
    conn: &impl Conn,
    scope: TenantScope,
    id: SignInAttemptId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::ConsumedAt, now.into())
        .col_expr(Column::Outcome, SUCCEEDED.to_owned().into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::ConsumedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Consumes an attempt that is refused, with the code of the refusal and a sentence for the admin; an attempt that
/// was consumed before keeps its outcome, and `false` is given.
pub async fn refuse(
    conn: &impl Conn,
    scope: TenantScope,
    id: SignInAttemptId,
    code: &str,
    detail: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::ConsumedAt, now.into())
        .col_expr(Column::Outcome, code.to_owned().into())
        .col_expr(Column::Detail, detail.to_owned().into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::ConsumedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Remembers an assertion as used. [`StoreError::Conflict`] with `UsedAssertion` if it was used before (in PostgreSQL
/// the transaction is then lost, as it should be).
pub async fn use_assertion(
    conn: &impl Conn,
    connection: ConnectionId,
    assertion_id: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let row = used_assertions::Model {
        connection_id: connection,
        assertion_id: assertion_id.to_owned(),
        expires_at,
    };
    super::insert::<used_assertions::Entity>(conn, row).await
}

/// Deletes the attempts at a connection that is being deleted.
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

/// Deletes assertions that could not be used any more, and attempts that expired before `attempts_before`.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    attempts_before: Timestamp,
) -> Result<u64, StoreError> {
    let used = used_assertions::Entity::delete_many()
        .filter(used_assertions::Column::ExpiresAt.lt(now))
        .exec(conn.inner())
        .await?;
    let attempts =
        Entity::delete_many().filter(Column::ExpiresAt.lt(attempts_before)).exec(conn.inner()).await?;
    Ok(used.rows_affected + attempts.rows_affected)
}
