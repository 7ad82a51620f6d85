//! Answers of the SCIM door: resources with their entity tag, lists, and refusals, all as `application/scim+json`.

use crate::http::api::answer::problem;
use crate::http::payload::scim_json::scim_error;
use crate::http::payload::{Dialect, Problem, ScimJson};
use crate::protocol::scim::{Projection, ResourceType, ScimError, etag};
use crate::service::provisioning::{self, DirectoryUser, Refusal};
use crate::service::scim_requests::Facts;
use crate::service::{Error, Services};
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::Value;

/// What a handler gives.
pub type Answer = Result<Response, Refused>;

/// Why a handler refuses.
#[derive(Debug)]
pub enum Refused {
    /// In the words of the protocol.
    Scim(ScimError),
    /// In the words of every door; dressed as SCIM.
    Problem(Box<Problem>),
    /// Dressed already.
    Finished(Box<Response>),
}

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Scim(error) => Self::Scim(error),
            Refusal::Other(error) => problem(&error).into(),
            Refusal::Race => problem(&Error::conflict("conflict", refusal.to_string())).into(),
        }
    }
}

impl From<poem::Error> for Refused {
    fn from(error: poem::Error) -> Self {
        if error.is_from_response() {
            return Self::Finished(Box::new(error.into_response()));
        }
        crate::http::payload::framework::problem_of(&error, "").into()
    }
}

/// The answer to a refusal.
pub fn dress(refused: Refused) -> Response {
    match refused {
        Refused::Scim(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            scim_error(status, error.scim_type.map(crate::protocol::scim::ScimType::as_str), &error.detail)
        }
        Refused::Problem(problem) => Dialect::Scim.render(&problem, ""),
        Refused::Finished(response) => *response,
    }
}

pub(super) fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A document: discovery, a list.
pub fn document(value: Value) -> Response {
    ScimJson(value).into_response()
}

/// One user, whole or in part, with its entity tag; `whole` is its representation.
pub fn user(
    services: &Services,
    users: &ResourceType,
    row: &DirectoryUser,
    whole: Value,
    projection: &Projection,
    status: StatusCode,
) -> Response {
    let mut response = document(projection.apply(users, whole));
    response.set_status(status);
    if status == StatusCode::CREATED {
        response = with(response, header::LOCATION, &provisioning::location(services, row));
    }
    told(with(response, header::ETAG, &provisioning::version(row)), about_user(row))
}

/// With what the request log tells of the call.
pub(super) fn told(mut response: Response, facts: Facts) -> Response {
    response.set_data(facts);
    response
}

/// Whom a call was about.
pub(super) fn about_user(row: &DirectoryUser) -> Facts {
    let domain = row.address.as_ref().map(|address| address.domain().to_owned());
    Facts { name: Some(row.user_name.clone()), domain, listed: None }
}

/// Which group a call was about.
pub(super) fn about_group(name: &str) -> Facts {
    Facts { name: Some(name.to_owned()), ..Facts::default() }
}

/// 304 if the client already has this version.
pub fn not_modified(version: &str, if_none_match: Option<&str>) -> Option<Response> {
    etag::if_none_match(if_none_match, version)
        .then(|| with(StatusCode::NOT_MODIFIED.into_response(), header::ETAG, version))
}
