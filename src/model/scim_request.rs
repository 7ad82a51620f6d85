//! The words of the SCIM request log: what a call was about, and whose product sent it.

use super::words;

words!(
    /// What a SCIM call is about.
    ScimResource {
        /// Users.
        User = "user",
        /// Groups.
        Group = "group",
        /// Roles that users may have.
        Role = "role",
        /// Users, groups and roles at once (`/.search`).
        Search = "search",
        /// Many operations in one (`/Bulk`).
        Bulk = "bulk",
        /// What the server offers.
        Discovery = "discovery",
        /// A path that leads nowhere, or to something that is not offered.
        Other = "other",
    }
);

words!(
    /// Whose product an identity provider's SCIM client is, as far as it can be guessed.
    IdentityProvider {
        Okta = "okta",
        Entra = "entra",
        Google = "google",
        Onelogin = "onelogin",
        Jumpcloud = "jumpcloud",
        Ping = "ping",
        Rippling = "rippling",
        Keycloak = "keycloak",
        Authentik = "authentik",
        Sailpoint = "sailpoint",
        Cyberark = "cyberark",
        /// The client does not say, or is none of these.
        Unknown = "unknown",
    }
);
