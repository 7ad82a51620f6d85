//! Sessions: somebody signed in to one organization (rule 10b). Made in the transaction of a sign-in, with a new
//! secret each time, and ended by the next sign-in of the same browser, or by signing out (in `me`).

pub use crate::store::sessions::Session;

use super::enforcement::Permit;
use super::{Ctx, Error, Services, credentials};
use crate::model::actor::Actor;
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId, SessionId, UserId};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::{Role, SignInMethod};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::store::organizations::Organization;
use crate::store::{self, Tx};
use serde_json::json;
use std::time::Duration;

/// How somebody signed in.
#[derive(Debug)]
pub struct Opening {
    /// That enforcement lets them in this way; without it there is no session.
    pub permit: Permit,
    pub method: SignInMethod,
    pub connection: Option<ConnectionId>,
    pub name_id: Option<String>,
    /// What the NameID says beside its value.
    pub name_id_attributes: Option<String>,
    pub session_index: Option<String>,
    pub authn_context: Option<String>,
    /// When the person proved who they are.
    pub authn_at: Timestamp,
    /// When the IdP wants the session to end.
    pub not_after: Option<Timestamp>,
    /// When the person was there for it, to an IdP that was asked not to take its own session for it.
    pub stepped_up_at: Option<Timestamp>,
}

/// When a session made now ends: the earliest of what the IdP says, the organization's own maximum (in seconds) and
/// the installation's.
fn end_of(
    services: &Services,
    session_lifetime_seconds: Option<i64>,
    not_after: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let most = services.settings.session_lifetime;
    let own = session_lifetime_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let end = now.plus(own.map_or(most, |seconds| most.min(Duration::from_secs(seconds))));
    not_after.map_or(end, |at| end.min(at))
}

/// Makes a session with a new secret. The caller holds the member's row locked and has found it active, writes the
/// event and commits.
///
/// # Errors
/// Only those of the database.
pub async fn open(
    services: &Services,
    tx: &Tx,
    organization: &Organization,
    user: UserId,
    opening: Opening,
    now: Timestamp,
) -> Result<(Token, Session), Error> {
    let own_lifetime = organization.session_lifetime_seconds;
    let (token, session) = fresh(services, (organization.id, own_lifetime), user, opening, now);
    store::sessions::insert(tx, session.clone()).await?;
    Ok((token, session))
}

/// The digest by which the sessions of somebody are found whom the IdP of a connection calls so: short, however long the
/// name is, so that an index of it is.
pub(super) fn name_id_key(connection: ConnectionId, name_id: &str) -> Vec<u8> {
    let mut hash = openssl::sha::Sha256::new();
    hash.update(connection.uuid().as_bytes());
    hash.update(name_id.as_bytes());
    hash.finish()[..16].to_vec()
}

/// A session with a new secret that is still to be written; an organization comes with its own maximum in seconds.
pub(super) fn fresh(
    services: &Services,
    (organization, own_lifetime): (OrganizationId, Option<i64>),
    user: UserId,
    opening: Opening,
    now: Timestamp,
) -> (Token, Session) {
    // Used up here.
    let Permit { .. } = opening.permit;
    let token = Token::generate(TokenKind::Session, &*services.random);
    let named = opening.connection.zip(opening.name_id.as_deref());
    let name_id_key = named.map(|(connection, name_id)| name_id_key(connection, name_id));
    let session = Session {
        id: SessionId::new(now, &*services.random),
        organization_id: organization,
        user_id: user,
        hash: token.hash(),
        method: opening.method,
        connection_id: opening.connection,
        name_id: opening.name_id,
        session_index: opening.session_index,
        authn_context: opening.authn_context,
        authn_at: opening.authn_at,
        created_at: now,
        last_seen_at: now,
        expires_at: end_of(services, own_lifetime, opening.not_after, now),
        ended_at: None,
        stepped_up_at: opening.stepped_up_at,
        name_id_attributes: opening.name_id_attributes,
        name_id_key,
    };
    (token, session)
}

/// The live session behind a browser's cookie, whatever its organization; `None` for anything else.
///
/// # Errors
/// Only those of the database.
pub async fn of_cookie(
    services: &Services,
    cookie: Option<&str>,
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    let Some(token) = cookie.and_then(|text| Token::parse(TokenKind::Session, text)) else { return Ok(None) };
    Ok(store::sessions::find_live(&services.db, &token.hash(), now).await?)
}

/// Ends the session that a browser had before it signed in again, in whichever organization that was.
///
/// # Errors
/// Only those of the database.
pub(super) async fn end_earlier(services: &Services, tx: &Tx, ctx: &Ctx, id: SessionId) -> Result<(), Error> {
    let installation = InstallationScope::established();
    let Some(session) = store::sessions::find_of_browser(tx, installation, id, ctx.now).await? else {
        return Ok(());
    };
    // The session's own cookie named this tenant when the sign-in began.
    let scope = TenantScope::established(session.organization_id);
    if store::sessions::end(tx, scope, id, ctx.now).await? {
        let data = json!({ "because": "signed_in_again", "user": session.user_id });
        let ctx = ctx.acting(Actor::System);
        services.record(tx, &ctx, session.organization_id, EventKind::SessionEnded, id, data).await?;
    }
    Ok(())
}

/// Who is signed in, for the pages.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The actor, for acting as this person.
    pub actor: Actor,
    pub address: Option<EmailAddress>,
    pub name: Option<String>,
    pub organization: String,
    pub role: Role,
    pub method: SignInMethod,
    /// The name of the SAML connection.
    pub connection: Option<String>,
    pub expires_at: Timestamp,
}

/// Who is signed in in this browser; `None` if nobody is, for whatever reason.
///
/// # Errors
/// Only those of the database.
pub async fn signed_in(
    services: &Services,
    cookie: Option<&str>,
    now: Timestamp,
) -> Result<Option<SignedIn>, Error> {
    let Some(cookie) = cookie else { return Ok(None) };
    let (known, session) = match credentials::session(services, cookie, now).await {
        Ok(found) => found,
        Err(Error::Unauthenticated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let scope = TenantScope::established(session.organization_id);
    let Some(member) = store::members::find(&services.db, scope, session.user_id).await? else {
        return Ok(None);
    };
    let user = store::users::find(&services.db, session.user_id).await?;
    let connection = match session.connection_id {
        Some(id) => store::connections::find(&services.db, scope, id).await?,
        None => None,
    };
    Ok(Some(SignedIn {
        actor: known.actor,
        address: user.and_then(|user| user.email),
        name: member.display_name,
        organization: known.organization.map(|o| o.name.clone()).unwrap_or_default(),
        role: member.role,
        method: session.method,
        connection: connection.map(|connection| connection.name),
        expires_at: session.expires_at,
    }))
}
