//! Connections that are kept for use, and transactions on them, as sea-orm asks for them.
//!
//! sqlx has a pool of its own, which asks the database for a sign of life each time a connection comes back: one round
//! trip more for each query. Here a connection that came to the end of its statement goes back as it is. One that was
//! left in the middle of a statement or a transaction (its request was given up) is first brought to an end: what the
//! statement still answers is read, the transaction rolled back; if that fails, it is closed.

use super::stage::{Scene, Stage};
use crate::model::event::NewEvent;
use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleResult, Timeouts};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError,
    Statement,
};
use sea_query_sqlx::SqlxValues;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A connection that was idle for so long is asked for a sign of life before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// How long it may take to bring a connection that was left midway to an end.
const TIDY_WITHIN: Duration = Duration::from_secs(30);

/// How long plans last on a new connection to PostgreSQL; then twice as long each time, up to [`PLANS_LAST`]. A plan is
/// made once for a connection and stays until the next analysis, while a tenant may grow from ten people to a hundred
/// thousand: what was one index as good as another is then a walk through the tenant for each look-up.
const PLANS_LAST_FIRST: Duration = Duration::from_secs(1);
const PLANS_LAST: Duration = Duration::from_secs(10);

/// What every connection to PostgreSQL is set to, for the same reason: what reads a small table fastest, from its
/// beginning to its end, takes longest when it has grown. Every query here names its tenant and has an index. Nothing
/// runs long enough to be compiled.
const POSTGRES_SETTINGS: &str = "SET enable_seqscan = off; SET jit = off";

/// How to connect.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

impl Target {
    const fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }
}

/// A connection to the database.
enum Wire {
    Postgres(PgConnection),
    Sqlite(Box<SqliteConnection>),
}

macro_rules! on_wire {
    ($wire:expr, $connection:ident => $work:expr) => {
        match $wire {
            Wire::Postgres($connection) => $work,
            Wire::Sqlite(boxed) => {
                let $connection = &mut **boxed;
                $work
            }
        }
    };
}

impl Wire {
    async fn open(target: &Target) -> Result<Self, SqlxError> {
        Ok(match target {
            Target::Postgres(options) => {
                let mut connection = options.connect().await?;
                connection.execute(POSTGRES_SETTINGS).await?;
                Self::Postgres(connection)
            }
            Target::Sqlite(options) => Self::Sqlite(Box::new(options.connect().await?)),
        })
    }

    async fn execute(&mut self, statement: Statement) -> Result<ExecResult, SqlxError> {
        let values = SqlxValues(statement.values.unwrap_or_else(no_values));
        let sql = AssertSqlSafe(statement.sql);
        on_wire!(self, connection => sqlx::query_with(sql, values).execute(connection).await.map(Into::into))
    }

    async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, SqlxError> {
        let sql = AssertSqlSafe(sql.to_owned());
        on_wire!(self, connection => connection.execute(sql).await.map(Into::into))
    }

    async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, SqlxError> {
        let values = SqlxValues(statement.values.unwrap_or_else(no_values));
        let sql = AssertSqlSafe(statement.sql);
        on_wire!(self, connection => {
            Ok(sqlx::query_with(sql, values).fetch_optional(connection).await?.map(Into::into))
        })
    }

