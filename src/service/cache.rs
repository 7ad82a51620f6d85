//! Cached tenant look-ups: credential to tenant, e-mail domain to connection.
//!
//! An entry lives less than a second, so that what another node changes is seen within the second of rule 11 even if
//! nothing tells this one; what this node changes is dropped at once. A fill that began before an invalidation is
//! thrown away: each cache counts its invalidations, and a value is kept only if none came while it was fetched.

use crate::model::actor::{Actor, DirectoryCredential};
use crate::model::dns_name::DomainName;
use crate::model::id::{ApiKeyId, ConnectionId, DirectoryId, OrganizationId};
use crate::model::scope::ScopeSet;
use crate::model::secret::TokenHash;
use crate::model::state::{Conformance, ConnectionType};
use crate::model::time::Timestamp;
use crate::protocol::saml::{AttributeMapping, Certificate};
use crate::protocol::scim::ResourceType;
use crate::store::connections::{Connection, Versions};
use crate::store::organizations::Organization;
use crate::store::role_mapping_names::NamedRole;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

/// How long an entry lives at most.
pub const TIME_TO_LIVE: Duration = Duration::from_millis(800);
/// How many entries each cache keeps.
const CAPACITY: u64 = 10_000;
/// How long something lives that never changes, since its key names a version, and how many of those are kept.
const LASTING: Duration = Duration::from_mins(10);
const LASTING_CAPACITY: u64 = 500;

/// A cache whose fills cannot undo an invalidation.
pub struct Cached<K, V> {
    entries: moka::sync::Cache<K, V>,
    generation: Mutex<u64>,
}

impl<K, V> std::fmt::Debug for Cached<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
    }
}

impl<K, V> Default for Cached<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new(CAPACITY, TIME_TO_LIVE)
    }
}

impl<K, V> Cached<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(capacity: u64, time_to_live: Duration) -> Self {
        let entries = moka::sync::Cache::builder().max_capacity(capacity).time_to_live(time_to_live).build();
        Self { entries, generation: Mutex::new(0) }
    }

    fn generation(&self) -> std::sync::MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The entry, or what `fetch` finds; `None` is not kept, so that something new is seen at once.
    ///
    /// Fetching has a box of its own: hits are the rule, and every future around this one would carry it along.
    pub async fn get<E, F>(&self, key: K, fetch: impl FnOnce() -> F) -> Result<Option<V>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        if let Some(value) = self.entries.get(&key) {
            return Ok(Some(value));
        }
        let before = *self.generation();
        let found = Box::pin(fetch()).await?;
        if let Some(value) = &found {
            let now = self.generation();
            if *now == before {
                self.entries.insert(key, value.clone());
            }
        }
        Ok(found)
    }

    /// Drops everything, and every fill that is under way. Changes of what is cached are rare; fetching again is cheap.
    pub fn clear(&self) {
        let mut generation = self.generation();
        *generation += 1;
        self.entries.invalidate_all();
    }
}

/// What a live API key of an organization stands for.
#[derive(Debug, Clone)]
pub struct KnownApiKey {
    pub id: ApiKeyId,
    pub organization: std::sync::Arc<Organization>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
}

/// What a live SCIM token stands for.
#[derive(Debug, Clone)]
pub struct KnownScimToken {
    pub credential: DirectoryCredential,
    pub organization: OrganizationId,
    pub directory: DirectoryId,
    /// The one domain whose people it may provision; without it all of the directory's.
    pub domain: Option<DomainName>,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// How strictly its directory reads what it sends.
    pub conformance: Conformance,
}

impl KnownScimToken {
    /// Who acts with it.
    pub fn actor(&self) -> Actor {
        Actor::Directory {
            credential: self.credential,
            directory: self.directory,
            organization: self.organization,
            domain: self.domain.clone(),
        }
    }
}

/// A verified domain of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDomain {
    pub name: DomainName,
    /// From when on its people come in through SAML alone, if they do.
    pub term: Option<super::enforcement::Term>,
}

/// The ways in for an e-mail domain; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWaysIn {
    pub organization: OrganizationId,
    pub ways: std::sync::Arc<[KnownWay]>,
}

/// An active connection that serves the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWay {
    pub connection: ConnectionId,
    pub name: String,
    pub kind: ConnectionType,
}

/// A version of a SAML connection, its texts read.
#[derive(Debug)]
pub struct KnownConnection {
    pub row: Connection,
    pub certificates: Vec<Certificate>,
    pub mapping: AttributeMapping,
    /// Our own keys at it.
    pub keys: super::saml_keys::Opened,
    /// The ways of signing in at the IdP that are accepted; all of them if none are named.
    pub authn_contexts: std::sync::Arc<[String]>,
}

/// Versions of SAML connections, which never change: they are kept for long, and nothing invalidates them. Which
/// version counts is asked of the database each time.
#[derive(Debug)]
pub struct KnownConnections(pub Cached<(ConnectionId, Versions), std::sync::Arc<KnownConnection>>);

impl Default for KnownConnections {
    fn default() -> Self {
        Self(Cached::new(LASTING_CAPACITY, LASTING))
    }
}

/// Versions of the tables that directories' users are read by, the same way.
#[derive(Debug)]
pub struct KnownUserTypes(pub Cached<(DirectoryId, i64), std::sync::Arc<ResourceType>>);

impl Default for KnownUserTypes {
    fn default() -> Self {
        Self(Cached::new(LASTING_CAPACITY, LASTING))
    }
}

/// All caches.
#[derive(Debug, Default)]
pub struct Caches {
    /// Organizations' API keys. Operator's keys are not cached: what the command line does to them is seen at once.
    pub api_keys: Cached<TokenHash, KnownApiKey>,
    /// SCIM tokens.
    pub scim_tokens: Cached<TokenHash, KnownScimToken>,
    /// Whether anybody of a directory is in a group.
    pub directories_with_groups: Cached<DirectoryId, bool>,
    /// The tables that a directory's users are read by.
    pub user_types: Cached<DirectoryId, std::sync::Arc<ResourceType>>,
    /// The same tables, for whoever knows their version.
    pub user_type_versions: KnownUserTypes,
    /// E-mail domains to the active connections that serve them.
    pub ways_in: Cached<String, KnownWaysIn>,
    /// Organizations to their verified domains.
    pub domains: Cached<OrganizationId, std::sync::Arc<[KnownDomain]>>,
    /// SAML connections, for whoever knows their version.
    pub connections: KnownConnections,
    /// What the groups give that assertions name.
    pub role_names: Cached<OrganizationId, std::sync::Arc<[NamedRole]>>,
    /// Where the next pages of lists begin.
    pub walks: super::provisioning::listing::Walks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fill_that_began_before_an_invalidation_is_thrown_away() {
        let cache: Cached<u8, &str> = Cached::default();
        let got = cache
            .get(1, || async {
                // The row is read, then changed and invalidated, before the fill ends.
                cache.clear();
                Ok::<_, ()>(Some("old"))
            })
            .await;
        assert_eq!(got, Ok(Some("old")));
        assert_eq!(cache.get(1, || async { Ok::<_, ()>(Some("new")) }).await, Ok(Some("new")));
        assert_eq!(cache.get(1, || async { Ok::<_, ()>(Some("newer")) }).await, Ok(Some("new")), "kept");
        cache.clear();
        assert_eq!(cache.get(1, || async { Ok::<_, ()>(None) }).await, Ok(None));
        assert_eq!(
            cache.get(1, || async { Ok::<_, ()>(Some("again")) }).await,
            Ok(Some("again")),
            "a miss is not kept"
        );
    }
}
