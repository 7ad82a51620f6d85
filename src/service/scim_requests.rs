//! The SCIM request log, a [`Journal`]. A call is noted when it has been answered; what was noted is masked in the
//! background, when it is written. Refusals (a token that has ended, a limit that is used up) cost
//! their sender nothing, so only a few of each credential are noted.

pub use crate::store::scim_requests::{Entry, Found, ScimRequest, ScimRequestFilter, WINDOW};

use super::journal::{self, Journal, clean};
use super::organizations::check_search;
use super::permissions::{Action, may};
use super::{Ctx, Error, Services};
use crate::model::actor::DirectoryCredential;
use crate::model::id::{DomainId, OrganizationId, ScimRequestId};
use crate::model::scim_request::ScimResource;
use crate::model::tenant::InstallationScope;
use crate::model::time::Timestamp;
use crate::protocol::scim_log::quotes::Told;
use crate::protocol::scim_log::story::{self, Call};
use crate::protocol::scim_log::{Target, domain, identity_provider, mask};
use crate::store;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// How much of a body is taken along; more than enough for what is kept of it.
pub const TAKEN: usize = 64 * 1024;
/// How large an answer may be to be kept if all went well; that of a refusal is kept as a request is.
pub const KEPT_ANSWER: usize = 4 * 1024;
/// Refusals noted of one credential in such a time.
const REFUSALS: u32 = 10;
const REFUSALS_IN: Duration = Duration::from_secs(10);
/// Credentials whose refusals are counted before those that are over are forgotten.
const MOST_REFUSED: usize = 1_024;
/// Batches of old entries deleted in one go.
const PRUNE_ROUNDS: u32 = 100;
/// The metric's name.
pub const DROPPED: &str = "postern_scim_log_dropped_total";
const LONGEST_ERROR: usize = 1_000;

/// What is known of a call when its sender is known.
#[derive(Debug)]
pub struct Head {
    pub organization: OrganizationId,
    pub credential: DirectoryCredential,
    /// The one domain that the credential is bound to.
    pub domain: Option<String>,
    /// Why the credential opens nothing, if it does not: a word and a sentence.
    pub refusal: Option<(&'static str, String)>,
    pub at: Timestamp,
    pub method: String,
    /// With its query, as it was sent.
    pub path: String,
    /// Masked already, one a line.
    pub headers: String,
    pub request_id: Arc<str>,
    pub ip: Option<IpAddr>,
}

/// A body on its way into the log: its beginning, and how long it was.
#[derive(Debug, Clone, Default)]
pub struct Part {
    taken: Box<[u8]>,
    length: usize,
}

impl Part {
    /// Takes of a body what the log may need.
    pub fn of(bytes: &[u8]) -> Self {
        Self { taken: bytes[..bytes.len().min(TAKEN)].into(), length: bytes.len() }
    }

    /// A body that is not kept, only counted.
    pub fn length_only(length: usize) -> Self {
        Self { taken: Box::default(), length }
    }

    fn is_whole(&self) -> bool {
        self.taken.len() == self.length
    }
}

/// What the handler told of the call.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The name of the user or group.
    pub name: Option<String>,
    /// The domain of the person.
    pub domain: Option<String>,
    /// Of a list: how many there are in all, and on the page.
    pub listed: Option<(u64, u64)>,
}

/// A call that was answered, or that its client gave up.
#[derive(Debug)]
pub struct Noted {
    pub head: Head,
    /// `None` if the client hung up before there was an answer.
    pub status: Option<u16>,
    pub took: Duration,
    pub request: Option<Part>,
    pub response: Option<Part>,
    pub facts: Facts,
}

impl journal::Entry for Noted {
    fn bytes(&self) -> usize {
        let part = |part: &Option<Part>| part.as_ref().map_or(0, |part| part.taken.len());
        part(&self.request) + part(&self.response) + self.head.headers.len() + self.head.path.len()
    }
}

/// Where calls are noted until they are written.
#[derive(Debug)]
pub struct RequestLog {
    /// What waits.
    pub journal: Journal<Noted>,
    /// When the count of a credential's refusals began, and how many there were since.
    refusals: Mutex<HashMap<Uuid, (Instant, u32)>>,
}

