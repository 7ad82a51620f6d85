//! XML signatures made with our own canonicalization and OpenSSL, right by default and wrong on demand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use thiserror::Error;

use super::key::SigningKey;
use super::response::ResponseSpec;
use crate::protocol::saml::c14n;
use crate::protocol::saml::scan::{Rules, ScanError, scan};
use crate::protocol::saml::xml::ns;

const EXC_C14N: &str = ns::EXC_C14N;
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Why nothing was signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The document to sign is not XML.
    #[error("the document to sign is not acceptable XML: {0}")]
    Xml(#[from] ScanError),
    /// No element has the ID.
    #[error("no element with the ID {0} and an issuer")]
    NoElement(String),
    /// OpenSSL failed.
    #[error("signing failed: {0}")]
    Openssl(#[from] ErrorStack),
}

/// Which element is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The response, as Keycloak does.
    Response,
    /// The assertion, as Entra ID and Google do.
    Assertion,
    /// Both, as Okta does.
    Both,
    /// Nothing.
    Nothing,
}

/// What KeyInfo holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyInfo {
    /// The signing key's own certificate.
    Own,
    /// No KeyInfo at all.
    Absent,
    /// This XML.
    Xml(String),
}

/// How to sign. The defaults make a right signature; the rest is for forgeries.
#[derive(Debug, Clone)]
pub struct Signing {
    /// Which element.
    pub placement: Placement,
    /// The signature algorithm's URI; by the key if none.
    pub algorithm: Option<String>,
    /// The digest algorithm's URI.
    pub digest: String,
    /// The PrefixList of the reference's canonicalization.
    pub prefixes: Vec<String>,
    /// KeyInfo.
    pub key_info: KeyInfo,
    /// The reference's URI instead of `#ID`.
    pub reference_uri: Option<String>,
    /// The XML inside Transforms instead of the two right ones.
    pub transforms: Option<String>,
    /// XML behind the reference.
    pub more_signed_info: String,
    /// XML at the end of the signature, such as an Object.
    pub more_signature: String,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            placement: Placement::Both,
            algorithm: None,
            digest: "http://www.w3.org/2001/04/xmlenc#sha256".to_owned(),
            prefixes: vec!["xs".to_owned()],
            key_info: KeyInfo::Own,
            reference_uri: None,
            transforms: None,
            more_signed_info: String::new(),
            more_signature: String::new(),
        }
    }
}

impl Signing {
    /// The usual signature at that place.
    pub fn at(placement: Placement) -> Self {
        Self { placement, ..Self::default() }
    }

