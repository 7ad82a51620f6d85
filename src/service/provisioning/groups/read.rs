//! GET: one directory group, who is in it, and how directory groups are listed.

use super::super::Refusal;
use super::super::listing::{Kind, Listing, Reach, Resource, Wanted};
use super::{DirectoryGroup, not_found, representation};
use crate::model::id::DirectoryGroupId;
use crate::protocol::scim::membership::MEMBERS;
use crate::protocol::scim::{IndexKey, fold};
use crate::service::permissions;
use crate::service::{Ctx, Error, Services};
use crate::store;
use std::collections::HashMap;
use uuid::Uuid;

/// One directory group.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory.
pub async fn find(services: &Services, ctx: &Ctx, id: &str) -> Result<DirectoryGroup, Refusal> {
    let (scope, directory) = permissions::directory(ctx)?;
    let known = DirectoryGroupId::from_bare(id).ok_or_else(|| not_found(id))?;
    let row = store::directory_groups::find(&services.db, scope, directory, known).await?;
    row.ok_or_else(|| not_found(id))
}

/// Who is in these groups, which are the caller's: one query.
pub async fn members(
    services: &Services,
    ctx: &Ctx,
    rows: &[DirectoryGroup],
) -> Result<HashMap<DirectoryGroupId, Vec<Uuid>>, Refusal> {
    let (scope, _) = permissions::directory(ctx)?;
    let groups: Vec<_> = rows.iter().filter(|row| row.member_count > 0).map(|row| row.id).collect();
    if groups.is_empty() {
        return Ok(HashMap::new());
    }
    let mut members: HashMap<_, Vec<Uuid>> = HashMap::with_capacity(groups.len());
    let mut last: Option<(DirectoryGroupId, Vec<Uuid>)> = None;
    for (group, user) in store::directory_group_members::list(&services.db, scope, &groups).await? {
        match &mut last {
            Some((of, list)) if *of == group => list.push(user.uuid()),
            _ => members.extend(last.replace((group, vec![user.uuid()]))),
        }
    }
    members.extend(last);
    Ok(members)
}

/// Directory groups as a resource type that is listed.
#[derive(Debug, Clone, Copy)]
pub struct Groups;

impl Listing for Groups {
    type Table = store::scim::Groups;
    const ENDPOINT: &'static str = "/scim/v2/Groups/";

    fn reach(ctx: &Ctx) -> Result<Reach<'_>, Error> {
        let (scope, directory) = permissions::directory(ctx)?;
        Ok(Reach { scope, directory, domain: None })
    }

    async fn represent(
        services: &Services,
        ctx: &Ctx,
        rows: Vec<DirectoryGroup>,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Resource>, Refusal> {
        let mut inside = HashMap::new();
        if wanted.names(MEMBERS) {
            inside = members(services, ctx, &rows).await?;
        }
        let resource = |row: &DirectoryGroup| Resource {
            kind: Kind::Group,
            whole: representation(services, row),
            members: inside.remove(&row.id).unwrap_or_default(),
        };
        Ok(rows.iter().map(resource).collect())
    }

    async fn look_up(
        services: &Services,
        ctx: &Ctx,
        key: IndexKey<'_>,
        wanted: Wanted<'_>,
    ) -> Result<Option<Vec<Resource>>, Refusal> {
        let Reach { scope, directory, .. } = Self::reach(ctx)?;
        let found = match key {
            IndexKey::DisplayName(name) => {
                store::directory_groups::find_by_name(&services.db, scope, directory, &fold(name)).await?
            }
            IndexKey::Id(id) => match DirectoryGroupId::from_bare(id) {
                Some(id) => store::directory_groups::find(&services.db, scope, directory, id).await?,
                None => None,
            },
            _ => return Ok(None),
        };
        Self::represent(services, ctx, found.into_iter().collect(), wanted).await.map(Some)
    }
}
