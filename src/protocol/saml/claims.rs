//! What a refused response says of itself, for the sign-in log alone: nothing of it is verified, whoever posted it may have
//! made it up, and so every text is cut and every list bounded. Nothing may ever be decided by it.

use time::OffsetDateTime;

use super::certificate::{decode_base64, fingerprint_of};
use super::checks::{self, parse_time};
use super::refusal::shown;
use super::response::{AssertionAttribute, NameIdFormat};
use super::scan::{Rules, scan};
use super::signature::SignatureAlgorithm;
use super::xml::{Document, ElementId, ns};

/// Responses larger than this are not read again for the log.
const LARGEST_READ: usize = 64 * 1024;
/// How many attributes, and how many values of each, are taken.
const MOST_ATTRIBUTES: usize = 40;
const MOST_VALUES: usize = 20;

/// What a response says. Empty where it says nothing, or cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The assertion's issuer, else the response's.
    pub issuer: Option<String>,
    /// When it says it was written.
    pub issue_instant: Option<OffsetDateTime>,
    /// The NameID's format.
    pub name_id_format: Option<String>,
    /// How it says the person signed in.
    pub authn_context: Option<String>,
    /// The attributes that came, each with at most some values.
    pub attributes: Vec<AssertionAttribute>,
    /// The algorithm of its first signature.
    pub algorithm: Option<String>,
    /// SHA-256 fingerprint of the certificate in KeyInfo.
    pub certificate: Option<String>,
    /// Whether it has something encrypted in it.
    pub encrypted: bool,
}

impl Claims {
    /// Reads a response that [`super::PostedResponse::read`] took; a large one is not read at all.
    pub fn read(text: &str) -> Self {
        if text.len() > LARGEST_READ {
            return Self::default();
        }
        let Ok(doc) = scan(text, Rules::MESSAGE) else { return Self::default() };
        let find = |namespace: &str, local: &str| doc.all().find(|id| doc.is(*id, namespace, local));
        let assertion = find(ns::SAML, "Assertion");
        let dated = assertion.unwrap_or(doc.root());
        let issuer = assertion
            .and_then(|id| doc.child(id, ns::SAML, "Issuer"))
            .or_else(|| doc.child(doc.root(), ns::SAML, "Issuer"));
        let certificate = find(ns::DSIG, "X509Certificate");
        Self {
            issuer: issuer.map(|id| shown(&doc.text(id))),
            issue_instant: doc
                .element(dated)
                .attribute("IssueInstant")
                .and_then(|value| parse_time("IssueInstant", value).ok()),
            name_id_format: find(ns::SAML, "NameID").map(|id| format_of(&doc, id)),
            authn_context: find(ns::SAML, "AuthnContextClassRef").map(|id| shown(&doc.text(id))),
            attributes: assertion.map(|id| attributes(&doc, id)).unwrap_or_default(),
            algorithm: find(ns::DSIG, "SignatureMethod")
                .and_then(|id| doc.element(id).attribute("Algorithm"))
                .map(|uri| {
                    SignatureAlgorithm::from_uri(uri).map_or_else(|_| shown(uri), |a| a.label().to_owned())
                }),
            certificate: certificate
                .and_then(|id| decode_base64(&doc.text(id)))
                .map(|der| fingerprint_of(&der)),
            encrypted: doc.all().any(|id| doc.element(id).local == "EncryptedData"),
        }
    }
}

fn format_of(doc: &Document<'_>, id: ElementId) -> String {
    let format = doc.element(id).attribute("Format");
    shown(format.map_or(NameIdFormat::Unspecified, NameIdFormat::from_uri).label())
}

fn attributes(doc: &Document<'_>, assertion: ElementId) -> Vec<AssertionAttribute> {
    let mut found = checks::attributes(doc, assertion);
    found.truncate(MOST_ATTRIBUTES);
    for attribute in &mut found {
        attribute.name = shown(&attribute.name);
        attribute.friendly_name = attribute.friendly_name.as_deref().map(shown);
        attribute.values.truncate(MOST_VALUES);
        for value in &mut attribute.values {
            *value = shown(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sends_is_cut() {
        let long = "x".repeat(5_000);
        let many: String = (0..100)
            .map(|n| {
                format!(
                    "<a:Attribute Name='{n}{long}'><a:AttributeValue>{long}</a:AttributeValue></a:Attribute>"
                )
            })
            .take(8)
            .collect();
        let text = format!(
            "<p:Response xmlns:p='{}' xmlns:a='{}' ID='_1'><a:Assertion IssueInstant='2026-11-18T13:46:40Z'>\
             <a:Issuer>https://idp</a:Issuer><a:AttributeStatement>{many}</a:AttributeStatement>\
             </a:Assertion></p:Response>",
            ns::SAMLP,
            ns::SAML
        );
        let claims = Claims::read(&text);
        assert_eq!(claims, Claims::default(), "too large to be read twice");
        let text = text.replace(&"x".repeat(4_000), "");
        let claims = Claims::read(&text);
        assert_eq!(claims.issuer.as_deref(), Some("https://idp"));
        assert_eq!(claims.attributes.len(), 8);
        assert!(
            claims.attributes.iter().all(|a| a.name.len() < 300 && a.values[0].len() < 300),
            "{claims:?}"
        );
        assert_eq!(claims.issue_instant.map(time::OffsetDateTime::year), Some(2026));
        assert_eq!(Claims::read("<nonsense"), Claims::default());
    }
}
