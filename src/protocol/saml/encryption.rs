//! Encrypted assertions, decrypted by us with OpenSSL (XML Encryption 1.1, <https://www.w3.org/TR/xmlenc-core1/>).
//!
//! Taken: AES with 128, 192 or 256 bits in CBC or GCM mode, its key wrapped for one of our RSA keys by OAEP with the
//! digest and mask that the document states. Not taken: PKCS #1 v1.5, triple DES, and whatever names a place elsewhere.
//! What the public part says of algorithms is told; whatever fails once a private key was used is one refusal, so that
//! nobody learns from us what a changed ciphertext decrypts to.

use std::fmt::{self, Write as _};

use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, decrypt_aead};

use super::certificate::{Certificate, decode_base64, fingerprint_of};
use super::refusal::{SamlRefusal, shown};
use super::scan::{Rules, ScanProblem, scan};
use super::xml::{Document, ElementId, Node, escape, ns};

/// What an encrypted element says it was, if it says so.
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
const ENCRYPTED_KEY: &str = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";
const BLOCK: usize = 16;
const GCM_NONCE: usize = 12;
const TAG: usize = 16;

/// A private key that assertions are encrypted to. Cheap to clone; prints nothing of itself.
#[derive(Clone)]
pub struct DecryptionKey {
    key: PKey<Private>,
    fingerprint: String,
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey(…)")
    }
}

impl DecryptionKey {
    /// Reads an RSA key in PKCS #8 form; `certificate` is what its public part is handed out in.
    ///
    /// # Errors
    /// OpenSSL's, for bytes that are no RSA key.
    pub fn from_pkcs8(der: &[u8], certificate: &Certificate) -> Result<Self, ErrorStack> {
        let key = PKey::private_key_from_pkcs8(der)?;
        key.rsa()?;
        Ok(Self { key, fingerprint: certificate.fingerprint().to_owned() })
    }

    /// The bytes that this key unwraps, if it does.
    fn unwrap(&self, transport: &Transport, wrapped: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        debug_assert_eq!(self.key.id(), Id::RSA);
        let mut context = PkeyCtx::new(&self.key)?;
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(transport.digest)?;
        context.set_rsa_mgf1_md(transport.mask)?;
        if !transport.label.is_empty() {
            context.set_rsa_oaep_label(&transport.label)?;
        }
        let mut key = Vec::new();
        context.decrypt_to_vec(wrapped, &mut key)?;
        Ok(key)
    }
}

/// How the content is encrypted.
#[derive(Clone, Copy)]
enum Content {
    Cbc(Cipher),
    Gcm(Cipher),
}

/// The content's algorithms: URI, cipher. Section 5.2.
pub(super) const CONTENT_ALGORITHMS: [&str; 6] = [
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes192-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
];

/// The ways a key may be wrapped. Section 5.5.2.
pub(super) const KEY_TRANSPORTS: [&str; 2] = [OAEP_MGF1P, OAEP];

impl Content {
    fn from_uri(uri: &str) -> Option<Self> {
        let at = CONTENT_ALGORITHMS.iter().position(|known| *known == uri)?;
        Some(match at {
            0 => Self::Gcm(Cipher::aes_256_gcm()),
            1 => Self::Gcm(Cipher::aes_192_gcm()),
            2 => Self::Gcm(Cipher::aes_128_gcm()),
            3 => Self::Cbc(Cipher::aes_256_cbc()),
            4 => Self::Cbc(Cipher::aes_192_cbc()),
            _ => Self::Cbc(Cipher::aes_128_cbc()),
        })
    }

    fn key_length(self) -> usize {
        match self {
            Self::Cbc(cipher) | Self::Gcm(cipher) => cipher.key_len(),
        }
    }

    /// The plaintext; none for wrong lengths, padding or tag.
    fn open(self, key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Gcm(cipher) => {
                let (nonce, rest) = bytes.split_at_checked(GCM_NONCE)?;
                let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
                decrypt_aead(cipher, key, Some(nonce), &[], body, tag).ok()
            }
            Self::Cbc(cipher) => {
                let (iv, body) = bytes.split_at_checked(BLOCK)?;
                if body.is_empty() || body.len() % BLOCK != 0 {
                    return None;
                }
                let mut crypter = Crypter::new(cipher, Mode::Decrypt, key, Some(iv)).ok()?;
                // The last byte counts the padding and the others are anything, which OpenSSL's own padding is not.
                crypter.pad(false);
                let mut plain = vec![0; body.len() + BLOCK];
                let mut length = crypter.update(body, &mut plain).ok()?;
                length += crypter.finalize(&mut plain[length..]).ok()?;
                let padding = usize::from(*plain[..length].last()?);
                if !(1..=BLOCK).contains(&padding) {
                    return None;
                }
                plain.truncate(length.checked_sub(padding)?);
                Some(plain)
            }
        }
    }
}

