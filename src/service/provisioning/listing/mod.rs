//! Lists of SCIM resources of every type: filters by the database, pages by keyset, totals.
//!
//! A resource type takes part by [`Listing`]. A list has one part for each type (the search over all types has several);
//! parts follow each other. A page is reached by the row before it: cursors carry that row, and a walk by `startIndex`
//! is remembered for a while, so that the thousandth page costs what the first does. What the database cannot say of a
//! filter exactly is judged here, row by row and within bounds.

mod cursor;
mod fixed;
mod walk;

pub use fixed::fixed;
pub use walk::Walks;

use super::{Refusal, Users};
use crate::model::dns_name::DomainName;
use crate::model::id::DirectoryId;
use crate::model::tenant::TenantScope;
use crate::protocol::scim::filter::Filter;
use crate::protocol::scim::membership::MEMBERS;
use crate::protocol::scim::{IndexKey, ListQuery, Page, Paging, Projection, ResourceType, ScimError};
use crate::service::{Ctx, Error, Services};
use crate::store::scim::{List, Mark, Served, Stored, totals};
use cursor::Given;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::borrow::Cow;
use uuid::Uuid;

pub use cursor::TIMEOUT;

/// Rows fetched at once where they are judged here.
const CHUNK: u64 = 500;
/// Rows that one request judges here at most.
const MOST_JUDGED: u64 = 200_000;

/// A resource of a page, whole.
#[derive(Debug, Clone)]
pub struct Resource {
    pub kind: Kind,
    /// The representation, without members.
    pub whole: Value,
    /// The ids of a group's members, where they are wanted.
    pub members: Vec<Uuid>,
}

/// Of which type a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
    Role,
}

impl Resource {
    /// As a filter sees it.
    fn seen(&self, services: &Services) -> Cow<'_, Value> {
        if self.members.is_empty() {
            return Cow::Borrowed(&self.whole);
        }
        let member = |id: &Uuid| {
            let reference = Users::location(services, *id);
            json!({ "value": id.to_string(), "$ref": reference, "type": "User" })
        };
        let mut whole = self.whole.clone();
        whole[MEMBERS] = self.members.iter().map(member).collect();
        Cow::Owned(whole)
    }
}

/// Who looks at resources, so that what is dear is loaded only where it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    projection: Option<&'w Projection>,
    filter: Option<&'w Filter>,
}

impl Wanted<'_> {
    /// Whether somebody looks at a core attribute.
    pub fn names(&self, attribute: &str) -> bool {
        self.projection.is_some_and(|projection| projection.includes(attribute))
            || self.filter.is_some_and(|filter| filter.names(attribute))
    }
}

/// How far a credential reaches.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'r> {
    pub scope: TenantScope,
    pub directory: DirectoryId,
    /// The one domain whose people are there for it. They show no groups then.
    pub domain: Option<&'r DomainName>,
}

type RowOf<L> = <<L as Listing>::Table as Stored>::Row;

/// A resource type that is listed.
pub trait Listing: Send + Sync + 'static {
    /// Where it is kept.
    type Table: Stored;
    /// Where its resources are read, below the public URL, with slashes around.
    const ENDPOINT: &'static str;

    /// The absolute URL of the resource with this id.
    fn location(services: &Services, id: Uuid) -> String {
        services.settings.url(&format!("{}{id}", Self::ENDPOINT))
    }

    /// How far the caller reaches.
    fn reach(ctx: &Ctx) -> Result<Reach<'_>, Error>;

    /// The whole representations of rows, in their order, with what is wanted of them.
    fn represent(
        services: &Services,
        ctx: &Ctx,
        rows: Vec<RowOf<Self>>,
        wanted: Wanted<'_>,
    ) -> impl Future<Output = Result<Vec<Resource>, Refusal>> + Send;

    /// All resources of a filter that is one equality, if there is a short way to them.
    fn look_up(
        services: &Services,
        ctx: &Ctx,
        key: IndexKey<'_>,
        wanted: Wanted<'_>,
    ) -> impl Future<Output = Result<Option<Vec<Resource>>, Refusal>> + Send;
}

