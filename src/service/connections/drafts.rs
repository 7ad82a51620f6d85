//! Drafted changes of an active connection (rule 10a): what it trusts is drafted by administrators, tried by a test
//! sign-in, looked at with what it would do to the links, and put in force by who may change trust. Until then the live
//! setting counts, and nothing of a draft touches anybody's sign-in.

use super::facts::{self, Document, Facts, GivenFacts, GivenMapping, Slo};
use super::{
    Assigned, Connection, active_certificates, assigned, attribute_mapping, metadata, missing, shown,
    stored_mapping,
};
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, ConnectionTestId, OrganizationId};
use crate::model::state::{ConnectionStatus, DomainStatus, FirstLink, MetadataSignature};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::{AttributeMapping, Certificate};
use crate::service::cache::KnownConnection;
use crate::service::connection_tests::trust;
use crate::service::organizations::{difference, expect_version};
use crate::service::permissions::{Action, may};
use crate::service::{Ctx, Error, Services};
use crate::store::connection_drafts::{ConnectionDraft, Linked};
use crate::store::{self, Conn};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What is drafted, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Drafted {
    idp_entity_id: Option<String>,
    sso_url: Option<String>,
    /// In PEM form.
    certificates: Option<Vec<String>>,
    mapping: Option<AttributeMapping>,
    document: Option<DraftedDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DraftedDocument {
    url: Option<String>,
    slo: Slo,
    /// In microseconds.
    valid_until: Option<i64>,
    name_id_formats: Vec<String>,
    wants_signed_requests: bool,
    signature: MetadataSignature,
}

impl Drafted {
    fn new(facts: Facts, mapping: Option<AttributeMapping>) -> Self {
        let pem = |all: Vec<Certificate>| all.iter().map(Certificate::to_pem).collect();
        Self {
            idp_entity_id: facts.idp_entity_id,
            sso_url: facts.sso_url,
            certificates: facts.certificates.map(pem),
            mapping,
            document: facts.document.map(|document| DraftedDocument {
                url: document.url,
                slo: document.slo,
                valid_until: document.valid_until.map(Timestamp::micros),
                name_id_formats: document.name_id_formats,
                wants_signed_requests: document.wants_signed_requests,
                signature: document.signature,
            }),
        }
    }

    fn of(row: &ConnectionDraft) -> Result<Self, Error> {
        serde_json::from_value(row.facts.clone()).map_err(|error| {
            Error::Internal(format!("the draft of {} cannot be read again: {error}", row.connection_id))
        })
    }

    fn facts(&self) -> Result<Facts, Error> {
        let read = |pem: &String| {
            Certificate::parse_text(pem)
                .map_err(|error| Error::Internal(format!("a drafted certificate: {error}")))
        };
        let certificates =
            self.certificates.as_ref().map(|all| all.iter().map(read).collect::<Result<Vec<_>, _>>());
        let document = self.document.as_ref().map(|document| Document {
            url: document.url.clone(),
            slo: document.slo.clone(),
            valid_until: document.valid_until.map(Timestamp::from_micros),
            name_id_formats: document.name_id_formats.clone(),
            wants_signed_requests: document.wants_signed_requests,
            signature: document.signature,
        });
        Ok(Facts {
            idp_entity_id: self.idp_entity_id.clone(),
            sso_url: self.sso_url.clone(),
            certificates: certificates.transpose()?.map(|all| all.into_iter().flatten().collect()),
            slo: facts::GivenSlo::default(),
            document,
        })
    }

    /// The connection with the draft in force.
    fn on(&self, live: &Connection, now: Timestamp) -> Result<Connection, Error> {
        let mut row = live.clone();
        facts::put(&mut row, &self.facts()?, now)?;
        if let Some(mapping) = &self.mapping {
            row.attribute_mapping = stored_mapping(mapping)?;
        }
        Ok(row)
    }
}

/// A draft, and what it would do.
#[derive(Debug)]
pub struct Draft {
    pub row: ConnectionDraft,
    /// The connection as it would be.
    pub connection: Connection,
    /// Where its facts would be fetched from each day.
    pub metadata_url: Option<String>,
    /// Whether a test sign-in has passed with it.
    pub tested: bool,
    pub relink: Relink,
}

/// What a change of the IdP does to the links; all nothing while the entity id stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relink {
    /// Whether it is another IdP.
    pub new_idp: bool,
    /// How many links are void by it.
    pub links_voided: u64,
    /// Members who are linked again by their address at their next sign-in.
    pub linked_by_address: u64,
    /// Members for whom an administrator confirms that first.
    pub to_be_confirmed: u64,
    /// Owners, who connect themselves: signed in, at our sign-in page.
    pub owners: u64,
}

