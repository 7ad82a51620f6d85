//! The use cases. Each change of state is one function here: it checks rights, opens one transaction, applies the
//! rules, writes the event beside the change, commits, and only then drops what caches knew.
//!
//! The first arguments are always the [`Services`] and a [`Ctx`] that says who acts and when. Nothing here knows
//! poem or sea-orm; errors are [`Error`], in words that every door can dress in its own dialect.

pub mod access;
pub mod access_tokens;
pub mod api_keys;
pub mod cache;
pub mod connection_tests;
pub mod connections;
pub mod credentials;
pub mod directories;
pub mod directory_users;
pub mod discovery;
pub mod dns_check;
pub mod domains;
pub mod dry_run;
pub mod enforcement;
pub mod error;
pub mod events;
pub mod groups;
pub mod guests;
pub mod guides;
pub mod idempotency;
pub mod invites;
pub mod journal;
mod managed;
pub mod me;
pub mod members;
pub mod operator_keys;
pub mod organizations;
pub mod pending_links;
pub mod permissions;
pub mod provisioning;
pub mod reactivation;
pub mod role_mappings;
mod roles;
pub mod saml_keys;
pub mod schemas;
pub mod scim_clients;
pub mod scim_credentials;
pub mod scim_oauth;
pub mod scim_requests;
pub mod scim_tokens;
pub mod seal;
pub mod sessions;
pub mod sign_in;
pub mod sign_in_log;
pub mod single_logout;
pub mod step_up;
mod together;
pub mod turns;
pub mod upkeep;
pub mod waves;

pub use error::{Error, FieldError};

use crate::model::actor::Actor;
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId, OrganizationId};
use crate::model::random::Random;
use crate::model::tenant::TenantScope;
use crate::model::time::{Clock, Timestamp};
use crate::outbound::dns::TxtLookup;
use crate::outbound::verifier::VerifierProcesses;
use crate::outbound::web::Web;
use crate::protocol::dns_challenge::ChallengeLabel;
use crate::store::{self, Db, Tx};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who asks for something, when, and from where.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Who acts.
    pub actor: Actor,
    /// The one time that everything in this request happens at.
    pub now: Timestamp,
    /// The id by which people find the request in the log.
    pub request_id: Arc<str>,
    /// The client's address, as far as the trusted proxies tell it.
    pub ip: Option<IpAddr>,
}

impl Ctx {
    /// A context for Postern's own work.
    pub fn system(now: Timestamp) -> Self {
        Self { actor: Actor::System, now, request_id: Arc::from("system"), ip: None }
    }

    /// The same request, acted by somebody else (once a credential or an assertion told who).
    #[must_use]
    pub fn acting(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }
}

/// What the use cases need to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The public URL without a slash at the end.
    pub public_url: String,
    /// The label of the TXT challenge.
    pub challenge_label: ChallengeLabel,
    /// How long a TXT challenge stands.
    pub challenge_lifetime: Duration,
    /// How long a session lasts at most, unless its organization says less.
    pub session_lifetime: Duration,
    /// How long a session may idle, unless its organization says less.
    pub session_idle: Duration,
    /// How long an access token lives.
    pub access_token_lifetime: Duration,
    /// How long an invite stands.
    pub invite_lifetime: Duration,
    /// How far an IdP's clock may be off.
    pub clock_skew: Duration,
    /// How long a sign-in at the IdP may take.
    pub attempt_lifetime: Duration,
    /// How many SCIM resources a page has unless it is said.
    pub scim_default_page: u32,
    /// How many SCIM resources a page has at most.
    pub scim_max_page: u32,
    /// From when on deactivations by a directory are told to the owners.
    pub unusual: waves::Unusual,
    /// How many operations a bulk request has at most.
    pub scim_bulk_operations: u32,
    /// How many bytes the body of a SCIM request has at most.
    pub scim_body_limit: u64,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// How long entries of the SCIM request log are kept; with zero there are none.
    pub scim_log_kept: Duration,
    /// How long entries of the sign-in log are kept; with zero there are none.
    pub sign_in_log_kept: Duration,
}

impl Settings {
    /// An absolute URL of this installation; `path` starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}

/// Everything the use cases work with.
pub struct Services {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub txt: Arc<dyn TxtLookup>,
    /// Who verifies XML signatures.
    pub verifier: VerifierProcesses,
    /// Where documents are fetched from.
    pub web: Arc<dyn Web>,
    pub settings: Settings,
    pub caches: cache::Caches,
    /// Who changes a directory group.
    pub group_turns: turns::Turns<(DirectoryId, DirectoryGroupId)>,
    /// Who changes a directory user.
    pub user_turns: turns::Turns<(DirectoryId, DirectoryUserId)>,
    /// Who waits for a dry run.
    pub dry_runs: dry_run::Waiting,
    pub sealer: Arc<seal::Sealer>,
    /// Whom directories ask for, to be looked up together.
    pub look_ups: provisioning::LookUps,
    /// Whom directories bring, to be written together.
    pub newcomers: provisioning::Newcomers,
    pub signing_keys: access_tokens::SigningKeys,
    pub scim_log: scim_requests::RequestLog,
    pub sign_in_log: sign_in_log::SignInLog,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Services {
    /// Begins the transaction of a change.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(self.db.begin().await?)
    }

    /// Writes an event in the transaction of its change. `subject` is the id of what it happened to.
    pub async fn record(
        &self,
        tx: &Tx,
        ctx: &Ctx,
        organization: OrganizationId,
        kind: EventKind,
        subject: impl std::fmt::Display,
        data: Value,
    ) -> Result<(), Error> {
        let event =
            NewEvent { organization, kind, actor: ctx.actor.clone(), subject: subject.to_string(), data };
        store::events::insert(tx, event, ctx.now, &*self.random).await?;
        Ok(())
    }
}

/// Gives committed events their numbers, in every organization that has some without: run in the background, and by
/// whoever reads events. Harmless on several nodes at once.
pub async fn number_events(services: &Services) -> Result<u64, Error> {
    let scope = crate::model::tenant::InstallationScope::established();
    let mut numbered = 0;
    for organization in store::events::organizations_pending(&services.db, scope).await? {
        numbered +=
            store::events::number_pending(&services.db, TenantScope::established(organization)).await?;
    }
    Ok(numbered)
}
