//! `/saml/{uuid}/test`: the link of a test sign-in, and the page that says what came of it. The page is for the browser
//! that opened the link, and nobody is signed in by it.

use super::connection;
use crate::http::pages::{cookies, limit, page, problem, see_other};
use crate::http::state::State;
use crate::service::connection_tests;
use crate::service::sign_in::Tested;
use crate::service::sign_in::test::{Came, Foretold, Read, Wrong};
use crate::service::sign_in_log::steps::seconds;
use askama::Template;
use poem::http::StatusCode;
use poem::{Request, Response, Result};

#[derive(Template)]
#[template(path = "test.html", config = "src/http/pages/askama.toml")]
struct TestPage<'a> {
    connection: &'a str,
    passed: bool,
    reference: &'a str,
    refusal: Option<&'a Wrong>,
    warnings: &'a [String],
    then: Option<&'a Foretold>,
    read: Option<&'a Read>,
    came: Option<&'a Came>,
    clocks: Option<String>,
}

/// Uses the link up and goes on to the IdP.
#[poem::handler]
pub async fn open(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let connection = connection(request)?;
    let query = request.uri().query().unwrap_or_default();
    let link = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "link");
    let link = link.map(|(_, value)| value.into_owned());
    let browser = cookies::read(request, cookies::browser_cookie(state));
    let session = cookies::session(state, request);
    let ctx = state.anonymous(request);
    let present = (browser.as_deref(), session.as_deref());
    let begun = connection_tests::open(&state.services, &ctx, connection, link.as_deref(), present)
        .await
        .map_err(|error| problem(&error))?;
    let mut response = see_other(&begun.redirect)?;
    cookies::set_browser(state, &mut response, &begun.browser);
    Ok(response)
}

/// What came of a test.
pub fn page_of(tested: &Tested) -> Response {
    let report = &tested.report;
    let shown = TestPage {
        connection: &tested.connection,
        passed: report.passed,
        reference: &report.reference,
        refusal: report.refusal.as_ref(),
        warnings: &report.warnings,
        then: report.then.as_ref(),
        read: report.read.as_ref(),
        came: report.came.as_ref(),
        clocks: report.came.as_ref().and_then(|came| came.clock_difference_ms).map(seconds),
    };
    page(StatusCode::OK, &shown)
}
