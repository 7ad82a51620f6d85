//! Enforcement (rule 9): from a time on, the people of a domain (`sso_enforcement`), or all members of an organization
//! (`sso_required`), come in through SAML alone.
//!
//! Whoever makes or shows a credential that acts for a person gets through here or not at all: the result is a
//! [`Permit`], which nothing else makes, and without which there is neither a session
//! ([`Opening`](super::sessions::Opening)) nor a caller ([`Authenticated`](super::credentials::Authenticated)), nor is an
//! invite accepted, nor a credential made ([`Maker`](super::access::Maker)). A verified assertion and the keys of an
//! organization are permitted by what they are, without a look at anything; so are sessions that SAML made. A start lies
//! in the future until the request's own time has reached it: nothing has to happen at that moment.
//!
//! ```compile_fail
//! let permit = postern::service::enforcement::Permit(());
//! ```

pub mod lift;
pub mod preview;
pub mod setting;
pub mod ways;

pub use setting::{Given, Setting};

use super::cache::KnownDomain;
use super::{Error, Services};
use crate::model::dns_name::DomainName;
use crate::model::email::EmailAddress;
use crate::model::state::{DomainStatus, Role, SignInMethod, SsoEnforcement};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::VerifiedAssertion;
use crate::store::members::Member;
use crate::store::organizations::Organization;
use crate::store::sessions::Session;
use crate::store::{self, Conn, Tx};
use std::sync::Arc;
use std::time::Duration;

/// How long sessions of before stay unless it is said, and at most, in days.
pub const GRACE_DAYS: i32 = 7;
pub const MOST_GRACE_DAYS: i32 = 30;
const DAY: Duration = Duration::from_hours(24);

/// Proof that enforcement closes no way in that is taken here. Made in this file only, and good for one use.
#[derive(Debug)]
pub struct Permit(());

impl Permit {
    /// Of whoever the assertion is about: this is the way in that stays.
    pub(super) const fn by_assertion(_: &VerifiedAssertion) -> Self {
        Self(())
    }

    /// Of a key that belongs to an organization or to the operator, and of Postern itself: no person comes in by it.
    pub(super) const fn of_no_person() -> Self {
        Self(())
    }
}

/// From when on only SAML counts, and how long sessions of before stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub starts_at: Timestamp,
    pub grace_days: i32,
}

impl Term {
    /// When sessions of before end.
    pub fn grace_ends_at(self) -> Timestamp {
        self.starts_at.plus(DAY.saturating_mul(self.grace_days.unsigned_abs()))
    }

    /// Whether a credential of `since` (or one that is being made) may go on.
    fn spares(self, since: Option<Timestamp>, now: Timestamp) -> bool {
        let of_before = since.is_some_and(|made| made < self.starts_at);
        now < self.starts_at || (of_before && now < self.grace_ends_at())
    }
}

/// A person, as far as enforcement asks.
struct Person<'a> {
    /// The one proven address, and the contact address: who has either on a domain belongs to it.
    addresses: Vec<&'a EmailAddress>,
    role: Role,
    /// When the credential was made; `None` of one that is being made.
    since: Option<Timestamp>,
}

/// How somebody stands who shows something else than SAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Free,
    /// Free as long as an owner's approval stands.
    Guest,
    Closed,
}

fn is_on(address: &EmailAddress, domain: &DomainName) -> bool {
    address.domain() == domain.as_str()
}

fn judge(own: Option<Term>, domains: &[KnownDomain], person: &Person<'_>, now: Timestamp) -> Verdict {
    let mut outsider = true;
    for domain in domains {
        if person.addresses.iter().any(|address| is_on(address, &domain.name)) {
            outsider = false;
            if domain.term.is_some_and(|term| !term.spares(person.since, now)) {
                return Verdict::Closed;
            }
        }
    }
    match own {
        Some(term) if !term.spares(person.since, now) => {
            if outsider && person.role == Role::Member {
                Verdict::Guest
            } else {
                Verdict::Closed
            }
        }
        _ => Verdict::Free,
    }
}

