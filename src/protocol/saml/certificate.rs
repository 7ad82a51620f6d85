//! The certificates that identity providers sign with: read from what administrators paste, judged, shown.
//!
//! A certificate here is only a carrier of a public key with dates to warn about. Chains are not looked at and
//! a date that has passed does not stop verification (IdPs sign with self-signed certificates for years); weak
//! keys are refused at the door.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::X509;
use thiserror::Error;
use time::{Duration, OffsetDateTime};

/// More than this in one paste is a mistake, not a rollover.
const MOST_IN_ONE_TEXT: usize = 16;

/// Why a text or key was not taken as a signing certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Neither PEM nor base64.
    #[error(
        "no certificate was found: paste the X.509 certificate in PEM or base64 form, without other text"
    )]
    NoneFound,
    /// A PEM block of another kind.
    #[error("a {0} was pasted where a CERTIFICATE belongs; only the IdP's public certificate is needed here")]
    WrongKind(String),
    /// The bytes are not a certificate.
    #[error("the text is not a valid X.509 certificate; it may be cut off")]
    Invalid,
    /// Too many at once.
    #[error("more than 16 certificates in one text")]
    TooMany,
    /// RSA below 2048 bits.
    #[error(
        "the certificate's RSA key has {0} bits; at least 2048 are needed: create a new signing certificate at the IdP"
    )]
    WeakRsa(u32),
    /// Any other kind of key.
    #[error(
        "the certificate's key is of a kind that is not supported; RSA (2048 bits or more) and EC P-256, P-384 and P-521 are"
    )]
    UnsupportedKey,
}

/// The kind of key in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with this many bits.
    Rsa(u32),
    /// An elliptic curve whose field has this many bits: 256, 384 or 521.
    Ec(u32),
}

struct Inner {
    der: Vec<u8>,
    fingerprint: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    subject: String,
    kind: KeyKind,
    key: PKey<Public>,
}

/// A signing certificate with a key strong enough to be used. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.0.subject)
            .field("fingerprint", &self.0.fingerprint)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads one certificate from DER, and nothing behind it.
    ///
    /// # Errors
    /// [`CertificateError::Invalid`], [`CertificateError::WeakRsa`], [`CertificateError::UnsupportedKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let invalid = |_| CertificateError::Invalid;
        let x509 = X509::from_der(der).map_err(invalid)?;
        if x509.to_der().map_err(invalid)? != der {
            return Err(CertificateError::Invalid);
        }
        let key = x509.public_key().map_err(|_| CertificateError::UnsupportedKey)?;
        let kind = match key.id() {
            Id::RSA if key.bits() < 2048 => return Err(CertificateError::WeakRsa(key.bits())),
            // Larger keys would only buy an attacker our time.
            Id::RSA if key.bits() <= 8192 => KeyKind::Rsa(key.bits()),
            Id::EC => {
                let ec = key.ec_key().map_err(|_| CertificateError::UnsupportedKey)?;
                match ec.group().curve_name() {
                    Some(Nid::X9_62_PRIME256V1) => KeyKind::Ec(256),
                    Some(Nid::SECP384R1) => KeyKind::Ec(384),
                    Some(Nid::SECP521R1) => KeyKind::Ec(521),
                    _ => return Err(CertificateError::UnsupportedKey),
                }
            }
            _ => return Err(CertificateError::UnsupportedKey),
        };
        let subject = x509
            .subject_name()
            .entries()
            .filter_map(|entry| entry.data().to_string().ok())
            .collect::<Vec<_>>()
            .join(", ");
        Ok(Self(Arc::new(Inner {
            der: der.to_vec(),
            fingerprint: fingerprint_of(der),
            not_before: instant(x509.not_before()).ok_or(CertificateError::Invalid)?,
            not_after: instant(x509.not_after()).ok_or(CertificateError::Invalid)?,
            subject,
            kind,
            key,
        })))
    }

    /// Reads one base64 DER certificate as it stands in metadata (line breaks allowed).
    ///
    /// # Errors
    /// As [`Certificate::from_der`], and [`CertificateError::NoneFound`] if it is not base64.
    pub fn from_base64(text: &str) -> Result<Self, CertificateError> {
        Self::from_der(&decode_base64(text).ok_or(CertificateError::NoneFound)?)
    }

    /// Reads all certificates from pasted text: one or more PEM blocks, or the bare base64 of one certificate.
    /// Copies of the same certificate are returned once.
    ///
    /// # Errors
    /// The first thing that is wrong; never an empty list.
    pub fn parse_text(text: &str) -> Result<Vec<Self>, CertificateError> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = text.trim_start_matches('\u{FEFF}');
        if !rest.contains("-----BEGIN ") {
            return Ok(vec![Self::from_base64(rest)?]);
        }
        while let Some(start) = rest.find("-----BEGIN ") {
            rest = &rest[start + "-----BEGIN ".len()..];
            let (kind, body) = rest.split_once("-----").ok_or(CertificateError::Invalid)?;
            if !matches!(kind, "CERTIFICATE" | "X509 CERTIFICATE") {
                return Err(CertificateError::WrongKind(kind.chars().take(40).collect()));
            }
            let (body, after) = body.split_once("-----END ").ok_or(CertificateError::Invalid)?;
            let certificate = Self::from_der(&decode_base64(body).ok_or(CertificateError::Invalid)?)?;
            if !found.contains(&certificate) {
                found.push(certificate);
            }
            if found.len() > MOST_IN_ONE_TEXT {
                return Err(CertificateError::TooMany);
            }
            rest = after;
        }
        Ok(found)
    }

    /// The certificate's bytes, for storing.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in PEM form.
    pub fn to_pem(&self) -> String {
        let body = STANDARD.encode(&self.0.der);
        let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(64) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out.push_str("-----END CERTIFICATE-----\n");
        out
    }

    /// SHA-256 over the bytes, as upper-case hexadecimal pairs with colons, as IdP consoles show it.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// From when on it is meant to be used.
    pub fn not_before(&self) -> OffsetDateTime {
        self.0.not_before
    }

    /// Until when it is meant to be used.
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.not_after
    }

    /// The subject's values, for showing.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The kind and size of its key.
    pub fn key_kind(&self) -> KeyKind {
        self.0.kind
    }

    /// How long it is still meant to be used; negative once that has passed.
    pub fn remaining(&self, now: OffsetDateTime) -> Duration {
        self.0.not_after - now
    }

    pub(super) fn public_key(&self) -> &PKey<Public> {
        &self.0.key
    }
}

