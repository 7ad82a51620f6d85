//! Queries of the sign-in log. Entries come many at a time; pages go by id, which counts upwards with time.
//!
//! What a page costs is bounded ([`journal`]).

pub use super::entities::sign_ins::Model as SignIn;
pub use super::journal::{WINDOW, is_more_to_prune};

use super::copy::Lines;
use super::entities::sign_in_attempts;
use super::entities::sign_ins::{Column, Entity};
use super::error::StoreError;
use super::journal::{self, Listing};
use super::sign_in_attempts::SignInAttempt;
use super::{Conn, Db, Tx};
use crate::model::id::{ConnectionId, SessionId, SignInAttemptId, SignInId, UserId};
use crate::model::sign_in::SignInOutcome;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Iden as _, Iterable as _,
    QueryFilter, QueryOrder, Statement,
};

/// How many attempts are told to be abandoned in one transaction.
pub const TOLD_AT_ONCE: u64 = 500;
/// The outcome of an attempt that nobody finished.
const ABANDONED: &str = "abandoned";

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct SignInFilter {
    /// Empty is all.
    pub outcomes: Vec<SignInOutcome>,
    /// Empty is all.
    pub codes: Vec<String>,
    pub connection: Option<ConnectionId>,
    pub user: Option<UserId>,
    pub reference: Option<String>,
    /// Part of the address, without case.
    pub search: Option<String>,
    /// Not before this millisecond.
    pub after: Option<Timestamp>,
    /// Before this millisecond.
    pub before: Option<Timestamp>,
    pub oldest_first: bool,
}

/// Entries in their order, and where the next page begins.
pub type Found = journal::Found<SignIn, SignInId>;

/// The conditions that are asked of each entry.
fn narrowed(filter: &SignInFilter) -> Condition {
    let mut condition = Condition::all();
    if !filter.outcomes.is_empty() {
        let words = filter.outcomes.iter().map(|outcome| outcome.as_str());
        condition = condition.add(Expr::col(Column::Outcome).is_in(words));
    }
    if !filter.codes.is_empty() {
        condition = condition.add(Expr::col(Column::Code).is_in(filter.codes.iter().map(String::as_str)));
    }
    if let Some(connection) = filter.connection {
        condition = condition.add(Expr::col(Column::ConnectionId).eq(connection));
    }
    if let Some(user) = filter.user {
        condition = condition.add(Expr::col(Column::UserId).eq(user));
    }
    if let Some(text) = &filter.search {
        condition = condition.add(super::contains_folded(Column::Address, text));
    }
    condition
}

/// The entries that a page looks through.
fn window(scope: TenantScope, filter: &SignInFilter, cursor: Option<SignInId>) -> sea_orm::Select<Entity> {
    let order = if filter.oldest_first { Order::Asc } else { Order::Desc };
    let mut query =
        Entity::find().filter(Column::OrganizationId.eq(scope.organization())).order_by(Column::Id, order);
    if let Some(cursor) = cursor {
        let behind = if filter.oldest_first { Column::Id.gt(cursor) } else { Column::Id.lt(cursor) };
        query = query.filter(behind);
    }
    if let Some(after) = filter.after {
        query = query.filter(Column::Id.gte(SignInId::first(after)));
    }
    if let Some(before) = filter.before {
        query = query.filter(Column::Id.lt(SignInId::first(before)));
    }
    if let Some(reference) = &filter.reference {
        query = query.filter(Column::Reference.eq(reference.as_str()));
    }
    if filter.outcomes == [SignInOutcome::Refused] {
        // Word for word what the index of those says.
        query = query.filter(Expr::cust("outcome = 'refused'"));
    }
    query
}

/// A page of the log behind the cursor, at most `limit` entries.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    filter: &SignInFilter,
    cursor: Option<SignInId>,
    limit: u64,
) -> Result<Found, StoreError> {
    let listing = Listing {
        looked_through: window(scope, filter, cursor),
        narrowed: narrowed(filter),
        columns: Column::iter().collect(),
        id: Column::Id,
        order: if filter.oldest_first { Order::Asc } else { Order::Desc },
        id_of: |entry: &SignIn| entry.id,
    };
    listing.page(conn, limit).await
}