/// The verified domains of an organization, with their terms.
pub(super) async fn domains(conn: &impl Conn, scope: TenantScope) -> Result<Vec<KnownDomain>, Error> {
    let rows = store::domains::list_verified(conn, scope).await?;
    Ok(rows
        .into_iter()
        .map(|row| KnownDomain { term: Setting::of_domain(&row).term(), name: row.name })
        .collect())
}

/// Whether nothing is in force now.
fn is_silent(own: Option<Term>, domains: &[KnownDomain], now: Timestamp) -> bool {
    let off = |term: Option<Term>| term.is_none_or(|term| now < term.starts_at);
    off(own) && domains.iter().all(|domain| off(domain.term))
}

async fn passes(
    conn: &impl Conn,
    scope: TenantScope,
    verdict: Verdict,
    person: &Person<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    match verdict {
        Verdict::Free => Ok(true),
        Verdict::Closed => Ok(false),
        Verdict::Guest => Ok(store::guests::is_approved(conn, scope, &person.addresses, now).await?),
    }
}

/// Whether SAML made the session. A connection that goes takes its sessions with it.
fn is_by_saml(session: &Session) -> bool {
    session.method == SignInMethod::Saml && session.connection_id.is_some()
}

async fn session_passes(
    conn: &impl Conn,
    scope: TenantScope,
    (own, domains): (Option<Term>, &[KnownDomain]),
    (session, member): (&Session, &Member),
    now: Timestamp,
) -> Result<Permit, Error> {
    let user = store::users::find(conn, session.user_id).await?;
    let proven = user.and_then(|user| user.email);
    let person = Person {
        addresses: proven.iter().chain(&member.email).collect(),
        role: member.role,
        since: Some(session.created_at),
    };
    if passes(conn, scope, judge(own, domains, &person, now), &person, now).await? {
        return Ok(Permit(()));
    }
    Err(Error::Unauthenticated {
        code: "sso_required",
        message:
            "This organization lets people in through its identity provider alone now. Sign in again at the \
                  sign-in page."
                .to_owned(),
    })
}

/// The permit of a session that is alive otherwise; what is enforced comes from the cache.
///
/// # Errors
/// [`Error::Unauthenticated`] `sso_required`.
pub(super) async fn of_session(
    services: &Services,
    organization: &Organization,
    session: &Session,
    member: &Member,
    now: Timestamp,
) -> Result<Permit, Error> {
    if is_by_saml(session) {
        return Ok(Permit(()));
    }
    let (db, scope) = (&services.db, TenantScope::established(organization.id));
    let fetch = || async { Ok::<_, Error>(Some(Arc::from(domains(db, scope).await?))) };
    let domains = services.caches.domains.get(organization.id, fetch).await?.unwrap_or_default();
    let own = Setting::of_organization(organization).term();
    if is_silent(own, &domains, now) {
        return Ok(Permit(()));
    }
    session_passes(db, scope, (own, &domains), (session, member), now).await
}

/// The same for a session that makes something, by what the transaction finds.
///
/// # Errors
/// [`Error::Unauthenticated`] `sso_required`.
pub(super) async fn of_session_within(
    tx: &Tx,
    scope: TenantScope,
    session: &Session,
    member: &Member,
    now: Timestamp,
) -> Result<Permit, Error> {
    if is_by_saml(session) {
        return Ok(Permit(()));
    }
    let organization =
        store::organizations::find(tx, scope).await?.ok_or_else(|| Error::not_found("organization"))?;
    let domains = domains(tx, scope).await?;
    let own = Setting::of_organization(&organization).term();
    if is_silent(own, &domains, now) {
        return Ok(Permit(()));
    }
    session_passes(tx, scope, (own, &domains), (session, member), now).await
}

