//! The only place that names sea-orm: connections, transactions, and one file of queries for each noun.
//!
//! SQLite gets one connection that writes (so that writers queue fairly instead of meeting "database is locked") and
//! a few that read; PostgreSQL gets one pool. A transaction is a [`Tx`]; reads outside of one go through [`Db`].
//! Every query of an organization's rows takes a [`TenantScope`](crate::model::tenant::TenantScope) first.

pub mod api_keys;
pub mod connection_drafts;
pub mod connection_tests;
pub mod connections;
mod copy;
pub mod deactivations;
pub mod directories;
pub mod directory_group_members;
pub mod directory_groups;
pub mod directory_schemas;
pub mod directory_users;
pub mod domains;
pub mod enforcement;
pub mod entities;
pub mod entries;
pub mod error;
pub mod events;
pub mod guests;
mod id_list;
pub mod idempotency_keys;
pub mod idp_metadata;
pub mod installation;
pub mod invites;
pub mod journal;
pub mod links;
pub mod logout_requests;
pub mod members;
pub mod migrations;
pub mod newcomers;
pub mod organizations;
pub mod pending_links;
mod pool;
pub mod role_mapping_names;
pub mod role_mappings;
pub mod saml_keys;
pub mod scim;
pub mod scim_clients;
pub mod scim_requests;
pub mod scim_tokens;
pub mod sessions;
pub mod sign_in_attempts;
pub mod sign_ins;
pub mod signing_keys;
pub mod stage;
pub mod users;

use error::StoreError;
use pool::{Pool, Target, Transaction};
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectOptions, ConnectionTrait, DbBackend, EntityTrait,
    IdenStatic, IntoActiveModel, Iterable, Order, QueryFilter, QueryOrder, QuerySelect, SqlxError, Statement,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a connection is kept that nobody uses.
const KEEP_IDLE: Duration = Duration::from_mins(5);

/// Where the database is and how many connections it gets.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// `sqlite://path?mode=rwc` or `postgres://…`.
    pub url: String,
    /// Connections at most (PostgreSQL), or reading connections (SQLite).
    pub max_connections: u32,
    /// How long a request waits for a connection before it is told that the database is not available.
    pub acquire_timeout: Duration,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Db {
    write: Pool,
    read: Pool,
    icu: Arc<OnceCell<bool>>,
}

/// A transaction: what was done in it is undone unless it is committed.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction,
}

/// Something that queries can run on: the database itself or a transaction.
pub trait Conn: Send + Sync {
    /// The connection as sea-orm knows it.
    type Inner: ConnectionTrait + Send;

    #[doc(hidden)]
    fn inner(&self) -> &Self::Inner;
}

impl Conn for Db {
    type Inner = Pool;

    fn inner(&self) -> &Pool {
        &self.read
    }
}

impl Conn for Tx {
    type Inner = Transaction;

    fn inner(&self) -> &Transaction {
        &self.inner
    }
}

/// The file of an SQLite database; `None` for PostgreSQL, and for a database in memory.
pub fn sqlite_path(url: &str) -> Option<std::path::PathBuf> {
    use sea_orm::sqlx::sqlite::SqliteConnectOptions;
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.trim_start_matches("//").split('?').next().unwrap_or_default();
    if path.is_empty() || path.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    let options: SqliteConnectOptions = url.parse().ok()?;
    Some(options.get_filename().to_owned())
}

/// Compares as the folded texts compare, without making them.
fn compare_folded(a: &str, b: &str) -> std::cmp::Ordering {
    use crate::protocol::scim::filter::folded;
    folded(a).cmp(folded(b))
}

/// What every connection to SQLite is set to.
fn set_sqlite(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        // For orders only, never in the schema: other programs can open the file.
        .collation("POSTERN_FOLD", compare_folded)
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "FULL")
        .pragma("foreign_keys", "ON")
        .pragma("temp_store", "MEMORY")
        .busy_timeout(Duration::from_secs(10))
}

