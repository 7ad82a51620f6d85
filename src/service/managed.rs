//! What the identity provider owns, so that the REST API refuses to edit it and says whose it is.
//!
//! In every provisioning mode: the names of somebody for whom a directory user stands, and what its groups give of a
//! role. Where the organization's mode is `scim`, besides: who comes in on the directory's domains, the names of those
//! whom the directory brought even after it deleted them, and any role of somebody to whom the groups give one. What
//! stays open is what the rules give to people here: ending access (rules 8 and 12), giving back what was ended here or,
//! for an owner, whatever was ended (rule 13), lifting a tombstone (rule 8), owners (rule 8: no IdP makes or unmakes
//! them), and the role of somebody to whom no mapping gives one.

use super::{Error, roles};
use crate::model::email::EmailAddress;
use crate::model::state::{ForeignAddresses, ProvisioningMode, Role, Source};
use crate::model::tenant::TenantScope;
use crate::store::directory_users::DirectoryUser;
use crate::store::members::Member;
use crate::store::{self, Tx};

/// The code of every refusal.
const CODE: &str = "managed_by_directory";

/// The directory's name for people, if it alone brings and keeps members.
async fn alone(tx: &Tx, scope: TenantScope) -> Result<Option<String>, Error> {
    let settings = store::directories::settings(tx, scope).await?;
    if settings.is_none_or(|settings| settings.provisioning_mode != ProvisioningMode::Scim) {
        return Ok(None);
    }
    named(tx, scope).await.map(Some)
}

async fn named(tx: &Tx, scope: TenantScope) -> Result<String, Error> {
    let directory = store::directories::find(tx, scope).await?;
    Ok(directory.map_or_else(|| "the directory".to_owned(), |found| format!("the directory {}", found.id)))
}

/// Whether somebody whom nobody knows here may be added or invited in this role.
///
/// # Errors
/// 409 `managed_by_directory`.
pub(super) async fn check_newcomer(
    tx: &Tx,
    scope: TenantScope,
    email: &EmailAddress,
    role: Role,
) -> Result<(), Error> {
    if role == Role::Owner {
        return Ok(());
    }
    let Some(directory) = alone(tx, scope).await? else { return Ok(()) };
    let domains = store::domains::list_of_directory(tx, scope).await?;
    if !roles::speaks_for(&domains, Some(email)) {
        return Ok(());
    }
    Err(Error::conflict(
        CODE,
        format!(
            "People on {} come from the identity provider alone, over SCIM through {directory} (the provisioning mode \
             is \"scim\"). Assign this person to the application there. Only owners, and people on other domains, are \
             added here.",
            email.domain()
        ),
    ))
}

/// Whether a member's names may be changed.
///
/// # Errors
/// 409 `managed_by_directory`.
pub(super) async fn check_names(tx: &Tx, scope: TenantScope, member: &Member) -> Result<(), Error> {
    let standing = store::directory_users::find_by_user(tx, scope, member.user_id).await?;
    let kept = match &standing {
        Some(standing) => !let_in_from_elsewhere(tx, scope, standing).await?,
        None => false,
    };
    let directory = if kept {
        named(tx, scope).await?
    } else if member.source == Source::Scim
        && let Some(directory) = alone(tx, scope).await?
    {
        directory
    } else {
        return Ok(());
    };
    Err(Error::conflict(
        CODE,
        format!(
            "This person's names belong to the identity provider, which keeps them over SCIM through {directory} and \
             would overwrite a change made here: change them there. Role and access can be changed here."
        ),
    ))
}

/// Whether the directory held somebody on another domain until an administrator let the person in: then it carries no
/// name to the member.
async fn let_in_from_elsewhere(tx: &Tx, scope: TenantScope, standing: &DirectoryUser) -> Result<bool, Error> {
    let settings = store::directories::settings(tx, scope).await?;
    if settings.is_none_or(|settings| settings.foreign_addresses != ForeignAddresses::Hold) {
        return Ok(false);
    }
    let domains = store::domains::list_of_directory(tx, scope).await?;
    Ok(!roles::speaks_for(&domains, standing.address.as_ref()))
}

/// Whether a member may be given another role by hand.
///
/// # Errors
/// 409 `managed_by_directory`.
pub(super) async fn check_role(
    tx: &Tx,
    scope: TenantScope,
    member: &Member,
    role: Role,
) -> Result<(), Error> {
    let Some(given) = roles::given(tx, scope, member.user_id).await? else { return Ok(()) };
    let of_owners = member.role == Role::Owner || role == Role::Owner;
    let refused =
        if role < given { true } else { role > given && !of_owners && alone(tx, scope).await?.is_some() };
    if !refused {
        return Ok(());
    }
    let directory = named(tx, scope).await?;
    Err(Error::conflict(
        CODE,
        format!(
            "The groups of {directory}, or the roles that it says of people, give this person the role {given}, so that \
             it cannot be {role}. Change the person's groups or roles at the identity provider, or what the groups \
             give in the mapping."
        ),
    ))
}
