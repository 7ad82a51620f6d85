//! How a command fails: an exit code that scripts can tell apart, what happened, and what to do about it.
//!
//! There is no way to make a [`CliError`] without naming a remedy.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::ConfigError;

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
