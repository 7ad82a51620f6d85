//! Fetching metadata again: each day in the background, and when an administrator asks.
//!
//! Rule 10a holds whoever asks: with another entity id nothing is taken. A key that is new, or an address that is
//! another one, is trusted only if a key that the connection trusts already signed the document; else it is kept as
//! pending, and shown, until somebody who may change trust confirms it. (A draft trusts nothing yet, so it takes what comes;
//! switching it on is the change of trust.) A key that is gone from the metadata is announced, and dropped a week later,
//! but never the last one.

use super::super::{Ctx, Error, Services};
use super::certificates::{self, HeldCertificate};
use super::facts::{Problem, Slo};
use super::metadata::{Fetching, fetch, next_day, next_try, read};
use super::pending::{Addresses, PendingAddresses, described};
use super::{Assigned, Connection, assigned, missing, shown};
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::state::{CertificateSource, CertificateState, ConnectionStatus, MetadataSignature};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::protocol::saml::{Certificate, IdpMetadata as Read};
use crate::service::organizations::difference;
use crate::service::permissions::{Action, may};
use crate::store::idp_metadata::IdpMetadata;
use crate::store::{self, Tx};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a key that is gone from the metadata is kept after that was told.
const KEEP_MISSING: Duration = Duration::from_hours(7 * 24);
/// How long a fetch in the background is one node's alone.
const LEASE: Duration = Duration::from_mins(2);
/// How many are fetched at a time.
const AT_ONCE: usize = 4;
/// How many are looked for at a time.
const BATCH: u64 = 50;
/// How often a document is judged anew because the connection changed meanwhile.
const TRIES: usize = 3;

/// Fetches the metadata of a connection now.
///
/// Whatever came of it, the connection is given: how the fetch went stands in its metadata.
///
/// # Errors
/// 409 `no_metadata_url`, `fetch_under_way`; [`Error::Forbidden`].
pub async fn refresh(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    let url = store::idp_metadata::find(&services.db, scope, id).await?.and_then(|row| row.url);
    let url = url.ok_or_else(|| {
        Error::conflict(
            "no_metadata_url",
            "This connection has no metadata_url to fetch from. Set one, or give the facts of the IdP again.",
        )
    })?;
    let fetching = Fetching::begin(organization)?;
    once(services, ctx, scope, id, &url).await?;
    drop(fetching);
    let connection = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    assigned(&services.db, scope, connection).await
}

/// Fetches what is due, a few at a time; tells how many. Each fetch is taken by one conditional update, so that of several
/// nodes one does it.
pub async fn refresh_due(services: &Services) -> Result<u64, Error> {
    let installation = InstallationScope::established();
    let mut fetched = 0;
    loop {
        let now = services.clock.now();
        let due = store::idp_metadata::due(&services.db, installation, now, BATCH).await?;
        for some in due.chunks(AT_ONCE) {
            let some = some.iter().map(|row| Box::pin(refresh_one(services, row)));
            for one in join_all(some).await {
                fetched += u64::from(one?);
            }
        }
        if (due.len() as u64) < BATCH {
            return Ok(fetched);
        }
    }
}

/// Fetches this if no other node does; tells whether.
async fn refresh_one(services: &Services, row: &IdpMetadata) -> Result<bool, Error> {
    let ctx = Ctx::system(services.clock.now());
    let scope = TenantScope::established(row.organization_id);
    let Some(url) = &row.url else { return Ok(false) };
    let tx = services.begin().await?;
    let taken = store::idp_metadata::claim(&tx, scope, row, ctx.now.plus(LEASE)).await?;
    tx.commit().await?;
    if !taken {
        return Ok(false);
    }
    match once(services, &ctx, scope, row.connection_id, url).await {
        // It is fetched again when the lease is over.
        Err(Error::Conflict { code, .. }) => {
            tracing::debug!(code, id = %row.connection_id, "metadata was not taken");
        }
        done => done?,
    }
    Ok(true)
}

