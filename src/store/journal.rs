//! What the tables of logs have in common: entries that come many at a time, are listed by an id that counts upwards
//! with time, and are deleted by their age.
//!
//! What a page costs is bounded whatever it is narrowed to: the conditions that no index knows are asked of a window of
//! [`WINDOW`] entries behind the cursor, and a page that found too few there says where the next one begins.

use super::error::StoreError;
use super::{Conn, Tx};
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Alias, Order, Query};
use sea_orm::{
    ActiveModelTrait as _, Condition, ConnectionTrait as _, DbErr, EntityName, EntityTrait, FromQueryResult,
    IntoActiveModel, QuerySelect as _, QueryTrait as _, Select, SqlErr, Statement, TryGetableMany,
};

/// How many entries one page looks through at most.
pub const WINDOW: u64 = 10_000;
/// How many entries are deleted in one transaction.
const PRUNED_AT_ONCE: i64 = 1_000;

/// Entries in the order that was asked for.
#[derive(Debug, Clone)]
pub struct Found<T, I> {
    pub entries: Vec<T>,
    /// Where the next page begins: behind this entry, which may not be among those found. `None` at the end of the log.
    pub next: Option<I>,
}

/// How a list is read.
pub(super) struct Listing<E: EntityTrait, T, I> {
    /// The entries that it looks through, in its order, behind the cursor.
    pub looked_through: Select<E>,
    /// The conditions that are asked of each of them.
    pub narrowed: Condition,
    pub columns: Vec<E::Column>,
    pub id: E::Column,
    pub order: Order,
    pub id_of: fn(&T) -> I,
}

impl<E, T, I> Listing<E, T, I>
where
    E: EntityTrait,
    T: FromQueryResult,
    I: TryGetableMany + Copy + Send + Sync,
{
    /// A page of at most `limit` entries.
    pub(super) async fn page(self, conn: &impl Conn, limit: u64) -> Result<Found<T, I>, StoreError> {
        let Self { looked_through, narrowed, columns, id, order, id_of } = self;
        let is_narrowed = !narrowed.is_empty();
        let statement = if is_narrowed {
            let inner = looked_through.clone().limit(WINDOW).into_query();
            Query::select()
                .columns(columns)
                .from_subquery(inner, Alias::new("looked_through"))
                .cond_where(narrowed)
                .order_by(id, order)
                .limit(limit + 1)
                .take()
        } else {
            looked_through.clone().limit(limit + 1).into_query()
        };
        let rows = conn.inner().query_all(&statement).await?;
        let mut entries =
            rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<Vec<_>, DbErr>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if entries.len() > limit {
            entries.truncate(limit);
            let next = entries.last().map(id_of);
            return Ok(Found { entries, next });
        }
        if !is_narrowed {
            return Ok(Found { entries, next: None });
        }
        // Is there anything behind the window?
        let ids = looked_through.select_only().column(id).offset(WINDOW - 1).limit(2);
        let ids: Vec<I> = ids.into_tuple().all(conn.inner()).await?;
        Ok(Found { entries, next: if ids.len() == 2 { ids.first().copied() } else { None } })
    }
}

/// Writes entries by statements of a few lengths only, each of which is kept prepared. Those that were written before
/// are left as they are.
pub(super) async fn insert_rows<E>(tx: &Tx, mut rows: &[E::Model]) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    while !rows.is_empty() {
        let length = if rows.len() >= 64 { 64 } else { 1 << rows.len().ilog2() };
        let (part, rest) = rows.split_at(length);
        rows = rest;
        let part: Vec<_> = part.iter().map(|row| row.clone().into_active_model().reset_all()).collect();
        E::insert_many(part).on_conflict_do_nothing().exec_without_returning(tx.inner()).await?;
    }
    Ok(())
}

/// What a COPY came to. Ids are random enough to be nobody else's: where they are there already, these rows were
/// written by a try whose answer was lost.
pub(super) fn copied<T>(done: Result<T, DbErr>) -> Result<(), StoreError> {
    match done {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

/// Deletes entries from before this time, so many at once and no more; tells how many.
pub(super) async fn prune<E: EntityName>(
    conn: &impl Conn,
    log: E,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let table = log.table_name();
    let statement = Statement::from_sql_and_values(
        conn.inner().get_database_backend(),
        format!(
            "DELETE FROM {table} WHERE (organization_id, id) IN (
            SELECT organization_id, id FROM {table} WHERE created_at < $1 ORDER BY created_at LIMIT $2)"
        ),
        [before.into(), PRUNED_AT_ONCE.into()],
    );
    Ok(conn.inner().execute_raw(statement).await?.rows_affected())
}

/// Whether a pruning may have left something.
pub const fn is_more_to_prune(deleted: u64) -> bool {
    deleted >= PRUNED_AT_ONCE.unsigned_abs()
}
