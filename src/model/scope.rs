//! What an API key may do: a set of scopes such as `organization:read`.

use super::words;
use std::collections::BTreeSet;
use std::str::FromStr;

words!(
    /// One right of an API key.
    Scope {
        OrganizationRead = "organization:read",
        OrganizationWrite = "organization:write",
        MemberRead = "organization_member:read",
        MemberWrite = "organization_member:write",
        DomainRead = "domain:read",
        DomainWrite = "domain:write",
        ConnectionRead = "saml_connection:read",
        ConnectionWrite = "saml_connection:write",
        ScimRead = "scim:read",
        ScimWrite = "scim:write",
        InviteRead = "invite:read",
        InviteWrite = "invite:write",
        GroupRead = "group:read",
        ApiKeyRead = "api_key:read",
        ApiKeyWrite = "api_key:write",
        EventRead = "event:read",
        /// Changes of trust (rule 10a): given by an owner or the operator only.
        Trust = "trust",
    }
);

/// A set of scopes; in the database their words with blanks between them.
#[derive(Debug, Clone, PartialEq, Eq, Default, sea_orm::DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// The set of these scopes.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Whether the set has this scope.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether every scope of this set is in the other one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for ScopeSet {
    type Err = super::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_ascii_whitespace().map(Scope::from_str).collect::<Result<_, _>>().map(Self)
    }
}
