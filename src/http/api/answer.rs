//! Answers of the REST API: a found or made resource with its `ETag`, nothing, or a refusal that the OpenAPI document
//! lists for every operation.

use crate::http::payload::Problem;
use crate::http::payload::problem::FieldProblem;
use crate::service::Error;
use poem::http::{StatusCode, header};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

/// What every operation gives.
pub type Answer<T> = Result<T, Failure>;

/// A resource that is there.
#[derive(ApiResponse)]
pub enum Found<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// The resource. `ETag` is its version, for `If-Match`.
    #[oai(status = 200)]
    Ok(Json<T>, #[oai(header = "ETag")] String),
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> Found<T> {
    /// With the version as entity tag.
    pub fn new(view: T, version: i64) -> Self {
        Self::Ok(Json(view), etag(version))
    }
}

/// A list, or an answer without a version.
#[derive(ApiResponse)]
pub enum Listed<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// What was asked for.
    #[oai(status = 200)]
    Ok(Json<T>),
}

/// A resource that was made.
#[derive(ApiResponse)]
pub enum Made<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// The new resource.
    #[oai(status = 201)]
    Created(Json<T>, #[oai(header = "Location")] String, #[oai(header = "ETag")] String),
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> Made<T> {
    /// With its address and version.
    pub fn new(view: T, location: String, version: i64) -> Self {
        Self::Created(Json(view), location, etag(version))
    }
}

/// Done, and nothing to say.
#[derive(ApiResponse)]
pub enum Done {
    /// Done.
    #[oai(status = 204)]
    NoContent,
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version in an `If-Match` header, if it names one.
///
/// # Errors
/// 412 for an entity tag that this API never gave.
pub fn if_match(header: Option<&str>) -> Result<Option<i64>, Failure> {
    match header.map(str::trim) {
        None | Some("*") => Ok(None),
        Some(tag) => tag
            .strip_prefix('"')
            .and_then(|tag| tag.strip_suffix('"'))
            .and_then(|tag| tag.parse().ok())
            .map(Some)
            .ok_or_else(|| Error::PreconditionFailed.into()),
    }
}

/// A refusal of the REST API (RFC 9457).
#[derive(Debug)]
pub struct Failure(Problem);

const fn title(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated { .. } => "Not authenticated",
        Error::Forbidden { .. } => "Not allowed",
        Error::NotFound { .. } => "Not found",
        Error::Invalid(_) => "Wrong fields",
        Error::Refused { .. } => "Refused",
        Error::Conflict { .. } => "Conflict",
        Error::Gone { .. } => "Gone",
        Error::PreconditionFailed => "Changed in between",
        Error::RateLimited { .. } => "Too many requests",
        Error::Unavailable { .. } => "Not available",
        Error::Internal(_) => "Internal error",
    }
}

/// A use case's error as a refusal of any door.
pub fn problem(error: &Error) -> Problem {
    if let Error::Internal(cause) = error {
        tracing::error!(cause, "a use case failed");
        return Problem::internal();
    }
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut problem = Problem::new(status, error.code(), title(error), error.to_string());
    match error {
        Error::Invalid(fields) => {
            "Some fields are wrong; see errors.".clone_into(problem.detail.to_mut());
            problem.errors = fields
                .iter()
                .map(|f| FieldProblem {
                    field: f.field.clone(),
                    code: f.code.into(),
                    message: f.message.clone(),
                })
                .collect();
        }
        Error::Unauthenticated { .. } => {
            return problem.header(header::WWW_AUTHENTICATE, "Bearer realm=\"postern\"");
        }
        Error::RateLimited { retry_after } => {
            return problem.header(header::RETRY_AFTER, retry_after.as_secs().max(1));
        }
        Error::Unavailable { .. } => return problem.header(header::RETRY_AFTER, 1),
        _ => {}
    }
    problem
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(problem(&error))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Failure> for poem::Error {
    fn from(failure: Failure) -> Self {
        failure.0.into()
    }
}

/// One wrong field of a request.
#[derive(Object)]
#[oai(rename = "ProblemField")]
pub struct ProblemField {
    /// Its name, with dots into objects.
    pub field: String,
    /// A stable code.
    pub code: String,
    /// What was found and what was expected.
    pub message: String,
}

/// A refusal (RFC 9457): what happened, and what to do next.
#[derive(Object)]
#[oai(rename = "Problem")]
pub struct ProblemView {
    /// A stable URL whose last part is the code.
    #[oai(rename = "type")]
    pub type_url: String,
    /// What kind of refusal it is.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `domain_already_claimed`.
    pub code: String,
    /// A plain sentence.
    pub detail: String,
    /// One entry for each wrong field.
    pub errors: Option<Vec<ProblemField>>,
    /// Names the request in the operator's log.
    pub request_id: Option<String>,
}

impl ApiResponse for Failure {
    fn meta() -> MetaResponses {
        let one = |status: u16, description: &'static str| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/problem+json",
                schema: ProblemView::schema_ref(),
            }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                one(400, "The request is wrong; `errors` names each wrong field."),
                one(401, "There is no valid credential."),
                one(403, "The credential does not allow this; the detail names the missing scope or role."),
                one(404, "There is no such thing for this credential."),
                one(409, "It conflicts with what is there."),
                one(410, "It was there and is over."),
                one(412, "It was changed since it was read (`If-Match`)."),
                one(413, "The body is too large."),
                one(415, "The body is not JSON, or its Content-Type does not say so."),
                one(429, "Too many requests; `Retry-After` says when to come back."),
                one(500, "A fault of Postern; the request id finds its cause in the log."),
                one(503, "The database or another part is not available; nothing was changed."),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ProblemView::register(registry);
    }
}
