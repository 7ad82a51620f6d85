//! Roles that come from a directory: who gets which, and giving and taking them.
//!
//! They come from groups, by the mapping, and where the directory is set so from what it says of a user itself (`roles`).
//! A group may give several roles and a role may come from several groups; the highest wins, an admin at most, and an
//! owner's role is nobody's but the owners' to change. What the directory lifted goes with the group, or with
//! the word, and the person falls
//! back to what they were without it. Every change of a group's members, of a group, of the mapping, or of somebody's
//! access ends here, in its own transaction.

use super::{Ctx, Error, Services};
use crate::model::email::EmailAddress;
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::UserId;
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::protocol::scim::name::fold;
use crate::store::domains::Domain;
use crate::store::role_mapping_names::NamedRole;
pub(super) use crate::store::role_mappings::People;
use crate::store::role_mappings::Standing;
use crate::store::{self, Tx};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What an IdP may give, the lowest first: owners are no IdP's.
pub(super) const GIVEN: [Role; 2] = [Role::Member, Role::Admin];

/// The role that a value of `roles` names, by the id of a Role and without case; whatever else it says sets nothing.
pub(super) fn named(value: &str) -> Option<Role> {
    GIVEN.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(value.trim()))
}

/// Events written in one statement at most.
const EVENTS_AT_ONCE: usize = 1_000;

/// What a member's role is to be, and what it would be without the groups: `None` if it is as it should be.
///
/// `ours` says whether the directory speaks for the person's address: nobody else is lifted (rule 6), but what was
/// given is always taken.
pub(super) fn decide(
    role: Role,
    unmapped: Option<Role>,
    mapped: Option<Role>,
    ours: bool,
) -> Option<(Role, Option<Role>)> {
    if role == Role::Owner {
        return None;
    }
    let own = unmapped.unwrap_or(role);
    let given = mapped.map_or(own, |mapped| mapped.min(Role::Admin));
    let wanted = own.max(given);
    if wanted > role && !ours {
        return None;
    }
    let next = (wanted, (wanted > own).then_some(own));
    (next != (role, unmapped)).then_some(next)
}

/// Whether the directory speaks for an address: it is on one of its domains.
pub(super) fn speaks_for(domains: &[Domain], address: Option<&EmailAddress>) -> bool {
    address.is_some_and(|address| domains.iter().any(|domain| domain.name.as_str() == address.domain()))
}

/// Brings the roles of the members behind these people in line with their groups; tells how many changed.
///
/// What changes groups, mapping or access is written already. The caller commits.
pub(super) async fn settle(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    people: People<'_>,
) -> Result<usize, Error> {
    store::role_mappings::lock_members(tx, scope, people).await?;
    let standings = store::role_mappings::standings(tx, scope, people).await?;
    // Most often nothing changes, and then nobody asks for domains.
    let moving = |ours: bool| {
        standings.iter().filter_map(move |s| Some((s, decide(s.role, s.unmapped_role, s.mapped(), ours)?)))
    };
    if moving(true).next().is_none() {
        return Ok(0);
    }
    let domains = store::domains::list_of_directory(tx, scope).await?;
    let mut groups: BTreeMap<(Role, Option<Role>), Vec<UserId>> = BTreeMap::new();
    let mut events = Vec::new();
    for (standing, _) in moving(true) {
        let ours = speaks_for(&domains, standing.address.as_ref());
        let Some((role, unmapped)) = decide(standing.role, standing.unmapped_role, standing.mapped(), ours)
        else {
            continue;
        };
        groups.entry((role, unmapped)).or_default().push(standing.user_id);
        if role != standing.role {
            events.push(NewEvent {
                organization: scope.organization(),
                kind: EventKind::MemberRoleChanged,
                actor: ctx.actor.clone(),
                subject: standing.user_id.to_string(),
                data: json!({ "from": standing.role, "to": role, "because": because(standing) }),
            });
        }
    }
    let mut changed = 0;
    for (roles, users) in groups {
        changed += users.len();
        store::role_mappings::set_roles(tx, scope, &users, roles, ctx.now).await?;
    }
    while !events.is_empty() {
        let rest = events.split_off(events.len().min(EVENTS_AT_ONCE));
        store::events::insert_all(tx, std::mem::replace(&mut events, rest), ctx.now, &*services.random)
            .await?;
    }
    Ok(changed)
}

