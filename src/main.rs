//! The `postern` binary: hands the command line to [`postern::cli`] and its verdict to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    postern::cli::main(std::env::args_os())
}
