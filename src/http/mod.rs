//! The HTTP side: listeners, the guard against slow clients, middleware, payloads and error dresses.
//!
//! [`routes`] joins the surfaces into one tree: this screen shows every door. Order of the layers, outermost
//! first: guard (`server`), request id and client address, trace, metrics, then per surface: security headers,
//! rate-limit headers, error dress with panic guard, time-out, body limit, same-origin check.

pub mod api;
pub mod extract;
pub mod guard;
pub mod health;
pub mod limits;
pub mod methods;
pub mod middleware;
pub mod oauth;
pub mod pages;
pub mod payload;
pub mod same_origin;
pub mod saml;
pub mod scim;
pub mod server;
pub mod state;
pub mod tls;

use extract::client_ip::TrustedProxies;
use health::Readiness;
use middleware::{
    Allowed, BodyLimit, ErrorDress, HeaderProfile, Metrics, PanicGuard, RateLimitHeaders, RequestIds,
    RequestTimeout, SecurityHeaders, Trace,
};
use payload::Dialect;
use poem::middleware::{AddData, CookieJarManager};
use poem::{EndpointExt, Response, Route};
use state::State;
use std::sync::Arc;
use std::time::Duration;

/// What the route tree is built from.
pub struct Doors {
    pub state: Arc<State>,
    pub metrics: Metrics,
    pub readiness: Arc<dyn Readiness>,
    pub trusted_proxies: TrustedProxies,
    /// How long a handler may take.
    pub request_timeout: Duration,
    pub body_limit: u64,
    pub scim_body_limit: u64,
    pub saml_body_limit: u64,
}

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The whole route tree of the public listener.
pub fn routes(doors: &Doors) -> impl poem::Endpoint<Output = Response> + 'static {
    let state = &doors.state;
    let https = state.https;
    let public_url = state.services.settings.public_url.as_str();
    let problem = Dialect::problem(public_url);

    let api_service = api::service(public_url);
    let document_url = public_url.to_owned();
    let allowed = move || Allowed::from_openapi(&api::service(&document_url).spec());
    let api = api_service
        .with(api::idempotency::Idempotency)
        .with(BodyLimit { max_bytes: doors.body_limit, arrive_within: BODY_WITHIN, dialect: problem.clone() })
        .with(RequestTimeout { limit: doors.request_timeout, dialect: problem.clone() })
        .with(PanicGuard(problem.clone()))
        .with(ErrorDress::new(problem.clone()).allowed(allowed))
        .with(RateLimitHeaders)
        .with(SecurityHeaders::new(HeaderProfile::Api, https))
        .with(doors.metrics.surface("api"));
    let docs = api::docs::page(public_url)
        .with(SecurityHeaders::new(HeaderProfile::Docs, https))
        .with(doors.metrics.surface("docs"));
    let health = health::routes(Arc::clone(&doors.readiness))
        .with(SecurityHeaders::new(HeaderProfile::Api, https))
        .with(doors.metrics.surface("health"));

    let well_known = Route::new()
        .at("/jwks.json", methods::Methods::new().get(api::access_tokens::key_set))
        .at("/oauth-authorization-server", methods::Methods::new().get(oauth::server_metadata))
        .at("/oauth-protected-resource/scim/v2", methods::Methods::new().get(oauth::resource_metadata))
        .with(SecurityHeaders::new(HeaderProfile::Api, https))
        .with(doors.metrics.surface("well_known"));

    let services = Arc::clone(&state.services);
    let tree = pages::add_to(Route::new(), doors)
        .nest("/saml", saml::routes(doors))
        .nest("/oauth", oauth::routes(doors))
        .nest("/.well-known", well_known)
        .nest("/api/v1", api)
        .nest("/docs", docs)
        .nest("/health", health);
    scim::Fork::new(scim::door(doors), tree)
        .with(PanicGuard(problem.clone()))
        .with(ErrorDress::new(problem))
        .with(CookieJarManager::new())
        .with(AddData::new(Arc::clone(state)))
        .with(Trace)
        .with(RequestIds::new(doors.trusted_proxies.clone(), move || {
            crate::model::id::uuid_v7(services.clock.now(), &*services.random)
        }))
}
