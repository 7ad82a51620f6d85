//! What a connection knows of its IdP: read from what an administrator pastes, and from the stored row again.
//!
//! Nothing is fetched: a URL in these fields is only ever opened by the browser of somebody who signs in.

use super::super::{Error, FieldError};
use crate::model::time::Timestamp;
use crate::protocol::saml::metadata::is_usable_url;
use crate::protocol::saml::{AttributeMapping, Certificate, read_idp_metadata};
use crate::store::connections::Connection;
use serde_json::Value;

/// The largest metadata document in bytes.
pub const LARGEST_METADATA: usize = 256 * 1024;
/// How many certificates a connection has at most.
pub const MOST_CERTIFICATES: usize = 10;
const LONGEST_CERTIFICATE_TEXT: usize = 64 * 1024;
const LONGEST_ENTITY_ID: usize = 1024;
const LONGEST_ATTRIBUTE: usize = 255;

/// The IdP's facts as they were sent: a metadata document, or any of the fields by hand.
#[derive(Debug, Clone, Default)]
pub struct GivenFacts {
    pub metadata_xml: Option<String>,
    pub idp_entity_id: Option<String>,
    pub sso_url: Option<String>,
    /// Each text holds one certificate or more, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
}

/// The IdP's facts that were given, checked.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub idp_entity_id: Option<String>,
    pub sso_url: Option<String>,
    pub certificates: Option<Vec<Certificate>>,
}

/// The attribute mapping as it was sent: `None` leaves alone, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct GivenMapping {
    pub email: Option<Option<String>>,
    pub given_name: Option<Option<String>>,
    pub family_name: Option<Option<String>>,
    pub display_name: Option<Option<String>>,
    pub subject: Option<Option<String>>,
    pub groups: Option<Option<String>>,
}

fn wrong(errors: &mut Vec<FieldError>, field: impl Into<String>, code: &'static str, message: String) {
    errors.push(FieldError { field: field.into(), code, message });
}

/// The sentence of a protocol error as a sentence of ours.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// Checks the facts; what is wrong is added to `errors`, each under its field.
pub fn check(given: GivenFacts, now: Timestamp, errors: &mut Vec<FieldError>) -> Facts {
    if let Some(xml) = given.metadata_xml {
        for (field, is_given) in [
            ("idp_entity_id", given.idp_entity_id.is_some()),
            ("sso_url", given.sso_url.is_some()),
            ("certificates", given.certificates.is_some()),
        ] {
            if is_given {
                let message = "metadata_xml says this already: give the metadata or the fields, not both.";
                wrong(errors, field, "given_twice", message.to_owned());
            }
        }
        return from_metadata(&xml, now, errors);
    }
    let idp_entity_id = given.idp_entity_id.map(|id| entity_id(&id, errors));
    let sso_url = given.sso_url.map(|url| sign_on_url(&url, errors));
    let certificates = given.certificates.map(|texts| from_texts(&texts, errors));
    Facts { idp_entity_id, sso_url, certificates }
}

fn from_metadata(xml: &str, now: Timestamp, errors: &mut Vec<FieldError>) -> Facts {
    let field = "metadata_xml";
    if xml.len() > LARGEST_METADATA {
        let message = format!(
            "The metadata has {} bytes; at most {LARGEST_METADATA} are read. Paste the metadata of one IdP only.",
            xml.len()
        );
        wrong(errors, field, "metadata_too_large", message);
        return Facts::default();
    }
    let metadata = match read_idp_metadata(xml.as_bytes()) {
        Ok(metadata) => metadata,
        Err(error) => {
            wrong(errors, field, error.code(), sentence(&error));
            return Facts::default();
        }
    };
    if let Some(end) = metadata.valid_until.map(Timestamp::from).filter(|end| *end <= now) {
        let message = format!(
            "The metadata was valid until {end} only. Download it from the IdP again; its keys may have changed."
        );
        wrong(errors, field, "metadata_expired", message);
    }
    if metadata.certificates.len() > MOST_CERTIFICATES {
        let message = format!(
            "The metadata has {} signing certificates; at most {MOST_CERTIFICATES} are kept. Give the fields by hand.",
            metadata.certificates.len()
        );
        wrong(errors, field, "too_many_certificates", message);
    }
    Facts {
        idp_entity_id: Some(metadata.entity_id),
        sso_url: Some(metadata.sso_redirect_url),
        certificates: Some(metadata.certificates),
    }
}

