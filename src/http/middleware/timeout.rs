//! How long a request may take in all, its body included.
//!
//! Past it the handler is dropped (an open transaction rolls back) and the answer is 503 in the dialect of the
//! surface. Whether a commit was under way is not known then, which the answer says.

use std::time::Duration;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{StatusCode, header},
};

use super::{Layer, RequestId, layer};
use crate::http::payload::{Dialect, Problem};

/// The middleware; see the module docs.
#[derive(Debug, Clone)]
pub struct RequestTimeout {
    pub limit: Duration,
    pub dialect: Dialect,
}

impl Layer for RequestTimeout {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        let id = RequestId::of(&request);
        if let Ok(result) = tokio::time::timeout(self.limit, inner.call(request)).await {
            return result.map(IntoResponse::into_response);
        }
        tracing::warn!(request_id = id.as_str(), limit_ms = self.limit.as_millis(), "request timed out");
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "Time-out",
            "The request took too long and was given up. It may or may not have taken effect: look before \
             repeating it, or repeat it with the same Idempotency-Key.",
        )
        .header(header::RETRY_AFTER, 5_u64);
        Ok(self.dialect.render(&problem, id.as_str()))
    }
}

layer!(RequestTimeout);