async fn relink(
    conn: &impl Conn,
    scope: TenantScope,
    live: &Connection,
    drafted: &Connection,
) -> Result<Relink, Error> {
    if live.idp_entity_id == drafted.idp_entity_id {
        return Ok(Relink::default());
    }
    let organization = store::organizations::find(conn, scope).await?.ok_or_else(missing)?;
    let mut by_address = 0;
    for domain in store::domains::list_of_connection(conn, scope, live.id).await? {
        if domain.status == DomainStatus::Verified {
            let on_it = Linked::On(domain.name.as_str());
            by_address += store::connection_drafts::count_links(conn, scope, live.id, on_it).await?;
        }
    }
    let (linked_by_address, to_be_confirmed) = match organization.first_link {
        FirstLink::Address => (by_address, 0),
        FirstLink::Confirm => (0, by_address),
        FirstLink::Off => (0, 0),
    };
    Ok(Relink {
        new_idp: true,
        links_voided: store::connection_drafts::count_links(conn, scope, live.id, Linked::All).await?,
        linked_by_address,
        to_be_confirmed,
        owners: store::connection_drafts::count_links(conn, scope, live.id, Linked::Owners).await?,
    })
}

fn no_draft() -> Error {
    Error::not_found("draft of this SAML connection")
}

async fn looked_at(
    conn: &impl Conn,
    scope: TenantScope,
    live: &Connection,
    row: ConnectionDraft,
    now: Timestamp,
) -> Result<Draft, Error> {
    let drafted = Drafted::of(&row)?;
    let connection = drafted.on(live, now)?;
    let tested = store::connection_tests::has_passed(conn, scope, live.id, &trust(&connection)?).await?;
    let relink = relink(conn, scope, live, &connection).await?;
    let metadata_url = drafted.document.and_then(|document| document.url);
    Ok(Draft { row, connection, metadata_url, tested, relink })
}

/// Drafts a change of an active connection, in the place of any draft that there is.
///
/// # Errors
/// [`Error::Invalid`] naming each wrong field; 409 `connection_not_active` for one that is changed directly;
/// [`Error::Forbidden`].
pub async fn put(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    (given, mapping): (GivenFacts, Option<GivenMapping>),
) -> Result<Draft, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let found = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    active(&found)?;
    let mut errors = Vec::new();
    let facts = metadata::facts(services, ctx, given, (scope, None), &mut errors).await?;
    let tx = services.begin().await?;
    let live = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    active(&live)?;
    let before = attribute_mapping(&live)?;
    let mapping = mapping.map(|given| facts::merge(before, given, &mut errors));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let drafted = Drafted::new(facts, mapping);
    let after = drafted.on(&live, ctx.now)?;
    if trust(&after)? == trust(&live)? && drafted.document.is_none() {
        return Err(Error::field(
            "idp_entity_id",
            "nothing_drafted",
            "This draft changes nothing that the connection trusts: give metadata or fields that differ from what it has.",
        ));
    }
    let version = store::connection_drafts::find(&tx, scope, id).await?.map_or(1, |row| row.version + 1);
    let row = ConnectionDraft {
        connection_id: id,
        organization_id: organization,
        facts: serde_json::to_value(&drafted).map_err(|error| Error::Internal(error.to_string()))?,
        drafted_by: ctx.actor.id(),
        created_at: ctx.now,
        version,
    };
    store::connection_drafts::put(&tx, scope, row.clone()).await?;
    let mut data = difference(&Ok(shown(&live)?), &Ok(shown(&after)?));
    data["version"] = json!(version);
    services.record(&tx, ctx, organization, EventKind::ConnectionChangeDrafted, id, data).await?;
    let draft = looked_at(&tx, scope, &live, row, ctx.now).await?;
    tx.commit().await?;
    Ok(draft)
}

fn active(connection: &Connection) -> Result<(), Error> {
    if connection.status == ConnectionStatus::Active {
        return Ok(());
    }
    Err(Error::conflict(
        "connection_not_active",
        "Nobody signs in through this connection now, so nothing has to be drafted beside it: change the connection itself.",
    ))
}

