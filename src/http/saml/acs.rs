//! The assertion consumer service: takes the IdP's form from the browser, and answers with a session or with a page
//! that says why not. Everything posted is a stranger's until it is verified.

use super::connection;
use crate::http::pages::{cookies, form, limit, problem, refused, see_other};
use crate::http::payload::Problem;
use crate::http::state::State;
use crate::service::sign_in::refusal::DECRYPTION_FAILED;
use crate::service::sign_in::{self, Outcome, Posted};
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response, Result};
use std::time::Duration;

/// Where people are shown who they are, if they wanted nothing else.
const HOME: &str = "/signed-in";

/// Exactly one `SAMLResponse`.
fn the_response(fields: Vec<(String, String)>) -> Result<String, Problem> {
    let mut found = fields.into_iter().filter(|(name, _)| name == "SAMLResponse").map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (one, _) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "saml_response_count",
            "Not a sign-in",
            if one.is_none() {
                "The form has no field SAMLResponse. Identity providers post one here; open the sign-in page to begin."
            } else {
                "The form has several fields SAMLResponse, and exactly one was expected."
            },
        )),
    }
}

/// Completes a sign-in.
#[poem::handler]
pub async fn consume(request: &Request, body: Body) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let connection = connection(request)?;
    let mut fields = form(request, body).await?;
    let relay_state = fields.iter().position(|(name, _)| name == "RelayState");
    let relay_state = relay_state.map(|at| fields.swap_remove(at).1);
    let response = the_response(fields)?;
    let ctx = state.anonymous(request);
    let browser = cookies::read(request, cookies::browser_cookie(state));
    let session = cookies::session(state, request);
    let failures = &state.limits.decryption_failures;
    // How it stands with the limit; nothing is taken.
    let no_decryption_for = || failures.overdraw(&connection.uuid(), 0).retry_after.map(Duration::from_secs);
    let posted = Posted {
        connection,
        response,
        relay_state,
        browser: browser.as_deref(),
        session: session.as_deref(),
        user_agent: request.header(header::USER_AGENT),
        no_decryption_for: &no_decryption_for,
    };
    // In a box, or each layer around this would move the whole of it on.
    let done = Box::pin(sign_in::complete(&state.services, &ctx, posted)).await;
    match done.map_err(|error| problem(&error))? {
        Outcome::SignedIn { token, return_to } => {
            let mut answer = see_other(return_to.as_deref().unwrap_or(HOME))?;
            cookies::set_session(state, &mut answer, &token);
            Ok(answer)
        }
        Outcome::SteppedUp { return_to } => see_other(return_to.as_deref().unwrap_or(HOME)),
        Outcome::Refused(refusal) => {
            if refusal.code == DECRYPTION_FAILED {
                failures.overdraw(&connection.uuid(), 1);
            }
            Ok(refused(&refusal))
        }
        Outcome::Tested(tested) => {
            if tested.report.refusal.as_ref().is_some_and(|wrong| wrong.code == DECRYPTION_FAILED) {
                failures.overdraw(&connection.uuid(), 1);
            }
            Ok(super::test::page_of(&tested))
        }
    }
}