/// A page of the resources of one type. Where a filter finds nothing, it is tried once more with the percent-encoding in
/// its texts undone.
///
/// # Errors
/// 400 `invalidCursor` and `expiredCursor` for a cursor that was not given out for this query, or too long ago;
/// `invalidCount` for another count than the cursor's; `tooMany` for a filter that leaves too much to judge.
pub async fn list<L: Listing>(
    services: &Services,
    ctx: &Ctx,
    resource_type: &ResourceType,
    query: &ListQuery,
) -> Result<Page<Resource>, Refusal> {
    let page = as_said::<L>(services, ctx, resource_type, query).await?;
    if page.total_results > 0 || !matches!(query.paging, Paging::Index(_)) {
        return Ok(page);
    }
    // Only where nothing is found as it stands: a percent sign may be meant.
    let Some(filter) = query.filter.as_ref().and_then(Filter::decoded) else { return Ok(page) };
    as_said::<L>(services, ctx, resource_type, &ListQuery { filter: Some(filter), ..query.clone() }).await
}

/// The same, with the filter as it stands.
async fn as_said<L: Listing>(
    services: &Services,
    ctx: &Ctx,
    resource_type: &ResourceType,
    query: &ListQuery,
) -> Result<Page<Resource>, Refusal> {
    if let Some(key) = query.filter.as_ref().and_then(Filter::exact_key) {
        let wanted = Wanted { projection: Some(&query.projection), filter: None };
        if let Some(resources) = L::look_up(services, ctx, key, wanted).await? {
            return few(query, resources);
        }
    }
    let part = part::<L>(services, ctx, resource_type, query).await?;
    pages(services, ctx, &[part], query).await
}

/// The page of a list that is at hand as a whole: at most one row, in fact.
fn few(query: &ListQuery, resources: Vec<Resource>) -> Result<Page<Resource>, Refusal> {
    let total = resources.len() as u64;
    let (skip, start_index) = match &query.paging {
        Paging::Index(start) => (start - 1, Some(*start)),
        Paging::Cursor { cursor, .. } if cursor.is_empty() => (0, None),
        // No cursor was given out for so short a list.
        Paging::Cursor { .. } => return Err(cursor::unknown().into()),
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    Ok(Page::new(resources.into_iter().skip(skip).take(count).collect(), total, start_index))
}

/// A row as a resource, and its place.
type Row = (Resource, Mark);

/// The resources of one type in a list.
pub trait Parted: Send + Sync {
    /// Those behind the mark (before it, nearest first, if `backward`), after skipping some.
    fn rows<'p>(
        &'p self,
        from: Option<&'p Mark>,
        backward: bool,
        skip: u64,
        limit: u64,
    ) -> BoxFuture<'p, Result<Vec<Row>, Refusal>>;

    /// How many there are.
    fn total(&self) -> BoxFuture<'_, Result<u64, Refusal>>;

    /// What is asked for, in words that tell it from everything else.
    fn asked(&self) -> &str;
}

/// The same for a type that is known.
struct Part<'p, L> {
    services: &'p Services,
    ctx: &'p Ctx,
    filter: Option<&'p Filter>,
    projection: &'p Projection,
    list: List,
    asked: String,
    listing: std::marker::PhantomData<L>,
}

/// What a query asks of one resource type.
pub async fn part<'p, L: Listing>(
    services: &'p Services,
    ctx: &'p Ctx,
    resource_type: &ResourceType,
    query: &'p ListQuery,
) -> Result<Box<dyn Parted + 'p>, Refusal> {
    let Reach { scope, directory, domain } = L::reach(ctx)?;
    let location = services.settings.url(L::ENDPOINT);
    let extensions: Vec<&str> = resource_type.extensions.iter().map(|schema| schema.id.as_str()).collect();
    let hidden: &[&str] = if domain.is_some() { &["groups"] } else { &[] };
    let domain = domain.map(DomainName::as_str);
    let served = Served { location: &location, extensions: &extensions, domain, hidden };
    let (filter, sort) = (query.filter.as_ref(), query.sort.as_ref());
    let list = List::compile::<L::Table>(&services.db, scope, directory, filter, sort, served).await?;
    let asked = json!([
        L::ENDPOINT,
        filter.map(ToString::to_string),
        sort.map(|sort| (sort.attribute.to_string(), sort.descending)),
    ]);
    let (projection, listing) = (&query.projection, std::marker::PhantomData::<L>);
    Ok(Box::new(Part { services, ctx, filter, projection, list, asked: asked.to_string(), listing }))
}

