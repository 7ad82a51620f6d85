//! Queries of OAuth clients of directories, their access tokens, and the assertions that they used.

pub use super::entities::scim_access_tokens::Model as ScimAccessToken;
pub use super::entities::scim_clients::Model as ScimClient;

use super::entities::scim_clients::{Column, Entity};
use super::entities::{scim_access_tokens, used_client_assertions};
use super::error::StoreError;
use super::{Conn, Tx};
use crate::model::id::ScimClientId;
use crate::model::secret::TokenHash;
use crate::model::state::Conformance;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The client with this id, of whatever organization, unless it was revoked; locked until the transaction ends, so that
/// its revocation waits. The id is public: nothing is established by it until the client has proven itself.
pub async fn lock_claimed(tx: &Tx, id: ScimClientId) -> Result<Option<ScimClient>, StoreError> {
    let query = Entity::find_by_id(id).filter(Column::RevokedAt.is_null());
    Ok(query.lock_exclusive().one(tx.inner()).await?)
}

/// The same without a lock.
pub async fn find_claimed(conn: &impl Conn, id: ScimClientId) -> Result<Option<ScimClient>, StoreError> {
    Ok(Entity::find_by_id(id).filter(Column::RevokedAt.is_null()).one(conn.inner()).await?)
}

/// A client of the organization's directory.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimClientId,
) -> Result<Option<ScimClient>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// All clients of the organization's directory, revoked ones too, oldest first.
pub async fn list(conn: &impl Conn, scope: TenantScope) -> Result<Vec<ScimClient>, StoreError> {
    let query = Entity::find().filter(of(scope));
    Ok(query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(conn.inner()).await?)
}

/// Inserts a new client.
pub async fn insert(conn: &impl Conn, row: ScimClient) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Revokes a client, and with it the access tokens that it has; `false` if there is none that was live.
pub async fn revoke(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimClientId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let revoke = Entity::update_many().col_expr(Column::RevokedAt, now.into());
    let live = of(scope).add(Column::Id.eq(id)).add(Column::RevokedAt.is_null());
    if revoke.filter(live).exec(conn.inner()).await?.rows_affected == 0 {
        return Ok(false);
    }
    scim_access_tokens::Entity::delete_many()
        .filter(scim_access_tokens::Column::OrganizationId.eq(scope.organization()))
        .filter(scim_access_tokens::Column::ClientId.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(true)
}

/// Notes that the client was given a token.
pub async fn touch(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let touch = Entity::update_many().col_expr(Column::LastUsedAt, now.into());
    touch.filter(of(scope)).filter(Column::Id.eq(id)).exec(conn.inner()).await?;
    Ok(())
}

/// Remembers an assertion of a client as used. [`StoreError::Conflict`] with `UsedClientAssertion` if it was used before
/// (in PostgreSQL the transaction is then lost, as it should be).
pub async fn use_assertion(
    tx: &Tx,
    client: ScimClientId,
    jti: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let row = used_client_assertions::Model { client_id: client, jti: jti.to_owned(), expires_at };
    super::insert::<used_client_assertions::Entity>(tx, row).await
}

/// Inserts a new access token.
pub async fn insert_token(conn: &impl Conn, row: ScimAccessToken) -> Result<(), StoreError> {
    super::insert::<scim_access_tokens::Entity>(conn, row).await
}

/// An access token as it is known by its secret alone.
#[derive(Debug, Clone)]
pub struct PresentedAccessToken {
    pub token: ScimAccessToken,
    /// What its directory is set to.
    pub conformance: Conformance,
}

/// The access token with this hash, whether it has ended or not, if its client was not revoked: the secret is what
/// names the tenant here.
pub async fn find_token(
    conn: &impl Conn,
    hash: &TokenHash,
) -> Result<Option<PresentedAccessToken>, StoreError> {
    let sql = "SELECT token.*, directory.conformance FROM scim_access_tokens AS token
         JOIN scim_clients AS client ON client.id = token.client_id AND client.revoked_at IS NULL
         JOIN directories AS directory
             ON directory.organization_id = token.organization_id AND directory.id = token.directory_id
         WHERE token.hash = $1";
    let backend = conn.inner().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [hash.clone().into()]);
    let Some(row) = conn.inner().query_one_raw(statement).await? else { return Ok(None) };
    let token = ScimAccessToken::from_query_result(&row, "")?;
    Ok(Some(PresentedAccessToken { token, conformance: row.try_get("", "conformance")? }))
}

/// Deletes access tokens that ended before `tokens_before`, and assertions that could not be used any more at
/// `assertions_before`.
pub async fn prune(
    conn: &impl Conn,
    _scope: InstallationScope,
    assertions_before: Timestamp,
    tokens_before: Timestamp,
) -> Result<u64, StoreError> {
    let tokens = scim_access_tokens::Entity::delete_many()
        .filter(scim_access_tokens::Column::ExpiresAt.lt(tokens_before))
        .exec(conn.inner())
        .await?;
    let used = used_client_assertions::Entity::delete_many()
        .filter(used_client_assertions::Column::ExpiresAt.lt(assertions_before))
        .exec(conn.inner())
        .await?;
    Ok(tokens.rows_affected + used.rows_affected)
}
