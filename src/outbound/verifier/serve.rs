//! The inside of a verifier process: makes the libraries ready, proves on a document of our own that they work, gives
//! up every right, and then answers one question after the other on its standard input until nobody asks any more.

use super::confine;
use super::frame::{self, Answer};
use crate::protocol::saml::Certificate;
use crate::protocol::saml::signature::{SignatureVerifier as _, VerifierError, XmlsecVerifier};
use std::io::{self, BufReader, Read, Write};

/// Signed with a key that was thrown away.
const SELF_TEST: &str = include_str!("self_test.xml");
const SELF_TEST_CERTIFICATE: &str = include_str!("self_test.pem");
/// How much is read at once: most responses whole.
const BUFFER: usize = 32 * 1024;

/// Verifies the document of our own, so that all that the libraries load is loaded.
fn self_test() -> Result<(), String> {
    let certificates = Certificate::parse_text(SELF_TEST_CERTIFICATE).map_err(|error| error.to_string())?;
    let certificate = certificates.first().ok_or("the certificate of the self-test is missing")?;
    let signed = signed_bytes(SELF_TEST.trim_end(), certificate.der())?;
    if signed.contains("<word>verified</word>") {
        Ok(())
    } else {
        Err("the self-test came to other bytes than were signed".to_owned())
    }
}

fn signed_bytes(document: &str, certificate: &[u8]) -> Answer {
    XmlsecVerifier.signed_bytes(document, certificate).map_err(|error| match error {
        VerifierError::Refused(problem) | VerifierError::Unavailable(problem) => problem,
    })
}

/// Serves until the other side is gone. The first thing it says is whether it is ready, and how it is confined.
///
/// # Errors
/// Those of the socket.
pub fn serve(from: impl Read, mut to: impl Write) -> io::Result<()> {
    let ready = self_test().and_then(|()| confine::confine());
    frame::answer(&mut to, &ready)?;
    if ready.is_err() {
        return Ok(());
    }
    let mut from = BufReader::with_capacity(BUFFER, from);
    while let Some(question) = frame::read_question(&mut from)? {
        frame::answer(&mut to, &signed_bytes(&question.document, &question.certificate))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_passes_and_a_changed_one_does_not() {
        assert_eq!(self_test(), Ok(()));
        let certificate = &Certificate::parse_text(SELF_TEST_CERTIFICATE).unwrap()[0];
        let changed = SELF_TEST.replace("verified", "altered");
        assert!(signed_bytes(changed.trim_end(), certificate.der()).is_err());
    }
}