    async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, SqlxError> {
        let values = SqlxValues(statement.values.unwrap_or_else(no_values));
        let sql = AssertSqlSafe(statement.sql);
        on_wire!(self, connection => {
            let rows = sqlx::query_with(sql, values).fetch_all(connection).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
    }

    /// Sends rows to a `COPY … FROM STDIN`, which only PostgreSQL knows.
    async fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<(), SqlxError> {
        let Self::Postgres(connection) = self else {
            return Err(SqlxError::Protocol("only PostgreSQL takes COPY".to_owned()));
        };
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(rows).await?;
        copy.finish().await?;
        Ok(())
    }

    /// Lets all prepared statements be planned anew, for the tables as they are now.
    async fn forget_plans(&mut self) -> Result<(), SqlxError> {
        match self {
            Self::Postgres(connection) => connection.execute("DISCARD PLANS").await.map(drop),
            // Plans here hang on the schema alone.
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Reads what is still to come of an earlier statement, and asks for a sign of life.
    async fn ping(&mut self) -> Result<(), SqlxError> {
        on_wire!(self, connection => connection.ping().await)
    }

    async fn close(self) {
        // Whoever closes has no further use for it, and nothing to do about a failure.
        let _ = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
    }
}

const fn no_values() -> sea_orm::Values {
    sea_orm::Values(Vec::new())
}

/// Whether a connection is of no use after this error.
fn is_broken(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_) | SqlxError::WorkerCrashed => true,
        // PostgreSQL says that it shuts down, or that an administrator ended this session.
        SqlxError::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// A connection with what is known of its state.
pub(super) struct Kept {
    wire: Wire,
    /// A statement began on it and did not come to its end.
    midway: bool,
    /// A transaction began on it and did not come to its end.
    in_transaction: bool,
    /// A statement of the transaction failed.
    failed: bool,
    /// How old the connection is when its plans are made anew.
    plan_at: Duration,
}

/// Runs a statement on a connection; a future given up in the middle leaves `midway` behind.
macro_rules! run {
    ($kept:expr, $wire:ident => $work:expr) => {{
        let kept = &mut *$kept;
        kept.midway = true;
        let $wire = &mut kept.wire;
        let result = $work.await;
        kept.midway = result.as_ref().is_err_and(is_broken);
        kept.failed |= result.is_err();
        result
    }};
}

impl Kept {
    /// Brings whatever was begun to an end.
    async fn tidy(&mut self) -> Result<(), SqlxError> {
        self.wire.ping().await?;
        if self.in_transaction {
            self.wire.execute_unprepared("ROLLBACK").await?;
        }
        self.midway = false;
        self.in_transaction = false;
        self.failed = false;
        Ok(())
    }
}

/// Makes connections and looks after those that wait.
#[derive(Debug)]
struct Manager {
    target: Target,
}

impl managed::Manager for Manager {
    type Type = Kept;
    type Error = SqlxError;

    async fn create(&self) -> Result<Kept, SqlxError> {
        // Boxed, for it is large, rare, and else a part of every future that asks the database.
        let wire = Box::pin(Wire::open(&self.target)).await?;
        Ok(Kept { wire, midway: false, in_transaction: false, failed: false, plan_at: PLANS_LAST_FIRST })
    }

    async fn recycle(&self, kept: &mut Kept, metrics: &Metrics) -> RecycleResult<SqlxError> {
        if metrics.last_used() > TRUSTED_FOR {
            kept.wire.ping().await?;
        }
        let age = metrics.age();
        if age >= kept.plan_at {
            kept.plan_at = age + age.min(PLANS_LAST);
            kept.wire.forget_plans().await?;
        }
        Ok(())
    }
}

/// A connection on loan. It goes back when this is dropped.
pub(super) struct Lease {
    kept: Option<Object<Manager>>,
}

impl Lease {
    fn kept(&mut self) -> Result<&mut Kept, DbErr> {
        let closed = DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        self.kept.as_deref_mut().ok_or(closed)
    }
}

/// The statements of [`ConnectionTrait`], alike in a transaction and without one.
impl Lease {
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self.kept()?, wire => wire.execute(statement)).map_err(exec_error)
    }

    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self.kept()?, wire => wire.execute_unprepared(sql)).map_err(exec_error)
    }

    pub(super) async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self.kept()?, wire => wire.query_one(statement)).map_err(query_error)
    }

    pub(super) async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self.kept()?, wire => wire.query_all(statement)).map_err(query_error)
    }

    async fn begin(&mut self, how: &str) -> Result<(), DbErr> {
        let kept = self.kept()?;
        kept.in_transaction = true;
        kept.failed = false;
        run!(kept, wire => wire.execute_unprepared(how)).map_err(exec_error)?;
        Ok(())
    }

    /// Makes everything done in the transaction last.
    async fn commit(&mut self) -> Result<(), DbErr> {
        let kept = self.kept()?;
        if kept.failed {
            return Err(half_failed());
        }
        run!(kept, wire => wire.execute_unprepared("COMMIT")).map_err(exec_error)?;
        kept.in_transaction = false;
        Ok(())
    }

    /// Undoes everything done in the transaction.
    pub(super) async fn roll_back(&mut self) -> Result<(), DbErr> {
        let kept = self.kept()?;
        run!(kept, wire => wire.execute_unprepared("ROLLBACK")).map_err(exec_error)?;
        kept.in_transaction = false;
        Ok(())
    }
}

/// A transaction with a failed statement was to be committed: PostgreSQL would roll back and call that a success.
pub(super) fn half_failed() -> DbErr {
    DbErr::Custom("a transaction with a failed statement was to be committed".to_owned())
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        if !(kept.midway || kept.in_transaction) {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if !matches!(tokio::time::timeout(TIDY_WITHIN, kept.tidy()).await, Ok(Ok(()))) {
                    drop(Object::take(kept));
                }
            })),
            Err(_) => drop(Object::take(kept)),
        }
    }
}

/// Connections to one database, the last used one first, so that few stay busy and the rest can go; or the one of a
/// rehearsal.
#[derive(Clone)]
pub struct Pool {
    source: Source,
    backend: DbBackend,
}

#[derive(Clone)]
enum Source {
    Connections(managed::Pool<Manager>),
    Stage(Arc<Stage>),
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("Pool");
        f.field("backend", &self.backend);
        match &self.source {
            Source::Connections(pool) => f.field("status", &pool.status()).finish(),
            Source::Stage(_) => f.finish_non_exhaustive(),
        }
    }
}

