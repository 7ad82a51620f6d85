//! Whether an unsafe request comes from our own pages.
//!
//! A session cookie travels with requests that other sites cause; `SameSite` alone does not bind sub-domains
//! and old browsers. So a request that changes something and is authenticated by cookie must show
//! `Sec-Fetch-Site: same-origin` (or `none`, typed by the person) and, where it is sent and not `null`, an
//! `Origin` equal to the public URL. Without `Sec-Fetch-Site` the `Origin` must be there and equal.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{Method, StatusCode, header},
};
use url::Url;

use super::{
    middleware::{Layer, RequestId, layer},
    payload::{Dialect, Problem},
};

/// The origin of the public URL: `https://id.example.com`, without default port or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicOrigin(Arc<str>);

impl PublicOrigin {
    pub fn of(public_url: &Url) -> Self {
        Self(public_url.origin().ascii_serialization().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a request with this method may change something.
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The rule of the module, whatever the method.
///
/// # Errors
/// The 403 to answer, where the request was caused by another site or cannot show that it was not.
pub fn check(request: &Request, origin: &PublicOrigin) -> Result<(), Problem> {
    let sent = request.header(header::ORIGIN).filter(|sent| *sent != "null");
    let matching = sent.map(|sent| sent.eq_ignore_ascii_case(origin.as_str()));
    let allowed = match request.header("sec-fetch-site") {
        Some("same-origin" | "none") => matching.unwrap_or(true),
        Some(_) => false,
        None => matching.unwrap_or(false),
    };
    if allowed {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "cross_origin",
        "Not from our own pages",
        format!(
            "This request is authenticated by cookie but does not come from {}; programs should send an API key \
             or an access token instead.",
            origin.as_str()
        ),
    ))
}

/// Where the check applies.
#[derive(Debug, Clone)]
enum Applies {
    /// To unsafe requests that carry this cookie and no `Authorization` header.
    ToCookie(Arc<str>),
    /// To every unsafe request (log-in forms, against being signed in as somebody else).
    Always,
}

/// The middleware; see the module docs. Not for the ACS, whose posts come from the IdP.
#[derive(Debug, Clone)]
pub struct SameOrigin {
    origin: PublicOrigin,
    applies: Applies,
    dialect: Dialect,
}

impl SameOrigin {
    /// For the REST API: only requests that live by the session cookie of this name.
    pub fn for_cookie(origin: PublicOrigin, cookie: &str, dialect: Dialect) -> Self {
        Self { origin, applies: Applies::ToCookie(cookie.into()), dialect }
    }

    /// For forms on pages.
    pub fn always(origin: PublicOrigin, dialect: Dialect) -> Self {
        Self { origin, applies: Applies::Always, dialect }
    }

    fn applies(&self, request: &Request) -> bool {
        is_unsafe(request.method())
            && match &self.applies {
                Applies::Always => true,
                Applies::ToCookie(name) => {
                    !request.headers().contains_key(header::AUTHORIZATION) && has_cookie(request, name)
                }
            }
    }
}

fn has_cookie(request: &Request, name: &str) -> bool {
    request
        .headers()
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .any(|pair| pair.trim_start().split_once('=').is_some_and(|(found, _)| found == name))
}

impl Layer for SameOrigin {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        if self.applies(&request)
            && let Err(problem) = check(&request, &self.origin)
        {
            return Ok(self.dialect.render(&problem, RequestId::of(&request).as_str()));
        }
        inner.call(request).await.map(IntoResponse::into_response)
    }
}

layer!(SameOrigin);

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, endpoint::make_sync};

    use super::*;

    fn request(method: Method, headers: &[(&'static str, &'static str)]) -> Request {
        headers
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value))
            .finish()
    }

    #[test]
    fn only_our_own_pages_pass() {
        let origin = PublicOrigin::of(&"https://id.example.com:443/x".parse().unwrap());
        assert_eq!(origin.as_str(), "https://id.example.com");
        let passes = |headers| check(&request(Method::POST, headers), &origin).is_ok();
        assert!(passes(&[("sec-fetch-site", "same-origin"), ("origin", "https://id.example.com")]));
        assert!(passes(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(passes(&[("origin", "https://id.example.com")]));
        assert!(!passes(&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]));
        assert!(!passes(&[("sec-fetch-site", "same-site"), ("origin", "https://id.example.com")]));
        assert!(!passes(&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")]));
        assert!(!passes(&[("origin", "http://id.example.com")]));
        assert!(!passes(&[("origin", "null")]));
        assert!(!passes(&[]));
    }

    #[tokio::test]
    async fn keys_and_reads_need_no_origin() {
        let origin = PublicOrigin::of(&"https://id.example.com".parse().unwrap());
        let dialect = Dialect::problem("https://id.example.com");
        let endpoint =
            make_sync(|_| "done").with(SameOrigin::for_cookie(origin, "__Host-postern_session", dialect));
        let status = async |method, headers: &[(&'static str, &'static str)]| {
            endpoint.get_response(request(method, headers)).await.status().as_u16()
        };
        let cookie = ("cookie", "a=b; __Host-postern_session=x");
        assert_eq!(status(Method::POST, &[cookie]).await, 403);
        assert_eq!(status(Method::GET, &[cookie]).await, 200);
        assert_eq!(status(Method::POST, &[cookie, ("authorization", "Bearer k")]).await, 200);
        assert_eq!(status(Method::POST, &[("cookie", "a=b")]).await, 200);
        assert_eq!(status(Method::POST, &[cookie, ("sec-fetch-site", "same-origin")]).await, 200);
    }
}
