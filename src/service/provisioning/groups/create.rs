//! POST: a new directory group with its members.

use super::super::{Refusal, persist};
use super::members::{Place, carry_out};
use super::{Change, DirectoryGroup, fill, lost, tell_members};
use crate::model::event::EventKind;
use crate::model::id::{DirectoryGroupId, DirectoryId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::SentGroup;
use crate::service::permissions;
use crate::service::{Ctx, Services};
use crate::store;
use serde_json::{Value, json};

/// Creates a directory group.
///
/// # Errors
/// 409 `uniqueness` if the name is taken, in whatever case; 400 `invalidValue` if a member is no user of this
/// directory.
pub async fn create(services: &Services, ctx: &Ctx, sent: &SentGroup) -> Result<DirectoryGroup, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    persist(lost, || attempt(services, ctx, scope, directory, sent)).await
}

async fn attempt(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    directory: DirectoryId,
    sent: &SentGroup,
) -> Result<DirectoryGroup, Refusal> {
    let membership = sent.membership();
    let mut row = DirectoryGroup {
        id: DirectoryGroupId::new(ctx.now, &*services.random),
        organization_id: scope.organization(),
        directory_id: directory,
        display_name: String::new(),
        display_name_key: String::new(),
        external_id: None,
        attributes: Value::Null,
        member_count: i64::try_from(membership.added().len()).unwrap_or(i64::MAX),
        mapped: false,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    };
    fill(&mut row, sent.group.clone());
    let tx = services.begin().await?;
    store::directory_groups::insert(&tx, row.clone()).await?;
    let place = Place { scope, directory, group: row.id };
    let changed = carry_out(&tx, place, &membership, ctx.now).await?;
    let mut change = Change { services, ctx, tx: &tx, scope, events: Vec::with_capacity(2) };
    let data = json!({
        "display_name": row.display_name,
        "external_id": row.external_id,
        "member_count": row.member_count,
    });
    change.event(EventKind::DirectoryGroupCreated, row.id, data);
    tell_members(&mut change, EventKind::DirectoryGroupMembersAdded, &row, &changed.added);
    change.flush().await?;
    tx.commit().await?;
    if row.member_count > 0 {
        services.caches.directories_with_groups.clear();
    }
    Ok(row)
}
