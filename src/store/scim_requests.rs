//! Queries of the SCIM request log. Entries come many at a time; pages go by id, which counts upwards with time.
//!
//! What a page costs is bounded whatever it is narrowed to: the conditions that no index knows are asked of a window of
//! the newest [`WINDOW`] entries behind the cursor, and a page that found too few there says where the next one begins.

pub use super::entities::scim_requests::Model as ScimRequest;

use super::copy::Lines;
use super::entities::scim_requests::{Column, Entity};
use super::error::StoreError;
use super::{Conn, Db};
use crate::model::id::ScimRequestId;
use crate::model::scim_request::{IdentityProvider, ScimResource};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, SqlErr, Statement,
};

/// How many entries one page looks through at most.
pub const WINDOW: u64 = 10_000;
/// How many entries are deleted in one transaction.
const PRUNED_AT_ONCE: i64 = 1_000;

/// An entry as lists show it: without headers and bodies.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Entry {
    pub id: ScimRequestId,
    pub created_at: Timestamp,
    pub duration_us: i64,
    pub method: String,
    pub path: String,
    pub resource: ScimResource,
    pub status: Option<i32>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub summary: String,
    pub identity_provider: IdentityProvider,
    pub actor_kind: String,
    pub actor_id: String,
    pub domain: Option<String>,
    pub ip: Option<String>,
    pub request_id: String,
}

const LISTED: [Column; 16] = [
    Column::Id,
    Column::CreatedAt,
    Column::DurationUs,
    Column::Method,
    Column::Path,
    Column::Resource,
    Column::Status,
    Column::ErrorCode,
    Column::Error,
    Column::Summary,
    Column::IdentityProvider,
    Column::ActorKind,
    Column::ActorId,
    Column::Domain,
    Column::Ip,
    Column::RequestId,
];

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct ScimRequestFilter {
    /// Ranges of statuses, both ends included; empty is all.
    pub statuses: Vec<(u16, u16)>,
    /// Empty is all.
    pub methods: Vec<String>,
    /// Empty is all.
    pub resources: Vec<ScimResource>,
    /// Not before this millisecond.
    pub after: Option<Timestamp>,
    /// Before this millisecond.
    pub before: Option<Timestamp>,
    /// Part of the sentence, the path or an id, without case.
    pub search: Option<String>,
    /// Only what was about this domain.
    pub domain: Option<String>,
}

/// Entries, newest first.
#[derive(Debug, Clone)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// Where the next page begins: behind this entry, which may not be among those found. `None` at the end of the log.
    pub next: Option<ScimRequestId>,
}

/// The conditions that are asked of each entry.
fn narrowed(filter: &ScimRequestFilter) -> Condition {
    let any = |conditions: Vec<Expr>| conditions.into_iter().fold(Condition::any(), Condition::add);
    let mut condition = Condition::all();
    if !filter.statuses.is_empty() {
        let status = || Expr::col(Column::Status);
        let ranges =
            filter.statuses.iter().map(|(low, high)| status().between(i32::from(*low), i32::from(*high)));
        condition = condition.add(any(ranges.collect()));
    }
    if !filter.methods.is_empty() {
        condition = condition.add(Expr::col(Column::Method).is_in(filter.methods.iter().map(String::as_str)));
    }
    if !filter.resources.is_empty() {
        let words = filter.resources.iter().map(|resource| resource.as_str());
        condition = condition.add(Expr::col(Column::Resource).is_in(words));
    }
    if let Some(domain) = &filter.domain {
        condition = condition.add(Expr::col(Column::Domain).eq(domain.as_str()));
    }
    if let Some(text) = &filter.search {
        let places = [Column::Summary, Column::Path, Column::ActorId, Column::RequestId];
        let found = places.into_iter().map(|column| super::contains_folded(column, text));
        condition = condition.add(found.fold(Condition::any(), Condition::add));
    }
    condition
}

/// The entries that a page looks through, newest first.
fn window(
    scope: TenantScope,
    filter: &ScimRequestFilter,
    cursor: Option<ScimRequestId>,
) -> sea_orm::Select<Entity> {
    let mut query = Entity::find()
        .select_only()
        .columns(LISTED)
        .filter(Column::OrganizationId.eq(scope.organization()))
        .order_by_desc(Column::Id);
    if let Some(cursor) = cursor {
        query = query.filter(Column::Id.lt(cursor));
    }
    if let Some(after) = filter.after {
        query = query.filter(Column::Id.gte(ScimRequestId::first(after)));
    }
    if let Some(before) = filter.before {
        query = query.filter(Column::Id.lt(ScimRequestId::first(before)));
    }
    if !filter.statuses.is_empty() && filter.statuses.iter().all(|(low, _)| *low >= 400) {
        // Word for word what the index of those says.
        query = query.filter(Expr::cust("status >= 400"));
    }
    query
}

