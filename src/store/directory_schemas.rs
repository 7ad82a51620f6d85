//! Queries of the schemas that organizations add to the users of their directories.

pub use super::entities::directory_schemas::Model as DirectorySchemas;

use super::entities::directory_schemas::{Column, Entity};
use super::error::StoreError;
use super::{Conn, Tx};
use crate::model::id::DirectoryId;
use crate::model::tenant::TenantScope;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement,
};

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

/// The version of them; 0 if there never were any.
pub async fn version(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
) -> Result<i64, StoreError> {
    let query = Entity::find().select_only().column(Column::Version).filter(of(scope, directory));
    Ok(query.into_tuple::<i64>().one(conn.inner()).await?.unwrap_or(0))
}

/// Keeps the schemas of a directory as they are until the transaction ends. Those who keep them wait for nobody but
/// whoever changes them: no row is locked, which all of them would write to. To be read afterwards, by a statement of its
/// own.
pub async fn keep(tx: &Tx, directory: DirectoryId) -> Result<(), StoreError> {
    hold(tx, directory, "pg_advisory_xact_lock_shared").await
}

/// Waits until nobody keeps the schemas of a directory, and lets nobody keep them until the transaction ends.
pub async fn claim(tx: &Tx, directory: DirectoryId) -> Result<(), StoreError> {
    hold(tx, directory, "pg_advisory_xact_lock").await
}

/// On SQLite a transaction that writes is the only one anyhow.
async fn hold(tx: &Tx, directory: DirectoryId, function: &str) -> Result<(), StoreError> {
    if tx.inner.get_database_backend() == DbBackend::Postgres {
        // The random half; two directories with the same one would only wait for each other.
        let (_, number) = directory.uuid().as_u64_pair();
        let sql = format!("SELECT {function}($1)");
        let statement =
            Statement::from_sql_and_values(DbBackend::Postgres, sql, [number.cast_signed().into()]);
        tx.inner.query_one_raw(statement).await?;
    }
    Ok(())
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
