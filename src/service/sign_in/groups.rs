//! Roles from the groups that an assertion names: by the mapping that directories' groups give roles by, for whoever is
//! kept by no directory (that one decides where there is one). An admin at most, an owner never (rule 8).
//!
//! The usual sign-in changes nothing, and finds that out from what it reads and keeps anyway.

use super::person::Person;
use super::{Entry, Stop};
use crate::model::event::EventKind;
use crate::model::state::Role;
use crate::service::roles;
use crate::store::entries::Known;
use crate::store::{self, Tx};
use serde_json::json;

impl Entry<'_> {
    /// Whether the groups that came change the role of somebody who is known.
    pub(super) async fn changes_role(&self, known: &Known) -> Result<bool, Stop> {
        if known.kept_by_directory || known.role == Role::Owner {
            return Ok(false);
        }
        if !known.has_mapping {
            return Ok(known.unmapped_role.is_some());
        }
        let mapping = roles::names(self.services, self.scope).await?;
        let mapped = roles::by_names(&mapping, &self.verified.identity.groups);
        Ok(roles::decide(known.role, known.unmapped_role, mapped, true).is_some())
    }

    /// The role of somebody who becomes a member with this one, and what it is without the groups.
    pub(super) async fn role_of_newcomer(&self, tx: &Tx, own: Role) -> Result<(Role, Option<Role>), Stop> {
        let groups = &self.verified.identity.groups;
        if groups.is_empty() {
            return Ok((own, None));
        }
        let mapping = store::role_mapping_names::all(tx, self.scope).await?;
        let mapped = roles::by_names(&mapping, groups);
        Ok(roles::decide(own, None, mapped, true).unwrap_or((own, None)))
    }

    /// Brings the role of a member in line with the groups that came. The member's row is locked.
    pub(super) async fn settle_role(&self, tx: &Tx, person: &mut Person) -> Result<(), Stop> {
        let groups = &self.verified.identity.groups;
        let (before, unmapped) = (person.member.role, person.member.unmapped_role);
        if person.kept_by_directory || before == Role::Owner || (groups.is_empty() && unmapped.is_none()) {
            return Ok(());
        }
        let present = roles::names(self.services, self.scope).await?;
        if roles::decide(before, unmapped, roles::by_names(&present, groups), true).is_none() {
            return Ok(());
        }
        let mapping = store::role_mapping_names::all(tx, self.scope).await?;
        let mapped = roles::by_names(&mapping, groups);
        let Some((role, unmapped)) = roles::decide(before, unmapped, mapped, true) else { return Ok(()) };
        person.member.role = role;
        person.member.unmapped_role = unmapped;
        person.member.updated_at = self.now();
        person.member = store::members::update(tx, self.scope, person.member.clone()).await?;
        if role != before {
            let data =
                json!({ "from": before, "to": role, "because": "groups", "connection": self.connection.id });
            self.record(tx, EventKind::MemberRoleChanged, person.member.user_id, data).await?;
        }
        Ok(())
    }
}
