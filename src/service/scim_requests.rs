//! The SCIM request log. A call is noted in memory when it has been answered, which costs it next to nothing; one writer
//! in the background masks what was noted and writes many entries by one statement.
//!
//! What waits to be written is bounded, in entries and in bytes. When the store is slower than the calls come, entries
//! are dropped, never calls; how many is counted and told. Refusals (a token that has ended, a limit that is used up) cost
//! their sender nothing, so only a few of each credential are noted.

pub use crate::store::scim_requests::{Entry, Found, ScimRequest, ScimRequestFilter, WINDOW};

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
use metrics::Counter;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// How many entries, and how many bytes of bodies, wait to be written at most.
pub const MOST_WAITING: usize = 8_192;
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// How much of a body is taken along; more than enough for what is kept of it.
pub const TAKEN: usize = 64 * 1024;
/// How large an answer may be to be kept if all went well; that of a refusal is kept as a request is.
pub const KEPT_ANSWER: usize = 4 * 1024;
/// How long entries gather before they are written.
const GATHER: Duration = Duration::from_millis(250);
/// How many are written by one statement at most.
const BATCH: usize = 256;
/// How often a batch is tried, how long each time, and the pause in between.
const TRIES: u32 = 3;
const TRY_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// How long whoever reads the log waits for what is not written yet, and whoever stops the process.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
const STOP_WITHIN: Duration = Duration::from_secs(5);
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

/// Why an entry was not written, as the metric says it.
pub const REASONS: [&str; 3] = ["queue_full", "store_failed", "refusals"];
const QUEUE_FULL: usize = 0;
const STORE_FAILED: usize = 1;
const TOO_MANY_REFUSALS: usize = 2;

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

impl Noted {
    fn bytes(&self) -> usize {
        let part = |part: &Option<Part>| part.as_ref().map_or(0, |part| part.taken.len());
        part(&self.request) + part(&self.response) + self.head.headers.len() + self.head.path.len()
    }
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Noted>,
    bytes: usize,
    /// How many were ever taken in.
    accepted: u64,
    /// When the count of a credential's refusals began, and how many there were since.
    refusals: HashMap<Uuid, (Instant, u32)>,
}

/// Where calls are noted until they are written.
#[derive(Debug)]
pub struct RequestLog {
    queue: Mutex<Queue>,
    most: usize,
    /// Whether anything is kept at all.
    on: bool,
    number: AtomicU32,
    /// Somebody waits for the writer: it gathers no longer.
    hurry: Notify,
    wake: Notify,
    /// How many of those accepted are written, or given up.
    done: watch::Sender<u64>,
    dropped: [AtomicU64; REASONS.len()],
    counters: OnceLock<[Counter; REASONS.len()]>,
    /// Whether the log of the process says already that entries are being dropped.
    told: AtomicBool,
}

impl RequestLog {
    /// A log that lets so many entries wait; without retention it notes nothing.
    pub fn new(most: usize, on: bool) -> Self {
        Self {
            queue: Mutex::default(),
            most,
            on,
            number: AtomicU32::new(0),
            hurry: Notify::new(),
            wake: Notify::new(),
            done: watch::Sender::new(0),
            dropped: Default::default(),
            counters: OnceLock::new(),
            told: AtomicBool::new(false),
        }
    }

    /// Whether calls are to be noted.
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Numbers entries, so that their ids count upwards.
    fn count(&self) -> u32 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets these counters count what is dropped, in the order of [`REASONS`].
    pub fn count_with(&self, counters: [Counter; REASONS.len()]) {
        // Whoever comes second counts the same.
        let _ = self.counters.set(counters);
    }

