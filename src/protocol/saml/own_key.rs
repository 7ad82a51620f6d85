//! Our own keys at a connection: RSA keys with a certificate that each signs itself, because SAML hands keys out that
//! way. IdPs look at the public key alone; some refuse a certificate past its date, so ours are valid for years.

use std::fmt;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509NameBuilder};
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::certificate::{Certificate, CertificateError};

/// How long a certificate of ours is valid.
pub const LIFETIME: Duration = Duration::days(5 * 365);
/// The algorithm that requests are signed with.
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// A new key of ours.
pub struct OwnKey {
    /// What is handed out.
    pub certificate: Certificate,
    /// The private part in PKCS #8 form.
    pub private: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKey").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Why no key could be made. Not expected.
#[derive(Debug, Error)]
pub enum OwnKeyError {
    /// OpenSSL failed.
    #[error("OpenSSL failed: {0}")]
    Openssl(#[from] ErrorStack),
    /// The certificate that was made cannot be read again.
    #[error("the new certificate cannot be read: {0}")]
    Certificate(#[from] CertificateError),
}

/// Makes an RSA key with so many bits. Takes 50 to 150 ms of CPU with 2048 bits: call it off the async threads.
///
/// # Errors
/// [`OwnKeyError`].
pub fn generate(bits: u32, common_name: &str, now: OffsetDateTime) -> Result<OwnKey, OwnKeyError> {
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", common_name)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    // A clock that is a little behind ours shall not find it from the future.
    let from = Asn1Time::from_unix(now.saturating_sub(Duration::DAY).unix_timestamp())?;
    let until = Asn1Time::from_unix(now.saturating_add(LIFETIME).unix_timestamp())?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().key_encipherment().build()?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(OwnKey {
        certificate: Certificate::from_der(&builder.build().to_der()?)?,
        private: Zeroizing::new(key.private_key_to_pkcs8()?),
    })
}

/// The private key that requests are signed with. Cheap to clone; prints nothing of itself.
#[derive(Clone)]
pub struct RequestKey(PKey<Private>);

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestKey(…)")
    }
}

impl RequestKey {
    /// Reads an RSA key in PKCS #8 form.
    ///
    /// # Errors
    /// OpenSSL's, for bytes that are no RSA key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, ErrorStack> {
        let key = PKey::private_key_from_pkcs8(der)?;
        key.rsa()?;
        Ok(Self(key))
    }

    /// Signs by [`RSA_SHA256`].
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        Signer::new(MessageDigest::sha256(), &self.0)?.sign_oneshot_to_vec(bytes)
    }
}
