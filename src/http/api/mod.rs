//! The REST API under `/api/v1`: one file a noun, with the same names as in `service`. Handlers extract, call one use
//! case, wrap. The OpenAPI document comes from these files.

pub mod access_tokens;
pub mod answer;
pub mod api_keys;
pub mod caller;
pub mod connection_drafts;
pub mod connection_tests;
pub mod connection_trust;
pub mod connection_trust_views;
pub mod connection_views;
pub mod connections;
pub mod directories;
pub mod directory_users;
pub mod docs;
pub mod domains;
pub mod dto;
pub mod enforcement;
pub mod events;
pub mod groups;
pub mod guests;
pub mod guides;
pub mod idempotency;
pub mod invites;
mod login_url;
pub mod me;
pub mod members;
pub mod organizations;
pub mod pending_links;
pub mod role_mappings;
pub mod saml_keys;
pub mod scim_clients;
pub mod scim_dry_run;
pub mod scim_requests;
pub mod scim_schemas;
pub mod scim_tokens;
pub mod sign_ins;

use poem_openapi::{OpenApiService, Tags};

/// The sections of the document.
#[derive(Tags)]
pub enum Tag {
    /// Tenants.
    Organizations,
    /// Names that organizations claim, proven by DNS.
    Domains,
    /// Identity providers.
    #[oai(rename = "SAML connections")]
    SamlConnections,
    /// Letting people in through SAML alone, and guests.
    #[oai(rename = "SSO enforcement")]
    Enforcement,
    /// The directory: where the IdP pushes people.
    #[oai(rename = "SCIM")]
    Scim,
    /// How to set the identity providers up.
    #[oai(rename = "Set-up guides")]
    Guides,
    /// Users in an organization.
    Members,
    /// Groups of the directory.
    Groups,
    /// Offers of membership.
    Invites,
    /// Credentials of programs.
    #[oai(rename = "API keys")]
    ApiKeys,
    /// What happened.
    Events,
    /// The credential itself.
    Me,
}

/// All nouns; some in a tuple of their own where more would be too many for one tuple.
pub type Nouns = (
    organizations::OrganizationsApi,
    (domains::DomainsApi, enforcement::EnforcementApi, guests::GuestsApi),
    (
        connections::ConnectionsApi,
        (connection_tests::ConnectionTestsApi, connection_drafts::ConnectionDraftsApi),
        connection_trust::ConnectionTrustApi,
        saml_keys::SamlKeysApi,
        login_url::LoginUrlApi,
        sign_ins::SignInsApi,
    ),
    (directories::DirectoriesApi, directory_users::DirectoryUsersApi, guides::GuidesApi),
    scim_tokens::ScimTokensApi,
    scim_clients::ScimClientsApi,
    scim_requests::ScimRequestsApi,
    (members::MembersApi, pending_links::PendingLinksApi),
    groups::GroupsApi,
    role_mappings::RoleMappingsApi,
    scim_schemas::SchemasApi,
    invites::InvitesApi,
    api_keys::ApiKeysApi,
    events::EventsApi,
    me::MeApi,
    access_tokens::AccessTokensApi,
);

/// The service with its document; `public_url` without a slash at the end.
pub fn service(public_url: &str) -> OpenApiService<Nouns, ()> {
    let nouns = (
        organizations::OrganizationsApi,
        (domains::DomainsApi, enforcement::EnforcementApi, guests::GuestsApi),
        (
            connections::ConnectionsApi,
            (connection_tests::ConnectionTestsApi, connection_drafts::ConnectionDraftsApi),
            connection_trust::ConnectionTrustApi,
            saml_keys::SamlKeysApi,
            login_url::LoginUrlApi,
            sign_ins::SignInsApi,
        ),
        (directories::DirectoriesApi, directory_users::DirectoryUsersApi, guides::GuidesApi),
        scim_tokens::ScimTokensApi,
        scim_clients::ScimClientsApi,
        scim_requests::ScimRequestsApi,
        (members::MembersApi, pending_links::PendingLinksApi),
        groups::GroupsApi,
        role_mappings::RoleMappingsApi,
        scim_schemas::SchemasApi,
        invites::InvitesApi,
        api_keys::ApiKeysApi,
        events::EventsApi,
        me::MeApi,
        access_tokens::AccessTokensApi,
    );
    OpenApiService::new(nouns, "Postern", env!("CARGO_PKG_VERSION"))
        .description(
            "The gate through which enterprise customers' identities enter an application: domains, SAML connections, \
             directories, members, invites, API keys and events.\n\nA POST may carry `Idempotency-Key` (1 to 255 visible ASCII \
             characters): for 24 hours the same request with the same key gets the same answer, without its secret and \
             with `Idempotency-Replayed: true`. Changes take `If-Match` with the `ETag` of the resource. Wherever an \
             organization's id stands, `me` is the organization of the credential.",
        )
        .license(poem_openapi::LicenseObject::new("Apache-2.0").identifier("Apache-2.0"))
        .server(poem_openapi::ServerObject::new(format!("{public_url}/api/v1")))
}
