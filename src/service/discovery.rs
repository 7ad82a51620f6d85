//! From the domain of an e-mail address to the ways in: the active SAML connections that serve it. Depends on the
//! domain alone, so that nobody learns whether an account exists (rule 17).

use super::cache::{KnownWay, KnownWaysIn};
use super::{Error, Services};
use crate::model::id::ConnectionId;
use crate::model::state::{ConnectionStatus, ConnectionType};
use crate::model::tenant::TenantScope;
use crate::store;

/// The organization that holds the domain verified, and the active connections that its people sign in through, in
/// the order in which they are offered. `None` if there is not one.
pub async fn ways_in(services: &Services, domain: &str) -> Result<Option<KnownWaysIn>, Error> {
    let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
    let name = domain.clone();
    let fetch = || async {
        let Some(held) = store::domains::find_holder(&services.db, &name).await? else { return Ok(None) };
        // The verified domain is what names the tenant here.
        let scope = TenantScope::established(held.organization_id);
        let mut ways = Vec::new();
        for id in held.connection_ids.as_slice() {
            let connection = store::connections::find(&services.db, scope, *id).await?;
            let active = connection.filter(|found| found.status == ConnectionStatus::Active);
            ways.extend(active.map(|found| KnownWay {
                connection: found.id,
                name: found.name,
                kind: found.kind,
            }));
        }
        let known = KnownWaysIn { organization: held.organization_id, ways: ways.into() };
        Ok::<_, Error>((!known.ways.is_empty()).then_some(known))
    };
    services.caches.ways_in.get(domain, fetch).await
}

/// What to do with somebody who has typed an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send the browser to `url`, which goes on to the IdP.
    Redirect { url: String },
    /// Let the person choose; `url` is a page of ours that does.
    Choose { url: String, ways: Vec<Way> },
    /// Nobody signs in through SAML at this domain: ask for another way. `url` is our sign-in page.
    Manual { url: String },
}

/// One of several ways in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub connection: ConnectionId,
    pub name: String,
    pub kind: ConnectionType,
    /// Send the browser here for it.
    pub url: String,
}

/// The way in for an address, as addresses of pages of ours: a sign-in begins in the browser that will end it, for
/// its cookie binds the two.
pub async fn login_url(
    services: &Services,
    address: &crate::model::email::EmailAddress,
    return_to: Option<&super::sign_in::ReturnTo>,
) -> Result<Outcome, Error> {
    let page = |email: Option<&str>, connection: Option<ConnectionId>| {
        let page = services.settings.url("/login?");
        let query = page.len();
        let mut url = url::form_urlencoded::Serializer::for_suffix(page, query);
        for (name, value) in [
            ("email", email),
            ("connection", connection.map(|id| id.to_string()).as_deref()),
            ("return_to", return_to.map(super::sign_in::ReturnTo::as_str)),
        ] {
            if let Some(value) = value {
                url.append_pair(name, value);
            }
        }
        let url = url.finish();
        url.strip_suffix('?').map(str::to_owned).unwrap_or(url)
    };
    let email = Some(address.as_str());
    let Some(known) = ways_in(services, address.domain()).await? else {
        return Ok(Outcome::Manual { url: page(None, None) });
    };
    if let [only] = &known.ways[..] {
        return Ok(Outcome::Redirect { url: page(email, Some(only.connection)) });
    }
    let ways = known.ways.iter().map(|way| Way {
        connection: way.connection,
        name: way.name.clone(),
        kind: way.kind,
        url: page(email, Some(way.connection)),
    });
    Ok(Outcome::Choose { url: page(email, None), ways: ways.collect() })
}
