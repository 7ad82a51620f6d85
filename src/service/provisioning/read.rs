//! GET: one directory user, and lists. What an index serves is asked of the database; every other filter is judged
//! here over the whole directory in chunks, so that totals are right whatever was asked.

use super::groups::attach;
use super::{DirectoryUser, Refusal, not_found, parse_id, representation, within_reach};
use crate::model::id::DirectoryId;
use crate::model::tenant::TenantScope;
use crate::protocol::scim::{Filter, IndexKey, ListQuery, fold};
use crate::service::permissions;
use crate::service::{Ctx, Services};
use crate::store;
use crate::store::directory_users::DirectoryUserKey;
use serde_json::Value;

/// Directory users fetched at once where the whole directory is read.
const CHUNK: u64 = 500;

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The resources of this page, whole.
    pub resources: Vec<Value>,
    /// How many there are on all pages.
    pub total: u64,
}

/// One directory user.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory.
pub async fn find(services: &Services, ctx: &Ctx, id: &str) -> Result<DirectoryUser, Refusal> {
    let (scope, directory, _) = permissions::directory_part(ctx)?;
    let known = parse_id(id).ok_or_else(|| not_found(id))?;
    let row = store::directory_users::find(&services.db, scope, directory, known).await?;
    row.filter(|row| within_reach(ctx, row)).ok_or_else(|| not_found(id))
}

/// A page of the directory's users, in the order of their making.
pub async fn list(services: &Services, ctx: &Ctx, query: &ListQuery) -> Result<Listed, Refusal> {
    let (scope, directory, bound) = permissions::directory_part(ctx)?;
    if bound.is_some() {
        return judged(services, ctx, (scope, directory), query.filter.as_ref(), query).await;
    }
    let Some(filter) = &query.filter else {
        return keyed(services, scope, directory, &DirectoryUserKey::All, query).await;
    };
    let exact = filter.exact_key().and_then(|key| store_key(&key));
    match exact {
        Some(Some(key)) => keyed(services, scope, directory, &key, query).await,
        Some(None) => Ok(Listed::default()),
        None => judged(services, ctx, (scope, directory), Some(filter), query).await,
    }
}

/// What the database is asked for: `None` if no index serves it, `Some(None)` if nothing can match.
#[expect(
    clippy::option_option,
    reason = "no index, nothing to find, and something to ask for are three answers"
)]
fn store_key(key: &IndexKey<'_>) -> Option<Option<DirectoryUserKey>> {
    match key {
        IndexKey::Id(id) => Some(parse_id(id).map(DirectoryUserKey::Id)),
        IndexKey::UserName(name) => Some(Some(DirectoryUserKey::UserName(fold(name)))),
        IndexKey::ExternalId(id) => Some(Some(DirectoryUserKey::ExternalId((*id).to_owned()))),
        IndexKey::DisplayName(_) | IndexKey::Email(_) | IndexKey::Active(_) => None,
    }
}

/// A page by an index. The total is counted only where the rows do not tell it.
async fn keyed(
    services: &Services,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryUserKey,
    query: &ListQuery,
) -> Result<Listed, Refusal> {
    let mut rows = Vec::new();
    if query.count > 0 {
        let (offset, count) = (query.offset(), query.count);
        rows = store::directory_users::list(&services.db, scope, directory, key, offset, count).await?;
    }
    let found = rows.len() as u64;
    let last = found < query.count && (found > 0 || query.offset() == 0);
    let total = if last {
        query.offset() + found
    } else {
        store::directory_users::count(&services.db, scope, directory, key).await?
    };
    Ok(Listed { resources: rows.iter().map(|row| representation(services, row)).collect(), total })
}

/// Collects the page and the total from resources judged one by one.
struct Sieve<'a> {
    services: &'a Services,
    ctx: &'a Ctx,
    filter: Option<&'a Filter>,
    query: &'a ListQuery,
    listed: Listed,
}

impl Sieve<'_> {
    /// Judges the next ones in order; `groups` are added where the filter asks for them.
    async fn judge(&mut self, rows: &[DirectoryUser]) -> Result<(), Refusal> {
        let rows = rows.iter().filter(|row| within_reach(self.ctx, row));
        let mut resources: Vec<Value> = rows.map(|row| representation(self.services, row)).collect();
        if self.filter.is_some_and(|filter| filter.names("groups")) {
            attach(self.services, self.ctx, &mut resources).await?;
        }
        for resource in resources {
            self.sift(resource);
        }
        Ok(())
    }

    fn sift(&mut self, resource: Value) {
        if self.filter.is_some_and(|filter| !filter.matches(&resource)) {
            return;
        }
        let offset = self.query.offset();
        if self.listed.total >= offset && self.listed.total - offset < self.query.count {
            self.listed.resources.push(resource);
        }
        self.listed.total += 1;
    }
}

/// A page by a filter that no index serves whole, or for a credential that does not reach the whole directory.
async fn judged(
    services: &Services,
    ctx: &Ctx,
    (scope, directory): (TenantScope, DirectoryId),
    filter: Option<&Filter>,
    query: &ListQuery,
) -> Result<Listed, Refusal> {
    let mut sieve = Sieve { services, ctx, filter, query, listed: Listed::default() };
    // A term that an index serves leaves little to judge, such as one half of `id eq "…" and manager eq "…"`.
    let narrowed = filter.and_then(|filter| filter.index_keys().iter().find_map(store_key));
    if let Some(Some(key @ (DirectoryUserKey::Id(_) | DirectoryUserKey::UserName(_)))) = &narrowed {
        let rows = store::directory_users::list(&services.db, scope, directory, key, 0, 1).await?;
        sieve.judge(&rows).await?;
        return Ok(sieve.listed);
    }
    if narrowed == Some(None) {
        return Ok(sieve.listed);
    }
    let mut after = None;
    loop {
        let rows = store::directory_users::list_after(&services.db, scope, directory, after, CHUNK).await?;
        sieve.judge(&rows).await?;
        match rows.last() {
            Some(row) if rows.len() as u64 == CHUNK => after = Some(row.id),
            _ => return Ok(sieve.listed),
        }
        // A long walk lets others in.
        tokio::task::yield_now().await;
    }
}
