//! Dry run: what a SCIM call would do, and why, while nothing changes.
//!
//! There is no second implementation that could drift from the first. The call is carried out by the same functions, with
//! services of its own: their database is a rehearsal, one transaction that has no way to be committed, and whatever else
//! a call could leave behind (caches, the request log, queues) is new and thrown away. What became of it is read from the
//! events and rows that were written, before it all is rolled back.
//!
//! A rehearsal holds locks, and on SQLite the only connection that writes. So it is bounded in time, each organization
//! has one at a time and a node a few; and it needs the right to change the SCIM settings, because it also answers what
//! else only the holder of a SCIM token could ask.

mod effects;

pub use effects::Effect;

use super::cache::Caches;
use super::permissions::{Action, may};
use super::provisioning::{LookUps, Newcomers};
use super::scim_requests::RequestLog;
use super::sign_in_log::SignInLog;
use super::turns::{Turn, Turns};
use super::{Ctx, Error, Services, access_tokens};
use crate::model::actor::{Actor, DirectoryCredential};
use crate::model::dns_name::DomainName;
use crate::model::event::NewEvent;
use crate::model::id::{DomainId, OrganizationId, ScimClientId, ScimTokenId};
use crate::model::state::{Conformance, ProvisioningMode};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::remarks::Remark;
use crate::store;
use crate::store::directories::Directory;
use crate::store::scim_clients::ScimClient;
use crate::store::scim_tokens::ScimToken;
use crate::store::stage::Rehearsal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a call may take on the stage.
pub const WITHIN: Duration = Duration::from_secs(5);
/// How long a statement of it waits for somebody else's change. Shorter than PostgreSQL waits before it looks for
/// deadlocks, so that it is the rehearsal that gives way.
const PATIENCE: Duration = Duration::from_millis(500);
/// Rehearsals on one node at once.
const AT_ONCE: usize = 2;
/// Events, and effects, that an answer names.
pub const NAMED: usize = 200;

