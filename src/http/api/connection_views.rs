//! The shapes of SAML connections: what goes in and what comes out. The operations stand in `connections`.

use super::caller::Caller;
use super::connection_trust_views::{CertificateView, MetadataView, WarningView};
use super::dto::Time;
use super::organizations::patch;
use crate::model::saml::{SamlLevel, SamlNameIdFormat};
use crate::model::state::{ConnectionStatus, ConnectionType, SloBinding};
use crate::protocol::saml::AttributeMapping;
use crate::service::Error;
use crate::service::connections::{self, Assigned, GivenFacts, GivenMapping, GivenSlo};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

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
    /// Where the IdP sends log-out requests and responses, by HTTP-Redirect or HTTP-POST, signed.
    pub sp_slo_url: String,
    /// Our metadata for this connection.
    pub sp_metadata_url: String,
    /// The IdP's entity id; absent while it is not known yet.
    #[oai(skip_serializing_if_is_none)]
    pub idp_entity_id: Option<String>,
    /// The IdP's sign-on address; absent while it is not known yet.
    #[oai(skip_serializing_if_is_none)]
    pub sso_url: Option<String>,
    /// Where the IdP takes log-out requests; absent where it takes none.
    #[oai(skip_serializing_if_is_none)]
    pub slo_url: Option<String>,
    /// Where the IdP takes log-out responses, if that is elsewhere.
    #[oai(skip_serializing_if_is_none)]
    pub slo_response_url: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub slo_binding: Option<SloBinding>,
    /// The IdP's signing certificates: a response signed by any of the `active` ones is accepted.
    pub certificates: Vec<CertificateView>,
    /// Where the facts of the IdP are fetched from; absent where they were given otherwise.
    #[oai(skip_serializing_if_is_none)]
    pub metadata_url: Option<String>,
    /// The metadata that they come from, fetched or pasted.
    #[oai(skip_serializing_if_is_none)]
    pub metadata: Option<MetadataView>,
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
    /// Whether a sign-in may begin at the IdP, at a tile in its list of applications.
    pub idp_initiated: bool,
    /// The domains that the connection serves; those that are not verified take effect once they are.
    pub domain_ids: Vec<String>,
    /// Such as certificates that expired; empty if all is well.
    pub warnings: Vec<WarningView>,
    /// Whether the sign-in log shows the values of attributes; else only their first letters and lengths.
    pub unmask_sign_in_attributes: bool,
    /// Whether it was switched on although no test sign-in had passed, and none has since.
    pub activated_without_test: bool,
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
        let held = connections::held_certificates(row)?;
        let now = caller.ctx.now.to_datetime();
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            kind: row.kind,
            status: row.status,
            entity_id: urls.entity_id,
            acs_url: urls.acs_url,
            sp_slo_url: urls.slo_url,
            sp_metadata_url: urls.metadata_url,
            idp_entity_id: known(&row.idp_entity_id),
            sso_url: known(&row.sso_url),
            slo_url: row.slo_url.clone(),
            slo_response_url: row.slo_response_url.clone(),
            slo_binding: row.slo_binding,
            warnings: WarningView::all(assigned, &held, now)?,
            certificates: held.iter().map(|held| CertificateView::new(held, now)).collect(),
            metadata_url: assigned.metadata.as_ref().and_then(|metadata| metadata.url.clone()),
            metadata: assigned.metadata.as_ref().map(MetadataView::new).transpose()?,
            attribute_mapping: connections::attribute_mapping(row)?.into(),
            sign_requests: row.sign_requests,
            name_id_format: row.name_id_format,
            force_authn: row.force_authn,
            requested_authn_contexts: connections::options::authn_contexts(row)?,
            require_encryption: row.require_encryption,
            level: row.level,
            idp_initiated: row.idp_initiated,
            domain_ids: assigned.domains.iter().map(|d| d.id.to_string()).collect(),
            unmask_sign_in_attributes: row.unmask_sign_in_attributes,
            activated_without_test: row.activated_without_test,
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