/// One entry.
pub async fn find(conn: &impl Conn, scope: TenantScope, id: SignInId) -> Result<Option<SignIn>, StoreError> {
    Ok(Entity::find_by_id((scope.organization(), id)).one(conn.inner()).await?)
}

/// Writes entries of all organizations. Those that were written before are left as they are.
pub async fn insert_all(db: &Db, _scope: InstallationScope, rows: &[SignIn]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    if !db.is_sqlite() {
        return copy_rows(db, rows).await;
    }
    let tx = db.begin().await?;
    journal::insert_rows::<Entity>(&tx, rows).await?;
    tx.commit().await
}

/// On PostgreSQL: by COPY.
async fn copy_rows(db: &Db, rows: &[SignIn]) -> Result<(), StoreError> {
    const COPY: &str = "COPY sign_ins (organization_id, id, connection_id, attempt_id, created_at, reference,
        outcome, code, detail, next_step, started_at, finished_at, address, user_id, session_id, created, linked,
        verified, encrypted, certificate, algorithm, clock_difference_ms, issuer, name_id_format, authn_context,
        attributes, unmasked, ip, user_agent, request_id, left_out) FROM STDIN";
    let mut lines = Lines::default();
    for row in rows {
        lines
            .shown(row.organization_id.uuid())
            .shown(row.id.uuid())
            .shown(row.connection_id.uuid())
            .maybe(row.attempt_id.map(SignInAttemptId::uuid))
            .shown(row.created_at.micros())
            .text(&row.reference)
            .text(row.outcome.as_str())
            .optional(row.code.as_deref())
            .optional(row.detail.as_deref())
            .optional(row.next_step.as_deref())
            .maybe(row.started_at.map(Timestamp::micros))
            .maybe(row.finished_at.map(Timestamp::micros))
            .optional(row.address.as_deref())
            .maybe(row.user_id.map(UserId::uuid))
            .maybe(row.session_id.map(SessionId::uuid))
            .shown(row.created)
            .shown(row.linked)
            .shown(row.verified)
            .shown(row.encrypted)
            .optional(row.certificate.as_deref())
            .optional(row.algorithm.as_deref())
            .maybe(row.clock_difference_ms)
            .optional(row.issuer.as_deref())
            .optional(row.name_id_format.as_deref())
            .optional(row.authn_context.as_deref())
            .optional(row.attributes.as_deref())
            .shown(row.unmasked)
            .optional(row.ip.as_deref())
            .optional(row.user_agent.as_deref())
            .text(&row.request_id)
            .shown(row.left_out)
            .end();
    }
    journal::copied(db.write.copy_in(COPY, lines.bytes()).await)
}

/// Marks attempts that nobody finished and whose time was over in this span, so that each is told once; at most
/// [`TOLD_AT_ONCE`] of them.
pub async fn take_abandoned(
    tx: &Tx,
    _scope: InstallationScope,
    after: Timestamp,
    until: Timestamp,
) -> Result<Vec<SignInAttempt>, StoreError> {
    let columns: Vec<String> = sign_in_attempts::Column::iter().map(|column| column.to_string()).collect();
    let sql = format!(
        "UPDATE sign_in_attempts SET outcome = $3 WHERE consumed_at IS NULL AND outcome IS NULL AND id IN (
            SELECT id FROM sign_in_attempts
            WHERE expires_at > $1 AND expires_at <= $2 AND consumed_at IS NULL AND outcome IS NULL
            ORDER BY expires_at LIMIT {TOLD_AT_ONCE})
         RETURNING {}",
        columns.join(", ")
    );
    let values = [after.into(), until.into(), ABANDONED.into()];
    let statement = Statement::from_sql_and_values(tx.inner().get_database_backend(), sql, values);
    let rows = tx.inner().query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| SignInAttempt::from_query_result(row, "")).collect::<Result<Vec<_>, DbErr>>()?)
}

/// Writes entries within a transaction.
pub async fn insert(tx: &Tx, _scope: InstallationScope, rows: &[SignIn]) -> Result<(), StoreError> {
    journal::insert_rows::<Entity>(tx, rows).await
}

/// Deletes entries from before this time, so many at once and no more; tells how many.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
) -> Result<u64, StoreError> {
    journal::prune(conn, Entity, before).await
}
