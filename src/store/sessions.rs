//! Queries of sessions. They are not cached: each request that carries one asks here, so that an ended session is dead
//! at once on every node.

pub use super::entities::sessions::Model as Session;

use super::Conn;
use super::entities::sessions::{Column, Entity};
use super::error::StoreError;
use crate::model::id::{ConnectionId, SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

fn live(now: Timestamp) -> Condition {
    Condition::all().add(Column::EndedAt.is_null()).add(Column::ExpiresAt.gt(now))
}

/// The session with this cookie, if it has neither ended nor expired; whether it idled too long the caller decides.
pub async fn find_live(
    conn: &impl Conn,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find().filter(Column::Hash.eq(hash.clone())).filter(live(now)).one(conn.inner()).await?)
}

/// A session of the organization by id, if it has neither ended nor expired.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(live(now))
        .one(conn.inner())
        .await?)
}

/// A live session by the id that a sign-in attempt kept of it: it is the cookie of that browser that names the tenant.
pub async fn find_of_browser(
    conn: &impl Conn,
    _scope: InstallationScope,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find_by_id(id).filter(live(now)).one(conn.inner()).await?)
}

/// Inserts a new session.
pub async fn insert(conn: &impl Conn, row: Session) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Notes that the session was used.
pub async fn touch(
    conn: &impl Conn,
    scope: TenantScope,
    id: SessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastSeenAt, now.into())
        .filter(Column::Id.eq(id))
        .filter(Column::OrganizationId.eq(scope.organization()))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Notes that the person behind a session was there at this time.
pub async fn step_up(
    conn: &impl Conn,
    scope: TenantScope,
    id: SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::SteppedUpAt, at.into())
        .filter(Column::Id.eq(id))
        .filter(Column::OrganizationId.eq(scope.organization()))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// The sessions at a connection of whom the IdP calls by the name with this digest, if they have neither ended nor expired.
pub async fn find_of_name_id(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    name_id_key: &[u8],
    now: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    Ok(Entity::find()
        .filter(Column::NameIdKey.eq(name_id_key.to_vec()))
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::ConnectionId.eq(connection))
        .filter(live(now))
        .all(conn.inner())
        .await?)
}

async fn end_where(conn: &impl Conn, condition: Condition, now: Timestamp) -> Result<u64, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::EndedAt, now.into())
        .filter(condition.add(Column::EndedAt.is_null()))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected)
}

/// Ends one session; `false` if it had ended before.
pub async fn end(
    conn: &impl Conn,
    scope: TenantScope,
    id: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let condition =
        Condition::all().add(Column::OrganizationId.eq(scope.organization())).add(Column::Id.eq(id));
    Ok(end_where(conn, condition, now).await? == 1)
}

/// Ends all sessions of a user in the organization; tells how many.
pub async fn end_of_user(
    conn: &impl Conn,
    scope: TenantScope,
    user: UserId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let condition =
        Condition::all().add(Column::OrganizationId.eq(scope.organization())).add(Column::UserId.eq(user));
    end_where(conn, condition, now).await
}

/// Ends all sessions that were made through a connection; tells how many.
pub async fn end_of_connection(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let condition = Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::ConnectionId.eq(connection));
    end_where(conn, condition, now).await
}

/// Ends all sessions of a user in every organization (the first link, rule 7); tells how many.
pub async fn end_of_user_everywhere(
    conn: &impl Conn,
    _scope: InstallationScope,
    user: UserId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    end_where(conn, Condition::all().add(Column::UserId.eq(user)), now).await
}

/// Deletes what expired or ended before `before`; tells how many.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let done = Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(conn.inner()).await?;
    Ok(done.rows_affected)
}
