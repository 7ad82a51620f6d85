//! `/api/v1/organizations/{organization_id}/scim/oauth-clients`.

use super::Tag;
use super::answer::{Answer, Done, Listed};
use super::caller::Caller;
use super::dto::{Time, id};
use crate::http::payload::JsonBody;
use crate::model::state::{ClientAuthentication, SigningAlgorithm};
use crate::model::time::Timestamp;
use crate::service::scim_clients::{self, CreateScimClient, ScimClient};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;

/// An OAuth client of a directory, without its secret.
#[derive(Object)]
#[oai(rename = "ScimOauthClient", skip_serializing_if_is_none)]
pub struct ScimClientView {
    /// TypeID, `scl_…`: the `client_id`.
    pub id: String,
    pub name: String,
    /// How it proves itself at the token endpoint.
    pub token_endpoint_auth_method: ClientAuthentication,
    /// The last characters of the secret, to recognize it by.
    pub last_four: Option<String>,
    /// Its public keys, a JWK set.
    pub jwks: Option<Any<Value>>,
    /// What it may sign with.
    pub signing_algorithms: Option<Any<Value>>,
    /// Whether it is given tokens.
    pub active: bool,
    pub created_at: Time,
    /// When it was last given a token.
    pub last_used_at: Option<Time>,
    pub revoked_at: Option<Time>,
    /// The secret; only in the answer that made it.
    pub secret: Option<String>,
}

impl From<ScimClient> for ScimClientView {
    fn from(row: ScimClient) -> Self {
        let signs = row.method == ClientAuthentication::PrivateKeyJwt;
        Self {
            id: row.id.to_string(),
            name: row.name,
            token_endpoint_auth_method: row.method,
            last_four: row.last_four,
            jwks: signs.then_some(Any(row.jwks)),
            signing_algorithms: signs.then_some(Any(row.signing_algorithms)),
            active: row.revoked_at.is_none(),
            created_at: row.created_at.to_datetime(),
            last_used_at: row.last_used_at.map(Timestamp::to_datetime),
            revoked_at: row.revoked_at.map(Timestamp::to_datetime),
            secret: None,
        }
    }
}

/// The OAuth clients of a directory.
#[derive(Object)]
pub struct ScimOauthClientList {
    /// All of them, revoked ones too, oldest first.
    pub data: Vec<ScimClientView>,
}

/// A new OAuth client.
#[derive(Object)]
#[oai(rename = "CreateScimOauthClient", deny_unknown_fields)]
pub struct CreateBody {
    /// 1 to 100 characters.
    pub name: String,
    /// `private_key_jwt` is the better one: no secret leaves the IdP.
    pub token_endpoint_auth_method: ClientAuthentication,
    /// For `private_key_jwt`: a JWK set of 1 to 10 public keys. RSA (2048 bits or more), EC P-256 and Ed25519 are taken.
    pub jwks: Option<Any<Value>>,
    /// For `private_key_jwt`; absent: PS256, ES256 and EdDSA. RS256 has to be named.
    pub signing_algorithms: Option<Vec<SigningAlgorithm>>,
}

/// A client that was registered.
#[derive(ApiResponse)]
pub enum ClientMade {
    /// The new client, with its secret if it has one.
    #[oai(status = 201)]
    Created(Json<ScimClientView>, #[oai(header = "Location")] String),
}

pub struct ScimClientsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl ScimClientsApi {
    /// Register an OAuth client of the directory
    ///
    /// A change of trust. The client asks for access tokens at the `token_endpoint` that
    /// `/.well-known/oauth-authorization-server` names, with the grant `client_credentials`. A secret is in this answer
    /// only.
    #[oai(
        path = "/:organization_id/scim/oauth-clients",
        method = "post",
        operation_id = "create_scim_oauth_client"
    )]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<CreateBody>,
    ) -> Answer<ClientMade> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = CreateScimClient {
            name: body.name,
            method: body.token_endpoint_auth_method,
            jwks: body.jwks.map(|jwks| jwks.0),
            signing_algorithms: body.signing_algorithms,
        };
        let (row, secret) = scim_clients::create(caller.services(), &caller.ctx, organization, new).await?;
        let location = format!("/api/v1/organizations/{organization}/scim/oauth-clients/{}", row.id);
        let mut view = ScimClientView::from(row);
        view.secret = secret.map(|secret| secret.reveal().to_owned());
        Ok(ClientMade::Created(Json(view), location))
    }

    /// List the OAuth clients of the directory
    ///
    /// Revoked ones too, oldest first.
    #[oai(
        path = "/:organization_id/scim/oauth-clients",
        method = "get",
        operation_id = "list_scim_oauth_clients"
    )]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
    ) -> Answer<Listed<ScimOauthClientList>> {
        let organization = caller.organization(&organization_id)?;
        let rows = scim_clients::list(caller.services(), &caller.ctx, organization).await?;
        let data = rows.into_iter().map(ScimClientView::from).collect();
        Ok(Listed::Ok(Json(ScimOauthClientList { data })))
    }

    /// Read an OAuth client of the directory
    #[oai(
        path = "/:organization_id/scim/oauth-clients/:client_id",
        method = "get",
        operation_id = "get_scim_oauth_client"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        client_id: Path<String>,
    ) -> Answer<Listed<ScimClientView>> {
        let organization = caller.organization(&organization_id)?;
        let row = scim_clients::find(caller.services(), &caller.ctx, organization, id(&client_id)?).await?;
        Ok(Listed::Ok(Json(row.into())))
    }

    /// Revoke an OAuth client of the directory
    ///
    /// It is given no token any more, and those that it has open nothing.
    #[oai(
        path = "/:organization_id/scim/oauth-clients/:client_id",
        method = "delete",
        operation_id = "revoke_scim_oauth_client"
    )]
    async fn revoke(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        client_id: Path<String>,
    ) -> Answer<Done> {
        let organization = caller.organization(&organization_id)?;
        scim_clients::revoke(caller.services(), &caller.ctx, organization, id(&client_id)?).await?;
        Ok(Done::NoContent)
    }
}
