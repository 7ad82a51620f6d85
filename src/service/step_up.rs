//! Steps up (rule 10a): before somebody signed in changes whom the organization trusts, they show to be there. Until there
//! are factors of our own that is a fresh sign-in at their IdP, which is asked not to take its own session for it
//! (ForceAuthn). It counts for ten minutes, in this session alone. What comes back from the IdP ends in
//! `sign_in::step_up`.

use super::permissions::{Action, may};
use super::sign_in::{Begun, Going, ReturnTo, prepare};
use super::{Ctx, Error, Services, me};
use crate::model::actor::Actor;
use crate::model::state::ConnectionStatus;
use crate::model::time::Timestamp;
use crate::store;
use crate::store::connections::Connection;
use std::time::Duration;

/// How long a step-up counts.
pub const GOOD_FOR: Duration = Duration::from_mins(10);

/// Whether a step-up of this time counts now.
pub fn counts(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.since(at) < GOOD_FOR)
}

/// The refusal without one.
pub(super) fn required() -> Error {
    Error::forbidden(
        "step_up_required",
        "This changes whom the organization trusts, and asks for a step-up of its owner within the last ten minutes: send \
         POST /api/v1/me/step-up and open its login_url, or open /step-up in the browser, then send this again. An API \
         key with the scope \"trust\" and the operator need none.",
    )
}

/// The connection that the signed-in person can step up through: the session's own, else the one of theirs that was used
/// last.
///
/// # Errors
/// 409 `step_up_unavailable`; [`Error::Forbidden`] `session_required` for a key.
pub async fn connection(services: &Services, ctx: &Ctx) -> Result<Connection, Error> {
    let Actor::Person { user, organization, .. } = &ctx.actor else { return Err(me::not_signed_in()) };
    let scope = may(ctx, *organization, Action::ReadOrganization)?;
    for link in store::links::list_of_user(&services.db, scope, *user).await? {
        let found = store::connections::find(&services.db, scope, link.connection_id).await?;
        if let Some(active) = found.filter(|found| found.status == ConnectionStatus::Active) {
            return Ok(active);
        }
    }
    Err(Error::conflict(
        "step_up_unavailable",
        "You step up by signing in at your identity provider again, and you are connected to none that is active here: \
         sign in through SAML first, at our sign-in page in this browser. An API key with the scope \"trust\" and the \
         operator need no step-up.",
    ))
}

/// Begins a step-up of the caller's session, in the browser with this binding cookie.
///
/// # Errors
/// As for [`connection`].
pub async fn begin(
    services: &Services,
    ctx: &Ctx,
    browser: Option<&str>,
    return_to: Option<ReturnTo>,
) -> Result<Begun, Error> {
    let Actor::Person { session, .. } = &ctx.actor else { return Err(me::not_signed_in()) };
    let connection = connection(services, ctx).await?;
    let going =
        Going { browser, session: Some(*session), own_page: true, return_to, test: None, step_up: true };
    let (attempt, begun) = prepare(services, ctx, &connection, going).await?;
    let tx = services.begin().await?;
    store::sign_in_attempts::insert(&tx, attempt).await?;
    tx.commit().await?;
    Ok(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_up_counts_for_ten_minutes() {
        let at = Timestamp::from_micros(1_795_000_000_000_000);
        assert!(counts(Some(at), at) && counts(Some(at), at.plus(Duration::from_secs(599))));
        assert!(!counts(Some(at), at.plus(GOOD_FOR)) && !counts(None, at));
    }
}
