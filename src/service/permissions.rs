//! Who may do what: the whole table on one screen. Every use case of the REST API asks [`may`] first and gets the
//! [`TenantScope`] that its queries need; without asking there is no scope.

use super::{Ctx, Error, step_up};
use crate::model::actor::Actor;
use crate::model::dns_name::DomainName;
use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::scope::Scope;
use crate::model::state::Role;
use crate::model::tenant::{InstallationScope, TenantScope};

/// What is to be done in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    ReadOrganization,
    WriteOrganization,
    ReadMembers,
    WriteMembers,
    /// Whom an administrator has to connect with whom: subjects at the IdP and members.
    ReadPendingLinks,
    ReadDomains,
    WriteDomains,
    ReadConnections,
    WriteConnections,
    ReadScim,
    WriteScim,
    /// A dry run: it answers what else only the holder of a SCIM token could ask, and takes the locks of a change.
    RehearseScim,
    ReadGroups,
    ReadInvites,
    WriteInvites,
    ReadEnforcement,
    ReadApiKeys,
    WriteApiKeys,
    ReadEvents,
    /// A change of trust (rule 10a): activating a connection, what it trusts, which domains it serves, SCIM tokens.
    ChangeTrust,
}

impl Action {
    /// The scope an API key needs, and the role a signed-in person needs.
    const fn needs(self) -> (Scope, Role) {
        use Action as A;
        match self {
            A::ReadOrganization => (Scope::OrganizationRead, Role::Member),
            A::WriteOrganization => (Scope::OrganizationWrite, Role::Admin),
            A::ReadMembers => (Scope::MemberRead, Role::Member),
            A::WriteMembers => (Scope::MemberWrite, Role::Admin),
            A::ReadPendingLinks | A::ReadEnforcement => (Scope::MemberRead, Role::Admin),
            A::ReadDomains => (Scope::DomainRead, Role::Admin),
            A::WriteDomains => (Scope::DomainWrite, Role::Admin),
            A::ReadConnections => (Scope::ConnectionRead, Role::Admin),
            A::WriteConnections => (Scope::ConnectionWrite, Role::Admin),
            A::ReadScim => (Scope::ScimRead, Role::Admin),
            A::WriteScim | A::RehearseScim => (Scope::ScimWrite, Role::Admin),
            A::ReadGroups => (Scope::GroupRead, Role::Member),
            A::ReadInvites => (Scope::InviteRead, Role::Admin),
            A::WriteInvites => (Scope::InviteWrite, Role::Admin),
            A::ReadApiKeys => (Scope::ApiKeyRead, Role::Admin),
            A::WriteApiKeys => (Scope::ApiKeyWrite, Role::Admin),
            A::ReadEvents => (Scope::EventRead, Role::Admin),
            A::ChangeTrust => (Scope::Trust, Role::Owner),
        }
    }
}

/// Whether the actor may do this in this organization.
///
/// # Errors
/// [`Error::Unauthenticated`] without a credential; [`Error::NotFound`] if the credential does not reach the
/// organization (so that nobody learns whether it exists); [`Error::Forbidden`] naming the missing scope or role.
pub fn may(ctx: &Ctx, organization: OrganizationId, action: Action) -> Result<TenantScope, Error> {
    let (scope, role) = action.needs();
    match &ctx.actor {
        Actor::Anonymous => Err(unauthenticated()),
        Actor::Operator { .. } | Actor::System => Ok(TenantScope::established(organization)),
        Actor::Key { organization: own, scopes, .. } if *own == organization => {
            if scopes.contains(scope) {
                Ok(TenantScope::established(organization))
            } else {
                Err(Error::forbidden(
                    "scope_missing",
                    format!("This API key lacks the scope {scope:?}.", scope = scope.as_str()),
                ))
            }
        }
        Actor::Person { organization: own, role: has, stepped_up_at, .. } if *own == organization => {
            if *has < role {
                return Err(Error::forbidden(
                    "role_too_low",
                    format!("This needs the role {role} in the organization; yours is {has}."),
                ));
            }
            if action == Action::ChangeTrust && !step_up::counts(*stepped_up_at, ctx.now) {
                return Err(step_up::required());
            }
            Ok(TenantScope::established(organization))
        }
        Actor::Key { .. } | Actor::Person { .. } | Actor::Directory { .. } | Actor::Idp { .. } => {
            Err(Error::not_found("organization"))
        }
    }
}

/// Whether the actor is the operator, who may look across organizations.
pub fn operator(ctx: &Ctx) -> Result<InstallationScope, Error> {
    match ctx.actor {
        Actor::Operator { .. } | Actor::System => Ok(InstallationScope::established()),
        Actor::Anonymous => Err(unauthenticated()),
        _ => Err(Error::forbidden(
            "operator_only",
            "This is for the operator's keys, which are made on the command line: postern operator-key create.",
        )),
    }
}

/// The directory that the actor pushes into, the whole of it: a SCIM credential's, and nobody else's.
///
/// # Errors
/// [`Error::Forbidden`] for a credential that is bound to one domain: whatever is not about a single person on that
/// domain is closed to it. What is, asks [`directory_part`].
pub fn directory(ctx: &Ctx) -> Result<(TenantScope, DirectoryId), Error> {
    match directory_part(ctx)? {
        (scope, directory, None) => Ok((scope, directory)),
        (_, _, Some(domain)) => Err(Error::forbidden(
            "bound_to_domain",
            format!(
                "This SCIM credential is bound to the domain {domain} and reaches the users on it, nothing else. \
                 Use one of the whole directory for this."
            ),
        )),
    }
}

/// The directory that the actor pushes into, and the one domain whose people it is confined to, if it is: nobody else
/// is there for it, neither to read nor to change.
pub fn directory_part(ctx: &Ctx) -> Result<(TenantScope, DirectoryId, Option<&DomainName>), Error> {
    match &ctx.actor {
        Actor::Directory { directory, organization, domain, .. } => {
            Ok((TenantScope::established(*organization), *directory, domain.as_ref()))
        }
        _ => Err(unauthenticated()),
    }
}

/// The highest role that the actor may hand out or take away: nobody acts above their own, and keys act as admins.
pub const fn highest_role(actor: &Actor) -> Role {
    match actor {
        Actor::Operator { .. } | Actor::System => Role::Owner,
        Actor::Person { role, .. } => *role,
        Actor::Key { .. } | Actor::Directory { .. } | Actor::Idp { .. } => Role::Admin,
        Actor::Anonymous => Role::Member,
    }
}

fn unauthenticated() -> Error {
    Error::Unauthenticated {
        code: "credential_missing",
        message: "This needs a credential: an API key or access token as \"Authorization: Bearer …\", or a session cookie."
            .to_owned(),
    }
}
