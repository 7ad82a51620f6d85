//! Signatures: the one place that calls samael (and through it xmlsec and libxml2); the server does so in processes
//! of their own (`outbound/verifier`).
//!
//! A document comes here only after the strict scan and the structure rules. First our own canonicalization and
//! OpenSSL find the connection's certificate that made every signature, and compare the digests. Only then is the
//! element that everything will be read from handed to xmlsec, with its signature and that one certificate, in
//! pre-digest mode, under an allow-list of algorithms. So the C libraries see nothing that the IdP did not sign,
//! nothing is fetched, nothing is printed on standard error for a forged response, and two implementations must agree
//! on every byte that anything is read from.
//!
//! Where response and assertion are both signed, that element is the assertion, as if it alone were: whoever has such
//! a response could take the response's signature away. That one can only refuse, and is verified by us alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sha::{Sha256, Sha384, Sha512};
use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};

use super::c14n;
use super::certificate::{Certificate, KeyKind, decode_base64, fingerprint_of};
use super::refusal::{SamlRefusal, shown};
use super::structure::{SignatureParts, Structure};
use super::xml::Document;

/// A hash that signatures may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash of a `DigestMethod`.
    ///
    /// # Errors
    /// [`SamlRefusal::Sha1Refused`] or [`SamlRefusal::AlgorithmRefused`].
    pub fn from_digest_uri(uri: &str) -> Result<Self, SamlRefusal> {
        match uri {
            "http://www.w3.org/2001/04/xmlenc#sha256" => Ok(Self::Sha256),
            "http://www.w3.org/2001/04/xmldsig-more#sha384" => Ok(Self::Sha384),
            "http://www.w3.org/2001/04/xmlenc#sha512" => Ok(Self::Sha512),
            _ => Err(refused(uri)),
        }
    }

    fn md(self) -> &'static MdRef {
        match self {
            Self::Sha256 => Md::sha256(),
            Self::Sha384 => Md::sha384(),
            Self::Sha512 => Md::sha512(),
        }
    }

    /// The hash of these bytes.
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        // Not by name, which would be looked up among OpenSSL's providers each time.
        macro_rules! hashed {
            ($hash:ty) => {{
                let mut hash = <$hash>::new();
                hash.update(bytes);
                hash.finish().to_vec()
            }};
        }
        match self {
            Self::Sha256 => hashed!(Sha256),
            Self::Sha384 => hashed!(Sha384),
            Self::Sha512 => hashed!(Sha512),
        }
    }
}

/// A signature algorithm that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSA with PKCS #1 v1.5 padding.
    Rsa(Hash),
    /// ECDSA.
    Ecdsa(Hash),
}

impl SignatureAlgorithm {
    /// The algorithm of a `SignatureMethod`.
    ///
    /// # Errors
    /// [`SamlRefusal::Sha1Refused`] or [`SamlRefusal::AlgorithmRefused`].
    pub fn from_uri(uri: &str) -> Result<Self, SamlRefusal> {
        match uri.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#") {
            Some("rsa-sha256") => Ok(Self::Rsa(Hash::Sha256)),
            Some("rsa-sha384") => Ok(Self::Rsa(Hash::Sha384)),
            Some("rsa-sha512") => Ok(Self::Rsa(Hash::Sha512)),
            Some("ecdsa-sha256") => Ok(Self::Ecdsa(Hash::Sha256)),
            Some("ecdsa-sha384") => Ok(Self::Ecdsa(Hash::Sha384)),
            Some("ecdsa-sha512") => Ok(Self::Ecdsa(Hash::Sha512)),
            _ => Err(refused(uri)),
        }
    }

    /// A short name for the log, such as `rsa-sha256`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rsa(Hash::Sha256) => "rsa-sha256",
            Self::Rsa(Hash::Sha384) => "rsa-sha384",
            Self::Rsa(Hash::Sha512) => "rsa-sha512",
            Self::Ecdsa(Hash::Sha256) => "ecdsa-sha256",
            Self::Ecdsa(Hash::Sha384) => "ecdsa-sha384",
            Self::Ecdsa(Hash::Sha512) => "ecdsa-sha512",
        }
    }

    fn fits(self, key: KeyKind) -> bool {
        matches!((self, key), (Self::Rsa(_), KeyKind::Rsa(_)) | (Self::Ecdsa(_), KeyKind::Ec(_)))
    }

    fn hash(self) -> Hash {
        match self {
            Self::Rsa(hash) | Self::Ecdsa(hash) => hash,
        }
    }
}

