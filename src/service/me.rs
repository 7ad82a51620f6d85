//! The caller as itself: who is signed in, and signing out.

pub use crate::store::members::Member;

use super::permissions::{Action, may};
use super::{Ctx, Error, Services};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::store;
use serde_json::json;

/// The member that the signed-in person is in the session's organization.
///
/// # Errors
/// [`Error::Forbidden`] `session_required` for a key.
pub async fn member(services: &Services, ctx: &Ctx) -> Result<Member, Error> {
    let Actor::Person { user, organization, .. } = &ctx.actor else { return Err(not_signed_in()) };
    let scope = may(ctx, *organization, Action::ReadMembers)?;
    store::members::find(&services.db, scope, *user).await?.ok_or_else(|| Error::not_found("member"))
}

/// Ends the session that the caller shows. It is dead at once on every node, with its access tokens.
///
/// # Errors
/// [`Error::Forbidden`] `session_required` for a key, which has no session.
pub async fn sign_out(services: &Services, ctx: &Ctx) -> Result<(), Error> {
    let Actor::Person { organization, session, .. } = &ctx.actor else { return Err(not_signed_in()) };
    let scope = may(ctx, *organization, Action::ReadOrganization)?;
    let tx = services.begin().await?;
    if store::sessions::end(&tx, scope, *session, ctx.now).await? {
        let data = json!({ "because": "signed_out" });
        services.record(&tx, ctx, *organization, EventKind::SessionEnded, session, data).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The refusal for a credential without a person behind it.
pub fn not_signed_in() -> Error {
    Error::forbidden(
        "session_required",
        "\"me\" is the signed-in person, and this credential is an API key. Name the member by id.",
    )
}
