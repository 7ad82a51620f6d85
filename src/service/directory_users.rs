//! Directory users as the organization's administrators see them over REST: whom the directory pushed, and who of them is
//! held (rule 6). They are the identity provider's: here they are read, never changed.
//!
//! A held person gets in by an administrator's word: an invite that is accepted, or being added as a member. From then
//! on the directory user stands for that member, so that a deactivation at the identity provider ends the access and an
//! activation gives it back; the rest of what the directory says stays on the directory user, because it does not speak
//! for the person's domain.

pub use crate::store::directory_users::DirectoryUser;

use super::permissions::{Action, may};
use super::{Ctx, Error, Services, roles};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, DirectoryUserId, OrganizationId, UserId};
use crate::model::page::{Page, PageRequest};
use crate::model::tenant::TenantScope;
use crate::store::{self, Tx};
use serde_json::json;

async fn directory(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<(TenantScope, DirectoryId), Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let directory = store::directories::find(&services.db, scope).await?;
    Ok((scope, directory.ok_or_else(|| Error::not_found("organization"))?.id))
}

/// A page of the directory's users in the order of their making: of all, of those who are held, or of the others.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    held: Option<bool>,
    request: &PageRequest,
) -> Result<Page<DirectoryUser>, Error> {
    let (scope, directory) = directory(services, ctx, organization).await?;
    Ok(store::directory_users::page(&services.db, scope, directory, held, request).await?)
}

/// One directory user.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: DirectoryUserId,
) -> Result<DirectoryUser, Error> {
    let (scope, directory) = directory(services, ctx, organization).await?;
    let found = store::directory_users::find(&services.db, scope, directory, id).await?;
    found.ok_or_else(|| Error::not_found("directory user"))
}

/// The directory user that is held for this address, locked: to be asked for before any member is locked, as the
/// directory itself does. Nobody where the directory speaks for the domain: there its own next word lets the person in.
pub(super) async fn waiting(
    tx: &Tx,
    scope: TenantScope,
    address: &EmailAddress,
) -> Result<Option<DirectoryUser>, Error> {
    let Some(held) = store::directory_users::lock_held(tx, scope, address).await? else { return Ok(None) };
    let domains = store::domains::list_of_directory(tx, scope).await?;
    Ok((!roles::speaks_for(&domains, Some(address))).then_some(held))
}

/// Lets the one who waited stand for the member whom an administrator has let in, if nobody else does.
pub(super) async fn let_in(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    waiting: &DirectoryUser,
    user: UserId,
) -> Result<(), Error> {
    if store::directory_users::find_by_user(tx, scope, user).await?.is_some()
        || !store::directory_users::stand_for(tx, scope, waiting.id, user).await?
    {
        return Ok(());
    }
    let data = json!({ "changed": [], "user_name": waiting.user_name, "user_id": user, "member": "let_in" });
    services.record(tx, ctx, scope.organization(), EventKind::DirectoryUserUpdated, waiting.id, data).await
}
