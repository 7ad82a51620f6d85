//! From the domain of an e-mail address to the way in: the one active SAML connection that serves it, if there is one.
//! Depends on the domain alone, so that nobody learns whether an account exists (rule 17).

use super::cache::KnownWayIn;
use super::{Error, Services};
use crate::model::state::ConnectionStatus;
use crate::model::tenant::TenantScope;
use crate::store;

/// The organization and connection that people with an address on `domain` sign in through: the domain is verified,
/// a connection is assigned to it, and that connection is active. `None` in every other case.
pub async fn way_in(services: &Services, domain: &str) -> Result<Option<KnownWayIn>, Error> {
    let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
    let name = domain.clone();
    let fetch = || async {
        let Some(held) = store::domains::find_holder(&services.db, &name).await? else { return Ok(None) };
        let Some(connection) = held.connection_id else { return Ok(None) };
        // The verified domain is what names the tenant here.
        let scope = TenantScope::established(held.organization_id);
        let connection = store::connections::find(&services.db, scope, connection).await?;
        let active = connection.filter(|found| found.status == ConnectionStatus::Active);
        Ok::<_, Error>(
            active.map(|found| KnownWayIn { organization: held.organization_id, connection: found.id }),
        )
    };
    services.caches.ways_in.get(domain, fetch).await
}
