//! The single logout URL: takes log-out messages of the IdP through the browser, by HTTP-Redirect and HTTP-POST, and answers
//! with the way back to the IdP or with a page. Nobody is sent anywhere but to the connection's own IdP.

use super::connection;
use crate::http::pages::{cookies, form, limit, page, problem, see_other};
use crate::http::state::State;
use crate::protocol::saml::logout::{LogoutOutcome, Sending};
use crate::protocol::saml::{ArrivedLogout, LogoutRefusal};
use crate::service::sign_in::Refusal;
use crate::service::single_logout::{self, Arrival, Handled};
use askama::Template;
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response, Result};

#[derive(Template)]
#[template(path = "post_on.html", config = "src/http/pages/askama.toml")]
struct PostOnPage<'a> {
    action: &'a str,
    fields: &'a [(&'static str, String)],
}

/// How far signing out came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Here only; the IdP was not asked.
    Here,
    /// Here, because the IdP asked, and it takes no answer.
    Asked,
    /// Here and at the IdP, with all that it knows of.
    Everywhere,
    /// Here and at the IdP, but some other service did not follow.
    Partly,
    /// Here; the IdP would not.
    NotThere,
}

#[derive(Template)]
#[template(path = "signed_out.html", config = "src/http/pages/askama.toml")]
pub struct SignedOutPage {
    pub reached: Reached,
}

#[derive(Template)]
#[template(path = "logout_refused.html", config = "src/http/pages/askama.toml")]
struct RefusedPage<'a> {
    reason: &'a str,
    check: &'a str,
    reference: &'a str,
    code: &'a str,
}

/// The answer that carries a message to the IdP.
///
/// # Errors
/// Only for an address that fits no header, which no connection has.
pub fn onward(sending: &Sending) -> Result<Response> {
    match sending {
        Sending::Redirect(url) => see_other(url.as_str()),
        Sending::Post { action, fields } => Ok(page(StatusCode::OK, &PostOnPage { action, fields })),
    }
}

/// A message by HTTP-Redirect.
#[poem::handler]
pub async fn redirected(request: &Request) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    // As it was sent: the signature covers these very octets.
    let message = ArrivedLogout::from_query(request.uri().query().unwrap_or_default());
    answer(state, request, message).await
}

/// A message by HTTP-POST.
#[poem::handler]
pub async fn posted(request: &Request, body: Body) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let fields = form(request, body).await?;
    answer(state, request, ArrivedLogout::from_form(&fields)).await
}

async fn answer(
    state: &State,
    request: &Request,
    message: Result<ArrivedLogout, LogoutRefusal>,
) -> Result<Response> {
    let browser = cookies::read(request, cookies::browser_cookie(state));
    let session = cookies::session(state, request);
    let arrival = Arrival {
        connection: connection(request)?,
        message,
        browser: browser.as_deref(),
        session: session.as_deref(),
        user_agent: request.header(header::USER_AGENT),
    };
    let ctx = state.anonymous(request);
    let handled = single_logout::handle(&state.services, &ctx, arrival).await;
    match handled.map_err(|error| problem(&error))? {
        Handled::Ended { answer, own } => {
            let mut response = match answer {
                Some(sending) => onward(&sending)?,
                None => page(StatusCode::OK, &SignedOutPage { reached: Reached::Asked }),
            };
            if own {
                cookies::clear_session(state, &mut response);
            }
            Ok(response)
        }
        Handled::Answered(outcome) => {
            let reached = match outcome {
                LogoutOutcome::Complete => Reached::Everywhere,
                LogoutOutcome::Partial => Reached::Partly,
                LogoutOutcome::Failed { .. } => Reached::NotThere,
            };
            Ok(page(StatusCode::OK, &SignedOutPage { reached }))
        }
        Handled::Refused(refusal) => Ok(refused(&refusal)),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let shown = RefusedPage {
        reason: refusal.reason,
        check: refusal.check,
        reference: &refusal.reference,
        code: refusal.code,
    };
    page(StatusCode::FORBIDDEN, &shown)
}
