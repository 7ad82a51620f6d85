//! Encrypts assertions as IdPs do (XML Encryption 1.1), right by default and wrong on demand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};
use openssl::x509::X509;

use super::key::SigningKey;
use super::response::ResponseSpec;
use super::signer::{Placement, SignError, Signing};

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// How to encrypt. The defaults are right; the rest is for what IdPs do otherwise, and for forgeries.
#[derive(Debug, Clone)]
pub struct Encrypting {
    /// The content algorithm's URI. It decides cipher and key length; what is unknown is encrypted by AES-256-CBC.
    pub content: String,
    /// The key transport's URI.
    pub transport: String,
    /// The digest method's URI, SHA-1 if none.
    pub digest: Option<String>,
    /// The mask generation function's URI, SHA-1 if none.
    pub mask: Option<String>,
    /// Whether the EncryptedKey stands beside the EncryptedData, with a RetrievalMethod that points at it.
    pub beside: bool,
    /// The recipient's certificate in the EncryptedKey's KeyInfo.
    pub names_recipient: bool,
    /// XML instead of the data's CipherValue.
    pub cipher_data: Option<String>,
}

impl Default for Encrypting {
    fn default() -> Self {
        Self {
            content: format!("{XENC11}aes256-gcm"),
            transport: format!("{XENC}rsa-oaep-mgf1p"),
            digest: None,
            mask: None,
            beside: false,
            names_recipient: true,
            cipher_data: None,
        }
    }
}

/// The hash that an algorithm's URI ends with; SHA-1 for what is unknown.
fn md(uri: Option<&String>) -> &'static MdRef {
    match uri.map_or("", String::as_str) {
        uri if uri.ends_with("sha256") => Md::sha256(),
        uri if uri.ends_with("sha384") => Md::sha384(),
        uri if uri.ends_with("sha512") => Md::sha512(),
        _ => Md::sha1(),
    }
}

fn method(name: &str, uri: Option<&String>) -> String {
    uri.map(|uri| format!("<{name} Algorithm=\"{uri}\"/>")).unwrap_or_default()
}

impl Encrypting {
    /// With this content algorithm.
    pub fn content(uri: &str) -> Self {
        Self { content: uri.to_owned(), ..Self::default() }
    }

