//! From the events of a rehearsal to what they mean for the people of the organization, in sentences, each with its
//! reason where there is one: the domain, the mapping, the rule. What events do not say is read from the rows as the
//! rehearsal left them.

use super::{Assumed, NAMED};
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::UserId;
use crate::model::state::ForeignAddresses;
use crate::model::tenant::TenantScope;
use crate::service::{Error, Services};
use crate::store;
use serde_json::Value;
use std::collections::HashMap;

/// What would become of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// `member`, `directory_user`, `invite` and so on: the first word of the event's kind.
    pub object: &'static str,
    /// What would happen to it: the second word.
    pub action: &'static str,
    /// Its id; that of what does not exist yet is an example.
    pub id: String,
    /// A sentence.
    pub summary: String,
    /// Why.
    pub because: Option<String>,
}

/// What the events mean.
pub(super) async fn of(
    services: &Services,
    scope: TenantScope,
    assumed: &Assumed,
    events: &[NewEvent],
) -> Result<Vec<Effect>, Error> {
    let mut teller = Teller { services, scope, assumed, names: HashMap::new() };
    let mut effects = Vec::with_capacity(events.len().min(NAMED));
    for event in events {
        if effects.len() >= NAMED {
            break;
        }
        teller.tell(event, &mut effects).await?;
    }
    effects.truncate(NAMED);
    Ok(effects)
}

struct Teller<'a> {
    services: &'a Services,
    scope: TenantScope,
    assumed: &'a Assumed,
    /// Users by their id.
    names: HashMap<String, String>,
}

fn text<'v>(data: &'v Value, name: &str) -> &'v str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(data: &Value, name: &str) -> u64 {
    data.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// "a, b and c".
