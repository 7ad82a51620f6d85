//! Writes on each answer what the limiters decided about its request (see `http::limits`).

use poem::{Endpoint, Request, Response, Result, http::HeaderName};

use super::{Layer, layer};
use crate::http::limits::RateLimitSlot;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The middleware; stands outside of whatever notes decisions.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateLimitHeaders;

impl Layer for RateLimitHeaders {
    async fn around<E: Endpoint>(&self, inner: &E, mut request: Request) -> Result<Response> {
        let slot = RateLimitSlot::default();
        request.extensions_mut().insert(slot.clone());
        let mut response = inner.get_response(request).await;
        if let Some((policy, state)) = slot.headers() {
            response.headers_mut().insert(RATELIMIT_POLICY, policy);
            response.headers_mut().insert(RATELIMIT, state);
        }
        Ok(response)
    }
}

layer!(RateLimitHeaders);
