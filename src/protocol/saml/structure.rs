//! What a SAML response must look like before any cryptography is done.
//!
//! One response, one assertion directly in it, signatures only where SAML puts them, each with one reference to
//! the element it stands in, two fixed transforms and nothing else. Whatever signature wrapping, remote
//! references, XPath, XSLT or several references could exploit is gone after this.

use std::collections::HashSet;

use super::certificate::decode_base64;
use super::refusal::{SamlRefusal, shown};
use super::signature::{Hash, SignatureAlgorithm};
use super::xml::{Document, ElementId, Node, ns};

const EXC_C14N_WITH_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const LONGEST_ID: usize = 256;
const MOST_PREFIXES: usize = 64;

/// The parts of a response that has the right structure. Nothing of it is verified yet.
#[derive(Debug)]
pub(super) struct Structure {
    /// The root: the response, or the assertion where that came out of an encrypted one.
    pub response: ElementId,
    /// The EncryptedAssertion, if that is what the response holds.
    pub encrypted: Option<ElementId>,
    /// At most two: one of each element. Without an encrypted assertion at least one.
    pub signatures: Vec<SignatureParts>,
}

impl Structure {
    /// The signature that is relied on: the assertion's, which has everything that is said of a person under it. The
    /// response's is only where the assertion has none; else it is one more thing that must be right.
    pub fn relied_on(&self) -> Option<&SignatureParts> {
        self.signatures.iter().find(|s| s.parent != self.response).or(self.signatures.first())
    }

    /// Whether the response element has a signature of its own.
    pub fn response_signed(&self) -> bool {
        self.signatures.iter().any(|s| s.parent == self.response)
    }
}

/// A signature taken apart.
#[derive(Debug)]
pub(super) struct SignatureParts {
    pub element: ElementId,
    pub key_info: Option<ElementId>,
    /// The response or assertion that it stands in and refers to.
    pub parent: ElementId,
    pub signed_info: ElementId,
    pub signed_info_prefixes: Vec<String>,
    pub reference_prefixes: Vec<String>,
    pub algorithm: SignatureAlgorithm,
    pub digest: Hash,
    pub digest_value: Vec<u8>,
    pub signature_value: Vec<u8>,
    /// The first `X509Certificate` in KeyInfo. Only ever shown, never used.
    pub presented_certificate: Option<ElementId>,
}

/// Checks the rules on the root element alone.
pub(super) fn root(doc: &Document<'_>) -> Result<ElementId, SamlRefusal> {
    if doc.is(doc.root(), ns::SAMLP, "Response") {
        Ok(doc.root())
    } else {
        Err(SamlRefusal::NotAResponse { found: shown(&doc.element(doc.root()).qualified_name()) })
    }
}

/// Checks all structure rules.
pub(super) fn check(doc: &Document<'_>) -> Result<Structure, SamlRefusal> {
    let response = root(doc)?;
    let (found, assertion) = parts(doc, response, Some(response))?;
    let encrypted = doc.is(assertion, ns::SAML, "EncryptedAssertion").then_some(assertion);
    if found.is_empty() && encrypted.is_none() {
        return Err(SamlRefusal::Unsigned);
    }
    let signatures =
        signatures(doc, found, &[Some(response), Some(assertion).filter(|_| encrypted.is_none())])?;
    Ok(Structure { response, encrypted, signatures })
}

/// The same for what came out of an encrypted assertion: one assertion and nothing else, signed itself or not.
pub(super) fn check_decrypted(doc: &Document<'_>) -> Result<Structure, SamlRefusal> {
    let root = doc.root();
    let (found, assertion) = parts(doc, root, None)?;
    if !doc.is(assertion, ns::SAML, "Assertion") {
        return Err(SamlRefusal::AssertionCount { found: 0 });
    }
    Ok(Structure { response: root, encrypted: None, signatures: signatures(doc, found, &[Some(assertion)])? })
}

