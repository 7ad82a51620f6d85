//! The operator's way out, on the command line alone: all enforcement of an organization ends at once, because nobody
//! who could switch it off gets in. Its owners are told who did it and why.

use super::super::permissions::operator;
use super::super::{Ctx, Error, Services};
use super::{Setting, is_enforced};
use crate::model::dns_name::DomainName;
use crate::model::event::EventKind;
use crate::model::id::OrganizationId;
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::store;
use serde_json::json;

/// A text that the event keeps is at most this long.
const MAX_TEXT: usize = 500;

/// What was lifted.
#[derive(Debug, Clone)]
pub struct Lifted {
    /// The name of the organization.
    pub organization: String,
    /// Whether all its members were kept to SAML.
    pub of_all: bool,
    /// The domains whose people were.
    pub domains: Vec<DomainName>,
}

fn read(field: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        let message =
            format!("A text of 1 to {MAX_TEXT} characters without control characters was expected.");
        return Err(Error::field(field, "text_invalid", message));
    }
    Ok(text.to_owned())
}

/// Ends all enforcement of an organization, also what has not started, in one transaction. Guests stay as they are.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for an empty reason; [`Error::Conflict`] `not_enforced` if there is none.
pub async fn lift(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    (by, reason): (&str, &str),
) -> Result<Lifted, Error> {
    operator(ctx)?;
    let (by, reason) = (read("by", by)?, read("reason", reason)?);
    let scope = TenantScope::established(organization);
    let tx = services.begin().await?;
    // Domains before their organization, as everywhere.
    let mut domains = Vec::new();
    for domain in store::domains::list_verified(&tx, scope).await?.into_iter().filter(is_enforced) {
        if let Some(mut domain) = store::domains::lock(&tx, scope, domain.id).await?.filter(is_enforced) {
            Setting { on: false, starts_at: None, ..Setting::of_domain(&domain) }.put_domain(&mut domain);
            domain.updated_at = ctx.now;
            domains.push(store::domains::update(&tx, scope, domain).await?.name);
        }
    }
    store::organizations::lock_owners(&tx, scope).await?;
    let row = store::organizations::find(&tx, scope).await?;
    let mut row = row.ok_or_else(|| Error::not_found("organization"))?;
    let (name, of_all) = (row.name.clone(), row.sso_required);
    if !of_all && domains.is_empty() {
        return Err(Error::conflict("not_enforced", "Nothing is enforced in this organization."));
    }
    if of_all {
        Setting { on: false, starts_at: None, ..Setting::of_organization(&row) }.put_organization(&mut row);
        row.updated_at = ctx.now;
        store::organizations::update(&tx, scope, row).await?;
    }
    let owners = store::members::list_active_of_role(&tx, scope, Role::Owner).await?;
    let data = json!({
        "to": "owners",
        "owners": owners.iter().map(|owner| owner.user_id).collect::<Vec<_>>(),
        "by": by,
        "reason": reason,
        "organization": of_all,
        "domains": domains,
    });
    services.record(&tx, ctx, organization, EventKind::EnforcementLifted, organization, data).await?;
    tx.commit().await?;
    services.caches.domains.clear();
    services.caches.api_keys.clear();
    tracing::warn!(%organization, by, reason, "the enforcement of SAML was lifted");
    Ok(Lifted { organization: name, of_all, domains })
}
