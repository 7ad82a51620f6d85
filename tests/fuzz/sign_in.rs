//! A sign-in under way, for the targets of the SAML engine: a known IdP, a key of ours, and a library for signatures that
//! is never asked, since nothing that is fuzzed has a right signature.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::protocol::saml::own_key::{self, OwnKey};
use crate::protocol::saml::signature::{SignatureVerifier, VerifierError};
use crate::protocol::saml::{DecryptionKey, Expectations};

/// The time of the sign-in.
pub const NOW: OffsetDateTime = datetime!(2026-11-23 12:00:00 UTC);
const CONTENT_KEY: [u8; 32] = [7; 32];

static OURS: LazyLock<OwnKey> = LazyLock::new(|| own_key::generate(2048, "gate", NOW).unwrap());
static THEIRS: LazyLock<OwnKey> = LazyLock::new(|| own_key::generate(2048, "idp", NOW).unwrap());
static WRAPPED: LazyLock<String> = LazyLock::new(|| {
    let key: PKey<Private> = PKey::private_key_from_pkcs8(&OURS.private).unwrap();
    let mut context = PkeyCtx::new(&key).unwrap();
    context.encrypt_init().unwrap();
    context.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    context.set_rsa_oaep_md(Md::sha1()).unwrap();
    let mut wrapped = Vec::new();
    context.encrypt_to_vec(&CONTENT_KEY, &mut wrapped).unwrap();
    STANDARD.encode(wrapped)
});
static EXPECTED: LazyLock<Expectations> = LazyLock::new(|| Expectations {
    idp_entity_id: "https://idp.example".to_owned(),
    sp_entity_id: "https://gate.example".to_owned(),
    acs_url: "https://gate.example/acs".to_owned(),
    certificates: vec![THEIRS.certificate.clone()],
    decryption_keys: Arc::from([DecryptionKey::from_pkcs8(&OURS.private, &OURS.certificate).unwrap()]),
    require_encryption: false,
    authn_contexts: Arc::default(),
    request_id: Some("_request".to_owned()),
    clock_skew: Expectations::USUAL_SKEW,
});

/// What the response must match.
pub fn expected() -> &'static Expectations {
    &EXPECTED
}

/// The form value of a text.
pub fn form(text: &str) -> Vec<u8> {
    STANDARD.encode(text).into_bytes()
}

/// Fails if it is asked.
pub struct Unreachable;

impl SignatureVerifier for Unreachable {
    fn signed_bytes(&self, document: &str, _: &[u8]) -> Result<String, VerifierError> {
        panic!("a signature was taken for right: {document}");
    }
}

/// How the content is encrypted.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    Cbc,
    Gcm,
}

impl Content {
    /// The bytes encrypted under the key that [`encrypted`] wraps.
    pub fn seal(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Gcm => {
                let (nonce, mut tag) = ([1; 12], [0; 16]);
                let body =
                    encrypt_aead(Cipher::aes_256_gcm(), &CONTENT_KEY, Some(&nonce), &[], plain, &mut tag)
                        .unwrap();
                [&nonce[..], &body, &tag].concat()
            }
            Self::Cbc => {
                let (iv, padding) = ([1; 16], 16 - plain.len() % 16);
                let mut padded = plain.to_vec();
                padded.resize(plain.len() + padding, u8::try_from(padding).unwrap());
                let mut crypter =
                    Crypter::new(Cipher::aes_256_cbc(), Mode::Encrypt, &CONTENT_KEY, Some(&iv)).unwrap();
                crypter.pad(false);
                let mut body = vec![0; padded.len() + 16];
                let length = crypter.update(&padded, &mut body).unwrap();
                body.truncate(length);
                [&iv[..], &body].concat()
            }
        }
    }
}

/// An unsigned response with these bytes as an encrypted assertion.
pub fn encrypted(content: Content, bytes: &[u8]) -> String {
    const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
    let algorithm = match content {
        Content::Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        Content::Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    };
    format!(
        "<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"_r\" Version=\"2.0\" InResponseTo=\"_request\"><p:Status><p:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></p:Status><a:EncryptedAssertion>\
         <e:EncryptedData xmlns:e=\"{XENC}\"><e:EncryptionMethod Algorithm=\"{algorithm}\"/>\
         <d:KeyInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><e:EncryptedKey><e:EncryptionMethod \
         Algorithm=\"{XENC}rsa-oaep-mgf1p\"/><e:CipherData><e:CipherValue>{}</e:CipherValue></e:CipherData>\
         </e:EncryptedKey></d:KeyInfo><e:CipherData><e:CipherValue>{}</e:CipherValue></e:CipherData>\
         </e:EncryptedData></a:EncryptedAssertion></p:Response>",
        *WRAPPED,
        STANDARD.encode(bytes),
    )
}