/// A page of the log behind the cursor, at most `limit` entries.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    filter: &ScimRequestFilter,
    cursor: Option<ScimRequestId>,
    limit: u64,
) -> Result<Found, StoreError> {
    let condition = narrowed(filter);
    let is_narrowed = !condition.is_empty();
    let looked_through = window(scope, filter, cursor);
    let statement: SelectStatement = if is_narrowed {
        let inner = looked_through.clone().limit(WINDOW).into_query();
        Query::select()
            .columns(LISTED)
            .from_subquery(inner, Alias::new("looked_through"))
            .cond_where(condition)
            .order_by(Column::Id, Order::Desc)
            .limit(limit + 1)
            .take()
    } else {
        looked_through.clone().limit(limit + 1).into_query()
    };
    let rows = conn.inner().query_all(&statement).await?;
    let mut entries =
        rows.iter().map(|row| Entry::from_query_result(row, "")).collect::<Result<Vec<_>, DbErr>>()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if entries.len() > limit {
        entries.truncate(limit);
        let next = entries.last().map(|entry| entry.id);
        return Ok(Found { entries, next });
    }
    if !is_narrowed {
        return Ok(Found { entries, next: None });
    }
    // Is there anything behind the window?
    let ids = looked_through.select_only().column(Column::Id).offset(WINDOW - 1).limit(2);
    let ids: Vec<ScimRequestId> = ids.into_tuple().all(conn.inner()).await?;
    Ok(Found { entries, next: if ids.len() == 2 { ids.first().copied() } else { None } })
}

/// One entry, whole.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimRequestId,
) -> Result<Option<ScimRequest>, StoreError> {
    Ok(Entity::find_by_id((scope.organization(), id)).one(conn.inner()).await?)
}

/// Writes entries of all organizations. Those that were written before are left as they are.
pub async fn insert_all(db: &Db, _scope: InstallationScope, rows: &[ScimRequest]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    if db.is_sqlite() { insert_rows(db, rows).await } else { copy_rows(db, rows).await }
}

/// On SQLite: by statements of a few lengths only, each of which is kept prepared.
async fn insert_rows(db: &Db, mut rows: &[ScimRequest]) -> Result<(), StoreError> {
    let tx = db.begin().await?;
    while !rows.is_empty() {
        let length = if rows.len() >= 64 { 64 } else { 1 << rows.len().ilog2() };
        let (part, rest) = rows.split_at(length);
        rows = rest;
        let part: Vec<_> = part.iter().map(|row| row.clone().into_active_model().reset_all()).collect();
        Entity::insert_many(part).on_conflict_do_nothing().exec_without_returning(tx.inner()).await?;
    }
    tx.commit().await
}

/// On PostgreSQL: by COPY, which costs half of what INSERT does.
async fn copy_rows(db: &Db, rows: &[ScimRequest]) -> Result<(), StoreError> {
    const COPY: &str = "COPY scim_requests (organization_id, id, created_at, duration_us, method, path, resource,
        status, error_code, error, summary, identity_provider, actor_kind, actor_id, domain, ip, request_id,
        request_headers, request_body, request_bytes, request_cut, response_body, response_bytes, response_cut)
      FROM STDIN";
    let mut lines = Lines::default();
    for row in rows {
        lines
            .shown(row.organization_id.uuid())
            .shown(row.id.uuid())
            .shown(row.created_at.micros())
            .shown(row.duration_us)
            .text(&row.method)
            .text(&row.path)
            .text(row.resource.as_str())
            .optional(row.status.map(|status| status.to_string()).as_deref())
            .optional(row.error_code.as_deref())
            .optional(row.error.as_deref())
            .text(&row.summary)
            .text(row.identity_provider.as_str())
            .text(&row.actor_kind)
            .text(&row.actor_id)
            .optional(row.domain.as_deref())
            .optional(row.ip.as_deref())
            .text(&row.request_id)
            .text(&row.request_headers)
            .optional(row.request_body.as_deref())
            .shown(row.request_bytes)
            .shown(row.request_cut)
            .optional(row.response_body.as_deref())
            .shown(row.response_bytes)
            .shown(row.response_cut)
            .end();
    }
    match db.write.copy_in(COPY, lines.bytes()).await {
        // Ids are random enough to be nobody else's: these rows were written by a try whose answer was lost.
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(()),
        written => Ok(written?),
    }
}

/// Deletes entries from before this time, so many at once and no more; tells how many.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(
        conn.inner().get_database_backend(),
        "DELETE FROM scim_requests WHERE (organization_id, id) IN (
            SELECT organization_id, id FROM scim_requests WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        [before.into(), PRUNED_AT_ONCE.into()],
    );
    Ok(conn.inner().execute_raw(statement).await?.rows_affected())
}

/// Whether [`prune`] may have left something.
pub const fn is_more_to_prune(deleted: u64) -> bool {
    deleted >= PRUNED_AT_ONCE.unsigned_abs()
}
