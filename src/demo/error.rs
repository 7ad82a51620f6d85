//! Why the demo ended early: what failed, where, and what was found there.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::AppError;
use crate::config::ConfigError;

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or folder of the scratch folder.
    #[error("cannot {doing} {}: {source}", path.display())]
    Scratch { doing: &'static str, path: PathBuf, source: io::Error },
    /// Nobody would notice Ctrl-C.
    #[error("cannot listen for Ctrl-C: {0}")]
    Signals(io::Error),
    /// Standard output is gone or full.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// No port for the gateway.
    #[error("no free port on 127.0.0.1 from {first} to {last}; the last answer was: {source}")]
    NoPort { first: u16, last: u16, source: io::Error },
    /// One of the gateway's peers did not start.
    #[error("the demo's {peer} cannot start: {cause}")]
    Peer { peer: &'static str, cause: String },
    /// The settings that the demo writes for itself.
    #[error("the demo's own configuration is refused: {0}")]
    Config(ConfigError),
    /// The gateway did not start.
    #[error("the gateway cannot start: {0}")]
    Gateway(#[source] AppError),
    /// The gateway ended by itself.
    #[error("the gateway on {address} ended by itself: {reason}")]
    GatewayEnded { address: SocketAddr, reason: String },
    /// A use case that the demo calls as the command line would.
    #[error("{doing} failed: {cause}")]
    UseCase { doing: &'static str, cause: String },
    /// Nobody answered.
    #[error("{what} got no answer: {cause}")]
    NoAnswer { what: String, cause: String },
    /// An answer that the story does not go on with.
    #[error(
        "{what} answered with something else than the demo expects.\nexpected: {expected}\nfound: {found}"
    )]
    Unexpected { what: String, expected: String, found: String },
    /// More requests than allowed, again and again.
    #[error("{what} was answered with 429 (too many requests) {times} times in a row")]
    KeptWaiting { what: String, times: u32 },
}

impl DemoError {
    /// Whether it only says that the reader of standard output went away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// A request that came to nothing, with all of its causes.
    pub(super) fn no_answer(what: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut next = error.source();
        while let Some(inner) = next {
            cause = format!("{cause}: {inner}");
            next = inner.source();
        }
        Self::NoAnswer { what: what.into(), cause }
    }

    pub(super) fn unexpected(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Unexpected { what: what.into(), expected: expected.into(), found: found.into() }
    }
}