    /// Writes a response whose assertion is encrypted to the certificate (DER): the assertion is signed before and the
    /// response afterwards, as the placement says.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn respond(
        &self,
        spec: &ResponseSpec,
        signing: &Signing,
        key: &SigningKey,
        recipient: &[u8],
    ) -> Result<String, SignError> {
        let mut xml = spec.to_xml();
        if matches!(signing.placement, Placement::Assertion | Placement::Both) {
            xml = signing.sign(&xml, &spec.assertion_id, key)?;
        }
        let (start, end) = ("<saml:Assertion", "</saml:Assertion>");
        let from = xml.find(start).unwrap_or_default();
        let to = xml.rfind(end).map_or(xml.len(), |at| at + end.len());
        let encrypted = self.encrypt(&xml.as_bytes()[from..to], recipient)?;
        xml.replace_range(from..to, &encrypted);
        if matches!(signing.placement, Placement::Response | Placement::Both) {
            xml = signing.sign(&xml, &spec.response_id, key)?;
        }
        Ok(xml)
    }

    /// An EncryptedAssertion with these bytes in it.
    ///
    /// # Errors
    /// OpenSSL's, which are not expected.
    pub fn encrypt(&self, plain: &[u8], recipient: &[u8]) -> Result<String, ErrorStack> {
        let (cipher, is_gcm) = match self.content.rsplit('#').next().unwrap_or_default() {
            "aes128-cbc" => (Cipher::aes_128_cbc(), false),
            "aes192-cbc" => (Cipher::aes_192_cbc(), false),
            "aes128-gcm" => (Cipher::aes_128_gcm(), true),
            "aes192-gcm" => (Cipher::aes_192_gcm(), true),
            "aes256-gcm" => (Cipher::aes_256_gcm(), true),
            _ => (Cipher::aes_256_cbc(), false),
        };
        let mut key = vec![0; cipher.key_len()];
        rand_bytes(&mut key)?;
        let bytes = if is_gcm { gcm(cipher, &key, plain)? } else { cbc(cipher, &key, plain)? };
        let value = self
            .cipher_data
            .clone()
            .unwrap_or_else(|| format!("<xenc:CipherValue>{}</xenc:CipherValue>", STANDARD.encode(bytes)));
        let wrapped = self.encrypted_key(&key, recipient)?;
        let (inside, beside) = if self.beside {
            let pointer = format!("<ds:RetrievalMethod Type=\"{XENC}EncryptedKey\" URI=\"#_key1\"/>");
            (pointer, wrapped)
        } else {
            (wrapped, String::new())
        };
        Ok(format!(
            "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">\
             <xenc:EncryptedData xmlns:xenc=\"{XENC}\" xmlns:ds=\"{DSIG}\" Type=\"{XENC}Element\">\
             <xenc:EncryptionMethod Algorithm=\"{}\"/><ds:KeyInfo>{inside}</ds:KeyInfo>\
             <xenc:CipherData>{value}</xenc:CipherData></xenc:EncryptedData>{beside}</saml:EncryptedAssertion>",
            self.content,
        ))
    }

    fn encrypted_key(&self, key: &[u8], recipient: &[u8]) -> Result<String, ErrorStack> {
        let certificate = X509::from_der(recipient)?;
        let public = certificate.public_key()?;
        let mut context = PkeyCtx::new(&public)?;
        context.encrypt_init()?;
        if self.transport.ends_with("rsa-1_5") {
            context.set_rsa_padding(Padding::PKCS1)?;
        } else {
            context.set_rsa_padding(Padding::PKCS1_OAEP)?;
            context.set_rsa_oaep_md(md(self.digest.as_ref()))?;
            context.set_rsa_mgf1_md(md(self.mask.as_ref()))?;
        }
        let mut wrapped = Vec::new();
        context.encrypt_to_vec(key, &mut wrapped)?;
        let named = if self.names_recipient {
            format!(
                "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
                STANDARD.encode(recipient)
            )
        } else {
            String::new()
        };
        Ok(format!(
            "<xenc:EncryptedKey xmlns:xenc=\"{XENC}\" xmlns:ds=\"{DSIG}\" Id=\"_key1\">\
             <xenc:EncryptionMethod Algorithm=\"{}\">{}{}</xenc:EncryptionMethod>{named}\
             <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>",
            self.transport,
            method("ds:DigestMethod", self.digest.as_ref()),
            method(&format!("xenc11:MGF xmlns:xenc11=\"{XENC11}\""), self.mask.as_ref()),
            STANDARD.encode(wrapped),
        ))
    }
}

/// Nonce, ciphertext, tag (section 5.2.4).
fn gcm(cipher: Cipher, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (mut nonce, mut tag) = ([0; 12], [0; 16]);
    rand_bytes(&mut nonce)?;
    let body = encrypt_aead(cipher, key, Some(&nonce), &[], plain, &mut tag)?;
    Ok([&nonce[..], &body, &tag].concat())
}

/// IV, then ciphertext whose last byte counts the padding (section 5.2).
fn cbc(cipher: Cipher, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    const BLOCK: usize = 16;
    let mut iv = [0; BLOCK];
    rand_bytes(&mut iv)?;
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    // What fills the last block is anything at all.
    padded.extend((1..padding).map(|_| b'?'));
    padded.push(u8::try_from(padding).unwrap_or_default());
    let mut crypter = Crypter::new(cipher, Mode::Encrypt, key, Some(&iv))?;
    crypter.pad(false);
    let mut body = vec![0; padded.len() + BLOCK];
    let mut length = crypter.update(&padded, &mut body)?;
    length += crypter.finalize(&mut body[length..])?;
    body.truncate(length);
    Ok([&iv[..], &body].concat())
}
