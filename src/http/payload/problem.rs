//! A refusal, before it is dressed: status, stable code, plain sentences.
//!
//! One value serves every door: as RFC 9457 `application/problem+json` for the REST API, as a SCIM error body,
//! or as a page; the `Dialect` of the surface decides. A handler returns a `Problem` as an error; the error
//! dress of its surface adds what the handler does not know: the base of the type URL and the request id.

use std::borrow::Cow;

use poem::{
    IntoResponse, Response,
    error::ResponseError,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Name of the field, with dots for nesting.
    pub field: String,
    /// Stable code such as `required` or `too_long`.
    pub code: Cow<'static, str>,
    /// What is wrong and what is expected, as a sentence.
    pub message: String,
}

/// A refusal. Cheap to build from static texts; see the module docs.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    /// Stable code in snake case; last part of the type URL.
    pub code: &'static str,
    /// The kind of problem in a few words, the same for every occurrence of the code.
    pub title: &'static str,
    /// This occurrence: what happened, what was expected, what to do next.
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldProblem>,
    /// `scimType` where the refusal is shown over SCIM (RFC 7644 section 3.12).
    pub scim_type: Option<&'static str>,
    /// Further headers, such as `Allow`, `Retry-After` or `WWW-Authenticate`.
    pub headers: Option<Box<HeaderMap>>,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            scim_type: None,
            headers: None,
        }
    }

    /// 500: the cause is in the log, under the request id only.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Internal error",
            "Something failed on our side. The operator finds the cause in the log under the request id.",
        )
    }

    /// 429 with `Retry-After`, rounded up to whole seconds.
    pub fn rate_limited(retry_after_seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            format!("The limit for this credential or address is used up; try again in {retry_after_seconds} seconds."),
        )
        .header(header::RETRY_AFTER, retry_after_seconds)
    }

    #[must_use]
    pub fn field(
        mut self,
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldProblem { field: field.into(), code: code.into(), message: message.into() });
        self
    }

    #[must_use]
    pub fn scim_type(mut self, scim_type: &'static str) -> Self {
        self.scim_type = Some(scim_type);
        self
    }

    /// Adds a header; a value that no header may hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.get_or_insert_default().append(name, value);
        }
        self
    }

    /// The RFC 9457 answer. `base` ends in a slash; without a request id the member is left out.
    pub fn to_problem_json(&self, base: &str, request_id: &str) -> Response {
        #[derive(Serialize)]
        struct Document<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            code: &'a str,
            detail: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [FieldProblem],
            #[serde(skip_serializing_if = "str::is_empty")]
            request_id: &'a str,
        }
        let document = Document {
            r#type: [base, self.code].concat(),
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: &self.errors,
            request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        self.with_headers(
            Response::builder().status(self.status).content_type("application/problem+json").body(body),
        )
    }

    /// Adds the problem's own headers to an answer made from it.
    pub fn with_headers(&self, mut response: Response) -> Response {
        for (name, value) in self.headers.iter().flat_map(|headers| headers.iter()) {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    /// Without an error dress on the way out the type URL is relative, which RFC 9457 allows.
    fn as_response(&self) -> Response {
        self.to_problem_json("/problems/", "")
    }
}

impl IntoResponse for Problem {
    /// The problem travels along, so that the error dress can still add base and request id.
    fn into_response(self) -> Response {
        let mut response = self.as_response();
        response.set_data(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn document_has_the_members_of_the_rfc() {
        let problem =
            Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "Invalid body", "Two fields are wrong.")
                .field("name", "required", "A name is required.")
                .header(header::RETRY_AFTER, 3_u64);
        let response = problem.to_problem_json("https://id.example/problems/", "r1");
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(response.header("retry-after"), Some("3"));
        let body: serde_json::Value = response.into_body().into_json().await.unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "https://id.example/problems/invalid_body", "title": "Invalid body", "status": 400,
                "code": "invalid_body", "detail": "Two fields are wrong.",
                "errors": [{"field": "name", "code": "required", "message": "A name is required."}],
                "request_id": "r1",
            })
        );
    }
}
