//! How a command fails: an exit code that scripts can tell apart, what happened, and what to do about it.
//!
//! There is no way to make a [`CliError`] without naming a remedy.

use std::io::Write as _;
use std::process::ExitCode;

use crate::app::AppError;
use crate::config::ConfigError;
use crate::http::server::ServerError;
use crate::service::Error;

/// Stands under `postern --help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done                               5  database schema is not this version's
  1  unexpected failure                 6  a check failed
  2  wrong command line                 7  not found
  3  configuration refused              8  already running
  4  database cannot be reached";

/// The exit codes; the numbers are an interface and stay as they are. 2 is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Unexpected = 1,
    Configuration = 3,
    DatabaseUnreachable = 4,
    SchemaMismatch = 5,
    CheckFailed = 6,
    NotFound = 7,
    AlreadyRunning = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command reports on standard error before it ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n{remedy}")]
pub struct CliError {
    pub exit: Exit,
    /// What happened, expected and found; may have several lines.
    pub message: String,
    /// What to do next, a whole sentence.
    pub remedy: String,
}

impl CliError {
    /// `message` says what happened, `remedy` what to do about it.
    pub fn new(exit: Exit, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit, message: message.into(), remedy: remedy.into() }
    }

    /// For what no command foresees.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(
            Exit::Unexpected,
            message,
            "Run the command again with POSTERN_LOG__LEVEL=debug; if it fails again, report the lines above.",
        )
    }

    /// Writes to standard error; when even that is closed, the exit code still tells.
    pub(super) fn report(&self) {
        let mut lines = self.message.lines();
        let mut text = format!("postern: {}\n", lines.next().unwrap_or_default());
        for line in lines {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&self.remedy);
        text.push('\n');
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let message = match error.problems.len() {
            1 => format!("the configuration is refused: {error}"),
            count => format!("the configuration is refused, {count} problems:\n{error}"),
        };
        Self::new(
            Exit::Configuration,
            message,
            "Correct the value where it stands; `postern config show` prints every value with its source.",
        )
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        use AppError as E;
        let (exit, remedy) = match &error {
            E::File { .. } => (
                Exit::Configuration,
                "Check that this account may write there, or name another folder as data_dir (POSTERN_DATA_DIR).",
            ),
            E::AlreadyRunning { .. } => (
                Exit::AlreadyRunning,
                "Stop that one first, or give this one a data_dir (POSTERN_DATA_DIR) and an http.listen of its own.",
            ),
            E::Setting { .. } => {
                (Exit::Configuration, "Correct the setting; `postern config show` tells where it stands.")
            }
            E::KeyFile { .. } | E::KeyMissing { .. } | E::WrongKey { .. } => (
                Exit::Configuration,
                "Give the key that this database was first started with: restore installation.key from the backup \
                 of the data directory, or set POSTERN_SECURITY__INSTALLATION_KEY_FILE to a file that holds it.",
            ),
            E::KeyRequired => (
                Exit::Configuration,
                "Make one with `openssl rand -base64 32` and give the same one to every node as \
                 POSTERN_SECURITY__INSTALLATION_KEY or through POSTERN_SECURITY__INSTALLATION_KEY_FILE.",
            ),
            error if error.is_database_away() => (
                Exit::DatabaseUnreachable,
                "Check that the database runs, that database.url is right and that its user may connect; \
                 `postern doctor` looks at the rest.",
            ),
            E::SchemaBehind(_) => (
                Exit::SchemaMismatch,
                "Run `postern migrate up` once, with this version, when no older node needs the schema as it is.",
            ),
            E::SchemaNewer(_) => (
                Exit::SchemaMismatch,
                "Start the version that wrote it or a newer one; or take its steps back with that version's \
                 `postern migrate down`.",
            ),
            E::SchemaForeign { .. } => (
                Exit::SchemaMismatch,
                "Make an empty database for Postern alone and name it in database.url (POSTERN_DATABASE__URL).",
            ),
            E::SchemaLocked => (
                Exit::SchemaMismatch,
                "Wait until that process is done, or end it; then run this again. `postern migrate status` tells.",
            ),
            E::Resolver(_) => (
                Exit::Configuration,
                "Name the DNS servers to ask in dns.nameservers (POSTERN_DNS__NAMESERVERS).",
            ),
            E::Server(ServerError::Tls(_)) => (
                Exit::Configuration,
                "Correct http.tls_certificate and http.tls_key; certs/README.md tells how to make a pair.",
            ),
            E::Server(_) => (
                Exit::Configuration,
                "Free the port, or set http.listen and http.metrics_listen to other ones.",
            ),
            E::Database { .. } | E::Migration(_) | E::Fault(_) => return Self::unexpected(error.to_string()),
        };
        Self::new(exit, error.to_string(), remedy)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(fields) => {
                let lines: Vec<String> =
                    fields.into_iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
                Self::new(
                    Exit::Unexpected,
                    lines.join("\n"),
                    "Correct the arguments and run the command again.",
                )
            }
            Error::Unavailable { message, .. } => Self::new(
                Exit::DatabaseUnreachable,
                message,
                "Check that the database runs; `postern doctor` looks at the rest.",
            ),
            error => Self::unexpected(error.to_string()),
        }
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::unexpected(format!("{error:#}"))
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::unexpected(error.to_string())
    }
}
