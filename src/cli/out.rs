//! Standard output, for answers only.
//!
//! A reader that goes away (`postern config show | head -1`) ends the output quietly; any other failure,
//! such as a full disk, is an error, because the answer was lost.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::{CliError, Exit};

/// Writes `text` and a line end, at once.
pub fn line(text: impl Display) -> Result<(), CliError> {
    write_to(&mut std::io::stdout().lock(), &format!("{text}\n"))
}

/// Writes `text` as it is, at once.
pub fn text(text: impl Display) -> Result<(), CliError> {
    write_to(&mut std::io::stdout().lock(), &text.to_string())
}

fn write_to(out: &mut impl Write, text: &str) -> Result<(), CliError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::new(
            Exit::Unexpected,
            format!("cannot write to standard output: {error}"),
            "The answer was lost. Make room or send standard output elsewhere, then run the command again.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        assert!(write_to(&mut Failing(ErrorKind::BrokenPipe), "answer").is_ok());
        let error = write_to(&mut Failing(ErrorKind::StorageFull), "answer").unwrap_err();
        assert_eq!(error.exit, Exit::Unexpected);
        assert!(error.message.contains("standard output"));
    }
}
