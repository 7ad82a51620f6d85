//! DELETE: the directory user goes and its userName is free again; the member stays, deactivated, as the tombstone
//! that keeps just-in-time provisioning away (rule 8).

use super::person::Change;
use super::{DirectoryUser, Refusal, check_version, groups, not_found, within_reach};
use crate::model::event::EventKind;
use crate::model::id::DirectoryUserId;
use crate::service::permissions;
use crate::service::{Ctx, Services};
use crate::store;
use serde_json::json;

/// Deletes a directory user and ends the person's access; gives what it was.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory; 412 if `if_match` names another version.
pub async fn remove(
    services: &Services,
    ctx: &Ctx,
    id: &str,
    if_match: Option<&str>,
) -> Result<DirectoryUser, Refusal> {
    let (scope, directory, _) = permissions::directory_part(ctx)?;
    let known = DirectoryUserId::from_bare(id).ok_or_else(|| not_found(id))?;
    let _turn = services.user_turns.take((directory, known)).await;
    let tx = services.begin().await?;
    let row = store::directory_users::lock(&tx, scope, directory, known).await?;
    let row = row.filter(|row| within_reach(ctx, row)).ok_or_else(|| not_found(id))?;
    check_version(row.version, if_match)?;
    let mut change = Change { services, ctx, tx: &tx, scope, events: Vec::new() };
    let left = groups::leave_all(&change, directory, known).await?;
    if let Some(user) = row.user_id {
        change.end(user).await?;
    } else if let Some(address) = &row.address
        && change.footing(Some(address)).await?.is_some()
        && !change.another_stands_for(address).await?
        && let Some(user) = store::users::find_by_email(&tx, address).await?
    {
        // Held from before the domain was the directory's: the person may have come in by another way since.
        change.end(user.id).await?;
    }
    store::directory_users::delete(&tx, scope, directory, known).await?;
    let data = json!({ "user_name": row.user_name, "external_id": row.external_id, "user_id": row.user_id,
        "groups_left": left });
    change.event(EventKind::DirectoryUserDeleted, row.id, data);
    change.flush().await?;
    tx.commit().await?;
    Ok(row)
}
