//! Domains: claimed by name, proven by a TXT record, renewed, given up (rules 1 to 4 of the product).
//!
//! DNS is asked outside of any transaction. The claim is then read again, locked, in the transaction that makes it
//! verified: a proof counts for the challenge that DNS was asked about and no other. Any number of organizations
//! claim a name; the database lets one hold it verified.

pub use crate::store::domains::Domain;

use super::dns_check::check_challenge;
use super::enforcement::{self, Setting, setting, ways};
use super::organizations::{difference, expect_version, reach};
use super::permissions::{Action, may};
use super::{Ctx, Error, Services, scim_tokens};
use crate::model::actor::Actor;
use crate::model::connection_ids::ConnectionIds;
use crate::model::dns_name::DomainName;
use crate::model::event::EventKind;
use crate::model::id::{DomainId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{DomainStatus, SsoEnforcement};
use crate::model::tenant::TenantScope;
use crate::protocol::dns_challenge::{Challenge, Explanation, Outcome, challenge_value};
use crate::store::error::{StoreError, UniqueKey};
use crate::store::{self, Tx};
use serde_json::json;

/// `last_result` of a proof that stood while another organization holds the domain.
const HELD: &str = "domain_held";

/// What is to change; `None` leaves alone, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UpdateDomain {
    pub jit_provisioning_enabled: Option<bool>,
    /// A change of trust.
    pub scim_enabled: Option<bool>,
    /// A change of trust. The connections are the organization's own.
    pub connection_ids: Option<ConnectionIds>,
    /// A change of trust.
    pub enforcement: enforcement::Given,
}

/// The challenge of a claim, with the installation's label.
pub fn challenge(services: &Services, domain: &Domain) -> Challenge {
    Challenge {
        label: services.settings.challenge_label.clone(),
        domain: domain.name.clone(),
        value: domain.challenge.clone(),
    }
}

fn new_challenge(services: &Services) -> String {
    let mut random = [0_u8; 20];
    services.random.fill(&mut random);
    challenge_value(&random)
}

fn missing() -> Error {
    Error::not_found("domain")
}

/// Claims a name. Nothing works through the claim until it is verified: just-in-time provisioning, SCIM and the
/// connection are off and are switched on one by one.
///
/// # Errors
/// [`Error::Invalid`] with the reason of `DomainName` (public suffixes, free-mail domains, no domain at all);
/// [`Error::Conflict`] `domain_already_claimed` if this organization claims it already. Nobody learns here whether
/// another organization does.
pub async fn claim(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    name: &str,
) -> Result<Domain, Error> {
    let scope = may(ctx, organization, Action::WriteDomains)?;
    let name =
        DomainName::parse(name).map_err(|error| Error::field("name", error.code(), error.to_string()))?;
    let tx = services.begin().await?;
    // Whether the organization exists at all shows here: the operator may name any.
    store::organizations::find(&tx, scope).await?.ok_or_else(|| Error::not_found("organization"))?;
    let domain = Domain {
        id: DomainId::new(ctx.now, &*services.random),
        organization_id: organization,
        name,
        status: DomainStatus::Unverified,
        challenge: new_challenge(services),
        challenge_expires_at: ctx.now.plus(services.settings.challenge_lifetime),
        verified_at: None,
        last_checked_at: None,
        last_result: None,
        jit_provisioning_enabled: false,
        scim_enabled: false,
        connection_ids: ConnectionIds::default(),
        sso_enforcement: SsoEnforcement::None,
        sso_enforcement_starts_at: None,
        sso_enforcement_grace_days: enforcement::GRACE_DAYS,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    };
    store::domains::insert(&tx, domain.clone()).await?;
    let data = json!({ "name": domain.name });
    services.record(&tx, ctx, organization, EventKind::DomainClaimed, domain.id, data).await?;
    tx.commit().await?;
    Ok(domain)
}

