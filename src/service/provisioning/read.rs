//! GET: one directory user, and how directory users are listed.

use super::groups::attach;
use super::listing::{Kind, Listing, Reach, Resource, Wanted};
use super::{DirectoryUser, Refusal, not_found, representation, within_reach};
use crate::model::id::DirectoryUserId;
use crate::protocol::scim::{IndexKey, fold};
use crate::service::permissions;
use crate::service::schemas::user_type;
use crate::service::{Ctx, Error, Services};
use crate::store;

/// One directory user.
///
/// # Errors
/// 404 for an id of any shape that is none of this directory.
pub async fn find(services: &Services, ctx: &Ctx, id: &str) -> Result<DirectoryUser, Refusal> {
    let (scope, directory, _) = permissions::directory_part(ctx)?;
    let known = DirectoryUserId::from_bare(id).ok_or_else(|| not_found(id))?;
    let row = store::directory_users::find(&services.db, scope, directory, known).await?;
    row.filter(|row| within_reach(ctx, row)).ok_or_else(|| not_found(id))
}

/// Directory users as a resource type that is listed.
#[derive(Debug, Clone, Copy)]
pub struct Users;

impl Listing for Users {
    type Table = store::scim::Users;
    const ENDPOINT: &'static str = "/scim/v2/Users/";

    fn reach(ctx: &Ctx) -> Result<Reach<'_>, Error> {
        let (scope, directory, domain) = permissions::directory_part(ctx)?;
        Ok(Reach { scope, directory, domain })
    }

    async fn represent(
        services: &Services,
        ctx: &Ctx,
        rows: Vec<DirectoryUser>,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Resource>, Refusal> {
        let users = user_type(services, ctx).await?;
        let mut resources: Vec<_> = rows.iter().map(|row| representation(services, &users, row)).collect();
        if wanted.names("groups") {
            attach(services, ctx, &mut resources).await?;
        }
        let resource = |whole| Resource { kind: Kind::User, whole, members: Vec::new() };
        Ok(resources.into_iter().map(resource).collect())
    }

    async fn look_up(
        services: &Services,
        ctx: &Ctx,
        key: IndexKey<'_>,
    ) -> Result<Option<Vec<DirectoryUser>>, Refusal> {
        let Reach { scope, directory, .. } = Self::reach(ctx)?;
        let found = match key {
            IndexKey::UserName(name) => {
                store::directory_users::find_by_name(&services.db, scope, directory, &fold(name)).await?
            }
            IndexKey::Id(id) => match DirectoryUserId::from_bare(id) {
                Some(id) => store::directory_users::find(&services.db, scope, directory, id).await?,
                None => None,
            },
            _ => return Ok(None),
        };
        Ok(Some(found.into_iter().filter(|row| within_reach(ctx, row)).collect()))
    }
}
