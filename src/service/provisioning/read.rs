//! GET: one directory user, and how directory users are listed.

use super::groups::{attach, show};
use super::listing::{Kind, Listing, Reach, Resource, Wanted};
use super::look_ups::{Found, by_user_name};
use super::{DirectoryUser, Refusal, not_found, representation, within_reach};
use crate::model::id::DirectoryUserId;
use crate::protocol::scim::IndexKey;
use crate::service::permissions;
use crate::service::schemas::user_type;
use crate::service::{Ctx, Error, Services};
use crate::store;
use serde_json::Value;

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
        Ok(resources.into_iter().map(resource).collect())
    }

    async fn look_up(
        services: &Services,
        ctx: &Ctx,
        key: IndexKey<'_>,
        wanted: Wanted<'_>,
    ) -> Result<Option<Vec<Resource>>, Refusal> {
        let Reach { scope, directory, domain } = Self::reach(ctx)?;
        match key {
            IndexKey::UserName(name) => {
                let groups = domain.is_none() && wanted.names("groups");
                let found = by_user_name(services, (scope, directory), name, groups).await?;
                let Some(Found { row, groups }) = found.filter(|found| within_reach(ctx, &found.row)) else {
                    return Ok(Some(Vec::new()));
                };
                let mut whole = representation(services, &*user_type(services, ctx).await?, &row);
                show(services, &mut whole, &groups);
                Ok(Some(vec![resource(whole)]))
            }
            IndexKey::Id(id) => {
                let found = match DirectoryUserId::from_bare(id) {
                    Some(id) => store::directory_users::find(&services.db, scope, directory, id).await?,
                    None => None,
                };
                let rows = found.into_iter().filter(|row| within_reach(ctx, row)).collect();
                Self::represent(services, ctx, rows, wanted).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}

const fn resource(whole: Value) -> Resource {
    Resource { kind: Kind::User, whole, members: Vec::new() }
}
