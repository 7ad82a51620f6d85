//! The sign-in log, a [`Journal`]: one entry for each response that was answered, and one for each sign-in that nobody
//! finished. A usual sign-in notes what it knows in memory and is done; masking, telling and writing happen in the
//! background, and no sign-in ever waits for them or fails by them.
//!
//! Whoever can post to this server can cause refusals. Those that use up an attempt of their own browser are bounded by
//! the attempts; of all others only some a minute are kept of each connection, and the next entry of the connection
//! says how many were left out.

mod row;
pub mod steps;

pub use crate::store::sign_ins::{Found, SignIn, SignInFilter, WINDOW};
pub use row::{Seen, clock_difference_ms, masked, seen};
pub use steps::{StepTold, steps};

use super::journal::{self, Journal};
use super::organizations::check_search;
use super::permissions::{Action, may};
use super::{Ctx, Error, Services};
use crate::model::email::EmailAddress;
use crate::model::id::{ConnectionId, OrganizationId, SessionId, SignInAttemptId, SignInId, UserId};
use crate::model::tenant::InstallationScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::{Claims, VerifiedAssertion};
use crate::store;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// The metric's name.
pub const DROPPED: &str = "postern_sign_in_log_dropped_total";
/// Refusals kept of one connection in such a time that used up no attempt.
pub const REFUSALS: u32 = 30;
pub const REFUSALS_IN: Duration = Duration::from_mins(1);
/// Connections whose refusals are counted before those that are over are forgotten.
const MOST_REFUSED: usize = 1_024;
/// Batches of old entries deleted in one go, and of abandoned attempts told.
const ROUNDS: u32 = 100;
/// How far a process that starts looks back for sign-ins that nobody finished.
const LOOK_BACK: Duration = Duration::from_hours(24);

/// What is known of what came.
#[derive(Debug)]
pub(super) enum Said {
    /// Nothing that could be read.
    Nothing,
    /// What a stranger claims.
    Claimed(Box<Claims>),
    /// What the IdP has truly said.
    Verified(VerifiedAssertion),
}

/// How a sign-in ended.
#[derive(Debug)]
pub(super) enum Ending {
    SignedIn {
        user: UserId,
        session: SessionId,
        created: bool,
        linked: bool,
    },
    Refused(Box<Why>),
    /// A test; why it did not pass, if it did not.
    Test {
        reference: String,
        why: Option<Box<Why>>,
    },
}

/// Why a sign-in was refused.
#[derive(Debug)]
pub(super) struct Why {
    pub code: &'static str,
    pub reference: String,
    pub detail: String,
    pub next_step: String,
}

/// A sign-in that ended.
#[derive(Debug)]
pub(super) struct Noted {
    pub organization: OrganizationId,
    pub connection: ConnectionId,
    /// The attempt and when it began.
    pub attempt: Option<(SignInAttemptId, Timestamp)>,
    pub at: Timestamp,
    pub ending: Ending,
    pub said: Said,
    /// Of a verified assertion.
    pub address: Option<EmailAddress>,
    /// SHA-256 fingerprint of the certificate that verified it, where that does not stand in what was said.
    pub certificate: Option<String>,
    pub unmask: bool,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<Box<str>>,
    pub request_id: Arc<str>,
    pub left_out: u64,
}

impl journal::Entry for Noted {
    fn bytes(&self) -> usize {
        let attributes = match &self.said {
            Said::Nothing => &[][..],
            Said::Claimed(claims) => &claims.attributes,
            Said::Verified(assertion) => assertion.attributes(),
        };
        let said: usize = attributes
            .iter()
            .map(|a| a.name.len() + a.values.iter().map(|v| v.len() + 24).sum::<usize>())
            .sum();
        let why = match &self.ending {
            Ending::Refused(why) | Ending::Test { why: Some(why), .. } => {
                why.detail.len() + why.next_step.len()
            }
            _ => 0,
        };
        // The rest is of a size that is known.
        1_024 + said + why
    }
}

/// How many refusals there were at a connection lately.
#[derive(Debug, Clone, Copy)]
struct Count {
    since: Timestamp,
    number: u32,
    left_out: u64,
}

/// Where sign-ins are noted until they are written.
#[derive(Debug)]
pub struct SignInLog {
    /// What waits.
    pub(in crate::service) journal: Journal<Noted>,
    refusals: Mutex<HashMap<ConnectionId, Count>>,
    /// Until when sign-ins that nobody finished are told already, in microseconds; 0 at the start.
    told_until: AtomicI64,
}

impl SignInLog {
    /// A log that lets so many entries wait; without retention it notes nothing.
    pub fn new(most: usize, on: bool) -> Self {
        Self {
            journal: Journal::new("sign-in log", most, on),
            refusals: Mutex::default(),
            told_until: AtomicI64::new(0),
        }
    }

