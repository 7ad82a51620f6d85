//! The demo IdP's key and self-signed certificate, made anew at each start and kept in memory only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::{X509, X509NameBuilder};
use time::OffsetDateTime;

/// What kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA with 2048 bits.
    Rsa2048,
    /// The curve P-256.
    EcP256,
    /// The curve P-384.
    EcP384,
    /// The curve P-521.
    EcP521,
}

/// A private key with a self-signed certificate. Cheap to clone; prints nothing of the key.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    certificate: X509,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Makes a key and a certificate for it that is valid from a day before `now` for three years.
    ///
    /// # Errors
    /// OpenSSL's, which are not expected.
    pub fn generate(kind: KeyType, common_name: &str, now: OffsetDateTime) -> Result<Self, ErrorStack> {
        const DAY: i64 = 86_400;
        let on_curve = |curve| -> Result<PKey<Private>, ErrorStack> {
            let group = EcGroup::from_curve_name(curve)?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        };
        let key = match kind {
            KeyType::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
            KeyType::EcP256 => on_curve(Nid::X9_62_PRIME256V1)?,
            KeyType::EcP384 => on_curve(Nid::SECP384R1)?,
            KeyType::EcP521 => on_curve(Nid::SECP521R1)?,
        };
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_text("CN", common_name)?;
        let name = name.build();
        let mut serial = BigNum::new()?;
        serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
        let serial = serial.to_asn1_integer()?;
        let from = Asn1Time::from_unix(now.unix_timestamp().saturating_sub(DAY))?;
        let until = Asn1Time::from_unix(now.unix_timestamp().saturating_add(3 * 365 * DAY))?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { key, certificate: builder.build() })
    }

    /// Whether it is an elliptic curve key.
    pub fn is_ec(&self) -> bool {
        self.key.id() == Id::EC
    }

    /// The certificate in DER.
    ///
    /// # Errors
    /// OpenSSL's, which are not expected.
    pub fn certificate_der(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_der()
    }

    /// The certificate in base64, as it stands in metadata and KeyInfo.
    ///
    /// # Errors
    /// OpenSSL's, which are not expected.
    pub fn certificate_base64(&self) -> Result<String, ErrorStack> {
        Ok(STANDARD.encode(self.certificate_der()?))
    }

    /// Signs as XML signatures want it: PKCS #1 v1.5 for RSA, r and s side by side for ECDSA.
    ///
    /// # Errors
    /// OpenSSL's, which are not expected.
    pub fn sign(&self, digest: MessageDigest, bytes: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(digest, &self.key)?;
        let signature = signer.sign_oneshot_to_vec(bytes)?;
        if !self.is_ec() {
            return Ok(signature);
        }
        let parsed = EcdsaSig::from_der(&signature)?;
        let half = i32::try_from(self.key.bits().div_ceil(8)).unwrap_or(i32::MAX);
        let mut out = parsed.r().to_vec_padded(half)?;
        out.extend(parsed.s().to_vec_padded(half)?);
        Ok(out)
    }

    /// The private key in DER, for other signers.
    #[cfg(test)]
    pub(super) fn private_der(&self) -> Vec<u8> {
        self.key.private_key_to_der().unwrap()
    }

    /// The private key in PKCS #8 form, as decryption keys are stored.
    #[cfg(test)]
    pub(super) fn private_pkcs8(&self) -> Vec<u8> {
        self.key.private_key_to_pkcs8().unwrap()
    }
}