/// A new SAML connection. What the IdP says of itself comes from `metadata_url`, as `metadata_xml`, or as the three
/// fields by hand, or later: a draft may know nothing of its IdP, because most IdPs ask for our addresses first.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CreateSamlConnection {
    /// 1 to 100 characters.
    pub name: String,
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    /// Where the IdP publishes its metadata (https): fetched now, and each day from then on.
    pub metadata_url: Option<String>,
    /// The IdP's metadata document, at most 256 KiB.
    pub metadata_xml: Option<String>,
    pub idp_entity_id: Option<String>,
    /// An https URL (plain http on loopback only).
    pub sso_url: Option<String>,
    /// 1 to 10 signing certificates, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    /// Where the IdP takes log-out requests (https); whoever signs out here is then sent there.
    pub slo_url: Option<String>,
    /// Where it takes log-out responses, if that is elsewhere.
    pub slo_response_url: Option<String>,
    /// How log-out messages reach it; by HTTP-Redirect if nothing is said.
    pub slo_binding: Option<SloBinding>,
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
    /// `sl2` signs requests, needs `requested_authn_contexts`, and switches `idp_initiated` off.
    pub level: Option<SamlLevel>,
    /// Let sign-ins begin at the IdP. Anybody can then be signed in as the sender of a link; refused at the level `sl2`.
    pub idp_initiated: Option<bool>,
    /// Domains of the organization that the connection is to serve. Needs the right to change trust.
    pub domain_ids: Option<Vec<String>>,
    /// Whether the sign-in log shows the values of attributes from now on; else only their first letters and lengths.
    #[oai(default)]
    pub unmask_sign_in_attributes: bool,
}

/// Changes of a SAML connection (JSON Merge Patch). While it is active, everything but `name`, `type` and
/// `unmask_sign_in_attributes` needs the right to change trust; `domain_ids` always does.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateSamlConnection {
    /// 1 to 100 characters.
    pub name: Option<String>,
    #[oai(rename = "type")]
    pub kind: Option<ConnectionType>,
    /// Where the IdP publishes its metadata (https): fetched now, and each day from then on. `null` ends that; what was
    /// taken stays. While it is set, the facts can be given otherwise only together with `null`.
    pub metadata_url: MaybeUndefined<String>,
    /// The IdP's metadata document, at most 256 KiB; takes the place of the fields below that it speaks of.
    pub metadata_xml: Option<String>,
    /// Another entity id is another IdP: the links to the old one are void.
    pub idp_entity_id: Option<String>,
    /// An https URL (plain http on loopback only).
    pub sso_url: Option<String>,
    /// All signing certificates, 1 to 10, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    /// Where the IdP takes log-out requests (https); `null` ends single logout.
    pub slo_url: MaybeUndefined<String>,
    /// Where it takes log-out responses, if that is elsewhere.
    pub slo_response_url: MaybeUndefined<String>,
    /// How log-out messages reach it; by HTTP-Redirect if nothing is said.
    pub slo_binding: MaybeUndefined<SloBinding>,
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
    /// `sl2` signs requests, needs `requested_authn_contexts`, and switches `idp_initiated` off.
    pub level: Option<SamlLevel>,
    /// Let sign-ins begin at the IdP. Anybody can then be signed in as the sender of a link; refused at the level `sl2`.
    pub idp_initiated: Option<bool>,
    /// All domains that the connection is to serve.
    pub domain_ids: Option<Vec<String>>,
    /// Whether the sign-in log shows the values of attributes from now on; else only their first letters and lengths.
    pub unmask_sign_in_attributes: Option<bool>,
}

/// The IdP's facts among the fields of a request.
pub const fn given(
    metadata_url: Option<Option<String>>,
    metadata_xml: Option<String>,
    idp_entity_id: Option<String>,
    sso_url: Option<String>,
    certificates: Option<Vec<String>>,
    slo: GivenSlo,
) -> GivenFacts {
    GivenFacts { metadata_url, metadata_xml, idp_entity_id, sso_url, certificates, slo }
}

/// How a connection is switched on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct ActivateSamlConnection {
    /// Switch it on although nobody has signed in through it as a test.
    #[oai(default)]
    pub skip_test: bool,
}
