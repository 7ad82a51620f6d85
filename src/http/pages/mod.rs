//! The pages: signing in and out, accepting an invite, and how refusals look to people (rule 19). Plain HTML with one style sheet,
//! readable without script; the templates are checked when this is compiled.

pub mod cookies;
mod invite;
mod login;
mod problems;
mod session;
mod step_up;

use super::extract::client_ip::ClientIp;
use super::limits::{address_key, enforce};
use super::methods::Methods;
use super::middleware::{
    BodyLimit, ErrorDress, HeaderProfile, Metrics, PanicGuard, RateLimitHeaders, RequestTimeout,
    SecurityHeaders,
};
use super::payload::{Dialect, Problem, framework::unsupported_media_type};
use super::same_origin::SameOrigin;
use super::state::State;
use super::{BODY_WITHIN, Doors};
use crate::service::sign_in::Refusal;
use askama::Template;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, EndpointExt, IntoEndpoint, Request, Response, Route};
use std::time::Duration;

const HTML: &str = "text/html; charset=utf-8";
/// A form of ours has an address and a path.
const FORM_LIMIT: u64 = 16 * 1024;

#[derive(Template)]
#[template(path = "problem.html", config = "src/http/pages/askama.toml")]
struct ProblemPage<'a> {
    title: &'a str,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "refused.html", config = "src/http/pages/askama.toml")]
struct RefusedPage<'a> {
    reason: &'a str,
    check: &'a str,
    reference: &'a str,
    code: &'a str,
    /// For an administrator of the organization only: what was expected and found, and what to change.
    details: Option<(&'a str, &'a str)>,
}

/// A template as an answer.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Response::builder().status(status).content_type(HTML).body(html),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            Response::builder()
                .status(StatusCode::INTERNAL_SERVER_ERROR)
                .content_type("text/plain; charset=utf-8")
                .body("This page could not be written. The operator finds the cause in the log.")
        }
    }
}

/// Refusals as pages.
pub fn dialect() -> Dialect {
    Dialect::custom(|problem, request_id| {
        let detail = match problem.code {
            "not_found" => "There is no such page here. The link may be old or cut off.",
            _ => problem.detail.as_ref(),
        };
        page(problem.status, &ProblemPage { title: problem.title, detail, code: problem.code, request_id })
    })
}

/// The page of a refused sign-in.
pub fn refused(refusal: &Refusal) -> Response {
    let shown = RefusedPage {
        reason: refusal.reason,
        check: refusal.check,
        reference: &refusal.reference,
        code: refusal.code,
        details: refusal.for_admin.then_some((refusal.detail.as_str(), refusal.next_step.as_str())),
    };
    page(StatusCode::FORBIDDEN, &shown)
}

/// Sends the browser on, with GET.
pub fn see_other(location: &str) -> poem::Result<Response> {
    let location = HeaderValue::try_from(location).map_err(|_| Problem::internal())?;
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish())
}

/// Counts a request to a sign-in route against its address.
///
/// # Errors
/// The address's quota is used up.
pub fn limit(state: &State, request: &Request) -> Result<(), Problem> {
    let Some(ip) = ClientIp::of(request).0 else { return Ok(()) };
    enforce(request, &state.limits.addresses, &address_key(ip))
}

/// The fields of a form, in order.
///
/// # Errors
/// 415 for another content type; what the body's limit says.
pub async fn form(request: &Request, body: Body) -> poem::Result<Vec<(String, String)>> {
    let kind = request.content_type().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(unsupported_media_type().into());
    }
    let bytes = body.into_vec().await?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

/// The style sheet.
#[poem::handler]
fn style_sheet() -> Response {
    Response::builder()
        .content_type("text/css; charset=utf-8")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(include_str!("static/postern.css"))
}

/// What every surface with pages has around it.
pub struct Dress<'a> {
    pub doors: &'a Doors,
    pub surface: &'static str,
    pub body_limit: u64,
}

impl Dress<'_> {
    /// Puts it on.
    pub fn on<E>(&self, inner: E) -> impl Endpoint<Output = Response> + 'static + use<E>
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        let dialect = dialect();
        let metrics: &Metrics = &self.doors.metrics;
        let limit: Duration = self.doors.request_timeout;
        inner
            .into_endpoint()
            .map_to_response()
            .with(BodyLimit {
                max_bytes: self.body_limit,
                arrive_within: BODY_WITHIN,
                dialect: dialect.clone(),
            })
            .with(RequestTimeout { limit, dialect: dialect.clone() })
            .with(PanicGuard(dialect.clone()))
            .with(ErrorDress::new(dialect))
            .with(RateLimitHeaders)
            .with(SecurityHeaders::new(HeaderProfile::Page, self.doors.state.https))
            .with(metrics.surface(self.surface))
    }
}

/// Adds the pages to the tree.
pub fn add_to(tree: Route, doors: &Doors) -> Route {
    let dress = Dress { doors, surface: "pages", body_limit: FORM_LIMIT };
    let own = || SameOrigin::always(doors.state.origin.clone(), dialect());
    let login = Methods::new().get(login::show).post(login::submit);
    let logout = Methods::new().get(session::confirm).post(session::sign_out);
    let step_up = Methods::new().get(step_up::show).post(step_up::submit);
    let invite = Methods::new().get(invite::show).post(invite::accept);
    tree.at("/", dress.on(Methods::new().get(session::root)))
        .at("/login", dress.on(login.with(own())))
        .at("/logout", dress.on(logout.with(own())))
        .at("/step-up", dress.on(step_up.with(own())))
        .at("/invite", dress.on(invite.with(own())))
        .at("/problems", dress.on(Methods::new().get(problems::index)))
        .at("/problems/:code", dress.on(Methods::new().get(problems::show)))
        .at("/static/invite.js", dress.on(Methods::new().get(invite::script)))
        .at("/static/post_on.js", dress.on(Methods::new().get(session::post_on)))
        .at("/signed-in", dress.on(Methods::new().get(session::signed_in)))
        .at("/static/postern.css", dress.on(Methods::new().get(style_sheet)))
}

/// An error of a use case, for a page.
pub fn problem(error: &crate::service::Error) -> Problem {
    super::api::answer::problem(error)
}
