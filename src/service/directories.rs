//! The directory of an organization as its administrators see it: where to point the IdP's SCIM client, with which
//! tokens, for which domains. What the client itself does is another file's.

pub use crate::store::directories::Directory;
pub use crate::store::scim_tokens::ScimToken;

use super::organizations::expect_version;
use super::permissions::{Action, may};
use super::{Ctx, Error, Services, access};
use crate::model::event::EventKind;
use crate::model::id::{OrganizationId, ScimTokenId};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::{ForeignAddresses, ProvisioningMode, Role};
use crate::model::tenant::TenantScope;
use crate::store::domains::Domain;
use crate::store::{self, Tx};
use serde_json::json;

/// How many tokens of a directory are live at once at most: enough to rotate, few enough to know them all.
const MOST_TOKENS: usize = 20;

/// The directory with all that is set around it.
#[derive(Debug, Clone)]
pub struct Overview {
    pub directory: Directory,
    pub provisioning_mode: ProvisioningMode,
    /// The verified domains that the directory speaks for.
    pub domains: Vec<Domain>,
    /// Revoked ones too, oldest first.
    pub tokens: Vec<ScimToken>,
}

fn missing() -> Error {
    Error::not_found("organization")
}

/// The SCIM base URL to paste into an IdP.
pub fn base_url(services: &Services) -> String {
    services.settings.url("/scim/v2")
}

/// The directory of an organization.
pub async fn find(services: &Services, ctx: &Ctx, organization: OrganizationId) -> Result<Overview, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let directory = store::directories::find(&services.db, scope).await?.ok_or_else(missing)?;
    overview(services, scope, directory).await
}

async fn overview(services: &Services, scope: TenantScope, directory: Directory) -> Result<Overview, Error> {
    let organization = store::organizations::find(&services.db, scope).await?.ok_or_else(missing)?;
    let domains = store::domains::list_of_directory(&services.db, scope).await?;
    let tokens = store::scim_tokens::list(&services.db, scope).await?;
    Ok(Overview { directory, provisioning_mode: organization.provisioning_mode, domains, tokens })
}

async fn lock(tx: &Tx, scope: TenantScope) -> Result<Directory, Error> {
    store::directories::lock(tx, scope).await?.ok_or_else(missing)
}

/// Says what happens to people with an address outside the directory's domains (rule 6): a change of trust.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::PreconditionFailed`].
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    expected: Option<i64>,
    foreign_addresses: Option<ForeignAddresses>,
) -> Result<Overview, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    let mut directory = lock(&tx, scope).await?;
    expect_version(expected, directory.version)?;
    if let Some(wanted) = foreign_addresses.filter(|wanted| *wanted != directory.foreign_addresses) {
        may(ctx, organization, Action::ChangeTrust)?;
        let changed = json!({ "foreign_addresses": { "from": directory.foreign_addresses, "to": wanted } });
        directory.foreign_addresses = wanted;
        directory.updated_at = ctx.now;
        directory = store::directories::update(&tx, scope, directory).await?;
        let data = json!({ "changed": changed });
        services.record(&tx, ctx, organization, EventKind::DirectoryUpdated, directory.id, data).await?;
        tx.commit().await?;
    } else {
        drop(tx);
    }
    overview(services, scope, directory).await
}

/// Makes a token for the IdP's SCIM client: a change of trust. The secret is given out here and never again.
///
/// # Errors
/// [`Error::Forbidden`]; 409 `too_many_tokens`.
pub async fn create_token(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<(ScimToken, Token), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let tx = services.begin().await?;
    access::maker(&tx, ctx, scope, Role::Owner).await?;
    let directory = lock(&tx, scope).await?;
    let live = store::scim_tokens::list(&tx, scope).await?;
    if live.iter().filter(|token| token.revoked_at.is_none()).count() >= MOST_TOKENS {
        return Err(Error::conflict(
            "too_many_tokens",
            format!("This directory has {MOST_TOKENS} live tokens, the most there can be. Revoke one first."),
        ));
    }
    let secret = Token::generate(TokenKind::ScimToken, &*services.random);
    let token = ScimToken {
        id: ScimTokenId::new(ctx.now, &*services.random),
        organization_id: organization,
        directory_id: directory.id,
        hash: secret.hash(),
        last_four: secret.last_four(),
        created_by: ctx.actor.id(),
        created_at: ctx.now,
        last_used_at: None,
        revoked_at: None,
    };
    store::scim_tokens::insert(&tx, token.clone()).await?;
    let data = json!({ "last_four": token.last_four });
    services.record(&tx, ctx, organization, EventKind::ScimTokenCreated, token.id, data).await?;
    tx.commit().await?;
    Ok((token, secret))
}

/// Revokes a token: it opens nothing from now on.
///
/// # Errors
/// [`Error::NotFound`] also for a token that was revoked before.
pub async fn revoke_token(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimTokenId,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    if !store::scim_tokens::revoke(&tx, scope, id, ctx.now).await? {
        return Err(Error::not_found("live SCIM token"));
    }
    services.record(&tx, ctx, organization, EventKind::ScimTokenRevoked, id, json!({})).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(())
}
