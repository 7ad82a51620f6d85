//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 §4): read only, and never filtered.

use super::answer::{Answer, Refused, document};
use super::auth::ScimCaller;
use crate::protocol::scim::schema::{self, ResourceType};
use crate::protocol::scim::{Conformance, GroupResource, ScimError, discovery, list_response};
use crate::service::provisioning::listing::TIMEOUT;
use crate::service::provisioning::{Refusal, roles_offered};
use poem::Request;
use serde_json::{Value, json};

/// What is offered to this directory: roles where it heeds them.
async fn offered<'u>(caller: &ScimCaller, users: &'u ResourceType) -> Result<Vec<&'u ResourceType>, Refused> {
    let mut offered = vec![users, GroupResource::resource_type()];
    let roles = roles_offered::list(caller.services(), &caller.ctx).await.map_err(Refusal::from)?;
    if roles.is_some() {
        offered.push(schema::role());
    }
    Ok(offered)
}

fn base(caller: &ScimCaller) -> String {
    caller.services().settings.url("/scim/v2")
}

/// A filter on a discovery document is 403 (RFC 7644 §4); other parameters of lists are ignored.
fn refuse_filter(request: &Request) -> Result<(), Refused> {
    let parameters: Vec<(String, String)> = request.params().unwrap_or_default();
    if parameters.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::new(403, "Discovery documents are not filtered; read them whole.").into());
    }
    Ok(())
}

/// `/ServiceProviderConfig`.
pub fn config(caller: &ScimCaller, request: &Request) -> Answer {
    refuse_filter(request)?;
    let mut config = discovery::service_provider_config(&base(caller));
    let settings = &caller.services().settings;
    config["filter"]["maxResults"] = settings.scim_max_page.into();
    config["bulk"] = json!({
        "supported": true,
        "maxOperations": settings.scim_bulk_operations,
        "maxPayloadSize": settings.scim_body_limit,
    });
    // RFC 9865 section 4.
    config["pagination"] = json!({
        "cursor": true,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": settings.scim_default_page,
        "maxPageSize": settings.scim_max_page,
        "cursorTimeout": TIMEOUT.as_secs(),
    });
    if caller.conformance == Conformance::Profile {
        config["interopProfileConformant"] = true.into();
    }
    Ok(document(config))
}

fn answer(
    request: &Request,
    name: Option<&str>,
    one: impl FnOnce(&str) -> Option<Value>,
    all: impl FnOnce() -> Vec<Value>,
    noun: &str,
) -> Answer {
    refuse_filter(request)?;
    let Some(name) = name else {
        return Ok(document(list_response(all())));
    };
    let none =
        || ScimError::new(404, format!("There is no {noun} of this name; the list without one has all."));
    Ok(document(one(name).ok_or_else(none)?))
}

/// `/ResourceTypes` and `/ResourceTypes/{id}`.
pub async fn resource_types(caller: &ScimCaller, request: &Request, id: Option<&str>) -> Answer {
    let users = caller.user_type().await?;
    let (offered, base) = (offered(caller, &users).await?, base(caller));
    answer(
        request,
        id,
        |id| discovery::resource_type(&offered, id, &base),
        || discovery::resource_types(&offered, &base),
        "resource type",
    )
}

/// `/Schemas` and `/Schemas/{urn}`.
pub async fn schemas(caller: &ScimCaller, request: &Request, urn: Option<&str>) -> Answer {
    let users = caller.user_type().await?;
    let (offered, base) = (offered(caller, &users).await?, base(caller));
    answer(
        request,
        urn,
        |urn| discovery::schema(&offered, urn, &base),
        || discovery::schemas(&offered, &base),
        "schema",
    )
}