/// The organization's domains.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    request: &PageRequest,
) -> Result<Page<Domain>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadDomains).await?;
    Ok(store::domains::list(&services.db, scope, request).await?)
}

/// One domain.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DomainId,
) -> Result<Domain, Error> {
    let scope = may(ctx, organization, Action::ReadDomains)?;
    store::domains::find(&services.db, scope, id).await?.ok_or_else(missing)
}

fn already_verified() -> Error {
    Error::refused("already_verified", "This domain is verified already; there is nothing to prove.")
}

/// Refuses what cannot be verified any more, whatever DNS says.
fn still_open(domain: &Domain, ctx: &Ctx) -> Result<(), Error> {
    if domain.status == DomainStatus::Verified {
        return Err(already_verified());
    }
    if domain.challenge_expires_at <= ctx.now {
        return Err(Error::conflict(
            "challenge_expired",
            format!(
                "The challenge of this claim expired at {}. Renew it (POST …/domains/{}/renew), put the new value into the TXT record, then verify again.",
                domain.challenge_expires_at, domain.id
            ),
        ));
    }
    Ok(())
}

/// Asks DNS for the claim's TXT record and, if it stands and nobody else holds the domain, makes it verified.
///
/// # Errors
/// 400 `already_verified`; 409 `challenge_expired` or `challenge_changed`; 409 with one code for each definite miss
/// (`dns_no_such_name`, `dns_no_record`, `dns_wrong_value`, `dns_wildcard`); 503 `dns_unknown` where DNS could not be
/// asked; 409 `domain_held` where the own record stands and another organization holds the domain.
pub async fn verify(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DomainId,
) -> Result<Domain, Error> {
    let scope = may(ctx, organization, Action::WriteDomains)?;
    let asked = store::domains::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    still_open(&asked, ctx)?;
    let challenge = challenge(services, &asked);
    let mut nonce = [0_u8; 8];
    services.random.fill(&mut nonce);
    let outcome = check_challenge(&*services.txt, challenge.clone(), u64::from_be_bytes(nonce)).await;
    // Somebody else may become the holder between our look and our write: then the database refuses, and the next
    // look finds the holder (or finds that it gave the domain up again).
    let mut tries = 0;
    loop {
        tries += 1;
        match settle(services, ctx, scope, &asked, &challenge, &outcome).await {
            Err(Settling::Raced) if tries < 4 => {}
            Err(Settling::Raced) => return Err(held()),
            Err(Settling::Ended(error)) => return Err(error),
            Ok(domain) => {
                services.caches.ways_in.clear();
                services.caches.domains.clear();
                return Ok(domain);
            }
        }
    }
}

enum Settling {
    /// Another organization became the holder meanwhile.
    Raced,
    Ended(Error),
}

impl<E: Into<Error>> From<E> for Settling {
    fn from(error: E) -> Self {
        Self::Ended(error.into())
    }
}

/// Writes what DNS said, in one transaction, if the claim is still the one that DNS was asked about.
async fn settle(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    asked: &Domain,
    challenge: &Challenge,
    outcome: &Outcome,
) -> Result<Domain, Settling> {
    let tx = services.begin().await?;
    let before = store::domains::lock(&tx, scope, asked.id).await?.ok_or_else(missing)?;
    still_open(&before, ctx)?;
    if before.challenge != asked.challenge {
        return Err(Settling::Ended(Error::conflict(
            "challenge_changed",
            "The challenge was renewed while DNS was being asked. Verify again.",
        )));
    }
    let mut after = before.clone();
    after.last_checked_at = Some(ctx.now);
    after.updated_at = ctx.now;
    if !outcome.is_match() {
        after.last_result = Some(result_word(outcome).to_owned());
        store::domains::update(&tx, scope, after).await?;
        tx.commit().await?;
        return Err(Settling::Ended(miss(outcome, &outcome.explain(challenge))));
    }
    if let Some(holder) = store::domains::find_holder(&tx, before.name.as_str()).await? {
        after.last_result = Some(HELD.to_owned());
        let told = before.last_result.as_deref() == Some(HELD);
        store::domains::update(&tx, scope, after).await?;
        if !told {
            contest(services, &tx, ctx, &holder).await?;
        }
        tx.commit().await?;
        return Err(Settling::Ended(held()));
    }
    after.status = DomainStatus::Verified;
    after.verified_at = Some(ctx.now);
    after.last_result = Some(result_word(outcome).to_owned());
    let after = match store::domains::update(&tx, scope, after).await {
        Err(StoreError::Conflict(UniqueKey::DomainVerified)) => return Err(Settling::Raced),
        updated => updated?,
    };
    let data = json!({ "name": after.name, "connection_ids": after.connection_ids });
    services.record(&tx, ctx, scope.organization(), EventKind::DomainVerified, after.id, data).await?;
    tx.commit().await?;
    Ok(after)
}

