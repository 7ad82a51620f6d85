//! What the fields of well-known IdP consoles are called: the one table from which messages and set-up guides take
//! their words, so that a refusal names the field that the guide told to fill.
//!
//! Sources: the vendors' own set-up pages as of November 2026.

/// A setting of an IdP's console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is called there.
    pub name: &'static str,
    /// The same as a part of a sentence, with its place.
    pub phrase: &'static str,
}

/// The words of one console.
#[derive(Debug)]
pub struct Words {
    /// What people call the product.
    pub product: &'static str,
    /// Where the service provider's entity id is entered.
    pub audience: Field,
    /// Where the assertion consumer service URL is entered.
    pub acs: Field,
    /// Where the IdP's own entity id is shown.
    pub issuer: Field,
    /// Where the IdP's sign-on address (SingleSignOnService) is shown.
    pub sign_on: Field,
    /// Where the signing certificate is found.
    pub certificate: Field,
    /// Where the IdP's metadata is found.
    pub metadata: Field,
    /// Where the format of the NameID is chosen.
    pub name_id: Field,
    /// Where the signature algorithm is chosen; the phrase says what to choose as well.
    pub algorithm: Field,
    /// Where signing is switched on.
    pub signing: Field,
    /// Where encryption of assertions is switched off.
    pub encryption: Field,
    /// Where attributes are mapped.
    pub attributes: Field,
}

/// `field!("Name", " in its place")` puts the name in quotes before its place; `field!("Name"; "any phrase")` does not.
macro_rules! field {
    ($name:literal, $place:literal) => {
        Field { name: $name, phrase: concat!("\"", $name, "\"", $place) }
    };
    ($name:literal; $phrase:literal) => {
        Field { name: $name, phrase: $phrase }
    };
}

static OKTA: Words = Words {
    product: "Okta",
    audience: field!("Audience URI (SP Entity ID)", " in Okta's SAML settings"),
    acs: field!("Single sign-on URL", " in Okta's SAML settings"),
    issuer: field!("Issuer", " on Okta's Sign On tab"),
    sign_on: field!("Sign on URL", " on Okta's Sign On tab"),
    certificate: field!("SAML Signing Certificate"; "the active \"SAML Signing Certificate\" on Okta's Sign On tab"),
    metadata: field!("Metadata URL", " on Okta's Sign On tab"),
    name_id: field!("Name ID format", " in Okta's SAML settings"),
    algorithm: field!("Signature Algorithm"; "\"Signature Algorithm\" and \"Digest Algorithm\" in Okta's SAML settings to RSA-SHA256 and SHA256"),
    signing: field!("Assertion Signature"; "\"Response\" and \"Assertion Signature\" in Okta's SAML settings"),
    encryption: field!("Assertion Encryption", " in Okta's SAML settings"),
    attributes: field!("Attribute Statements", " in Okta's SAML settings"),
};

static ENTRA: Words = Words {
    product: "Microsoft Entra ID",
    audience: field!("Identifier (Entity ID)", " in Entra's Basic SAML Configuration"),
    acs: field!("Reply URL (Assertion Consumer Service URL)", " in Entra's Basic SAML Configuration"),
    issuer: field!("Microsoft Entra Identifier", " on Entra's single sign-on page"),
    sign_on: field!("Login URL", " on Entra's single sign-on page"),
    certificate: field!("Certificate (Base64)", " of the active certificate on Entra's single sign-on page"),
    metadata: field!("App Federation Metadata Url", " on Entra's single sign-on page"),
    name_id: field!("Name identifier format"; "\"Name identifier format\" of the claim Unique User Identifier in Entra"),
    algorithm: field!("Signing Algorithm", " of the SAML certificate in Entra to SHA-256"),
    signing: field!("Signing Option", " of the SAML certificate in Entra"),
    encryption: field!("Token encryption", " of the application in Entra"),
    attributes: field!("Attributes & Claims", " on Entra's single sign-on page"),
};

static GOOGLE: Words = Words {
    product: "Google Workspace",
    audience: field!("Entity ID", " in Google's service provider details"),
    acs: field!("ACS URL", " in Google's service provider details"),
    issuer: field!("Entity ID", " in Google's identity provider details"),
    sign_on: field!("SSO URL", " in Google's identity provider details"),
    certificate: field!("Certificate", " in Google's identity provider details"),
    metadata: field!("Download metadata", " in Google's identity provider details"),
    name_id: field!("Name ID format", " in Google's service provider details"),
    algorithm: field!("signature algorithm"; "the signature and digest algorithms at the IdP to RSA-SHA256 and SHA-256"),
    signing: field!("Signed response", " in Google's service provider details"),
    encryption: field!("encryption of assertions"; "encryption of assertions at the IdP"),
    attributes: field!("Attribute mapping", " of the SAML app in Google"),
};

