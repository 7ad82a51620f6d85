//! The shapes of SAML connections: what goes in and what comes out. The operations stand in `connections`.

use super::caller::Caller;
use super::dto::Time;
use super::organizations::patch;
use crate::model::saml::{SamlLevel, SamlNameIdFormat};
use crate::model::state::{ConnectionStatus, ConnectionType};
use crate::protocol::saml::certificate::KeyKind;
use crate::protocol::saml::{AttributeMapping, Certificate};
use crate::service::Error;
use crate::service::connections::{self, Assigned, GivenFacts, GivenMapping};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;
use time::{Duration, OffsetDateTime};

/// How long before its end a certificate is warned about.
const WARN_BEFORE: Duration = Duration::days(60);

/// A signing certificate of the IdP.
#[derive(Object)]
#[oai(rename = "SamlCertificate")]
pub struct CertificateView {
    pub subject: String,
    pub not_before: Time,
    pub not_after: Time,
    /// SHA-256 over the certificate, as IdP consoles show it.
    pub sha256_fingerprint: String,
    /// Such as `RSA 2048` or `EC P-256`.
    pub key_type: String,
    pub pem: String,
}

impl From<&Certificate> for CertificateView {
    fn from(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_owned(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            sha256_fingerprint: certificate.fingerprint().to_owned(),
            key_type: match certificate.key_kind() {
                KeyKind::Rsa(bits) => format!("RSA {bits}"),
                KeyKind::Ec(bits) => format!("EC P-{bits}"),
            },
            pem: certificate.to_pem(),
        }
    }
}

/// Something that works and needs attention.
#[derive(Object)]
#[oai(rename = "SamlConnectionWarning")]
pub struct WarningView {
    /// `certificate_expired`, `certificate_expires_soon` or `certificate_not_yet_valid`.
    pub code: String,
    pub message: String,
}

fn warning(certificate: &Certificate, now: OffsetDateTime) -> Option<WarningView> {
    let which = format!("The certificate {}", certificate.fingerprint());
    let (code, message) = if certificate.not_after() <= now {
        (
            "certificate_expired",
            format!(
                "{which} expired on {}. What it signed is still accepted; put a new one in its place.",
                certificate.not_after().date()
            ),
        )
    } else if certificate.not_before() > now {
        (
            "certificate_not_yet_valid",
            format!("{which} is meant to be used from {} on.", certificate.not_before().date()),
        )
    } else if certificate.remaining(now) < WARN_BEFORE {
        (
            "certificate_expires_soon",
            format!("{which} expires on {}. Add its successor before.", certificate.not_after().date()),
        )
    } else {
        return None;
    };
    Some(WarningView { code: code.to_owned(), message })
}

/// Names of the assertion's attributes, where the usual ones do not fit.
#[derive(Object)]
#[oai(rename = "SamlAttributeMapping")]
pub struct MappingView {
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub given_name: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub family_name: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub display_name: Option<String>,
    /// An attribute that never changes and is never given to somebody else, such as Okta's `user.id`.
    #[oai(skip_serializing_if_is_none)]
    pub subject: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub groups: Option<String>,
}

impl From<AttributeMapping> for MappingView {
    fn from(mapping: AttributeMapping) -> Self {
        Self {
            email: mapping.email,
            given_name: mapping.given_name,
            family_name: mapping.family_name,
            display_name: mapping.display_name,
            subject: mapping.subject,
            groups: mapping.groups,
        }
    }
}

/// A SAML connection: one IdP configured for an organization.
#[derive(Object)]
#[oai(rename = "SamlConnection")]
pub struct ConnectionView {
    /// TypeID, `con_…`.
    pub id: String,
    pub name: String,
    /// Whose product the IdP is.
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    pub status: ConnectionStatus,
    /// Our entity id, to paste into the IdP (Okta: Audience URI; Entra: Identifier).
    pub entity_id: String,
    /// Where the IdP posts its responses (Okta: Single sign-on URL; Entra: Reply URL).
    pub acs_url: String,
    /// Our metadata for this connection.
    pub sp_metadata_url: String,
    /// The IdP's entity id; absent while it is not known yet.
    #[oai(skip_serializing_if_is_none)]
    pub idp_entity_id: Option<String>,
    /// The IdP's sign-on address; absent while it is not known yet.
    #[oai(skip_serializing_if_is_none)]
    pub sso_url: Option<String>,
    /// The IdP's signing certificates: a response signed by any of them is accepted.
    pub certificates: Vec<CertificateView>,
    pub attribute_mapping: MappingView,
    /// Whether requests are signed (RSA-SHA256), by the current signing key of the connection.
    pub sign_requests: bool,
    /// The NameID format that requests ask for; absent: none.
    #[oai(skip_serializing_if_is_none)]
    pub name_id_format: Option<SamlNameIdFormat>,
    /// Whether requests make the IdP ask for credentials again.
    pub force_authn: bool,
    /// The authentication context classes that requests ask for and that alone are accepted; empty: any.
    pub requested_authn_contexts: Vec<String>,
    /// Whether an assertion that is not encrypted is refused.
    pub require_encryption: bool,
    pub level: SamlLevel,
    /// The domains that the connection serves; those that are not verified take effect once they are.
    pub domain_ids: Vec<String>,
    /// Such as certificates that expired; empty if all is well.
    pub warnings: Vec<WarningView>,
    pub created_at: Time,
    pub updated_at: Time,
}

