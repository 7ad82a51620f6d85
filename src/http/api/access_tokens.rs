//! `/api/v1/me/access-token`, and the keys that verify what it gives at `/.well-known/jwks.json`.

use super::Tag;
use super::answer::{Answer, Listed, problem};
use super::caller::Caller;
use crate::http::state::State;
use crate::service::access_tokens;
use poem::http::header;
use poem::{Request, Response};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// An access token (RFC 6749 §5.1).
#[derive(Object)]
#[oai(rename = "AccessToken")]
pub struct AccessTokenView {
    /// A JWT (RFC 9068) for `Authorization: Bearer`; dead with the session.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: i64,
}

pub struct AccessTokensApi;

#[OpenApi(prefix_path = "/me", tag = "Tag::Me")]
impl AccessTokensApi {
    /// Trade the session for an access token
    ///
    /// For a signed-in person, by session cookie from our own pages.
    #[oai(path = "/access-token", method = "post", operation_id = "create_access_token")]
    async fn create(&self, caller: Caller) -> Answer<Listed<AccessTokenView>> {
        let token = access_tokens::issue(caller.services(), &caller.ctx, caller.session.as_deref()).await?;
        Ok(Listed::Ok(Json(AccessTokenView {
            access_token: token.token,
            token_type: "Bearer".to_owned(),
            expires_in: token.expires_in,
        })))
    }
}

/// The JWK set.
#[poem::handler]
pub async fn key_set(request: &Request) -> poem::Result<Response> {
    let state = State::of(request)?;
    let keys = access_tokens::key_set(&state.services).await.map_err(|error| problem(&error))?;
    Ok(Response::builder()
        .content_type("application/jwk-set+json")
        .header(header::CACHE_CONTROL, "public, max-age=300")
        .body(keys.to_string()))
}
