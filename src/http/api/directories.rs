//! `/api/v1/organizations/{organization_id}/scim`: the directory as its administrators see it. The SCIM protocol
//! itself is another door.

use super::Tag;
use super::answer::{Answer, Found, if_match};
use super::caller::Caller;
use super::dto::Time;
use super::scim_tokens::ScimTokenView;
use crate::http::payload::JsonBody;
use crate::model::state::{Conformance, ForeignAddresses, ProvisioningMode};
use crate::service::directories::{self, Overview, UpdateDirectory};
use poem_openapi::param::{Header, Path};
use poem_openapi::{Object, OpenApi};

/// The directory of an organization.
#[derive(Object)]
#[oai(rename = "ScimSettings")]
pub struct ScimView {
    /// TypeID of the directory, `dir_…`.
    pub directory_id: String,
    /// What the IdP asks for as base URL or tenant URL.
    pub scim_base_url: String,
    /// Who creates members; set on the organization.
    pub provisioning_mode: ProvisioningMode,
    /// What happens to a person with an address outside the domains below.
    pub foreign_addresses: ForeignAddresses,
    /// How strictly the directory reads what the IdP sends: `profile` makes the refusals of the SCIM Interoperability
    /// Profile, which Okta and Entra ID run into.
    pub conformance: Conformance,
    /// Whether SCIM tokens are refused, so that only OAuth clients come in.
    pub oauth_only: bool,
    /// Names of the verified domains that the directory speaks for (`scim_enabled` of a domain).
    pub domains: Vec<String>,
    /// All tokens, revoked ones too, oldest first.
    pub tokens: Vec<ScimTokenView>,
    pub updated_at: Time,
}

impl ScimView {
    fn found(caller: &Caller, overview: &Overview) -> Found<Self> {
        let view = Self {
            directory_id: overview.directory.id.to_string(),
            scim_base_url: directories::base_url(caller.services()),
            provisioning_mode: overview.provisioning_mode,
            foreign_addresses: overview.directory.foreign_addresses,
            conformance: overview.directory.conformance,
            oauth_only: overview.directory.oauth_only,
            domains: overview.domains.iter().map(|d| d.name.to_string()).collect(),
            tokens: overview.tokens.iter().map(|row| ScimTokenView::new(row, caller.ctx.now)).collect(),
            updated_at: overview.directory.updated_at.to_datetime(),
        };
        Found::new(view, overview.directory.version)
    }
}

/// Changes of the directory (JSON Merge Patch).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateScim {
    /// Needs the right to change trust.
    pub foreign_addresses: Option<ForeignAddresses>,
    pub conformance: Option<Conformance>,
    /// Needs the right to change trust.
    pub oauth_only: Option<bool>,
}

pub struct DirectoriesApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl DirectoriesApi {
    /// Read the SCIM settings
    #[oai(path = "/:organization_id/scim", method = "get", operation_id = "get_scim")]
    async fn get(&self, caller: Caller, organization_id: Path<String>) -> Answer<Found<ScimView>> {
        let organization = caller.organization(&organization_id)?;
        let overview = directories::find(caller.services(), &caller.ctx, organization).await?;
        Ok(ScimView::found(&caller, &overview))
    }

    /// Change the SCIM settings
    #[oai(path = "/:organization_id/scim", method = "patch", operation_id = "update_scim")]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateScim>,
    ) -> Answer<Found<ScimView>> {
        let organization = caller.organization(&organization_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let wanted = UpdateDirectory {
            foreign_addresses: body.foreign_addresses,
            conformance: body.conformance,
            oauth_only: body.oauth_only,
        };
        let overview =
            directories::update(caller.services(), &caller.ctx, organization, expected, wanted).await?;
        Ok(ScimView::found(&caller, &overview))
    }
}
