//! GET: one directory group, who is in it, and lists. What an index serves is asked of the database; every other
//! filter is judged here, with the members of a group loaded only where the filter asks for what no index tells.

use super::super::Refusal;
use super::{DirectoryGroup, not_found, parse_id, representation};
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::filter::{AttributeRef, Literal, Operator};
use crate::protocol::scim::membership::MEMBERS;
use crate::protocol::scim::{Filter, ListQuery, fold};
use crate::service::permissions;
use crate::service::provisioning;
use crate::service::{Ctx, Services};
use crate::store;
use crate::store::directory_groups::DirectoryGroupKey;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Directory groups fetched at once where the whole directory is read.
const CHUNK: u64 = 200;

/// A page of a list.
#[derive(Debug, Default)]
pub struct Listed {
    /// The groups of this page.
    pub rows: Vec<DirectoryGroup>,
    /// How many there are on all pages.
    pub total: u64,
}

/// One directory group.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory.
pub async fn find(services: &Services, ctx: &Ctx, id: &str) -> Result<DirectoryGroup, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    let known = parse_id(id).ok_or_else(|| not_found(id))?;
    let row = store::directory_groups::find(&services.db, scope, directory, known).await?;
    row.ok_or_else(|| not_found(id))
}

/// Who is in these groups, which are the caller's: one query.
pub async fn members(
    services: &Services,
    ctx: &Ctx,
    rows: &[DirectoryGroup],
) -> Result<HashMap<DirectoryGroupId, Vec<Uuid>>, Refusal> {
    let (scope, _) = permissions::directory(ctx)?;
    members_of(services, scope, rows).await
}

async fn members_of(
    services: &Services,
    scope: TenantScope,
    rows: &[DirectoryGroup],
) -> Result<HashMap<DirectoryGroupId, Vec<Uuid>>, Refusal> {
    let groups: Vec<_> = rows.iter().filter(|row| row.member_count > 0).map(|row| row.id).collect();
    if groups.is_empty() {
        return Ok(HashMap::new());
    }
    let mut members: HashMap<_, Vec<Uuid>> = HashMap::with_capacity(groups.len());
    let mut last: Option<(DirectoryGroupId, Vec<Uuid>)> = None;
    for (group, user) in store::directory_group_members::list(&services.db, scope, &groups).await? {
        match &mut last {
            Some((of, list)) if *of == group => list.push(user.uuid()),
            _ => members.extend(last.replace((group, vec![user.uuid()]))),
        }
    }
    members.extend(last);
    Ok(members)
}

/// A page of the directory's groups, in the order of their making.
pub async fn list(services: &Services, ctx: &Ctx, query: &ListQuery) -> Result<Listed, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    let place = Place { services, scope, directory };
    let terms = match &query.filter {
        None => &[],
        Some(Filter::And(terms)) => terms.as_slice(),
        Some(term) => std::slice::from_ref(term),
    };
    let mut key = DirectoryGroupKey::default();
    let mut rest = Vec::new();
    for term in terms {
        match narrow(&mut key, term) {
            Narrowed::Served => {}
            Narrowed::Nothing => return Ok(Listed::default()),
            Narrowed::No => rest.push(term),
        }
    }
    if rest.is_empty() { place.keyed(&key, query).await } else { place.judged(&key, &rest, query).await }
}

/// What became of one term of a conjunction.
enum Narrowed {
    /// The key says it.
    Served,
    /// Nothing can match.
    Nothing,
    /// It is to be judged.
    No,
}

/// Writes a term into the key, if an index serves it.
fn narrow(key: &mut DirectoryGroupKey, term: &Filter) -> Narrowed {
    fn put<T: PartialEq>(place: &mut Option<T>, value: Option<T>) -> Narrowed {
        match (place.as_ref(), value) {
            (_, None) => Narrowed::Nothing,
            (Some(before), Some(value)) if *before != value => Narrowed::Nothing,
            (_, value) => {
                *place = value;
                Narrowed::Served
            }
        }
    }
    if let Some(user) = member_of(term) {
        // One of two members is enough to narrow; the other is judged.
        if key.member.is_some_and(|other| Some(other) != provisioning::parse_id(user)) {
            return Narrowed::No;
        }
        return put(&mut key.member, provisioning::parse_id(user));
    }
    match term {
        Filter::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) }
            if attribute.extension.is_none() && attribute.sub.is_none() =>
        {
            match attribute.name.as_str() {
                "id" => put(&mut key.id, parse_id(text)),
                "displayName" => put(&mut key.display_name, Some(fold(text))),
                "externalId" => put(&mut key.external_id, Some(text.clone())),
                _ => Narrowed::No,
            }
        }
        _ => Narrowed::No,
    }
}