fn list(data: &Value, name: &str) -> String {
    let words: Vec<&str> =
        data.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn plural(number: u64, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

impl Teller<'_> {
    async fn tell(&mut self, event: &NewEvent, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let data = &event.data;
        let (summary, because) = match event.kind {
            EventKind::DirectoryUserCreated => self.created(data),
            EventKind::DirectoryUserUpdated => {
                let who = text(data, "user_name");
                (format!("The directory user {who} would change in {}.", list(data, "changed")), None)
            }
            EventKind::DirectoryUserDeactivated => {
                let because =
                    "The call says that the person is not active: that is never refused.".to_owned();
                (format!("The directory user {} would be inactive.", text(data, "user_name")), Some(because))
            }
            EventKind::DirectoryUserReactivated => reactivated(data),
            EventKind::DirectoryUserDeleted => {
                let summary = format!(
                    "The directory user {} would be deleted, and its userName be free again.",
                    text(data, "user_name")
                );
                (summary, None)
            }
            EventKind::DirectoryGroupCreated => {
                let members = plural(number(data, "member_count"), "member", "members");
                (format!("The group {} would be created with {members}.", text(data, "display_name")), None)
            }
            EventKind::DirectoryGroupUpdated => {
                let changed = list(data, "changed");
                let summary = match text(data, "renamed_from") {
                    "" => format!("The group {} would change in {changed}.", text(data, "display_name")),
                    from => format!("The group {from} would be named {}.", text(data, "display_name")),
                };
                (summary, None)
            }
            EventKind::DirectoryGroupDeleted => {
                let group = text(data, "display_name");
                let members = plural(number(data, "member_count"), "person", "people");
                (format!("The group {group} would be deleted; {members} would leave it."), None)
            }
            EventKind::DirectoryGroupMembersAdded => {
                let people = plural(number(data, "count"), "person", "people");
                (format!("{people} would come into the group {}.", text(data, "display_name")), None)
            }
            EventKind::DirectoryGroupMembersRemoved => {
                let people = plural(number(data, "count"), "person", "people");
                (format!("{people} would leave the group {}.", text(data, "display_name")), None)
            }
            EventKind::MemberAdded => {
                let address = text(data, "email");
                let because = self.footing(address);
                (format!("{address} would become a member with the role {}.", text(data, "role")), because)
            }
            EventKind::MemberUpdated => {
                let who = self.name(&event.subject).await?;
                let because = "The directory says so of this person.".to_owned();
                (format!("The member {who} would change in {}.", list(data, "changed")), Some(because))
            }
            EventKind::MemberRoleChanged => {
                let who = self.name(&event.subject).await?;
                let (from, to) = (text(data, "from"), text(data, "to"));
                let because = self.role(event).await?;
                (format!("The member {who} would be {to} instead of {from}."), Some(because))
            }
            EventKind::MemberDeactivated => {
                self.ended(event, effects).await?;
                return Ok(());
            }
            EventKind::MemberReactivated => {
                let who = self.name(&event.subject).await?;
                let because = "SCIM put this person out, so that SCIM may give access back.".to_owned();
                (format!("The member {who} would get access back as {}.", text(data, "role")), Some(because))
            }
            EventKind::InviteAccepted => {
                let because = "It waits for the address that the directory brings.".to_owned();
                let email = text(data, "email");
                (format!("The pending invite to {email} would be taken up, with its role."), Some(because))
            }
            EventKind::InviteRevoked => {
                let because = "Whose access ends has no invites either.".to_owned();
                (format!("The invite to {} would be revoked.", text(data, "email")), Some(because))
            }
            EventKind::ApiKeyRotationDue => {
                let because = "The person who made it would lose access.".to_owned();
                (format!("The API key {} would be flagged for rotation.", text(data, "name")), Some(because))
            }
            EventKind::OrganizationOwnerless => {
                let because =
                    "Its last active owner would lose access: deprovisioning always wins.".to_owned();
                ("The organization would have no owner.".to_owned(), Some(because))
            }
            other => (format!("The event {other} would be recorded."), None),
        };
        effects.push(effect(event, summary, because));
        Ok(())
    }

    /// How a user of the organization is known.
    async fn name(&mut self, subject: &str) -> Result<String, Error> {
        if let Some(name) = self.names.get(subject) {
            return Ok(name.clone());
        }
        let mut name = subject.to_owned();
        if let Ok(user) = subject.parse::<UserId>()
            && let Some(member) = store::members::find(&self.services.db, self.scope, user).await?
        {
            name = member.email.map(|email| email.to_string()).or(member.display_name).unwrap_or(name);
        }
        self.names.insert(subject.to_owned(), name.clone());
        Ok(name)
    }

    /// Why an address may come in.
    fn footing(&self, address: &str) -> Option<String> {
        let domain = address.rsplit_once('@')?.1;
        let ours = self.assumed.domains.iter().any(|name| name.as_str() == domain);
        ours.then(|| format!("The address is on {domain}, a verified domain that the directory speaks for."))
    }

    fn created(&self, data: &Value) -> (String, Option<String>) {
        let who = text(data, "user_name");
        let (became, because) = match text(data, "member") {
            "added" => ("stand for a new member", None),
            "adopted" => (
                "be tied to the member who is there already",
                Some("Somebody with this address is a member: by an invite, a sign-in, or an administrator."),
            ),
            "reactivated" => (
                "be tied to a former member, who would get access back",
                Some("SCIM put this person out, so that SCIM may give access back."),
            ),
            "deactivated_elsewhere" => (
                "be tied to a member who stays out",
                Some(
                    "An administrator deactivated or removed this person: only whoever did, or an owner, gives access back.",
                ),
            ),
            _ => {
                let because = if self.assumed.directory.foreign_addresses == ForeignAddresses::Hold {
                    "The address is on none of the directory's domains, or is none; foreign_addresses is hold. An \
                     administrator's invite lets the person in."
                } else {
                    "Nobody may be made of it now."
                };
                ("be held without user or member", Some(because))
            }
        };
        let state = if data.get("active") == Some(&Value::Bool(false)) { ", inactive," } else { "" };
        (
            format!("The directory user {who} would be created{state} and {became}."),
            because.map(str::to_owned),
        )
    }

    /// A member's access ends.
    async fn ended(&mut self, event: &NewEvent, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let data = &event.data;
        let who = self.name(&event.subject).await?;
        let because = "Deactivation and deletion over SCIM end every way in at once, whatever the role.";
        let summary = format!("The member {who} ({}) would lose access.", text(data, "role"));
        effects.push(effect(event, summary, Some(because.to_owned())));
        let ends = [
            ("session", "ended", number(data, "sessions_ended"), "session", "sessions"),
            (
                "link",
                "removed",
                number(data, "links_removed"),
                "link to a SAML subject",
                "links to SAML subjects",
            ),
        ];
        for (object, action, count, one, more) in ends {
            if count > 0 {
                let summary = format!("{} of {who} would be {action}.", plural(count, one, more));
                effects.push(Effect { object, action, id: event.subject.clone(), summary, because: None });
            }
        }
        Ok(())
    }

    /// What a role comes from.
    async fn role(&self, event: &NewEvent) -> Result<String, Error> {
        let to = text(&event.data, "to");
        if text(&event.data, "because") == "roles" {
            return Ok(format!(
                "The directory says the role {to} of this person (`roles`), and roles_on_users is set."
            ));
        }
        let (db, scope) = (&self.services.db, self.scope);
        let person = match event.subject.parse::<UserId>() {
            Ok(user) => store::directory_users::find_by_user(db, scope, user).await?,
            Err(_) => None,
        };
        let mut groups = Vec::new();
        if let Some(person) = person {
            let mapping = store::role_mappings::list(db, scope).await?;
            for inside in store::directory_group_members::groups_of(db, scope, &[person.id]).await? {
                if mapping.iter().any(|entry| entry.group_id == inside.group && entry.role.as_str() == to) {
                    groups.push(inside.display);
                }
            }
        }
        Ok(if groups.is_empty() {
            "No group of this person gives a higher role any more.".to_owned()
        } else {
            format!("The role mapping gives {to} to the members of {}.", groups.join(", "))
        })
    }
}

fn reactivated(data: &Value) -> (String, Option<String>) {
    let who = text(data, "user_name");
    if text(data, "member") == "deactivated_elsewhere" {
        let because = "An administrator deactivated or removed this person: only whoever did, or an owner, gives access back.";
        return (
            format!("The directory user {who} would be active, but the person stays out."),
            Some(because.to_owned()),
        );
    }
    (format!("The directory user {who} would be active again."), None)
}

fn effect(event: &NewEvent, summary: String, because: Option<String>) -> Effect {
    let (object, action) = event.kind.as_str().split_once('.').unwrap_or((event.kind.as_str(), ""));
    Effect { object, action, id: event.subject.clone(), summary, because }
}
