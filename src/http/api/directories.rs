//! `/api/v1/organizations/{organization_id}/scim`: the directory as its administrators see it. The SCIM protocol
//! itself is another door.

use super::Tag;
use super::answer::{Answer, Done, Found, if_match};
use super::caller::Caller;
use super::dto::{Time, id};
use crate::http::payload::JsonBody;
use crate::model::state::{ForeignAddresses, ProvisioningMode};
use crate::model::time::Timestamp;
use crate::service::directories::{self, Overview, ScimToken};
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

/// A SCIM token, without its secret.
#[derive(Object)]
#[oai(rename = "ScimToken")]
pub struct ScimTokenView {
    /// TypeID, `sct_…`.
    pub id: String,
    /// The last characters of the secret, to recognize it by.
    pub last_four: String,
    /// Whether it opens the directory.
    pub active: bool,
    pub created_at: Time,
    #[oai(skip_serializing_if_is_none)]
    pub last_used_at: Option<Time>,
    #[oai(skip_serializing_if_is_none)]
    pub revoked_at: Option<Time>,
}

impl From<&ScimToken> for ScimTokenView {
    fn from(row: &ScimToken) -> Self {
        Self {
            id: row.id.to_string(),
            last_four: row.last_four.clone(),
            active: row.revoked_at.is_none(),
            created_at: row.created_at.to_datetime(),
            last_used_at: row.last_used_at.map(Timestamp::to_datetime),
            revoked_at: row.revoked_at.map(Timestamp::to_datetime),
        }
    }
}

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
            domains: overview.domains.iter().map(|d| d.name.to_string()).collect(),
            tokens: overview.tokens.iter().map(ScimTokenView::from).collect(),
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
}

/// A new SCIM token, with its secret.
#[derive(Object)]
pub struct NewScimToken {
    /// TypeID, `sct_…`.
    pub id: String,
    /// The secret. It is shown here and never again.
    pub token: String,
    pub last_four: String,
    /// Where to use it.
    pub scim_base_url: String,
    pub created_at: Time,
}

/// A token that was made.
#[derive(ApiResponse)]
pub enum TokenMade {
    /// The new token. It has no address of its own: it is listed with the directory.
    #[oai(status = 201)]
    Created(Json<NewScimToken>),
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
        let wanted = body.0.foreign_addresses;
        let overview =
            directories::update(caller.services(), &caller.ctx, organization, expected, wanted).await?;
        Ok(ScimView::found(&caller, &overview))
    }

    /// Make a SCIM token
    ///
    /// A change of trust. The secret is in this answer only.
    #[oai(path = "/:organization_id/scim/tokens", method = "post", operation_id = "create_scim_token")]
    async fn create_token(&self, caller: Caller, organization_id: Path<String>) -> Answer<TokenMade> {
        let organization = caller.organization(&organization_id)?;
        let (row, secret) = directories::create_token(caller.services(), &caller.ctx, organization).await?;
        Ok(TokenMade::Created(Json(NewScimToken {
            id: row.id.to_string(),
            token: secret.reveal().to_owned(),
            last_four: row.last_four,
            scim_base_url: directories::base_url(caller.services()),
            created_at: row.created_at.to_datetime(),
        })))
    }

    /// Revoke a SCIM token
    #[oai(
        path = "/:organization_id/scim/tokens/:token_id",
        method = "delete",
        operation_id = "revoke_scim_token"
    )]
    async fn revoke_token(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
    ) -> Answer<Done> {
        let organization = caller.organization(&organization_id)?;
        directories::revoke_token(caller.services(), &caller.ctx, organization, id(&token_id)?).await?;
        Ok(Done::NoContent)
    }
}
