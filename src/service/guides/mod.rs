//! Set-up guides: for every type of IdP, how to connect it by SAML ([`of_connection`]) and how to let it provision by
//! SCIM ([`of_directory`]), step by step in the IdP's own words, with the organization's true values filled in.
//!
//! The texts stand in `saml/*.md` and `scim/*.md`, the names of fields in [`Console`]: the same table that refusals
//! take their words from. Every value gets in escaped ([`Markdown`]), and nothing of another organization is near.

mod markdown;
mod saml;
mod scim;
mod template;

pub use markdown::Markdown;

use super::permissions::{Action, may};
use super::{Ctx, Error, Services, connections, directories};
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::state::{ConnectionType, DomainStatus};
use crate::protocol::saml::Console;
use crate::protocol::saml::console::Words;
use crate::store;
use markdown::table;
use template::{Part, TemplateError, Values};

/// Where sign-in begins, for people.
const SIGN_IN: &str = "/login";

/// How far an IdP can provision by SCIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioning {
    /// Into any service that speaks SCIM.
    Full,
    /// Only into services of its own catalogue.
    Limited,
    /// Not at all.
    None,
}

/// A type of IdP and what can be read about it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub kind: ConnectionType,
    /// What people call the product.
    pub product: &'static str,
    pub provisioning: Provisioning,
}

/// One field of the IdP's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldValue {
    /// What the console calls it.
    pub idp_field: String,
    /// What belongs into it.
    pub value: String,
    /// Whether the value is to be copied letter by letter, rather than chosen or left out.
    pub copyable: bool,
    /// What the field is in the words of SAML or SCIM.
    pub meaning: String,
}

/// A part of a guide.
#[derive(Debug, Clone)]
pub struct Section {
    /// The same for the same step at every type.
    pub id: &'static str,
    pub title: String,
    pub markdown: String,
}

/// A guide, filled.
#[derive(Debug, Clone)]
pub struct Guide {
    pub kind: ConnectionType,
    pub title: String,
    pub sections: Vec<Section>,
    pub fields: Vec<FieldValue>,
}

impl Guide {
    /// The whole guide as one Markdown document.
    pub fn text(&self) -> String {
        let sections = self.sections.iter().map(|s| format!("\n## {}\n\n{}\n", s.title, s.markdown));
        format!("# {}\n{}", self.title, sections.collect::<String>())
    }
}

/// All types that there are guides for.
pub fn kinds() -> impl Iterator<Item = Kind> {
    ConnectionType::ALL.iter().map(|&kind| Kind {
        kind,
        product: words(kind).product,
        provisioning: provisioning(kind),
    })
}

const fn provisioning(kind: ConnectionType) -> Provisioning {
    match kind {
        ConnectionType::Google => Provisioning::Limited,
        ConnectionType::Adfs | ConnectionType::Keycloak => Provisioning::None,
        _ => Provisioning::Full,
    }
}

/// How to connect the IdP of a connection by SAML.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], as for reading the connection.
pub async fn of_connection(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Guide, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    let found = connections::find(services, ctx, organization, id).await?;
    let named = store::organizations::find(&services.db, scope).await?;
    let row = &found.connection;
    let facts = saml::Facts {
        kind: row.kind,
        organization,
        organization_name: named.ok_or_else(|| Error::not_found("organization"))?.name,
        connection: row.id,
        connection_name: row.name.clone(),
        status: row.status,
        urls: connections::sp_urls(&services.settings, row.id),
        public_url: services.settings.public_url.clone(),
        sign_in_url: services.settings.url(SIGN_IN),
        domains: found
            .domains
            .iter()
            .map(|domain| (domain.name.to_string(), domain.status == DomainStatus::Verified))
            .collect(),
        mapping: connections::attribute_mapping(row)?,
        idp_entity_id: row.idp_entity_id.clone(),
        sso_url: row.sso_url.clone(),
        certificates: connections::active_certificates(row)?,
        metadata_source: found.metadata.as_ref().and_then(|metadata| metadata.url.clone()),
        name_id_format: row.name_id_format,
        sign_requests: row.sign_requests,
        force_authn: row.force_authn,
        authn_contexts: connections::options::authn_contexts(row)?,
        require_encryption: row.require_encryption,
    };
    saml::guide(&facts).map_err(unfit)
}

/// How to let an IdP of this type provision into the organization's directory.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], as for reading the directory.
pub async fn of_directory(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    kind: ConnectionType,
) -> Result<Guide, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let named = store::organizations::find(&services.db, scope).await?;
    let domains = store::domains::list_of_directory(&services.db, scope).await?;
    let facts = scim::Facts {
        kind,
        organization,
        organization_name: named.ok_or_else(|| Error::not_found("organization"))?.name,
        public_url: services.settings.public_url.clone(),
        base_url: directories::base_url(services),
        token_endpoint: super::scim_oauth::token_endpoint(services),
        domains: domains.iter().map(|domain| domain.name.to_string()).collect(),
    };
    scim::guide(&facts).map_err(unfit)
}

/// The words of a type's console.
fn words(kind: ConnectionType) -> &'static Words {
    Console::from_type(kind.as_str()).words()
}

/// A text that does not fit its values; the tests render every one.
fn unfit(error: TemplateError) -> Error {
    Error::Internal(error.to_string())
}

/// Sections of both texts in the order of `order`, filled; those that `order` does not name are left out.
fn sections(parts: &[Part], order: &[&'static str], values: &Values) -> Result<Vec<Section>, TemplateError> {
    let named = order.iter().filter_map(|id| parts.iter().find(|part| part.id == *id));
    let filled = named.map(|part| {
        let markdown = template::fill(part.body, values)?;
        Ok(Section { id: part.id, title: part.title.to_owned(), markdown })
    });
    filled.collect()
}

/// The table of fields as the guide shows it.
fn field_table(fields: &[FieldValue]) -> Markdown {
    let rows = fields.iter().map(|field| {
        let value = if field.copyable {
            Markdown::code(&field.value)
        } else {
            Markdown::ours(format!("*{}*", field.value))
        };
        [Markdown::ours(format!("**{}**", field.idp_field)), value, Markdown::ours(field.meaning.clone())]
    });
    table(["Field", "Value", "What it is"], rows)
}

/// Domains as a part of a sentence.
fn domain_list<'a>(names: impl Iterator<Item = (&'a str, bool)>) -> Option<Markdown> {
    let shown = names.map(|(name, verified)| {
        let name = Markdown::code(name);
        if verified { name.as_str().to_owned() } else { format!("{} (not verified yet)", name.as_str()) }
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| Markdown::ours(shown.join(", ")))
}