fn refused(uri: &str) -> SamlRefusal {
    let algorithm = shown(uri);
    if uri.ends_with("sha1") {
        SamlRefusal::Sha1Refused { algorithm }
    } else {
        SamlRefusal::AlgorithmRefused { algorithm }
    }
}

/// What samael is told to let through: the same list again.
const ALLOWED: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];

/// An XML signature library, so that another can take samael's place.
pub trait SignatureVerifier: Send + Sync {
    /// Verifies the one signature in the document with one certificate (as DER) and returns the exact bytes that were
    /// digested.
    ///
    /// # Errors
    /// See [`VerifierError`].
    fn signed_bytes(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError>;
}

/// Why a library gives no bytes back; each holds a sentence for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifierError {
    /// It will not have this document.
    Refused(String),
    /// It cannot be asked now, whatever the document is.
    Unavailable(String),
}

/// samael over xmlsec. Blocks; to be called off the async threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct XmlsecVerifier;

impl SignatureVerifier for XmlsecVerifier {
    fn signed_bytes(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError> {
        let certificates = [CertificateDer::from(certificate.to_vec())];
        // samael has unwraps on its paths; one of them must not take the worker thread with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Crypto::reduce_xml_to_signed_with_allowed_algorithms(
                document,
                &certificates,
                ReduceMode::PreDigest,
                Some(&ALLOWED),
            )
        }));
        match outcome {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(VerifierError::Refused(error.to_string())),
            Err(_) => Err(VerifierError::Refused("the library failed on this document".to_owned())),
        }
    }
}

/// Which key of the IdP signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// SHA-256 fingerprint of the connection's certificate that verified the signature.
    pub fingerprint: String,
    /// The algorithm of the signature that is relied on.
    pub algorithm: SignatureAlgorithm,
}

/// A signature that is right by our own reckoning, with what the library is still to be asked about it. What it covers
/// may be read before the answer; nothing may come of it without.
#[derive(Debug)]
pub struct Question {
    document: String,
    certificate: Vec<u8>,
    bytes: String,
}

impl Question {
    /// The signed element alone, with its signature and without KeyInfo.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The certificate whose key signed, as DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The bytes that were signed, as we canonicalize them.
    pub(super) fn bytes(&self) -> &str {
        &self.bytes
    }

    /// Whether the library comes to the same bytes.
    ///
    /// # Errors
    /// [`SamlRefusal::VerifierRefused`], [`SamlRefusal::VerifierUnavailable`].
    pub(super) fn confirm(&self, answer: Result<String, VerifierError>) -> Result<(), SamlRefusal> {
        let refused = |problem: &str| SamlRefusal::VerifierRefused { problem: shown(problem) };
        match answer {
            Ok(bytes) if bytes == self.bytes => Ok(()),
            Ok(_) => Err(refused("the two canonicalizations came to different bytes")),
            Err(VerifierError::Refused(problem)) => Err(refused(&problem)),
            Err(VerifierError::Unavailable(problem)) => Err(SamlRefusal::VerifierUnavailable { problem }),
        }
    }
}