/// The one assertion or encrypted assertion of a document, which must stand right here.
pub(super) fn only_assertion(
    doc: &Document<'_>,
    parent: Option<ElementId>,
) -> Result<ElementId, SamlRefusal> {
    let is_one = |id: &ElementId| {
        let element = doc.element(*id);
        element.namespace == ns::SAML && matches!(element.local, "Assertion" | "EncryptedAssertion")
    };
    let mut all = doc.all().filter(is_one);
    match (all.next(), all.next()) {
        (Some(only), None) if doc.element(only).parent == parent => Ok(only),
        (first, second) => {
            let found = usize::from(first.is_some()) + usize::from(second.is_some()) + all.count();
            Err(SamlRefusal::AssertionCount { found })
        }
    }
}

/// All signatures, and the one assertion or encrypted assertion, which stands in `parent`.
fn parts(
    doc: &Document<'_>,
    root: ElementId,
    parent: Option<ElementId>,
) -> Result<(Vec<ElementId>, ElementId), SamlRefusal> {
    check_ids(doc)?;
    let mut assertions = Vec::new();
    let mut found = Vec::new();
    let mut encryption = Vec::new();
    for id in doc.all() {
        let element = doc.element(id);
        match (element.namespace, element.local) {
            (ns::SAML, "EncryptedID" | "EncryptedAttribute") | (ns::SAMLP, "NewEncryptedID") => {
                return Err(SamlRefusal::EncryptedUnsupported { found: shown(&element.qualified_name()) });
            }
            (ns::XENC, _) => encryption.push(id),
            (ns::SAML, "Assertion" | "EncryptedAssertion") => assertions.push(id),
            (ns::SAMLP, "Response") if id != root => {
                return Err(SamlRefusal::NotAResponse { found: "a response inside a response".to_owned() });
            }
            (ns::DSIG, "Signature") => found.push(id),
            _ => {}
        }
    }
    let assertion = match assertions[..] {
        [only] if doc.element(only).parent == parent => only,
        _ => return Err(SamlRefusal::AssertionCount { found: assertions.len() }),
    };
    let around = doc.is(assertion, ns::SAML, "EncryptedAssertion").then_some(assertion);
    if let Some(id) =
        encryption.into_iter().find(|id| !around.is_some_and(|around| doc.is_within(*id, around)))
    {
        return Err(SamlRefusal::EncryptedUnsupported { found: shown(&doc.element(id).qualified_name()) });
    }
    Ok((found, assertion))
}

/// Takes the signatures apart, each of which stands in one of these elements.
fn signatures(
    doc: &Document<'_>,
    found: Vec<ElementId>,
    signed: &[Option<ElementId>],
) -> Result<Vec<SignatureParts>, SamlRefusal> {
    let mut signatures: Vec<SignatureParts> = Vec::new();
    for element in found {
        let Some(parent) = doc.element(element).parent.filter(|parent| signed.contains(&Some(*parent)))
        else {
            return wrong(
                "a signature stands neither directly in the response nor directly in the assertion",
            );
        };
        if signatures.iter().any(|s| s.parent == parent) {
            return wrong("two signatures stand in one element");
        }
        let before = doc.children(parent).take_while(|child| *child != element);
        if before.into_iter().any(|child| !doc.is(child, ns::SAML, "Issuer")) {
            return wrong("a signature does not stand right behind the issuer");
        }
        signatures.push(take_apart(doc, element, parent)?);
    }
    Ok(signatures)
}

fn wrong<T>(problem: impl Into<String>) -> Result<T, SamlRefusal> {
    Err(SamlRefusal::SignatureStructure { problem: problem.into() })
}

/// No ID twice, under any of the names that XML libraries take for an ID; IDs are plain ASCII names.
pub(super) fn check_ids(doc: &Document<'_>) -> Result<(), SamlRefusal> {
    let bad = |problem: &str| Err(SamlRefusal::BadId { problem: problem.to_owned() });
    let mut seen = HashSet::new();
    for id in doc.all() {
        for attribute in &doc.element(id).attributes {
            let xml_id = attribute.namespace == ns::XML && attribute.local == "id";
            let plain = attribute.namespace.is_empty() && attribute.local.eq_ignore_ascii_case("id");
            if xml_id {
                return bad("xml:id attribute, which is not allowed");
            }
            if !plain {
                continue;
            }
            if attribute.local == "ID" && !is_plain_id(&attribute.value) {
                return bad("ID that is not a plain XML name");
            }
            if !seen.insert(&*attribute.value) {
                return bad("ID that stands on two elements");
            }
        }
    }
    Ok(())
}

