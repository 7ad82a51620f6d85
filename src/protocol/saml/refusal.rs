//! Why a SAML response was refused: a stable code, what was expected and found, and what to do next.
//!
//! The sentences are for the sign-in log and the administrator's test page. A stranger's browser gets the code
//! at most: found values come from whoever posted the response.

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::console::Console;
use super::scan::ScanError;

/// A reason to refuse a SAML response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SamlRefusal {
    /// The form value is larger than the limit.
    #[error("the SAML response is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The form value is not base64.
    #[error("the SAMLResponse value is not base64")]
    NotBase64,
    /// The document is not UTF-8.
    #[error("the SAML response is not UTF-8 text")]
    NotUtf8,
    /// The document is not XML of the kind that is let in.
    #[error("the SAML response is not acceptable XML: {0}")]
    Xml(#[from] ScanError),
    /// The root is something else.
    #[error("expected a samlp:Response, found {found}")]
    NotAResponse {
        /// The root's name.
        found: String,
    },
    /// None or several assertions.
    #[error("expected exactly one assertion directly in the response, found {found}")]
    AssertionCount {
        /// How many assertions there are, wherever they stand.
        found: usize,
    },
    /// Something is encrypted that is not a whole assertion.
    #[error(
        "the response contains {found}: a whole assertion may be encrypted, a single name or attribute may not"
    )]
    EncryptedUnsupported {
        /// The element's name.
        found: String,
    },
    /// An encrypted assertion that has another shape than XML Encryption gives it.
    #[error("the encrypted assertion is not as XML Encryption has it: {problem}")]
    EncryptionStructure {
        /// What is wrong with it.
        problem: String,
    },
    /// Encrypted by an algorithm that is not on the list.
    #[error(
        "the assertion is encrypted with {algorithm}, which is not taken: AES-128, AES-192 or AES-256 in CBC or GCM mode is, \
         with RSA-OAEP for the key"
    )]
    EncryptionAlgorithmRefused {
        /// The algorithm's URI.
        algorithm: String,
    },
    /// Nothing to decrypt with.
    #[error("the assertion is encrypted, and the connection has no encryption key")]
    NoEncryptionKey,
    /// Whatever went wrong from the moment a private key was used until a signature was verified. Which it was is for
    /// the administrator's log alone: whoever changes ciphertexts must not learn it.
    #[error("the encrypted assertion could not be decrypted{}{}", for_other_key(other_key.as_deref()), with_inside(inside.as_deref()))]
    DecryptionFailed {
        /// The fingerprint of the certificate it names as encrypted to, if that is none of ours.
        other_key: Option<String>,
        /// What is wrong with the decrypted assertion, if it came as far as that.
        inside: Option<Box<SamlRefusal>>,
    },
    /// Encryption is required.
    #[error("the assertion is not encrypted, and the connection requires it")]
    NotEncrypted,
    /// Nothing is signed.
    #[error("neither the response nor the assertion is signed")]
    Unsigned,
    /// A signature that has another shape or place than SAML gives it.
    #[error("the XML signature is not as SAML has it: {problem}")]
    SignatureStructure {
        /// What is wrong with it.
        problem: String,
    },
    /// The same ID twice or an unusable one.
    #[error("the response has an {problem}")]
    BadId {
        /// What is wrong with it.
        problem: String,
    },
    /// SHA-1 in the signature or digest.
    #[error("the response is signed with SHA-1 ({algorithm}), which is refused; SHA-256 or better is needed")]
    Sha1Refused {
        /// The algorithm's URI.
        algorithm: String,
    },
    /// An algorithm that is not on the list.
    #[error("the algorithm {algorithm} is not allowed; RSA or ECDSA with SHA-256, SHA-384 or SHA-512 is")]
    AlgorithmRefused {
        /// The algorithm's URI.
        algorithm: String,
    },
    /// The connection has no certificate.
    #[error("the connection has no signing certificate, so nothing can be verified")]
    NoCertificates,
    /// No certificate of the connection made this signature.
    #[error(
        "the signature does not match {}; {}",
        any_of(configured.len()),
        presented_sentence(presented.as_deref(), configured)
    )]
    SignatureMismatch {
        /// SHA-256 fingerprints of the connection's certificates.
        configured: Vec<String>,
        /// SHA-256 fingerprint of the certificate that came in KeyInfo, if one did.
        presented: Option<String>,
    },
    /// The signature is right but the signed content is not what was signed.
    #[error("the content was changed after it was signed (the digest of {element} differs)")]
    ContentAltered {
        /// Which element.
        element: String,
    },
    /// xmlsec did not agree.
    #[error("the signature verifier refused the response: {problem}")]
    VerifierRefused {
        /// What it said.
        problem: String,
    },
    /// xmlsec cannot be asked at the moment; says nothing about the response.
    #[error("the signature verifier is not to be had: {problem}")]
    VerifierUnavailable {
        /// Why not.
        problem: String,
    },
    /// The IdP reports a failure instead of signing somebody in.
    #[error("the IdP answered {status}{}", with_message(message.as_deref()))]
    IdpStatus {
        /// The status codes, outermost first, without their common prefix.
        status: String,
        /// The IdP's own words, if any.
        message: Option<String>,
    },
    /// Another SAML version.
    #[error("expected SAML version 2.0 on {element}, found {found}")]
    WrongVersion {
        /// Which element.
        element: &'static str,
        /// The version found.
        found: String,
    },
    /// Another IdP.
    #[error("expected the issuer {expected} in the {element}, found {found}")]
    WrongIssuer {
        /// Which element.
        element: &'static str,
        /// The connection's IdP entity id.
        expected: String,
        /// The issuer found.
        found: String,
    },
    /// Meant for another address.
    #[error("expected the destination {expected}, found {found}")]
    WrongDestination {
        /// Our ACS URL.
        expected: String,
        /// The destination found.
        found: String,
    },
    /// Confirmed for another address.
    #[error("expected the recipient {expected}, found {found}")]
    WrongRecipient {
        /// Our ACS URL.
        expected: String,
        /// The recipient found.
        found: String,
    },
    /// Meant for another service.
    #[error("expected the audience {expected}, found {}", found.join(", "))]
    WrongAudience {
        /// Our entity id.
        expected: String,
        /// The audiences found.
        found: Vec<String>,
    },
    /// The answer to another request.
    #[error("the {element} answers the request {found}, {}", not_the_one(expected.as_deref()))]
    WrongInResponseTo {
        /// Which element.
        element: &'static str,
        /// Our request id; none if the response around it answers no request.
        expected: Option<String>,
        /// The id found.
        found: String,
    },
    /// Not an answer at all: started at the IdP.
    #[error(
        "the {element} answers no request: it began at the IdP, and idp_initiated of the connection is off"
    )]
    Unsolicited {
        /// Which element.
        element: &'static str,
    },
    /// From the future, beyond the allowed difference of clocks.
    #[error("{what} is {at}, which is {} in the future", readable(*ahead))]
    NotYetValid {
        /// Which time.
        what: &'static str,
        /// The time found.
        at: OffsetDateTime,
        /// How far ahead it is of our clock.
        ahead: Duration,
    },
    /// Too old.
    #[error("{what} was {at}, which is {} ago", readable(*behind))]
    Expired {
        /// Which time.
        what: &'static str,
        /// The time found.
        at: OffsetDateTime,
        /// How far it lies behind our clock.
        behind: Duration,
    },
    /// Something that must be there is not.
    #[error("{what} is missing")]
    Missing {
        /// What it is.
        what: &'static str,
    },
    /// A value that cannot be read.
    #[error("{what} has the value {found}, which cannot be read")]
    BadValue {
        /// What it is.
        what: &'static str,
        /// The value.
        found: String,
    },
    /// A condition that is not understood, and so not met.
    #[error("the assertion has the condition {found}, which is not understood")]
    UnknownCondition {
        /// The element's name.
        found: String,
    },
    /// The person signed in at the IdP in a way that is not accepted.
    #[error("expected the authentication context {}, found {found}", expected.join(" or "))]
    WrongAuthnContext {
        /// The classes that are accepted.
        expected: Vec<String>,
        /// The class found.
        found: String,
    },
    /// No address to know the person by.
    #[error(
        "no e-mail address was found; the NameID has the format {name_id_format}, and these attributes came: {}",
        list(attributes)
    )]
    NoEmail {
        /// The NameID's format.
        name_id_format: String,
        /// The names of the attributes that came.
        attributes: Vec<String>,
    },
    /// The attribute that the connection maps as subject did not come, or not as one value.
    #[error(
        "the subject attribute {attribute} must come with exactly one value, found {found}; these attributes came: {}",
        list(attributes)
    )]
    NoSubject {
        /// The mapped name.
        attribute: String,
        /// How many values came.
        found: usize,
        /// The names of the attributes that came.
        attributes: Vec<String>,
    },
}

