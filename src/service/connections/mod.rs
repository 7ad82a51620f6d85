//! SAML connections: drafted by administrators, switched on by who may change trust (rule 10a).
//!
//! A draft may know nothing of its IdP yet, because the IdP wants our addresses first. What an active connection
//! trusts, and which domains any connection serves, only a change of trust alters; an active connection is always
//! complete.

pub mod certificates;
pub mod drafts;
pub mod expiry;
pub mod facts;
pub mod metadata;
pub mod options;
pub mod pending;
pub mod refresh;

pub use crate::store::connections::Connection;
pub use crate::store::idp_metadata::IdpMetadata;
pub use certificates::{HeldCertificate, active as active_certificates, held as held_certificates};
pub use facts::{GivenFacts, GivenMapping, GivenSlo, attribute_mapping};
pub use options::GivenOptions;

use super::connection_tests::trust;
use super::enforcement::ways;
use super::organizations::{difference, expect_version, reach};
use super::permissions::{Action, may};
use super::{Ctx, Error, FieldError, Services, Settings, saml_keys};
use crate::model::connection_ids;
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, DomainId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::saml::{SamlLevel, SamlNameIdFormat};
use crate::model::state::{ConnectionStatus, ConnectionType};
use crate::model::tenant::TenantScope;
use crate::protocol::saml::{AttributeMapping, Certificate, SpMetadata};
use crate::store::domains::Domain;
use crate::store::{self, Conn, Tx};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MAX_NAME: usize = 100;
/// How many domains one connection serves at most.
const MOST_DOMAINS: usize = 200;

/// A connection with the domains that are assigned to it, verified or not, and what is known of its metadata.
#[derive(Debug, Clone)]
pub struct Assigned {
    pub connection: Connection,
    pub domains: Vec<Domain>,
    pub metadata: Option<IdpMetadata>,
}

/// A connection with what belongs to it.
async fn assigned(conn: &impl Conn, scope: TenantScope, connection: Connection) -> Result<Assigned, Error> {
    let domains = store::domains::list_of_connection(conn, scope, connection.id).await?;
    let metadata = store::idp_metadata::find(conn, scope, connection.id).await?;
    Ok(Assigned { connection, domains, metadata })
}

/// Our side of a connection: what an administrator pastes into the IdP. Bare UUIDs, no underscores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpUrls {
    pub entity_id: String,
    pub acs_url: String,
    pub slo_url: String,
    pub metadata_url: String,
}

/// Our side of the connection with this id.
pub fn sp_urls(settings: &Settings, id: ConnectionId) -> SpUrls {
    let entity_id = settings.url(&format!("/saml/{}", id.uuid()));
    SpUrls {
        acs_url: format!("{entity_id}/acs"),
        slo_url: format!("{entity_id}/slo"),
        metadata_url: format!("{entity_id}/metadata"),
        entity_id,
    }
}

/// What a new connection is made of.
#[derive(Debug, Clone)]
pub struct CreateConnection {
    pub name: String,
    pub kind: ConnectionType,
    pub facts: GivenFacts,
    pub attribute_mapping: GivenMapping,
    pub options: GivenOptions,
    /// A change of trust if there are any.
    pub domain_ids: Vec<DomainId>,
    /// Whether the sign-in log shows the values of attributes.
    pub unmask_sign_in_attributes: bool,
}

/// What is to change; `None` leaves alone.
#[derive(Debug, Clone, Default)]
pub struct UpdateConnection {
    pub name: Option<String>,
    pub kind: Option<ConnectionType>,
    pub facts: GivenFacts,
    /// `Some(None)` clears the whole mapping.
    pub attribute_mapping: Option<Option<GivenMapping>>,
    pub options: GivenOptions,
    /// All domains that the connection is to serve; any difference is a change of trust.
    pub domain_ids: Option<Vec<DomainId>>,
    pub unmask_sign_in_attributes: Option<bool>,
}

fn missing() -> Error {
    Error::not_found("SAML connection")
}

fn check_name(name: &str, errors: &mut Vec<FieldError>) -> String {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        errors.push(FieldError {
            field: "name".to_owned(),
            code: "name_invalid",
            message: format!("A name has 1 to {MAX_NAME} characters and no control characters."),
        });
    }
    name.to_owned()
}

fn check_domains(ids: &[DomainId], errors: &mut Vec<FieldError>) {
    if ids.len() > MOST_DOMAINS {
        errors.push(FieldError {
            field: "domain_ids".to_owned(),
            code: "too_many",
            message: format!("{} were given; a connection serves at most {MOST_DOMAINS} domains.", ids.len()),
        });
    }
}

