//! `postern verifier`: the process that the server keeps its XML libraries in. Reads no configuration and no variable;
//! of no use by hand.

use super::CliError;
use crate::outbound::verifier::{confine, serve};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

/// Serves until nobody asks any more. Standard input is a socket, and answers go back the same way.
pub fn run() -> Result<(), CliError> {
    confine::close_inherited();
    let served = || -> io::Result<()> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        serve::serve(&socket, &socket)
    };
    served().map_err(|error| CliError::unexpected(format!("the server cannot be answered: {error}")))
}