static ONELOGIN: Words = Words {
    product: "OneLogin",
    audience: field!("Audience (EntityID)", " in OneLogin's Configuration tab"),
    acs: field!("ACS (Consumer) URL"; "\"ACS (Consumer) URL\" and \"Recipient\" in OneLogin's Configuration tab"),
    issuer: field!("Issuer URL", " on OneLogin's SSO tab"),
    sign_on: field!("SAML 2.0 Endpoint (HTTP)", " on OneLogin's SSO tab"),
    certificate: field!("X.509 Certificate", " on OneLogin's SSO tab"),
    metadata: field!("SAML Metadata", " in the menu More Actions in OneLogin"),
    name_id: field!("SAML nameID format", " in OneLogin's Configuration tab"),
    algorithm: field!("SAML Signature Algorithm", " on OneLogin's SSO tab to SHA-256"),
    signing: field!("SAML signature element", " in OneLogin's Configuration tab"),
    encryption: field!("Encrypt assertion", " in OneLogin's Configuration tab"),
    attributes: field!("Parameters"; "OneLogin's Parameters tab (with \"Include in SAML assertion\")"),
};

static JUMPCLOUD: Words = Words {
    product: "JumpCloud",
    audience: field!("SP Entity ID", " in JumpCloud's SSO tab"),
    acs: field!("ACS URLs", " in JumpCloud's SSO tab"),
    issuer: field!("IdP Entity ID", " in JumpCloud's SSO tab"),
    sign_on: field!("IdP URL", " in JumpCloud's SSO tab"),
    certificate: field!("IdP Certificate"; "the \"IdP Certificate\" in JumpCloud's SSO tab"),
    metadata: field!("Copy Metadata URL", " in JumpCloud's SSO tab"),
    name_id: field!("SAMLSubject NameID Format", " in JumpCloud's SSO tab"),
    algorithm: field!("Signature Algorithm", " in JumpCloud's SSO tab to RSA-SHA256"),
    signing: field!("Sign", " in JumpCloud's SSO tab"),
    encryption: field!("encryption certificate"; "the encryption certificate in JumpCloud's SSO tab"),
    attributes: field!("User Attribute Mapping", " in JumpCloud's SSO tab"),
};

static PING: Words = Words {
    product: "Ping",
    audience: field!("Partner's Entity ID"; "\"Partner's Entity ID\" in PingFederate (\"Entity ID\" in PingOne)"),
    acs: field!("Assertion Consumer Service URL"; "\"Assertion Consumer Service URL\" in PingFederate (\"ACS URLs\" in PingOne)"),
    issuer: field!("SAML 2.0 Entity ID"; "\"SAML 2.0 Entity ID\" in PingFederate (\"Issuer ID\" in PingOne)"),
    sign_on: field!("Single Signon Service"; "\"Single Signon Service\" in PingOne (in PingFederate the SSO endpoint that its metadata names)"),
    certificate: field!("signing certificate"; "the active signing certificate of the connection in Ping"),
    metadata: field!("Metadata Export"; "\"Metadata Export\" in PingFederate (\"IDP Metadata URL\" in PingOne)"),
    name_id: field!("Subject NameID Format"; "\"Subject NameID Format\" in PingOne (the format of SAML_SUBJECT in PingFederate)"),
    algorithm: field!("Signing Algorithm"; "the \"Signing Algorithm\" in Ping to RSA SHA256"),
    signing: field!("Signature Policy"; "\"Signature Policy\" of the connection in PingFederate (\"Sign Assertion & Response\" in PingOne)"),
    encryption: field!("Encryption Policy"; "\"Encryption Policy\" of the connection in PingFederate (\"Enable Encryption\" in PingOne)"),
    attributes: field!("Attribute Contract"; "\"Attribute Contract\" in PingFederate (\"Attribute Mappings\" in PingOne)"),
};

static ADFS: Words = Words {
    product: "AD FS",
    audience: field!("Relying party identifier"; "the \"Relying party identifier\" in AD FS"),
    acs: field!("SAML Assertion Consumer"; "the \"SAML Assertion Consumer\" endpoint of the relying party in AD FS"),
    issuer: field!("Federation Service identifier"; "the \"Federation Service identifier\" in AD FS"),
    sign_on: field!("SAML 2.0/WS-Federation"; "the endpoint \"SAML 2.0/WS-Federation\" of AD FS, whose path is /adfs/ls/"),
    certificate: field!("Token-signing"; "the primary \"Token-signing\" certificate in AD FS"),
    metadata: field!("Federation Metadata"; "the \"Federation Metadata\" document of AD FS, /FederationMetadata/2007-06/FederationMetadata.xml"),
    name_id: field!("Outgoing name ID format"; "\"Outgoing name ID format\" of the claim rule for the Name ID in AD FS"),
    algorithm: field!("Secure hash algorithm", " of the relying party in AD FS to SHA-256"),
    signing: field!("SamlResponseSignature"; "SamlResponseSignature of the relying party in AD FS"),
    encryption: field!("EncryptClaims"; "the encryption certificate of the relying party in AD FS (EncryptClaims)"),
    attributes: field!("Claim Issuance Policy"; "the \"Claim Issuance Policy\" of the relying party in AD FS"),
};