fn stored_mapping(mapping: &AttributeMapping) -> Result<Value, Error> {
    serde_json::to_value(mapping).map_err(|error| Error::Internal(error.to_string()))
}

/// Makes a draft.
///
/// # Errors
/// [`Error::Invalid`] naming each wrong field; [`Error::Forbidden`] where domains are assigned without the right to
/// change trust.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: CreateConnection,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let mut errors = Vec::new();
    let name = check_name(&new.name, &mut errors);
    let mapping = facts::merge(AttributeMapping::default(), new.attribute_mapping, &mut errors);
    check_domains(&new.domain_ids, &mut errors);
    let mut connection = Connection {
        id: ConnectionId::new(ctx.now, &*services.random),
        organization_id: organization,
        name,
        kind: new.kind,
        status: ConnectionStatus::Draft,
        idp_entity_id: String::new(),
        sso_url: String::new(),
        slo_url: None,
        slo_response_url: None,
        slo_binding: None,
        certificates: json!([]),
        certificates_warn_at: None,
        attribute_mapping: stored_mapping(&mapping)?,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
        keys_version: 0,
        sign_requests: false,
        name_id_format: None,
        force_authn: false,
        requested_authn_contexts: json!([]),
        require_encryption: false,
        level: SamlLevel::Sl1,
        unmask_sign_in_attributes: new.unmask_sign_in_attributes,
        activated_without_test: false,
        idp_initiated: false,
        activated_at: None,
    };
    options::apply(&mut connection, new.options, &mut errors);
    if !new.domain_ids.is_empty() {
        may(ctx, organization, Action::ChangeTrust)?;
    }
    let facts = metadata::facts(services, ctx, new.facts, (scope, None), &mut errors).await?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    facts::put(&mut connection, &facts, ctx.now)?;
    let tx = services.begin().await?;
    store::organizations::find(&tx, scope).await?.ok_or_else(|| Error::not_found("organization"))?;
    store::connections::insert(&tx, connection.clone()).await?;
    metadata::keep(services, &tx, ctx, &connection, &facts, metadata::Url::AsIs).await?;
    let data = json!({ "name": connection.name, "type": connection.kind });
    services.record(&tx, ctx, organization, EventKind::ConnectionCreated, connection.id, data).await?;
    assign(services, &tx, ctx, scope, connection.id, &new.domain_ids).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// Makes the connection serve exactly these domains, beside the other connections that serve them. The caller has locked the connection's row and checked the right to change trust
/// where there is a difference.
async fn assign(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    connection: ConnectionId,
    wanted: &[DomainId],
) -> Result<(), Error> {
    let wanted: BTreeSet<DomainId> = wanted.iter().copied().collect();
    let present = store::domains::list_of_connection(tx, scope, connection).await?;
    let taken_away = present.iter().any(|domain| !wanted.contains(&domain.id));
    let touched: BTreeSet<DomainId> = present.iter().map(|d| d.id).chain(wanted.iter().copied()).collect();
    // In the order of their ids, so that two such changes never wait for each other.
    for id in touched {
        let Some(mut domain) = store::domains::lock(tx, scope, id).await? else {
            if wanted.contains(&id) {
                let message = format!("This organization has no domain {id}.");
                return Err(Error::field("domain_ids", "domain_not_found", message));
            }
            continue;
        };
        let before = domain.connection_ids.clone();
        if wanted.contains(&id) {
            domain.connection_ids.add(connection);
        } else {
            domain.connection_ids.remove(connection);
        }
        if domain.connection_ids == before {
            continue;
        }
        if domain.connection_ids.as_slice().len() > connection_ids::MOST {
            let message = format!(
                "{} is served by {} connections, the most there can be.",
                domain.name,
                connection_ids::MOST
            );
            return Err(Error::field("domain_ids", "too_many", message));
        }
        let changed = json!({ "connection_ids": { "from": before, "to": domain.connection_ids } });
        domain.updated_at = ctx.now;
        store::domains::update(tx, scope, domain).await?;
        let data = json!({ "changed": changed });
        services.record(tx, ctx, scope.organization(), EventKind::DomainUpdated, id, data).await?;
    }
    if taken_away { ways::check_left(tx, scope).await } else { Ok(()) }
}

/// The organization's connections.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    request: &PageRequest,
) -> Result<Page<Assigned>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadConnections).await?;
    let page = store::connections::list(&services.db, scope, request).await?;
    let ids: Vec<ConnectionId> = page.data.iter().map(|c| c.id).collect();
    let domains = store::domains::list_of_connections(&services.db, scope, &ids).await?;
    let metadata = store::idp_metadata::list(&services.db, scope, &ids).await?;
    Ok(page.map(|connection| {
        let own = domains.iter().filter(|d| d.connection_ids.contains(connection.id)).cloned().collect();
        let metadata = metadata.iter().find(|m| m.connection_id == connection.id).cloned();
        Assigned { connection, domains: own, metadata }
    }))
}

