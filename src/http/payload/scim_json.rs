//! The SCIM media type both ways, and the SCIM error body.
//!
//! In: `application/scim+json`, `application/json`, any `+json`, or no content type at all (Entra and home-made
//! clients differ; the body decides). Out: always `application/scim+json` (RFC 7644 section 3.1).

use std::ops::{Deref, DerefMut};

use poem::{
    FromRequest, IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use serde::{Serialize, de::DeserializeOwned};

use super::Problem;
use crate::protocol::json::{MOST_SCIM_VALUES, has_more_values_than, too_many_values};
use crate::service::scim_requests::{KEPT_ANSWER, Part};

/// The media type of RFC 7644.
pub const SCIM_MEDIA_TYPE: &str = "application/scim+json";

const SCIM_MEDIA_TYPE_VALUE: HeaderValue = HeaderValue::from_static(SCIM_MEDIA_TYPE);

/// The error body of RFC 7644 section 3.12; `status` is a string there.
pub fn scim_error(status: StatusCode, scim_type: Option<&str>, detail: &str) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        schemas: [&'static str; 1],
        status: &'a str,
        #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
        scim_type: Option<&'a str>,
        detail: &'a str,
    }
    let body = Body {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
        status: status.as_str(),
        scim_type,
        detail,
    };
    respond(status, &body)
}

/// What the request log keeps of an answer, with the answer.
#[derive(Debug, Clone)]
pub struct Sent(pub Part);

impl Sent {
    /// Answers that only repeat what is stored are kept while they are small; refusals always.
    fn of(status: StatusCode, body: &[u8]) -> Self {
        let refused = status.is_client_error() || status.is_server_error();
        Self(if refused || body.len() <= KEPT_ANSWER {
            Part::of(body)
        } else {
            Part::length_only(body.len())
        })
    }
}

fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let sent = Sent::of(status, &bytes);
            let mut response = Response::builder().status(status).body(bytes);
            response.headers_mut().insert(header::CONTENT_TYPE, SCIM_MEDIA_TYPE_VALUE);
            response.set_data(sent);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a SCIM answer cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A SCIM body, in or out. As an extractor it refuses, as a [`Problem`], what is not JSON or not a `T`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScimJson<T>(pub T);

impl<T> Deref for ScimJson<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for ScimJson<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.is_empty()
        || essence.eq_ignore_ascii_case("application/json")
        || essence.eq_ignore_ascii_case("text/json")
        || essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

async fn parse<T: DeserializeOwned>(request: &Request, body: &mut RequestBody) -> Result<T> {
    decode(read(request, body).await?.as_ref())
}

/// Reads the whole body, if its type is one that is taken.
pub async fn read(request: &Request, body: &mut RequestBody) -> Result<impl AsRef<[u8]> + Send + use<>> {
    if let Some(content_type) = request.content_type()
        && !is_json(content_type)
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Unsupported media type",
            "Send the body as application/scim+json (application/json is taken too).",
        )
        .into());
    }
    if let Some(encoding) = request.header(header::CONTENT_ENCODING)
        && !encoding.trim().eq_ignore_ascii_case("identity")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Unsupported media type",
            "Send the body as it is: no Content-Encoding is taken here.",
        )
        .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
        .into());
    }
    Ok(body.take()?.into_bytes().await?)
}

/// What a body says; refused as a [`Problem`] if it is not JSON or not a `T`, or has more than [`MOST_SCIM_VALUES`] values.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // Some clients put a byte order mark in front.
    let json = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(bytes);
    if has_more_values_than(json, MOST_SCIM_VALUES) {
        let detail = too_many_values(MOST_SCIM_VALUES);
        let problem = Problem::new(StatusCode::BAD_REQUEST, "too_many_values", "Too many values", detail);
        return Err(problem.scim_type("invalidSyntax").into());
    }
    Ok(serde_json::from_slice(json).map_err(|error| {
        let detail = if json.is_empty() {
            "A JSON body is expected, but the request has none.".into()
        } else {
            format!("The body is not the JSON expected here: {error}.")
        };
        Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "Invalid body", detail)
            .scim_type("invalidSyntax")
    })?)
}

impl<'a, T: DeserializeOwned> FromRequest<'a> for ScimJson<T> {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        parse(request, body).await.map(Self)
    }
}

impl<T: Serialize + Send> IntoResponse for ScimJson<T> {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, &self.0)
    }
}

fn any_object() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")))
}

impl<T: Send> Payload for ScimJson<T> {
    const CONTENT_TYPE: &'static str = SCIM_MEDIA_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        any_object()
    }
}

impl<T: DeserializeOwned + Send> ParsePayload for ScimJson<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        parse(request, body).await.map(Self)
    }
}

/// SCIM resources have schemas of their own (`/Schemas`); the OpenAPI document calls them objects.
impl<T: Serialize + Send> ApiResponse for ScimJson<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: SCIM_MEDIA_TYPE, schema: any_object() }],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use poem::{Endpoint, endpoint::make};

    use super::*;

    #[tokio::test]
    async fn takes_what_clients_send() {
        let echo = make(|request: Request| async move {
            let (request, mut body) = request.split();
            <ScimJson<serde_json::Value> as FromRequest>::from_request(&request, &mut body).await
        });
        for content_type in [
            Some("application/scim+json"),
            Some("application/scim+json; charset=utf-8"),
            Some("application/json"),
            None,
        ] {
            let mut request = Request::builder();
            if let Some(content_type) = content_type {
                request = request.content_type(content_type);
            }
            let response = echo.get_response(request.body(r#"{"a":1}"#)).await;
            assert_eq!(response.status(), 200, "{content_type:?}");
            assert_eq!(response.content_type(), Some(SCIM_MEDIA_TYPE));
        }
        let refused = echo.get_response(Request::builder().content_type("text/xml").body("<a/>")).await;
        assert_eq!(refused.status(), 415);
        let refused = echo.get_response(Request::builder().body("{")).await;
        assert_eq!(refused.status(), 400);
    }

    #[tokio::test]
    async fn error_body_is_the_one_of_the_rfc() {
        let response = scim_error(StatusCode::CONFLICT, Some("uniqueness"), "userName is taken.");
        let body: serde_json::Value = response.into_body().into_json().await.unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "409", "scimType": "uniqueness", "detail": "userName is taken."
            })
        );
    }
}
