//! `/step-up`: somebody signed in shows to be there, by a fresh sign-in at their identity provider. Asked for by a form of
//! ours, so that no link from elsewhere does it.

use super::{cookies, form, limit, page, problem, see_other};
use crate::http::payload::Problem;
use crate::http::state::State;
use crate::service::sessions::{self, SignedIn};
use crate::service::sign_in::ReturnTo;
use crate::service::step_up;
use askama::Template;
use poem::http::StatusCode;
use poem::{Body, Request, Response, Result};

#[derive(Template)]
#[template(path = "step_up.html", config = "src/http/pages/askama.toml")]
struct StepUpPage<'a> {
    address: &'a str,
    organization: &'a str,
    return_to: Option<&'a str>,
}

async fn present(state: &State, request: &Request) -> Result<Option<SignedIn>> {
    let cookie = cookies::session(state, request);
    let now = state.services.clock.now();
    let found = sessions::signed_in(&state.services, cookie.as_deref(), now).await;
    Ok(found.map_err(|error| problem(&error))?)
}

fn return_to(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Option<ReturnTo>> {
    let found = pairs.into_iter().find(|(name, value)| name == "return_to" && !value.is_empty());
    let read = found.map(|(_, value)| ReturnTo::parse(&value)).transpose();
    Ok(read.map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "return_to_refused",
            "This link cannot be used",
            format!("After this nobody is sent to another site: {error}."),
        )
    })?)
}

/// Says what it is for, and asks.
#[poem::handler]
pub async fn show(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    let Some(who) = present(state, request).await? else { return see_other("/login") };
    let query = request.uri().query().unwrap_or_default();
    let return_to = return_to(url::form_urlencoded::parse(query.as_bytes()).into_owned())?;
    let shown = StepUpPage {
        address: who.address.as_ref().map_or("(no address)", |address| address.as_str()),
        organization: &who.organization,
        return_to: return_to.as_ref().map(ReturnTo::as_str),
    };
    Ok(page(StatusCode::OK, &shown))
}

/// On to the identity provider. The same-origin check has been passed.
#[poem::handler]
pub async fn submit(request: &Request, body: Body) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let return_to = return_to(form(request, body).await?)?;
    let Some(who) = present(state, request).await? else { return see_other("/login") };
    let ctx = state.anonymous(request).acting(who.actor);
    let browser = cookies::read(request, cookies::browser_cookie(state));
    let begun = step_up::begin(&state.services, &ctx, browser.as_deref(), return_to)
        .await
        .map_err(|error| problem(&error))?;
    let mut response = see_other(&begun.redirect)?;
    cookies::set_browser(state, &mut response, &begun.browser);
    Ok(response)
}
