//! Queries of links: (connection, subject) to user.

pub use super::entities::links::Model as Link;

use super::Conn;
use super::entities::links::{Column, Entity};
use super::entities::{directory_users, members, users};
use super::error::StoreError;
use super::members::Member;
use super::users::User;
use crate::model::email::EmailAddress;
use crate::model::id::{ConnectionId, LinkId, UserId};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::sea_query::{DynIden, Expr, IntoIden, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder,
};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// Who a subject at a connection is linked to.
#[derive(Debug)]
pub struct Holder {
    pub link: Link,
    pub user: User,
    /// Locked until the transaction ends.
    pub member: Member,
    /// Whether the directory user that stands for the member is active, if there is one.
    pub directory_active: Option<bool>,
}

/// Who a subject at a connection is linked to, with the member's row locked until the transaction ends.
pub async fn lock_holder(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    subject: &str,
) -> Result<Option<Holder>, StoreError> {
    use directory_users::Column as DirectoryUser;
    let whose = |table: (DynIden, DynIden)| Expr::col(table).equals((Entity, Column::UserId));
    let user = whose((users::Entity.into_iden(), users::Column::Id.into_iden()));
    let own = Column::OrganizationId.eq(scope.organization());
    let member = whose((members::Entity.into_iden(), members::Column::UserId.into_iden()))
        .and(members::Column::OrganizationId.eq(scope.organization()));
    let stands = whose((directory_users::Entity.into_iden(), DirectoryUser::UserId.into_iden()))
        .and(DirectoryUser::OrganizationId.eq(scope.organization()));
    let mut query = Query::select();
    super::select_whole::<Entity>(&mut query, "l_");
    super::select_whole::<users::Entity>(&mut query, "u_");
    super::select_whole::<members::Entity>(&mut query, "m_");
    query
        .expr_as(DirectoryUser::Active.into_expr(), "d_active")
        .from(Entity)
        .inner_join(users::Entity, user)
        .inner_join(members::Entity, member)
        .left_join(directory_users::Entity, stands)
        .and_where(own)
        .and_where(Column::ConnectionId.eq(connection))
        .and_where(Column::Subject.eq(subject))
        .lock_with_tables(LockType::Update, [members::Entity]);
    let Some(row) = conn.inner().query_one(&query).await? else { return Ok(None) };
    Ok(Some(Holder {
        link: Link::from_query_result(&row, "l_")?,
        user: User::from_query_result(&row, "u_")?,
        member: Member::from_query_result(&row, "m_")?,
        directory_active: row.try_get("d_", "active")?,
    }))
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

/// All links of a user in the organization, the one that was used last first.
pub async fn list_of_user(
    conn: &impl Conn,
    scope: TenantScope,
    user: UserId,
) -> Result<Vec<Link>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::UserId.eq(user))
        .order_by_desc(Column::LastUsedAt)
        .all(conn.inner())
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

/// Deletes the links at a connection of a subject, and of whoever has an address: for a look at what would happen
/// without them.
pub async fn delete_of_person(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    subject: &str,
    address: &EmailAddress,
) -> Result<(), StoreError> {
    let holder = super::users::find_by_email(conn, address).await?;
    let mut whose = Condition::any().add(Column::Subject.eq(subject));
    if let Some(user) = holder {
        whose = whose.add(Column::UserId.eq(user.id));
    }
    Entity::delete_many()
        .filter(of(scope))
        .filter(Column::ConnectionId.eq(connection))
        .filter(whose)
        .exec(conn.inner())
        .await?;
    Ok(())
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