/// One fetch, and what comes of it in one transaction.
async fn once(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    id: ConnectionId,
    url: &str,
) -> Result<(), Error> {
    let fetched = fetch(services, url).await;
    for _ in 0..TRIES {
        let Some(present) = store::connections::find(&services.db, scope, id).await? else { return Ok(()) };
        let outcome = match &fetched {
            Ok(bytes) => {
                read(services, bytes, &present.idp_entity_id, certificates::active(&present)?, ctx.now).await
            }
            Err(problem) => Err(problem.clone()),
        };
        let tx = services.begin().await?;
        let Some(connection) = store::connections::lock(&tx, scope, id).await? else { return Ok(()) };
        let row = store::idp_metadata::find(&tx, scope, id).await?;
        let Some(row) = row.filter(|row| row.url.as_deref() == Some(url)) else { return Ok(()) };
        // The signature was judged by keys that may have changed since.
        if connection.version != present.version {
            continue;
        }
        let judged = outcome.and_then(|(metadata, signature)| {
            same_idp(&connection, &metadata)?;
            Ok((metadata, signature))
        });
        match judged {
            Ok((metadata, signature)) => {
                take(services, &tx, ctx, connection, row, metadata, signature).await?;
            }
            Err(problem) => note_failure(services, &tx, ctx, row, problem).await?,
        }
        tx.commit().await?;
        services.caches.ways_in.clear();
        return Ok(());
    }
    Err(Error::conflict(
        "changed_meanwhile",
        "The connection is being changed at the same time. Try again in a moment.",
    ))
}

fn same_idp(connection: &Connection, metadata: &Read) -> Result<(), Problem> {
    if metadata.entity_id == connection.idp_entity_id {
        return Ok(());
    }
    Err(Problem {
        code: "entity_id_changed",
        message: format!(
            "The metadata is of {:?} now and no longer of {:?}, so nothing was taken from it. If people are to sign in at another IdP, set metadata_url again.",
            metadata.entity_id, connection.idp_entity_id
        ),
    })
}

async fn note_failure(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    mut row: IdpMetadata,
    problem: Problem,
) -> Result<(), Error> {
    let scope = TenantScope::established(row.organization_id);
    row.fetched_at = Some(ctx.now);
    row.failures = row.failures.saturating_add(1);
    row.next_fetch_at = Some(next_try(ctx.now, row.failures, &*services.random));
    let told = row.error_code.as_deref() == Some(problem.code);
    row.error_code = Some(problem.code.to_owned());
    row.error = Some(problem.message.clone());
    if !told {
        let data = json!({
            "code": problem.code,
            "message": problem.message,
            "url": row.url,
            "last_success_at": row.succeeded_at,
        });
        let kind = EventKind::ConnectionMetadataFailed;
        services.record(tx, ctx, row.organization_id, kind, row.connection_id, data).await?;
    }
    Ok(store::idp_metadata::save(tx, scope, row).await?)
}