impl RequestLog {
    /// A log that lets so many entries wait; without retention it notes nothing.
    pub fn new(most: usize, on: bool) -> Self {
        Self { journal: Journal::new("SCIM request log", most, on), refusals: Mutex::default() }
    }

    /// Whether calls are to be noted.
    pub const fn is_on(&self) -> bool {
        self.journal.is_on()
    }

    /// How many entries were dropped so far, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.journal.dropped()
    }

    /// Notes a call. Never waits for the store.
    pub fn note(&self, noted: Noted) {
        if !self.is_on() {
            return;
        }
        if matches!(noted.status, Some(401 | 429)) && !self.may_refuse(noted.head.credential.uuid()) {
            return self.journal.leave_out();
        }
        self.journal.note(noted);
    }

    /// Counts a refusal of a credential; whether it is one of the few that are noted.
    fn may_refuse(&self, credential: Uuid) -> bool {
        let now = Instant::now();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= MOST_REFUSED {
            refusals.retain(|_, (since, _)| now.duration_since(*since) < REFUSALS_IN);
            if refusals.len() >= MOST_REFUSED {
                return false;
            }
        }
        let (since, number) = refusals.entry(credential).or_insert((now, 0));
        if now.duration_since(*since) >= REFUSALS_IN {
            (*since, *number) = (now, 0);
        }
        *number += 1;
        *number <= REFUSALS
    }
}

/// Writes what waits, but not the few that come meanwhile. To be run by one task alone.
pub async fn write(services: &Services) {
    let log = &services.scim_log.journal;
    loop {
        let batch = log.take();
        let number = batch.len();
        if number == 0 {
            return;
        }
        let mut rows = Vec::with_capacity(number);
        for (index, noted) in batch.into_iter().enumerate() {
            if index % 16 == 15 {
                // Masking is work: others have their turn in between.
                tokio::task::yield_now().await;
            }
            let id = ScimRequestId::in_order(noted.head.at, log.count(), &*services.random);
            rows.push(row(id, noted));
        }
        let scope = InstallationScope::established();
        let insert = || store::scim_requests::insert_all(&services.db, scope, &rows);
        let written = log.attempt(number, insert).await;
        if !log.settle(number, written) {
            return;
        }
    }
}

/// Writes what waits when the process ends, but not for longer than may be.
pub async fn finish(services: &Services) {
    let all = async {
        while !services.scim_log.journal.is_empty() {
            write(services).await;
        }
    };
    if timeout(journal::STOP_WITHIN, all).await.is_err() {
        tracing::warn!("the SCIM request log could not be written to its end");
    }
}

fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What was taken of a body, if anything was.
fn taken(part: Option<&Part>) -> Option<&Part> {
    part.filter(|part| !part.taken.is_empty())
}

/// What is kept of the body of a request.
fn kept(part: Option<&Part>) -> Option<mask::Masked> {
    let part = taken(part)?;
    mask::body(&part.taken, part.is_whole())
}

/// What is kept of an answer; what it quotes, only if the log says it of the request, too.
fn kept_answer(answer: Option<&Part>, path: &str, request: Option<&Part>) -> Option<mask::Masked> {
    let answer = taken(answer)?;
    let whole = taken(request).and_then(|part| mask::body_within(&part.taken, part.is_whole(), TAKEN));
    let told = Told::of(path, whole.as_ref().and_then(mask::Masked::value).as_ref());
    mask::answer(&answer.taken, answer.is_whole(), &told)
}