impl<L: Listing> Part<'_, L> {
    async fn represent(
        &self,
        rows: Vec<RowOf<L>>,
        filter: Option<&Filter>,
    ) -> Result<Vec<Resource>, Refusal> {
        let wanted = Wanted { projection: Some(self.projection), filter };
        L::represent(self.services, self.ctx, rows, wanted).await
    }

    /// Walks through what may match; `take` is given what matches and says whether to go on.
    async fn judge(
        &self,
        from: Option<&Mark>,
        backward: bool,
        take: &mut (dyn FnMut(Resource, Mark) -> bool + Send),
    ) -> Result<(), Refusal> {
        let Some(filter) = self.filter else { return Ok(()) };
        let mut from = from.cloned();
        let mut judged = 0;
        while judged < MOST_JUDGED {
            let db = &self.services.db;
            let found = self.list.rows::<L::Table>(db, from.as_ref(), backward, 0, CHUNK).await?;
            let last = (found.len() as u64) < CHUNK;
            judged += found.len() as u64;
            let (rows, marks): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            from = marks.last().cloned();
            for (resource, mark) in self.represent(rows, Some(filter)).await?.into_iter().zip(marks) {
                if filter.matches(&resource.seen(self.services)) && !take(resource, mark) {
                    return Ok(());
                }
            }
            if last {
                return Ok(());
            }
            // A long walk lets others in.
            tokio::task::yield_now().await;
        }
        Err(ScimError::too_many(format!(
            "This filter leaves more than {MOST_JUDGED} resources to be looked at one by one. Narrow it, for example by \
             userName, externalId or an e-mail address."
        ))
        .into())
    }
}

impl<L: Listing> Parted for Part<'_, L> {
    fn rows<'p>(
        &'p self,
        from: Option<&'p Mark>,
        backward: bool,
        skip: u64,
        limit: u64,
    ) -> BoxFuture<'p, Result<Vec<Row>, Refusal>> {
        Box::pin(async move {
            if self.list.is_exact() {
                let found =
                    self.list.rows::<L::Table>(&self.services.db, from, backward, skip, limit).await?;
                let (rows, marks): (Vec<_>, Vec<_>) = found.into_iter().unzip();
                return Ok(self.represent(rows, None).await?.into_iter().zip(marks).collect());
            }
            let mut rows = Vec::new();
            let mut skip = skip;
            self.judge(from, backward, &mut |resource, mark| {
                if skip > 0 {
                    skip -= 1;
                } else {
                    rows.push((resource, mark));
                }
                (rows.len() as u64) < limit
            })
            .await?;
            Ok(rows)
        })
    }

    fn total(&self) -> BoxFuture<'_, Result<u64, Refusal>> {
        Box::pin(async move {
            if self.list.is_whole() {
                return whole_total::<L>(self.services, self.ctx).await;
            }
            if self.list.is_exact() {
                return Ok(self.list.count_sure::<L::Table>(&self.services.db).await?);
            }
            let mut total = 0;
            self.judge(None, false, &mut |_, _| {
                total += 1;
                true
            })
            .await?;
            Ok(total)
        })
    }

    fn asked(&self) -> &str {
        &self.asked
    }
}

/// How many resources of a type the directory has.
async fn whole_total<L: Listing>(services: &Services, ctx: &Ctx) -> Result<u64, Refusal> {
    let Reach { scope, directory, .. } = L::reach(ctx)?;
    let total = totals::total::<L::Table>(&services.db, scope, directory, ctx.now).await?;
    if total.fold_due
        && let Err(error) = totals::fold::<L::Table>(&services.db, scope, directory, ctx.now).await
    {
        // The total is right without it, and whoever asks next tries again.
        tracing::warn!(%error, "the resources of a directory could not be counted for later");
    }
    Ok(total.number)
}

/// A place in a list of parts.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Place {
    /// Of which part.
    #[serde(rename = "p")]
    part: usize,
    #[serde(rename = "m")]
    mark: Mark,
}

