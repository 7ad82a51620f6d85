//! From a directory user to the member behind it: who stands on the directory's domains, and what happens to the
//! member when the directory speaks.

use super::Refusal;
use crate::model::actor::Actor;
use crate::model::dns_name::DomainName;
use crate::model::email::EmailAddress;
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::{InviteId, UserId};
use crate::model::state::{ForeignAddresses, InviteStatus, MemberStatus, ProvisioningMode, Role, Source};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::ScimError;
use crate::service::{Ctx, Error, Services, access, invites};
use crate::store::directories::{DirectorySettings, Footing};
use crate::store::directory_users::DirectoryUser;
use crate::store::members::Member;
use crate::store::{self, Tx};
use serde_json::{Value, json};

/// A change under way: its transaction, and the events that are written at its end in one statement.
pub(super) struct Change<'a> {
    pub services: &'a Services,
    pub ctx: &'a Ctx,
    pub tx: &'a Tx,
    pub scope: TenantScope,
    pub events: Vec<NewEvent>,
}

/// What became of the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A new member.
    Added,
    /// Somebody who was a member already, by invite, sign-in or administrator.
    Adopted,
    /// Access was given back.
    Reactivated,
    /// An administrator deactivated or removed this person, so SCIM gives nothing back (rule 13).
    DeactivatedElsewhere,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Adopted => "adopted",
            Self::Reactivated => "reactivated",
            Self::DeactivatedElsewhere => "deactivated_elsewhere",
        }
    }
}

