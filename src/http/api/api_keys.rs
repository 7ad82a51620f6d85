//! `/api/v1/organizations/{organization_id}/api-keys`.

use super::Tag;
use super::answer::{Answer, Done, Listed, Made};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request};
use crate::http::payload::JsonBody;
use crate::model::scope::Scope;
use crate::model::time::Timestamp;
use crate::service::api_keys::{self, ApiKey};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// An API key of an organization, without its secret.
#[derive(Object)]
#[oai(rename = "ApiKey", skip_serializing_if_is_none)]
pub struct ApiKeyView {
    /// TypeID, `key_…`.
    pub id: String,
    pub name: String,
    /// The last four characters of the secret, to recognise it by.
    pub last_four: String,
    pub scopes: Vec<Scope>,
    /// The person or key that made it.
    pub created_by: Option<String>,
    pub created_at: Time,
    /// Absent: it lives until it is revoked.
    pub expires_at: Option<Time>,
    /// Noted at most once a minute.
    pub last_used_at: Option<Time>,
    /// Since when it should be replaced, because the person who made it has left.
    pub rotation_due_at: Option<Time>,
    /// The key itself; only in the answer that made it.
    pub secret: Option<String>,
}

impl From<&ApiKey> for ApiKeyView {
    fn from(row: &ApiKey) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            last_four: row.last_four.clone(),
            scopes: row.scopes.iter().collect(),
            created_by: row.created_by.clone(),
            created_at: row.created_at.to_datetime(),
            expires_at: row.expires_at.map(Timestamp::to_datetime),
            last_used_at: row.last_used_at.map(Timestamp::to_datetime),
            rotation_due_at: row.rotation_due_at.map(Timestamp::to_datetime),
            secret: None,
        }
    }
}

/// A new key.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CreateApiKey {
    /// 1 to 100 characters.
    pub name: String,
    /// What the key may do; within the caller's own scopes where the caller is a key. `trust` comes from the operator
    /// or from a key that has it.
    pub scopes: Vec<Scope>,
    /// RFC 3339; absent: it lives until it is revoked. No later than the caller's own where the caller is a key.
    pub expires_at: Option<Time>,
}

pub struct ApiKeysApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::ApiKeys")]
impl ApiKeysApi {
    /// Make an API key
    ///
    /// The answer carries the secret, this once.
    #[oai(path = "/:organization_id/api-keys", method = "post", operation_id = "create_api_key")]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<CreateApiKey>,
    ) -> Answer<Made<ApiKeyView>> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = api_keys::CreateApiKey {
            name: body.name,
            scopes: body.scopes,
            expires_at: body.expires_at.map(Timestamp::from),
        };
        let (row, token) = api_keys::create(caller.services(), &caller.ctx, organization, new).await?;
        let location = format!("/api/v1/organizations/{organization}/api-keys/{}", row.id);
        let mut view = ApiKeyView::from(&row);
        view.secret = Some(token.reveal().to_owned());
        Ok(Made::new(view, location, 1))
    }

    /// List API keys
    ///
    /// Those that were not revoked.
    #[oai(path = "/:organization_id/api-keys", method = "get", operation_id = "list_api_keys")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<ApiKeyView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page = api_keys::list(caller.services(), &caller.ctx, organization, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| ApiKeyView::from(&row)))))
    }

    /// Read an API key
    #[oai(path = "/:organization_id/api-keys/:api_key_id", method = "get", operation_id = "get_api_key")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        api_key_id: Path<String>,
    ) -> Answer<Listed<ApiKeyView>> {
        let organization = caller.organization(&organization_id)?;
        let row = api_keys::find(caller.services(), &caller.ctx, organization, id(&api_key_id)?).await?;
        Ok(Listed::Ok(Json(ApiKeyView::from(&row))))
    }

    /// Revoke an API key
    ///
    /// It is dead at once.
    #[oai(
        path = "/:organization_id/api-keys/:api_key_id",
        method = "delete",
        operation_id = "revoke_api_key"
    )]
    async fn revoke(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        api_key_id: Path<String>,
    ) -> Answer<Done> {
        let organization = caller.organization(&organization_id)?;
        api_keys::revoke(caller.services(), &caller.ctx, organization, id(&api_key_id)?).await?;
        Ok(Done::NoContent)
    }
}
