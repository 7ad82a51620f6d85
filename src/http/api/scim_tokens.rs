//! `/api/v1/organizations/{organization_id}/scim/tokens`, and the token of one domain.

use super::Tag;
use super::answer::{Answer, Done, Listed};
use super::caller::Caller;
use super::dto::{Time, id};
use crate::http::payload::JsonBody;
use crate::model::id::{OrganizationId, ScimTokenId};
use crate::model::time::Timestamp;
use crate::service::directories;
use crate::service::scim_tokens::{self, CreateScimToken, Life, Made, Rotate, ScimToken};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

/// Where a SCIM token stands.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
pub enum ScimTokenStatus {
    /// It opens the directory.
    Active,
    /// It opens the directory until the overlap ends; another token takes its place.
    Rotating,
    /// Its time ran out.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A SCIM token, without its secret.
#[derive(Object)]
#[oai(rename = "ScimToken", skip_serializing_if_is_none)]
pub struct ScimTokenView {
    /// TypeID, `sct_…`.
    pub id: String,
    /// The last characters of the secret, to recognize it by.
    pub last_four: String,
    /// Whether it opens the directory.
    pub active: bool,
    pub status: ScimTokenStatus,
    /// The one domain whose people it may provision; absent: all of the directory's.
    pub domain_id: Option<String>,
    /// The token whose place it takes.
    pub replaces: Option<String>,
    pub created_at: Time,
    /// Absent: it lives until it is revoked.
    pub expires_at: Option<Time>,
    /// In a rotation, on the old token: when it stops even if it expires later.
    pub overlap_ends_at: Option<Time>,
    /// Noted at most once a minute.
    pub last_used_at: Option<Time>,
    pub revoked_at: Option<Time>,
}

impl ScimTokenView {
    /// The token as it is at this time.
    pub fn new(row: &ScimToken, now: Timestamp) -> Self {
        let active = row.is_live(now);
        let status = match (row.revoked_at, active, row.overlap_ends_at) {
            (Some(_), ..) => ScimTokenStatus::Revoked,
            (None, false, _) => ScimTokenStatus::Expired,
            (None, true, Some(_)) => ScimTokenStatus::Rotating,
            (None, true, None) => ScimTokenStatus::Active,
        };
        Self {
            id: row.id.to_string(),
            last_four: row.last_four.clone(),
            active,
            status,
            domain_id: row.domain_id.map(|id| id.to_string()),
            replaces: row.replaces_id.map(|id| id.to_string()),
            created_at: row.created_at.to_datetime(),
            expires_at: row.expires_at.map(Timestamp::to_datetime),
            overlap_ends_at: row.overlap_ends_at.map(Timestamp::to_datetime),
            last_used_at: row.last_used_at.map(Timestamp::to_datetime),
            revoked_at: row.revoked_at.map(Timestamp::to_datetime),
        }
    }
}

/// The tokens of a directory.
#[derive(Object)]
pub struct ScimTokenList {
    /// All of them, revoked ones too, oldest first.
    pub data: Vec<ScimTokenView>,
}

/// What a new token is to be. Nothing need be said.
#[derive(Object)]
#[oai(rename = "CreateScimToken", deny_unknown_fields)]
pub struct CreateBody {
    /// RFC 3339. Owners get events 30 days, 7 days and 1 day before.
    pub expires_at: Option<Time>,
    /// The same, as a number of days from now: 1 to 3650.
    pub expires_in_days: Option<u32>,
    /// Binds the token to one domain of the organization: it reaches the users on it, nothing else.
    pub domain_id: Option<String>,
}

/// How a token is replaced. Nothing need be said.
#[derive(Object)]
#[oai(rename = "RotateScimToken", deny_unknown_fields)]
pub struct RotateBody {
    /// Of the new token, RFC 3339; if nothing is said it lives as long as the old one was made to.
    pub expires_at: Option<Time>,
    /// The same, as a number of days from now: 1 to 3650.
    pub expires_in_days: Option<u32>,
    /// For how many days the old token goes on: 1 to 90; 7 if absent.
    pub overlap_days: Option<u32>,
}

impl From<Option<RotateBody>> for Rotate {
    fn from(body: Option<RotateBody>) -> Self {
        body.map_or_else(Self::default, |body| Self {
            life: Life {
                expires_at: body.expires_at.map(Timestamp::from),
                expires_in_days: body.expires_in_days,
            },
            overlap_days: body.overlap_days,
        })
    }
}

/// A new SCIM token, with its secret.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct NewScimToken {
    /// TypeID, `sct_…`.
    pub id: String,
    /// The secret. It is shown here and never again.
    pub token: String,
    pub last_four: String,
    /// Where to use it.
    pub scim_base_url: String,
    pub domain_id: Option<String>,
    pub created_at: Time,
    pub expires_at: Option<Time>,
    /// In a rotation: the old token, which goes on until its `overlap_ends_at`.
    pub replaces: Option<ScimTokenView>,
}

