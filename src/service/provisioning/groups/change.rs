//! PUT and PATCH: a directory group changes its name, its externalId, or who is in it. What changes nothing moves
//! neither version nor `lastModified`, and is no event.

use super::super::{Refusal, check_version, persist};
use super::members::{Changed, Place, carry_out};
use super::{Change, DirectoryGroup, fill, lost, not_found, resource, tell_members};
use crate::model::event::EventKind;
use crate::model::id::{DirectoryGroupId, DirectoryId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::membership::Membership;
use crate::protocol::scim::{GroupPatch, GroupResource, ScimError, SentGroup};
use crate::service::permissions;
use crate::service::roles::{self, People};
use crate::service::{Ctx, Services};
use crate::store;
use serde_json::json;

/// What to do to a directory group.
#[derive(Debug, Clone)]
pub enum GroupEdit {
    /// PUT: this is the whole resource; without `members` they stay as they are.
    Replace(SentGroup),
    /// PATCH.
    Patch(GroupPatch),
}

impl GroupEdit {
    /// The resource afterwards, and what happens to the members.
    fn apply(&self, before: &GroupResource) -> Result<(GroupResource, Membership), ScimError> {
        match self {
            Self::Replace(sent) => Ok((sent.group.clone(), sent.membership())),
            Self::Patch(patch) => Ok((before.patched(&patch.rest)?, patch.membership.clone())),
        }
    }
}

/// Changes a directory group; gives it as it is afterwards.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory; 412 if `if_match` names another version; what the PATCH
/// engine refuses; 400 `invalidValue` if a member is no user of this directory; 409 `uniqueness` for a name that is
/// taken. Then nothing was changed.
pub async fn change(
    services: &Services,
    ctx: &Ctx,
    id: &str,
    if_match: Option<&str>,
    edit: &GroupEdit,
) -> Result<DirectoryGroup, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    let known = DirectoryGroupId::from_bare(id).ok_or_else(|| not_found(id))?;
    let _turn = services.group_turns.take((directory, known)).await;
    persist(lost, || attempt(services, ctx, scope, (directory, known), if_match, edit))
        .await?
        .ok_or_else(|| not_found(id))
}

async fn attempt(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    (directory, id): (DirectoryId, DirectoryGroupId),
    if_match: Option<&str>,
    edit: &GroupEdit,
) -> Result<Option<DirectoryGroup>, Refusal> {
    let tx = services.begin().await?;
    let Some(before) = store::directory_groups::lock(&tx, scope, directory, id).await? else {
        return Ok(None);
    };
    check_version(before.version, if_match)?;
    let earlier = resource(&before);
    let (after, membership) = edit.apply(&earlier)?;
    let attributes = after.changed_since(&earlier);
    let changed = if membership.is_empty() {
        Changed::default()
    } else {
        carry_out(&tx, Place { scope, directory, group: id }, &membership, ctx.now).await?
    };
    if attributes.is_empty() && changed.is_empty() {
        return Ok(Some(before));
    }
    let mut row = before.clone();
    fill(&mut row, after);
    row.member_count += changed.growth();
    row.updated_at = ctx.now;
    let row = store::directory_groups::update(&tx, scope, row).await?;

    let mut change = Change { services, ctx, tx: &tx, scope, events: Vec::with_capacity(1) };
    if !attributes.is_empty() {
        let mut data = json!({ "changed": attributes, "display_name": row.display_name });
        if row.display_name != before.display_name {
            data["renamed_from"] = before.display_name.into();
        }
        change.event(EventKind::DirectoryGroupUpdated, row.id, data);
    }
    tell_members(&mut change, EventKind::DirectoryGroupMembersRemoved, &row, &changed.removed);
    tell_members(&mut change, EventKind::DirectoryGroupMembersAdded, &row, &changed.added);
    change.flush().await?;
    if row.mapped && !changed.is_empty() {
        let people: Vec<_> = changed.added.iter().chain(&changed.removed).copied().collect();
        roles::settle(services, &tx, ctx, scope, People::DirectoryUsers(&people)).await?;
    }
    tx.commit().await?;
    if !changed.added.is_empty() {
        services.caches.directories_with_groups.clear();
    }
    Ok(Some(row))
}
