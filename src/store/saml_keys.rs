//! Queries of our own keys at SAML connections. Whoever changes them holds the connection's row, and counts the change
//! there ([`changed`]), so that what is kept of the connection in memory is known to be old.

pub use super::entities::saml_keys::Model as SamlKey;

use super::Conn;
use super::entities::saml_connections;
use super::entities::saml_keys::{Column, Entity};
use super::error::StoreError;
use crate::model::id::{ConnectionId, SamlKeyId};
use crate::model::saml::SamlKeyState;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};

fn of(scope: TenantScope, connection: ConnectionId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::ConnectionId.eq(connection))
}

/// All keys of the connection, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<Vec<SamlKey>, StoreError> {
    let query = Entity::find().filter(of(scope, connection));
    Ok(query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(conn.inner()).await?)
}

/// One key of the connection.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    id: SamlKeyId,
) -> Result<Option<SamlKey>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope, connection)).one(conn.inner()).await?)
}

/// Inserts a new key.
pub async fn insert(conn: &impl Conn, row: SamlKey) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Says where the key stands from now on.
pub async fn set_state(
    conn: &impl Conn,
    scope: TenantScope,
    key: &SamlKey,
    state: SamlKeyState,
    activated_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::ActivatedAt, Expr::value(activated_at))
        .filter(of(scope, key.connection_id).add(Column::Id.eq(key.id)))
        .exec(conn.inner())
        .await?;
    if done.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// Deletes a key.
pub async fn delete(conn: &impl Conn, scope: TenantScope, key: &SamlKey) -> Result<(), StoreError> {
    let query = Entity::delete_many().filter(of(scope, key.connection_id).add(Column::Id.eq(key.id)));
    query.exec(conn.inner()).await?;
    Ok(())
}

/// Deletes all keys of a connection that is being deleted.
pub async fn delete_of_connection(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<u64, StoreError> {
    Ok(Entity::delete_many().filter(of(scope, connection)).exec(conn.inner()).await?.rows_affected)
}

/// Counts a change of the connection's keys. Its version, by which clients change it, stays.
pub async fn changed(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<(), StoreError> {
    use saml_connections::Column as C;
    saml_connections::Entity::update_many()
        .col_expr(C::KeysVersion, Expr::col(C::KeysVersion).add(1))
        .filter(C::OrganizationId.eq(scope.organization()))
        .filter(C::Id.eq(connection))
        .exec(conn.inner())
        .await?;
    Ok(())
}
