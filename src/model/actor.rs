//! Who acts: decided once, from the credential, before anything else happens.

use super::dns_name::DomainName;
use super::id::{
    ApiKeyId, ConnectionId, DirectoryId, OrganizationId, ScimClientId, ScimTokenId, SessionId, UserId,
};
use super::scope::ScopeSet;
use super::state::Role;
use super::time::Timestamp;

/// What a directory's IdP shows at the SCIM door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryCredential {
    /// A SCIM token that somebody pasted into the IdP.
    Token(ScimTokenId),
    /// An access token that an OAuth client of the directory was given.
    Client(ScimClientId),
}

impl DirectoryCredential {
    /// The kind, as events show it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Token(_) => "scim_token",
            Self::Client(_) => "scim_client",
        }
    }

    /// The bare id, for what is counted by credential.
    pub const fn uuid(self) -> uuid::Uuid {
        match self {
            Self::Client(id) => id.uuid(),
            Self::Token(id) => id.uuid(),
        }
    }
}

impl std::fmt::Display for DirectoryCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(id) => id.fmt(f),
            Self::Token(id) => id.fmt(f),
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody yet.
    Anonymous,
    /// The installation's operator, by one of the operator's keys: reaches all organizations.
    Operator { key: ApiKeyId },
    /// An API key of an organization: reaches that organization, within its scopes.
    Key { key: ApiKeyId, organization: OrganizationId, scopes: ScopeSet },
    /// A signed-in member: reaches the session's organization, within the role.
    Person {
        user: UserId,
        organization: OrganizationId,
        role: Role,
        session: SessionId,
        /// When the person last showed to be there.
        stepped_up_at: Option<Timestamp>,
    },
    /// A directory's IdP: reaches its directory, or of it only the people on one domain.
    Directory {
        credential: DirectoryCredential,
        directory: DirectoryId,
        organization: OrganizationId,
        domain: Option<DomainName>,
    },
    /// An IdP, by a verified assertion: reaches what rule 6 lets it.
    Idp { connection: ConnectionId, organization: OrganizationId },
    /// Postern itself: background work and the command line.
    System,
}

impl Actor {
    /// The kind, as events show it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Operator { .. } => "operator",
            Self::Key { .. } => "api_key",
            Self::Person { .. } => "user",
            Self::Directory { credential, .. } => credential.kind(),
            Self::Idp { .. } => "saml_connection",
            Self::System => "system",
        }
    }

    /// The id of the credential or person, as events show it.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Anonymous | Self::System => None,
            Self::Operator { key } | Self::Key { key, .. } => Some(key.to_string()),
            Self::Person { user, .. } => Some(user.to_string()),
            Self::Directory { credential, .. } => Some(credential.to_string()),
            Self::Idp { connection, .. } => Some(connection.to_string()),
        }
    }

    /// The organization the credential belongs to, if it belongs to one.
    pub const fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Key { organization, .. }
            | Self::Person { organization, .. }
            | Self::Directory { organization, .. }
            | Self::Idp { organization, .. } => Some(*organization),
            Self::Anonymous | Self::Operator { .. } | Self::System => None,
        }
    }
}
