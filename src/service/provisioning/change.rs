//! PUT and PATCH: a directory user changes, and the member with it.
//!
//! Rule 6 is asked of the address asserted and of the address held. A changed address must be on the directory's
//! domains before and after, and moves the user's own address with it: both domains are the organization's, so the
//! address is its to give, and an address left behind on the user would meet the next person who gets it. An address
//! that another domain's holder has given the user since is not touched. A deactivation is never refused: where the
//! rest of such a request may not be carried to the member, it is kept on the directory user alone.

use super::person::{Change, Outcome};
use super::{
    DirectoryUser, Refusal, address, check_version, fill, lost, name_taken, not_found, persist, resource,
    within_reach,
};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, DirectoryUserId, UserId};
use crate::model::state::{MemberStatus, Source};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::patch::Target;
use crate::protocol::scim::{PatchRequest, ResourceType, ScimError, UserResource};
use crate::service::permissions;
use crate::service::roles::{self, People};
use crate::service::schemas::{in_force, user_type};
use crate::service::{Ctx, Services};
use crate::store;
use serde_json::json;

/// What to do to a directory user.
#[derive(Debug, Clone)]
pub enum Edit {
    /// PUT: this is the whole resource. Without `active` it stays as it is.
    Replace(UserResource),
    /// PATCH.
    Patch(PatchRequest),
}

impl Edit {
    /// The resource afterwards.
    fn apply(&self, users: &ResourceType, before: &UserResource) -> Result<UserResource, ScimError> {
        let after = match self {
            Self::Replace(resource) => {
                let mut after = resource.clone();
                after.default_active(Some(before));
                after
            }
            // Where a PATCH takes `active` away, nothing is said of it any more, and access stays as it is.
            Self::Patch(request) => before.patched_as(users, request)?.0,
        };
        after.check_immutable(users, before)?;
        Ok(after)
    }

    /// Whether the request speaks of `active` at all.
    fn names_active(&self) -> bool {
        match self {
            Self::Replace(resource) => resource.active().is_some(),
            Self::Patch(request) => request.changes().iter().any(|change| match &change.target {
                Target::Attribute(path) => path.extension.is_none() && path.attribute == "active",
                Target::Extension(_) => false,
            }),
        }
    }
}

/// Changes a directory user; gives it as it is afterwards.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory; 412 if `if_match` names another version; what the PATCH
/// engine refuses; 400 `invalidValue` for an address that rule 6 does not allow; 409 `uniqueness` for a userName or
/// address that is taken.
pub async fn change(
    services: &Services,
    ctx: &Ctx,
    id: &str,
    if_match: Option<&str>,
    edit: &Edit,
) -> Result<DirectoryUser, Refusal> {
    let (scope, directory, _) = permissions::directory_part(ctx)?;
    let known = DirectoryUserId::from_bare(id).ok_or_else(|| not_found(id))?;
    let users = user_type(services, ctx).await?;
    let _turn = services.user_turns.take((directory, known)).await;
    persist(lost, || attempt(services, ctx, &users, scope, (directory, known), if_match, edit))
        .await?
        .ok_or_else(|| not_found(id))
}

/// What is known of the change by the time the member is looked at.
struct Case {
    before: DirectoryUser,
    /// The resource differs in these attributes.
    changed: Vec<String>,
    /// The address asserted now.
    asserted: Option<EmailAddress>,
    /// The request says that the person is not active.
    says_inactive: bool,
}

