//! What a connection knows of its IdP: read from what an administrator pastes, or from a fetched document, and from the
//! stored row again.
//!
//! Nothing is fetched here: the sign-on address is only ever opened by the browser of somebody who signs in.

use super::super::{Error, FieldError};
use super::certificates;
use crate::model::state::{CertificateSource, MetadataSignature, SloBinding};
use crate::model::time::Timestamp;
use crate::protocol::saml::metadata::is_usable_url;
use crate::protocol::saml::signature::SignatureVerifier;
use crate::protocol::saml::{
    AttributeMapping, Certificate, DocumentSignature, IdpMetadata, LogoutBinding, read_signed_metadata,
};
use crate::store::connections::Connection;
use serde::{Deserialize, Serialize};

/// The largest metadata document in bytes.
pub const LARGEST_METADATA: usize = 256 * 1024;
/// How many certificates a connection has at most.
pub const MOST_CERTIFICATES: usize = 10;
const LONGEST_CERTIFICATE_TEXT: usize = 64 * 1024;
const LONGEST_ENTITY_ID: usize = 1024;
const LONGEST_ATTRIBUTE: usize = 255;

/// The IdP's facts as they were sent: the address of a metadata document, the document itself, or any of the fields by
/// hand.
#[derive(Debug, Clone, Default)]
pub struct GivenFacts {
    /// `Some(None)` clears it.
    pub metadata_url: Option<Option<String>>,
    pub metadata_xml: Option<String>,
    pub idp_entity_id: Option<String>,
    pub sso_url: Option<String>,
    /// Each text holds one certificate or more, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    pub slo: GivenSlo,
}

/// The IdP's log-out addresses as they were sent: `None` leaves alone, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenSlo {
    /// Without it the other two are nothing.
    pub url: Option<Option<String>>,
    pub response_url: Option<Option<String>>,
    pub binding: Option<Option<SloBinding>>,
}

/// The IdP's facts that were given, checked.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub idp_entity_id: Option<String>,
    pub sso_url: Option<String>,
    pub certificates: Option<Vec<Certificate>>,
    /// Of facts given by hand.
    pub slo: GivenSlo,
    /// The document they were read from.
    pub document: Option<Document>,
}

/// What a metadata document says beside the facts that can be given by hand.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where it was fetched; none for one that was pasted.
    pub url: Option<String>,
    pub slo: Slo,
    pub valid_until: Option<Timestamp>,
    pub name_id_formats: Vec<String>,
    pub wants_signed_requests: bool,
    pub signature: MetadataSignature,
}

/// The IdP's log-out addresses; all absent where it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slo {
    pub url: Option<String>,
    pub response_url: Option<String>,
    pub binding: Option<SloBinding>,
}

impl Slo {
    /// Those of a stored connection.
    pub fn of(connection: &Connection) -> Self {
        Self {
            url: connection.slo_url.clone(),
            response_url: connection.slo_response_url.clone(),
            binding: connection.slo_binding,
        }
    }

    /// Those that metadata has.
    pub(super) fn offered(metadata: &IdpMetadata) -> Self {
        metadata.logout.clone().map_or_else(Self::default, |logout| Self {
            url: Some(logout.url),
            response_url: logout.response_url,
            binding: Some(match logout.binding {
                LogoutBinding::Redirect => SloBinding::Redirect,
                LogoutBinding::Post => SloBinding::Post,
            }),
        })
    }

    /// Puts them into a connection's row.
    pub fn put(self, connection: &mut Connection) {
        connection.slo_url = self.url;
        connection.slo_response_url = self.response_url;
        connection.slo_binding = self.binding;
    }
}

/// Why a metadata document is of no use: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub message: String,
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

/// Refuses facts that say the same twice: one of the URL, the document and the fields is given, or of the fields any.
pub fn check_given(given: &GivenFacts, errors: &mut Vec<FieldError>) {
    let by_url = matches!(given.metadata_url, Some(Some(_)));
    let first = match (by_url, &given.metadata_xml) {
        (true, _) => "metadata_url",
        (false, Some(_)) => "metadata_xml",
        (false, None) => return,
    };
    for (field, is_given) in [
        ("metadata_xml", by_url && given.metadata_xml.is_some()),
        ("idp_entity_id", given.idp_entity_id.is_some()),
        ("sso_url", given.sso_url.is_some()),
        ("certificates", given.certificates.is_some()),
        ("slo_url", given.slo.url.is_some()),
        ("slo_response_url", given.slo.response_url.is_some()),
        ("slo_binding", given.slo.binding.is_some()),
    ] {
        if is_given {
            let message = format!("{first} says this already: give the metadata or the fields, not both.");
            wrong(errors, field, "given_twice", message);
        }
    }
}

/// Checks facts that are not fetched; what is wrong is added to `errors`, each under its field.
pub fn check(
    verifier: &dyn SignatureVerifier,
    given: GivenFacts,
    now: Timestamp,
    errors: &mut Vec<FieldError>,
) -> Facts {
    if let Some(xml) = given.metadata_xml {
        return match from_pasted(verifier, &xml, now) {
            Ok(facts) => facts,
            Err(problem) => {
                wrong(errors, "metadata_xml", problem.code, problem.message);
                Facts::default()
            }
        };
    }
    let idp_entity_id = given.idp_entity_id.map(|id| entity_id(&id, errors));
    let sso_url = given.sso_url.map(|url| sign_on_url(&url, errors));
    let certificates = given.certificates.map(|texts| from_texts(&texts, errors));
    let slo = given.slo;
    for (field, url) in [("slo_url", &slo.url), ("slo_response_url", &slo.response_url)] {
        if let Some(Some(url)) = url
            && !is_usable_url(url)
        {
            let message = "The IdP's log-out address is an https URL without user name or fragment (plain http on this machine only).";
            wrong(errors, field, "url_invalid", message.to_owned());
        }
    }
    Facts { idp_entity_id, sso_url, certificates, slo, document: None }
}

