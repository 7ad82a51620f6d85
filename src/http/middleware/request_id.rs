//! Marks each request: its id, and the address of its client.
//!
//! An incoming `X-Request-Id` is taken over only from a trusted proxy and only if it is harmless (8 to 64
//! letters, digits, dots, dashes, underscores); else a new one is made. The id goes out on every answer.

use std::sync::Arc;

use poem::{
    Endpoint, FromRequest, Request, RequestBody, Response, Result,
    http::{HeaderName, HeaderValue},
};
use uuid::Uuid;

use super::{Layer, layer};
use crate::http::extract::{ClientIp, TrustedProxies};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id in a request that came through [`RequestIds`]; empty without that middleware.
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or(Self(HeaderValue::from_static("")))
    }

    fn made_from(uuid: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text = uuid.simple().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")))
    }

    fn taken_over(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        ((8..=64).contains(&bytes.len()) && bytes.iter().all(harmless)).then(|| Self(value.clone()))
    }
}

impl<'a> FromRequest<'a> for RequestId {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        Ok(Self::of(request))
    }
}

/// The middleware; see the module docs.
#[derive(Clone)]
pub struct RequestIds {
    trusted: Arc<TrustedProxies>,
    generate: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

impl RequestIds {
    pub fn new(trusted: TrustedProxies, generate: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self { trusted: Arc::new(trusted), generate: Arc::new(generate) }
    }
}

impl Layer for RequestIds {
    async fn around<E: Endpoint>(&self, inner: &E, mut request: Request) -> Result<Response> {
        let (_, trusted) = self.trusted.peer(request.remote_addr());
        let client = self.trusted.client(request.remote_addr(), request.headers());
        let id = trusted
            .then(|| request.headers().get(X_REQUEST_ID).and_then(RequestId::taken_over))
            .flatten()
            .unwrap_or_else(|| RequestId::made_from((self.generate)()));
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(ClientIp(client));
        let mut response = inner.get_response(request).await;
        response.headers_mut().insert(X_REQUEST_ID, id.0);
        Ok(response)
    }
}

layer!(RequestIds);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_ids_are_not_taken_over() {
        let taken = |text: &'static str| RequestId::taken_over(&HeaderValue::from_static(text)).is_some();
        assert!(taken("0197f6f0-aaaa-7bbb-8ccc-0123456789ab"));
        assert!(!taken("short"));
        assert!(!taken("has spaces in it"));
        assert!(!taken("{\"json\":\"injection\"}"));
    }
}
