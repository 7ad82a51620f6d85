//! A panic in a handler becomes a logged 500 in the dialect of the surface, and the process stays up.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::{Layer, RequestId, layer};
use crate::http::payload::{Dialect, Problem};

/// The middleware; see the module docs.
#[derive(Debug, Clone)]
pub struct PanicGuard(pub Dialect);

impl Layer for PanicGuard {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        let id = RequestId::of(&request);
        // Unwind safety: what a handler shares lies behind locks that recover, or in the database.
        match AssertUnwindSafe(inner.call(request)).catch_unwind().await {
            Ok(result) => result.map(IntoResponse::into_response),
            Err(cause) => {
                let message = cause
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| cause.downcast_ref::<String>().map(String::as_str))
                    .unwrap_or("no message");
                tracing::error!(request_id = id.as_str(), panic = message, "a handler panicked");
                Ok(self.0.render(&Problem::internal(), id.as_str()))
            }
        }
    }
}

layer!(PanicGuard);