/// How the content's key is wrapped.
struct Transport {
    digest: &'static MdRef,
    mask: &'static MdRef,
    label: Vec<u8>,
}

/// An encrypted element taken apart; nothing of it has been decrypted.
struct Encrypted {
    content: Content,
    bytes: Vec<u8>,
    transport: Transport,
    wrapped: Vec<u8>,
    /// The fingerprint of the certificate that the document says it is encrypted to.
    recipient: Option<String>,
}

fn wrong<T>(problem: impl Into<String>) -> Result<T, SamlRefusal> {
    Err(SamlRefusal::EncryptionStructure { problem: problem.into() })
}

fn refused<T>(uri: &str) -> Result<T, SamlRefusal> {
    Err(SamlRefusal::EncryptionAlgorithmRefused { algorithm: shown(uri) })
}

/// Decrypts an `EncryptedAssertion` and gives what was in it as a document of its own, which the strict scan takes. It
/// may still be anything but an assertion.
///
/// # Errors
/// [`SamlRefusal::EncryptionStructure`] and [`SamlRefusal::EncryptionAlgorithmRefused`] by the public part;
/// [`SamlRefusal::NoEncryptionKey`]; else [`SamlRefusal::DecryptionFailed`].
pub(super) fn decrypt(
    doc: &Document<'_>,
    encrypted_assertion: ElementId,
    keys: &[DecryptionKey],
) -> Result<String, SamlRefusal> {
    let encrypted = take_apart(doc, encrypted_assertion)?;
    if keys.is_empty() {
        return Err(SamlRefusal::NoEncryptionKey);
    }
    let length = encrypted.content.key_length();
    let unwrapped = keys
        .iter()
        .filter_map(|key| key.unwrap(&encrypted.transport, &encrypted.wrapped).ok())
        .find(|key| key.len() == length);
    // Without a key the same work is done with one that is of no use, so that the time tells nothing.
    let is_ours = unwrapped.is_some();
    let key = unwrapped.unwrap_or_else(|| vec![0; length]);
    let plain = encrypted.content.open(&key, &encrypted.bytes);
    plain
        .filter(|_| is_ours)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| as_document(doc, encrypted_assertion, text))
        .ok_or_else(|| SamlRefusal::DecryptionFailed {
            other_key: encrypted.recipient.filter(|print| keys.iter().all(|key| key.fingerprint != *print)),
            inside: None,
        })
}

/// The plaintext as a document. Some IdPs leave namespaces of the elements around it undeclared in it: those are
/// declared, as if the element stood where it was encrypted (section 4.4).
fn as_document(doc: &Document<'_>, place: ElementId, text: String) -> Option<String> {
    match scan(&text, Rules::MESSAGE) {
        Ok(_) => return Some(text),
        Err(error) if error.problem == ScanProblem::UndeclaredPrefix => {}
        Err(_) => return None,
    }
    let mut around = String::from("<around");
    let mut declared: Vec<&str> = Vec::new();
    let mut at = Some(place);
    while let Some(element) = at.map(|id| doc.element(id)) {
        for (prefix, uri) in element.declarations.iter().filter(|(prefix, _)| !prefix.is_empty()) {
            if !declared.contains(prefix) {
                declared.push(prefix);
                let _ = write!(around, " xmlns:{prefix}=\"{}\"", escape(uri));
            }
        }
        at = element.parent;
    }
    let whole = format!("{around}>{}</around>", text.trim());
    let outer = scan(&whole, Rules::MESSAGE).ok()?;
    match outer.element(outer.root()).children[..] {
        [Node::Element(only)] => {
            let alone = outer.standalone(&whole, only, None);
            scan(&alone, Rules::MESSAGE).ok()?;
            Some(alone)
        }
        _ => None,
    }
}