/// Who waits for a rehearsal.
#[derive(Debug)]
pub struct Waiting {
    turns: Turns<OrganizationId>,
    places: Arc<Semaphore>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { turns: Turns::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// Whose call it is taken for.
#[derive(Debug, Clone, Copy, Default)]
pub enum As {
    /// A credential of the whole directory: the one that was used last, or an invented one.
    #[default]
    Directory,
    /// This SCIM token.
    Token(ScimTokenId),
    /// This OAuth client.
    Client(ScimClientId),
    /// A SCIM token that is bound to this domain.
    Domain(DomainId),
}

/// What the call was taken for.
#[derive(Debug, Clone)]
pub struct Assumed {
    pub directory: Directory,
    pub provisioning_mode: ProvisioningMode,
    /// The verified domains that the directory speaks for.
    pub domains: Vec<DomainName>,
    pub credential: DirectoryCredential,
    /// Whether there is such a credential; else it was invented.
    pub credential_exists: bool,
    /// The one domain that the credential is bound to.
    pub bound_to: Option<DomainName>,
    /// Why the credential opens nothing, if it does not.
    pub refusal: Option<&'static str>,
}

/// A call that is about to be carried out on the stage, or was.
pub struct DryRun {
    rehearsal: Rehearsal,
    scope: TenantScope,
    /// For the functions of the SCIM door.
    pub services: Arc<Services>,
    /// The directory acts.
    pub ctx: Ctx,
    pub assumed: Assumed,
    _turn: Turn,
    _place: OwnedSemaphorePermit,
}

/// What a call would have left behind.
#[derive(Debug)]
pub struct Traces {
    pub events: Vec<NewEvent>,
    /// What they mean, at most [`NAMED`].
    pub effects: Vec<Effect>,
}

/// Prepares a dry run. Whoever holds it holds up others: carry out the call at once, within [`WITHIN`], then
/// [`DryRun::finish`]. Dropped, it leaves nothing behind either.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Invalid`] for a credential or domain that is none of this
/// directory; [`Error::Unavailable`] if there is no connection to the database to be had.
pub async fn begin(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    wanted: As,
) -> Result<DryRun, Error> {
    let scope = may(ctx, organization, Action::RehearseScim)?;
    let turn = services.dry_runs.turns.take(organization).await;
    let place = Arc::clone(&services.dry_runs.places).acquire_owned().await;
    let place = place.map_err(|_| Error::Internal("nobody closes the queue of rehearsals".to_owned()))?;
    let assumed = assume(services, ctx, scope, wanted).await?;
    let rehearsal = services.db.rehearse(PATIENCE, WITHIN).await?;
    let mut settings = services.settings.clone();
    settings.request_timeout = settings.request_timeout.min(WITHIN);
    let on_stage = Services {
        db: rehearsal.db().clone(),
        clock: Arc::clone(&services.clock),
        random: Arc::clone(&services.random),
        txt: Arc::clone(&services.txt),
        verifier: services.verifier.clone(),
        web: Arc::clone(&services.web),
        settings,
        caches: Caches::default(),
        group_turns: Turns::default(),
        user_turns: Turns::default(),
        look_ups: LookUps::default(),
        newcomers: Newcomers::default(),
        dry_runs: Waiting::default(),
        sealer: Arc::clone(&services.sealer),
        signing_keys: access_tokens::SigningKeys::new(),
        scim_log: RequestLog::new(0, false),
        sign_in_log: SignInLog::new(0, false),
    };
    Ok(DryRun {
        rehearsal,
        scope,
        services: Arc::new(on_stage),
        ctx: ctx.acting(assumed.actor()),
        assumed,
        _turn: turn,
        _place: place,
    })
}

impl DryRun {
    /// Reads what was done and takes it all back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer any more.
    pub async fn finish(self) -> Result<Traces, Error> {
        let events = self.rehearsal.events();
        let told = effects::of(&self.services, self.scope, &self.assumed, &events).await;
        self.rehearsal.end().await?;
        Ok(Traces { effects: told?, events })
    }
}

/// Remarks on what was assumed: what a real call would meet before anything else.
pub fn remarks(assumed: &Assumed) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |code, message: &str| {
        remarks.push(Remark { code, at: String::new(), message: message.to_owned() });
    };
    if assumed.credential_exists {
        if let Some(refusal) = assumed.refusal {
            remark("credential_refused", refusal);
        }
    } else {
        let message = "No live credential of this kind is there: until one is made, every real call is refused with \
                       401. This run took one as given.";
        remark("no_credential", message);
    }
    if assumed.domains.is_empty() {
        let message = "The directory speaks for no domain: verify one and set scim_enabled on it. Until then nobody \
                       becomes a member over SCIM.";
        remark("no_domain", message);
    }
    if assumed.provisioning_mode == ProvisioningMode::Manual {
        let message = "The organization's provisioning_mode is manual: SCIM makes no members of people who are none; \
                       deactivations always go through.";
        remark("manual_provisioning", message);
    }
    remarks
}

async fn assume(services: &Services, ctx: &Ctx, scope: TenantScope, wanted: As) -> Result<Assumed, Error> {
    let missing = || Error::not_found("organization");
    let db = &services.db;
    let directory = store::directories::find(db, scope).await?.ok_or_else(missing)?;
    let organization = store::organizations::find(db, scope).await?.ok_or_else(missing)?;
    let domains: Vec<_> =
        store::domains::list_of_directory(db, scope).await?.into_iter().map(|domain| domain.name).collect();
    let tokens = store::scim_tokens::list(db, scope).await?;
    let clients = store::scim_clients::list(db, scope).await?;
    let mut assumed = Assumed {
        provisioning_mode: organization.provisioning_mode,
        domains,
        credential: DirectoryCredential::Token(ScimTokenId::new(ctx.now, &*services.random)),
        credential_exists: false,
        bound_to: None,
        refusal: None,
        directory,
    };
    let oauth_only = assumed.directory.oauth_only;
    let live = |token: &&ScimToken| token.is_live(ctx.now) && !oauth_only;
    match wanted {
        As::Token(id) => {
            let token = tokens.iter().find(|token| token.id == id).ok_or_else(|| {
                Error::field(
                    "token_id",
                    "token_unknown",
                    format!("There is no SCIM token {id} in this directory."),
                )
            })?;
            assumed.take(DirectoryCredential::Token(id));
            if let Some(domain) = token.domain_id {
                assumed.bound_to = store::domains::find(db, scope, domain).await?.map(|domain| domain.name);
            }
            assumed.refusal =
                if token.revoked_at.is_some() || token.domain_id.is_some() && assumed.bound_to.is_none() {
                    Some("This SCIM token was revoked.")
                } else if !token.is_live(ctx.now) {
                    Some("This SCIM token has expired, or the overlap of its rotation has.")
                } else if oauth_only {
                    Some("The directory takes OAuth clients only (oauth_only), and this is a SCIM token.")
                } else {
                    None
                };
        }
        As::Client(id) => {
            let client = clients.iter().find(|client| client.id == id).ok_or_else(|| {
                let message = format!("There is no OAuth client {id} in this directory.");
                Error::field("client_id", "client_unknown", message)
            })?;
            assumed.take(DirectoryCredential::Client(id));
            assumed.refusal = client.revoked_at.map(|_| "This OAuth client was revoked.");
        }
        As::Domain(id) => {
            let domain = store::domains::find(db, scope, id).await?.ok_or_else(|| {
                let message = format!("There is no domain {id} in this organization.");
                Error::field("domain_id", "domain_unknown", message)
            })?;
            let bound = tokens.iter().filter(live).filter(|token| token.domain_id == Some(id));
            if let Some(token) = last_used(bound) {
                assumed.take(DirectoryCredential::Token(token.id));
            }
            assumed.bound_to = Some(domain.name);
        }
        As::Directory => {
            let tokens = tokens.iter().filter(live).filter(|token| token.domain_id.is_none());
            let clients = clients.iter().filter(|client| client.revoked_at.is_none());
            let token = last_used(tokens);
            let client = clients.max_by_key(|client: &&ScimClient| (client.last_used_at, client.created_at));
            match (token, client) {
                (Some(token), Some(client)) if client.last_used_at > token.last_used_at => {
                    assumed.take(DirectoryCredential::Client(client.id));
                }
                (Some(token), _) => assumed.take(DirectoryCredential::Token(token.id)),
                (None, Some(client)) => assumed.take(DirectoryCredential::Client(client.id)),
                (None, None) => {}
            }
        }
    }
    Ok(assumed)
}

fn last_used<'t>(tokens: impl Iterator<Item = &'t ScimToken>) -> Option<&'t ScimToken> {
    tokens.max_by_key(|token| (token.last_used_at, token.created_at))
}

impl Assumed {
    fn take(&mut self, credential: DirectoryCredential) {
        self.credential = credential;
        self.credential_exists = true;
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        Actor::Directory {
            credential: self.credential,
            directory: self.directory.id,
            organization: self.directory.organization_id,
            domain: self.bound_to.clone(),
        }
    }

    /// How the directory reads what is sent.
    pub const fn conformance(&self) -> Conformance {
        self.directory.conformance
    }
}