/// The entry of a call: masked, and told in a sentence.
fn row(id: ScimRequestId, noted: Noted) -> ScimRequest {
    let Noted { head, status, took, request, response, facts } = noted;
    let path = mask::path(&head.path);
    let request_body = kept(request.as_ref());
    let request_value = request_body.as_ref().and_then(mask::Masked::value);
    let resource = Target::of(&path).resource();
    let failed = status.is_some_and(|status| status >= 400);
    // Other answers tell nothing that the handler did not, and refuse nothing.
    let telling = failed || resource == ScimResource::Bulk;
    let response_body = if telling {
        kept_answer(response.as_ref(), &path, request.as_ref())
    } else {
        kept(response.as_ref())
    };
    let response_value = response_body.as_ref().filter(|_| telling).and_then(mask::Masked::value);
    let said = |name: &str| {
        let value = response_value.as_ref().filter(|_| failed)?.get(name)?.as_str()?;
        Some(value.chars().take(LONGEST_ERROR).collect::<String>())
    };
    let (error_code, error) = match head.refusal {
        // The log says what the answer does not.
        Some((code, reason)) if status == Some(401) => (Some(code.to_owned()), Some(reason)),
        _ => (said("scimType"), said("detail")),
    };
    let agent = head.headers.lines().find_map(|line| line.strip_prefix("user-agent: "));
    let summary = story::tell(&Call {
        method: &head.method,
        path: &path,
        status,
        name: facts.name.as_deref(),
        listed: facts.listed,
        request: request_value.as_ref(),
        cut: request_body.as_ref().is_some_and(|body| body.cut),
        response: response_value.as_ref(),
        error: error.as_deref(),
    });
    let about = head.domain.or(facts.domain).or_else(|| domain(&path, request_value.as_ref()));
    let length = |part: &Option<Part>| part.as_ref().map_or(0, |part| number(part.length));
    let is_cut = |body: &Option<mask::Masked>| body.as_ref().is_some_and(|body| body.cut);
    ScimRequest {
        organization_id: head.organization,
        id,
        created_at: head.at,
        duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
        resource,
        identity_provider: identity_provider(agent.unwrap_or_default(), &path),
        method: head.method,
        path: clean(path),
        status: status.map(i32::from),
        error_code: error_code.map(clean),
        error: error.map(clean),
        summary: clean(summary),
        actor_kind: head.credential.kind().to_owned(),
        actor_id: head.credential.to_string(),
        domain: about.map(clean),
        ip: head.ip.map(|ip| ip.to_string()),
        request_id: clean(head.request_id.to_string()),
        request_headers: clean(head.headers),
        request_bytes: length(&request),
        request_cut: is_cut(&request_body),
        request_body: request_body.map(|body| body.text),
        response_bytes: length(&response),
        response_cut: is_cut(&response_body),
        response_body: response_body.map(|body| body.text),
    }
}

/// Reads the log of an organization's directory: what was answered on this node before this request is in it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] for a search text that is too long or has control
/// characters.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    filter: &ScimRequestFilter,
    cursor: Option<ScimRequestId>,
    limit: u64,
) -> Result<Found, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    check_search(filter.search.as_deref())?;
    services.scim_log.journal.flush().await;
    Ok(store::scim_requests::list(&services.db, scope, filter, cursor, limit).await?)
}

/// The same of one domain: the calls by tokens that are bound to it, and those about people on it.
///
/// # Errors
/// The same, and [`Error::NotFound`] for a domain that is none of the organization's.
pub async fn list_of_domain(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    domain: DomainId,
    filter: ScimRequestFilter,
    cursor: Option<ScimRequestId>,
    limit: u64,
) -> Result<Found, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let domain = store::domains::find(&services.db, scope, domain).await?;
    let domain = domain.ok_or_else(|| Error::not_found("domain"))?;
    let filter = ScimRequestFilter { domain: Some(domain.name.to_string()), ..filter };
    list(services, ctx, organization, &filter, cursor, limit).await
}

/// One entry, with headers and bodies.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimRequestId,
) -> Result<ScimRequest, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    services.scim_log.journal.flush().await;
    let row = store::scim_requests::find(&services.db, scope, id).await?;
    row.ok_or_else(|| Error::not_found("entry of the SCIM log"))
}

/// Deletes entries that are older than they are to be kept, a batch at a time; tells how many. Run in the background;
/// harmless on several nodes at once.
pub async fn prune(services: &Services) -> Result<u64, Error> {
    let before = services.clock.now().minus(services.settings.scim_log_kept);
    let mut deleted = 0;
    for _ in 0..PRUNE_ROUNDS {
        let tx = services.begin().await?;
        let batch = store::scim_requests::prune(&tx, InstallationScope::established(), before).await?;
        tx.commit().await?;
        deleted += batch;
        if !store::scim_requests::is_more_to_prune(batch) {
            break;
        }
    }
    Ok(deleted)
}