/// Tells the holder's organization that somebody proved control of its domain; never who (rules 2 and 17). Once for
/// each time that the newcomer's record is found anew.
async fn contest(services: &Services, tx: &Tx, ctx: &Ctx, holder: &Domain) -> Result<(), Error> {
    let nobody = Ctx { ip: None, ..ctx.acting(Actor::System) };
    let data = json!({ "name": holder.name });
    services.record(tx, &nobody, holder.organization_id, EventKind::DomainContested, holder.id, data).await
}

fn held() -> Error {
    Error::conflict(
        HELD,
        "The TXT record stands, but another organization holds this domain verified. Its owners have been told; \
         ask them to give it up, or the operator to decide.",
    )
}

/// The word that `last_result` keeps.
const fn result_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Matched => "matched",
        Outcome::Wildcard { .. } => "wildcard",
        Outcome::NoSuchName { .. } => "no_such_name",
        Outcome::NoRecord { .. } => "no_record",
        Outcome::WrongValue { .. } => "wrong_value",
        Outcome::Unknown { .. } => "unknown",
    }
}

fn miss(outcome: &Outcome, words: &Explanation) -> Error {
    let Explanation { summary, expected, found, next } = words;
    let message = format!("{summary} Expected: {expected}. Found: {found}. {next}");
    let code = match outcome {
        Outcome::Unknown { .. } | Outcome::Matched => {
            return Error::Unavailable { code: "dns_unknown", message };
        }
        Outcome::Wildcard { .. } => "dns_wildcard",
        Outcome::NoSuchName { .. } => "dns_no_such_name",
        Outcome::NoRecord { .. } => "dns_no_record",
        Outcome::WrongValue { .. } => "dns_wrong_value",
    };
    Error::Conflict { code, message }
}

/// Gives an unverified claim a new challenge; the old value proves nothing from now on.
///
/// # Errors
/// 400 `already_verified`.
pub async fn renew(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DomainId,
) -> Result<Domain, Error> {
    let scope = may(ctx, organization, Action::WriteDomains)?;
    let tx = services.begin().await?;
    let mut domain = store::domains::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    if domain.status == DomainStatus::Verified {
        return Err(already_verified());
    }
    domain.challenge = new_challenge(services);
    domain.challenge_expires_at = ctx.now.plus(services.settings.challenge_lifetime);
    domain.last_checked_at = None;
    domain.last_result = None;
    domain.updated_at = ctx.now;
    let domain = store::domains::update(&tx, scope, domain).await?;
    let data = json!({ "name": domain.name });
    services.record(&tx, ctx, organization, EventKind::DomainRenewed, id, data).await?;
    tx.commit().await?;
    Ok(domain)
}