async fn attempt(
    services: &Services,
    ctx: &Ctx,
    users: &ResourceType,
    scope: TenantScope,
    (directory, id): (DirectoryId, DirectoryUserId),
    if_match: Option<&str>,
    edit: &Edit,
) -> Result<Option<DirectoryUser>, Refusal> {
    let tx = services.begin().await?;
    let before = store::directory_users::lock(&tx, scope, directory, id).await?;
    let Some(before) = before.filter(|row| within_reach(ctx, row)) else { return Ok(None) };
    check_version(before.version, if_match)?;
    let earlier = resource(&before);
    let mut after = edit.apply(users, &earlier)?;
    if after.changes_own(&earlier) {
        // What the request was read by may have been changed since.
        let users = in_force(services, &tx, scope, directory).await?;
        after = edit.apply(&users, &earlier)?.refit(&users)?;
    }
    let active = after.active().unwrap_or(before.active);
    let case = Case {
        changed: after.changed_since(&earlier),
        asserted: address(&after),
        says_inactive: edit.names_active() && !active,
        before: before.clone(),
    };
    let mut row = before.clone();
    row.active = active;
    fill(&mut row, after);
    let said_anew = row.asserted_role != before.asserted_role;
    if row.user_name_key != before.user_name_key {
        // Before the address is looked at, of which a refusal would tell less.
        let namesake =
            store::directory_users::find_by_name(&tx, scope, directory, &row.user_name_key).await?;
        if namesake.is_some_and(|row| within_reach(ctx, &row)) {
            return Err(name_taken().into());
        }
    }
    let may_count = row.active && !before.active || before.user_id.is_none();
    // Before any member is locked: whoever switches that locks the directory and then members.
    let lifts = (said_anew || row.asserted_role.is_some() && may_count)
        && store::directories::heeds_roles(&tx, scope).await?;

    let mut change = Change { services, ctx, tx: &tx, scope, events: Vec::new() };
    let outcome = match before.user_id {
        Some(user) => linked(&mut change, &case, user, &mut row).await?,
        None => held(&mut change, &case, &mut row).await?,
    };
    if case.changed.is_empty() && row == before {
        // Nothing of the resource changed. A member whom an owner had let back in may have been put out again.
        change.flush().await?;
        tx.commit().await?;
        return Ok(Some(before));
    }
    tell(&mut change, &case, &row, outcome);
    row.updated_at = ctx.now;
    let row = store::directory_users::update(&tx, scope, row).await?;
    change.flush().await?;
    if row.user_id.is_some() && (lifts || row.active && !before.active || row.user_id != before.user_id) {
        // What the directory gives comes back with the access (rule 13), or comes with the first link.
        roles::settle(services, &tx, ctx, scope, People::DirectoryUsers(&[row.id])).await?;
    }
    tx.commit().await?;
    Ok(Some(row))
}

/// Notes the events of the directory user itself.
fn tell(change: &mut Change<'_>, case: &Case, row: &DirectoryUser, outcome: Option<Outcome>) {
    let member = outcome.map(Outcome::as_str);
    let switched = row.active != case.before.active;
    let others: Vec<&String> = case.changed.iter().filter(|name| !switched || *name != "active").collect();
    if !others.is_empty() || row.user_id != case.before.user_id {
        let data = json!({ "changed": others, "user_name": row.user_name, "user_id": row.user_id });
        change.event(EventKind::DirectoryUserUpdated, row.id, data);
    }
    if switched {
        let kind = if row.active {
            EventKind::DirectoryUserReactivated
        } else {
            EventKind::DirectoryUserDeactivated
        };
        let data = json!({ "user_name": row.user_name, "user_id": row.user_id, "member": member });
        change.event(kind, row.id, data);
    }
}

