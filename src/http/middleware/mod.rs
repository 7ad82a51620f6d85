//! Middleware, each a small value that wraps an endpoint.
//!
//! A middleware here is a [`Layer`]: one async function around the inner endpoint. `layer!` makes it usable
//! with poem's `.with(…)`.

use std::future::Future;

use poem::{Endpoint, Request, Response, Result};

pub mod body_limit;
pub mod error_dress;
pub mod metrics;
pub mod panic;
pub mod rate_limit;
pub mod request_id;
pub mod security_headers;
pub mod timeout;
pub mod trace;

pub use body_limit::BodyLimit;
pub use error_dress::{Allowed, ErrorDress};
pub use metrics::Metrics;
pub use panic::PanicGuard;
pub use rate_limit::RateLimitHeaders;
pub use request_id::{RequestId, RequestIds};
pub use security_headers::{HeaderProfile, SecurityHeaders};
pub use timeout::RequestTimeout;
pub use trace::Trace;

/// One step around an endpoint.
pub trait Layer: Clone + Send + Sync + 'static {
    fn around<E: Endpoint>(
        &self,
        inner: &E,
        request: Request,
    ) -> impl Future<Output = Result<Response>> + Send;
}

/// An endpoint with a layer around it.
pub struct Layered<L, E> {
    layer: L,
    inner: E,
}

impl<L: Layer, E> Layered<L, E> {
    pub fn new(layer: &L, inner: E) -> Self {
        Self { layer: layer.clone(), inner }
    }
}

impl<L: Layer, E: Endpoint> Endpoint for Layered<L, E> {
    type Output = Response;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        self.layer.around(&self.inner, request)
    }
}

/// Makes a [`Layer`] a poem middleware.
macro_rules! layer {
    ($layer:ty) => {
        impl<E: poem::Endpoint> poem::Middleware<E> for $layer {
            type Output = $crate::http::middleware::Layered<$layer, E>;

            fn transform(&self, inner: E) -> Self::Output {
                $crate::http::middleware::Layered::new(self, inner)
            }
        }
    };
}
pub(crate) use layer;