fn from_pasted(verifier: &dyn SignatureVerifier, xml: &str, now: Timestamp) -> Result<Facts, Problem> {
    if xml.len() > LARGEST_METADATA {
        return Err(Problem {
            code: "metadata_too_large",
            message: format!(
                "The metadata has {} bytes; at most {LARGEST_METADATA} are read. Paste the metadata of one IdP only.",
                xml.len()
            ),
        });
    }
    let (metadata, signature) = read_document(verifier, xml.as_bytes(), None, &[], now)?;
    Ok(from_metadata(metadata, signature, None))
}

/// Reads a document (of the named IdP, where it has several), and whether one of these keys signed it. CPU only, and not
/// little of it.
///
/// # Errors
/// [`Problem`], also for a document that is over by its own word or has more keys than are kept.
pub fn read_document(
    verifier: &dyn SignatureVerifier,
    bytes: &[u8],
    named: Option<&str>,
    trusted: &[Certificate],
    now: Timestamp,
) -> Result<(IdpMetadata, MetadataSignature), Problem> {
    let (metadata, signature) = read_signed_metadata(verifier, bytes, named, trusted)
        .map_err(|error| Problem { code: error.code(), message: sentence(&error) })?;
    if let Some(end) = metadata.valid_until.map(Timestamp::from).filter(|end| *end <= now) {
        return Err(Problem {
            code: "metadata_expired",
            message: format!(
                "The metadata was valid until {end} only. Download it from the IdP again; its keys may have changed."
            ),
        });
    }
    if metadata.certificates.len() > MOST_CERTIFICATES {
        return Err(Problem {
            code: "too_many_certificates",
            message: format!(
                "The metadata has {} signing certificates; at most {MOST_CERTIFICATES} are kept. Give the fields by hand.",
                metadata.certificates.len()
            ),
        });
    }
    let signature = match signature {
        DocumentSignature::Trusted => MetadataSignature::CurrentKey,
        DocumentSignature::Other => MetadataSignature::OtherKey,
        DocumentSignature::Absent => MetadataSignature::Unsigned,
    };
    Ok((metadata, signature))
}

/// The facts that a document gives.
pub fn from_metadata(metadata: IdpMetadata, signature: MetadataSignature, url: Option<String>) -> Facts {
    let slo = Slo::offered(&metadata);
    Facts {
        idp_entity_id: Some(metadata.entity_id),
        sso_url: Some(metadata.sso_redirect_url),
        certificates: Some(metadata.certificates),
        slo: GivenSlo::default(),
        document: Some(Document {
            url,
            slo,
            valid_until: metadata.valid_until.map(Timestamp::from),
            name_id_formats: metadata.name_id_formats,
            wants_signed_requests: metadata.wants_signed_requests,
            signature,
        }),
    }
}

/// The connection with these facts in the place of its own.
///
/// # Errors
/// [`Error::Internal`] for a row that cannot be read.
pub fn put(connection: &mut Connection, facts: &Facts, now: Timestamp) -> Result<(), Error> {
    if let Some(id) = &facts.idp_entity_id {
        if *id != connection.idp_entity_id {
            // Another IdP logs out elsewhere.
            Slo::default().put(connection);
        }
        connection.idp_entity_id.clone_from(id);
    }
    if let Some(url) = &facts.sso_url {
        connection.sso_url.clone_from(url);
    }
    if let Some(given) = &facts.certificates {
        let source = match facts.document {
            Some(_) => CertificateSource::Metadata,
            None => CertificateSource::Manual,
        };
        let before = certificates::held(connection)?;
        let after = certificates::replace(&before, given.clone(), source, now);
        if after != before {
            certificates::put(connection, &after)?;
        }
    }
    if let Some(document) = &facts.document {
        document.slo.clone().put(connection);
    }
    put_slo(connection, &facts.slo)
}

/// The log-out addresses that were given by hand, in the place of the connection's own.
fn put_slo(connection: &mut Connection, given: &GivenSlo) -> Result<(), Error> {
    if *given == GivenSlo::default() {
        return Ok(());
    }
    let mut slo = Slo::of(connection);
    slo.url = given.url.clone().unwrap_or(slo.url);
    slo.response_url = given.response_url.clone().unwrap_or(slo.response_url);
    slo.binding = given.binding.unwrap_or(slo.binding);
    if slo.url.is_none() {
        let alone = [
            ("slo_response_url", matches!(given.response_url, Some(Some(_)))),
            ("slo_binding", matches!(given.binding, Some(Some(_)))),
        ];
        if let Some((field, _)) = alone.into_iter().find(|(_, is_given)| *is_given) {
            let message = "It belongs to slo_url, which the connection has not.";
            return Err(Error::field(field, "slo_url_missing", message));
        }
        slo = Slo::default();
    } else {
        slo.binding = slo.binding.or(Some(SloBinding::Redirect));
    }
    slo.put(connection);
    Ok(())
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
    let has_certificate = certificates::has_active(connection);
    [
        ("idp_entity_id", !connection.idp_entity_id.is_empty()),
        ("sso_url", !connection.sso_url.is_empty()),
        ("certificates", has_certificate),
    ]
    .into_iter()
    .filter_map(|(name, present)| (!present).then_some(name))
    .collect()
}
