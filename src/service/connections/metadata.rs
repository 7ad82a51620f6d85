//! Metadata of the IdP as the source of a connection's facts: given by its address, fetched at once, and kept in mind.
//!
//! Setting the address takes all that the document says, as giving the fields by hand would; so on an active connection
//! it is a change of trust. What a later fetch may change by itself is in [`super::refresh`].

use super::super::{Ctx, Error, FieldError, Services};
use super::facts::{self, Facts, GivenFacts, GivenSlo, Problem};
use super::{Connection, certificates, expect_version, missing};
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::random::Random;
use crate::model::state::{ConnectionStatus, MetadataSignature};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::{Certificate, IdpMetadata as Read};
use crate::service::permissions::{Action, may};
use crate::store::idp_metadata::IdpMetadata;
use crate::store::{self, Tx};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const LONGEST_URL: usize = 2048;
const HOUR: Duration = Duration::from_hours(1);

/// What a request says of the address of the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Url {
    /// Nothing.
    AsIs,
    /// It is this from now on.
    Set,
    /// There is none any more.
    Cleared,
}

impl Url {
    /// Of the facts of a request.
    pub const fn given(given: &GivenFacts) -> Self {
        match given.metadata_url {
            None => Self::AsIs,
            Some(None) => Self::Cleared,
            Some(Some(_)) => Self::Set,
        }
    }
}

/// Organizations for which somebody waits for a document on this node.
static FETCHING: Mutex<BTreeSet<OrganizationId>> = Mutex::new(BTreeSet::new());

/// The only request of an organization that fetches: whoever has servers that never answer holds up nobody else with
/// them.
pub(super) struct Fetching(OrganizationId);

impl Fetching {
    fn all() -> MutexGuard<'static, BTreeSet<OrganizationId>> {
        FETCHING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// 409 `fetch_under_way`.
    pub(super) fn begin(organization: OrganizationId) -> Result<Self, Error> {
        if Self::all().insert(organization) {
            return Ok(Self(organization));
        }
        Err(Error::conflict(
            "fetch_under_way",
            "Metadata is being fetched for this organization at the moment. Try again in a few seconds.",
        ))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        Self::all().remove(&self.0);
    }
}

/// Fetches a document.
///
/// # Errors
/// [`Problem`]: each has a code and a sentence for the administrator.
pub(super) async fn fetch(services: &Services, url: &str) -> Result<Vec<u8>, Problem> {
    services.web.fetch(url).await.map_err(|error| Problem { code: error.code(), message: error.to_string() })
}

/// Reads a fetched document off the async threads.
///
/// # Errors
/// As for [`facts::read_document`].
pub(super) async fn read(
    services: &Services,
    bytes: &[u8],
    named: &str,
    trusted: Vec<Certificate>,
    now: Timestamp,
) -> Result<(Read, MetadataSignature), Problem> {
    let (bytes, named, verifier) = (bytes.to_vec(), named.to_owned(), services.verifier.clone());
    let work = move || {
        let named = (!named.is_empty()).then_some(&*named);
        facts::read_document(&verifier, &bytes, named, &trusted, now)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "reading metadata panicked");
        let message = "The metadata could not be read.".to_owned();
        Err(Problem { code: "metadata_unreadable", message })
    })
}

/// The facts of a request: fetched, where it gives the address of the metadata and nothing else is wrong with it.
/// `present` is the connection that they are for, with the version that was read of it.
///
/// # Errors
/// [`Error::Forbidden`] before anything is fetched for an active connection without the right to change trust; 409
/// `fetch_under_way`. What is wrong with a field, or with the fetched document, is added to `errors`.
pub async fn facts(
    services: &Services,
    ctx: &Ctx,
    given: GivenFacts,
    (scope, present): (TenantScope, Option<(ConnectionId, Option<i64>)>),
    errors: &mut Vec<FieldError>,
) -> Result<Facts, Error> {
    facts::check_given(&given, errors);
    let Some(Some(url)) = &given.metadata_url else {
        return Ok(facts::check(&services.verifier, given, ctx.now, errors));
    };
    let mut wrong = |problem: Problem| {
        let field = "metadata_url".to_owned();
        errors.push(FieldError { field, code: problem.code, message: problem.message });
        Ok(Facts::default())
    };
    let url = url.trim();
    if url.len() > LONGEST_URL {
        let message = format!("A URL has at most {LONGEST_URL} bytes; this one has {}.", url.len());
        return wrong(Problem { code: "url_invalid", message });
    }
    let (named, trusted) = match present {
        None => (String::new(), Vec::new()),
        Some((id, expected)) => {
            let present = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
            expect_version(expected, present.version)?;
            if present.status == ConnectionStatus::Active {
                may(ctx, scope.organization(), Action::ChangeTrust)?;
            }
            let trusted = certificates::active(&present)?;
            (present.idp_entity_id, trusted)
        }
    };
    if !errors.is_empty() {
        return Ok(Facts::default());
    }
    let fetching = Fetching::begin(scope.organization())?;
    let fetched = match fetch(services, url).await {
        Ok(bytes) => read(services, &bytes, &named, trusted, ctx.now).await,
        Err(problem) => Err(problem),
    };
    drop(fetching);
    match fetched {
        Ok((metadata, signature)) => Ok(facts::from_metadata(metadata, signature, Some(url.to_owned()))),
        Err(problem) => {
            let field = "metadata_url".to_owned();
            errors.push(FieldError { field, code: problem.code, message: problem.message });
            Ok(Facts::default())
        }
    }
}

