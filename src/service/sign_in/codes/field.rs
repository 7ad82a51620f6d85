//! The fields of an IdP's console that a code names.

use crate::protocol::saml::Console;

/// A field of an IdP's console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Audience,
    Acs,
    Issuer,
    Certificate,
    Algorithm,
    Signing,
    Encryption,
    Attributes,
}

impl Field {
    /// What this IdP calls it, and where it stands.
    pub fn at(self, console: Console) -> &'static str {
        match self {
            Self::Audience => console.audience_field(),
            Self::Acs => console.acs_field(),
            Self::Issuer => console.issuer_field(),
            Self::Certificate => console.certificate_field(),
            Self::Algorithm => console.algorithm_field(),
            Self::Signing => console.signing_field(),
            Self::Encryption => console.encryption_field(),
            Self::Attributes => console.attributes_field(),
        }
    }
}
