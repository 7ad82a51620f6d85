//! The two cookies: the session's, and the one that binds a sign-in to the browser that began it.
//!
//! On https both are `__Host-` cookies. The binding one must come along when the IdP's page posts the response, which
//! is a cross-site request, so it is `SameSite=None`. On plain http, which is for loopback only, browsers keep neither
//! `Secure` nor `None`; there all ports of the machine are one site and `Lax` cookies come along.

use crate::http::state::State;
use crate::model::secret::Token;
use poem::http::HeaderValue;
use poem::{Request, Response};

/// The name of the cookie that binds a sign-in to its browser.
pub const fn browser_cookie(state: &State) -> &'static str {
    if state.https { "__Host-postern_browser" } else { "postern_browser" }
}

/// The value of a cookie of the request.
pub fn read(request: &Request, name: &str) -> Option<String> {
    request.cookie().get(name).map(|cookie| cookie.value_str().to_owned())
}

/// The session cookie of the request.
pub fn session(state: &State, request: &Request) -> Option<String> {
    read(request, state.session_cookie())
}

fn add(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(poem::http::header::SET_COOKIE, value);
    }
}

/// Hands the browser its session. Without an end of its own: the session ends where the database says so.
pub fn set_session(state: &State, response: &mut Response, token: &Token) {
    let secure = if state.https { "; Secure" } else { "" };
    let name = state.session_cookie();
    add(response, &format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", token.reveal()));
}

/// Takes the session from the browser.
pub fn clear_session(state: &State, response: &mut Response) {
    let secure = if state.https { "; Secure" } else { "" };
    let name = state.session_cookie();
    add(response, &format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"));
}

/// Binds the browser.
pub fn set_browser(state: &State, response: &mut Response, token: &Token) {
    let site = if state.https { "SameSite=None; Secure" } else { "SameSite=Lax" };
    let name = browser_cookie(state);
    add(response, &format!("{name}={}; Path=/; HttpOnly; {site}", token.reveal()));
}