fn is_plain_id(value: &str) -> bool {
    value.len() <= LONGEST_ID
        && value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

pub(super) fn take_apart(
    doc: &Document<'_>,
    element: ElementId,
    parent: ElementId,
) -> Result<SignatureParts, SamlRefusal> {
    let Some(id) = doc.element(parent).attribute("ID") else {
        return wrong("the signed element has no ID");
    };
    only_attributes(doc, element, &["Id"])?;
    let parts = children(doc, element, "Signature")?;
    let (signed_info, value, key_info) = match parts[..] {
        [info, value] => (info, value, None),
        [info, value, key] if doc.is(key, ns::DSIG, "KeyInfo") => (info, value, Some(key)),
        _ => return wrong("Signature must hold exactly SignedInfo, SignatureValue and KeyInfo"),
    };
    named(doc, signed_info, "SignedInfo", &["Id"])?;
    named(doc, value, "SignatureValue", &["Id"])?;
    let [canonicalization, method, reference] = children(doc, signed_info, "SignedInfo")?[..] else {
        return wrong(
            "SignedInfo must hold exactly CanonicalizationMethod, SignatureMethod and one Reference",
        );
    };
    named(doc, canonicalization, "CanonicalizationMethod", &["Algorithm"])?;
    let signed_info_prefixes = exclusive_c14n(doc, canonicalization)?;
    named(doc, method, "SignatureMethod", &["Algorithm"])?;
    leaf(doc, method)?;
    let algorithm = SignatureAlgorithm::from_uri(algorithm_of(doc, method))?;
    named(doc, reference, "Reference", &["URI", "Id", "Type"])?;
    if doc.element(reference).attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return wrong("the reference must name the ID of the element that the signature stands in");
    }
    let [transforms, digest_method, digest_value] = children(doc, reference, "Reference")?[..] else {
        return wrong("Reference must hold exactly Transforms, DigestMethod and DigestValue");
    };
    named(doc, transforms, "Transforms", &[])?;
    let [enveloped, canonical] = children(doc, transforms, "Transforms")?[..] else {
        return wrong("the transforms must be exactly enveloped-signature and exclusive canonicalization");
    };
    named(doc, enveloped, "Transform", &["Algorithm"])?;
    named(doc, canonical, "Transform", &["Algorithm"])?;
    if algorithm_of(doc, enveloped) != ENVELOPED {
        return wrong("the first transform must be enveloped-signature");
    }
    leaf(doc, enveloped)?;
    let reference_prefixes = exclusive_c14n(doc, canonical)?;
    named(doc, digest_method, "DigestMethod", &["Algorithm"])?;
    leaf(doc, digest_method)?;
    let digest = Hash::from_digest_uri(algorithm_of(doc, digest_method))?;
    named(doc, digest_value, "DigestValue", &[])?;
    let digest_value = bytes_of(doc, digest_value, "DigestValue")?;
    let signature_value = bytes_of(doc, value, "SignatureValue")?;
    let presented_certificate = match key_info {
        Some(key_info) => check_key_info(doc, key_info)?,
        None => None,
    };
    Ok(SignatureParts {
        element,
        key_info,
        parent,
        signed_info,
        signed_info_prefixes,
        reference_prefixes,
        algorithm,
        digest,
        digest_value,
        signature_value,
        presented_certificate,
    })
}

