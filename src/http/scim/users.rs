//! `/Users`: extract, call one use case, wrap.

use super::answer::{Answer, Refused, about_user, not_modified, told, user};
use super::auth::ScimCaller;
use super::log::Slot;
use super::search;
use crate::http::payload::scim_json;
use crate::protocol::scim::{PatchRequest, Projection, ResourceType, UserResource, list};
use crate::service::provisioning::{self, DirectoryUser, Edit, Users, groups};
use poem::http::{StatusCode, header};
use poem::{IntoResponse, Request, RequestBody};
use serde_json::Value;

pub(super) type Parameters = Vec<(String, String)>;

pub(super) fn parameters(request: &Request) -> Parameters {
    request.params().unwrap_or_default()
}

pub(super) fn pairs(parameters: &Parameters) -> impl Iterator<Item = (&str, &str)> {
    parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Which attributes the answer carries.
fn projection(users: &ResourceType, request: &Request) -> Projection {
    list::projection(users, pairs(&parameters(request)))
}

/// `If-Match`.
pub(super) fn if_match(request: &Request) -> Option<&str> {
    request.header(header::IF_MATCH)
}

/// The body as JSON.
pub(super) async fn json(request: &Request, body: &mut RequestBody) -> Result<Value, Refused> {
    let bytes = scim_json::read(request, body).await?;
    Slot::received(request, bytes.as_ref());
    Ok(scim_json::decode(bytes.as_ref())?)
}

/// One user, with the groups that it is in where they are shown.
async fn shown(
    caller: &ScimCaller,
    users: &ResourceType,
    row: &DirectoryUser,
    projection: &Projection,
    status: StatusCode,
) -> Answer {
    let services = caller.services();
    let mut whole = provisioning::representation(services, users, row);
    // A new user is in no group.
    if status != StatusCode::CREATED && projection.includes("groups") {
        groups::attach(services, &caller.ctx, std::slice::from_mut(&mut whole)).await?;
    }
    Ok(user(services, users, row, whole, projection, status))
}

/// GET `/Users`.
pub async fn list(caller: &ScimCaller, request: &Request) -> Answer {
    search::list::<Users>(caller, request, &*caller.user_type().await?).await
}

/// POST `/Users/.search` (RFC 7644 §3.4.3): the same with the parameters in the body.
pub async fn search(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    search::search::<Users>(caller, request, body, &*caller.user_type().await?).await
}

/// POST `/Users`.
pub async fn create(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let body = json(request, body).await?;
    let users = caller.user_type().await?;
    let resource = UserResource::parse_as(&users, &body, caller.conformance)?;
    let row = provisioning::create(caller.services(), &caller.ctx, &resource).await?;
    shown(caller, &users, &row, &projection(&users, request), StatusCode::CREATED).await
}

/// GET `/Users/{id}`.
pub async fn get(caller: &ScimCaller, request: &Request, id: &str) -> Answer {
    let row = provisioning::find(caller.services(), &caller.ctx, id).await?;
    if let Some(response) = not_modified(&provisioning::version(&row), request.header(header::IF_NONE_MATCH))
    {
        return Ok(response);
    }
    let users = caller.user_type().await?;
    shown(caller, &users, &row, &projection(&users, request), StatusCode::OK).await
}

async fn change(
    caller: &ScimCaller,
    users: &ResourceType,
    request: &Request,
    id: &str,
    edit: Edit,
) -> Answer {
    let row = provisioning::change(caller.services(), &caller.ctx, id, if_match(request), &edit).await?;
    shown(caller, users, &row, &projection(users, request), StatusCode::OK).await
}

/// PUT `/Users/{id}`.
pub async fn replace(caller: &ScimCaller, request: &Request, body: &mut RequestBody, id: &str) -> Answer {
    let body = json(request, body).await?;
    let users = caller.user_type().await?;
    let resource = UserResource::parse_as(&users, &body, caller.conformance)?;
    change(caller, &users, request, id, Edit::Replace(resource)).await
}

/// PATCH `/Users/{id}`. Answered with the user, which every client takes; 204 would say less.
pub async fn patch(caller: &ScimCaller, request: &Request, body: &mut RequestBody, id: &str) -> Answer {
    let body = json(request, body).await?;
    let users = caller.user_type().await?;
    let patch = PatchRequest::parse(&users, &body, caller.conformance)?;
    change(caller, &users, request, id, Edit::Patch(patch)).await
}

/// DELETE `/Users/{id}`.
pub async fn delete(caller: &ScimCaller, request: &Request, id: &str) -> Answer {
    let row = provisioning::remove(caller.services(), &caller.ctx, id, if_match(request)).await?;
    Ok(told(StatusCode::NO_CONTENT.into_response(), about_user(&row)))
}
