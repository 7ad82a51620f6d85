//! `/`, `/signed-in` and `/logout`: who is signed in in this browser, and signing out.

use super::{cookies, page, problem, see_other};
use crate::http::saml::slo::{Reached, SignedOutPage, onward};
use crate::http::state::State;
use crate::model::state::SignInMethod;
use crate::service::sessions::{self, SignedIn};
use crate::service::single_logout;
use askama::Template;
use poem::http::{StatusCode, header};
use poem::{Request, Response, Result};

#[derive(Template)]
#[template(path = "signed_in.html", config = "src/http/pages/askama.toml")]
struct SignedInPage<'a> {
    name: Option<&'a str>,
    address: &'a str,
    organization: &'a str,
    role: &'a str,
    how: String,
    until: String,
}

#[derive(Template)]
#[template(path = "logout.html", config = "src/http/pages/askama.toml")]
struct LogoutPage<'a> {
    address: &'a str,
    organization: &'a str,
}

async fn present(state: &State, request: &Request) -> Result<Option<SignedIn>> {
    let cookie = cookies::session(state, request);
    let now = state.services.clock.now();
    let found = sessions::signed_in(&state.services, cookie.as_deref(), now).await;
    Ok(found.map_err(|error| problem(&error))?)
}

fn address(who: &SignedIn) -> &str {
    who.address.as_ref().map_or("(no address)", |address| address.as_str())
}

/// To where one belongs.
#[poem::handler]
pub async fn root(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    see_other(if present(state, request).await?.is_some() { "/signed-in" } else { "/login" })
}

/// Who is signed in.
#[poem::handler]
pub async fn signed_in(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    let Some(who) = present(state, request).await? else { return see_other("/login") };
    let how = match (who.method, &who.connection) {
        (SignInMethod::Saml, Some(connection)) => format!("by single sign-on through {connection}"),
        (SignInMethod::Saml, None) => "by single sign-on".to_owned(),
        (SignInMethod::Invite, _) => "by an invitation".to_owned(),
    };
    let at = who.expires_at.to_datetime();
    let until = format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute());
    let shown = SignedInPage {
        name: who.name.as_deref(),
        address: address(&who),
        organization: &who.organization,
        role: who.role.as_str(),
        how,
        until,
    };
    Ok(page(StatusCode::OK, &shown))
}

/// Asks before signing out: a link from anywhere shall not do it.
#[poem::handler]
pub async fn confirm(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    let Some(who) = present(state, request).await? else {
        return Ok(page(StatusCode::OK, &SignedOutPage { reached: Reached::Here }));
    };
    let shown = LogoutPage { address: address(&who), organization: &who.organization };
    Ok(page(StatusCode::OK, &shown))
}

/// Signs out, and goes on to the IdP where that takes part. The same-origin check has been passed.
#[poem::handler]
pub async fn sign_out(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    let mut sending = None;
    if let Some(who) = present(state, request).await? {
        let ctx = state.anonymous(request).acting(who.actor);
        let browser = cookies::read(request, cookies::browser_cookie(state));
        let done = single_logout::sign_out(&state.services, &ctx, browser.as_deref()).await;
        sending = done.map_err(|error| problem(&error))?.onward;
    }
    let mut response = match &sending {
        Some((sending, _)) => onward(sending)?,
        None => page(StatusCode::OK, &SignedOutPage { reached: Reached::Here }),
    };
    if let Some((_, browser)) = &sending {
        cookies::set_browser(state, &mut response, browser);
    }
    cookies::clear_session(state, &mut response);
    Ok(response)
}

/// The script that sends a message on to the IdP.
#[poem::handler]
pub fn post_on() -> Response {
    Response::builder()
        .content_type("text/javascript; charset=utf-8")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(include_str!("../pages/static/post_on.js"))
}