    /// Writes and signs a response.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn respond(&self, spec: &ResponseSpec, key: &SigningKey) -> Result<String, SignError> {
        let mut xml = spec.to_xml();
        if matches!(self.placement, Placement::Assertion | Placement::Both) {
            xml = self.sign(&xml, &spec.assertion_id, key)?;
        }
        if matches!(self.placement, Placement::Response | Placement::Both) {
            xml = self.sign(&xml, &spec.response_id, key)?;
        }
        Ok(xml)
    }

    /// Signs the element of a document that has the ID and puts the signature behind its issuer.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, xml: &str, id: &str, key: &SigningKey) -> Result<String, SignError> {
        self.sign_behind(xml, id, "</saml:Issuer>", key)
    }

    /// Signs metadata whose root has the ID and puts the signature in front of all that the root holds.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_metadata(&self, xml: &str, id: &str, key: &SigningKey) -> Result<String, SignError> {
        self.sign_behind(xml, id, ">", key)
    }

    /// Puts the signature behind the first such text behind the ID.
    fn sign_behind(&self, xml: &str, id: &str, mark: &str, key: &SigningKey) -> Result<String, SignError> {
        let missing = || SignError::NoElement(id.to_owned());
        let doc = scan(xml, Rules::MESSAGE)?;
        let element = doc.all().find(|e| doc.element(*e).attribute("ID") == Some(id)).ok_or_else(missing)?;
        let prefixes: Vec<&str> = self.prefixes.iter().map(String::as_str).collect();
        let content = c14n::exclusive(&doc, element, None, &prefixes);
        let digest = STANDARD.encode(hash(by_name(&self.digest), content.as_bytes())?);
        let signature = self.signature(id, &digest, key)?;

        // SignedInfo is signed as it stands in its place.
        let start = xml.find(&format!("ID=\"{id}\"")).ok_or_else(missing)?;
        let at = start + xml[start..].find(mark).ok_or_else(missing)? + mark.len();
        let placed = format!("{}{signature}{}", &xml[..at], &xml[at..]);
        let doc = scan(&placed, Rules::MESSAGE)?;
        let signed_info = doc
            .all()
            .filter(|e| doc.is(*e, ns::DSIG, "SignedInfo"))
            .find(|e| {
                let around = doc.element(*e).parent.and_then(|s| doc.element(s).parent);
                around.is_some_and(|a| doc.element(a).attribute("ID") == Some(id))
            })
            .ok_or_else(missing)?;
        let canonical = c14n::exclusive(&doc, signed_info, None, &[]);
        let value = key.sign(by_name(&self.algorithm(key)), canonical.as_bytes())?;
        Ok(placed.replacen(PLACEHOLDER, &STANDARD.encode(value), 1))
    }

    fn algorithm(&self, key: &SigningKey) -> String {
        self.algorithm.clone().unwrap_or_else(|| {
            let family = if key.is_ec() { "ecdsa" } else { "rsa" };
            format!("http://www.w3.org/2001/04/xmldsig-more#{family}-sha256")
        })
    }

    fn signature(&self, id: &str, digest: &str, key: &SigningKey) -> Result<String, SignError> {
        let key_info = match &self.key_info {
            KeyInfo::Own => format!(
                "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
                key.certificate_base64()?
            ),
            KeyInfo::Absent => String::new(),
            KeyInfo::Xml(xml) => format!("<ds:KeyInfo>{xml}</ds:KeyInfo>"),
        };
        let list = if self.prefixes.is_empty() {
            String::new()
        } else {
            format!(
                "<ec:InclusiveNamespaces xmlns:ec=\"{EXC_C14N}\" PrefixList=\"{}\"/>",
                self.prefixes.join(" ")
            )
        };
        let transforms = self.transforms.clone().unwrap_or_else(|| {
            format!(
                "<ds:Transform Algorithm=\"{ENVELOPED}\"/><ds:Transform Algorithm=\"{EXC_C14N}\">{list}</ds:Transform>"
            )
        });
        let uri = self.reference_uri.clone().unwrap_or_else(|| format!("#{id}"));
        Ok(format!(
            "<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\"/>\
             <ds:SignatureMethod Algorithm=\"{}\"/><ds:Reference URI=\"{uri}\"><ds:Transforms>{transforms}</ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{}\"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>{}</ds:SignedInfo>\
             <ds:SignatureValue>{PLACEHOLDER}</ds:SignatureValue>{key_info}{}</ds:Signature>",
            ns::DSIG,
            self.algorithm(key),
            self.digest,
            self.more_signed_info,
            self.more_signature,
        ))
    }
}

/// Stands for the signature until it is known.
const PLACEHOLDER: &str = "PLACEHOLDER+FOR+THE+SIGNATURE";

/// The hash that an algorithm's URI ends with; SHA-256 for what is unknown.
fn by_name(uri: &str) -> MessageDigest {
    match uri {
        _ if uri.ends_with("sha1") => MessageDigest::sha1(),
        _ if uri.ends_with("sha384") => MessageDigest::sha384(),
        _ if uri.ends_with("sha512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    }
}

/// The metadata of an IdP with these signing certificates (base64) and a sign-on address for the redirect binding.
pub fn idp_metadata(entity_id: &str, sso_url: &str, certificates: &[String]) -> String {
    use std::fmt::Write as _;

    use crate::protocol::saml::xml::escape;
    let mut keys = String::new();
    for certificate in certificates {
        let _ = write!(
            keys,
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}\
             </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        );
    }
    let url = escape(sso_url);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\" entityID=\"{}\">\
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\" protocolSupportEnumeration=\"{}\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"{url}\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>\n",
        ns::METADATA,
        ns::DSIG,
        escape(entity_id),
        ns::SAMLP,
    )
}
