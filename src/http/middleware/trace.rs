//! One log line per request, without personal data.
//!
//! The line has the pattern of the route (`/api/v1/organizations/:organization_id`), never the path, query or
//! headers, because ids, addresses and links with tokens stand there. What no route takes is logged as
//! `unmatched`. Logs written while a request runs can be joined to it through the debug span `request`.

use poem::{Endpoint, PathPattern, Request, Response, Result};
use tokio::time::Instant;
use tracing::Instrument;

use super::{Layer, RequestId, layer};

/// The middleware; see the module docs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace;

impl Layer for Trace {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        if !tracing::enabled!(target: "postern::http", tracing::Level::WARN) {
            return Ok(inner.get_response(request).await);
        }
        let start = Instant::now();
        let id = RequestId::of(&request);
        let method = request.method().clone();
        let span = tracing::debug_span!(target: "postern::http", "request", id = id.as_str());
        let response = inner.get_response(request).instrument(span).await;
        let status = response.status();
        let route = response.data::<PathPattern>().map_or("unmatched", |pattern| &pattern.0);
        let duration_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (method, request_id) = (method.as_str(), id.as_str());
        if status.is_server_error() {
            tracing::warn!(
                target: "postern::http", method, route, status = status.as_u16(), duration_us, request_id, "answered"
            );
        } else if route.starts_with("/health") {
            tracing::debug!(
                target: "postern::http", method, route, status = status.as_u16(), duration_us, request_id, "answered"
            );
        } else {
            tracing::info!(
                target: "postern::http", method, route, status = status.as_u16(), duration_us, request_id, "answered"
            );
        }
        Ok(response)
    }
}

layer!(Trace);