/// Reads the public part.
fn take_apart(doc: &Document<'_>, encrypted_assertion: ElementId) -> Result<Encrypted, SamlRefusal> {
    let (data, sibling) = match children(doc, encrypted_assertion)?[..] {
        [data] => (data, None),
        [data, key] => (data, Some(key)),
        _ => return wrong("EncryptedAssertion must hold one EncryptedData and at most one EncryptedKey"),
    };
    named(doc, data, "EncryptedData")?;
    if doc.element(data).attribute("Type").is_some_and(|kind| kind != ELEMENT) {
        return wrong("EncryptedData must be of the type Element");
    }
    let parts = Parts::of(doc, data)?;
    let within = match parts.key_info {
        Some(key_info) => key_in(doc, key_info, sibling)?,
        None => None,
    };
    let key = match (within, sibling) {
        (Some(key), None) | (None, Some(key)) => key,
        (None, None) => return wrong("there is no EncryptedKey"),
        (Some(_), Some(_)) => return wrong("there is more than one EncryptedKey"),
    };
    named(doc, key, "EncryptedKey")?;
    let wrapped = Parts::of(doc, key)?;
    let uri = algorithm_of(doc, parts.method);
    let Some(content) = Content::from_uri(uri) else { return refused(uri) };
    for child in children(doc, parts.method)? {
        if !doc.is(child, ns::XENC, "KeySize") {
            return wrong("the content's EncryptionMethod has parameters");
        }
    }
    Ok(Encrypted {
        content,
        transport: transport(doc, wrapped.method)?,
        bytes: value_of(doc, parts.cipher_data)?,
        wrapped: value_of(doc, wrapped.cipher_data)?,
        recipient: wrapped.key_info.and_then(|info| recipient(doc, info)),
    })
}

/// What `EncryptedData` and `EncryptedKey` have in common.
struct Parts {
    method: ElementId,
    key_info: Option<ElementId>,
    cipher_data: ElementId,
}

impl Parts {
    fn of(doc: &Document<'_>, id: ElementId) -> Result<Self, SamlRefusal> {
        let name = doc.element(id).local;
        let (mut method, mut key_info, mut cipher_data) = (None, None, None);
        for child in children(doc, id)? {
            let element = doc.element(child);
            let place = match (element.namespace, element.local) {
                (ns::XENC, "EncryptionMethod") => &mut method,
                (ns::DSIG, "KeyInfo") => &mut key_info,
                (ns::XENC, "CipherData") => &mut cipher_data,
                // Which data a key is for, and what it is called, needs not be said twice.
                (ns::XENC, "ReferenceList" | "CarriedKeyName") if name == "EncryptedKey" => continue,
                _ => return wrong(format!("{name} holds {}", shown(&element.qualified_name()))),
            };
            if place.replace(child).is_some() {
                return wrong(format!("{name} holds {} twice", element.local));
            }
        }
        match (method, cipher_data) {
            (Some(method), Some(cipher_data)) => Ok(Self { method, key_info, cipher_data }),
            _ => wrong(format!("{name} must hold EncryptionMethod and CipherData")),
        }
    }
}

/// The key in the data's KeyInfo. A reference is followed to the sibling only, which is where it can point.
fn key_in(
    doc: &Document<'_>,
    key_info: ElementId,
    sibling: Option<ElementId>,
) -> Result<Option<ElementId>, SamlRefusal> {
    let mut found = None;
    for child in children(doc, key_info)? {
        let element = doc.element(child);
        match (element.namespace, element.local) {
            (ns::XENC, "EncryptedKey") if found.is_none() => found = Some(child),
            (ns::XENC, "EncryptedKey") => return wrong("there is more than one EncryptedKey"),
            (ns::DSIG, "RetrievalMethod") => {
                let id = sibling.and_then(|key| doc.element(key).attribute("Id"));
                let points = element.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
                let kind = element.attribute("Type").is_none_or(|kind| kind == ENCRYPTED_KEY);
                if id.is_none() || points != id || !kind || !children(doc, child)?.is_empty() {
                    return wrong("RetrievalMethod names something other than the EncryptedKey beside it");
                }
            }
            (ns::DSIG, "KeyName") => {}
            _ => return wrong(format!("KeyInfo holds {}", shown(&element.qualified_name()))),
        }
    }
    Ok(found)
}

