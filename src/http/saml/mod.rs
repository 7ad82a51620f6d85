//! `/saml/{uuid}`: our side of each SAML connection. The bare UUID names it, without any underscore, because IdPs
//! refuse those: the metadata to hand to the IdP, the assertion consumer service that it posts to, and single logout.

mod acs;
pub mod slo;
mod test;

use super::Doors;
use super::methods::Methods;
use super::pages::{Dress, problem};
use super::payload::framework::not_found;
use super::state::State;
use crate::model::id::ConnectionId;
use crate::service::connections;
use poem::http::{HeaderValue, header};
use poem::{Endpoint, Request, Response, Result, Route};

/// The routes below `/saml`.
pub fn routes(doors: &Doors) -> impl Endpoint<Output = Response> + 'static + use<> {
    let tree = Route::new()
        .at("/:id", Methods::new().get(metadata))
        .at("/:id/metadata", Methods::new().get(metadata))
        .at("/:id/test", Methods::new().get(test::open))
        .at("/:id/slo", Methods::new().get(slo::redirected).post(slo::posted))
        .at("/:id/acs", Methods::new().post(acs::consume));
    Dress { doors, surface: "saml", body_limit: doors.saml_body_limit }.on(tree)
}

/// The connection that the path names: a UUID in its usual form and no other.
///
/// # Errors
/// 404 for anything else.
fn connection(request: &Request) -> Result<ConnectionId> {
    let text = request.raw_path_param("id").unwrap_or_default();
    Ok(ConnectionId::from_bare(text).ok_or_else(not_found)?)
}

/// Our metadata; also at the entity id itself, where some IdPs look for it. A draft has one too: the IdP wants it
/// before the connection can be finished.
#[poem::handler]
async fn metadata(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    let xml = connections::sp_metadata(&state.services, connection(request)?)
        .await
        .map_err(|error| problem(&error))?;
    Ok(Response::builder()
        .content_type("application/samlmetadata+xml")
        .header(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("inline; filename=\"postern-metadata.xml\""),
        )
        .body(xml))
}
