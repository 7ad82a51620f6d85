//! The tenant that a query is about. Every query of an organization's rows takes a `TenantScope` first.

use super::id::OrganizationId;

/// Permission to touch the rows of one organization.
///
/// Made by [`TenantScope::established`] only where it has been established whose rows may be touched: in
/// `service/permissions.rs` from an actor's rights, and where a credential or a verified domain names the
/// organization. `tests/it/architecture.rs` keeps the list of those files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantScope(OrganizationId);

impl TenantScope {
    /// The caller has established that this organization's rows may be touched.
    pub const fn established(organization: OrganizationId) -> Self {
        Self(organization)
    }

    /// Whose rows.
    pub const fn organization(self) -> OrganizationId {
        self.0
    }
}

/// Permission to look across organizations: the operator's, and Postern's own background work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallationScope(());

impl InstallationScope {
    /// The caller has established that the operator, or Postern itself, is asking.
    pub const fn established() -> Self {
        Self(())
    }
}