/// The permit to become a member with this role by the link of an invite, which is no SAML.
///
/// # Errors
/// [`Error::Forbidden`] `sso_required`.
pub(super) async fn of_invite(
    tx: &Tx,
    organization: &Organization,
    address: &EmailAddress,
    role: Role,
    now: Timestamp,
) -> Result<Permit, Error> {
    let scope = TenantScope::established(organization.id);
    let domains = domains(tx, scope).await?;
    let own = Setting::of_organization(organization).term();
    let person = Person { addresses: vec![address], role, since: None };
    let verdict = judge(own, &domains, &person, now);
    if passes(tx, scope, verdict, &person, now).await? {
        return Ok(Permit(()));
    }
    let ours = domains.iter().any(|domain| is_on(address, &domain.name));
    Err(Error::forbidden(
        "sso_required",
        if ours {
            "This organization lets people in through its identity provider alone: sign in at the sign-in page with \
             this address, and the invite is honored there."
        } else {
            "This organization lets people in through its identity provider alone, which does not know this address: \
             ask an owner to approve you as a guest, then open the invite again."
        },
    ))
}

/// Whether a domain's people come in through SAML alone, now or from its start on.
pub(super) fn is_enforced(domain: &crate::store::domains::Domain) -> bool {
    domain.sso_enforcement == SsoEnforcement::Saml && domain.status == DomainStatus::Verified
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn day(days: i64) -> Timestamp {
        Timestamp::from_micros(days * 24 * 3600 * 1_000_000)
    }

    fn at(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn known(name: &str, starts_at: Option<Timestamp>) -> KnownDomain {
        let term = starts_at.map(|starts_at| Term { starts_at, grace_days: 2 });
        KnownDomain { name: DomainName::parse(name).unwrap(), term }
    }

    #[test]
    fn sessions_of_before_have_their_grace_and_new_ones_none() {
        let domains = [known("acme.test", Some(day(10)))];
        let jo = at("jo@acme.test");
        let verdict = |since, now| {
            judge(None, &domains, &Person { addresses: vec![&jo], role: Role::Member, since }, now)
        };
        assert_eq!(verdict(None, day(9)), Verdict::Free);
        assert_eq!(verdict(None, day(10)), Verdict::Closed);
        assert_eq!(verdict(Some(day(9)), day(11)), Verdict::Free);
        assert_eq!(verdict(Some(day(9)), day(12)), Verdict::Closed);
        assert_eq!(verdict(Some(day(10)), day(11)), Verdict::Closed, "made when it was closed");
    }

    #[test]
    fn only_ordinary_outsiders_can_be_guests() {
        let own = Some(Term { starts_at: day(1), grace_days: 0 });
        let domains = [known("acme.test", None), known("closed.test", Some(day(1)))];
        let verdict = |addresses: &[&str], role| {
            let addresses: Vec<_> = addresses.iter().map(|text| at(text)).collect();
            let person = Person { addresses: addresses.iter().collect(), role, since: None };
            judge(own, &domains, &person, day(2))
        };
        assert_eq!(verdict(&["ann@elsewhere.test"], Role::Member), Verdict::Guest);
        assert_eq!(verdict(&["ann@elsewhere.test"], Role::Admin), Verdict::Closed);
        assert_eq!(verdict(&["ann@acme.test"], Role::Member), Verdict::Closed);
        assert_eq!(verdict(&["ann@elsewhere.test", "ann@acme.test"], Role::Member), Verdict::Closed);
        assert_eq!(verdict(&[], Role::Member), Verdict::Guest);
        let person = |text: &EmailAddress| {
            judge(None, &domains, &Person { addresses: vec![text], role: Role::Member, since: None }, day(2))
        };
        assert_eq!(person(&at("ann@closed.test")), Verdict::Closed);
        assert_eq!(person(&at("ann@elsewhere.test")), Verdict::Free);
    }
}