/// Verifies all signatures of a document that has the right structure, by our own reckoning, and tells whose key it was
/// and which bytes were signed: those of the assertion if it is signed, else those of the response.
///
/// The one that is relied on, by which everything is read afterwards, must be right by the library's too: that is the
/// question that comes back.
pub(super) fn verify(
    text: &str,
    doc: &Document<'_>,
    structure: &Structure,
    certificates: &[Certificate],
) -> Result<(Question, SignedBy), SamlRefusal> {
    if certificates.is_empty() {
        return Err(SamlRefusal::NoCertificates);
    }
    let signed_infos: Vec<(&SignatureParts, String)> = structure
        .signatures
        .iter()
        .map(|s| (s, c14n::exclusive(doc, s.signed_info, None, &borrowed(&s.signed_info_prefixes))))
        .collect();
    let made_all = |c: &&Certificate| signed_infos.iter().all(|(parts, info)| made_by(c, parts, info));
    let Some(certificate) = certificates.iter().find(made_all) else {
        return Err(SamlRefusal::SignatureMismatch {
            configured: certificates.iter().map(|c| c.fingerprint().to_owned()).collect(),
            presented: structure
                .signatures
                .iter()
                .find_map(|s| decode_base64(&doc.text(s.presented_certificate?)))
                .map(|der| fingerprint_of(&der)),
        });
    };
    let relied_on = structure.relied_on().ok_or(SamlRefusal::Unsigned)?;
    let mut signed = None;
    for parts in &structure.signatures {
        let bytes =
            c14n::exclusive(doc, parts.parent, Some(parts.element), &borrowed(&parts.reference_prefixes));
        if parts.digest.of(bytes.as_bytes()) != parts.digest_value {
            let element = doc.element(parts.parent).local.to_owned();
            return Err(SamlRefusal::ContentAltered { element });
        }
        if parts.element == relied_on.element {
            signed = Some(bytes);
        }
    }
    let question = Question {
        document: doc.standalone(text, relied_on.parent, relied_on.key_info),
        certificate: certificate.der().to_vec(),
        bytes: signed.ok_or(SamlRefusal::Unsigned)?,
    };
    let signed_by =
        SignedBy { fingerprint: certificate.fingerprint().to_owned(), algorithm: relied_on.algorithm };
    Ok((question, signed_by))
}

/// As [`verify`], with the library asked at once: the bytes that were signed, and whose key it was. Blocks.
pub(super) fn verify_with(
    verifier: &dyn SignatureVerifier,
    text: &str,
    doc: &Document<'_>,
    structure: &Structure,
    certificates: &[Certificate],
) -> Result<(String, SignedBy), SamlRefusal> {
    let (question, signed_by) = verify(text, doc, structure, certificates)?;
    question.confirm(verifier.signed_bytes(question.document(), question.certificate()))?;
    Ok((question.bytes, signed_by))
}

fn borrowed(prefixes: &[String]) -> Vec<&str> {
    prefixes.iter().map(String::as_str).collect()
}

/// Whether the certificate's key made this signature over this canonical SignedInfo.
fn made_by(certificate: &Certificate, parts: &SignatureParts, signed_info: &str) -> bool {
    is_made_by(certificate, parts.algorithm, &parts.signature_value, signed_info.as_bytes(), false)
}

/// Whether the certificate's key made this signature over these bytes. `or_der`: whether one by ECDSA may also stand in
/// DER, as some write it in queries.
pub(super) fn is_made_by(
    certificate: &Certificate,
    algorithm: SignatureAlgorithm,
    value: &[u8],
    signed: &[u8],
    or_der: bool,
) -> bool {
    if !algorithm.fits(certificate.key_kind()) {
        return false;
    }
    let check = || -> Result<bool, ErrorStack> {
        let signature = match certificate.key_kind() {
            KeyKind::Rsa(_) => value.to_vec(),
            KeyKind::Ec(bits) => {
                // XML signatures carry r and s side by side (RFC 4050), OpenSSL wants DER.
                let half = bits.div_ceil(8) as usize;
                if value.len() != 2 * half {
                    return if or_der {
                        verify_digest(certificate, algorithm, value, signed)
                    } else {
                        Ok(false)
                    };
                }
                let (r, s) = value.split_at(half);
                EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()?
            }
        };
        verify_digest(certificate, algorithm, &signature, signed)
    };
    check().unwrap_or(false)
}

/// The same of a signature in OpenSSL's form.
fn verify_digest(
    certificate: &Certificate,
    algorithm: SignatureAlgorithm,
    signature: &[u8],
    signed: &[u8],
) -> Result<bool, ErrorStack> {
    let hash = algorithm.hash();
    let mut context = PkeyCtx::new(certificate.public_key())?;
    context.verify_init()?;
    context.set_signature_md(hash.md())?;
    if matches!(certificate.key_kind(), KeyKind::Rsa(_)) {
        context.set_rsa_padding(Padding::PKCS1)?;
    }
    context.verify(&hash.of(signed), signature)
}
