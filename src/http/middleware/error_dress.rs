//! The error dress of a surface: every refusal leaves in its dialect.
//!
//! Problems from handlers get the base of their type URL and the request id; errors of the framework become
//! problems; errors that already carry a finished response pass untouched. The route pattern that the trace
//! wants is kept. On 405 the `Allow` header is filled from a table of routes.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, Result,
    error::MethodNotAllowedError,
    http::{HeaderValue, header},
};

use super::{Layer, RequestId, layer};
use crate::http::payload::{
    Dialect, Problem,
    framework::{method_not_allowed, problem_of},
};

/// Which methods each route takes, by route pattern below the surface.
#[derive(Debug, Clone, Default)]
pub struct Allowed(HashMap<String, HeaderValue>);

impl Allowed {
    /// Reads the table from an OpenAPI document (`OpenApiService::spec()`); unreadable text gives an empty one.
    pub fn from_openapi(spec: &str) -> Self {
        let mut table = HashMap::new();
        let document: serde_json::Value = serde_json::from_str(spec).unwrap_or_default();
        for (path, item) in document.get("paths").and_then(serde_json::Value::as_object).into_iter().flatten()
        {
            let mut methods: Vec<String> = item
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::keys)
                .filter(|key| {
                    ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
                        .contains(&key.as_str())
                })
                .map(|method| method.to_uppercase())
                .collect();
            if methods.iter().any(|method| method == "GET") && !methods.iter().any(|method| method == "HEAD")
            {
                methods.push("HEAD".into());
            }
            if let Ok(value) = HeaderValue::try_from(methods.join(", ")) {
                table.insert(shape(path), value);
            }
        }
        Self(table)
    }

    /// The methods of a route; the pattern may have the prefix of the surface in front.
    fn of(&self, pattern: &str) -> Option<&HeaderValue> {
        let wanted = shape(pattern);
        let mut rest = wanted.as_str();
        loop {
            if let Some(found) = self.0.get(rest) {
                return Some(found);
            }
            let next = rest.get(1..)?.find('/')? + 1;
            rest = &rest[next..];
        }
    }
}

/// A path with every parameter alike: `/a/{id}` and `/a/:param0` are both `/a/:`.
fn shape(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        shape.push('/');
        shape.push_str(if segment.starts_with(['{', ':', '<']) { ":" } else { segment });
    }
    shape
}

/// The middleware; see the module docs.
#[derive(Debug, Clone)]
pub struct ErrorDress {
    dialect: Dialect,
    allowed: Arc<Table>,
}

/// Made at the first need: the document it comes from is large, and a wrong method is rare.
type Table = LazyLock<Allowed, Box<dyn FnOnce() -> Allowed + Send>>;

impl ErrorDress {
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, allowed: Arc::new(LazyLock::new(Box::new(Allowed::default))) }
    }

    /// With a table for `Allow` on 405; without one only routes made by `methods::Methods` name theirs.
    #[must_use]
    pub fn allowed(mut self, allowed: impl FnOnce() -> Allowed + Send + 'static) -> Self {
        self.allowed = Arc::new(LazyLock::new(Box::new(allowed)));
        self
    }
}

impl Layer for ErrorDress {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        let id = RequestId::of(&request);
        let (problem, pattern, headers) = match inner.call(request).await.map(IntoResponse::into_response) {
            Ok(response) => {
                if response.status().as_u16() < 400 {
                    return Ok(response);
                }
                let Some(problem) = response.data::<Problem>().cloned() else { return Ok(response) };
                let pattern = response.data::<PathPattern>().cloned();
                (problem, pattern, Some(response.headers().clone()))
            }
            Err(error) if error.is_from_response() => return Ok(error.into_response()),
            Err(error) => {
                let pattern = error.data::<PathPattern>().cloned();
                let problem = if error.is::<MethodNotAllowedError>() {
                    let allow = pattern.as_ref().and_then(|pattern| self.allowed.of(&pattern.0));
                    method_not_allowed(allow)
                } else {
                    problem_of(&error, id.as_str())
                };
                (problem, pattern, None)
            }
        };
        let mut response = self.dialect.render(&problem, id.as_str());
        // Headers that an inner layer put on the first rendering, such as cookies or rate limits, stay.
        for (name, value) in headers.iter().flatten() {
            if *name != header::CONTENT_TYPE && !response.headers().contains_key(name) {
                response.headers_mut().append(name.clone(), value.clone());
            }
        }
        if let Some(pattern) = pattern {
            response.set_data(pattern);
        }
        Ok(response)
    }
}

layer!(ErrorDress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_below_a_prefix() {
        let allowed = Allowed::from_openapi(
            r#"{"paths": {"/organizations/{organization_id}": {"get": {}, "patch": {}, "parameters": []}}}"#,
        );
        let of = |pattern| allowed.of(pattern).map(|value| value.to_str().unwrap());
        assert_eq!(of("/api/v1/organizations/:param0"), Some("GET, PATCH, HEAD"));
        assert_eq!(of("/organizations/:x"), Some("GET, PATCH, HEAD"));
        assert_eq!(of("/api/v1/organizations"), None);
    }
}
