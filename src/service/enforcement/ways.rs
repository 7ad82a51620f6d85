//! Switching enforcement on asks for a way in that was taken already; while it is on, or set to start, the last one
//! stays. Both hold the organization's row, so that neither overtakes the other: what takes a way away looks here
//! afterwards, within its transaction.

use super::super::{Ctx, Error, Services};
use super::{Setting, is_enforced};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::id::{SessionId, UserId};
use crate::model::state::DomainStatus;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store::connections::Connection;
use crate::store::domains::Domain;
use crate::store::organizations::Organization;
use crate::store::{self, Conn, Tx};
use serde_json::json;

/// What stands in the way of switching on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    Unverified,
    NoConnection,
    /// The person who asks did not come in through one of the connections.
    OwnSignIn,
    /// A key asks, and no admin or owner has ever come in through one of them.
    AdminSignIn,
}

impl Hindrance {
    /// As a refusal.
    pub fn refusal(self) -> Error {
        match self {
            Self::Unverified => Error::conflict(
                "domain_not_verified",
                "The domain is not verified, so no identity provider speaks for its people. Verify it first.",
            ),
            Self::NoConnection => Error::conflict(
                "enforcement_needs_connection",
                "No active SAML connection serves the people who would have to use it. Activate one and assign the \
                 verified domain to it first.",
            ),
            Self::OwnSignIn => Error::conflict(
                "own_sign_in_required",
                "You did not sign in through an active SAML connection that would be enforced, so nobody knows that it \
                 lets you in. Sign in through it, then switch on with that session.",
            ),
            Self::AdminSignIn => Error::conflict(
                "admin_sign_in_required",
                "No administrator or owner has signed in through an active SAML connection that would be enforced since \
                 it was switched on. Let one sign in through it first; a test sign-in does not count.",
            ),
        }
    }
}

/// The active connections that serve a domain.
fn serving<'a>(active: &'a [Connection], domain: &Domain) -> Vec<&'a Connection> {
    active.iter().filter(|connection| domain.connection_ids.contains(connection.id)).collect()
}

/// The active connections that serve any verified domain.
fn working<'a>(active: &'a [Connection], verified: &[Domain]) -> Vec<&'a Connection> {
    let serves = |connection: &&Connection| verified.iter().any(|d| d.connection_ids.contains(connection.id));
    active.iter().filter(serves).collect()
}

async fn has_come_in(
    conn: &impl Conn,
    scope: TenantScope,
    connections: &[&Connection],
    (user, session): (UserId, SessionId),
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(session) = store::sessions::find(conn, scope, session, now).await? else { return Ok(false) };
    let through = connections.iter().find(|connection| session.connection_id == Some(connection.id));
    let Some(connection) = through else { return Ok(false) };
    if connection.activated_at.is_some_and(|at| session.created_at < at) {
        return Ok(false);
    }
    // A new entity id voids links: the session is then one of another identity provider.
    Ok(store::links::find_by_user(conn, scope, connection.id, user).await?.is_some())
}

async fn has_any_admin_come_in(
    conn: &impl Conn,
    scope: TenantScope,
    connections: &[&Connection],
) -> Result<bool, Error> {
    for connection in connections {
        let since = connection.activated_at.unwrap_or(Timestamp::from_micros(0));
        if store::enforcement::has_admin_signed_in(conn, scope, connection.id, since).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What keeps whoever asks from switching on for a domain, or without one for the organization.
pub(super) async fn hindrance(
    conn: &impl Conn,
    ctx: &Ctx,
    scope: TenantScope,
    domain: Option<&Domain>,
) -> Result<Option<Hindrance>, Error> {
    if domain.is_some_and(|domain| domain.status != DomainStatus::Verified) {
        return Ok(Some(Hindrance::Unverified));
    }
    let active = store::connections::list_active(conn, scope).await?;
    let connections = match domain {
        Some(domain) => serving(&active, domain),
        None => working(&active, &store::domains::list_verified(conn, scope).await?),
    };
    if connections.is_empty() {
        return Ok(Some(Hindrance::NoConnection));
    }
    let (proven, otherwise) = match &ctx.actor {
        Actor::Person { user, session, .. } => {
            (has_come_in(conn, scope, &connections, (*user, *session), ctx.now).await?, Hindrance::OwnSignIn)
        }
        _ => (has_any_admin_come_in(conn, scope, &connections).await?, Hindrance::AdminSignIn),
    };
    Ok((!proven).then_some(otherwise))
}

/// Checks a changed setting and writes its event. The caller writes the row; `domain` is what it will be, or `None` for
/// the organization's own setting.
///
/// # Errors
/// 409 `domain_not_verified`, `enforcement_needs_connection`, `own_sign_in_required` or `admin_sign_in_required` where
/// it is switched on.
pub(in crate::service) async fn set(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    domain: Option<&Domain>,
    (before, after): (Setting, Setting),
) -> Result<(), Error> {
    if before.on == after.on && before.starts_at == after.starts_at && !after.on {
        return Ok(());
    }
    store::organizations::lock_owners(tx, scope).await?;
    if after.on
        && !before.on
        && let Some(hindrance) = hindrance(tx, ctx, scope, domain).await?
    {
        return Err(hindrance.refusal());
    }
    let kind = if after.on { EventKind::EnforcementSet } else { EventKind::EnforcementRemoved };
    let mut data = if after.on { after.told() } else { json!({}) };
    data["to"] = json!("owners");
    data["domain"] = json!(domain.map(|domain| &domain.name));
    let organization = scope.organization();
    let subject = domain.map_or_else(|| organization.to_string(), |domain| domain.id.to_string());
    services.record(tx, ctx, organization, kind, subject, data).await
}

/// Whether everybody who has to come in through SAML still can, after a change within this transaction.
///
/// # Errors
/// 409 `last_enforced_connection`, naming whose way in would be gone.
pub(in crate::service) async fn check_left(tx: &Tx, scope: TenantScope) -> Result<(), Error> {
    store::organizations::lock_owners(tx, scope).await?;
    let Some(organization) = store::organizations::find(tx, scope).await? else { return Ok(()) };
    let verified = store::domains::list_verified(tx, scope).await?;
    if !organization.sso_required && !verified.iter().any(is_enforced) {
        return Ok(());
    }
    let active = store::connections::list_active(tx, scope).await?;
    match shut_out(&organization, &verified, &active) {
        None => Ok(()),
        Some(whose) => Err(Error::conflict(
            "last_enforced_connection",
            format!(
                "This is the last active SAML connection for {whose}, who come in through SAML alone: nobody of them \
                 could sign in any more. Activate and assign another connection first, or switch enforcement off."
            ),
        )),
    }
}

fn shut_out(organization: &Organization, verified: &[Domain], active: &[Connection]) -> Option<String> {
    let closed = verified.iter().find(|domain| is_enforced(domain) && serving(active, domain).is_empty());
    if let Some(domain) = closed {
        return Some(format!("the people on {}", domain.name));
    }
    (organization.sso_required && working(active, verified).is_empty())
        .then(|| "the members of the organization".to_owned())
}

/// Refuses to give up a domain whose people are kept to SAML: that would open every other way in by the way.
///
/// # Errors
/// 409 `domain_enforced`.
pub(in crate::service) fn may_give_up(domain: &Domain) -> Result<(), Error> {
    if !is_enforced(domain) {
        return Ok(());
    }
    Err(Error::conflict(
        "domain_enforced",
        format!(
            "The people on {} come in through SAML alone. Set its sso_enforcement to none first, which is a change of \
             trust.",
            domain.name
        ),
    ))
}
