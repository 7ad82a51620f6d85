//! Metadata: reading an IdP's (saml-metadata-2.0-os). Ours is written in [`super::sp_metadata`].
//!
//! The reader takes what an administrator pastes or uploads: strict about XML and namespaces, tolerant of what
//! real IdPs put around the few facts that matter. It never takes a key that is marked for encryption, and never
//! gives back an IdP without a signing certificate.

use thiserror::Error;
use time::OffsetDateTime;
use url::{Host, Url};

use super::certificate::{Certificate, CertificateError};
use super::checks::parse_time;
use super::refusal::shown;
use super::scan::{Rules, ScanError, scan};
use super::xml::{Document, ElementId, ns};

/// The largest metadata document in bytes.
pub const LARGEST_METADATA: usize = 1_500_000;

const SAML2: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const LONGEST_ENTITY_ID: usize = 1024;
const MOST_CERTIFICATES: usize = 16;
const MOST_FORMATS: usize = 20;
const LONGEST_FORMAT: usize = 255;

/// What an IdP's metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// The IdP's entity id.
    pub entity_id: String,
    /// Its sign-on address for the redirect binding, the one that is used.
    pub sso_redirect_url: String,
    /// Its sign-on address for the POST binding, if it has one.
    pub sso_post_url: Option<String>,
    /// Its signing certificates, in order, each once; never empty.
    pub certificates: Vec<Certificate>,
    /// Signing certificates that were left out, and why.
    pub unusable_certificates: Vec<CertificateError>,
    /// Whether it asks for signed requests.
    pub wants_signed_requests: bool,
    /// When the document says that it ends.
    pub valid_until: Option<OffsetDateTime>,
    /// Where it takes part in logging out, if it does.
    pub logout: Option<LogoutAddresses>,
    /// The formats of NameID that it offers, in its order.
    pub name_id_formats: Vec<String>,
}

/// Where an IdP takes log-out messages (saml-metadata-2.0-os 2.4.2, `SingleLogoutService`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutAddresses {
    /// How they travel.
    pub binding: LogoutBinding,
    /// Where requests go.
    pub url: String,
    /// Where responses go, if that is elsewhere (`ResponseLocation`).
    pub response_url: Option<String>,
}

/// The bindings that log-out messages travel by here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutBinding {
    /// HTTP-Redirect; taken where both are offered.
    Redirect,
    /// HTTP-POST.
    Post,
}

/// Why metadata was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// Too much.
    #[error("the metadata is larger than {LARGEST_METADATA} bytes; paste the metadata of one IdP only")]
    TooLarge,
    /// Not UTF-8.
    #[error("the metadata is not UTF-8 text; save it again as UTF-8")]
    NotUtf8,
    /// Not XML, or not of the kind let in.
    #[error(
        "the metadata is not acceptable XML: {0}; paste the XML document itself, not a link or a web page"
    )]
    Xml(#[from] ScanError),
    /// XML, but something else.
    #[error("expected SAML metadata (EntityDescriptor), found {found}")]
    NotMetadata {
        /// The root's name.
        found: String,
    },
    /// No IdP in it.
    #[error(
        "the metadata describes no SAML 2.0 identity provider; it may be a service provider's own metadata"
    )]
    NoIdp,
    /// Several IdPs.
    #[error("the metadata describes {count} identity providers{}; give the metadata of exactly one", named.as_ref().map(|id| format!(", and none of them alone is {id}")).unwrap_or_default())]
    SeveralIdps {
        /// How many.
        count: usize,
        /// The entity id that was looked for among them.
        named: Option<String>,
    },
    /// No entity id.
    #[error("the IdP's EntityDescriptor has no usable entityID")]
    NoEntityId,
    /// No address to send people to.
    #[error("the IdP has no SingleSignOnService with the HTTP-Redirect binding{}", if *.post { " (only HTTP-POST, which is not used for requests)" } else { "" })]
    NoRedirectUrl {
        /// Whether it has one for the POST binding.
        post: bool,
    },
    /// An address that is not one.
    #[error(
        "the sign-on address {found} cannot be used: it must be an https URL without fragment or credentials"
    )]
    BadUrl {
        /// The value.
        found: String,
    },
    /// No key.
    #[error("the IdP has no signing certificate{}", .reason.as_ref().map(|r| format!(" that can be used: {r}")).unwrap_or_default())]
    NoCertificate {
        /// Why the first one was left out, if there was one.
        reason: Option<CertificateError>,
    },
    /// Too many keys.
    #[error("the IdP has more than 16 signing certificates")]
    TooManyCertificates,
    /// Nobody is there to judge the signature.
    #[error("the metadata's signature cannot be verified at the moment; try again in a moment")]
    VerifierUnavailable,
    /// A date that cannot be read.
    #[error("validUntil has the value {found}, which is not a date")]
    BadValidUntil {
        /// The value.
        found: String,
    },
}