/// How the address changes, for events; `None` if it does not. The caller holds the connection's row.
///
/// # Errors
/// 409 `metadata_url_set` for facts from elsewhere while they come from an address: the next fetch would undo them.
pub async fn check_source(
    tx: &Tx,
    scope: TenantScope,
    connection: &Connection,
    facts: &Facts,
    url: Url,
) -> Result<Option<Value>, Error> {
    let before = store::idp_metadata::find(tx, scope, connection.id).await?.and_then(|row| row.url);
    let given = facts.document.is_some() || has_fields(facts);
    if before.is_some() && given && url == Url::AsIs {
        return Err(Error::conflict(
            "metadata_url_set",
            "The facts of this IdP come from metadata_url. Set that to null in the same request to give them otherwise.",
        ));
    }
    let after = match url {
        Url::AsIs => before.clone(),
        Url::Cleared => None,
        Url::Set => facts.document.as_ref().and_then(|document| document.url.clone()),
    };
    Ok((after != before).then(|| json!({ "from": before, "to": after })))
}

fn has_fields(facts: &Facts) -> bool {
    facts.document.is_none()
        && (facts.idp_entity_id.is_some()
            || facts.sso_url.is_some()
            || facts.certificates.is_some()
            || facts.slo != GivenSlo::default())
}

/// Keeps in mind where the facts of a connection came from. The caller holds the connection's row.
pub async fn keep(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    connection: &Connection,
    facts: &Facts,
    url: Url,
) -> Result<(), Error> {
    let scope = TenantScope::established(connection.organization_id);
    let Some(document) = &facts.document else {
        if url == Url::Cleared || has_fields(facts) {
            store::idp_metadata::delete(tx, scope, connection.id).await?;
        }
        return Ok(());
    };
    let before = store::idp_metadata::find(tx, scope, connection.id).await?;
    let fetched = document.url.as_ref().map(|_| ctx.now);
    let row = IdpMetadata {
        connection_id: connection.id,
        organization_id: connection.organization_id,
        url: document.url.clone(),
        next_fetch_at: fetched.map(|now| next_day(now, &*services.random)),
        fetched_at: fetched,
        succeeded_at: fetched,
        failures: 0,
        error_code: None,
        error: None,
        signature: Some(document.signature),
        valid_until: document.valid_until,
        lapse_told: false,
        name_id_formats: json!(document.name_id_formats),
        wants_signed_requests: document.wants_signed_requests,
        pending_addresses: None,
    };
    store::idp_metadata::save(tx, scope, row).await?;
    if before.is_some_and(|row| row.error_code.is_some()) {
        let kind = EventKind::ConnectionMetadataRecovered;
        services.record(tx, ctx, connection.organization_id, kind, connection.id, json!({})).await?;
    }
    Ok(())
}

/// A number from 0 to 65535.
fn chance(random: &dyn Random) -> u32 {
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    u32::from(u16::from_be_bytes(bytes))
}

/// When metadata that was fetched now is fetched again: in a day, an hour more or less, so that those that were set at
/// one time spread over the day.
pub(super) fn next_day(now: Timestamp, random: &dyn Random) -> Timestamp {
    now.plus(23 * HOUR + 2 * HOUR * chance(random) / 65_536)
}

/// When it is tried again after so many failures in a row: in a quarter of an hour at first, then twice as late each time,
/// in a day at last; up to a quarter later by chance.
pub(super) fn next_try(now: Timestamp, failures: i32, random: &dyn Random) -> Timestamp {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(7);
    let pause = (HOUR / 4 * 2_u32.pow(doublings)).min(24 * HOUR);
    now.plus(pause + pause / 4 * chance(random) / 65_536)
}