/// The directory user stands for a user.
async fn linked(
    change: &mut Change<'_>,
    case: &Case,
    user: UserId,
    row: &mut DirectoryUser,
) -> Result<Option<Outcome>, Refusal> {
    let before = &case.before;
    let moved = case.asserted != before.address;
    let returning = row.active && !before.active;
    let leaving = !row.active && before.active;
    let profile = case.changed.iter().any(|name| name != "active");
    let mut allowed = true;
    if moved || profile || returning {
        allowed = both_ours(change, case, moved).await?;
        if !allowed && !leaving {
            if moved {
                return Err(change.foreign(case.asserted.as_ref(), &row.user_name).await?);
            }
            if !change.holds().await? {
                return Err(change.foreign(before.address.as_ref(), &row.user_name).await?);
            }
        }
    }
    if moved && allowed {
        if let Some(address) = &case.asserted {
            readdress(change, user, address).await?;
        }
        row.address.clone_from(&case.asserted);
    }
    if leaving || case.says_inactive {
        let member = store::members::find(change.tx, change.scope, user).await?;
        let there = member.is_some_and(|m| {
            m.status == MemberStatus::Active || leaving && m.status == MemberStatus::Deactivated
        });
        if there
            && let Some(ended) = change.end(user).await?
            && allowed
            && profile
        {
            change.describe(ended, row.address.as_ref(), row).await?;
        }
        return Ok(None);
    }
    let said = returning
        || moved
        || row.given_name != before.given_name
        || row.family_name != before.family_name
        || row.display_name != before.display_name
        || row.external_id != before.external_id;
    if !said || !allowed && !returning {
        return Ok(None);
    }
    let Some(member) = store::members::lock(change.tx, change.scope, user).await? else { return Ok(None) };
    if !allowed {
        // Whom an administrator let in, whatever the domain, the directory only puts out and lets back.
        let let_in = matches!(member.source, Source::Invite | Source::Rest);
        if !let_in || member.status == MemberStatus::Active {
            return Ok(None);
        }
        let after = member.clone();
        return change.let_back(member, after).await.map(Some);
    }
    if returning && member.status != MemberStatus::Active {
        let address = row.address.clone();
        return change.give_back(member, address.as_ref(), row).await.map(Some);
    }
    let address = if moved { row.address.clone() } else { None };
    change.describe(member, address.as_ref(), row).await?;
    Ok(None)
}

/// Rule 6, of the address asserted and of the address held.
async fn both_ours(change: &Change<'_>, case: &Case, moved: bool) -> Result<bool, Refusal> {
    let held = case.before.address.as_ref();
    if change.footing(held).await?.is_none() {
        return Ok(false);
    }
    if !moved || held.map(EmailAddress::domain) == case.asserted.as_ref().map(EmailAddress::domain) {
        return Ok(true);
    }
    Ok(change.footing(case.asserted.as_ref()).await?.is_some())
}

/// Gives the user the new address, if the one that the user has is the directory's to change.
async fn readdress(change: &Change<'_>, user: UserId, address: &EmailAddress) -> Result<(), Refusal> {
    let account = store::users::find(change.tx, user).await?;
    let current = account.and_then(|account| account.email);
    if let Some(current) = &current
        && change.footing(Some(current)).await?.is_none()
    {
        // Whose the address is by now, and on which domain, is nobody's business here (rule 17).
        return Err(ScimError::invalid_value(
            "This person's address cannot be changed from here: the person no longer has an address on a domain of \
             this directory.",
        )
        .into());
    }
    store::users::set_email(change.tx, user, address, change.ctx.now).await?;
    Ok(())
}

/// The directory user is held: nobody stands behind it yet. An address on a verified domain lets the person in now;
/// or ends the access of one who came in by another way meanwhile, if the directory says so.
async fn held(
    change: &mut Change<'_>,
    case: &Case,
    row: &mut DirectoryUser,
) -> Result<Option<Outcome>, Refusal> {
    let moved = case.asserted != case.before.address;
    row.address.clone_from(&case.asserted);
    let footing = change.footing(case.asserted.as_ref()).await?;
    let (Some(footing), Some(address)) = (footing, &case.asserted) else {
        if moved && row.active && !change.holds().await? {
            return Err(change.foreign(case.asserted.as_ref(), &row.user_name).await?);
        }
        return Ok(None);
    };
    if !row.active && change.another_stands_for(address).await? {
        return Ok(None);
    }
    let Some((user, outcome)) = change.take_in(footing, address, row).await? else { return Ok(None) };
    row.user_id = Some(user);
    Ok(Some(outcome))
}