impl MetadataError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "metadata_too_large",
            Self::NotUtf8 => "metadata_not_utf8",
            Self::Xml(_) => "metadata_malformed_xml",
            Self::NotMetadata { .. } => "metadata_not_metadata",
            Self::NoIdp => "metadata_no_idp",
            Self::SeveralIdps { .. } => "metadata_several_idps",
            Self::NoEntityId => "metadata_no_entity_id",
            Self::NoRedirectUrl { .. } => "metadata_no_redirect_url",
            Self::BadUrl { .. } => "metadata_bad_url",
            Self::NoCertificate { .. } => "metadata_no_certificate",
            Self::TooManyCertificates => "metadata_too_many_certificates",
            Self::VerifierUnavailable => "verifier_unavailable",
            Self::BadValidUntil { .. } => "metadata_bad_valid_until",
        }
    }
}

/// Reads the metadata of exactly one IdP.
///
/// # Errors
/// [`MetadataError`]; among others if there is no signing certificate that can be used.
pub fn read_idp_metadata(bytes: &[u8]) -> Result<IdpMetadata, MetadataError> {
    read_document(&scan(text_of(bytes)?, Rules::METADATA)?, None)
}

/// The text of a metadata document, without what editors put in front of it.
///
/// # Errors
/// [`MetadataError::TooLarge`], [`MetadataError::NotUtf8`].
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, MetadataError> {
    if bytes.len() > LARGEST_METADATA {
        return Err(MetadataError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| MetadataError::NotUtf8)?;
    Ok(text.trim_start_matches('\u{FEFF}').trim())
}

/// Reads the one IdP of a document, or among several the one that is named by its entity id.
pub(super) fn read_document(doc: &Document<'_>, named: Option<&str>) -> Result<IdpMetadata, MetadataError> {
    let root = doc.root();
    if !doc.is(root, ns::METADATA, "EntityDescriptor") && !doc.is(root, ns::METADATA, "EntitiesDescriptor") {
        return Err(MetadataError::NotMetadata { found: shown(&doc.element(root).qualified_name()) });
    }
    let roles: Vec<ElementId> = doc.all().filter(|id| is_idp_role(doc, *id)).collect();
    let role = match roles[..] {
        [only] => only,
        [] => return Err(MetadataError::NoIdp),
        _ => {
            let is_named = |role: &&ElementId| {
                let entity = doc.element(**role).parent.map(|entity| doc.element(entity));
                let id = entity.and_then(|entity| entity.attribute("entityID")).map(str::trim);
                id.is_some() && id == named
            };
            let of_name: Vec<&ElementId> = roles.iter().filter(is_named).collect();
            let [only] = of_name[..] else {
                let named = named.map(shown);
                return Err(MetadataError::SeveralIdps { count: roles.len(), named });
            };
            *only
        }
    };
    let entity = doc.element(role).parent.unwrap_or(root);
    let entity_id = doc
        .element(entity)
        .attribute("entityID")
        .map(str::trim)
        .filter(|id| {
            !id.is_empty() && id.len() <= LONGEST_ENTITY_ID && !id.chars().any(|c| c.is_control() || c == ' ')
        })
        .ok_or(MetadataError::NoEntityId)?;
    let sso_post_url = sso_url(doc, role, POST)?;
    let sso_redirect_url =
        sso_url(doc, role, REDIRECT)?.ok_or(MetadataError::NoRedirectUrl { post: sso_post_url.is_some() })?;
    let (certificates, unusable_certificates) = signing_certificates(doc, role)?;
    Ok(IdpMetadata {
        entity_id: entity_id.to_owned(),
        sso_redirect_url,
        sso_post_url,
        certificates,
        unusable_certificates,
        wants_signed_requests: matches!(
            doc.element(role).attribute("WantAuthnRequestsSigned"),
            Some("true" | "1")
        ),
        valid_until: valid_until(doc, role)?,
        logout: logout(doc, role, REDIRECT, LogoutBinding::Redirect)
            .or_else(|| logout(doc, role, POST, LogoutBinding::Post)),
        name_id_formats: name_id_formats(doc, role),
    })
}

/// An IDPSSODescriptor for SAML 2.0 directly in an EntityDescriptor.
fn is_idp_role(doc: &Document<'_>, id: ElementId) -> bool {
    let element = doc.element(id);
    let in_entity = element.parent.is_some_and(|p| doc.is(p, ns::METADATA, "EntityDescriptor"));
    let protocols = element.attribute("protocolSupportEnumeration").unwrap_or_default();
    in_entity
        && doc.is(id, ns::METADATA, "IDPSSODescriptor")
        && protocols.split_ascii_whitespace().any(|p| p == SAML2)
}

fn sso_url(doc: &Document<'_>, role: ElementId, binding: &str) -> Result<Option<String>, MetadataError> {
    let of_binding = |id: &ElementId| doc.element(*id).attribute("Binding") == Some(binding);
    let Some(service) = doc.children_named(role, ns::METADATA, "SingleSignOnService").find(of_binding) else {
        return Ok(None);
    };
    let location = doc.element(service).attribute("Location").unwrap_or_default().trim();
    if is_usable_url(location) {
        Ok(Some(location.to_owned()))
    } else {
        Err(MetadataError::BadUrl { found: shown(location) })
    }
}

/// An address that cannot be used is as good as none: signing in does not depend on it.
fn logout(doc: &Document<'_>, role: ElementId, uri: &str, binding: LogoutBinding) -> Option<LogoutAddresses> {
    doc.children_named(role, ns::METADATA, "SingleLogoutService").find_map(|service| {
        let element = doc.element(service);
        let url = element.attribute("Location")?.trim();
        let response_url = element.attribute("ResponseLocation").map(str::trim).filter(|url| !url.is_empty());
        let usable = element.attribute("Binding") == Some(uri)
            && is_usable_url(url)
            && response_url.is_none_or(is_usable_url);
        let response_url = response_url.filter(|other| *other != url).map(str::to_owned);
        usable.then(|| LogoutAddresses { binding, url: url.to_owned(), response_url })
    })
}

fn name_id_formats(doc: &Document<'_>, role: ElementId) -> Vec<String> {
    let mut formats: Vec<String> = Vec::new();
    for format in doc.children_named(role, ns::METADATA, "NameIDFormat") {
        let format = doc.text(format).trim().to_owned();
        let fits = !format.is_empty() && format.len() <= LONGEST_FORMAT && !formats.contains(&format);
        if fits && formats.len() < MOST_FORMATS {
            formats.push(format);
        }
    }
    formats
}

/// Whether a URL may be an IdP's sign-on address: https (plain http on loopback only), without credentials or
/// fragment.
pub fn is_usable_url(value: &str) -> bool {
    // The parser drops line breaks and encodes other such characters, but the text is what is kept.
    if value.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let Ok(url) = Url::parse(value) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && value.len() <= 2048
}

fn signing_certificates(
    doc: &Document<'_>,
    role: ElementId,
) -> Result<(Vec<Certificate>, Vec<CertificateError>), MetadataError> {
    let mut usable: Vec<Certificate> = Vec::new();
    let mut unusable = Vec::new();
    for key in doc.children_named(role, ns::METADATA, "KeyDescriptor") {
        // No use at all means both uses (saml-metadata-2.0-os 2.4.1.1).
        if !matches!(doc.element(key).attribute("use"), None | Some("" | "signing")) {
            continue;
        }
        for info in doc.children_named(key, ns::DSIG, "KeyInfo") {
            for data in doc.children_named(info, ns::DSIG, "X509Data") {
                for certificate in doc.children_named(data, ns::DSIG, "X509Certificate") {
                    match Certificate::from_base64(&doc.text(certificate)) {
                        Ok(known) if usable.contains(&known) => {}
                        Ok(new) => usable.push(new),
                        Err(error) => unusable.push(error),
                    }
                    if usable.len() + unusable.len() > MOST_CERTIFICATES {
                        return Err(MetadataError::TooManyCertificates);
                    }
                }
            }
        }
    }
    if usable.is_empty() {
        return Err(MetadataError::NoCertificate { reason: unusable.into_iter().next() });
    }
    Ok((usable, unusable))
}

/// The earliest validUntil on the role and the elements around it.
fn valid_until(doc: &Document<'_>, role: ElementId) -> Result<Option<OffsetDateTime>, MetadataError> {
    let mut earliest: Option<OffsetDateTime> = None;
    let mut current = Some(role);
    while let Some(id) = current {
        let element = doc.element(id);
        if let Some(value) = element.attribute("validUntil") {
            let at = parse_time("validUntil", value)
                .map_err(|_| MetadataError::BadValidUntil { found: shown(value) })?;
            earliest = Some(earliest.map_or(at, |e| e.min(at)));
        }
        current = element.parent;
    }
    Ok(earliest)
}
