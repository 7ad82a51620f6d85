//! Queries of links: (connection, subject) to user.

pub use super::entities::links::Model as Link;

use super::Conn;
use super::entities::links::{Column, Entity};
use super::error::StoreError;
use crate::model::id::{ConnectionId, LinkId, UserId};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// Who a subject at a connection is linked to.
pub async fn find_by_subject(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    subject: &str,
) -> Result<Option<Link>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Subject.eq(subject))
        .one(conn.inner())
        .await?)
}

/// The subject that a user is linked to at a connection.
pub async fn find_by_user(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    user: UserId,
) -> Result<Option<Link>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::UserId.eq(user))
        .one(conn.inner())
        .await?)
}

/// Inserts a new link.
pub async fn insert(conn: &impl Conn, row: Link) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Notes that the link was used.
pub async fn touch(
    conn: &impl Conn,
    scope: TenantScope,
    id: LinkId,
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

/// Gives a link that stood on an address another key.
pub async fn rekey(
    conn: &impl Conn,
    scope: TenantScope,
    id: LinkId,
    subject: &str,
    immutable: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Subject, subject.to_owned().into())
        .col_expr(Column::Immutable, immutable.into())
        .col_expr(Column::LastUsedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Deletes one link.
pub async fn delete(conn: &impl Conn, scope: TenantScope, id: LinkId) -> Result<bool, StoreError> {
    let done = Entity::delete_many().filter(of(scope)).filter(Column::Id.eq(id)).exec(conn.inner()).await?;
    Ok(done.rows_affected == 1)
}

/// Deletes all links of a user in the organization; tells how many there were.
pub async fn delete_of_user(conn: &impl Conn, scope: TenantScope, user: UserId) -> Result<u64, StoreError> {
    let done =
        Entity::delete_many().filter(of(scope)).filter(Column::UserId.eq(user)).exec(conn.inner()).await?;
    Ok(done.rows_affected)
}

/// Deletes all links at a connection; tells how many there were.
pub async fn delete_of_connection(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<u64, StoreError> {
    let done = Entity::delete_many()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected)
}