impl SamlRefusal {
    /// A stable name for logs, pages and clients. Never changed once released.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "response_too_large",
            Self::NotBase64 => "not_base64",
            Self::NotUtf8 => "not_utf8",
            Self::Xml(_) => "malformed_xml",
            Self::NotAResponse { .. } => "not_a_response",
            Self::AssertionCount { .. } => "assertion_count",
            Self::EncryptedUnsupported { .. } => "encrypted_unsupported",
            Self::EncryptionStructure { .. } => "encryption_structure",
            Self::EncryptionAlgorithmRefused { .. } => "encryption_algorithm_refused",
            Self::NoEncryptionKey => "no_encryption_key",
            Self::DecryptionFailed { .. } => "decryption_failed",
            Self::NotEncrypted => "not_encrypted",
            Self::Unsigned => "unsigned",
            Self::SignatureStructure { .. } => "signature_structure",
            Self::BadId { .. } => "bad_id",
            Self::Sha1Refused { .. } => "sha1_refused",
            Self::AlgorithmRefused { .. } => "algorithm_refused",
            Self::NoCertificates => "no_certificates",
            Self::SignatureMismatch { .. } => "signature_mismatch",
            Self::ContentAltered { .. } => "content_altered",
            Self::VerifierRefused { .. } => "verifier_refused",
            Self::VerifierUnavailable { .. } => "verifier_unavailable",
            Self::IdpStatus { .. } => "idp_status",
            Self::WrongVersion { .. } => "wrong_version",
            Self::WrongIssuer { .. } => "wrong_issuer",
            Self::WrongDestination { .. } => "wrong_destination",
            Self::WrongRecipient { .. } => "wrong_recipient",
            Self::WrongAudience { .. } => "wrong_audience",
            Self::WrongInResponseTo { .. } => "wrong_in_response_to",
            Self::Unsolicited { .. } => "unsolicited",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Expired { .. } => "expired",
            Self::Missing { .. } => "missing_element",
            Self::BadValue { .. } => "bad_value",
            Self::UnknownCondition { .. } => "unknown_condition",
            Self::WrongAuthnContext { .. } => "wrong_authn_context",
            Self::NoEmail { .. } => "no_email",
            Self::NoSubject { .. } => "no_subject",
        }
    }

    /// What an administrator can do about it, naming the field of their IdP's console.
    pub fn next_step(&self, console: Console) -> String {
        match self {
            Self::WrongAudience { expected, .. } => {
                format!("Set {} to {expected}.", console.audience_field())
            }
            Self::WrongDestination { expected, .. } | Self::WrongRecipient { expected, .. } => {
                format!("Set {} to {expected}.", console.acs_field())
            }
            Self::WrongIssuer { .. } => format!(
                "Compare the connection's IdP entity id with {}; if they differ, edit the connection.",
                console.issuer_field()
            ),
            Self::SignatureMismatch { .. } | Self::NoCertificates => format!(
                "Copy {} into the connection; the IdP may have rotated its key. Keep the old one until the change is done.",
                console.certificate_field()
            ),
            Self::Sha1Refused { .. } | Self::AlgorithmRefused { .. } => {
                format!("Set {}.", console.algorithm_field())
            }
            Self::Unsigned => format!("Switch on {}.", console.signing_field()),
            Self::EncryptedUnsupported { .. } => {
                "Have the IdP encrypt the whole assertion, or nothing: not the NameID or single attributes.".to_owned()
            }
            Self::EncryptionAlgorithmRefused { .. } => format!(
                "Choose AES-256 (GCM or CBC) with RSA-OAEP as the algorithms of {}.",
                console.encryption_field()
            ),
            Self::DecryptionFailed { inside: Some(inside), .. } => inside.next_step(console),
            Self::DecryptionFailed { inside: None, .. } => format!(
                "Put the connection's current encryption certificate into {}: the keys of the connection show it, and so \
                 does our metadata.",
                console.encryption_field()
            ),
            Self::NoEncryptionKey => format!(
                "Make an encryption key for the connection and put its certificate into {0}, or switch off {0}.",
                console.encryption_field()
            ),
            Self::NotEncrypted => format!(
                "Switch on {} with the connection's encryption certificate, or switch require_encryption off.",
                console.encryption_field()
            ),
            Self::NoEmail { .. } | Self::NoSubject { .. } => format!(
                "Send the value as an attribute: see {}; or name the attribute in the connection's attribute mapping.",
                console.attributes_field()
            ),
            Self::WrongAuthnContext { .. } => {
                "Have the IdP ask for one of these ways to sign in (for example a policy for multi-factor authentication on the \
                 application), or name the found one in requested_authn_contexts of the connection if it is good enough."
                    .to_owned()
            }
            Self::Unsolicited { .. } => {
                "Start signing in at the application's sign-in page instead of the IdP's list of applications; or switch \
                 idp_initiated of the connection on, after reading what that opens."
                    .to_owned()
            }
            Self::WrongInResponseTo { .. } => {
                "Sign in again from the start, in one browser window; an older attempt may have been answered.".to_owned()
            }
            Self::NotYetValid { .. } | Self::Expired { .. } => {
                "Sign in again; if it happens every time, compare the clocks of the IdP and of this server.".to_owned()
            }
            Self::IdpStatus { .. } => {
                "The IdP refused: look into its own sign-in log, and check that the person is assigned to the application."
                    .to_owned()
            }
            Self::ContentAltered { .. } => {
                "Something between the IdP and this server changed the response, or somebody forged it; look for proxies that rewrite pages."
                    .to_owned()
            }
            _ => "The response is not one that a SAML 2.0 IdP with usual settings sends; check that the connection's IdP is the one that answered, and keep this reference for support."
                .to_owned(),
        }
    }
}