    /// How many entries were dropped so far, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().map(|number| number.load(Ordering::Relaxed)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call. Never waits for the store.
    pub fn note(&self, noted: Noted) {
        if !self.on {
            return;
        }
        let bytes = noted.bytes();
        let mut queue = self.lock();
        if matches!(noted.status, Some(401 | 429)) && !queue.may_refuse(noted.head.credential.uuid()) {
            drop(queue);
            return self.drop_entries(TOO_MANY_REFUSALS, 1);
        }
        if queue.waiting.len() >= self.most || queue.bytes.saturating_add(bytes) > MOST_WAITING_BYTES {
            drop(queue);
            self.drop_entries(QUEUE_FULL, 1);
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "the store is too slow for the SCIM request log: entries are dropped, requests are not affected"
                );
            }
            return;
        }
        let first = queue.waiting.is_empty();
        queue.bytes += bytes;
        queue.accepted += 1;
        queue.waiting.push_back(noted);
        drop(queue);
        if first {
            self.wake.notify_one();
        }
    }

    fn drop_entries(&self, reason: usize, number: u64) {
        self.dropped[reason].fetch_add(number, Ordering::Relaxed);
        if let Some(counters) = self.counters.get() {
            counters[reason].increment(number);
        }
    }

    fn take(&self) -> Vec<Noted> {
        let mut queue = self.lock();
        let number = queue.waiting.len().min(BATCH);
        let batch: Vec<Noted> = queue.waiting.drain(..number).collect();
        queue.bytes -= batch.iter().map(Noted::bytes).sum::<usize>().min(queue.bytes);
        if queue.waiting.is_empty() {
            // What a flood made room for is given back.
            queue.waiting.shrink_to(BATCH);
        }
        batch
    }

    /// Returns when there is something to write that has gathered for a while, or that somebody waits for.
    pub async fn due(&self) {
        loop {
            if !self.lock().waiting.is_empty() {
                tokio::select! {
                    () = sleep(GATHER) => {}
                    () = self.hurry.notified() => {}
                }
                return;
            }
            self.wake.notified().await;
        }
    }

    /// Waits until what is noted now is written, but not for long: the store may be slow.
    async fn flush(&self, within: Duration) {
        let wanted = self.lock().accepted;
        let mut done = self.done.subscribe();
        if *done.borrow_and_update() >= wanted {
            return;
        }
        self.hurry.notify_one();
        let written = done.wait_for(|done| *done >= wanted);
        if timeout(within, written).await.is_err() {
            tracing::debug!("the SCIM request log is behind");
        }
    }
}

impl Queue {
    /// Counts a refusal of a credential; whether it is one of the few that are noted.
    fn may_refuse(&mut self, credential: Uuid) -> bool {
        let now = Instant::now();
        if self.refusals.len() >= MOST_REFUSED {
            self.refusals.retain(|_, (since, _)| now.duration_since(*since) < REFUSALS_IN);
            if self.refusals.len() >= MOST_REFUSED {
                return false;
            }
        }
        let (since, number) = self.refusals.entry(credential).or_insert((now, 0));
        if now.duration_since(*since) >= REFUSALS_IN {
            (*since, *number) = (now, 0);
        }
        *number += 1;
        *number <= REFUSALS
    }
}

/// Writes what waits, but not the few that come meanwhile. To be run by one task alone.
pub async fn write(services: &Services) {
    let log = &services.scim_log;
    loop {
        let batch = log.take();
        let number = batch.len() as u64;
        if number == 0 {
            return;
        }
        let mut rows = Vec::with_capacity(batch.len());
        for (index, noted) in batch.into_iter().enumerate() {
            if index % 16 == 15 {
                // Masking is work: others have their turn in between.
                tokio::task::yield_now().await;
            }
            let id = ScimRequestId::in_order(noted.head.at, log.count(), &*services.random);
            rows.push(row(id, noted));
        }
        if store_rows(services, &rows).await {
            if log.told.swap(false, Ordering::Relaxed) {
                let dropped = log.dropped[QUEUE_FULL].load(Ordering::Relaxed);
                tracing::warn!(
                    dropped,
                    "the SCIM request log is written again; so many entries were dropped since the start"
                );
            }
        } else {
            log.drop_entries(STORE_FAILED, number);
        }
        log.done.send_modify(|done| *done += number);
        if number < BATCH as u64 {
            // What came meanwhile gathers first: a batch of a few costs the store as much as a full one.
            return;
        }
    }
}

/// Writes what waits when the process ends, but not for longer than may be.
pub async fn finish(services: &Services) {
    let all = async {
        while !services.scim_log.lock().waiting.is_empty() {
            write(services).await;
        }
    };
    if timeout(STOP_WITHIN, all).await.is_err() {
        tracing::warn!("the SCIM request log could not be written to its end");
    }
}

async fn store_rows(services: &Services, rows: &[ScimRequest]) -> bool {
    let scope = InstallationScope::established();
    for attempt in 1..=TRIES {
        let write = store::scim_requests::insert_all(&services.db, scope, rows);
        let error = match timeout(TRY_WITHIN, write).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database did not answer in time".to_owned(),
        };
        tracing::warn!(error, attempt, entries = rows.len(), "the SCIM request log was not written");
        if attempt < TRIES {
            sleep(PAUSE).await;
        }
    }
    false
}

/// Text as PostgreSQL takes it.
fn clean(mut text: String) -> String {
    text.retain(|character| character != '\0');
    text
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
    services.scim_log.flush(FLUSH_WITHIN).await;
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
    services.scim_log.flush(FLUSH_WITHIN).await;
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
