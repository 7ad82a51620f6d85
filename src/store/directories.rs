//! Queries of directories; an organization has one.

pub use super::entities::directories::Model as Directory;

use super::Conn;
use super::entities::directories::{Column, Entity};
use super::error::StoreError;
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The organization's directory.
pub async fn find(conn: &impl Conn, scope: TenantScope) -> Result<Option<Directory>, StoreError> {
    Ok(Entity::find().filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &impl Conn, scope: TenantScope) -> Result<Option<Directory>, StoreError> {
    Ok(Entity::find().filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// Inserts the directory of a new organization.
pub async fn insert(conn: &impl Conn, row: Directory) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: Directory,
) -> Result<Directory, StoreError> {
    let condition = of(scope).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}
