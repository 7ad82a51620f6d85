//! `/Groups`: extract, call one use case, wrap. Members are loaded only where they are shown, and a PATCH of a large
//! group is answered without a body unless attributes are asked for.

use super::answer::{Answer, about_group, not_modified, told, with};
use super::auth::ScimCaller;
use super::search;
use super::users::{if_match, json, pairs, parameters};
use crate::http::payload::ScimJson;
use crate::protocol::scim::group::GroupDocument;
use crate::protocol::scim::{GroupPatch, GroupResource, Projection, SentGroup, list, membership::MEMBERS};
use crate::service::provisioning::groups::{self, DirectoryGroup, GroupEdit, Groups, LARGE};
use poem::http::{StatusCode, header};
use poem::{IntoResponse, Request, RequestBody};

/// Which attributes the answer carries.
fn projection(request: &Request) -> Projection {
    list::projection(GroupResource::resource_type(), pairs(&parameters(request)))
}

pub(super) fn users_url(caller: &ScimCaller) -> String {
    caller.services().settings.url("/scim/v2/Users")
}

/// One group, whole or in part, with its entity tag.
async fn shown(
    caller: &ScimCaller,
    row: &DirectoryGroup,
    projection: &Projection,
    status: StatusCode,
) -> Answer {
    let services = caller.services();
    let members = if projection.includes(MEMBERS) && row.member_count > 0 {
        groups::members(services, &caller.ctx, std::slice::from_ref(row)).await?.remove(&row.id)
    } else {
        None
    };
    let users = users_url(caller);
    let whole = groups::representation(services, row);
    let document = GroupDocument::new(whole, members.as_deref(), &users, projection);
    let mut response = ScimJson(document).into_response();
    response.set_status(status);
    if status == StatusCode::CREATED {
        response = with(response, header::LOCATION, &groups::location(services, row));
    }
    Ok(told(with(response, header::ETAG, &groups::version(row)), about_group(&row.display_name)))
}

/// GET `/Groups`.
pub async fn list(caller: &ScimCaller, request: &Request) -> Answer {
    search::list::<Groups>(caller, request, GroupResource::resource_type()).await
}

/// POST `/Groups/.search` (RFC 7644 §3.4.3): the same with the parameters in the body.
pub async fn search(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    search::search::<Groups>(caller, request, body, GroupResource::resource_type()).await
}

/// POST `/Groups`.
pub async fn create(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let sent = SentGroup::parse(&json(request, body).await?, caller.conformance)?;
    let row = groups::create(caller.services(), &caller.ctx, &sent).await?;
    shown(caller, &row, &projection(request), StatusCode::CREATED).await
}

/// GET `/Groups/{id}`.
pub async fn get(caller: &ScimCaller, request: &Request, id: &str) -> Answer {
    let row = groups::find(caller.services(), &caller.ctx, id).await?;
    if let Some(response) = not_modified(&groups::version(&row), request.header(header::IF_NONE_MATCH)) {
        return Ok(response);
    }
    shown(caller, &row, &projection(request), StatusCode::OK).await
}

/// PUT `/Groups/{id}`.
pub async fn replace(caller: &ScimCaller, request: &Request, body: &mut RequestBody, id: &str) -> Answer {
    let sent = SentGroup::parse(&json(request, body).await?, caller.conformance)?;
    let edit = GroupEdit::Replace(sent);
    let row = groups::change(caller.services(), &caller.ctx, id, if_match(request), &edit).await?;
    shown(caller, &row, &projection(request), StatusCode::OK).await
}

/// PATCH `/Groups/{id}`.
pub async fn patch(caller: &ScimCaller, request: &Request, body: &mut RequestBody, id: &str) -> Answer {
    let edit = GroupEdit::Patch(GroupPatch::parse(&json(request, body).await?, caller.conformance)?);
    let row = groups::change(caller.services(), &caller.ctx, id, if_match(request), &edit).await?;
    let projection = projection(request);
    if row.member_count > LARGE && !projection.is_asked_for() {
        let response = StatusCode::NO_CONTENT.into_response();
        return Ok(told(
            with(response, header::ETAG, &groups::version(&row)),
            about_group(&row.display_name),
        ));
    }
    shown(caller, &row, &projection, StatusCode::OK).await
}

/// DELETE `/Groups/{id}`.
pub async fn delete(caller: &ScimCaller, request: &Request, id: &str) -> Answer {
    let name = groups::remove(caller.services(), &caller.ctx, id, if_match(request)).await?;
    Ok(told(StatusCode::NO_CONTENT.into_response(), about_group(&name)))
}