/// Cuts and cleans a value from outside before it is put into a message.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 200;
    let mut out: String = value.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    let out = out.trim();
    if out.is_empty() { "nothing".to_owned() } else { out.to_owned() }
}

fn any_of(certificates: usize) -> String {
    match certificates {
        1 => "the connection's certificate".to_owned(),
        many => format!("any of the connection's {many} certificates"),
    }
}

fn presented_sentence(presented: Option<&str>, configured: &[String]) -> String {
    match presented {
        None => "the response does not say which certificate it was signed with".to_owned(),
        Some(print) if configured.iter().any(|c| c == print) => {
            format!("it names the configured certificate {print}, but another key made the signature")
        }
        Some(print) => {
            format!("it names a certificate with SHA-256 fingerprint {print}: did the IdP rotate its key?")
        }
    }
}

fn not_the_one(expected: Option<&str>) -> String {
    expected.map_or_else(
        || "and the response around it answers none".to_owned(),
        |expected| format!("not the one this browser started ({expected})"),
    )
}

fn for_other_key(fingerprint: Option<&str>) -> String {
    fingerprint
        .map(|print| {
            format!(": it names the certificate with SHA-256 fingerprint {print}, which is none of the connection's")
        })
        .unwrap_or_default()
}

fn with_inside(inside: Option<&SamlRefusal>) -> String {
    inside.map(|refusal| format!(" to one that can be used: {refusal}")).unwrap_or_default()
}

fn with_message(message: Option<&str>) -> String {
    message.map(|m| format!(": {m}")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn readable(span: Duration) -> String {
    let seconds = span.whole_seconds().unsigned_abs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_tells_the_fingerprint_and_asks_about_rotation() {
        let refusal = SamlRefusal::SignatureMismatch {
            configured: vec!["AA:BB".to_owned()],
            presented: Some("CC:DD".to_owned()),
        };
        let text = refusal.to_string();
        assert!(
            text.contains("CC:DD")
                && text.contains("rotate")
                && text.contains("the connection's certificate"),
            "{text}"
        );
        assert_eq!(refusal.code(), "signature_mismatch");
        assert!(refusal.next_step(Console::Okta).contains("Sign On tab"));
    }

    #[test]
    fn values_from_outside_are_cut_and_cleaned() {
        assert_eq!(shown("a\u{7}\nb"), "a  b");
        assert_eq!(shown(" "), "nothing");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 201);
    }
}