static KEYCLOAK: Words = Words {
    product: "Keycloak",
    audience: field!("Client ID", " in Keycloak's client settings"),
    acs: field!("Master SAML Processing URL"; "\"Master SAML Processing URL\" and \"Valid redirect URIs\" in Keycloak's client settings"),
    issuer: field!("entityID"; "the realm's URL (entityID in its SAML descriptor) in Keycloak"),
    sign_on: field!("SingleSignOnService"; "the SingleSignOnService in the realm's SAML descriptor in Keycloak"),
    certificate: field!("RS256 certificate"; "the active RS256 certificate under Realm settings, Keys in Keycloak"),
    metadata: field!("SAML 2.0 Identity Provider Metadata", " under Realm settings, General in Keycloak"),
    name_id: field!("Name ID format", " in Keycloak's client settings"),
    algorithm: field!("Signature algorithm", " in Keycloak's client settings to RSA_SHA256"),
    signing: field!("Sign documents"; "\"Sign documents\" or \"Sign assertions\" in Keycloak's client settings"),
    encryption: field!("Encrypt assertions", " in Keycloak's client settings"),
    attributes: field!("mappers"; "the mappers of the client's dedicated scope in Keycloak"),
};

static GENERIC: Words = Words {
    product: "your identity provider",
    audience: field!("Service provider entity id (audience)"; "the service provider entity id (audience) at the IdP"),
    acs: field!("Assertion consumer service (ACS) URL"; "the assertion consumer service (ACS) URL at the IdP"),
    issuer: field!("Entity id (issuer)"; "the entity id (issuer) that the IdP shows"),
    sign_on: field!("Single sign-on URL"; "the single sign-on URL (HTTP-Redirect binding) that the IdP shows"),
    certificate: field!("Signing certificate"; "the IdP's current signing certificate"),
    metadata: field!("Metadata"; "the IdP's metadata"),
    name_id: field!("NameID format"; "the NameID format at the IdP"),
    algorithm: field!("Signature algorithm"; "the signature and digest algorithms at the IdP to RSA-SHA256 and SHA-256"),
    signing: field!("Signing"; "signing of responses or assertions at the IdP"),
    encryption: field!("Encryption"; "encryption of assertions at the IdP"),
    attributes: field!("Attributes"; "the attribute mapping at the IdP"),
};

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

    /// All its words.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::Okta => &OKTA,
            Self::Entra => &ENTRA,
            Self::Google => &GOOGLE,
            Self::OneLogin => &ONELOGIN,
            Self::JumpCloud => &JUMPCLOUD,
            Self::Ping => &PING,
            Self::Adfs => &ADFS,
            Self::Keycloak => &KEYCLOAK,
            Self::Generic => &GENERIC,
        }
    }

    /// Where the service provider's entity id is entered.
    pub const fn audience_field(self) -> &'static str {
        self.words().audience.phrase
    }

    /// Where the assertion consumer service URL is entered.
    pub const fn acs_field(self) -> &'static str {
        self.words().acs.phrase
    }

    /// Where the IdP's own entity id is shown.
    pub const fn issuer_field(self) -> &'static str {
        self.words().issuer.phrase
    }

    /// Where the signing certificate is found.
    pub const fn certificate_field(self) -> &'static str {
        self.words().certificate.phrase
    }

    /// Where the signature algorithm is chosen.
    pub const fn algorithm_field(self) -> &'static str {
        self.words().algorithm.phrase
    }

    /// Where signing is switched on.
    pub const fn signing_field(self) -> &'static str {
        self.words().signing.phrase
    }

    /// Where encryption of assertions is switched off.
    pub const fn encryption_field(self) -> &'static str {
        self.words().encryption.phrase
    }

    /// Where attributes are mapped.
    pub const fn attributes_field(self) -> &'static str {
        self.words().attributes.phrase
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::ConnectionType;

    #[test]
    fn every_type_has_words_of_its_own() {
        let products: std::collections::BTreeSet<&str> = ConnectionType::ALL
            .iter()
            .map(|kind| Console::from_type(kind.as_str()).words().product)
            .collect();
        assert_eq!(products.len(), ConnectionType::ALL.len());
        let generic = |kind: &&ConnectionType| Console::from_type(kind.as_str()) == Console::Generic;
        let generic: Vec<_> = ConnectionType::ALL.iter().filter(generic).collect();
        assert_eq!(generic, [&ConnectionType::Generic]);
    }
}
