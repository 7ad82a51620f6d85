//! A stage: one connection in one transaction that is never committed, for a rehearsal of what a request would do.
//!
//! Whoever works with the [`Db`](super::Db) of a rehearsal works here, without knowing: a transaction is a savepoint, what
//! is committed stays for the rest of the rehearsal, and a statement outside of transactions is a savepoint of its own,
//! so that one that fails takes nothing else with it. There is no way from here to a commit of the connection. However
//! the rehearsal ends (at its end, when it is dropped, when a statement is still under way), the connection rolls back.

use super::error::StoreError;
use super::pool::{Lease, Pool};
use super::{Conn, Db};
use crate::model::event::NewEvent;
use sea_orm::{ConnAcquireErr, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{MappedMutexGuard, MutexGuard};

/// The connection of a rehearsal.
pub(super) struct Stage {
    lease: tokio::sync::Mutex<Option<Lease>>,
    /// The rehearsal is over: nothing runs here any more.
    closed: AtomicBool,
    numbers: AtomicU32,
    /// Savepoints whose transactions were dropped, to be rolled back before anything else runs.
    abandoned: Mutex<Vec<u32>>,
    /// What the transactions that were committed told.
    events: Mutex<Vec<NewEvent>>,
}

fn closed() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    pub(super) fn new(lease: Lease) -> Self {
        Self {
            lease: tokio::sync::Mutex::new(Some(lease)),
            closed: AtomicBool::new(false),
            numbers: AtomicU32::new(0),
            abandoned: Mutex::default(),
            events: Mutex::default(),
        }
    }

    /// The connection, brought to where the last transaction that was not dropped left it.
    async fn open(&self) -> Result<MappedMutexGuard<'_, Lease>, DbErr> {
        let mut held = self.lease.lock().await;
        if self.closed.load(Ordering::Acquire) {
            // Whoever ended the rehearsal found the connection in use.
            drop(held.take());
        }
        let mut lease = MutexGuard::try_map(held, Option::as_mut).map_err(|_| closed())?;
        let mut abandoned = std::mem::take(&mut *lock(&self.abandoned));
        // The innermost first.
        abandoned.sort_unstable();
        for number in abandoned.into_iter().rev() {
            lease.execute_unprepared(&undo(number)).await?;
        }
        Ok(lease)
    }

    fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn begin(self: &Arc<Self>) -> Result<Scene, DbErr> {
        let number = self.number();
        self.open().await?.execute_unprepared(&format!("SAVEPOINT scene_{number}")).await?;
        Ok(Scene {
            stage: Arc::clone(self),
            number,
            failed: AtomicBool::new(false),
            over: false,
            events: Mutex::default(),
        })
    }

    /// Ends the rehearsal from outside, whatever is still under way.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Ok(mut held) = self.lease.try_lock() {
            // What is dropped within a transaction is rolled back before anybody else gets it.
            drop(held.take());
        }
    }
}

fn undo(number: u32) -> String {
    format!("ROLLBACK TO SAVEPOINT scene_{number}; RELEASE SAVEPOINT scene_{number}")
}

/// Runs one statement on a stage as a transaction of its own, or within a scene.
macro_rules! statements {
    ($($name:ident($parameter:ty) -> $gives:ty;)+) => {
        impl Stage {
            $(pub(super) async fn $name(&self, statement: $parameter) -> Result<$gives, DbErr> {
                let number = self.number();
                let mut lease = self.open().await?;
                lease.execute_unprepared(&format!("SAVEPOINT scene_{number}")).await?;
                let done = lease.$name(statement).await;
                let end = if done.is_ok() { format!("RELEASE SAVEPOINT scene_{number}") } else { undo(number) };
                lease.execute_unprepared(&end).await?;
                done
            })+
        }

        impl Scene {
            $(pub(super) async fn $name(&self, statement: $parameter) -> Result<$gives, DbErr> {
                let done = self.stage.open().await?.$name(statement).await;
                if done.is_err() {
                    self.failed.store(true, Ordering::Relaxed);
                }
                done
            })+
        }
    };
}

statements! {
    execute(Statement) -> ExecResult;
    execute_unprepared(&str) -> ExecResult;
    query_one(Statement) -> Option<QueryResult>;
    query_all(Statement) -> Vec<QueryResult>;
}

/// A transaction on a stage, undone unless it is committed; then it lasts as long as the rehearsal.
pub(super) struct Scene {
    stage: Arc<Stage>,
    number: u32,
    failed: AtomicBool,
    over: bool,
    events: Mutex<Vec<NewEvent>>,
}

impl Scene {
    /// # Errors
    /// Also if a statement in it failed, as everywhere.
    pub(super) async fn commit(mut self) -> Result<(), DbErr> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(super::pool::half_failed());
        }
        let end = format!("RELEASE SAVEPOINT scene_{}", self.number);
        self.stage.open().await?.execute_unprepared(&end).await?;
        self.over = true;
        let mut told = std::mem::take(&mut *lock(&self.events));
        lock(&self.stage.events).append(&mut told);
        Ok(())
    }

    pub(super) fn note(&self, events: &[NewEvent]) {
        lock(&self.events).extend_from_slice(events);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.stage.abandoned).push(self.number);
        }
    }
}

/// A rehearsal under way; dropped, it is over, and nothing of it was ever there.
pub struct Rehearsal {
    db: Db,
    stage: Arc<Stage>,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rehearsal")
    }
}

impl Rehearsal {
    /// The database as whoever plays a part in it sees it.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The events of all that was committed so far, in their order.
    pub fn events(&self) -> Vec<NewEvent> {
        lock(&self.stage.events).clone()
    }

    /// Rolls back, and returns when that is done.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer any more; the connection is closed then, which rolls back too.
    pub async fn end(self) -> Result<(), StoreError> {
        self.stage.closed.store(true, Ordering::Release);
        let lease = self.stage.lease.lock().await.take();
        if let Some(mut lease) = lease {
            lease.roll_back().await?;
        }
        Ok(())
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.stage.close();
    }
}

impl Db {
    /// Begins a rehearsal. On SQLite nobody else writes until it ends; on PostgreSQL whoever wants the rows that it
    /// writes waits. So it has to be short: on PostgreSQL a statement in it waits for others no longer than `patience`,
    /// and takes no longer than `within`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no connection to be had.
    pub async fn rehearse(&self, patience: Duration, within: Duration) -> Result<Rehearsal, StoreError> {
        let mut lease = self.write.begin_on_lease().await?;
        if self.backend() == DbBackend::Postgres {
            // Should this process vanish without a word, the server ends it.
            let bounds = format!(
                "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {within}; \
                 SET LOCAL idle_in_transaction_session_timeout = {}",
                patience.as_millis(),
                within.as_millis() * 4,
                within = within.as_millis(),
            );
            lease.execute_unprepared(&bounds).await?;
        }
        let stage = Arc::new(Stage::new(lease));
        let pool = Pool::on_stage(Arc::clone(&stage), self.backend());
        let db = Self { write: pool.clone(), read: pool, icu: Arc::clone(&self.icu) };
        Ok(Rehearsal { db, stage })
    }

    /// Whether this is the database of a rehearsal.
    pub fn is_rehearsed(&self) -> bool {
        self.inner().is_stage()
    }
}