/// Changes what works through a domain. Which connections serve it and whether the directory may speak for it are
/// changes of trust (rule 10a), also while the domain is unverified: its verification must not switch on what nobody
/// with that right has switched on.
///
/// # Errors
/// [`Error::Forbidden`] naming what is missing for a change of trust; [`Error::Invalid`] for a connection that the
/// organization does not have; [`Error::PreconditionFailed`].
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DomainId,
    expected: Option<i64>,
    change: UpdateDomain,
) -> Result<Domain, Error> {
    let scope = may(ctx, organization, Action::WriteDomains)?;
    let tx = services.begin().await?;
    // Connections are locked before domains, everywhere.
    let mut wanted =
        change.connection_ids.iter().flat_map(ConnectionIds::as_slice).copied().collect::<Vec<_>>();
    wanted.sort_unstable();
    let mut missing_connection = false;
    for connection in wanted {
        missing_connection |= store::connections::lock(&tx, scope, connection).await?.is_none();
    }
    let before = store::domains::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, before.version)?;
    if missing_connection {
        let message = "This organization has no such SAML connection.";
        return Err(Error::field("connection_ids", "connection_not_found", message));
    }
    let mut after = before.clone();
    if let Some(enabled) = change.jit_provisioning_enabled {
        after.jit_provisioning_enabled = enabled;
    }
    if let Some(enabled) = change.scim_enabled {
        after.scim_enabled = enabled;
    }
    if let Some(connections) = change.connection_ids {
        after.connection_ids = connections;
    }
    let enforced = Setting::of_domain(&before);
    let enforce = enforced.with(&change.enforcement, ctx.now, setting::OF_DOMAIN)?;
    enforce.put_domain(&mut after);
    if after == before {
        return Ok(before);
    }
    if (after.scim_enabled, &after.connection_ids, enforce)
        != (before.scim_enabled, &before.connection_ids, enforced)
    {
        may(ctx, organization, Action::ChangeTrust)?;
    }
    if enforce != enforced {
        ways::set(services, &tx, ctx, scope, Some(&after), (enforced, enforce)).await?;
    }
    after.updated_at = ctx.now;
    let data = difference(&Ok(settings(&before)), &Ok(settings(&after)));
    let after = store::domains::update(&tx, scope, after).await?;
    if after.connection_ids != before.connection_ids {
        ways::check_left(&tx, scope).await?;
    }
    services.record(&tx, ctx, organization, EventKind::DomainUpdated, id, data).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    services.caches.domains.clear();
    Ok(after)
}

fn settings(domain: &Domain) -> serde_json::Value {
    json!({
        "jit_provisioning_enabled": domain.jit_provisioning_enabled,
        "scim_enabled": domain.scim_enabled,
        "connection_ids": domain.connection_ids,
        "sso_enforcement": domain.sso_enforcement,
        "sso_enforcement_starts_at": domain.sso_enforcement_starts_at,
        "sso_enforcement_grace_days": domain.sso_enforcement_grace_days,
    })
}

/// Gives a domain up: from now on neither the IdP nor the directory speaks for it, and another organization may
/// verify it. Members, links and sessions stay.
///
/// # Errors
/// 409 `domain_enforced` while its people are kept to SAML, or `last_enforced_connection` where all members are and no
/// other verified domain has an active connection; [`Error::PreconditionFailed`].
pub async fn delete(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DomainId,
    expected: Option<i64>,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteDomains)?;
    let tx = services.begin().await?;
    scim_tokens::lock_directory(&tx, scope).await?;
    let domain = store::domains::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    expect_version(expected, domain.version)?;
    ways::may_give_up(&domain)?;
    store::domains::delete(&tx, scope, id).await?;
    if domain.status == DomainStatus::Verified {
        ways::check_left(&tx, scope).await?;
    }
    scim_tokens::revoke_of_domain(services, &tx, ctx, scope, id).await?;
    let data = json!({ "name": domain.name, "status": domain.status });
    services.record(&tx, ctx, organization, EventKind::DomainDeleted, id, data).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    services.caches.domains.clear();
    services.caches.scim_tokens.clear();
    Ok(())
}
