//! Security headers, by kind of surface. A handler that set one itself keeps its own.
//!
//! Pages send `Referrer-Policy: same-origin` rather than `no-referrer`: with the latter browsers post forms
//! with `Origin: null`, which the same-origin check could not tell from a stranger's. Nothing reaches another
//! site either way. `form-action` on pages allows https anywhere, because a sign-in form ends, by redirect or
//! auto-post, at an IdP that nobody can list; scripts, frames and base are closed.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderName, HeaderValue, header},
};

use super::{Layer, layer};

/// What a surface serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderProfile {
    /// JSON and XML for programs.
    Api,
    /// Pages for people, with one style sheet and one script of our own.
    Page,
    /// The API documentation (scalar), which brings its script and styles inline.
    Docs,
}

/// The middleware; see the module docs.
#[derive(Clone)]
pub struct SecurityHeaders(Arc<[(HeaderName, HeaderValue)]>);

impl SecurityHeaders {
    /// `https`: whether the public URL is https, which adds HSTS.
    pub fn new(profile: HeaderProfile, https: bool) -> Self {
        let policy = match (profile, https) {
            (HeaderProfile::Api, _) => "default-src 'none'; frame-ancestors 'none'",
            (HeaderProfile::Page, true) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 font-src 'self'; connect-src 'self'; form-action 'self' https:; base-uri 'none'; \
                 frame-ancestors 'none'"
            }
            // Plain http is for loopback only; there the IdP of the demo is on http too.
            (HeaderProfile::Page, false) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 font-src 'self'; connect-src 'self'; form-action 'self' https: http:; base-uri 'none'; \
                 frame-ancestors 'none'"
            }
            (HeaderProfile::Docs, _) => {
                "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                 img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; form-action 'none'; \
                 base-uri 'none'; frame-ancestors 'none'"
            }
        };
        let referrer = if profile == HeaderProfile::Page { "same-origin" } else { "no-referrer" };
        let mut headers = vec![
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (header::REFERRER_POLICY, HeaderValue::from_static(referrer)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        if https {
            headers.push((
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000; includeSubDomains"),
            ));
        }
        Self(headers.into())
    }
}

impl Layer for SecurityHeaders {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        let mut response = inner.get_response(request).await;
        let headers = response.headers_mut();
        headers.reserve(self.0.len());
        for (name, value) in self.0.iter() {
            headers.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(response)
    }
}

layer!(SecurityHeaders);
