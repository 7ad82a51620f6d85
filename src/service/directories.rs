//! The directory of an organization as its administrators see it: where to point the IdP's SCIM client, with which
//! tokens, for which domains. How tokens are made and what the client itself does are other files'.

pub use crate::store::directories::Directory;
pub use crate::store::scim_tokens::ScimToken;

use super::organizations::expect_version;
use super::permissions::{Action, may};
use super::roles::{self, People};
use super::{Ctx, Error, Services};
use crate::model::event::EventKind;
use crate::model::id::OrganizationId;
use crate::model::state::{Conformance, ForeignAddresses, ProvisioningMode};
use crate::model::tenant::TenantScope;
use crate::store::domains::Domain;
use crate::store::{self, Tx};
use serde_json::{Value, json};

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

/// What is to change; `None` leaves alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateDirectory {
    /// What happens to people with an address outside the directory's domains (rule 6): a change of trust.
    pub foreign_addresses: Option<ForeignAddresses>,
    /// How strictly the directory reads what the IdP sends.
    pub conformance: Option<Conformance>,
    /// Whether SCIM tokens are refused: a change of trust.
    pub oauth_only: Option<bool>,
    /// Whether the `roles` of its users set roles: a change of trust.
    pub roles_on_users: Option<bool>,
}

/// Changes how the directory is set.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::PreconditionFailed`]; 409 `no_oauth_client`.
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    expected: Option<i64>,
    wanted: UpdateDirectory,
) -> Result<Overview, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    let mut directory = lock(&tx, scope).await?;
    expect_version(expected, directory.version)?;
    let before = directory.clone();
    directory.foreign_addresses = wanted.foreign_addresses.unwrap_or(before.foreign_addresses);
    directory.conformance = wanted.conformance.unwrap_or(before.conformance);
    directory.oauth_only = wanted.oauth_only.unwrap_or(before.oauth_only);
    directory.roles_on_users = wanted.roles_on_users.unwrap_or(before.roles_on_users);
    if directory == before {
        drop(tx);
        return overview(services, scope, directory).await;
    }
    let trust = |row: &Directory| (row.foreign_addresses, row.oauth_only, row.roles_on_users);
    if trust(&directory) != trust(&before) {
        may(ctx, organization, Action::ChangeTrust)?;
    }
    if directory.oauth_only && !before.oauth_only {
        let clients = store::scim_clients::list(&tx, scope).await?;
        if clients.iter().all(|client| client.revoked_at.is_some()) {
            return Err(Error::conflict(
                "no_oauth_client",
                "This directory has no OAuth client, so nobody could come in. Register one first.",
            ));
        }
    }
    directory.updated_at = ctx.now;
    let changed = changes(&before, &directory);
    let directory = store::directories::update(&tx, scope, directory).await?;
    let data = json!({ "changed": changed });
    services.record(&tx, ctx, organization, EventKind::DirectoryUpdated, directory.id, data).await?;
    if directory.roles_on_users != before.roles_on_users {
        roles::settle(services, &tx, ctx, scope, People::WithRoles(directory.id)).await?;
    }
    tx.commit().await?;
    // What is known of a token includes how its directory is set.
    services.caches.scim_tokens.clear();
    overview(services, scope, directory).await
}

/// What changed, from what to what.
fn changes(before: &Directory, after: &Directory) -> Value {
    let settings = [
        ("foreign_addresses", json!(before.foreign_addresses), json!(after.foreign_addresses)),
        ("conformance", json!(before.conformance), json!(after.conformance)),
        ("oauth_only", json!(before.oauth_only), json!(after.oauth_only)),
        ("roles_on_users", json!(before.roles_on_users), json!(after.roles_on_users)),
    ];
    let changed = settings.into_iter().filter(|(_, from, to)| from != to);
    changed.map(|(name, from, to)| (name.to_owned(), json!({ "from": from, "to": to }))).collect()
}
