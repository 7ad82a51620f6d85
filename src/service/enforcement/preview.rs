//! Who would be affected if enforcement were switched on now, or is if it is on: for a domain, or for all members. And
//! what stands in the way of switching on, for whoever asks.

pub use crate::store::enforcement::BoundMember;

use super::super::organizations::reach;
use super::super::permissions::Action;
use super::super::{Ctx, Error, Services};
use super::ways::{self, Hindrance};
use crate::model::id::{DomainId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{DomainStatus, EnforcedStanding};
use crate::model::tenant::TenantScope;
use crate::store;
use crate::store::domains::Domain;
use crate::store::enforcement::{Reach, Stood};

/// Who would be affected.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What keeps whoever asks from switching on.
    pub hindrance: Option<Hindrance>,
    stood: Vec<Stood>,
    /// Live sessions that end with the grace.
    pub sessions: u64,
    /// Live keys of the organization, which go on.
    pub api_keys: u64,
}

impl Preview {
    /// How many active members stand so.
    pub fn people(&self, standing: EnforcedStanding) -> u64 {
        self.stood.iter().filter(|stood| stood.standing == standing).map(|stood| positive(stood.people)).sum()
    }

    /// How many owners have not signed in through SAML: an owner's first link takes a session of that owner.
    pub fn owners_without_link(&self) -> u64 {
        let without = self.stood.iter().filter(|stood| stood.standing != EnforcedStanding::Linked);
        without.map(|stood| positive(stood.owners)).sum()
    }
}

fn positive(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

async fn asked(
    services: &Services,
    scope: TenantScope,
    domain: Option<DomainId>,
) -> Result<(Option<Domain>, Reach), Error> {
    let db = &services.db;
    let domain = match domain {
        Some(id) => {
            let row = store::domains::find(db, scope, id).await?;
            Some(row.ok_or_else(|| Error::not_found("domain"))?)
        }
        None => None,
    };
    let verified = store::domains::list_verified(db, scope).await?;
    let active = store::connections::list_active(db, scope).await?;
    let serves = |row: &&Domain| active.iter().any(|connection| row.connection_ids.contains(connection.id));
    let counts = |connection: &&store::connections::Connection| match &domain {
        Some(row) => row.status == DomainStatus::Verified && row.connection_ids.contains(connection.id),
        None => verified.iter().any(|row| row.connection_ids.contains(connection.id)),
    };
    let reach = Reach {
        domain: domain.as_ref().map(|row| row.name.clone()),
        served: verified.iter().filter(serves).map(|row| row.name.clone()).collect(),
        connections: active.iter().filter(counts).map(|connection| connection.id).collect(),
        verified: verified.into_iter().map(|row| row.name).collect(),
    };
    Ok((domain, reach))
}

/// Looks at a domain's people, or without one at all members.
///
/// # Errors
/// [`Error::NotFound`] for a domain that the organization does not have.
pub async fn preview(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    domain: Option<DomainId>,
) -> Result<Preview, Error> {
    let scope = reach(services, ctx, organization, Action::ReadEnforcement).await?;
    let (domain, reached) = asked(services, scope, domain).await?;
    let (db, now) = (&services.db, ctx.now);
    Ok(Preview {
        hindrance: ways::hindrance(db, ctx, scope, domain.as_ref()).await?,
        stood: store::enforcement::count(db, scope, &reached, now).await?,
        sessions: store::enforcement::count_sessions(db, scope, &reached, now).await?,
        api_keys: store::enforcement::count_api_keys(db, scope, now).await?,
    })
}

/// A page of those people, by id; with `standing` only those who stand so.
///
/// # Errors
/// Those of [`preview`].
pub async fn members(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    domain: Option<DomainId>,
    standing: Option<EnforcedStanding>,
    request: &PageRequest,
) -> Result<Page<BoundMember>, Error> {
    let scope = reach(services, ctx, organization, Action::ReadEnforcement).await?;
    let (_, reached) = asked(services, scope, domain).await?;
    Ok(store::enforcement::list(&services.db, scope, (&reached, ctx.now), standing, request).await?)
}
