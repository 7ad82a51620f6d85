//! Why an installation cannot be opened or served: what happened, expected and found. What to do about it is said
//! by the command line, which knows the commands.

use crate::http::server::ServerError;
use crate::outbound::dns::ResolverError;
use crate::store::error::StoreError;
use std::path::PathBuf;

/// Why an installation cannot be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A file or folder under the data directory.
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// Another process serves from this data directory.
    #[error("another Postern{} already runs on the data directory {}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display())]
    AlreadyRunning { path: PathBuf, pid: Option<u32> },
    /// A setting that its own check let pass.
    #[error("{key} {message}")]
    Setting { key: &'static str, message: String },
    /// The generated key's file does not hold a key.
    #[error("the installation key in {} {message}", path.display())]
    KeyFile { path: PathBuf, message: String },
    /// The database was sealed under a key that is not there any more.
    #[error(
        "this database was sealed under an installation key, but none is configured and {} is not there",
        path.display()
    )]
    KeyMissing { path: PathBuf },
    /// PostgreSQL without a key in the configuration.
    #[error("security.installation_key is required on PostgreSQL and is not set")]
    KeyRequired,
    /// The key is not the one that sealed this database.
    #[error("the installation key ({given}) is not the one that this database was sealed under")]
    WrongKey { given: String },
    /// The database.
    #[error("the database at {url} cannot be used: {source}")]
    Database { url: String, source: StoreError },
    /// PostgreSQL's schema is behind this binary's.
    #[error("the database's schema lacks {} step(s) of this version: {}", .0.len(), .0.join(", "))]
    SchemaBehind(Vec<String>),
    /// The database was written by a newer binary.
    #[error("the database was written by a newer Postern; this version does not know: {}", .0.join(", "))]
    SchemaNewer(Vec<String>),
    /// The database is not empty and not Postern's.
    #[error("the database at {url} holds tables, but none of Postern's")]
    SchemaForeign { url: String },
    /// Somebody else is migrating, for longer than a start may wait.
    #[error("another process has been migrating this database for a while")]
    SchemaLocked,
    /// Steps failed.
    #[error("a migration failed: {0}")]
    Migration(String),
    /// The resolver cannot be set up.
    #[error(transparent)]
    Resolver(ResolverError),
    /// A listener cannot start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A fault of ours.
    #[error("{0}")]
    Fault(String),
}

impl AppError {
    /// Whether the database could not be reached, so that the same may go well later.
    pub fn is_database_away(&self) -> bool {
        matches!(self, Self::Database { source: StoreError::Unavailable(_), .. })
    }
}
