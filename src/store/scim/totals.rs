//! How many resources of a table a directory has, without counting them all each time.
//!
//! Ids follow the time of making. All up to some id were counted once; those behind it are counted by the index, and
//! those who left since are noted one by one, in the transaction in which they leave. A fold counts anew up to an id that
//! lies some seconds back, so that what is being written at this moment is not passed over; whatever a slower
//! transaction or a clock that is off slips in behind the fold is found by the next one.

use super::{Sql, Stored, number};
use crate::model::id::{DirectoryId, uuid_v7_from};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::{Conn, Db, Tx};
use sea_orm::{ConnectionTrait, DbBackend};
use std::time::Duration;
use uuid::Uuid;

/// How far a fold stays behind the time.
const BEHIND: Duration = Duration::from_secs(5);
/// How many rows may be left to the index before they are folded.
const LOOSE: i64 = 1_000;
/// Not sooner than this after a fold comes the next.
const PAUSE: Duration = Duration::from_secs(10);
/// A count older than this is made anew.
const STALE: Duration = Duration::from_mins(10);

/// How many there are, and whether it took so much counting that a fold is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub number: u64,
    pub fold_due: bool,
}

/// How many resources the directory has.
pub async fn total<S: Stored>(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<Total, StoreError> {
    let table = S::TABLE;
    let loose = format!(
        "SELECT count(*) FROM {table} AS r WHERE r.directory_id = c.directory_id AND r.id >= c.up_to"
    );
    let left = "SELECT count(*) FROM directory_departures AS d WHERE d.directory_id = c.directory_id \
                AND d.kind = c.kind AND d.id < c.up_to";
    let sql = Sql::of(
        &format!(
            "SELECT c.counted, c.counted_at, ({loose}) AS loose, ({left}) AS gone FROM directory_counts AS c \
             WHERE c.directory_id = ? AND c.kind = ? AND c.organization_id = ?"
        ),
        [&Sql::value(directory), &Sql::value(table), &Sql::value(scope.organization())],
    );
    let inner = conn.inner();
    let row = inner.query_one_raw(sql.statement(inner.get_database_backend())).await?;
    let Some(row) = row else {
        // Never counted: so far they are few enough, or this is the first look at them.
        let sql = Sql::of(
            &format!(
                "SELECT count(*) AS number FROM {table} AS r WHERE r.directory_id = \
                 (SELECT id FROM directories WHERE id = ? AND organization_id = ?)"
            ),
            [&Sql::value(directory), &Sql::value(scope.organization())],
        );
        let number = number(conn, sql).await?;
        return Ok(Total { number, fold_due: number > LOOSE.unsigned_abs() });
    };
    let get = |name: &str| row.try_get::<i64>("", name);
    let (counted, loose, gone) = (get("counted")?, get("loose")?, get("gone")?);
    let age = now.since(Timestamp::from_micros(get("counted_at")?));
    Ok(Total {
        number: u64::try_from(counted + loose - gone).unwrap_or(0),
        fold_due: age > STALE || age > PAUSE && loose + gone > LOOSE,
    })
}

/// Counts anew. `false` if somebody else does so at this moment, or has just done it.
pub async fn fold<S: Stored>(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    fold_table(db, scope, directory, S::TABLE, now).await
}

async fn fold_table(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    table: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let tx = db.begin().await?;
    let (kind, place) = (Sql::value(table), Sql::value(directory));
    let organization = Sql::value(scope.organization());
    let never = Sql::value(Uuid::nil());
    let begun = Sql::of(
        "INSERT INTO directory_counts (directory_id, kind, organization_id, up_to, counted, counted_at) \
         VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT DO NOTHING",
        [&place, &kind, &organization, &never],
    );
    run(&tx, begun).await?;
    // One counts; the others go on with what there is. SQLite has one writer anyway.
    let lock = if db.is_sqlite() { "" } else { " FOR UPDATE SKIP LOCKED" };
    let seen = Sql::of(
        &format!(
            "SELECT counted_at AS number FROM directory_counts \
             WHERE directory_id = ? AND kind = ? AND organization_id = ?{lock}"
        ),
        [&place, &kind, &organization],
    );
    let row = tx.inner().query_one_raw(seen.statement(tx.inner().get_database_backend())).await?;
    let counted_at = row.map(|row| row.try_get::<i64>("", "number")).transpose()?;
    if counted_at.is_none_or(|at| now.since(Timestamp::from_micros(at)) <= PAUSE && at > 0) {
        return Ok(false);
    }
    let up_to = Sql::value(uuid_v7_from(now.minus(BEHIND)));
    let gone = Sql::of(
        "DELETE FROM directory_departures WHERE directory_id = ? AND kind = ? AND id < ?",
        [&place, &kind, &up_to],
    );
    let counted = Sql::of(
        &format!(
            "UPDATE directory_counts SET up_to = ?, counted_at = ?, \
             counted = (SELECT count(*) FROM {table} AS r WHERE r.directory_id = ? AND r.id < ?) \
             WHERE directory_id = ? AND kind = ?"
        ),
        [&up_to, &Sql::value(now.micros()), &place, &up_to, &place, &kind],
    );
    if db.backend() == DbBackend::Postgres {
        // In one statement, so that both see the same moment: whoever leaves later is counted, and noted.
        run(&tx, Sql::of("WITH gone AS (?) ?", [&gone, &counted])).await?;
    } else {
        run(&tx, gone).await?;
        run(&tx, counted).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Notes that a resource leaves; in the transaction in which it does.
pub(in crate::store) async fn leave(
    tx: &impl Conn,
    table: &str,
    scope: TenantScope,
    directory: DirectoryId,
    id: Uuid,
) -> Result<(), StoreError> {
    let sql = Sql::of(
        "INSERT INTO directory_departures (directory_id, kind, id, organization_id) VALUES (?, ?, ?, ?)",
        [&Sql::value(directory), &Sql::value(table), &Sql::value(id), &Sql::value(scope.organization())],
    );
    let inner = tx.inner();
    inner.execute_raw(sql.statement(inner.get_database_backend())).await?;
    Ok(())
}

/// Folds directories that many have left and whose lists nobody asks for; tells how many.
pub async fn fold_departures(db: &Db, _: InstallationScope, now: Timestamp) -> Result<u64, StoreError> {
    let sql = Sql::of(
        "SELECT directory_id, kind, organization_id FROM directory_departures \
         GROUP BY directory_id, kind, organization_id HAVING count(*) > ?",
        [&Sql::value(LOOSE)],
    );
    let mut folded = 0;
    for row in db.inner().query_all_raw(sql.statement(db.backend())).await? {
        let kind: String = row.try_get("", "kind")?;
        let scope = TenantScope::established(row.try_get("", "organization_id")?);
        // Only tables that are listed are ever noted; the name becomes text of a statement.
        if [super::Users::TABLE, super::Groups::TABLE].contains(&kind.as_str())
            && fold_table(db, scope, row.try_get("", "directory_id")?, &kind, now).await?
        {
            folded += 1;
        }
    }
    Ok(folded)
}

async fn run(tx: &Tx, sql: Sql) -> Result<(), StoreError> {
    let inner = tx.inner();
    inner.execute_raw(sql.statement(inner.get_database_backend())).await?;
    Ok(())
}
