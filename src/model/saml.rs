//! The closed lists of words of SAML connections: their own keys, and what they ask of the IdP.

use super::words;

words!(
    /// What a key of ours is for.
    SamlKeyPurpose {
        /// We sign requests with it.
        Signing = "signing",
        /// The IdP encrypts assertions to it.
        Encryption = "encryption",
    }
);

words!(
    /// Where a key of ours stands.
    SamlKeyState {
        /// In our metadata beside the current one, so that the IdP knows it before it is used.
        Next = "next",
        /// In use.
        Current = "current",
        /// Another one took its place: it signs no more, but what is encrypted to it is still decrypted.
        Previous = "previous",
    }
);

words!(
    /// How much is asked of sign-ins through a connection.
    SamlLevel {
        /// What SAML asks for.
        Sl1 = "sl1",
        /// No unsolicited responses, signed requests, and only the named ways to sign in at the IdP.
        Sl2 = "sl2",
    }
);

words!(
    /// The kind of NameID that requests ask for.
    SamlNameIdFormat {
        /// A lasting opaque name for the person at this service.
        Persistent = "persistent",
        /// A name for this session only.
        Transient = "transient",
        /// An e-mail address.
        EmailAddress = "email_address",
        /// Whatever the IdP likes.
        Unspecified = "unspecified",
    }
);

impl SamlNameIdFormat {
    /// The format's URI (saml-core-2.0-os, section 8.3).
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Persistent => "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            Self::Transient => "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
            Self::EmailAddress => "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
            Self::Unspecified => "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        }
    }
}