/// Takes what may be taken of a document of the right IdP.
async fn take(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    before: Connection,
    mut row: IdpMetadata,
    metadata: Read,
    signature: MetadataSignature,
) -> Result<(), Error> {
    let (organization, id) = (before.organization_id, before.id);
    let scope = TenantScope::established(organization);
    let trusted = signature == MetadataSignature::CurrentKey || before.status == ConnectionStatus::Draft;
    let mut events: Vec<(EventKind, Value)> = Vec::new();
    let mut after = before.clone();

    let held = certificates::held(&before)?;
    let (merged, changes) = merge(held.clone(), &metadata.certificates, trusted, ctx.now);
    if merged != held {
        certificates::put(&mut after, &merged)?;
    }
    events.extend(changes);

    let offered = Addresses::offered(&metadata);
    let pending = PendingAddresses::of(&row)?;
    if offered == Addresses::of(&before) {
        row.pending_addresses = None;
    } else if trusted {
        offered.clone().put(&mut after);
        row.pending_addresses = None;
        let mut data = difference(&Ok(shown_addresses(&before)?), &Ok(shown_addresses(&after)?));
        if let Value::Object(data) = &mut data {
            data.insert("because".to_owned(), "metadata".into());
        }
        events.push((EventKind::ConnectionUpdated, data));
    } else if pending.is_none_or(|pending| pending.addresses != offered) {
        events.push((EventKind::ConnectionAddressesPending, json!({ "offered": offered })));
        row.pending_addresses = Some(PendingAddresses::new(offered, ctx.now).stored()?);
    }

    let valid_until = metadata.valid_until.map(Timestamp::from);
    row.lapse_told &= valid_until == row.valid_until;
    row.valid_until = valid_until;
    row.fetched_at = Some(ctx.now);
    row.succeeded_at = Some(ctx.now);
    row.next_fetch_at = Some(next_day(ctx.now, &*services.random));
    row.failures = 0;
    row.error = None;
    if let Some(code) = row.error_code.take() {
        events.push((EventKind::ConnectionMetadataRecovered, json!({ "code": code })));
    }
    row.signature = Some(signature);
    row.name_id_formats = json!(metadata.name_id_formats);
    row.wants_signed_requests = metadata.wants_signed_requests;
    store::idp_metadata::save(tx, scope, row).await?;
    if after != before {
        after.updated_at = ctx.now;
        store::connections::update(tx, scope, after).await?;
    }
    for (kind, data) in events {
        services.record(tx, ctx, organization, kind, id, data).await?;
    }
    Ok(())
}

fn shown_addresses(connection: &Connection) -> Result<Value, Error> {
    let mut shown = shown(connection)?;
    if let Value::Object(fields) = &mut shown {
        fields.retain(|name, _| matches!(name.as_str(), "sso_url" | "slo_url"));
        let slo = Slo::of(connection);
        fields.insert("slo_response_url".to_owned(), slo.response_url.into());
    }
    Ok(shown)
}

/// The certificates after a document that has these, with an event for each change.
fn merge(
    mut held: Vec<HeldCertificate>,
    offered: &[Certificate],
    trusted: bool,
    now: Timestamp,
) -> (Vec<HeldCertificate>, Vec<(EventKind, Value)>) {
    let mut events = Vec::new();
    for certificate in offered {
        let Some(known) = held.iter_mut().find(|held| held.certificate == *certificate) else {
            let (state, kind) = if trusted {
                (CertificateState::Active, EventKind::ConnectionCertificateAdded)
            } else {
                (CertificateState::Pending, EventKind::ConnectionCertificatePending)
            };
            events.push((kind, described(certificate)));
            held.push(HeldCertificate::new(certificate.clone(), state, CertificateSource::Metadata, now));
            continue;
        };
        known.missing_since = None;
        if trusted && known.state == CertificateState::Pending {
            known.activate(now);
            events.push((EventKind::ConnectionCertificateAdded, described(certificate)));
        }
    }
    let mut active = held.iter().filter(|held| held.is_active()).count();
    held.retain_mut(|held| {
        if held.source != CertificateSource::Metadata || offered.contains(&held.certificate) {
            return true;
        }
        let mut data = described(&held.certificate);
        let mut tell = |kind, more: &str, value: Value| {
            data[more] = value;
            events.push((kind, std::mem::take(&mut data)));
        };
        if !held.is_active() {
            tell(EventKind::ConnectionCertificateRemoved, "state", held.state.as_str().into());
            return false;
        }
        match held.missing_since {
            None => {
                held.missing_since = Some(now);
                let from = json!(now.plus(KEEP_MISSING));
                tell(EventKind::ConnectionCertificateMissing, "dropped_from", from);
                true
            }
            Some(since) if now.since(since) >= KEEP_MISSING && active > 1 => {
                active -= 1;
                tell(EventKind::ConnectionCertificateRemoved, "state", held.state.as_str().into());
                false
            }
            Some(_) => true,
        }
    });
    (held, events)
}
