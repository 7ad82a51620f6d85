//! A log that is written off the path of what it tells of. An entry is noted in memory, which costs next to nothing; one
//! writer in the background takes many of them at a time and writes them by one statement.
//!
//! What waits to be written is bounded, in entries and in bytes. When the store is slower than the entries come,
//! entries are dropped, never requests; how many is counted and told.

use crate::store::error::StoreError;
use metrics::Counter;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// How many entries, and how many bytes of them, wait to be written at most.
pub const MOST_WAITING: usize = 8_192;
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
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
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why an entry was not written, as the metric says it.
pub const REASONS: [&str; 3] = ["queue_full", "store_failed", "refusals"];
const QUEUE_FULL: usize = 0;
const STORE_FAILED: usize = 1;
const TOO_MANY_REFUSALS: usize = 2;

/// What can wait to be written.
pub trait Entry {
    /// How many bytes it holds while it waits, roughly.
    fn bytes(&self) -> usize;
}

/// What waits to be written.
#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    /// How many were ever taken in.
    accepted: u64,
}

/// Where entries are noted until they are written.
#[derive(Debug)]
pub struct Journal<T> {
    /// What the log of the process calls it.
    name: &'static str,
    queue: Mutex<Queue<T>>,
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

impl<T: Entry> Journal<T> {
    /// A log that lets so many entries wait; one that is not on notes nothing.
    pub fn new(name: &'static str, most: usize, on: bool) -> Self {
        Self {
            name,
            queue: Mutex::new(Queue { waiting: VecDeque::new(), bytes: 0, accepted: 0 }),
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

    /// Whether entries are to be noted.
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Numbers entries, so that their ids count upwards.
    pub(super) fn count(&self) -> u32 {
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

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an entry. Never waits for the store.
    pub fn note(&self, entry: T) {
        if !self.on {
            return;
        }
        let bytes = entry.bytes();
        let mut queue = self.lock();
        if queue.waiting.len() >= self.most || queue.bytes.saturating_add(bytes) > MOST_WAITING_BYTES {
            drop(queue);
            self.drop_entries(QUEUE_FULL, 1);
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    log = self.name,
                    "the store is too slow for the log: entries are dropped, requests are not affected"
                );
            }
            return;
        }
        let first = queue.waiting.is_empty();
        queue.bytes += bytes;
        queue.accepted += 1;
        queue.waiting.push_back(entry);
        drop(queue);
        if first {
            self.wake.notify_one();
        }
    }

    /// Counts a refusal that is not noted, because there are too many of its kind.
    pub(super) fn leave_out(&self) {
        self.drop_entries(TOO_MANY_REFUSALS, 1);
    }

    fn drop_entries(&self, reason: usize, number: u64) {
        self.dropped[reason].fetch_add(number, Ordering::Relaxed);
        if let Some(counters) = self.counters.get() {
            counters[reason].increment(number);
        }
    }

    /// The next batch, empty if nothing waits. Each is to be followed by [`Journal::settle`].
    pub(super) fn take(&self) -> Vec<T> {
        let mut queue = self.lock();
        let number = queue.waiting.len().min(BATCH);
        let batch: Vec<T> = queue.waiting.drain(..number).collect();
        queue.bytes -= batch.iter().map(Entry::bytes).sum::<usize>().min(queue.bytes);
        if queue.waiting.is_empty() {
            // What a flood made room for is given back.
            queue.waiting.shrink_to(BATCH);
        }
        batch
    }

    /// Tells what became of a batch of so many entries; whether another should follow at once.
    pub(super) fn settle(&self, number: usize, written: bool) -> bool {
        let entries = number as u64;
        if !written {
            self.drop_entries(STORE_FAILED, entries);
        } else if self.told.swap(false, Ordering::Relaxed) {
            let dropped = self.dropped[QUEUE_FULL].load(Ordering::Relaxed);
            tracing::warn!(
                log = self.name,
                dropped,
                "the log is written again; so many entries were dropped since the start"
            );
        }
        self.done.send_modify(|done| *done += entries);
        // What came meanwhile gathers first: a batch of a few costs the store as much as a full one.
        number >= BATCH
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Returns when there is something to write that has gathered for a while, or that somebody waits for.
    pub async fn due(&self) {
        loop {
            if !self.is_empty() {
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
    pub(super) async fn flush(&self) {
        let wanted = self.lock().accepted;
        let mut done = self.done.subscribe();
        if *done.borrow_and_update() >= wanted {
            return;
        }
        self.hurry.notify_one();
        let written = done.wait_for(|done| *done >= wanted);
        if timeout(FLUSH_WITHIN, written).await.is_err() {
            tracing::debug!(log = self.name, "the log is behind");
        }
    }

    /// Tries to write a batch, more than once; whether it is written.
    pub(super) async fn attempt<F>(&self, entries: usize, write: impl Fn() -> F) -> bool
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        for attempt in 1..=TRIES {
            let error = match timeout(TRY_WITHIN, write()).await {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database did not answer in time".to_owned(),
            };
            tracing::warn!(error, attempt, entries, log = self.name, "the log was not written");
            if attempt < TRIES {
                sleep(PAUSE).await;
            }
        }
        false
    }
}

/// Text as PostgreSQL takes it.
pub(super) fn clean(mut text: String) -> String {
    text.retain(|character| character != '\0');
    text
}