fn set_postgres(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("postern")
}

/// How the pools connect.
fn target(url: &str) -> Result<Target, StoreError> {
    let unreadable = |error: SqlxError| StoreError::Unavailable(error.to_string());
    Ok(if url.starts_with("sqlite:") {
        let options: SqliteConnectOptions = url.parse().map_err(unreadable)?;
        Target::Sqlite(Box::new(set_sqlite(options).disable_statement_logging()))
    } else {
        let options: PgConnectOptions = url.parse().map_err(unreadable)?;
        Target::Postgres(Box::new(set_postgres(options).disable_statement_logging()))
    })
}

/// How sea-orm connects by itself, which the migrator needs.
fn connect_options(options: &DbOptions, connections: u32) -> ConnectOptions {
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(options.acquire_timeout)
        .connect_timeout(options.acquire_timeout)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(set_sqlite)
        .map_sqlx_postgres_opts(set_postgres);
    connect
}

impl Db {
    /// Connects, with at least one connection tried.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nothing answers at the URL or it refuses the credentials.
    pub async fn connect(options: &DbOptions) -> Result<Self, StoreError> {
        let target = target(&options.url)?;
        let (most, wait) = (options.max_connections, options.acquire_timeout);
        let db = if matches!(target, Target::Sqlite(_)) {
            Self {
                write: Pool::new(target.clone(), 1, wait)?,
                read: Pool::new(target, most.max(1), wait)?,
                icu: Arc::default(),
            }
        } else {
            let pool = Pool::new(target, most.max(2), wait)?;
            Self { write: pool.clone(), read: pool, icu: Arc::default() }
        };
        // The one that writes comes first: it turns a new SQLite database to WAL.
        db.write.ping().await?;
        db.read.ping().await?;
        Ok(db)
    }

    /// Begins a transaction. On SQLite it is the only one that writes until it ends.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(Tx { inner: self.write.begin().await? })
    }

    /// Closes connections that nobody has used for minutes.
    pub async fn shed_idle(&self) {
        self.write.shed(KEEP_IDLE).await;
        self.read.shed(KEEP_IDLE).await;
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read.ping().await.map_err(Into::into)
    }

    /// What the database's own clock shows; `None` on SQLite, whose clock is the machine's.
    pub async fn clock(&self) -> Result<Option<crate::model::time::Timestamp>, StoreError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT AS micros";
        let row = self.read.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let micros = row.map(|row| row.try_get::<i64>("", "micros")).transpose()?;
        Ok(micros.map(crate::model::time::Timestamp::from_micros))
    }

    /// "sqlite" or "postgres", for people.
    pub fn kind(&self) -> &'static str {
        if self.is_sqlite() { "sqlite" } else { "postgres" }
    }

    /// Whether this is SQLite.
    pub fn is_sqlite(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Sqlite
    }

    /// The kind of database.
    pub(crate) fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Whether PostgreSQL has the collation that folds case beyond ASCII, whatever its own locale is. Asked once.
    pub(crate) async fn has_icu(&self) -> Result<bool, StoreError> {
        if self.is_sqlite() {
            return Ok(false);
        }
        let ask = || async {
            let sql = "SELECT EXISTS (SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu') AS found";
            let row = self.read.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            row.map_or(Ok(false), |row| row.try_get::<bool>("", "found"))
        };
        Ok(*self.icu.get_or_try_init(ask).await?)
    }

    /// Closes all connections, so that SQLite folds its log into the file.
    pub async fn close(self) -> Result<(), StoreError> {
        self.read.close().await;
        self.write.close().await;
        Ok(())
    }
}

impl Tx {
    /// Makes everything done in the transaction last.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await.map_err(Into::into)
    }
}

/// Inserts a whole row.
async fn insert<E>(conn: &impl Conn, row: E::Model) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let row = row.into_active_model().reset_all();
    E::insert(row).exec_without_returning(conn.inner()).await?;
    Ok(())
}