/// What groups give that assertions name, for at most a second as it was.
///
/// # Errors
/// Only those of the database.
pub(super) async fn names(services: &Services, scope: TenantScope) -> Result<Arc<[NamedRole]>, Error> {
    let read = || async {
        let names = store::role_mapping_names::all(&services.db, scope).await?;
        Ok::<_, Error>(Some(Arc::from(names)))
    };
    let found = services.caches.role_names.get(scope.organization(), read).await?;
    Ok(found.unwrap_or_else(|| Arc::from(Vec::new())))
}

/// The highest role that groups give which an assertion names: by their name, without case, or by what the IdP knows a
/// group of the directory by.
pub(super) fn by_names(mapping: &[NamedRole], groups: &[String]) -> Option<Role> {
    if mapping.is_empty() || groups.is_empty() {
        return None;
    }
    let keys: HashSet<String> = groups.iter().map(|group| fold(group)).collect();
    let ids: HashSet<&str> = groups.iter().map(String::as_str).collect();
    let is_in = |named: &&NamedRole| {
        keys.contains(&named.name_key) || named.external_id.as_deref().is_some_and(|id| ids.contains(id))
    };
    mapping.iter().filter(is_in).map(|named| named.role).max()
}

/// What a role comes from, as the event tells it.
fn because(standing: &Standing) -> &'static str {
    if standing.asserted().is_some() && standing.asserted() == standing.mapped() { "roles" } else { "groups" }
}

/// The highest role that the directory gives a member. The member's row is locked.
pub(super) async fn given(tx: &Tx, scope: TenantScope, user: UserId) -> Result<Option<Role>, Error> {
    let standings = store::role_mappings::standings(tx, scope, People::User(user)).await?;
    Ok(standings.iter().filter_map(Standing::mapped).max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Admin, Member, Owner};

    #[test]
    fn the_highest_role_wins_and_goes_with_the_group() {
        for (role, unmapped, mapped, expected) in [
            (Member, None, None, None),
            (Member, None, Some(Member), None),
            (Member, None, Some(Admin), Some((Admin, Some(Member)))),
            (Admin, Some(Member), Some(Admin), None),
            (Admin, Some(Member), Some(Member), Some((Member, None))),
            (Admin, Some(Member), None, Some((Member, None))),
            // The person's own role stays.
            (Admin, None, None, None),
            (Admin, None, Some(Member), None),
            (Admin, None, Some(Admin), None),
            // Owners are nobody's business, and groups make none.
            (Owner, None, Some(Member), None),
            (Owner, None, None, None),
            (Member, None, Some(Owner), Some((Admin, Some(Member)))),
        ] {
            assert_eq!(decide(role, unmapped, mapped, true), expected, "{role} {unmapped:?} {mapped:?}");
        }
    }

    #[test]
    fn groups_are_known_by_their_name_without_case_or_by_what_the_idp_calls_them() {
        let named = |name: &str, id: Option<&str>, role| NamedRole {
            name_key: fold(name),
            external_id: id.map(str::to_owned),
            role,
        };
        let mapping = [named("Straße", None, Member), named("Admins", Some("4f-01"), Admin)];
        for (groups, expected) in [
            (&["STRASSE", "x"] as &[&str], fold("Straße") == fold("STRASSE")),
            (&["straße"], true),
            (&["Admin", "Straß"], false),
            (&[], false),
        ] {
            let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
            assert_eq!(by_names(&mapping, &groups), expected.then_some(Member), "{groups:?}");
        }
        for group in ["admins", "4f-01"] {
            assert_eq!(by_names(&mapping, &[group.to_owned(), "straße".to_owned()]), Some(Admin), "{group}");
        }
        assert_eq!(by_names(&mapping, &["4F-01".to_owned()]), None, "an id is compared to the letter");
    }

    #[test]
    fn values_name_what_may_be_given_and_nothing_else() {
        for (value, role) in [
            ("admin", Some(Admin)),
            (" Member ", Some(Member)),
            ("ADMIN", Some(Admin)),
            ("owner", None),
            ("Administrator", None),
            ("", None),
        ] {
            assert_eq!(named(value), role, "{value:?}");
        }
    }

    #[test]
    fn whom_the_directory_does_not_speak_for_is_not_lifted_but_let_down() {
        assert_eq!(decide(Member, None, Some(Admin), false), None);
        assert_eq!(decide(Admin, Some(Member), None, false), Some((Member, None)));
    }
}