/// One page of a list in parts; the query of any of them says which.
pub async fn pages(
    services: &Services,
    ctx: &Ctx,
    parts: &[Box<dyn Parted + '_>],
    query: &ListQuery,
) -> Result<Page<Resource>, Refusal> {
    let identity = walk::identity(ctx, parts.iter().map(|part| part.asked()));
    match &query.paging {
        Paging::Index(start) => by_index(services, &identity, parts, query, *start).await,
        Paging::Cursor { cursor, counted } => {
            let given = cursor::open(services, ctx, &identity, cursor)?;
            let count = match &given {
                Some(given) if *counted && given.count != query.count => {
                    return Err(ScimError::invalid_count(format!(
                        "This cursor belongs to a list with a count of {}; go on with that, or begin anew with an empty \
                         cursor.",
                        given.count
                    ))
                    .into());
                }
                Some(given) => given.count,
                None => query.count,
            };
            by_cursor(services, ctx, &identity, parts, query.filter.is_some(), given, count).await
        }
    }
}

async fn by_index(
    services: &Services,
    identity: &walk::Identity,
    parts: &[Box<dyn Parted + '_>],
    query: &ListQuery,
    start: u64,
) -> Result<Page<Resource>, Refusal> {
    let (offset, count) = (start - 1, query.count);
    let walks = &services.caches.walks;
    let before = if offset > 0 && count > 0 { walks.get(identity, start) } else { None };
    let mut rows = Vec::new();
    let mut known = None;
    if count > 0 {
        rows = match &before {
            Some(before) => {
                known = query.filter.is_some().then_some(before.total);
                forward(parts, Some(&before.place), 0, count).await?
            }
            None => forward(parts, None, offset, count).await?,
        };
    }
    let found = rows.len() as u64;
    let reached = found < count && (found > 0 || offset == 0);
    let total = match known {
        _ if reached => offset + found,
        Some(total) => total,
        None => total(parts).await?,
    };
    if let Some((_, place)) = rows.last().filter(|_| found == count) {
        walks.put(identity, start.saturating_add(found), place, total);
    }
    let resources = rows.into_iter().map(|(resource, _)| resource).collect();
    Ok(Page::new(resources, total, Some(start)))
}

async fn by_cursor(
    services: &Services,
    ctx: &Ctx,
    identity: &walk::Identity,
    parts: &[Box<dyn Parted + '_>],
    filtered: bool,
    given: Option<Given>,
    count: u64,
) -> Result<Page<Resource>, Refusal> {
    let backward = given.as_ref().is_some_and(|given| given.backward);
    let from = given.as_ref().map(|given| &given.place);
    // One more than the page has tells whether there is another page.
    let mut rows = match from {
        Some(place) if backward => backwards(parts, place, count + 1).await?,
        from => forward(parts, from, 0, count + 1).await?,
    };
    let more = rows.len() as u64 > count;
    rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    if backward {
        rows.reverse();
    }
    let total = match given.as_ref().and_then(|given| given.total) {
        Some(total) => total,
        None if from.is_none() && !more => rows.len() as u64,
        None => total(parts).await?,
    };
    let carried = filtered.then_some(total);
    let seal = |place: Option<&(Resource, Place)>, backward| {
        place
            .map(|(_, place)| cursor::seal(services, ctx, identity, place, backward, count, carried))
            .transpose()
    };
    let (before, behind) = if backward { (more, true) } else { (from.is_some(), more) };
    let next_cursor = seal(rows.last().filter(|_| behind), false)?;
    let previous_cursor = seal(rows.first().filter(|_| before), true)?;
    let resources = rows.into_iter().map(|(resource, _)| resource).collect();
    let mut page = Page::new(resources, total, None);
    (page.next_cursor, page.previous_cursor) = (next_cursor, previous_cursor);
    Ok(page)
}

async fn total(parts: &[Box<dyn Parted + '_>]) -> Result<u64, Refusal> {
    let mut total = 0;
    for part in parts {
        total += part.total().await?;
    }
    Ok(total)
}

/// Rows behind a place, or from the beginning after skipping some; later parts follow.
async fn forward(
    parts: &[Box<dyn Parted + '_>],
    from: Option<&Place>,
    mut skip: u64,
    limit: u64,
) -> Result<Vec<(Resource, Place)>, Refusal> {
    let mut rows: Vec<(Resource, Place)> = Vec::new();
    let first = from.map_or(0, |place| place.part);
    for (at, part) in parts.iter().enumerate().skip(first) {
        let mark = from.filter(|place| place.part == at).map(|place| &place.mark);
        let left = limit - rows.len() as u64;
        let found = part.rows(mark, false, skip, left).await?;
        if !found.is_empty() {
            skip = 0;
        } else if skip > 0 && at + 1 < parts.len() {
            skip = skip.saturating_sub(part.total().await?);
        }
        rows.extend(found.into_iter().map(|(resource, mark)| (resource, Place { part: at, mark })));
        if rows.len() as u64 >= limit {
            break;
        }
    }
    Ok(rows)
}

/// Rows before a place, the nearest first; earlier parts follow.
async fn backwards(
    parts: &[Box<dyn Parted + '_>],
    from: &Place,
    limit: u64,
) -> Result<Vec<(Resource, Place)>, Refusal> {
    let mut rows: Vec<(Resource, Place)> = Vec::new();
    for (at, part) in parts.iter().enumerate().take(from.part + 1).rev() {
        let mark = Some(&from.mark).filter(|_| from.part == at);
        let left = limit - rows.len() as u64;
        let found = part.rows(mark, true, 0, left).await?;
        rows.extend(found.into_iter().map(|(resource, mark)| (resource, Place { part: at, mark })));
        if rows.len() as u64 >= limit {
            break;
        }
    }
    Ok(rows)
}
