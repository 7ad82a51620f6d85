//! Queries about enforcement: who has come in through a connection, and whom switching on would affect.

use super::Conn;
use super::error::StoreError;
use crate::model::id::ConnectionId;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ConnectionTrait, Statement, Value};

/// Whether anybody who is admin or owner now has signed in through the connection since this time. Links are made by
/// sign-ins and note their use once a minute; what lies between, sessions tell.
pub async fn has_admin_signed_in(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS found FROM links l
         JOIN members m ON m.organization_id = l.organization_id AND m.user_id = l.user_id
         WHERE l.connection_id = $1 AND l.organization_id = $2 AND m.status = 'active' AND m.role IN ('admin', 'owner')
         AND (l.last_used_at >= $3 OR EXISTS (
             SELECT 1 FROM sessions s WHERE s.user_id = l.user_id AND s.organization_id = l.organization_id
             AND s.connection_id = l.connection_id AND s.created_at >= $3))
         LIMIT 1";
    let values: [Value; 3] = [connection.into(), scope.organization().into(), since.into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    Ok(conn.inner().query_one_raw(statement).await?.is_some())
}
