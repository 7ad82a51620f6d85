//! The command line: one file for each sub-command, one table of exit codes, one way to standard output.
//!
//! Standard output carries the answer only (a document, a secret, a table), so that it can be piped; all
//! else goes to standard error. `--config` may stand before or behind the sub-command.

pub mod args;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod health;
pub mod migrate;
pub mod openapi;
pub mod operator_key;
pub mod out;
pub mod serve;
pub mod sso;
pub mod verifier;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::{CliError, Exit};

use crate::config::Config;

/// The gate through which enterprise customers' identities enter a B2B application.
#[derive(Debug, Parser)]
#[command(name = "postern", version, after_help = error::EXIT_CODES)]
pub struct Cli {
    /// Configuration file [default: the path in POSTERN_CONFIG, else ./postern.toml if it exists]
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server; without any configuration on SQLite under ./data
    Serve(args::ServeArgs),
    /// Show the gateway at work on this machine with real peers beside it, then stay up to be tried by hand
    Demo(args::DemoArgs),
    /// Bring the database's schema to this version, show where it stands, or undo its last steps
    #[command(subcommand)]
    Migrate(args::MigrateCommand),
    /// Check everything the server needs, and say what to do about each finding
    Doctor,
    /// Make, list and revoke the keys that reach every organization
    #[command(subcommand)]
    OperatorKey(args::OperatorKeyCommand),
    /// Let an organization in that its own enforcement of SAML has shut out
    #[command(subcommand)]
    Sso(args::SsoCommand),
    /// Print the OpenAPI document of the REST API
    Openapi,
    /// Check the configuration, or show every value with the place it came from
    #[command(subcommand)]
    Config(args::ConfigCommand),
    /// Verify XML signatures for the server that started this, on standard input
    #[command(hide = true)]
    Verifier,
    /// Ask the server on this machine whether it lives (for container health checks)
    Health,
}

/// Parses `arguments` (the first is the program's name), runs, prints what went wrong with its remedy.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. With a closed pipe there is nobody left to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            error.exit.into()
        }
    }
}

fn run(cli: &Cli) -> Result<(), CliError> {
    let file = cli.config.as_deref();
    match &cli.command {
        Command::Serve(_) => {
            let config = load(file)?;
            block_on(serve::run(&config))
        }
        Command::Migrate(command) => {
            let config = load(file)?;
            block_on(migrate::run(command, &config))
        }
        Command::Doctor => {
            let config = load(file)?;
            block_on(doctor::run(&config))
        }
        Command::OperatorKey(command) => {
            let config = load(file)?;
            block_on(operator_key::run(command, &config))
        }
        Command::Sso(command) => {
            let config = load(file)?;
            block_on(sso::run(command, &config))
        }
        Command::Openapi => openapi::run(&load(file)?),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Config(command) => config::run(command, file),
        Command::Verifier => verifier::run(),
        Command::Health => health::run(&load(file)?),
    }
}

/// The configuration, with logging started as it says: the first step of every command that works.
pub fn load(file: Option<&Path>) -> Result<Config, CliError> {
    let config = Config::load(file)?;
    crate::telemetry::start(&config.log);
    Ok(config)
}

/// Runs a command that waits for the network, on a runtime of its own.
pub fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::unexpected(format!("cannot start the asynchronous runtime: {error}")))?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
