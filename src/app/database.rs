//! Opens the database: connects, brings or checks the schema, and proves the installation key.
//!
//! SQLite belongs to one node and is migrated by itself. PostgreSQL is migrated by itself only when it is empty:
//! otherwise nodes of the version before may be at work on it, and the operator says when. A schema newer than
//! this binary is refused on both.

use super::{AppError, files};
use crate::config::Config;
use crate::config::database::{Engine, masked_url};
use crate::config::security::InstallationKey;
use crate::model::random::Random;
use crate::model::tenant::InstallationScope;
use crate::model::time::Timestamp;
use crate::service::seal::Sealer;
use crate::store::error::StoreError;
use crate::store::installation::{self, Installation};
use crate::store::migrations::{self, MigrationError};
use crate::store::{self, Db, DbOptions};
use secrecy::ExposeSecret as _;
use std::time::Duration;

/// What the key proves itself by: sealed once, opened at every start.
const KEY_CHECK: (&str, &[u8]) = ("installation", b"postern");
/// How long another migrator is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How to connect, from the configuration.
pub fn options(config: &Config) -> DbOptions {
    DbOptions {
        url: config.database.url.expose_secret().to_owned(),
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
    }
}

/// Where the database is, in words that may be shown.
pub fn shown_url(config: &Config) -> String {
    masked_url(config.database.url.expose_secret())
}

fn unusable(config: &Config) -> impl Fn(StoreError) -> AppError {
    let url = shown_url(config);
    move |source| AppError::Database { url: url.clone(), source }
}

/// Connects, whatever the schema. On SQLite the file is made if need be, readable by its owner only.
///
/// # Errors
/// [`AppError::Database`] if it cannot be reached.
pub async fn connect(config: &Config) -> Result<Db, AppError> {
    let options = options(config);
    if config.database.engine == Engine::Sqlite {
        let path = store::sqlite_path(&options.url).ok_or_else(|| AppError::Setting {
            key: "database.url",
            message: "names no file: an SQLite database in memory would be empty at every connection"
                .to_owned(),
        })?;
        files::make_private(&path)?;
    }
    Db::connect(&options).await.map_err(unusable(config))
}

/// Connects to a database whose schema is this version's, migrating where that is safe.
///
/// # Errors
/// [`AppError`]: unreachable, or a schema that is behind, newer or somebody else's.
pub async fn open(config: &Config) -> Result<Db, AppError> {
    let db = connect(config).await?;
    let mut waited = Duration::ZERO;
    loop {
        let status = migrations::status(&db).await.map_err(unusable(config))?;
        if !status.unknown.is_empty() {
            return Err(AppError::SchemaNewer(status.unknown));
        }
        if status.pending.is_empty() {
            return Ok(db);
        }
        if config.database.engine == Engine::PostgreSql && !status.applied.is_empty() {
            return Err(AppError::SchemaBehind(status.pending));
        }
        if status.foreign {
            return Err(AppError::SchemaForeign { url: shown_url(config) });
        }
        match migrations::up(&options(config), None).await {
            Ok(status) => {
                tracing::info!(steps = status.applied.len(), "the database's schema is this version's now");
            }
            // Another node starts at the same time; what it leaves is looked at again.
            Err(MigrationError::Locked) if waited < PATIENCE => {
                tokio::time::sleep(LOOK_AGAIN).await;
                waited += LOOK_AGAIN;
            }
            Err(MigrationError::Locked) => return Err(AppError::SchemaLocked),
            Err(MigrationError::Newer(steps)) => return Err(AppError::SchemaNewer(steps)),
            Err(MigrationError::Store(source)) => return Err(unusable(config)(source)),
            Err(error @ MigrationError::LockFile { .. }) => {
                return Err(AppError::Migration(error.to_string()));
            }
        }
    }
}

/// The sealer, with a key that is proven to be the one of this database. A database that was never used takes the
/// key as its own; on SQLite one is made if none is configured.
///
/// # Errors
/// The key is missing, unreadable, or another one.
pub async fn sealer(
    config: &Config,
    db: &Db,
    now: Timestamp,
    random: &dyn Random,
) -> Result<Sealer, AppError> {
    let scope = InstallationScope::established();
    let row = sealed(config, db).await?;
    let (key, given) = key(config, row.is_some(), random)?;
    let sealer = Sealer::new(key.expose());
    let (purpose, plain) = KEY_CHECK;
    let row = if let Some(row) = row {
        row
    } else {
        let key_check = sealer
            .seal(purpose, plain, random)
            .map_err(|error| AppError::Fault(format!("OpenSSL cannot seal: {error}")))?;
        let tx = db.begin().await.map_err(unusable(config))?;
        let mine = Installation { id: 1, key_check, created_at: now };
        installation::insert(&tx, scope, mine).await.map_err(unusable(config))?;
        tx.commit().await.map_err(unusable(config))?;
        // Another node may have been first: whoever it was, its row is the one that counts.
        let row = installation::find(db, scope).await.map_err(unusable(config))?;
        row.ok_or_else(|| AppError::Fault("the installation's row is gone".to_owned()))?
    };
    match sealer.open(purpose, &row.key_check) {
        Ok(opened) if *opened == plain => Ok(sealer),
        _ => Err(AppError::WrongKey { given }),
    }
}

/// The row of the key that this database was sealed under; `None` if it was never used.
///
/// # Errors
/// [`AppError::Database`].
pub async fn sealed(config: &Config, db: &Db) -> Result<Option<Installation>, AppError> {
    installation::find(db, InstallationScope::established()).await.map_err(unusable(config))
}

/// The installation key and where it comes from.
fn key(config: &Config, used: bool, random: &dyn Random) -> Result<(InstallationKey, String), AppError> {
    if let Some(key) = &config.security.installation_key {
        return Ok((key.clone(), "security.installation_key".to_owned()));
    }
    if config.database.engine == Engine::PostgreSql {
        return Err(AppError::KeyRequired);
    }
    let path = files::key_path(&config.data_dir);
    let given = path.display().to_string();
    if let Some(key) = files::read_key(&config.data_dir)? {
        return Ok((key, given));
    }
    if used {
        return Err(AppError::KeyMissing { path });
    }
    tracing::info!(path = given, "an installation key is made; back it up together with the database");
    Ok((files::make_key(&config.data_dir, random)?, given))
}
