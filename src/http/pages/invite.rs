//! `/invite`: where the link of an invite leads. The secret stands in the link's fragment, which browsers do not
//! send: a small script puts it into the form, and only the press of the button posts it. Programs that open links
//! from mails to look at them so neither see nor use it up. Without script the person pastes it.

use super::{form, limit, page, problem};
use crate::http::state::State;
use crate::service::invites;
use askama::Template;
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response, Result};

#[derive(Template)]
#[template(path = "invite.html", config = "src/http/pages/askama.toml")]
struct InvitePage;

#[derive(Template)]
#[template(path = "invite_accepted.html", config = "src/http/pages/askama.toml")]
struct AcceptedPage<'a> {
    organization: &'a str,
    address: &'a str,
    role: &'a str,
    sign_in: String,
}

/// The form that waits for the secret.
#[poem::handler]
pub fn show() -> Response {
    page(StatusCode::OK, &InvitePage)
}

/// Accepts. The same-origin check has been passed, so this comes from our own form.
#[poem::handler]
pub async fn accept(request: &Request, body: Body) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let fields = form(request, body).await?;
    let typed = fields.into_iter().find(|(name, _)| name == "token").map(|(_, value)| value);
    let typed = typed.unwrap_or_default();
    // Whoever pastes by hand may paste the whole link.
    let token = typed.rsplit_once('#').map_or(typed.as_str(), |(_, token)| token);
    let ctx = state.anonymous(request);
    let accepted = invites::accept(&state.services, &ctx, token).await.map_err(|error| problem(&error))?;
    let address = accepted.member.email.as_ref().map_or("", |email| email.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("email", address).finish();
    let shown = AcceptedPage {
        organization: &accepted.organization.name,
        address,
        role: accepted.member.role.as_str(),
        sign_in: format!("/login?{query}"),
    };
    Ok(page(StatusCode::OK, &shown))
}

/// The script that takes the secret out of the link.
#[poem::handler]
pub fn script() -> Response {
    Response::builder()
        .content_type("text/javascript; charset=utf-8")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(include_str!("static/invite.js"))
}
