//! Giving back together whom one credential of the directory put out: the way back from a sync that went wrong.
//!
//! Only those whose access that credential's calls ended since the time given, and of whom nobody else has said since
//! that they are out: an administrator's word stays (rule 13), and so does another credential's. The directory users are
//! called active again, as they were before; people come back as ordinary members with what their groups give, and sign
//! in anew. It speaks for an owner, so it is a change of trust. Each batch is one transaction with its events; what was
//! given back when something fails stays so, and the same call goes on from there.

use super::permissions::{Action, may};
use super::roles::{self, People};
use super::{Ctx, Error, Services, access};
use crate::model::email::EmailAddress;
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::{OrganizationId, ScimClientId, ScimTokenId, UserId};
use crate::model::state::{KeptOut, MemberStatus, Role, Source};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::store;
use crate::store::deactivations::Batch;
use crate::store::members::Member;
use serde_json::{Value, json};

/// People given back in one transaction.
const AT_ONCE: u64 = 200;
/// People given back in one call; the next one goes on.
const MOST: usize = 5_000;
/// An answer names so many of those who stay out; it counts all.
const NAMED: usize = 200;

/// Whose deactivations are given back.
#[derive(Debug, Clone, Copy)]
pub enum Credential {
    Token(ScimTokenId),
    Client(ScimClientId),
}

/// What is to be given back.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub credential: Credential,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// Somebody who stays out.
#[derive(Debug, Clone)]
pub struct Left {
    pub user: UserId,
    pub email: Option<EmailAddress>,
    pub display_name: Option<String>,
    pub because: KeptOut,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct GivenBack {
    pub reactivated: usize,
    pub kept_out: usize,
    /// Those of them who are named.
    pub left: Vec<Left>,
    /// Whether nobody is left whom another call would give back.
    pub complete: bool,
}

/// Gives back whom one credential of the directory put out since a time.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for a credential that is none of this directory, or an end before the
/// beginning.
pub async fn give_back(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    wanted: Wanted,
) -> Result<GivenBack, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    may(ctx, organization, Action::ChangeTrust)?;
    if wanted.until.is_some_and(|until| until < wanted.since) {
        return Err(Error::field("until", "out_of_range", "The end lies before the beginning (since)."));
    }
    let actor_id = known(services, scope, wanted.credential).await?;
    let batch = Batch { actor_id, since: wanted.since, until: wanted.until };
    let mut done = GivenBack::default();
    let mut after = None;
    loop {
        let users = store::deactivations::next(&services.db, scope, &batch, after, AT_ONCE).await?;
        let Some(last) = users.last() else {
            done.complete = true;
            return Ok(done);
        };
        after = Some(*last);
        some(services, ctx, scope, &batch, &users, &mut done).await?;
        if done.reactivated >= MOST {
            let more = store::deactivations::next(&services.db, scope, &batch, after, 1).await?;
            done.complete = more.is_empty();
            return Ok(done);
        }
    }
}

/// The id by which the credential stands in events. Revoked ones count too: that is what one does first.
async fn known(services: &Services, scope: TenantScope, credential: Credential) -> Result<String, Error> {
    match credential {
        Credential::Token(id) => {
            if store::scim_tokens::find(&services.db, scope, id).await?.is_none() {
                let message = format!("There is no SCIM token {id} in this organization's directory.");
                return Err(Error::field("token_id", "token_unknown", message));
            }
            Ok(id.to_string())
        }
        Credential::Client(id) => {
            if store::scim_clients::find(&services.db, scope, id).await?.is_none() {
                let message = format!("There is no OAuth client {id} in this organization's directory.");
                return Err(Error::field("client_id", "client_unknown", message));
            }
            Ok(id.to_string())
        }
    }
}

/// Why a member of the batch stays out, if so.
fn kept_out(member: &Member) -> Option<KeptOut> {
    match (member.status, member.also_deactivated_by) {
        (MemberStatus::Removed, _) => Some(KeptOut::Removed),
        (_, None) => None,
        (_, Some(Source::Scim)) => Some(KeptOut::AnotherCredential),
        (_, Some(_)) => Some(KeptOut::Administrator),
    }
}

/// One transaction's worth of people.
async fn some(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    batch: &Batch,
    users: &[UserId],
    done: &mut GivenBack,
) -> Result<(), Error> {
    let tx = services.begin().await?;
    access::maker(&tx, ctx, scope, Role::Owner).await?;
    let (people, members) = store::deactivations::lock(&tx, scope, batch, users).await?;
    let (stay, come): (Vec<_>, Vec<_>) = members.into_iter().partition(|m| kept_out(m).is_some());
    let ids: Vec<UserId> = come.iter().map(|member| member.user_id).collect();
    let people: Vec<_> =
        people.into_iter().filter(|person| person.user_id.is_some_and(|user| ids.contains(&user))).collect();
    if !ids.is_empty() {
        store::deactivations::give_back(&tx, scope, &ids, ctx.now).await?;
        let event = |kind, subject: String, data: Value| NewEvent {
            organization: scope.organization(),
            kind,
            actor: ctx.actor.clone(),
            subject,
            data,
        };
        let mut events: Vec<_> = ids
            .iter()
            .map(|user| {
                let data = json!({ "role": Role::Member, "because": "batch", "undoes": batch.actor_id });
                event(EventKind::MemberReactivated, user.to_string(), data)
            })
            .collect();
        events.extend(people.iter().map(|person| {
            let data =
                json!({ "user_name": person.user_name, "user_id": person.user_id, "because": "batch" });
            event(EventKind::DirectoryUserReactivated, person.id.to_string(), data)
        }));
        store::events::insert_all(&tx, events, ctx.now, &*services.random).await?;
        let people: Vec<_> = people.iter().map(|person| person.id).collect();
        if !people.is_empty() {
            store::deactivations::call_active(&tx, scope, &people, ctx.now).await?;
            roles::settle(services, &tx, ctx, scope, People::DirectoryUsers(&people)).await?;
        }
        tx.commit().await?;
    }
    done.reactivated += ids.len();
    for member in stay {
        let Some(because) = kept_out(&member) else { continue };
        done.kept_out += 1;
        if done.left.len() < NAMED {
            let Member { user_id: user, email, display_name, .. } = member;
            done.left.push(Left { user, email, display_name, because });
        }
    }
    Ok(())
}
