//! Whether one of the keys that a connection trusts already vouches for a metadata document (rule 10a).
//!
//! Only a signature of the root element counts, made over its own ID with the two usual transforms: the same strict
//! reading, the same structure rules and the same two canonicalizations as for responses. What such a document says is
//! read from the bytes that were signed. Any other signature is as good as none.

use super::certificate::Certificate;
use super::metadata::{IdpMetadata, MetadataError, read_document, text_of};
use super::refusal::SamlRefusal;
use super::scan::{Rules, scan};
use super::signature::{self, SignatureVerifier};
use super::structure::{self, Structure};
use super::xml::{Document, ElementId, ns};

/// Who signed a metadata document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentSignature {
    /// A key of the connection: the facts were read from what it signed.
    Trusted,
    /// Somebody else, or it is wrong, or of a form that is not taken.
    Other,
    /// Nobody.
    Absent,
}

/// Reads the metadata of one IdP (the named one, where there are several), and whether one of these keys signed it.
/// Blocks: run it with `spawn_blocking`.
///
/// # Errors
/// As for [`super::read_idp_metadata`], and [`MetadataError::VerifierUnavailable`]. A signature that is not one of these
/// keys' is no error.
pub fn read_signed_metadata(
    verifier: &dyn SignatureVerifier,
    bytes: &[u8],
    named: Option<&str>,
    certificates: &[Certificate],
) -> Result<(IdpMetadata, DocumentSignature), MetadataError> {
    let text = text_of(bytes)?;
    let doc = scan(text, Rules::METADATA)?;
    let read = read_document(&doc, named)?;
    if doc.child(doc.root(), ns::DSIG, "Signature").is_none() {
        return Ok((read, DocumentSignature::Absent));
    }
    let signed = match signed_bytes(verifier, text, &doc, certificates) {
        Ok(signed) => signed,
        Err(SamlRefusal::VerifierUnavailable { .. }) => return Err(MetadataError::VerifierUnavailable),
        Err(_) => return Ok((read, DocumentSignature::Other)),
    };
    let read = read_document(&scan(&signed, Rules::METADATA)?, named)?;
    Ok((read, DocumentSignature::Trusted))
}

/// The bytes of the root that one of these keys signed.
fn signed_bytes(
    verifier: &dyn SignatureVerifier,
    text: &str,
    doc: &Document<'_>,
    certificates: &[Certificate],
) -> Result<String, SamlRefusal> {
    structure::check_ids(doc)?;
    let wrong = |problem: &str| SamlRefusal::SignatureStructure { problem: problem.to_owned() };
    let signatures: Vec<ElementId> = doc.all().filter(|id| doc.is(*id, ns::DSIG, "Signature")).collect();
    let [only] = signatures[..] else { return Err(wrong("the metadata holds several signatures")) };
    if doc.element(only).parent != Some(doc.root()) {
        return Err(wrong("the signature does not stand directly in the root"));
    }
    let parts = structure::take_apart(doc, only, doc.root())?;
    let structure = Structure { response: doc.root(), encrypted: None, signatures: vec![parts] };
    signature::verify_with(verifier, text, doc, &structure, certificates).map(|(bytes, _)| bytes)
}