/// KeyInfo is never used, but what could make a library go and look for keys is refused.
fn check_key_info(doc: &Document<'_>, key_info: ElementId) -> Result<Option<ElementId>, SamlRefusal> {
    let mut certificate = None;
    for id in doc.all().filter(|id| *id != key_info && doc.is_within(*id, key_info)) {
        let element = doc.element(id);
        let known = element.namespace == ns::DSIG || element.namespace == ns::DSIG11;
        if !known || matches!(element.local, "RetrievalMethod" | "KeyInfoReference" | "Object" | "MgmtData") {
            return wrong(format!("KeyInfo holds {}", shown(&element.qualified_name())));
        }
        if certificate.is_none() && element.namespace == ns::DSIG && element.local == "X509Certificate" {
            certificate = Some(id);
        }
    }
    Ok(certificate)
}

/// Child elements of an element that holds nothing else.
fn children(doc: &Document<'_>, id: ElementId, name: &str) -> Result<Vec<ElementId>, SamlRefusal> {
    let mut out = Vec::new();
    for node in &doc.element(id).children {
        match node {
            Node::Element(child) => out.push(*child),
            Node::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
            Node::Text(_) => return wrong(format!("{name} holds text")),
        }
    }
    Ok(out)
}

fn named(doc: &Document<'_>, id: ElementId, local: &str, attributes: &[&str]) -> Result<(), SamlRefusal> {
    if !doc.is(id, ns::DSIG, local) {
        let found = shown(&doc.element(id).qualified_name());
        return wrong(format!("expected {local}, found {found}"));
    }
    only_attributes(doc, id, attributes)
}

fn only_attributes(doc: &Document<'_>, id: ElementId, allowed: &[&str]) -> Result<(), SamlRefusal> {
    let element = doc.element(id);
    match element.attributes.iter().find(|a| !a.namespace.is_empty() || !allowed.contains(&a.local)) {
        None => Ok(()),
        Some(a) => wrong(format!("{} has the attribute {}", element.local, shown(a.local))),
    }
}

/// An element without child elements or text, such as `SignatureMethod` (no HMACOutputLength, no parameters).
fn leaf(doc: &Document<'_>, id: ElementId) -> Result<(), SamlRefusal> {
    let local = doc.element(id).local;
    if children(doc, id, local)?.is_empty() { Ok(()) } else { wrong(format!("{local} has parameters")) }
}

fn algorithm_of<'d>(doc: &'d Document<'_>, id: ElementId) -> &'d str {
    doc.element(id).attribute("Algorithm").unwrap_or_default()
}

/// Exclusive canonicalization and its PrefixList.
fn exclusive_c14n(doc: &Document<'_>, id: ElementId) -> Result<Vec<String>, SamlRefusal> {
    let local = doc.element(id).local;
    let algorithm = algorithm_of(doc, id);
    if algorithm != ns::EXC_C14N && algorithm != EXC_C14N_WITH_COMMENTS {
        return wrong(format!("{local} must be exclusive canonicalization, found {}", shown(algorithm)));
    }
    let list = match children(doc, id, local)?[..] {
        [] => return Ok(Vec::new()),
        [list] if doc.is(list, ns::EXC_C14N, "InclusiveNamespaces") => list,
        _ => return wrong(format!("{local} has parameters other than one InclusiveNamespaces")),
    };
    only_attributes(doc, list, &["PrefixList"])?;
    if !children(doc, list, "InclusiveNamespaces")?.is_empty() {
        return wrong("InclusiveNamespaces holds elements");
    }
    let prefixes: Vec<String> = doc
        .element(list)
        .attribute("PrefixList")
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    let plain = |p: &String| p == "#default" || is_plain_id(p);
    if prefixes.len() > MOST_PREFIXES || !prefixes.iter().all(plain) {
        return wrong("InclusiveNamespaces has an unusable PrefixList");
    }
    Ok(prefixes)
}

fn bytes_of(doc: &Document<'_>, id: ElementId, name: &str) -> Result<Vec<u8>, SamlRefusal> {
    if doc.children(id).next().is_some() {
        return wrong(format!("{name} holds elements"));
    }
    match decode_base64(&doc.text(id)) {
        Some(bytes) => Ok(bytes),
        None => wrong(format!("{name} is not base64")),
    }
}
