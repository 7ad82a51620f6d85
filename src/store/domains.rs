//! Queries of domains.

pub use super::entities::domains::Model as Domain;

use super::entities::domains::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::id::{ConnectionId, DomainId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::state::DomainStatus;
use crate::model::tenant::TenantScope;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// Whether a connection serves the domain: its bare id stands among the others.
pub(super) fn served_by(connection: ConnectionId) -> Expr {
    Expr::col((Entity, Column::ConnectionIds)).like(format!("%{}%", connection.uuid()))
}

/// A domain of the organization.
pub async fn find(conn: &impl Conn, scope: TenantScope, id: DomainId) -> Result<Option<Domain>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &impl Conn, scope: TenantScope, id: DomainId) -> Result<Option<Domain>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// Who holds a name verified. Looks across organizations, because the holder is what is asked for: the answer is
/// for discovery and for rule 2, never shown to another organization.
pub async fn find_holder(conn: &impl Conn, name: &str) -> Result<Option<Domain>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Name.eq(name))
        .filter(Column::Status.eq(DomainStatus::Verified))
        .one(conn.inner())
        .await?)
}

/// The domains that a connection serves.
pub async fn list_of_connection(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
) -> Result<Vec<Domain>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(served_by(connection))
        .order_by_asc(Column::Name)
        .all(conn.inner())
        .await?)
}

/// The domains that any of these connections serves.
pub async fn list_of_connections(
    conn: &impl Conn,
    scope: TenantScope,
    connections: &[ConnectionId],
) -> Result<Vec<Domain>, StoreError> {
    let any = connections.iter().fold(Condition::any(), |any, id| any.add(served_by(*id)));
    if any.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find().filter(of(scope)).filter(any).order_by_asc(Column::Name).all(conn.inner()).await?)
}

/// The verified domains.
pub async fn list_verified(conn: &impl Conn, scope: TenantScope) -> Result<Vec<Domain>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::Status.eq(DomainStatus::Verified))
        .order_by_asc(Column::Name)
        .all(conn.inner())
        .await?)
}

/// The verified domains assigned to the organization's directory.
pub async fn list_of_directory(conn: &impl Conn, scope: TenantScope) -> Result<Vec<Domain>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::ScimEnabled.eq(true))
        .filter(Column::Status.eq(DomainStatus::Verified))
        .order_by_asc(Column::Name)
        .all(conn.inner())
        .await?)
}

/// Inserts a new claim.
pub async fn insert(conn: &impl Conn, row: Domain) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(conn: &impl Conn, scope: TenantScope, mut row: Domain) -> Result<Domain, StoreError> {
    let condition = of(scope).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Deletes a claim.
pub async fn delete(conn: &impl Conn, scope: TenantScope, id: DomainId) -> Result<bool, StoreError> {
    let done = Entity::delete_many().filter(of(scope)).filter(Column::Id.eq(id)).exec(conn.inner()).await?;
    Ok(done.rows_affected == 1)
}

/// A page of the organization's domains, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    request: &PageRequest,
) -> Result<Page<Domain>, StoreError> {
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, of(scope), by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |d| {
        Cursor::after_time("created_at", d.created_at, d.id.uuid())
    }))
}