/// One connection.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    let connection = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    assigned(&services.db, scope, connection).await
}

/// Changes a connection. While it is active, whatever it trusts needs the right to change trust; its name and type
/// are free. A new entity id is another IdP: the links to the old one are void (rule 10a).
///
/// # Errors
/// [`Error::Invalid`] naming each wrong field; [`Error::Forbidden`]; [`Error::PreconditionFailed`].
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    expected: Option<i64>,
    change: UpdateConnection,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let mut errors = Vec::new();
    let name = change.name.as_deref().map(|name| check_name(name, &mut errors));
    check_domains(change.domain_ids.as_deref().unwrap_or_default(), &mut errors);
    let url = metadata::Url::given(&change.facts);
    let facts =
        metadata::facts(services, ctx, change.facts, (scope, Some((id, expected))), &mut errors).await?;
    let tx = services.begin().await?;
    let before = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, before.version)?;
    let mapping = match change.attribute_mapping {
        None => attribute_mapping(&before)?,
        Some(None) => AttributeMapping::default(),
        Some(Some(given)) => facts::merge(attribute_mapping(&before)?, given, &mut errors),
    };
    let mut after = before.clone();
    facts::put(&mut after, &facts, ctx.now)?;
    options::apply(&mut after, change.options, &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    after.attribute_mapping = stored_mapping(&mapping)?;
    let other_source = metadata::check_source(&tx, scope, &before, &facts, url).await?;
    let trusts_otherwise = after != before || other_source.is_some();
    if let Some(name) = name {
        after.name = name;
    }
    if let Some(kind) = change.kind {
        after.kind = kind;
    }
    if let Some(unmask) = change.unmask_sign_in_attributes {
        after.unmask_sign_in_attributes = unmask;
    }
    let domains = store::domains::list_of_connection(&tx, scope, id).await?;
    let other_domains = change.domain_ids.filter(|wanted| {
        let wanted: BTreeSet<DomainId> = wanted.iter().copied().collect();
        wanted != domains.iter().map(|d| d.id).collect()
    });
    if after == before && other_domains.is_none() && facts.document.is_none() && other_source.is_none() {
        return assigned(&tx, scope, before).await;
    }
    if other_domains.is_some() || (trusts_otherwise && before.status == ConnectionStatus::Active) {
        may(ctx, organization, Action::ChangeTrust)?;
    }
    let mut data = difference(&Ok(shown(&before)?), &Ok(shown(&after)?));
    if after.idp_entity_id != before.idp_entity_id {
        let voided = store::links::delete_of_connection(&tx, scope, id).await?;
        store::pending_links::delete_of_connection(&tx, scope, id).await?;
        if let Value::Object(data) = &mut data {
            data.insert("links_voided".to_owned(), voided.into());
        }
    }
    if let (Some(source), Some(Value::Object(changed))) = (&other_source, data.get_mut("changed")) {
        changed.insert("metadata_url".to_owned(), source.clone());
    }
    if after != before || other_source.is_some() {
        services.record(&tx, ctx, organization, EventKind::ConnectionUpdated, id, data).await?;
    }
    if let Some(wanted) = other_domains {
        assign(services, &tx, ctx, scope, id, &wanted).await?;
    }
    metadata::keep(services, &tx, ctx, &after, &facts, url).await?;
    after.updated_at = ctx.now;
    let connection = store::connections::update(&tx, scope, after).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// What events show of a connection: fingerprints instead of certificates.
fn shown(connection: &Connection) -> Result<Value, Error> {
    let certificates = active_certificates(connection)?;
    let fingerprints: Vec<&str> = certificates.iter().map(Certificate::fingerprint).collect();
    let mut shown = json!({
        "name": connection.name,
        "type": connection.kind,
        "idp_entity_id": connection.idp_entity_id,
        "sso_url": connection.sso_url,
        "slo_url": connection.slo_url,
        "slo_response_url": connection.slo_response_url,
        "slo_binding": connection.slo_binding,
        "certificates": fingerprints,
        "attribute_mapping": connection.attribute_mapping,
        "unmask_sign_in_attributes": connection.unmask_sign_in_attributes,
    });
    options::show(connection, &mut shown);
    Ok(shown)
}

/// Switches a connection on, once a test sign-in has passed with what it trusts now, or where who does it says
/// `skip_test`.
///
/// # Errors
/// 409 `connection_incomplete` naming the facts that are missing; 409 `test_sign_in_required`; [`Error::Forbidden`].
pub async fn activate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    skip_test: bool,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let tx = services.begin().await?;
    let mut connection = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    let domains = store::domains::list_of_connection(&tx, scope, id).await?;
    if connection.status == ConnectionStatus::Active {
        return assigned(&tx, scope, connection).await;
    }
    let lacking = facts::missing(&connection);
    if !lacking.is_empty() {
        return Err(Error::conflict(
            "connection_incomplete",
            format!(
                "The connection does not know its IdP yet: {} missing. Give metadata_xml or these fields first.",
                lacking.join(", ")
            ),
        ));
    }
    let tested = store::connection_tests::has_passed(&tx, scope, id, &trust(&connection)?).await?;
    if !tested && !skip_test {
        return Err(Error::conflict(
            "test_sign_in_required",
            "No test sign-in has passed with what the connection trusts now. POST …/test gives the link of one; send \
             {\"skip_test\": true} to switch it on without.",
        ));
    }
    connection.activated_without_test = !tested;
    connection.activated_at = Some(ctx.now);
    connection.status = ConnectionStatus::Active;
    connection.updated_at = ctx.now;
    let connection = store::connections::update(&tx, scope, connection).await?;
    let data = json!({
        "idp_entity_id": connection.idp_entity_id,
        "tested": tested,
        "skip_test": skip_test,
        "domains": domains.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(),
    });
    services.record(&tx, ctx, organization, EventKind::ConnectionActivated, id, data).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// Switches a connection off: nobody signs in through it from now on. Sessions and links stay.
///
/// # Errors
/// 409 `last_enforced_connection` for the last one of people who come in through SAML alone.
pub async fn deactivate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let mut connection = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    if connection.status != ConnectionStatus::Active {
        return assigned(&tx, scope, connection).await;
    }
    connection.status = ConnectionStatus::Inactive;
    connection.updated_at = ctx.now;
    let connection = store::connections::update(&tx, scope, connection).await?;
    ways::check_left(&tx, scope).await?;
    services.record(&tx, ctx, organization, EventKind::ConnectionDeactivated, id, json!({})).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// Deletes a connection that is not active, with its links; sessions made through it end, its domains are free.
///
/// # Errors
/// 409 `connection_active`; [`Error::PreconditionFailed`].
pub async fn delete(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    expected: Option<i64>,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let connection = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, connection.version)?;
    if connection.status == ConnectionStatus::Active {
        return Err(Error::conflict(
            "connection_active",
            "People sign in through this connection. Deactivate it first, then delete it.",
        ));
    }
    assign(services, &tx, ctx, scope, id, &[]).await?;
    let sessions = store::sessions::end_of_connection(&tx, scope, id, ctx.now).await?;
    let links = store::links::delete_of_connection(&tx, scope, id).await?;
    store::pending_links::delete_of_connection(&tx, scope, id).await?;
    store::sign_in_attempts::delete_of_connection(&tx, scope, id).await?;
    store::saml_keys::delete_of_connection(&tx, scope, id).await?;
    store::idp_metadata::delete(&tx, scope, id).await?;
    store::connection_tests::delete_of_connection(&tx, scope, id).await?;
    store::connection_drafts::delete(&tx, scope, id).await?;
    store::connections::delete(&tx, scope, id).await?;
    let data = json!({ "name": connection.name, "links_removed": links, "sessions_ended": sessions });
    services.record(&tx, ctx, organization, EventKind::ConnectionDeleted, id, data).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(())
}

/// Our metadata for a connection, to hand to the IdP; for drafts too. Makes the keys that it shows, if there are none.
/// The id in the address is what names it.
///
/// # Errors
/// [`Error::NotFound`] if there is none.
pub async fn sp_metadata(services: &Services, id: ConnectionId) -> Result<String, Error> {
    let connection = store::connections::find_by_url_id(&services.db, id).await?.ok_or_else(missing)?;
    let urls = sp_urls(&services.settings, id);
    saml_keys::ensure_needed(services, &connection, services.clock.now()).await?;
    let (signing, encryption) = saml_keys::published(services, &connection).await?;
    let metadata = SpMetadata {
        entity_id: &urls.entity_id,
        acs_url: &urls.acs_url,
        slo_url: connection.slo_url.is_some().then_some(&*urls.slo_url),
        signing,
        encryption,
        sign_requests: connection.sign_requests,
        name_id_format: connection.name_id_format.map(SamlNameIdFormat::uri),
    };
    Ok(metadata.to_xml())
}