impl ConnectionView {
    /// The connection as this caller sees it now.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row that cannot be read again.
    pub fn new(caller: &Caller, assigned: &Assigned) -> Result<Self, Error> {
        let row = &assigned.connection;
        let urls = connections::sp_urls(&caller.services().settings, row.id);
        let certificates = connections::certificates(row)?;
        let now = caller.ctx.now.to_datetime();
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            kind: row.kind,
            status: row.status,
            entity_id: urls.entity_id,
            acs_url: urls.acs_url,
            sp_metadata_url: urls.metadata_url,
            idp_entity_id: known(&row.idp_entity_id),
            sso_url: known(&row.sso_url),
            warnings: certificates.iter().filter_map(|c| warning(c, now)).collect(),
            certificates: certificates.iter().map(CertificateView::from).collect(),
            attribute_mapping: connections::attribute_mapping(row)?.into(),
            sign_requests: row.sign_requests,
            name_id_format: row.name_id_format,
            force_authn: row.force_authn,
            requested_authn_contexts: connections::options::authn_contexts(row)?,
            require_encryption: row.require_encryption,
            level: row.level,
            domain_ids: assigned.domains.iter().map(|d| d.id.to_string()).collect(),
            created_at: row.created_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
        })
    }
}

/// Names of attributes (JSON Merge Patch: absent leaves alone, `null` takes the usual names again).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct SetAttributeMapping {
    pub email: MaybeUndefined<String>,
    pub given_name: MaybeUndefined<String>,
    pub family_name: MaybeUndefined<String>,
    pub display_name: MaybeUndefined<String>,
    /// An attribute that never changes and is never given to somebody else, such as Okta's `user.id`.
    pub subject: MaybeUndefined<String>,
    pub groups: MaybeUndefined<String>,
}

impl From<SetAttributeMapping> for GivenMapping {
    fn from(set: SetAttributeMapping) -> Self {
        Self {
            email: patch(set.email),
            given_name: patch(set.given_name),
            family_name: patch(set.family_name),
            display_name: patch(set.display_name),
            subject: patch(set.subject),
            groups: patch(set.groups),
        }
    }
}

/// A new SAML connection. What the IdP says of itself comes as `metadata_xml`, or as the three fields by hand, or
/// later: a draft may know nothing of its IdP, because most IdPs ask for our addresses first.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CreateSamlConnection {
    /// 1 to 100 characters.
    pub name: String,
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    /// The IdP's metadata document, at most 256 KiB.
    pub metadata_xml: Option<String>,
    pub idp_entity_id: Option<String>,
    /// An https URL (plain http on loopback only).
    pub sso_url: Option<String>,
    /// 1 to 10 signing certificates, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    pub attribute_mapping: Option<SetAttributeMapping>,
    /// Sign requests (RSA-SHA256).
    pub sign_requests: Option<bool>,
    /// The NameID format to ask for.
    pub name_id_format: Option<SamlNameIdFormat>,
    /// Have the IdP ask for credentials again at each sign-in.
    pub force_authn: Option<bool>,
    /// Authentication context classes (URIs, at most 10) to ask for; an assertion with another one is refused.
    pub requested_authn_contexts: Option<Vec<String>>,
    /// Refuse assertions that are not encrypted.
    pub require_encryption: Option<bool>,
    /// `sl2` signs requests and needs `requested_authn_contexts`.
    pub level: Option<SamlLevel>,
    /// Domains of the organization that the connection is to serve. Needs the right to change trust.
    pub domain_ids: Option<Vec<String>>,
}

/// Changes of a SAML connection (JSON Merge Patch). While it is active, everything but `name` and `type` needs the
/// right to change trust; `domain_ids` always does.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateSamlConnection {
    /// 1 to 100 characters.
    pub name: Option<String>,
    #[oai(rename = "type")]
    pub kind: Option<ConnectionType>,
    /// The IdP's metadata document, at most 256 KiB; takes the place of the three fields below.
    pub metadata_xml: Option<String>,
    /// Another entity id is another IdP: the links to the old one are void.
    pub idp_entity_id: Option<String>,
    /// An https URL (plain http on loopback only).
    pub sso_url: Option<String>,
    /// All signing certificates, 1 to 10, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    /// `null` clears the whole mapping.
    pub attribute_mapping: MaybeUndefined<SetAttributeMapping>,
    /// Sign requests (RSA-SHA256).
    pub sign_requests: Option<bool>,
    /// The NameID format to ask for; `null` asks for none.
    pub name_id_format: MaybeUndefined<SamlNameIdFormat>,
    /// Have the IdP ask for credentials again at each sign-in.
    pub force_authn: Option<bool>,
    /// All authentication context classes (URIs, at most 10) to ask for; an assertion with another one is refused.
    pub requested_authn_contexts: Option<Vec<String>>,
    /// Refuse assertions that are not encrypted.
    pub require_encryption: Option<bool>,
    /// `sl2` signs requests and needs `requested_authn_contexts`.
    pub level: Option<SamlLevel>,
    /// All domains that the connection is to serve.
    pub domain_ids: Option<Vec<String>>,
}

/// The IdP's facts among the fields of a request.
pub const fn given(
    metadata_xml: Option<String>,
    idp_entity_id: Option<String>,
    sso_url: Option<String>,
    certificates: Option<Vec<String>>,
) -> GivenFacts {
    GivenFacts { metadata_xml, idp_entity_id, sso_url, certificates }
}

/// How a connection is switched on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct ActivateSamlConnection {
    /// Switch it on although nobody has signed in through it as a test.
    #[oai(default)]
    pub skip_test: bool,
}