/// The draft of a connection, with what it would do.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Draft, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    let live = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    let row = store::connection_drafts::find(&services.db, scope, id).await?.ok_or_else(no_draft)?;
    looked_at(&services.db, scope, &live, row, ctx.now).await
}

/// Drops a draft.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn remove(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    if !store::connection_drafts::delete(&tx, scope, id).await? {
        return Err(no_draft());
    }
    services.record(&tx, ctx, organization, EventKind::ConnectionChangeDropped, id, json!({})).await?;
    Ok(tx.commit().await?)
}

/// Puts a draft in force: a change of trust. Another entity id is another IdP, and the links to the one before are void.
///
/// # Errors
/// 409 `test_sign_in_required` unless a test sign-in passed with the draft or `skip_test` says so;
/// [`Error::PreconditionFailed`] where the draft is not the `expected` one; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn activate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    expected: Option<i64>,
    skip_test: bool,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let tx = services.begin().await?;
    let live = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    let row = store::connection_drafts::find(&tx, scope, id).await?.ok_or_else(no_draft)?;
    expect_version(expected, row.version)?;
    let drafted = Drafted::of(&row)?;
    let mut after = drafted.on(&live, ctx.now)?;
    let tested = store::connection_tests::has_passed(&tx, scope, id, &trust(&after)?).await?;
    if !tested && !skip_test {
        return Err(Error::conflict(
            "test_sign_in_required",
            "No test sign-in has passed with this draft. POST …/draft/test gives the link of one; send \
             {\"skip_test\": true} to put it in force without.",
        ));
    }
    after.activated_without_test = !tested;
    let mut data = difference(&Ok(shown(&live)?), &Ok(shown(&after)?));
    data["draft"] = json!({ "by": row.drafted_by, "version": row.version });
    data["tested"] = json!(tested);
    if after.idp_entity_id != live.idp_entity_id {
        data["links_voided"] = json!(store::links::delete_of_connection(&tx, scope, id).await?);
        store::pending_links::delete_of_connection(&tx, scope, id).await?;
        // What came through the IdP of before proves nothing of this one.
        after.activated_at = Some(ctx.now);
    }
    let facts = drafted.facts()?;
    if facts.idp_entity_id.is_some() || facts.sso_url.is_some() || facts.certificates.is_some() {
        // Metadata of before would undo it at the next fetch.
        let url = match drafted.document.and_then(|document| document.url) {
            Some(_) => metadata::Url::Set,
            None => metadata::Url::Cleared,
        };
        metadata::keep(services, &tx, ctx, &after, &facts, url).await?;
    }
    store::connection_drafts::delete(&tx, scope, id).await?;
    services.record(&tx, ctx, organization, EventKind::ConnectionUpdated, id, data).await?;
    after.updated_at = ctx.now;
    let connection = store::connections::update(&tx, scope, after).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// A connection with its draft in force, for a test of it; `None` if there is none.
///
/// # Errors
/// Those of the database.
pub(in crate::service) async fn tried(
    services: &Services,
    live: &Connection,
    now: Timestamp,
) -> Result<Option<Connection>, Error> {
    let scope = TenantScope::established(live.organization_id);
    let row = store::connection_drafts::find(&services.db, scope, live.id).await?;
    row.map(|row| Drafted::of(&row)?.on(live, now)).transpose()
}

/// What the response to a test is verified by: the draft, if the test is of one.
///
/// # Errors
/// Those of the database.
pub(in crate::service) async fn known_for(
    services: &Services,
    known: Arc<KnownConnection>,
    test: ConnectionTestId,
    now: Timestamp,
) -> Result<Arc<KnownConnection>, Error> {
    let scope = TenantScope::established(known.row.organization_id);
    let found = store::connection_tests::find(&services.db, scope, test).await?;
    if found.is_none_or(|test| !test.of_draft) {
        return Ok(known);
    }
    let Some(row) = tried(services, &known.row, now).await? else { return Ok(known) };
    let certificates = active_certificates(&row)?;
    let mapping = attribute_mapping(&row)?;
    let (keys, authn_contexts) = (known.keys.clone(), Arc::clone(&known.authn_contexts));
    Ok(Arc::new(KnownConnection { row, certificates, mapping, keys, authn_contexts }))
}
