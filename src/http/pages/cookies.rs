//! The cookies: the session's, the one that binds a sign-in to the browser that began it, and the way in that was
//! chosen last where there are several.
//!
//! On https both are `__Host-` cookies. The binding one must come along when the IdP's page posts the response, which
//! is a cross-site request, so it is `SameSite=None`. On plain http, which is for loopback only, browsers keep neither
//! `Secure` nor `None`; there all ports of the machine are one site and `Lax` cookies come along.

use crate::http::state::State;
use crate::model::id::ConnectionId;
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

/// What a session cookie looks like; without an end of its own, for the session ends where the database says so.
fn session_text(name: &str, value: &str, https: bool, end: &str) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/{end}; HttpOnly; SameSite=Lax{secure}")
}

fn browser_text(name: &str, value: &str, https: bool) -> String {
    let site = if https { "SameSite=None; Secure" } else { "SameSite=Lax" };
    format!("{name}={value}; Path=/; HttpOnly; {site}")
}

/// Hands the browser its session.
pub fn set_session(state: &State, response: &mut Response, token: &Token) {
    add(response, &session_text(state.session_cookie(), token.reveal(), state.https, ""));
}

/// Takes the session from the browser.
pub fn clear_session(state: &State, response: &mut Response) {
    add(response, &session_text(state.session_cookie(), "", state.https, "; Max-Age=0"));
}

/// How long the way in that was chosen is remembered: 180 days, in seconds.
const WAY_KEPT: u32 = 180 * 24 * 60 * 60;

/// The name of the cookie that remembers the way in.
const fn way_cookie(state: &State) -> &'static str {
    if state.https { "__Host-postern_way" } else { "postern_way" }
}

/// The way in that was chosen last in this browser. Says nothing but what to offer first: anybody can set it.
pub fn way(state: &State, request: &Request) -> Option<ConnectionId> {
    read(request, way_cookie(state))?.parse().ok()
}

/// Remembers the way in.
pub fn set_way(state: &State, response: &mut Response, way: ConnectionId) {
    let end = format!("; Max-Age={WAY_KEPT}");
    add(response, &session_text(way_cookie(state), &way.to_string(), state.https, &end));
}

/// What binds the browser, as the text of a `Set-Cookie`.
pub fn browser(state: &State, token: &Token) -> String {
    browser_text(browser_cookie(state), token.reveal(), state.https)
}

/// Binds the browser.
pub fn set_browser(state: &State, response: &mut Response, token: &Token) {
    add(response, &browser(state, token));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_keep_them_and_bring_them_back() {
        // `__Host-` needs Secure, Path=/ and no Domain; a cross-site post brings SameSite=None only.
        assert_eq!(
            session_text("__Host-s", "v", true, ""),
            "__Host-s=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            browser_text("__Host-b", "v", true),
            "__Host-b=v; Path=/; HttpOnly; SameSite=None; Secure"
        );
        assert_eq!(browser_text("b", "v", false), "b=v; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(
            session_text("s", "", false, "; Max-Age=0"),
            "s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
