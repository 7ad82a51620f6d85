//! `postern demo`: tells the gateway's story on this machine, then stays up to be tried by hand.

use super::args::DemoArgs;
use super::{CliError, Exit};
use crate::demo::{self, DemoError, Ending, Options};

/// Runs the demo until it is told (`--exit`) or somebody ends it.
pub async fn run(args: &DemoArgs) -> Result<(), CliError> {
    match demo::run(Options { exit: args.exit }).await {
        // Who only wants the story wants to know that it was not told to its end.
        Ok(Ending::Interrupted) if args.exit => Err(CliError::new(
            Exit::Unexpected,
            "the demo was ended before its story was told",
            "Run it again and let it finish.",
        )),
        Ok(_) => Ok(()),
        Err(error) if error.is_closed_pipe() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Gateway(error) => error.into(),
            DemoError::NoPort { .. } => Self::new(
                Exit::Unexpected,
                error.to_string(),
                "Free one of these ports and run the demo again.",
            ),
            DemoError::Output(_) => Self::new(
                Exit::Unexpected,
                error.to_string(),
                "Make room or send standard output elsewhere, then run the demo again.",
            ),
            DemoError::Scratch { .. } => Self::new(
                Exit::Unexpected,
                error.to_string(),
                "Look at that folder; TMPDIR names another place for the demo's files.",
            ),
            error => Self::unexpected(error.to_string()),
        }
    }
}
