//! Queries of drafted changes of SAML connections, and of what an other IdP would do to the links.

pub use super::entities::connection_drafts::Model as ConnectionDraft;

use super::Conn;
use super::entities::connection_drafts::{Column, Entity};
use super::error::StoreError;
use crate::model::id::ConnectionId;
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Statement, Value};

fn of(scope: TenantScope, connection: ConnectionId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::ConnectionId.eq(connection))
}

/// The draft of a connection.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<Option<ConnectionDraft>, StoreError> {
    Ok(Entity::find().filter(of(scope, connection)).one(conn.inner()).await?)
}

/// Writes a draft in the place of whatever there is. The caller holds the connection's row.
pub async fn put(conn: &impl Conn, scope: TenantScope, row: ConnectionDraft) -> Result<(), StoreError> {
    delete(conn, scope, row.connection_id).await?;
    super::insert::<Entity>(conn, row).await
}

/// Deletes the draft of a connection; `false` if there is none.
pub async fn delete(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<bool, StoreError> {
    let done = Entity::delete_many().filter(of(scope, connection)).exec(conn.inner()).await?;
    Ok(done.rows_affected == 1)
}

/// Whose links are counted.
#[derive(Debug, Clone, Copy)]
pub enum Linked<'a> {
    /// Everybody's.
    All,
    /// Those of active owners.
    Owners,
    /// Those of active members but owners whose own address is on this domain.
    On(&'a str),
}

/// How many links there are at a connection.
pub async fn count_links(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    whose: Linked<'_>,
) -> Result<u64, StoreError> {
    let mut values: Vec<Value> = vec![scope.organization().into(), connection.into()];
    let condition = match whose {
        Linked::All => "",
        Linked::Owners => "AND member.role = 'owner' AND member.status = 'active'",
        Linked::On(domain) => {
            // Names of domains have none of LIKE's signs.
            values.push(format!("%@{domain}").into());
            "AND member.role <> 'owner' AND member.status = 'active' AND person.email LIKE $3"
        }
    };
    let sql = format!(
        "SELECT COUNT(*) AS found FROM links AS link
         JOIN users AS person ON person.id = link.user_id
         JOIN members AS member
             ON member.organization_id = link.organization_id AND member.user_id = link.user_id
         WHERE link.organization_id = $1 AND link.connection_id = $2 {condition}"
    );
    let backend = conn.inner().get_database_backend();
    let row = conn.inner().query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let found = row.map(|row| row.try_get::<i64>("", "found")).transpose()?;
    Ok(u64::try_from(found.unwrap_or(0)).unwrap_or(0))
}