fn entity_id(text: &str, errors: &mut Vec<FieldError>) -> String {
    let id = text.trim();
    if id.is_empty() || id.len() > LONGEST_ENTITY_ID || id.chars().any(|c| c.is_control() || c == ' ') {
        let message = format!(
            "The IdP's entity id (Okta calls it Issuer, Entra its Identifier) has 1 to {LONGEST_ENTITY_ID} characters without blanks."
        );
        wrong(errors, "idp_entity_id", "entity_id_invalid", message);
    }
    id.to_owned()
}

fn sign_on_url(text: &str, errors: &mut Vec<FieldError>) -> String {
    let url = text.trim();
    if !is_usable_url(url) {
        let message = "The IdP's sign-on address is an https URL without user name or fragment (plain http on this machine only).";
        wrong(errors, "sso_url", "url_invalid", message.to_owned());
    }
    url.to_owned()
}

fn from_texts(texts: &[String], errors: &mut Vec<FieldError>) -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    for (at, text) in texts.iter().enumerate().take(MOST_CERTIFICATES) {
        let field = format!("certificates.{at}");
        if text.len() > LONGEST_CERTIFICATE_TEXT {
            let message = format!("{} bytes are too many for a certificate.", text.len());
            wrong(errors, field, "certificate_invalid", message);
            continue;
        }
        match Certificate::parse_text(text) {
            Ok(certificates) => {
                for certificate in certificates {
                    if !found.contains(&certificate) {
                        found.push(certificate);
                    }
                }
            }
            Err(error) => wrong(errors, field, "certificate_invalid", sentence(&error)),
        }
    }
    if texts.is_empty() || texts.len() > MOST_CERTIFICATES || found.len() > MOST_CERTIFICATES {
        let message = format!(
            "A connection has 1 to {MOST_CERTIFICATES} signing certificates; {} were given.",
            found.len().max(texts.len())
        );
        wrong(errors, "certificates", "number_of_certificates", message);
    }
    found
}

/// The mapping after a change; what is wrong is added to `errors`.
pub fn merge(
    before: AttributeMapping,
    given: GivenMapping,
    errors: &mut Vec<FieldError>,
) -> AttributeMapping {
    let mut one = |name: &str, before: Option<String>, given: Option<Option<String>>| match given {
        None => before,
        Some(None) => None,
        Some(Some(text)) => {
            let text = text.trim();
            if text.is_empty() || text.len() > LONGEST_ATTRIBUTE || text.chars().any(char::is_control) {
                let message = format!(
                    "The name of an attribute has 1 to {LONGEST_ATTRIBUTE} bytes and no control characters; null takes the usual names again."
                );
                wrong(errors, format!("attribute_mapping.{name}"), "attribute_invalid", message);
            }
            Some(text.to_owned())
        }
    };
    AttributeMapping {
        email: one("email", before.email, given.email),
        given_name: one("given_name", before.given_name, given.given_name),
        family_name: one("family_name", before.family_name, given.family_name),
        display_name: one("display_name", before.display_name, given.display_name),
        subject: one("subject", before.subject, given.subject),
        groups: one("groups", before.groups, given.groups),
    }
}

/// The form in which certificates are stored: a list of PEM texts.
pub fn to_stored(certificates: &[Certificate]) -> Value {
    certificates.iter().map(Certificate::to_pem).collect()
}

/// The certificates of a stored connection; empty for a draft that has none yet.
///
/// # Errors
/// [`Error::Internal`] for a row that was not written by this file.
pub fn certificates(connection: &Connection) -> Result<Vec<Certificate>, Error> {
    let unreadable =
        || Error::Internal(format!("the certificates of {} cannot be read again", connection.id));
    let texts = connection.certificates.as_array().ok_or_else(unreadable)?;
    let mut found = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.as_str().ok_or_else(unreadable)?;
        found.extend(Certificate::parse_text(text).map_err(|_| unreadable())?);
    }
    Ok(found)
}

/// The attribute mapping of a stored connection.
///
/// # Errors
/// [`Error::Internal`] for a row that was not written by this file.
pub fn attribute_mapping(connection: &Connection) -> Result<AttributeMapping, Error> {
    serde_json::from_value(connection.attribute_mapping.clone()).map_err(|error| {
        Error::Internal(format!("the attribute mapping of {} cannot be read again: {error}", connection.id))
    })
}

/// Which facts are missing before anybody can sign in through the connection.
pub fn missing(connection: &Connection) -> Vec<&'static str> {
    let has_certificate = connection.certificates.as_array().is_some_and(|all| !all.is_empty());
    [
        ("idp_entity_id", !connection.idp_entity_id.is_empty()),
        ("sso_url", !connection.sso_url.is_empty()),
        ("certificates", has_certificate),
    ]
    .into_iter()
    .filter_map(|(name, present)| (!present).then_some(name))
    .collect()
}