/// A token that was made.
#[derive(ApiResponse)]
pub enum TokenMade {
    /// The new token.
    #[oai(status = 201)]
    Created(Json<NewScimToken>, #[oai(header = "Location")] String),
}

impl TokenMade {
    fn new(caller: &Caller, organization: OrganizationId, made: Made) -> Self {
        let Made { token: row, secret, replaces } = made;
        let view = NewScimToken {
            id: row.id.to_string(),
            token: secret.reveal().to_owned(),
            last_four: row.last_four,
            scim_base_url: directories::base_url(caller.services()),
            domain_id: row.domain_id.map(|id| id.to_string()),
            created_at: row.created_at.to_datetime(),
            expires_at: row.expires_at.map(Timestamp::to_datetime),
            replaces: replaces.map(|old| ScimTokenView::new(&old, caller.ctx.now)),
        };
        let location = format!("/api/v1/organizations/{organization}/scim/tokens/{}", row.id);
        Self::Created(Json(view), location)
    }
}

fn ids(caller: &Caller, organization: &str, token: &str) -> Answer<(OrganizationId, ScimTokenId)> {
    Ok((caller.organization(organization)?, id(token)?))
}

fn shown(caller: &Caller, row: &ScimToken) -> Listed<ScimTokenView> {
    Listed::Ok(Json(ScimTokenView::new(row, caller.ctx.now)))
}

pub struct ScimTokensApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl ScimTokensApi {
    /// List SCIM tokens
    ///
    /// Revoked ones too, oldest first.
    #[oai(path = "/:organization_id/scim/tokens", method = "get", operation_id = "list_scim_tokens")]
    async fn list(&self, caller: Caller, organization_id: Path<String>) -> Answer<Listed<ScimTokenList>> {
        let organization = caller.organization(&organization_id)?;
        let rows = scim_tokens::list(caller.services(), &caller.ctx, organization).await?;
        let data = rows.iter().map(|row| ScimTokenView::new(row, caller.ctx.now)).collect();
        Ok(Listed::Ok(Json(ScimTokenList { data })))
    }

    /// Make a SCIM token
    ///
    /// A change of trust. The secret is in this answer only.
    #[oai(path = "/:organization_id/scim/tokens", method = "post", operation_id = "create_scim_token")]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<Option<CreateBody>>,
    ) -> Answer<TokenMade> {
        let organization = caller.organization(&organization_id)?;
        let mut new = CreateScimToken::default();
        if let Some(body) = body.0 {
            new.life.expires_at = body.expires_at.map(Timestamp::from);
            new.life.expires_in_days = body.expires_in_days;
            new.domain =
                body.domain_id.as_deref().map(|text| super::dto::id_field("domain_id", text)).transpose()?;
        }
        let made = scim_tokens::create(caller.services(), &caller.ctx, organization, new).await?;
        Ok(TokenMade::new(&caller, organization, made))
    }