/// Section 5.5.2: the digest is SHA-1 unless it is said, and so is the mask; in the older form the mask is always.
fn transport(doc: &Document<'_>, method: ElementId) -> Result<Transport, SamlRefusal> {
    let uri = algorithm_of(doc, method);
    if !KEY_TRANSPORTS.contains(&uri) {
        return refused(uri);
    }
    let mut transport = Transport { digest: Md::sha1(), mask: Md::sha1(), label: Vec::new() };
    let mut seen = Vec::new();
    for child in children(doc, method)? {
        let element = doc.element(child);
        if seen.contains(&element.local) {
            return wrong(format!("EncryptionMethod holds {} twice", element.local));
        }
        seen.push(element.local);
        match (element.namespace, element.local) {
            (ns::DSIG, "DigestMethod") => transport.digest = digest(algorithm_of(doc, child))?,
            (ns::XENC11, "MGF") if uri == OAEP => transport.mask = mask(algorithm_of(doc, child))?,
            (ns::XENC, "OAEPparams") => {
                let text = doc.text(child);
                if !text.trim().is_empty() {
                    let Some(label) = decode_base64(&text) else { return wrong("OAEPparams is not base64") };
                    transport.label = label;
                }
            }
            (ns::XENC, "KeySize") => {}
            _ => return wrong(format!("EncryptionMethod holds {}", shown(&element.qualified_name()))),
        }
    }
    Ok(transport)
}

fn digest(uri: &str) -> Result<&'static MdRef, SamlRefusal> {
    match uri {
        "http://www.w3.org/2000/09/xmldsig#sha1" => Ok(Md::sha1()),
        "http://www.w3.org/2001/04/xmlenc#sha256" => Ok(Md::sha256()),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" | "http://www.w3.org/2001/04/xmlenc#sha384" => {
            Ok(Md::sha384())
        }
        "http://www.w3.org/2001/04/xmlenc#sha512" => Ok(Md::sha512()),
        _ => refused(uri),
    }
}

fn mask(uri: &str) -> Result<&'static MdRef, SamlRefusal> {
    match uri.strip_prefix("http://www.w3.org/2009/xmlenc11#mgf1") {
        Some("sha1") => Ok(Md::sha1()),
        Some("sha256") => Ok(Md::sha256()),
        Some("sha384") => Ok(Md::sha384()),
        Some("sha512") => Ok(Md::sha512()),
        _ => refused(uri),
    }
}

/// The bytes in a CipherData. A CipherReference is never followed.
fn value_of(doc: &Document<'_>, cipher_data: ElementId) -> Result<Vec<u8>, SamlRefusal> {
    match children(doc, cipher_data)?[..] {
        [value] if doc.is(value, ns::XENC, "CipherValue") && doc.children(value).next().is_none() => {
            match decode_base64(&doc.text(value)) {
                Some(bytes) => Ok(bytes),
                None => wrong("CipherValue is not base64"),
            }
        }
        _ => wrong("CipherData must hold exactly one CipherValue: nothing is fetched from elsewhere"),
    }
}

/// The certificate that an EncryptedKey names. It is only ever shown.
fn recipient(doc: &Document<'_>, key_info: ElementId) -> Option<String> {
    let named = |id: &ElementId| doc.is(*id, ns::DSIG, "X509Certificate") && doc.is_within(*id, key_info);
    let certificate = doc.all().find(named)?;
    decode_base64(&doc.text(certificate)).map(|der| fingerprint_of(&der))
}

/// Child elements of an element that holds nothing else.
fn children(doc: &Document<'_>, id: ElementId) -> Result<Vec<ElementId>, SamlRefusal> {
    let mut out = Vec::new();
    for node in &doc.element(id).children {
        match node {
            Node::Element(child) => out.push(*child),
            Node::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
            Node::Text(_) => return wrong(format!("{} holds text", shown(doc.element(id).local))),
        }
    }
    Ok(out)
}

fn named(doc: &Document<'_>, id: ElementId, local: &str) -> Result<(), SamlRefusal> {
    if doc.is(id, ns::XENC, local) {
        return Ok(());
    }
    wrong(format!("expected {local}, found {}", shown(&doc.element(id).qualified_name())))
}

fn algorithm_of<'d>(doc: &'d Document<'_>, id: ElementId) -> &'d str {
    doc.element(id).attribute("Algorithm").unwrap_or_default()
}
