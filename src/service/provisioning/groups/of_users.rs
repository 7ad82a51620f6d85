//! The groups that a user is in, as its representation shows them (`groups`, read-only): one query for a page of
//! users, and none for directories where nobody is in a group, which most are.

use super::super::Refusal;
use super::super::listing::Listing;
use super::{Change, DirectoryGroupId, Groups};
use crate::model::id::{DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::service::permissions;
use crate::service::{Ctx, Error, Services};
use crate::store::directory_group_members::GroupOfUser;
use crate::store::error::StoreError;
use crate::store::{self, Db};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Adds `groups` to representations of users of the caller's directory, where there are any. A credential that is
/// bound to one domain meets people, not groups.
pub async fn attach(services: &Services, ctx: &Ctx, users: &mut [Value]) -> Result<(), Refusal> {
    let (scope, directory, None) = permissions::directory_part(ctx)? else { return Ok(()) };
    let ids: Vec<DirectoryUserId> = users.iter().filter_map(id_of).collect();
    if ids.is_empty() || !any(services, scope, directory).await? {
        return Ok(());
    }
    let mut groups = by_user(&services.db, scope, &ids).await?;
    for user in users {
        if let Some(groups) = id_of(user).and_then(|id| groups.remove(&id)) {
            show(services, user, &groups);
        }
    }
    Ok(())
}

/// The groups that each of these directory users is in; who is in none is not there.
pub(in crate::service::provisioning) async fn by_user(
    db: &Db,
    scope: TenantScope,
    ids: &[DirectoryUserId],
) -> Result<HashMap<DirectoryUserId, Vec<GroupOfUser>>, StoreError> {
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    if !ids.is_empty() {
        for found in store::directory_group_members::groups_of(db, scope, ids).await? {
            groups.entry(found.user).or_default().push(found);
        }
    }
    Ok(groups)
}

/// Adds `groups` to the representation of a user who is in these.
pub(in crate::service::provisioning) fn show(services: &Services, user: &mut Value, groups: &[GroupOfUser]) {
    if let Value::Object(object) = user
        && !groups.is_empty()
    {
        // Before `meta`, as everything else that the resource says.
        let meta = object.shift_remove("meta");
        object.insert("groups".into(), groups.iter().map(|group| shown(services, group)).collect());
        object.extend(meta.map(|meta| ("meta".to_owned(), meta)));
    }
}

fn id_of(user: &Value) -> Option<DirectoryUserId> {
    DirectoryUserId::from_bare(user.get("id")?.as_str()?)
}

fn shown(services: &Services, found: &GroupOfUser) -> Value {
    let id = found.group.uuid().to_string();
    let reference = Groups::location(services, found.group.uuid());
    json!({ "value": id, "$ref": reference, "display": found.display, "type": "direct" })
}

/// Whether anybody of the directory is in a group.
pub(in crate::service::provisioning) async fn any(
    services: &Services,
    scope: TenantScope,
    directory: DirectoryId,
) -> Result<bool, Refusal> {
    let fetch = || async {
        Ok::<_, Error>(Some(store::directory_group_members::any(&services.db, scope, directory).await?))
    };
    Ok(services.caches.directories_with_groups.get(directory, fetch).await?.unwrap_or_default())
}

/// Takes a directory user that is about to be deleted out of all groups; tells which. The user's row is locked.
pub(in crate::service::provisioning) async fn leave_all(
    change: &Change<'_>,
    directory: DirectoryId,
    user: DirectoryUserId,
) -> Result<Vec<DirectoryGroupId>, Refusal> {
    let (tx, scope) = (change.tx, change.scope);
    let groups = store::directory_groups::lock_of_user(tx, scope, directory, user).await?;
    if !groups.is_empty() {
        store::directory_group_members::remove_user(tx, scope, user).await?;
        store::directory_groups::lose_one(tx, scope, directory, &groups, change.ctx.now).await?;
    }
    Ok(groups)
}
