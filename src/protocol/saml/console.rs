//! What the fields of well-known IdP consoles are called, so that a refusal can name the one to change.
//!
//! Sources: the vendors' own set-up pages as of November 2026.

/// The IdP product of a connection, as its `type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Console {
    /// Okta.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// Google Workspace.
    Google,
    /// OneLogin.
    OneLogin,
    /// JumpCloud.
    JumpCloud,
    /// PingFederate and PingOne.
    Ping,
    /// Active Directory Federation Services.
    Adfs,
    /// Keycloak.
    Keycloak,
    /// Anything else.
    #[default]
    Generic,
}

impl Console {
    /// The console of a connection's `type`; unknown ones are [`Console::Generic`].
    pub fn from_type(kind: &str) -> Self {
        match kind {
            "okta" => Self::Okta,
            "entra" | "microsoft" => Self::Entra,
            "google" => Self::Google,
            "onelogin" => Self::OneLogin,
            "jumpcloud" => Self::JumpCloud,
            "ping" => Self::Ping,
            "adfs" => Self::Adfs,
            "keycloak" => Self::Keycloak,
            _ => Self::Generic,
        }
    }

    /// Where the service provider's entity id is entered.
    pub fn audience_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Audience URI (SP Entity ID)\" in Okta's SAML settings",
            Self::Entra => "\"Identifier (Entity ID)\" in Entra's Basic SAML Configuration",
            Self::Google => "\"Entity ID\" in Google's service provider details",
            Self::OneLogin => "\"Audience (EntityID)\" in OneLogin's Configuration tab",
            Self::JumpCloud => "\"SP Entity ID\" in JumpCloud's SSO tab",
            Self::Ping => "the partner's \"Entity ID\" in Ping",
            Self::Adfs => "the \"Relying party identifier\" in AD FS",
            Self::Keycloak => "\"Client ID\" in Keycloak's client settings",
            Self::Generic => "the service provider entity id (audience) at the IdP",
        }
    }

    /// Where the assertion consumer service URL is entered.
    pub fn acs_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Single sign-on URL\" in Okta's SAML settings",
            Self::Entra => {
                "\"Reply URL (Assertion Consumer Service URL)\" in Entra's Basic SAML Configuration"
            }
            Self::Google => "\"ACS URL\" in Google's service provider details",
            Self::OneLogin => "\"ACS (Consumer) URL\" and \"Recipient\" in OneLogin's Configuration tab",
            Self::JumpCloud => "\"ACS URLs\" in JumpCloud's SSO tab",
            Self::Ping => "the partner's \"Assertion Consumer Service URL\" in Ping",
            Self::Adfs => "the \"SAML Assertion Consumer\" endpoint of the relying party in AD FS",
            Self::Keycloak => {
                "\"Master SAML Processing URL\" and \"Valid redirect URIs\" in Keycloak's client settings"
            }
            Self::Generic => "the assertion consumer service (ACS) URL at the IdP",
        }
    }

    /// Where the IdP's own entity id is shown.
    pub fn issuer_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Issuer\" on Okta's Sign On tab",
            Self::Entra => "\"Microsoft Entra Identifier\" on Entra's single sign-on page",
            Self::Google => "\"Entity ID\" in Google's identity provider details",
            Self::OneLogin => "\"Issuer URL\" on OneLogin's SSO tab",
            Self::JumpCloud => "\"IdP Entity ID\" in JumpCloud's SSO tab",
            Self::Ping => "the \"Issuer\" (entity id) in Ping",
            Self::Adfs => "the \"Federation Service identifier\" in AD FS",
            Self::Keycloak => "the realm's URL (entityID in its SAML descriptor) in Keycloak",
            Self::Generic => "the entity id (issuer) that the IdP shows",
        }
    }

    /// Where the signing certificate is found.
    pub fn certificate_field(self) -> &'static str {
        match self {
            Self::Okta => "the active \"SAML Signing Certificate\" on Okta's Sign On tab",
            Self::Entra => {
                "\"Certificate (Base64)\" of the active certificate on Entra's single sign-on page"
            }
            Self::Google => "\"Certificate\" in Google's identity provider details",
            Self::OneLogin => "\"X.509 Certificate\" on OneLogin's SSO tab",
            Self::JumpCloud => "the \"IdP Certificate\" in JumpCloud's SSO tab",
            Self::Ping => "the active signing certificate in Ping",
            Self::Adfs => "the primary \"Token-signing\" certificate in AD FS",
            Self::Keycloak => "the active RS256 certificate under Realm settings, Keys in Keycloak",
            Self::Generic => "the IdP's current signing certificate",
        }
    }

    /// Where the signature algorithm is chosen.
    pub fn algorithm_field(self) -> &'static str {
        match self {
            Self::Okta => {
                "\"Signature Algorithm\" and \"Digest Algorithm\" in Okta's SAML settings to RSA-SHA256 and SHA256"
            }
            Self::Entra => "\"Signing Algorithm\" of the SAML certificate in Entra to SHA-256",
            Self::OneLogin => "\"SAML Signature Algorithm\" on OneLogin's SSO tab to SHA-256",
            Self::JumpCloud => "\"Signature Algorithm\" in JumpCloud's SSO tab to RSA-SHA256",
            Self::Ping => "the \"Signing Algorithm\" in Ping to RSA SHA256",
            Self::Adfs => "\"Secure hash algorithm\" of the relying party in AD FS to SHA-256",
            Self::Keycloak => "\"Signature Algorithm\" in Keycloak's client settings to RSA_SHA256",
            Self::Google | Self::Generic => {
                "the signature and digest algorithms at the IdP to RSA-SHA256 and SHA-256"
            }
        }
    }

    /// Where signing is switched on.
    pub fn signing_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Response\" and \"Assertion Signature\" in Okta's SAML settings",
            Self::Entra => "\"Signing Option\" of the SAML certificate in Entra",
            Self::Google => "\"Signed response\" in Google's service provider details",
            Self::OneLogin => "\"SAML signature element\" in OneLogin's Configuration tab",
            Self::JumpCloud => "\"Sign\" in JumpCloud's SSO tab",
            Self::Ping => "the signature policy of the connection in Ping",
            Self::Adfs => "SamlResponseSignature of the relying party in AD FS",
            Self::Keycloak => "\"Sign documents\" or \"Sign assertions\" in Keycloak's client settings",
            Self::Generic => "signing of responses or assertions at the IdP",
        }
    }

    /// Where encryption of assertions is switched off.
    pub fn encryption_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Assertion Encryption\" in Okta's SAML settings",
            Self::Entra => "\"Token encryption\" of the application in Entra",
            Self::OneLogin => "\"Encrypt assertion\" in OneLogin's Configuration tab",
            Self::JumpCloud => "the encryption certificate in JumpCloud's SSO tab",
            Self::Ping => "the encryption policy of the connection in Ping",
            Self::Adfs => "the encryption certificate of the relying party in AD FS (EncryptClaims)",
            Self::Keycloak => "\"Encrypt assertions\" in Keycloak's client settings",
            Self::Google | Self::Generic => "encryption of assertions at the IdP",
        }
    }

    /// Where attributes are mapped.
    pub fn attributes_field(self) -> &'static str {
        match self {
            Self::Okta => "\"Attribute Statements\" in Okta's SAML settings",
            Self::Entra => "\"Attributes & Claims\" on Entra's single sign-on page",
            Self::Google => "\"Attribute mapping\" of the SAML app in Google",
            Self::OneLogin => "OneLogin's Parameters tab (with \"Include in SAML assertion\")",
            Self::JumpCloud => "\"User Attribute Mapping\" in JumpCloud's SSO tab",
            Self::Ping => "the attribute contract in Ping",
            Self::Adfs => "the claim issuance policy of the relying party in AD FS",
            Self::Keycloak => "the mappers of the client's dedicated scope in Keycloak",
            Self::Generic => "the attribute mapping at the IdP",
        }
    }
}