/// Selects all columns of a table, each with the prefix in front: several rows are read in one round trip, and
/// `from_query_result` takes them apart again.
fn select_whole<E: EntityTrait>(query: &mut SelectStatement, prefix: &str) {
    for column in E::Column::iter() {
        let name = format!("{prefix}{}", column.as_str());
        query.expr_as(column.select_as(column.into_expr()), name);
    }
}

/// Writes a whole row over the one that matches; [`StoreError::Stale`] if none does.
async fn replace<E>(conn: &impl Conn, row: E::Model, matches: Condition) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let row = row.into_active_model().reset_all();
    let done = E::update_many().set(row).filter(matches).exec(conn.inner()).await?;
    if done.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// The condition of a keyset page: rows after the one the cursor names, in the order of (value, id).
fn after<C: ColumnTrait, V: Into<Expr> + Clone>(
    column: C,
    id_column: C,
    descending: bool,
    value: V,
    id: uuid::Uuid,
) -> Condition {
    use sea_orm::ExprTrait;
    let (beyond, beyond_id) = if descending {
        (Expr::col(column).lt(value.clone()), Expr::col(id_column).lt(id))
    } else {
        (Expr::col(column).gt(value.clone()), Expr::col(id_column).gt(id))
    };
    Condition::any().add(beyond).add(Condition::all().add(Expr::col(column).eq(value)).add(beyond_id))
}

/// `Asc` or `Desc`.
const fn direction(descending: bool) -> Order {
    if descending { Order::Desc } else { Order::Asc }
}

/// Fetches one page in (column, id) order, with one row more than asked for, and the total where it is wanted.
async fn fetch_page<E>(
    conn: &impl Conn,
    filter: Condition,
    order: (E::Column, E::Column, bool),
    request: &crate::model::page::PageRequest,
) -> Result<(Vec<E::Model>, Option<u64>), StoreError>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    use sea_orm::PaginatorTrait;
    let total = if request.include_total {
        Some(E::find().filter(filter.clone()).count(conn.inner()).await?)
    } else {
        None
    };
    let (column, id_column, descending) = order;
    let from =
        request.cursor.as_ref().and_then(|c| Some(after(column, id_column, descending, c.time()?, c.id)));
    let rows = E::find()
        .filter(filter)
        .filter(from.unwrap_or_else(Condition::all))
        .order_by(column, direction(descending))
        .order_by(id_column, direction(descending))
        .limit(request.limit() + 1)
        .all(conn.inner())
        .await?;
    Ok((rows, total))
}

/// Whether a text column has this text in it, without case; `%` and `_` stand for themselves.
///
/// SQLite (and PostgreSQL in the C locale) folds ASCII letters only. So a text with other letters is also looked for
/// as it was written, and in the spellings that names have: small, capitalized, all capitals.
fn contains_folded<C: ColumnTrait>(column: C, text: &str) -> Condition {
    use sea_orm::ExprTrait;
    use sea_orm::sea_query::{Func, LikeExpr};
    let like = |text: &str| LikeExpr::new(pattern(text)).escape('\\');
    let small = text.to_lowercase();
    let found = Condition::any().add(Expr::expr(Func::lower(Expr::col(column))).like(like(&small)));
    if text.is_ascii() {
        return found;
    }
    [text.to_owned(), capitalized(&small), text.to_uppercase(), small]
        .iter()
        .fold(found, |found, text| found.add(Expr::col(column).like(like(text))))
}

/// The pattern of LIKE for a text anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// With a capital at the beginning of each word.
fn capitalized(small: &str) -> String {
    let mut begins = true;
    let mut capitalized = String::with_capacity(small.len());
    for character in small.chars() {
        if begins {
            capitalized.extend(character.to_uppercase());
        } else {
            capitalized.push(character);
        }
        begins = !character.is_alphanumeric();
    }
    capitalized
}