    /// Returns when there is something to write.
    pub async fn due(&self) {
        self.journal.due().await;
    }

    /// Lets these counters count what is dropped, in the order of [`journal::REASONS`].
    pub fn count_with(&self, counters: [metrics::Counter; journal::REASONS.len()]) {
        self.journal.count_with(counters);
    }

    /// How many entries were dropped so far, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.journal.dropped()
    }

    /// Counts a refusal that used up no attempt: `None` if it is one too many, else how many were left out before it.
    pub(super) fn may_refuse(&self, connection: ConnectionId, now: Timestamp) -> Option<u64> {
        let mut counts = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_REFUSED {
            counts.retain(|_, count| now.since(count.since) < REFUSALS_IN);
            if counts.len() >= MOST_REFUSED && !counts.contains_key(&connection) {
                drop(counts);
                self.journal.leave_out();
                return None;
            }
        }
        let count = counts.entry(connection).or_insert(Count { since: now, number: 0, left_out: 0 });
        if now.since(count.since) >= REFUSALS_IN {
            (count.since, count.number) = (now, 0);
        }
        count.number += 1;
        if count.number > REFUSALS {
            count.left_out += 1;
            drop(counts);
            self.journal.leave_out();
            return None;
        }
        Some(std::mem::take(&mut count.left_out))
    }
}

/// Writes what waits, but not the few that come meanwhile. To be run by one task alone.
pub async fn write(services: &Services) {
    let log = &services.sign_in_log.journal;
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
            let id = SignInId::in_order(noted.at, log.count(), &*services.random);
            rows.push(row::of(id, noted, &*services.random));
        }
        let scope = InstallationScope::established();
        let insert = || store::sign_ins::insert_all(&services.db, scope, &rows);
        let written = log.attempt(number, insert).await;
        if !log.settle(number, written) {
            return;
        }
    }
}

/// Writes what waits when the process ends, but not for longer than may be.
pub async fn finish(services: &Services) {
    let all = async {
        while !services.sign_in_log.journal.is_empty() {
            write(services).await;
        }
    };
    if timeout(journal::STOP_WITHIN, all).await.is_err() {
        tracing::warn!("the sign-in log could not be written to its end");
    }
}

/// Reads the log of an organization: what was answered on this node before this request is in it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] for a search text that is too long or has control
/// characters.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    filter: &SignInFilter,
    cursor: Option<SignInId>,
    limit: u64,
) -> Result<Found, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    check_search(filter.search.as_deref())?;
    services.sign_in_log.journal.flush().await;
    Ok(store::sign_ins::list(&services.db, scope, filter, cursor, limit).await?)
}

/// One entry.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: SignInId,
) -> Result<SignIn, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    services.sign_in_log.journal.flush().await;
    let row = store::sign_ins::find(&services.db, scope, id).await?;
    row.ok_or_else(|| Error::not_found("entry of the sign-in log"))
}

/// Tells of sign-ins whose time was over before anybody finished them; how many. Run in the background; each is told
/// once, however many nodes do it.
///
/// # Errors
/// Only those of the database.
pub async fn tell_abandoned(services: &Services) -> Result<u64, Error> {
    let log = &services.sign_in_log;
    if !log.journal.is_on() {
        return Ok(0);
    }
    let (scope, now) = (InstallationScope::established(), services.clock.now());
    let after = match log.told_until.load(Ordering::Relaxed) {
        0 => now.minus(LOOK_BACK),
        micros => Timestamp::from_micros(micros),
    };
    let mut told = 0;
    for _ in 0..ROUNDS {
        let tx = services.begin().await?;
        let attempts = store::sign_ins::take_abandoned(&tx, scope, after, now).await?;
        let number = attempts.len() as u64;
        if number > 0 {
            let rows: Vec<SignIn> =
                attempts.into_iter().map(|attempt| row::abandoned(attempt, now, &*services.random)).collect();
            store::sign_ins::insert(&tx, scope, &rows).await?;
            tx.commit().await?;
        }
        told += number;
        if number < store::sign_ins::TOLD_AT_ONCE {
            log.told_until.store(now.micros(), Ordering::Relaxed);
            break;
        }
    }
    Ok(told)
}

/// Deletes entries that are older than they are to be kept, a batch at a time; tells how many. Run in the background;
/// harmless on several nodes at once.
///
/// # Errors
/// Only those of the database.
pub async fn prune(services: &Services) -> Result<u64, Error> {
    let before = services.clock.now().minus(services.settings.sign_in_log_kept);
    let mut deleted = 0;
    for _ in 0..ROUNDS {
        let tx = services.begin().await?;
        let batch = store::sign_ins::prune(&tx, InstallationScope::established(), before).await?;
        tx.commit().await?;
        deleted += batch;
        if !store::sign_ins::is_more_to_prune(batch) {
            break;
        }
    }
    Ok(deleted)
}
