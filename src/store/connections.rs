//! Queries of SAML connections.

pub use super::entities::saml_connections::Model as Connection;

use super::domains::Domain;
use super::entities::domains;
use super::entities::saml_connections::{Column, Entity};
use super::error::StoreError;
use super::{Conn, after, fetch_page};
use crate::model::id::ConnectionId;
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::state::DomainStatus;
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// A connection of the organization.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// A connection by the id in its ACS or metadata URL: the id is what names the tenant here.
pub async fn find_by_url_id(conn: &impl Conn, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn.inner()).await?)
}

/// The connection together with its verified domain of this name, if it serves one: both in shared lock until the
/// transaction ends, the connection first, so that neither can be given up or changed under a sign-in.
pub async fn share_serving(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
    domain: &str,
) -> Result<Option<(Connection, Domain)>, StoreError> {
    let serves =
        Entity::belongs_to(domains::Entity).from(Column::Id).to(domains::Column::ConnectionId).into();
    let found = Entity::find_by_id(id)
        .filter(of(scope))
        .join(JoinType::InnerJoin, serves)
        .select_also(domains::Entity)
        .filter(domains::Column::OrganizationId.eq(scope.organization()))
        .filter(domains::Column::Name.eq(domain))
        .filter(domains::Column::Status.eq(DomainStatus::Verified))
        .lock_shared()
        .one(conn.inner())
        .await?;
    Ok(found.and_then(|(connection, domain)| Some((connection, domain?))))
}

/// Inserts a new connection.
pub async fn insert(conn: &impl Conn, row: Connection) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: Connection,
) -> Result<Connection, StoreError> {
    let condition = of(scope).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Deletes a connection; what refers to it must be gone before.
pub async fn delete(conn: &impl Conn, scope: TenantScope, id: ConnectionId) -> Result<bool, StoreError> {
    let done = Entity::delete_many().filter(of(scope)).filter(Column::Id.eq(id)).exec(conn.inner()).await?;
    Ok(done.rows_affected == 1)
}

/// A page of the organization's connections, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    request: &PageRequest,
) -> Result<Page<Connection>, StoreError> {
    let from = request
        .cursor
        .as_ref()
        .and_then(|c| Some(after(Column::CreatedAt, Column::Id, false, c.time()?, c.id)));
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, of(scope), from, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |c| {
        Cursor::after_time("created_at", c.created_at, c.id.uuid())
    }))
}
