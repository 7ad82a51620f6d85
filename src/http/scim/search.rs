//! POST `/.search` (RFC 7644 §3.4.3): one search over all resource types. Users come first, then groups; a type on
//! which the filter says nothing, because it lacks the attribute, has no match.

use super::answer::{Answer, Refused, document};
use super::auth::ScimCaller;
use super::users::{json, page_sizes};
use super::{groups, users};
use crate::protocol::scim::schema::ResourceType;
use crate::protocol::scim::{GroupResource, ListQuery, ScimError, ScimType, UserResource, list_response};
use crate::service::permissions;
use poem::{Request, RequestBody};

/// POST `/.search`.
pub async fn everything(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let (default, most) = page_sizes(caller);
    let body = json(request, body).await?;
    let read = |resource_type: &ResourceType| -> Result<Option<ListQuery>, ScimError> {
        match ListQuery::from_search_within(resource_type, &body, default, most) {
            Ok(query) => Ok(Some(query)),
            Err(error) if error.scim_type == Some(ScimType::InvalidFilter) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (of_users, of_groups) = (read(UserResource::resource_type())?, read(GroupResource::resource_type())?);
    if of_users.is_none() && of_groups.is_none() {
        // Says what is wrong with it.
        ListQuery::from_search_within(UserResource::resource_type(), &body, default, most)?;
    }
    let (mut resources, mut total, mut start_index) = (Vec::new(), 0, 1);
    if let Some(query) = of_users {
        start_index = query.start_index;
        (resources, total) = users::resources(caller, &query).await?;
    }
    // A credential that is bound to one domain meets people, not groups.
    if let Some(mut query) = of_groups.filter(|_| permissions::directory(&caller.ctx).is_ok()) {
        start_index = query.start_index;
        query.start_index = query.offset().saturating_sub(total) + 1;
        query.count = query.count.saturating_sub(resources.len() as u64);
        let (groups, more) = groups::resources(caller, &query).await?;
        resources.extend(groups);
        total += more;
    }
    Ok::<_, Refused>(document(list_response(resources, total, start_index)))
}
