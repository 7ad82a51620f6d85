//! A sign-in that begins at the IdP, where the connection lets it: a response that answers no request of ours.
//!
//! Nothing binds it to the browser that brings it, so whoever has such a response of their own can sign somebody else in
//! with it; that is why it is off unless an organization wants it. What holds as always: the signature, every check, one
//! use of each assertion, and that a response which names a request must name one of ours.

use super::ReturnTo;
use crate::model::id::SignInAttemptId;
use crate::model::secret::{Token, TokenHash, TokenKind};
use crate::protocol::saml::request_id;
use crate::service::{Ctx, Services};
use crate::store::connections::Connection;
use crate::store::sign_in_attempts::SignInAttempt;

/// The attempt that stands for such a sign-in, to be written in the transaction that uses it up: it has no request and no
/// browser. It leads to `RelayState` if that is a path of this installation, and anything else in it is ignored.
pub(super) fn attempt(
    services: &Services,
    ctx: &Ctx,
    connection: &Connection,
    relay_state: Option<&str>,
) -> SignInAttempt {
    // Nobody knows these two, so nothing will ever answer to them.
    let mut bits = [0_u8; 20];
    services.random.fill(&mut bits);
    let browser = Token::generate(TokenKind::Browser, &*services.random);
    SignInAttempt {
        id: SignInAttemptId::new(ctx.now, &*services.random),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        request_hash: TokenHash::of_request_id(&request_id(bits)),
        browser_hash: browser.hash(),
        session_id: None,
        own_page: false,
        return_to: relay_state.and_then(|text| ReturnTo::parse(text).ok()).map(ReturnTo::into_string),
        created_at: ctx.now,
        expires_at: ctx.now.plus(services.settings.attempt_lifetime),
        consumed_at: None,
        outcome: None,
        detail: None,
        test_id: None,
        step_up: false,
    }
}
