//! DELETE: the directory group goes with its memberships; its name is free again. The people stay.

use super::super::{Refusal, check_version};
use super::{Change, not_found, tell_members};
use crate::model::event::EventKind;
use crate::model::id::DirectoryGroupId;
use crate::service::permissions;
use crate::service::roles::{self, People};
use crate::service::{Ctx, Services};
use crate::store;
use serde_json::json;
use std::collections::BTreeSet;

/// Deletes a directory group.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory; 412 if `if_match` names another version.
pub async fn remove(
    services: &Services,
    ctx: &Ctx,
    id: &str,
    if_match: Option<&str>,
) -> Result<String, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    let known = DirectoryGroupId::from_bare(id).ok_or_else(|| not_found(id))?;
    let _turn = services.group_turns.take((directory, known)).await;
    let tx = services.begin().await?;
    let row = store::directory_groups::lock(&tx, scope, directory, known).await?;
    let row = row.ok_or_else(|| not_found(id))?;
    check_version(row.version, if_match)?;
    let left = store::directory_group_members::keep_only(&tx, scope, known, &BTreeSet::new()).await?;
    let given = store::role_mappings::delete_of_group(&tx, scope, known).await?;
    store::directory_groups::delete(&tx, scope, directory, known).await?;
    let mut change = Change { services, ctx, tx: &tx, scope, events: Vec::with_capacity(2) };
    tell_members(&mut change, EventKind::DirectoryGroupMembersRemoved, &row, &left);
    let data = json!({
        "display_name": row.display_name,
        "external_id": row.external_id,
        "member_count": row.member_count,
        "roles": given,
    });
    change.event(EventKind::DirectoryGroupDeleted, row.id, data);
    change.flush().await?;
    if row.mapped {
        roles::settle(services, &tx, ctx, scope, People::DirectoryUsers(&left)).await?;
    }
    tx.commit().await?;
    Ok(row.display_name)
}