    /// Read a SCIM token
    #[oai(path = "/:organization_id/scim/tokens/:token_id", method = "get", operation_id = "get_scim_token")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
    ) -> Answer<Listed<ScimTokenView>> {
        let (organization, id) = ids(&caller, &organization_id, &token_id)?;
        let row = scim_tokens::find(caller.services(), &caller.ctx, organization, id).await?;
        Ok(shown(&caller, &row))
    }

    /// Revoke a SCIM token
    ///
    /// It is dead at once. The other token of a rotation stays as it is.
    #[oai(
        path = "/:organization_id/scim/tokens/:token_id",
        method = "delete",
        operation_id = "revoke_scim_token"
    )]
    async fn revoke(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
    ) -> Answer<Done> {
        let (organization, id) = ids(&caller, &organization_id, &token_id)?;
        scim_tokens::revoke(caller.services(), &caller.ctx, organization, id).await?;
        Ok(Done::NoContent)
    }

    /// Start the rotation of a SCIM token
    ///
    /// A change of trust. Makes a new token, bound as the old one is; the old one goes on until the overlap ends, so that
    /// the IdP can be changed over in between.
    #[oai(
        path = "/:organization_id/scim/tokens/:token_id/rotate",
        method = "post",
        operation_id = "rotate_scim_token"
    )]
    async fn rotate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
        body: JsonBody<Option<RotateBody>>,
    ) -> Answer<TokenMade> {
        let (organization, id) = ids(&caller, &organization_id, &token_id)?;
        let made =
            scim_tokens::rotate(caller.services(), &caller.ctx, organization, id, body.0.into()).await?;
        Ok(TokenMade::new(&caller, organization, made))
    }

    /// Complete the rotation of a SCIM token
    ///
    /// The old token ends now. Either token of the rotation may be named; the answer is the new one.
    #[oai(
        path = "/:organization_id/scim/tokens/:token_id/complete-rotation",
        method = "post",
        operation_id = "complete_scim_token_rotation"
    )]
    async fn complete(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
    ) -> Answer<Listed<ScimTokenView>> {
        let (organization, id) = ids(&caller, &organization_id, &token_id)?;
        let row = scim_tokens::complete_rotation(caller.services(), &caller.ctx, organization, id).await?;
        Ok(shown(&caller, &row))
    }

    /// Cancel the rotation of a SCIM token
    ///
    /// A change of trust. The new token is revoked and the old one goes on as before. Either token of the rotation may be
    /// named; the answer is the old one.
    #[oai(
        path = "/:organization_id/scim/tokens/:token_id/cancel-rotation",
        method = "post",
        operation_id = "cancel_scim_token_rotation"
    )]
    async fn cancel(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        token_id: Path<String>,
    ) -> Answer<Listed<ScimTokenView>> {
        let (organization, id) = ids(&caller, &organization_id, &token_id)?;
        let row = scim_tokens::cancel_rotation(caller.services(), &caller.ctx, organization, id).await?;
        Ok(shown(&caller, &row))
    }

    /// Make or rotate the SCIM token of a domain
    ///
    /// A change of trust. The token reaches the users on that domain, nothing else. Where the domain has a live token,
    /// this starts its rotation.
    ///
    /// A userName that is no e-mail address is unique in the whole directory, whatever domain its user is on: a 409 can
    /// tell that one is taken outside of this domain, and tells nothing more. An identity provider that is not to learn
    /// so much belongs in an organization of its own.
    #[oai(
        path = "/:organization_id/domains/:domain_id/scim/token",
        method = "post",
        operation_id = "create_domain_scim_token"
    )]
    async fn create_for_domain(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
        body: JsonBody<Option<RotateBody>>,
    ) -> Answer<TokenMade> {
        let organization = caller.organization(&organization_id)?;
        let domain = id(&domain_id)?;
        let (services, ctx, how) = (caller.services(), &caller.ctx, body.0.into());
        let made = scim_tokens::create_for_domain(services, ctx, organization, domain, how).await?;
        Ok(TokenMade::new(&caller, organization, made))
    }
}
