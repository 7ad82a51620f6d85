//! `/Roles`: the few roles that the IdP may give, read only. They are no rows: lists are filtered, sorted and cut here.

use super::answer::{Answer, Refused, document};
use super::auth::ScimCaller;
use super::search::page_sizes;
use super::users::{json, pairs, parameters};
use crate::http::payload::ScimJson;
use crate::model::state::Role;
use crate::protocol::scim::list::{Paging, projection};
use crate::protocol::scim::schema::{self, ROLE_URN};
use crate::protocol::scim::{ListQuery, Page, ScimError, fold};
use crate::service::Error;
use crate::service::provisioning::listing::{self, Kind, Parted};
use crate::service::provisioning::{Refusal, roles_offered};
use poem::{IntoResponse, Request, RequestBody};
use serde_json::{Value, json};

/// The roles as they leave; 404 where the directory does not heed them.
async fn offered(caller: &ScimCaller) -> Result<Vec<Value>, Refused> {
    let roles = roles_offered::list(caller.services(), &caller.ctx).await.map_err(refused)?;
    let off = || {
        ScimError::new(
            404,
            "This directory gives roles by groups alone. An owner can let it heed the roles of users: roles_on_users of \
             the directory, over REST.",
        )
    };
    let url = caller.services().settings.url("/scim/v2/Roles");
    Ok(roles.ok_or_else(off)?.iter().map(|role| shown(*role, &url)).collect())
}

fn refused(error: Error) -> Refused {
    Refusal::from(error).into()
}

fn shown(role: Role, url: &str) -> Value {
    let id = role.as_str();
    let name = match role {
        Role::Member => "Member",
        Role::Admin => "Admin",
        Role::Owner => "Owner",
    };
    json!({
        "schemas": [ROLE_URN],
        "id": id,
        "displayName": name,
        "meta": { "resourceType": "Role", "location": format!("{url}/{id}") },
    })
}

/// GET `/Roles`.
pub async fn list(caller: &ScimCaller, request: &Request) -> Answer {
    let (default, most) = page_sizes(caller);
    let parameters = parameters(request);
    page(caller, &ListQuery::parse_within(schema::role(), pairs(&parameters), default, most)?).await
}

/// POST `/Roles/.search`.
pub async fn search(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let (default, most) = page_sizes(caller);
    let body = json(request, body).await?;
    page(caller, &ListQuery::from_search_within(schema::role(), &body, default, most)?).await
}

/// Those of them that a query finds, in its order.
fn found(mut found: Vec<Value>, query: &ListQuery) -> Vec<Value> {
    if let Some(filter) = &query.filter {
        found.retain(|role| filter.matches(role));
    }
    if let Some(sort) = &query.sort {
        let key = |role: &Value| {
            let values = sort.attribute.values(role);
            values.first().and_then(|value| value.as_str()).map(fold)
        };
        // Who has no value comes last, or first in descending order.
        found.sort_by_key(|role| (key(role).is_none(), key(role)));
        if sort.descending {
            found.reverse();
        }
    }
    found
}

/// The roles as a part of a search at the root; `None` where the directory does not heed them.
pub(super) async fn part(caller: &ScimCaller, query: &ListQuery) -> Result<Option<Box<dyn Parted>>, Refused> {
    let all = match offered(caller).await {
        Err(Refused::Scim(error)) if error.status == 404 => return Ok(None),
        all => all?,
    };
    Ok(Some(listing::fixed(Kind::Role, "/scim/v2/Roles/", found(all, query), query)))
}

async fn page(caller: &ScimCaller, query: &ListQuery) -> Answer {
    let found = found(offered(caller).await?, query);
    let total = found.len();
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let (from, start_index) = match &query.paging {
        Paging::Index(start) => {
            (usize::try_from(start.saturating_sub(1)).unwrap_or(usize::MAX), Some(*start))
        }
        Paging::Cursor { cursor, .. } if cursor.is_empty() => (0, None),
        Paging::Cursor { cursor, .. } => {
            let unknown = || ScimError::invalid_cursor("This is no cursor of a page of this list.");
            (cursor.parse::<usize>().ok().filter(|from| *from < total).ok_or_else(unknown)?, None)
        }
    };
    let to = from.saturating_add(count).min(total);
    let part = found.into_iter().skip(from).take(count);
    let part = part.map(|role| query.projection.apply(schema::role(), role)).collect();
    let mut page = Page::new(part, total as u64, start_index);
    if start_index.is_none() && to < total {
        page.next_cursor = Some(to.to_string());
    }
    Ok(ScimJson(page).into_response())
}

/// GET `/Roles/{id}`.
pub async fn get(caller: &ScimCaller, request: &Request, id: &str) -> Answer {
    let role = offered(caller).await?.into_iter().find(|role| role["id"] == id);
    let role = role.ok_or_else(|| ScimError::not_found("Role", id))?;
    let projection = projection(schema::role(), pairs(&parameters(request)));
    Ok(document(projection.apply(schema::role(), role)))
}
