//! The roles that a directory may give, as it reads them over SCIM; there for it only where it is set to heed `roles` on
//! users, so that nobody is shown what has no effect.

use crate::model::state::Role;
use crate::service::{Ctx, Error, Services, permissions, roles};
use crate::store;

/// What the directory may give, the lowest first; `None` where it gives roles by groups alone.
pub async fn list(services: &Services, ctx: &Ctx) -> Result<Option<&'static [Role]>, Error> {
    let (scope, ..) = permissions::directory_part(ctx)?;
    let directory = store::directories::find(&services.db, scope).await?;
    Ok(directory.filter(|directory| directory.roles_on_users).map(|_| roles::GIVEN.as_slice()))
}
