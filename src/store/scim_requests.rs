//! Queries of the SCIM request log. Entries come many at a time; pages go by id, which counts upwards with time.
//!
//! What a page costs is bounded ([`journal`]).

pub use super::entities::scim_requests::Model as ScimRequest;
pub use super::journal::{WINDOW, is_more_to_prune};

use super::copy::Lines;
use super::entities::scim_requests::{Column, Entity};
use super::error::StoreError;
use super::journal::{self, Listing};
use super::{Conn, Db};
use crate::model::id::ScimRequestId;
use crate::model::scim_request::{IdentityProvider, ScimResource};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

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

/// Entries in their order, and where the next page begins.
pub type Found = journal::Found<Entry, ScimRequestId>;

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
    let listing = Listing {
        looked_through: window(scope, filter, cursor),
        narrowed: narrowed(filter),
        columns: LISTED.to_vec(),
        id: Column::Id,
        order: Order::Desc,
        id_of: |entry: &Entry| entry.id,
    };
    listing.page(conn, limit).await
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
    if !db.is_sqlite() {
        return copy_rows(db, rows).await;
    }
    let tx = db.begin().await?;
    journal::insert_rows::<Entity>(&tx, rows).await?;
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
    journal::copied(db.write.copy_in(COPY, lines.bytes()).await)
}

/// Deletes entries from before this time, so many at once and no more; tells how many.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    before: Timestamp,
) -> Result<u64, StoreError> {
    journal::prune(conn, Entity, before).await
}
