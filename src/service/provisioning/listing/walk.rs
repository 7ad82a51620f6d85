//! Walks through a list by `startIndex`: where the next page begins, remembered by this node for a while. What is
//! remembered belongs to one token and one query, and each page renews it for the next, so that a walk sees everybody
//! once even while people leave before its place. Nothing remembered is only slower: the page is found by counting.

use super::Place;
use crate::model::actor::Actor;
use crate::service::Ctx;
use openssl::sha::Sha256;
use std::time::Duration;

/// How long a client may think between two pages.
const TIME_TO_LIVE: Duration = Duration::from_mins(5);
/// How many places are remembered, each of some hundred bytes.
const CAPACITY: u64 = 4_000;

/// Who walks, and through what: the directory as far as the token reaches, and what is asked of each type.
pub(super) type Identity = [u8; 32];

pub(super) fn identity<'a>(ctx: &Ctx, asked: impl Iterator<Item = &'a str>) -> Identity {
    let reach = match &ctx.actor {
        Actor::Directory { directory, domain, .. } => format!("{directory} {domain:?}"),
        _ => String::new(),
    };
    let token = ctx.actor.id().unwrap_or_default();
    let mut hash = Sha256::new();
    // Each part with its length, so that no two identities run together.
    let mut add = |part: &str| {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    };
    add(&reach);
    add(&token);
    asked.for_each(&mut add);
    hash.finish()
}

/// Where a page begins.
#[derive(Debug, Clone)]
pub(super) struct Before {
    /// The row before it.
    pub place: Place,
    /// The total as it was told with the page before.
    pub total: u64,
}

/// The walks of this node.
pub struct Walks(moka::sync::Cache<(Identity, u64), Before>);

impl std::fmt::Debug for Walks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Walks")
    }
}

impl Default for Walks {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(TIME_TO_LIVE).build())
    }
}

impl Walks {
    pub(super) fn get(&self, identity: &Identity, start: u64) -> Option<Before> {
        self.0.get(&(*identity, start))
    }

    pub(super) fn put(&self, identity: &Identity, start: u64, place: &Place, total: u64) {
        self.0.insert((*identity, start), Before { place: place.clone(), total });
    }
}
