//! From a verified assertion to a member (rules 6 to 8, 10a, 11): a link that is there, a first link by the address,
//! or somebody new, by invite or just in time. All within the transaction of the sign-in, with the member's row
//! locked when it comes back.

use super::{Entry, Reason, Stop};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{LinkId, PendingLinkId, UserId};
use crate::model::state::{
    FirstLink, InviteStatus, MemberStatus, PendingLinkReason, PendingLinkStatus, ProvisioningMode, Role,
    Source,
};
use crate::model::tenant::InstallationScope;
use crate::service::pending_links::Wanted;
use crate::service::{Error, enforcement, invites};
use crate::store::connections::Serving;
use crate::store::domains::Domain;
use crate::store::error::StoreError;
use crate::store::links::{Holder, Link};
use crate::store::members::Member;
use crate::store::organizations::Organization;
use crate::store::users::User;
use crate::store::{self, Tx};
use serde_json::json;
use std::time::Duration;

/// How often the use of a link is written at most.
pub(super) const TOUCH_EVERY: Duration = Duration::from_mins(1);
/// Names are cut here.
const LONGEST_NAME: usize = 200;

/// Who signs in.
pub(super) struct Person {
    /// Active, and locked.
    pub member: Member,
    /// Whether the member was made just now.
    pub created: bool,
    /// Whether the link was made just now.
    pub linked: bool,
    /// Whether a directory user stands for the member.
    pub kept_by_directory: bool,
    /// What else an administrator should know.
    pub note: Option<&'static str>,
}

fn gone(status: MemberStatus) -> Reason {
    Reason::Deprovisioned {
        how: if status == MemberStatus::Removed {
            "the person was removed from the organization; the tombstone keeps them from being made again"
        } else {
            "the member is deactivated"
        },
    }
}

/// Deprovisioning always wins (rule 11), from whichever side it came.
fn may_enter(member: &Member, directory_active: Option<bool>) -> Result<(), Reason> {
    if member.status != MemberStatus::Active {
        return Err(gone(member.status));
    }
    if directory_active == Some(false) {
        return Err(Reason::Deprovisioned { how: "the directory user is inactive" });
    }
    Ok(())
}

