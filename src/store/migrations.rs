//! Runs the steps of the `postern-migrations` crate: up, down and status, one migrator at a time.
//!
//! The lock is an advisory one on PostgreSQL and an exclusive file beside the database on SQLite. A database with a
//! step that this binary does not know was written by a newer one, and is refused.

use super::error::StoreError;
use super::{Db, DbOptions};
use postern_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::collections::BTreeSet;

/// The number of PostgreSQL's advisory lock for migrations: "postern" in letters.
const LOCK: i64 = 0x70_6f73_7465_726e;

/// Where the schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The steps that are applied, oldest first.
    pub applied: Vec<String>,
    /// The steps that this binary has and the database has not.
    pub pending: Vec<String>,
    /// The steps that the database has and this binary does not know.
    pub unknown: Vec<String>,
    /// Whether there are tables although no step was ever applied: somebody else's database.
    pub foreign: bool,
}

/// Why steps were not run.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database was written by a newer Postern.
    #[error("the database has steps that this binary does not know: {}", .0.join(", "))]
    Newer(Vec<String>),
    /// Another migrator holds the lock.
    #[error("another process is migrating this database")]
    Locked,
    /// The lock file beside an SQLite database could not be made.
    #[error("the lock file {path} could not be opened: {source}")]
    LockFile { path: String, source: std::io::Error },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for MigrationError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// Tells where the schema stands, changing nothing.
pub async fn status(db: &Db) -> Result<SchemaStatus, StoreError> {
    read_status(&db.write).await
}

async fn read_status(connection: &impl ConnectionTrait) -> Result<SchemaStatus, StoreError> {
    let known: Vec<String> = Migrator::migrations().iter().map(|m| m.name().to_owned()).collect();
    let table = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT 1 AS one FROM pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = current_schema()"
        }
        _ => "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    let backend = connection.get_database_backend();
    let exists = connection.query_one_raw(Statement::from_string(backend, table)).await?.is_some();
    let mut applied = Vec::new();
    if exists {
        let rows = connection
            .query_all_raw(Statement::from_string(
                backend,
                "SELECT version FROM seaql_migrations ORDER BY version",
            ))
            .await?;
        for row in rows {
            applied.push(row.try_get::<String>("", "version")?);
        }
    }
    let have: BTreeSet<&String> = applied.iter().collect();
    let pending = known.iter().filter(|name| !have.contains(name)).cloned().collect();
    let unknown = applied.iter().filter(|name| !known.contains(name)).cloned().collect();
    let foreign = !exists && {
        let any = match backend {
            DbBackend::Postgres => {
                "SELECT 1 AS one FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"
            }
            _ => "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' LIMIT 1",
        };
        connection.query_one_raw(Statement::from_string(backend, any)).await?.is_some()
    };
    Ok(SchemaStatus { applied, pending, unknown, foreign })
}

/// Applies what is pending, at most `steps`.
pub async fn up(options: &DbOptions, steps: Option<u32>) -> Result<SchemaStatus, MigrationError> {
    run(options, true, steps).await
}

/// Takes back the last steps: one unless it is said.
pub async fn down(options: &DbOptions, steps: u32) -> Result<SchemaStatus, MigrationError> {
    run(options, false, Some(steps)).await
}

async fn run(options: &DbOptions, up: bool, steps: Option<u32>) -> Result<SchemaStatus, MigrationError> {
    let _file = lock_file(options)?;
    // One connection: the lock, the steps and their transactions must be of the same session.
    let connection = Database::connect(super::connect_options(options, 1)).await?;
    let postgres = connection.get_database_backend() == DbBackend::Postgres;
    if postgres {
        let sql = format!("SELECT pg_try_advisory_lock({LOCK}) AS held");
        let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let held = row.map(|row| row.try_get::<bool>("", "held")).transpose()?.unwrap_or(false);
        if !held {
            return Err(MigrationError::Locked);
        }
    }
    let done = apply(&connection, up, steps).await;
    if postgres && done.is_ok() {
        // Said aloud, for the database may notice only a while later that the session is over; whoever migrates next would
        // meet the lock of one who is done.
        connection.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})")).await?;
    }
    // Closing the session gives an advisory lock back, whatever happened.
    connection.close().await?;
    done
}

async fn apply(
    connection: &DatabaseConnection,
    up: bool,
    steps: Option<u32>,
) -> Result<SchemaStatus, MigrationError> {
    let before = read_status(connection).await?;
    if !before.unknown.is_empty() {
        return Err(MigrationError::Newer(before.unknown));
    }
    if up {
        if !before.pending.is_empty() {
            Migrator::up(connection, steps).await?;
        }
    } else {
        Migrator::down(connection, steps).await?;
    }
    Ok(read_status(connection).await?)
}

/// On SQLite, takes the lock file beside the database; it is free again when the file is closed.
fn lock_file(options: &DbOptions) -> Result<Option<std::fs::File>, MigrationError> {
    let Some(path) = super::sqlite_path(&options.url) else { return Ok(None) };
    let path = format!("{}.migrating", path.display());
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| MigrationError::LockFile { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(MigrationError::Locked),
        Err(std::fs::TryLockError::Error(source)) => Err(MigrationError::LockFile { path, source }),
    }
}
