//! Directory groups as the organization's people and keys see them over REST. They are the identity provider's: here
//! they are read, never changed.

pub use crate::store::directory_group_members::Inside;
pub use crate::store::directory_groups::DirectoryGroup;

use super::organizations::{check_search, reach};
use super::permissions::Action;
use super::{Ctx, Error, Services};
use crate::model::id::{DirectoryGroupId, DirectoryId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::store;
use std::collections::HashMap;

/// A group, and the roles that it gives.
#[derive(Debug, Clone)]
pub struct Group {
    pub row: DirectoryGroup,
    pub roles: Vec<Role>,
}

async fn directory(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<(TenantScope, DirectoryId), Error> {
    let scope = reach(services, ctx, organization, Action::ReadGroups).await?;
    let directory = store::directories::find(&services.db, scope).await?;
    Ok((scope, directory.ok_or_else(|| Error::not_found("organization"))?.id))
}

/// The roles of each group that gives one.
async fn roles(
    services: &Services,
    scope: TenantScope,
) -> Result<HashMap<DirectoryGroupId, Vec<Role>>, Error> {
    let mut roles: HashMap<_, Vec<Role>> = HashMap::new();
    for row in store::role_mappings::list(&services.db, scope).await? {
        roles.entry(row.group_id).or_default().push(row.role);
    }
    Ok(roles)
}

/// A page of the groups, in the order of their making.
///
/// # Errors
/// [`Error::Invalid`] for a search text that is too long or has control characters.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Page<Group>, Error> {
    let (scope, directory) = directory(services, ctx, organization).await?;
    check_search(search)?;
    let page = store::directory_groups::page(&services.db, scope, directory, search, request).await?;
    let mut roles = roles(services, scope).await?;
    Ok(page.map(|row| Group { roles: roles.remove(&row.id).unwrap_or_default(), row }))
}

/// One group.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DirectoryGroupId,
) -> Result<Group, Error> {
    let (scope, directory) = directory(services, ctx, organization).await?;
    let row = store::directory_groups::find(&services.db, scope, directory, id).await?;
    let row = row.ok_or_else(|| Error::not_found("group"))?;
    let roles = roles(services, scope).await?.remove(&row.id).unwrap_or_default();
    Ok(Group { row, roles })
}

/// A page of who is in a group.
pub async fn members(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DirectoryGroupId,
    request: &PageRequest,
) -> Result<Page<Inside>, Error> {
    let (scope, directory) = directory(services, ctx, organization).await?;
    let row = store::directory_groups::find(&services.db, scope, directory, id).await?;
    let row = row.ok_or_else(|| Error::not_found("group"))?;
    let mut page = store::directory_group_members::page(&services.db, scope, id, request).await?;
    if request.include_total {
        page.total = u64::try_from(row.member_count).ok();
    }
    Ok(page)
}
