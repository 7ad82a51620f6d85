//! Queries of the schemas that organizations add to the users of their directories.

pub use super::entities::directory_schemas::Model as DirectorySchemas;

use super::Conn;
use super::entities::directory_schemas::{Column, Entity};
use super::error::StoreError;
use crate::model::id::DirectoryId;
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

fn of(scope: TenantScope, directory: DirectoryId) -> Condition {
    let tenant = Column::OrganizationId.eq(scope.organization());
    Condition::all().add(tenant).add(Column::DirectoryId.eq(directory))
}

/// The schemas of a directory; `None` if it never had any.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
) -> Result<Option<DirectorySchemas>, StoreError> {
    Ok(Entity::find().filter(of(scope, directory)).one(conn.inner()).await?)
}

/// Inserts the first ones.
pub async fn insert(conn: &impl Conn, row: DirectorySchemas) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: DirectorySchemas,
) -> Result<DirectorySchemas, StoreError> {
    let condition = of(scope, row.directory_id).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}