impl Entry<'_> {
    /// Finds or makes the member that the assertion is about.
    pub(super) async fn person(&self, tx: &Tx) -> Result<(Person, Organization), Stop> {
        let Serving { domain, organization, .. } = self.serves(tx, &self.verified.address).await?;
        let mut person = self.person_on(tx, &organization, &domain).await?;
        if !person.created {
            self.settle_role(tx, &mut person).await?;
        }
        Ok((person, organization))
    }

    async fn person_on(&self, tx: &Tx, organization: &Organization, domain: &Domain) -> Result<Person, Stop> {
        let (connection, subject) = (self.connection.id, self.verified.subject.as_str());
        if let Some(holder) = store::links::lock_holder(tx, self.scope, connection, subject).await? {
            // A link by address stands only while the person has that address; then it may be anybody's.
            if holder.link.immutable || holder.user.email.as_ref() == Some(&self.verified.address) {
                return self.linked(tx, holder).await;
            }
            store::links::delete(tx, self.scope, holder.link.id).await?;
        }
        let user = store::users::find_by_email(tx, &self.verified.address).await?;
        if let Some(user) = &user
            && let Some(member) = store::members::lock(tx, self.scope, user.id).await?
        {
            return self.first_link(tx, organization, user, member).await;
        }
        self.newcomer(tx, organization, domain, user).await
    }

    /// The domain of an address, if this connection may speak for it; both stay as they are until the end.
    async fn serves(&self, tx: &Tx, address: &EmailAddress) -> Result<Serving, Stop> {
        let found =
            store::connections::share_serving(tx, self.scope, self.connection.id, address.domain()).await?;
        let Some(serving) = found else {
            let served = self.served(tx).await?;
            return Err(Reason::ForeignDomain { domain: address.domain().to_owned(), served }.into());
        };
        // The certificates that verified the response must still be the connection's.
        if serving.connection.version != self.connection.version {
            return Err(Reason::ConnectionChanged.into());
        }
        Ok(serving)
    }

    async fn served(&self, tx: &Tx) -> Result<Vec<String>, Stop> {
        let domains = store::domains::list_of_connection(tx, self.scope, self.connection.id).await?;
        let verified = |d: &Domain| d.status == crate::model::state::DomainStatus::Verified;
        Ok(domains.into_iter().filter(verified).map(|d| d.name.to_string()).collect())
    }

    /// The member whom the subject is linked to, if it is linked and the person may enter; nothing is changed.
    pub(super) async fn known_person(&self, tx: &Tx) -> Result<Option<Member>, Stop> {
        self.serves(tx, &self.verified.address).await?;
        let (connection, subject) = (self.connection.id, self.verified.subject.as_str());
        let Some(holder) = store::links::lock_holder(tx, self.scope, connection, subject).await? else {
            return Ok(None);
        };
        may_enter(&holder.member, holder.directory_active)?;
        let theirs = holder.link.immutable || holder.user.email.as_ref() == Some(&self.verified.address);
        Ok(theirs.then_some(holder.member))
    }

    /// Somebody who signed in here before.
    async fn linked(&self, tx: &Tx, holder: Holder) -> Result<Person, Stop> {
        let Holder { link, user, member, directory_active } = holder;
        may_enter(&member, directory_active)?;
        let now = self.now();
        if now.since(link.last_used_at) >= TOUCH_EVERY {
            store::links::touch(tx, self.scope, link.id, now).await?;
        }
        let kept_by_directory = directory_active.is_some();
        let mut person = Person { member, created: false, linked: false, kept_by_directory, note: None };
        if user.email.as_ref() != Some(&self.verified.address) {
            self.readdress(tx, &mut person, user).await?;
        }
        Ok(person)
    }

    /// The IdP has another address for somebody it is linked to: taken over where it may speak for both addresses and
    /// nobody else has the new one.
    async fn readdress(&self, tx: &Tx, person: &mut Person, user: User) -> Result<(), Stop> {
        let (address, now) = (&self.verified.address, self.now());
        if let Some(held) = &user.email {
            match self.serves(tx, held).await {
                Ok(_) => {}
                Err(Stop::Refused(Reason::ForeignDomain { served, .. })) => {
                    return Err(Reason::ForeignHolder { served }.into());
                }
                Err(stop) => return Err(stop),
            }
        }
        if store::users::find_by_email(tx, address).await?.is_some() {
            person.note =
                Some("the asserted address belongs to somebody else, so the person keeps the old one");
            return Ok(());
        }
        store::users::set_email(tx, user.id, address, now).await?;
        if person.member.email == user.email {
            person.member.email = Some(address.clone());
            person.member.updated_at = now;
            person.member = store::members::update(tx, self.scope, person.member.clone()).await?;
        }
        let data = json!({ "email": { "from": user.email, "to": address }, "by": self.connection.id });
        self.record(tx, EventKind::MemberUpdated, user.id, data).await
    }

    /// A member who has this address but signs in with this subject for the first time.
    async fn first_link(
        &self,
        tx: &Tx,
        organization: &Organization,
        user: &User,
        member: Member,
    ) -> Result<Person, Stop> {
        let stands = store::directory_users::find_by_user(tx, self.scope, user.id).await?;
        let kept_by_directory = stands.is_some();
        may_enter(&member, stands.map(|directory_user| directory_user.active))?;
        let (now, verified, connection) = (self.now(), &self.verified, self.connection.id);
        if let Some(other) = store::links::find_by_user(tx, self.scope, connection, user.id).await? {
            if other.subject == verified.subject {
                // Linked by another sign-in since this one looked.
                return Ok(Person { member, created: false, linked: false, kept_by_directory, note: None });
            }
            let because = PendingLinkReason::OtherSubject;
            // An address as key gives way to what never changes: the same proof as this one, or a weaker one.
            let confirmed =
                if other.immutable { self.may_link(tx, user, &member, because).await? } else { None };
            let (subject, immutable) = (&verified.subject, verified.immutable);
            store::links::rekey(tx, self.scope, other.id, subject, immutable, now).await?;
            let mut data = json!({ "connection": connection, "replaces": other.subject });
            if other.immutable {
                data["confirmed"] = json!(confirmed);
                data["sessions_ended"] = json!(self.prove(tx, user).await?);
            }
            self.record(tx, EventKind::MemberLinked, user.id, data).await?;
            return Ok(Person { member, created: false, linked: true, kept_by_directory, note: None });
        }
        let confirmed = match organization.first_link {
            FirstLink::Off => return Err(Reason::FirstLinkOff.into()),
            FirstLink::Address if member.role != Role::Owner => None,
            FirstLink::Address | FirstLink::Confirm => {
                self.may_link(tx, user, &member, PendingLinkReason::FirstLink).await?
            }
        };
        self.link(tx, user.id).await?;
        let ended = self.prove(tx, user).await?;
        let mut data =
            json!({ "connection": connection, "address": verified.address, "sessions_ended": ended });
        data["confirmed"] = json!(confirmed);
        self.record(tx, EventKind::MemberLinked, user.id, data).await?;
        Ok(Person { member, created: false, linked: true, kept_by_directory, note: None })
    }

    /// Whether the subject may be linked to this member, where the address alone does not do: an owner does it themselves,
    /// and for everybody else an administrator has confirmed it. The confirmation that counted is used up.
    async fn may_link(
        &self,
        tx: &Tx,
        user: &User,
        member: &Member,
        because: PendingLinkReason,
    ) -> Result<Option<PendingLinkId>, Stop> {
        if member.role == Role::Owner {
            return if self.is_signed_in(tx, member).await? {
                Ok(None)
            } else {
                Err(Reason::OwnerLink.into())
            };
        }
        let (connection, verified) = (self.connection.id, &self.verified);
        let row = store::pending_links::lock_of_user(tx, self.scope, connection, user.id, self.now()).await?;
        match row.filter(|row| row.subject == verified.subject && row.immutable == verified.immutable) {
            // Somebody who has become an administrator since is confirmed by one of them, not by less.
            Some(row) if row.confirmed_up_to >= Some(member.role) => {
                store::pending_links::delete(tx, self.scope, row.id).await?;
                Ok(Some(row.id))
            }
            Some(row) if row.status == PendingLinkStatus::Dismissed => Err(Reason::LinkDismissed.into()),
            _ => Err(Reason::LinkPending(Box::new(Wanted {
                connection,
                user: user.id,
                subject: verified.subject.clone(),
                immutable: verified.immutable,
                address: verified.address.clone(),
                because,
            }))
            .into()),
        }
    }

    /// Whether this very person was signed in to this organization in this browser when the sign-in was begun, at a
    /// form of ours rather than at a link that somebody sent.
    async fn is_signed_in(&self, tx: &Tx, member: &Member) -> Result<bool, Stop> {
        let Some(session) = self.attempt.session_id.filter(|_| self.attempt.own_page) else {
            return Ok(false);
        };
        let session = store::sessions::find(tx, self.scope, session, self.now()).await?;
        let Some(session) = session.filter(|session| session.user_id == member.user_id) else {
            return Ok(false);
        };
        match enforcement::of_session_within(tx, self.scope, &session, member, self.now()).await {
            Ok(_permit) => Ok(true),
            Err(Error::Unauthenticated { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody who is no member: by invite, else just in time where that is on.
    async fn newcomer(
        &self,
        tx: &Tx,
        organization: &Organization,
        domain: &Domain,
        known: Option<User>,
    ) -> Result<Person, Stop> {
        let (now, address) = (self.now(), &self.verified.address);
        self.nobody_has_the_address(tx).await?;
        if store::directory_users::is_held_inactive(tx, self.scope, address).await? {
            return Err(Reason::Deprovisioned { how: "the directory user is inactive" }.into());
        }
        let invite = store::invites::find_pending(tx, self.scope, address).await?;
        let invite = match invite.filter(|invite| invite.expires_at > now) {
            // Whoever invited must still be one who could.
            Some(invite) => invites::owner_behind(tx, self.scope, &invite).await?.map(|_| invite),
            None => None,
        };
        if invite.is_none() {
            if organization.provisioning_mode != ProvisioningMode::Jit {
                return Err(Reason::JitOff {
                    how: "the organization's provisioning_mode does not make members just in time",
                }
                .into());
            }
            if !domain.jit_provisioning_enabled {
                return Err(Reason::JitOff { how: "just-in-time provisioning is off for the domain" }.into());
            }
        }
        let user = match &known {
            Some(user) => user.clone(),
            None => store::users::obtain(tx, address, now, &*self.services.random).await?,
        };
        let role = invite.as_ref().map_or(Role::Member, |invite| invite.role.min(Role::Admin));
        let source = if invite.is_some() { Source::Invite } else { Source::Jit };
        let (role, unmapped) = self.role_of_newcomer(tx, role).await?;
        let member = Member { unmapped_role: unmapped, ..self.member(user.id, role, source) };
        store::members::insert(tx, member.clone()).await?;
        let mut data = json!({ "email": address, "role": role, "source": source });
        data["connection"] = json!(self.connection.id);
        data["without_groups"] = json!(unmapped);
        if let Some(invite) = &invite {
            let status = InviteStatus::Accepted;
            if !store::invites::answer(tx, self.scope, invite.id, status, Some(user.id), now).await? {
                // Answered in between by a link: begin again and find the member.
                return Err(StoreError::Stale.into());
            }
            let accepted = json!({ "email": address, "user": user.id, "by": "sign_in" });
            self.record(tx, EventKind::InviteAccepted, invite.id, accepted).await?;
            data["invite"] = json!(invite.id);
        }
        self.link(tx, user.id).await?;
        self.prove(tx, &user).await?;
        self.record(tx, EventKind::MemberAdded, user.id, data).await?;
        Ok(Person { member, created: true, linked: true, kept_by_directory: false, note: None })
    }

    /// Members are also known by their contact address: a leaver's tombstone holds there too.
    async fn nobody_has_the_address(&self, tx: &Tx) -> Result<(), Stop> {
        let address = &self.verified.address;
        let same = store::members::find_by_email(tx, self.scope, address).await?;
        if let Some(gone_one) = same.iter().find(|member| member.status != MemberStatus::Active) {
            return Err(gone(gone_one.status).into());
        }
        let Some(other) = same.first() else { return Ok(()) };
        let holder = store::users::find_by_email(tx, address).await?;
        if holder.is_some_and(|user| user.id == other.user_id) {
            // Made by another sign-in since this one looked: begin again and find the link.
            return Err(StoreError::Stale.into());
        }
        Err(Reason::SubjectConflict {
            how: "the address is the contact address of a member whose own address is another one",
        }
        .into())
    }

    fn member(&self, user: UserId, role: Role, source: Source) -> Member {
        let (now, identity) = (self.now(), &self.verified.identity);
        let name = |text: &Option<String>| {
            text.as_ref().map(|t| t.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect())
        };
        Member {
            organization_id: self.scope.organization(),
            user_id: user,
            email: Some(self.verified.address.clone()),
            given_name: name(&identity.given_name),
            family_name: name(&identity.family_name),
            display_name: name(&identity.display_name),
            role,
            unmapped_role: None,
            status: MemberStatus::Active,
            source,
            external_id: None,
            deactivated_by: None,
            deactivated_by_id: None,
            deactivated_at: None,
            also_deactivated_by: None,
            joined_at: now,
            updated_at: now,
            version: 1,
        }
    }

    async fn link(&self, tx: &Tx, user: UserId) -> Result<(), Stop> {
        let now = self.now();
        let link = Link {
            id: LinkId::new(now, &*self.services.random),
            organization_id: self.scope.organization(),
            connection_id: self.connection.id,
            user_id: user,
            subject: self.verified.subject.clone(),
            immutable: self.verified.immutable,
            created_at: now,
            last_used_at: now,
        };
        Ok(store::links::insert(tx, link).await?)
    }

    /// The first link proves the address and ends what came before it: somebody else may have signed up with the
    /// address (rule 7). Tells how many sessions ended.
    async fn prove(&self, tx: &Tx, user: &User) -> Result<u64, Stop> {
        let now = self.now();
        if user.email_proven_at.is_none() {
            store::users::set_proven(tx, user.id, now).await?;
        }
        let installation = InstallationScope::established();
        Ok(store::sessions::end_of_user_everywhere(tx, installation, user.id, now).await?)
    }

    pub(super) async fn record(
        &self,
        tx: &Tx,
        kind: EventKind,
        subject: impl std::fmt::Display,
        data: serde_json::Value,
    ) -> Result<(), Stop> {
        let organization = self.scope.organization();
        Ok(self.services.record(tx, &self.ctx, organization, kind, subject, data).await?)
    }
}
