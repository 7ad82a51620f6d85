//! Lists as they leave, and POST `/.search` (RFC 7644 §3.4.3): one search over all resource types. Users come first, then
//! groups, each in the order that is asked for; a type that lacks an attribute of the filter has no match.

use super::answer::{Answer, told};
use super::auth::ScimCaller;
use super::groups::users_url;
use super::users::{json, pairs, parameters};
use crate::http::payload::ScimJson;
use crate::protocol::scim::group::GroupDocument;
use crate::protocol::scim::schema::ResourceType;
use crate::protocol::scim::{GroupResource, ListQuery, Page, Projection, ScimError, ScimType};
use crate::service::permissions;
use crate::service::provisioning::Users;
use crate::service::provisioning::groups::Groups;
use crate::service::provisioning::listing::{self, Kind, Listing, Resource};
use crate::service::scim_requests::Facts;
use poem::{IntoResponse, Request, RequestBody, Response};
use serde::Serialize;
use serde_json::Value;

/// A resource of any type, as it leaves.
#[derive(Serialize)]
#[serde(untagged)]
enum Document<'d> {
    Whole(Value),
    Group(GroupDocument<'d>),
}

/// Resources on a page unless it is said, and at most.
pub(super) fn page_sizes(caller: &ScimCaller) -> (u64, u64) {
    let settings = &caller.services().settings;
    (settings.scim_default_page.into(), settings.scim_max_page.into())
}

/// A page, with what was asked for of users and of groups.
fn answer(
    caller: &ScimCaller,
    users_type: &ResourceType,
    page: Page<Resource>,
    of_users: &Projection,
    of_groups: &Projection,
) -> Response {
    let users = users_url(caller);
    let listed = Some((page.total_results, page.resources.len() as u64));
    let document = |resource: Resource| match resource.kind {
        Kind::User => Document::Whole(of_users.apply(users_type, resource.whole)),
        Kind::Group => {
            Document::Group(GroupDocument::new(resource.whole, Some(resource.members), &users, of_groups))
        }
    };
    told(ScimJson(page.map(document)).into_response(), Facts { listed, ..Facts::default() })
}

/// GET of a resource type's endpoint.
pub async fn list<L: Listing>(
    caller: &ScimCaller,
    request: &Request,
    resource_type: &ResourceType,
) -> Answer {
    let (default, most) = page_sizes(caller);
    let parameters = parameters(request);
    let query = ListQuery::parse_within(resource_type, pairs(&parameters), default, most)?;
    page::<L>(caller, resource_type, &query).await
}

/// POST of `.search` below it: the same with the parameters in the body.
pub async fn search<L: Listing>(
    caller: &ScimCaller,
    request: &Request,
    body: &mut RequestBody,
    resource_type: &ResourceType,
) -> Answer {
    let (default, most) = page_sizes(caller);
    let body = json(request, body).await?;
    let query = ListQuery::from_search_within(resource_type, &body, default, most)?;
    page::<L>(caller, resource_type, &query).await
}

async fn page<L: Listing>(caller: &ScimCaller, resource_type: &ResourceType, query: &ListQuery) -> Answer {
    let page = listing::list::<L>(caller.services(), &caller.ctx, resource_type, query).await?;
    // What is listed is users or groups; in a list of groups the tables of users are not asked.
    Ok(answer(caller, resource_type, page, &query.projection, &query.projection))
}

/// POST `/.search`.
pub async fn everything(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let (default, most) = page_sizes(caller);
    let body = json(request, body).await?;
    let read = |resource_type: &ResourceType, body: &Value| {
        ListQuery::from_search_within(resource_type, body, default, most)
    };
    let user_type = caller.user_type().await?;
    let (users, groups) = (&*user_type, GroupResource::resource_type());
    let (of_users, of_groups) = match (read(users, &body), read(groups, &body)) {
        (Err(error), Err(_)) => return Err(error.into()),
        both => both,
    };
    let about = |resource_type, read_as: Result<ListQuery, ScimError>| match read_as {
        Ok(query) => Ok(Some(query)),
        Err(error) if error.scim_type == Some(ScimType::InvalidFilter) => Ok(None),
        // Whoever lacks what the list is sorted by has no value there.
        Err(error) if error.scim_type == Some(ScimType::InvalidPath) => {
            read(resource_type, &unsorted(&body)).map(Some)
        }
        Err(error) => Err(error),
    };
    let (of_users, of_groups) = (about(users, of_users)?, about(groups, of_groups)?);
    let (services, ctx) = (caller.services(), &caller.ctx);
    let mut parts = Vec::with_capacity(2);
    if let Some(query) = &of_users {
        parts.push(listing::part::<Users>(services, ctx, users, query).await?);
    }
    // A credential that is bound to one domain meets people, not groups.
    if let Some(query) = of_groups.as_ref().filter(|_| permissions::directory(ctx).is_ok()) {
        parts.push(listing::part::<Groups>(services, ctx, groups, query).await?);
    }
    let nothing = Projection::default();
    let (shown_users, shown_groups) = (
        of_users.as_ref().map_or(&nothing, |query| &query.projection),
        of_groups.as_ref().map_or(&nothing, |query| &query.projection),
    );
    let Some(query) = of_users.as_ref().or(of_groups.as_ref()) else {
        return Ok(answer(caller, users, Page::new(Vec::new(), 0, Some(1)), shown_users, shown_groups));
    };
    let page = listing::pages(services, ctx, &parts, query).await?;
    Ok(answer(caller, users, page, shown_users, shown_groups))
}

/// The search without its order.
fn unsorted(body: &Value) -> Value {
    let mut body = body.clone();
    if let Value::Object(object) = &mut body {
        object.retain(|name, _| !name.eq_ignore_ascii_case("sortBy"));
    }
    body
}