/// SHA-256 of DER bytes in the form that consoles show: `AB:CD:…`.
pub fn fingerprint_of(der: &[u8]) -> String {
    let digest = hash(MessageDigest::sha256(), der);
    let mut out = String::with_capacity(95);
    for byte in digest.iter().flat_map(|d| d.iter()) {
        if !out.is_empty() {
            out.push(':');
        }
        let _ = write!(out, "{byte:02X}");
    }
    out
}

pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let decoded = if text.bytes().any(|b| b.is_ascii_whitespace()) {
        STANDARD.decode(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<u8>>())
    } else {
        STANDARD.decode(text)
    };
    decoded.ok().filter(|bytes| !bytes.is_empty())
}

fn instant(time: &Asn1TimeRef) -> Option<OffsetDateTime> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let difference = epoch.diff(time).ok()?;
    let seconds = i64::from(difference.days) * 86_400 + i64::from(difference.secs);
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::x509::X509NameBuilder;

    use super::*;

    fn certificate(key: &PKey<Private>) -> Vec<u8> {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "idp.example").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(1_700_000_000).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(1_800_000_001).unwrap()).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build().to_der().unwrap()
    }

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
    }

    fn ec(curve: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    #[test]
    fn reads_pem_bare_base64_and_several_at_once() {
        let one = Certificate::from_der(&certificate(&rsa(2048))).unwrap();
        let two = Certificate::from_der(&certificate(&ec(Nid::X9_62_PRIME256V1))).unwrap();
        assert_eq!(one.key_kind(), KeyKind::Rsa(2048));
        assert_eq!(two.key_kind(), KeyKind::Ec(256));
        assert_eq!(one.not_before().unix_timestamp(), 1_700_000_000);
        assert_eq!(one.not_after().unix_timestamp(), 1_800_000_001);
        assert_eq!(one.subject(), "idp.example");
        assert_eq!(one.fingerprint().len(), 95);
        let pasted = format!("From your IdP:\r\n{}\n{}{}", one.to_pem(), two.to_pem(), one.to_pem());
        assert_eq!(Certificate::parse_text(&pasted).unwrap(), [one.clone(), two]);
        let bare = format!("  {}\n", STANDARD.encode(one.der()));
        assert_eq!(Certificate::parse_text(&bare).unwrap(), [one]);
    }

    #[test]
    fn refuses_weak_keys_other_blocks_and_rubbish() {
        let weak = certificate(&rsa(1024));
        assert_eq!(Certificate::from_der(&weak), Err(CertificateError::WeakRsa(1024)));
        let odd = certificate(&ec(Nid::SECP256K1));
        assert_eq!(Certificate::from_der(&odd), Err(CertificateError::UnsupportedKey));
        let mut longer = certificate(&ec(Nid::SECP384R1));
        assert!(Certificate::from_der(&longer).is_ok());
        longer.push(0);
        assert_eq!(Certificate::from_der(&longer), Err(CertificateError::Invalid));
        let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        assert!(matches!(Certificate::parse_text(private), Err(CertificateError::WrongKind(_))));
        for rubbish in
            ["", "hello world", "-----BEGIN CERTIFICATE-----\nAAAA", "https://idp.example/metadata"]
        {
            assert!(Certificate::parse_text(rubbish).is_err(), "{rubbish}");
        }
    }
}