impl Pool {
    /// A pool of at most so many connections; none is made yet. `wait` bounds the wait for a free one, and for a new
    /// one to answer.
    pub(super) fn new(target: Target, most: u32, wait: Duration) -> Result<Self, DbErr> {
        let backend = target.backend();
        let pool = managed::Pool::builder(Manager { target })
            .max_size(usize::try_from(most).unwrap_or(usize::MAX))
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts { wait: Some(wait), create: Some(wait), recycle: Some(wait) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        Ok(Self { source: Source::Connections(pool), backend })
    }

    /// The one connection of a rehearsal.
    pub(super) const fn on_stage(stage: Arc<Stage>, backend: DbBackend) -> Self {
        Self { source: Source::Stage(stage), backend }
    }

    pub(super) const fn is_stage(&self) -> bool {
        matches!(self.source, Source::Stage(_))
    }

    /// Begins a transaction; on SQLite one that writes, so that it never has to be begun again.
    pub(super) async fn begin(&self) -> Result<Transaction, DbErr> {
        let on = match &self.source {
            Source::Stage(stage) => On::Stage(stage.begin().await?),
            Source::Connections(_) => On::Connection(Mutex::new(self.begin_on_lease().await?)),
        };
        Ok(Transaction { on, backend: self.backend })
    }

    /// The same on a connection that the caller looks after. Rehearsals have none to give.
    pub(super) async fn begin_on_lease(&self) -> Result<Lease, DbErr> {
        let Source::Connections(pool) = &self.source else {
            return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        };
        let mut lease = lease(pool).await?;
        lease.begin(if self.backend == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
        Ok(lease)
    }

    /// Sends rows, in PostgreSQL's text format, to a `COPY … FROM STDIN`: all are written or none.
    pub(super) async fn copy_in(&self, statement: &str, rows: &[u8]) -> Result<(), DbErr> {
        let Source::Connections(pool) = &self.source else {
            return Err(DbErr::Custom("a rehearsal takes no COPY".to_owned()));
        };
        let mut lease = lease(pool).await?;
        run!(lease.kept()?, wire => wire.copy_in(statement, rows)).map_err(exec_error)
    }

    /// Asks the database for a sign of life.
    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        let Source::Connections(pool) = &self.source else { return Ok(()) };
        let mut lease = lease(pool).await?;
        run!(lease.kept()?, wire => wire.ping())
            .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
    }

    /// Closes connections that nobody used for so long.
    pub(super) async fn shed(&self, idle: Duration) {
        let Source::Connections(pool) = &self.source else { return };
        let shed = pool.retain(|_, metrics| metrics.last_used() < idle);
        for kept in shed.removed {
            kept.wire.close().await;
        }
    }

    /// Closes all connections and makes no new ones.
    pub(super) async fn close(&self) {
        self.shed(Duration::ZERO).await;
        if let Source::Connections(pool) = &self.source {
            pool.close();
        }
    }
}

async fn lease(pool: &managed::Pool<Manager>) -> Result<Lease, DbErr> {
    let kept = pool.get().await.map_err(|error| match error {
        PoolError::Timeout(_) => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        PoolError::Closed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        PoolError::Backend(error) => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        other => DbErr::Conn(RuntimeErr::Internal(other.to_string())),
    })?;
    Ok(Lease { kept: Some(kept) })
}

fn exec_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

#[async_trait::async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.source {
            Source::Connections(pool) => lease(pool).await?.execute(statement).await,
            Source::Stage(stage) => stage.execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.source {
            Source::Connections(pool) => lease(pool).await?.execute_unprepared(sql).await,
            Source::Stage(stage) => stage.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.source {
            Source::Connections(pool) => lease(pool).await?.query_one(statement).await,
            Source::Stage(stage) => stage.query_one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.source {
            Source::Connections(pool) => lease(pool).await?.query_all(statement).await,
            Source::Stage(stage) => stage.query_all(statement).await,
        }
    }
}

/// A transaction, rolled back unless it is committed.
pub struct Transaction {
    on: On,
    backend: DbBackend,
}

enum On {
    Connection(Mutex<Lease>),
    /// In a rehearsal.
    Stage(Scene),
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transaction")
    }
}

impl Transaction {
    /// Makes everything done in it last; in a rehearsal until that ends.
    ///
    /// # Errors
    /// Also if a statement in it failed: PostgreSQL would roll back and call that a success.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        match self.on {
            On::Connection(lease) => lease.into_inner().commit().await,
            On::Stage(scene) => scene.commit().await,
        }
    }

    /// In a rehearsal: remembers events that were written.
    pub(super) fn note(&self, events: &[NewEvent]) {
        if let On::Stage(scene) = &self.on {
            scene.note(events);
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.on {
            On::Connection(lease) => lease.lock().await.execute(statement).await,
            On::Stage(scene) => scene.execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.on {
            On::Connection(lease) => lease.lock().await.execute_unprepared(sql).await,
            On::Stage(scene) => scene.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.on {
            On::Connection(lease) => lease.lock().await.query_one(statement).await,
            On::Stage(scene) => scene.query_one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.on {
            On::Connection(lease) => lease.lock().await.query_all(statement).await,
            On::Stage(scene) => scene.query_all(statement).await,
        }
    }
}
