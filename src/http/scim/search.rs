//! Lists as they leave, and POST `/.search` (RFC 7644 §3.4.3): one search over all resource types. Users come first, then
//! groups, then the roles that the directory may give, each in the order that is asked for; a type that lacks an attribute
//! of the filter has no match.

use super::answer::{Answer, told};
use super::auth::ScimCaller;
use super::groups::users_url;
use super::roles;
use super::users::{json, pairs, parameters};
use crate::http::payload::ScimJson;
use crate::protocol::scim::group::GroupDocument;
use crate::protocol::scim::schema::{self, ResourceType};
use crate::protocol::scim::{GroupResource, ListQuery, Page, Projection, ScimError, ScimType};
use crate::service::permissions;
use crate::service::provisioning::Users;
use crate::service::provisioning::groups::Groups;
use crate::service::provisioning::listing::{self, Kind, Listing, Parted, Resource};
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

/// What is shown of each type.
struct Shown<'p> {
    users: &'p Projection,
    groups: &'p Projection,
    roles: &'p Projection,
}

/// A page, with what was asked for.
fn answer(
    caller: &ScimCaller,
    users_type: &ResourceType,
    page: Page<Resource>,
    shown: &Shown<'_>,
) -> Response {
    let users = users_url(caller);
    let listed = Some((page.total_results, page.resources.len() as u64));
    let document = |resource: Resource| match resource.kind {
        Kind::User => Document::Whole(shown.users.apply(users_type, resource.whole)),
        Kind::Role => Document::Whole(shown.roles.apply(schema::role(), resource.whole)),
        Kind::Group => {
            Document::Group(GroupDocument::new(resource.whole, Some(resource.members), &users, shown.groups))
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
    let shown = &query.projection;
    let shown = Shown { users: shown, groups: shown, roles: shown };
    Ok(answer(caller, resource_type, page, &shown))
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
    let of_roles = about(schema::role(), read(schema::role(), &body))?;
    let (services, ctx) = (caller.services(), &caller.ctx);
    let mut parts = Vec::with_capacity(3);
    if let Some(query) = &of_users {
        parts.push(listing::part::<Users>(services, ctx, users, query).await?);
    }
    // A credential that is bound to one domain meets people, not groups.
    if let Some(query) = of_groups.as_ref().filter(|_| permissions::directory(ctx).is_ok()) {
        parts.push(listing::part::<Groups>(services, ctx, groups, query).await?);
    }
    if let Some(query) = &of_roles {
        parts.extend(roles::part(caller, query).await?.map(|part| part as Box<dyn Parted>));
    }
    let nothing = Projection::default();
    let shown = Shown {
        users: of_users.as_ref().map_or(&nothing, |query| &query.projection),
        groups: of_groups.as_ref().map_or(&nothing, |query| &query.projection),
        roles: of_roles.as_ref().map_or(&nothing, |query| &query.projection),
    };
    let Some(query) = of_users.as_ref().or(of_groups.as_ref()).or(of_roles.as_ref()) else {
        return Ok(answer(caller, users, Page::new(Vec::new(), 0, Some(1)), &shown));
    };
    let page = listing::pages(services, ctx, &parts, query).await?;
    Ok(answer(caller, users, page, &shown))
}

/// The search without its order.
fn unsorted(body: &Value) -> Value {
    let mut body = body.clone();
    if let Value::Object(object) = &mut body {
        object.retain(|name, _| !name.eq_ignore_ascii_case("sortBy"));
    }
    body
}
