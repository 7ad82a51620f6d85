//! `postern migrate up|status|down`: the schema, by hand. On SQLite the server migrates by itself at its start, on
//! PostgreSQL only an empty database; a newer version is rolled out by `migrate up` first.

use super::args::MigrateCommand;
use super::{CliError, out};
use crate::app::{AppError, DataLock, database, files};
use crate::config::Config;
use crate::config::database::Engine;
use crate::store::error::StoreError;
use crate::store::migrations::{self, MigrationError, SchemaStatus};

/// Runs one of the commands and prints where the schema stands then.
pub async fn run(command: &MigrateCommand, config: &Config) -> Result<(), CliError> {
    if config.database.engine == Engine::Sqlite {
        files::make_data_dir(&config.data_dir)?;
    }
    let unusable = |source: StoreError| AppError::Database { url: database::shown_url(config), source };
    let db = database::connect(config).await?;
    let before = migrations::status(&db).await.map_err(unusable);
    db.close().await.map_err(unusable)?;
    let before = before?;
    let options = database::options(config);
    let fail = |error: MigrationError| match error {
        MigrationError::Newer(steps) => AppError::SchemaNewer(steps),
        MigrationError::Locked => AppError::SchemaLocked,
        MigrationError::Store(source) => unusable(source),
        MigrationError::LockFile { .. } => AppError::Migration(error.to_string()),
    };
    let after = match command {
        MigrateCommand::Status => before,
        MigrateCommand::Up if before.foreign => {
            return Err(AppError::SchemaForeign { url: database::shown_url(config) }.into());
        }
        MigrateCommand::Up => migrations::up(&options, None).await.map_err(fail)?,
        MigrateCommand::Down { steps } => {
            // Nobody may be at work on what goes away; on PostgreSQL only the operator can know.
            let _lock = match config.database.engine {
                Engine::Sqlite => Some(DataLock::take(&config.data_dir)?),
                Engine::PostgreSql => None,
            };
            migrations::down(&options, *steps).await.map_err(fail)?
        }
    };
    out::text(listing(&after))?;
    if after.unknown.is_empty() { Ok(()) } else { Err(AppError::SchemaNewer(after.unknown).into()) }
}

fn listing(status: &SchemaStatus) -> String {
    let line = |state: &str, name: &String| format!("{state:<8} {name}\n");
    let applied = status.applied.iter().filter(|name| !status.unknown.contains(name));
    applied
        .map(|name| line("applied", name))
        .chain(status.pending.iter().map(|name| line("due", name)))
        .chain(status.unknown.iter().map(|name| line("unknown", name)))
        .collect()
}