impl Change<'_> {
    /// Notes an event for the end of the transaction.
    pub(super) fn event(&mut self, kind: EventKind, subject: impl std::fmt::Display, data: Value) {
        self.events.push(event(self.ctx, self.scope, kind, subject, data));
    }

    /// Writes the events noted so far.
    pub(super) async fn flush(&mut self) -> Result<(), Refusal> {
        let events = std::mem::take(&mut self.events);
        store::events::insert_all(self.tx, events, self.ctx.now, &*self.services.random).await?;
        Ok(())
    }

    /// What an address stands on: `None` if it is not on a verified domain of the directory, or is none (rule 6).
    /// A credential that is bound to one domain stands on no other.
    pub(super) async fn footing(&self, address: Option<&EmailAddress>) -> Result<Option<Footing>, Refusal> {
        match address {
            Some(address) if may_stand_on(self.ctx, address) => {
                Ok(store::directories::footing(self.tx, self.scope, address, self.ctx.now).await?)
            }
            _ => Ok(None),
        }
    }

    /// What the directory is set to.
    pub(super) async fn settings(&self) -> Result<DirectorySettings, Refusal> {
        let settings = store::directories::settings(self.tx, self.scope).await?;
        Ok(settings.ok_or_else(|| Error::Internal("an organization without a directory".to_owned()))?)
    }

    /// Whether the directory holds people on foreign addresses; for a credential that is bound to one domain nobody is.
    pub(super) async fn holds(&self) -> Result<bool, Refusal> {
        Ok(bound_to(self.ctx).is_none() && self.settings().await?.foreign_addresses == ForeignAddresses::Hold)
    }

    /// The refusal of a foreign address, which names those that are allowed.
    pub(super) async fn foreign(
        &self,
        address: Option<&EmailAddress>,
        user_name: &str,
    ) -> Result<Refusal, Refusal> {
        let mut domains = store::domains::list_of_directory(self.tx, self.scope).await?;
        let who = if let Some(bound) = bound_to(self.ctx) {
            domains.retain(|domain| domain.name == *bound);
            "this SCIM credential is bound to one domain"
        } else {
            "this directory provisions people on its verified domains only"
        };
        let allowed = match domains.as_slice() {
            [] => "It has none yet: verify a domain and enable SCIM for it.".to_owned(),
            domains => {
                let names: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
                format!("Allowed domains: {}.", names.join(", "))
            }
        };
        let found = if let Some(address) = address {
            format!("The address is on the domain {}", address.domain())
        } else {
            // Whoever meant an address is told what is wrong with it.
            let wrong = EmailAddress::parse(user_name).err().filter(|_| user_name.contains('@'));
            let because = wrong.map(|error| format!(" (of the userName: {error})").replace(".)", ")"));
            let because = because.unwrap_or_default();
            format!("Neither userName nor a primary or work e-mail is an e-mail address{because}")
        };
        Ok(ScimError::invalid_value(format!("{found}, and {who}. {allowed}")).into())
    }

    /// Lets in the person behind an address of the directory's domains: makes the member, adopts the one that is
    /// there, or gives access back. `None` if that would make a member and the organization's mode is `manual`.
    pub(super) async fn take_in(
        &mut self,
        footing: Footing,
        address: &EmailAddress,
        row: &DirectoryUser,
    ) -> Result<Option<(UserId, Outcome)>, Refusal> {
        let manual = footing.provisioning_mode == ProvisioningMode::Manual;
        let (user, fresh) = if manual {
            // A user is only made where a member may follow.
            match store::users::find_by_email(self.tx, address).await? {
                Some(user) => (user.id, false),
                None => return Ok(None),
            }
        } else {
            let (user, fresh) =
                store::users::obtain_proven(self.tx, address, self.ctx.now, &*self.services.random).await?;
            (user.id, fresh)
        };
        let member = if fresh {
            None
        } else if row.active {
            store::members::lock(self.tx, self.scope, user).await?
        } else {
            // Ending access locks in its own order.
            store::members::find(self.tx, self.scope, user).await?
        };
        let outcome = match member {
            None if manual => return Ok(None),
            None => self.join(user, footing, address, row).await?,
            Some(member) => self.meet(member, address, row).await?,
        };
        Ok(Some((user, outcome)))
    }

    /// Whether a directory user stands for the person with this address already.
    pub(super) async fn another_stands_for(&self, address: &EmailAddress) -> Result<bool, Refusal> {
        let Some(user) = store::users::find_by_email(self.tx, address).await? else { return Ok(false) };
        Ok(store::directory_users::find_by_user(self.tx, self.scope, user.id).await?.is_some())
    }

    /// Makes the member, in the role of a pending invite if there is one, an admin at most.
    async fn join(
        &mut self,
        user: UserId,
        footing: Footing,
        address: &EmailAddress,
        row: &DirectoryUser,
    ) -> Result<Outcome, Refusal> {
        let role = match footing.invite_id {
            Some(invite) if row.active => self.take_up(invite, user).await?,
            _ => Role::Member,
        };
        let member = joining(self.ctx, self.scope, user, address, row, role);
        store::members::insert(self.tx, member).await?;
        self.event(EventKind::MemberAdded, user, told_of_joining(address, role));
        if !row.active {
            self.end(user).await?;
        }
        Ok(Outcome::Added)
    }

    /// Takes up the pending invite for the person: the role that it gives, an admin at most. An invite whose inviter
    /// could not invite any more gives none, and is taken back.
    async fn take_up(&mut self, id: InviteId, user: UserId) -> Result<Role, Refusal> {
        let Some(invite) = store::invites::find(self.tx, self.scope, id).await? else {
            return Ok(Role::Member);
        };
        let fit = invites::owner_behind(self.tx, self.scope, &invite).await?.is_some();
        let status = if fit { InviteStatus::Accepted } else { InviteStatus::Revoked };
        let taken = fit.then_some(user);
        if !store::invites::answer(self.tx, self.scope, id, status, taken, self.ctx.now).await? {
            return Ok(Role::Member);
        }
        if !fit {
            let data = json!({ "email": invite.email, "because": "inviter_gone" });
            self.event(EventKind::InviteRevoked, id, data);
            return Ok(Role::Member);
        }
        let role = invite.role.min(Role::Admin);
        let data = json!({ "email": invite.email, "role": role, "user_id": user, "by": Source::Scim });
        self.event(EventKind::InviteAccepted, id, data);
        Ok(role)
    }

    /// Links a directory user to a member who is there.
    async fn meet(
        &mut self,
        member: Member,
        address: &EmailAddress,
        row: &DirectoryUser,
    ) -> Result<Outcome, Refusal> {
        if !row.active {
            let user = member.user_id;
            return Ok(match self.end(user).await? {
                Some(ended) => {
                    self.describe(ended, Some(address), row).await?;
                    Outcome::Adopted
                }
                None => Outcome::DeactivatedElsewhere,
            });
        }
        if member.status == MemberStatus::Active {
            self.describe(member, Some(address), row).await?;
            return Ok(Outcome::Adopted);
        }
        self.give_back(member, Some(address), row).await
    }

    /// Gives access back where SCIM took it (rule 13), as an ordinary member, with what the directory says of the person.
    pub(super) async fn give_back(
        &mut self,
        member: Member,
        address: Option<&EmailAddress>,
        row: &DirectoryUser,
    ) -> Result<Outcome, Refusal> {
        let (described, _) = described(member.clone(), address, row);
        self.let_back(member, described).await
    }

    /// Gives access back where SCIM took it (rule 13), as an ordinary member, who is `after` then.
    pub(super) async fn let_back(&mut self, member: Member, after: Member) -> Result<Outcome, Refusal> {
        if access::may_reactivate(self.ctx, &member, Source::Scim).is_err() {
            // What the directory said before, it says no more; the administrator's word stands.
            access::waive(self.tx, self.ctx, self.scope, member, Source::Scim).await?;
            return Ok(Outcome::DeactivatedElsewhere);
        }
        access::give_back(self.services, self.tx, self.ctx, self.scope, after, Role::Member).await?;
        Ok(Outcome::Reactivated)
    }

    /// Carries what the directory says of a person to the member, if it says anything new.
    pub(super) async fn describe(
        &mut self,
        member: Member,
        address: Option<&EmailAddress>,
        row: &DirectoryUser,
    ) -> Result<(), Refusal> {
        if member.status == MemberStatus::Removed {
            return Ok(());
        }
        let user = member.user_id;
        let (mut described, changed) = described(member, address, row);
        if changed.is_empty() {
            return Ok(());
        }
        described.updated_at = self.ctx.now;
        store::members::update(self.tx, self.scope, described).await?;
        self.event(EventKind::MemberUpdated, user, json!({ "changed": changed, "source": Source::Scim }));
        Ok(())
    }

    /// Ends every way in; the member afterwards, or `None` if there is none that was not removed.
    pub(super) async fn end(&mut self, user: UserId) -> Result<Option<Member>, Refusal> {
        // What was noted so far happened before.
        self.flush().await?;
        let ended =
            access::end(self.services, self.tx, self.ctx, self.scope, user, Source::Scim, false).await;
        match ended {
            Ok(ended) => Ok(Some(ended.member)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// An event of the directory's doing.
pub(super) fn event(
    ctx: &Ctx,
    scope: TenantScope,
    kind: EventKind,
    subject: impl std::fmt::Display,
    data: Value,
) -> NewEvent {
    let organization = scope.organization();
    NewEvent { organization, kind, actor: ctx.actor.clone(), subject: subject.to_string(), data }
}

/// The one domain that the credential is bound to, if it is bound.
fn bound_to(ctx: &Ctx) -> Option<&DomainName> {
    match &ctx.actor {
        Actor::Directory { domain, .. } => domain.as_ref(),
        _ => None,
    }
}

/// Whether the credential reaches the domain of this address; whether the directory does is another question.
pub(super) fn may_stand_on(ctx: &Ctx, address: &EmailAddress) -> bool {
    bound_to(ctx).is_none_or(|domain| domain.as_str() == address.domain())
}

/// What the event of a new member tells.
pub(super) fn told_of_joining(address: &EmailAddress, role: Role) -> Value {
    json!({ "email": address, "role": role, "source": Source::Scim })
}

/// The new member for a directory user, active.
pub(super) fn joining(
    ctx: &Ctx,
    scope: TenantScope,
    user: UserId,
    address: &EmailAddress,
    row: &DirectoryUser,
    role: Role,
) -> Member {
    Member {
        organization_id: scope.organization(),
        user_id: user,
        email: Some(address.clone()),
        given_name: row.given_name.clone(),
        family_name: row.family_name.clone(),
        display_name: row.display_name.clone(),
        role,
        unmapped_role: None,
        status: MemberStatus::Active,
        source: Source::Scim,
        external_id: row.external_id.clone(),
        deactivated_by: None,
        deactivated_by_id: None,
        deactivated_at: None,
        also_deactivated_by: None,
        joined_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    }
}

/// The member with what the directory says, and the names of what that changes.
fn described(
    member: Member,
    address: Option<&EmailAddress>,
    row: &DirectoryUser,
) -> (Member, Vec<&'static str>) {
    let mut described = member.clone();
    described.given_name.clone_from(&row.given_name);
    described.family_name.clone_from(&row.family_name);
    described.display_name.clone_from(&row.display_name);
    described.external_id.clone_from(&row.external_id);
    if let Some(address) = address {
        described.email = Some(address.clone());
    }
    let changed = [
        ("email", described.email != member.email),
        ("given_name", described.given_name != member.given_name),
        ("family_name", described.family_name != member.family_name),
        ("display_name", described.display_name != member.display_name),
        ("external_id", described.external_id != member.external_id),
    ];
    let changed = changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect();
    (described, changed)
}
