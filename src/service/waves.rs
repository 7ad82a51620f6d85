//! Waves: a sync that puts an unusual share of the members out within minutes is told to the owners, once.
//!
//! Nobody counts while access ends: whoever watches (in the background, on every node) looks afterwards at whom the
//! directories put out lately, by an index that holds nobody else. A wave begins when at least so many people, and at
//! least such a share of the members who were active before, are out within the time that is set (`[scim]
//! mass_deactivation_…`); it lasts as long as further ones follow within that time, and is one event. Who was given
//! back meanwhile, and who came in inactive, does not count. A wave that nobody watched, because every node went
//! before it was noticed, is found by the next one that starts, for a day.

use super::{Ctx, Error, Services};
use crate::model::event::EventKind;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use crate::store;
use crate::store::deactivations::Burst;
use serde_json::{Value, json};
use std::time::Duration;

/// An event names so many credentials at most.
const NAMED: u32 = 10;
/// How far whoever starts looks back.
const LOOK_BACK: Duration = Duration::from_hours(24);

/// From when on deactivations by a directory are unusual.
#[derive(Debug, Clone, Copy)]
pub struct Unusual {
    /// At least so many people.
    pub people: u32,
    /// At least so many of a hundred of those who were active before.
    pub percent: u32,
    /// Within this time.
    pub within: Duration,
}

impl Unusual {
    /// How many members may be active still, so that these many are an unusual share of all.
    fn most_left(self, people: i64) -> i64 {
        let percent = i64::from(self.percent.clamp(1, 100));
        people.saturating_mul(100 - percent) / percent
    }
}

/// Tells the owners of organizations of waves that began; gives how many.
pub async fn watch(services: &Services) -> Result<u64, Error> {
    let ctx = Ctx::system(services.clock.now());
    let unusual = services.settings.unusual;
    let after = ctx.now.minus(unusual.within);
    let installation = InstallationScope::established();
    let mut told = 0;
    for burst in store::deactivations::bursts(&services.db, installation, after, unusual.people).await? {
        told += u64::from(tell(services, &ctx, &burst, after, 0).await?);
    }
    Ok(told)
}

/// Tells of the waves of a time when nobody watched: to be run once, when a process starts. Gives how many.
pub async fn look_back(services: &Services) -> Result<u64, Error> {
    let ctx = Ctx::system(services.clock.now());
    let (unusual, installation) = (services.settings.unusual, InstallationScope::established());
    let since = ctx.now.minus(LOOK_BACK);
    let (db, within) = (&services.db, unusual.within);
    let mut told = 0;
    for burst in store::deactivations::past_bursts(db, installation, since, within, unusual.people).await? {
        let scope = TenantScope::established(burst.organization_id);
        // Who left afterwards was there still.
        let later = store::deactivations::count_since(db, scope, burst.last_at).await?;
        told += u64::from(tell(services, &ctx, &burst, burst.first_at.minus(within), later).await?);
    }
    Ok(told)
}

/// Tells of a burst, if it is a wave and none that was told of already: one whose latest deactivation lies after
/// `after`. So many members beside those who are active were active when it ended.
async fn tell(
    services: &Services,
    ctx: &Ctx,
    burst: &Burst,
    after: Timestamp,
    besides: i64,
) -> Result<bool, Error> {
    let unusual = services.settings.unusual;
    let scope = TenantScope::established(burst.organization_id);
    let tx = services.begin().await?;
    if store::deactivations::go_on(&tx, scope, after, burst.last_at).await? {
        tx.commit().await?;
        return Ok(false);
    }
    let most = unusual.most_left(burst.people);
    // Not all of a large organization are counted only to learn that there are more.
    let left = store::deactivations::count_active(&tx, scope, most.saturating_add(1)).await?;
    let left = left.saturating_add(besides);
    if left > most || !store::deactivations::begin(&tx, scope, after, burst).await? {
        return Ok(false);
    }
    let Some(directory) = store::directories::find(&tx, scope).await? else { return Ok(false) };
    let actors = store::deactivations::actors(&tx, scope, burst, NAMED).await?;
    let data = described(burst, left, unusual, &actors);
    let kind = EventKind::DirectoryMassDeactivation;
    services.record(&tx, ctx, burst.organization_id, kind, directory.id, data).await?;
    tx.commit().await?;
    Ok(true)
}

fn described(burst: &Burst, left: i64, unusual: Unusual, actors: &[store::deactivations::ByActor]) -> Value {
    let before = burst.people.saturating_add(left);
    let actors: Vec<Value> =
        actors.iter().map(|actor| json!({ "id": actor.actor_id, "deactivated": actor.people })).collect();
    json!({
        "to": "owners",
        "deactivated": burst.people,
        "active_before": before,
        "percent": burst.people.saturating_mul(100) / before.max(1),
        "since": burst.first_at,
        "until": burst.last_at,
        "by": actors,
        "threshold": {
            "people": unusual.people,
            "percent": unusual.percent,
            "minutes": unusual.within.as_secs() / 60,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_all_who_were_active_before() {
        let unusual = |percent| Unusual { people: 10, percent, within: Duration::from_mins(10) };
        // 10 of 50 are 20 %, of 51 they are less.
        assert_eq!(unusual(20).most_left(10), 40);
        assert_eq!(unusual(100).most_left(10), 0);
        assert_eq!(unusual(1).most_left(10), 990);
        assert_eq!(unusual(30).most_left(10), 23);
    }
}
