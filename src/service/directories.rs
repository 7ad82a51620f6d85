//! The directory of an organization as its administrators see it: where to point the IdP's SCIM client, with which
//! tokens, for which domains. How tokens are made and what the client itself does are other files'.

pub use crate::store::directories::Directory;
pub use crate::store::scim_tokens::ScimToken;

use super::organizations::expect_version;
use super::permissions::{Action, may};
use super::{Ctx, Error, Services};
use crate::model::event::EventKind;
use crate::model::id::OrganizationId;
use crate::model::state::{ForeignAddresses, ProvisioningMode};
use crate::model::tenant::TenantScope;
use crate::store::domains::Domain;
use crate::store::{self, Tx};
use serde_json::json;

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