/// The id in a term that asks whether somebody is in the group: `members eq "x"`, `members.value eq "x"`,
/// `members[value eq "x"]`.
fn member_of(term: &Filter) -> Option<&str> {
    match term {
        Filter::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) } => {
            (is_members(attribute) && attribute.sub.as_deref() == Some("value")).then_some(text)
        }
        Filter::Has { attribute, filter } if is_members(attribute) => match filter.as_ref() {
            Filter::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) } => {
                (attribute.name == "value").then_some(text)
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_members(attribute: &AttributeRef) -> bool {
    attribute.extension.is_none() && attribute.name == MEMBERS
}

/// What the terms of a filter ask about members.
#[derive(Default)]
struct Asked<'f> {
    /// Whether these people are in it.
    people: HashSet<&'f str>,
    /// Something else: the members must be seen.
    more: bool,
}

impl<'f> Asked<'f> {
    fn read(&mut self, filter: &'f Filter) {
        match filter {
            Filter::And(terms) | Filter::Or(terms) => {
                for term in terms {
                    self.read(term);
                }
            }
            Filter::Not(filter) => self.read(filter),
            term => match (member_of(term), term) {
                (Some(user), _) => {
                    self.people.insert(user);
                }
                (None, Filter::Compare { attribute, .. } | Filter::Present(attribute)) => {
                    self.more |= is_members(attribute);
                }
                (None, Filter::Has { attribute, .. }) => self.more |= is_members(attribute),
                _ => {}
            },
        }
    }
}

/// Whether a group meets a filter, where `is_in` tells who is in it.
fn holds(filter: &Filter, group: &Value, is_in: &impl Fn(&str) -> bool) -> bool {
    match filter {
        Filter::And(terms) => terms.iter().all(|term| holds(term, group, is_in)),
        Filter::Or(terms) => terms.iter().any(|term| holds(term, group, is_in)),
        Filter::Not(filter) => !holds(filter, group, is_in),
        term => match member_of(term) {
            Some(user) => is_in(user),
            None => term.matches(group),
        },
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    services: &'a Services,
    scope: TenantScope,
    directory: DirectoryId,
}

impl Place<'_> {
    /// A page by indexes alone. The total is counted only where the rows do not tell it.
    async fn keyed(self, key: &DirectoryGroupKey, query: &ListQuery) -> Result<Listed, Refusal> {
        let Self { services, scope, directory } = self;
        let mut rows = Vec::new();
        if query.count > 0 {
            let (offset, count) = (query.offset(), query.count);
            rows = store::directory_groups::list(&services.db, scope, directory, key, offset, count).await?;
        }
        let found = rows.len() as u64;
        let last = found < query.count && (found > 0 || query.offset() == 0);
        let total = if last {
            query.offset() + found
        } else {
            store::directory_groups::count(&services.db, scope, directory, key).await?
        };
        Ok(Listed { rows, total })
    }

    /// A page by a filter that no index serves whole.
    async fn judged(
        self,
        key: &DirectoryGroupKey,
        terms: &[&Filter],
        query: &ListQuery,
    ) -> Result<Listed, Refusal> {
        let Self { services, scope, directory } = self;
        let mut asked = Asked::default();
        for term in terms {
            asked.read(term);
        }
        let users: Vec<DirectoryUserId> =
            asked.people.iter().filter_map(|user| provisioning::parse_id(user)).collect();
        let mut inside: HashSet<(DirectoryUserId, DirectoryGroupId)> = HashSet::new();
        if !users.is_empty() {
            let found = store::directory_group_members::groups_of(&services.db, scope, &users).await?;
            inside.extend(found.into_iter().map(|found| (found.user, found.group)));
        }
        let mut listed = Listed::default();
        let mut after = None;
        loop {
            let rows = store::directory_groups::list_after(&services.db, scope, directory, key, after, CHUNK)
                .await?;
            let mut members = HashMap::new();
            if asked.more {
                members = members_of(services, scope, &rows).await?;
            }
            let full = rows.len() as u64 == CHUNK;
            after = rows.last().map(|row| row.id);
            for row in rows {
                let mut group = representation(services, &row);
                if let Some(members) = members.remove(&row.id) {
                    group[MEMBERS] = members.iter().map(|member| self.seen(*member)).collect();
                }
                let is_in = |user: &str| {
                    provisioning::parse_id(user).is_some_and(|user| inside.contains(&(user, row.id)))
                };
                if !terms.iter().all(|term| holds(term, &group, &is_in)) {
                    continue;
                }
                if listed.total >= query.offset() && listed.total - query.offset() < query.count {
                    listed.rows.push(row);
                }
                listed.total += 1;
            }
            if !full {
                return Ok(listed);
            }
            // A long walk lets others in.
            tokio::task::yield_now().await;
        }
    }

    /// A member as a filter sees it.
    fn seen(self, member: Uuid) -> Value {
        let reference = self.services.settings.url(&format!("/scim/v2/Users/{member}"));
        json!({ "value": member.to_string(), "$ref": reference, "type": "User" })
    }
}
