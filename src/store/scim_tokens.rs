//! Queries of SCIM tokens.

pub use super::entities::scim_tokens::Model as ScimToken;

use super::Conn;
use super::entities::scim_tokens::{Column, Entity};
use super::error::StoreError;
use crate::model::dns_name::DomainName;
use crate::model::id::{DomainId, ScimTokenId};
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

/// A token as it is known by its secret alone.
#[derive(Debug, Clone)]
pub struct Presented {
    pub token: ScimToken,
    /// The name of the domain that the token is bound to, if it is bound and the domain is still there.
    pub domain: Option<DomainName>,
    /// What its directory is set to.
    pub conformance: Conformance,
    pub oauth_only: bool,
}

/// The token with this hash, whatever became of it: the secret is what names the tenant here.
pub async fn find_by_hash(conn: &impl Conn, hash: &TokenHash) -> Result<Option<Presented>, StoreError> {
    let sql = "SELECT token.*, domain.name AS bound_domain, directory.conformance, directory.oauth_only
         FROM scim_tokens AS token
         JOIN directories AS directory
             ON directory.organization_id = token.organization_id AND directory.id = token.directory_id
         LEFT JOIN domains AS domain
             ON domain.id = token.domain_id AND domain.organization_id = token.organization_id
         WHERE token.hash = $1";
    let backend = conn.inner().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [hash.clone().into()]);
    let Some(row) = conn.inner().query_one_raw(statement).await? else { return Ok(None) };
    let token = ScimToken::from_query_result(&row, "")?;
    Ok(Some(Presented {
        token,
        domain: row.try_get("", "bound_domain")?,
        conformance: row.try_get("", "conformance")?,
        oauth_only: row.try_get("", "oauth_only")?,
    }))
}

/// A token of the organization's directory.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
) -> Result<Option<ScimToken>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// All tokens of the organization's directory, revoked ones too, oldest first.
pub async fn list(conn: &impl Conn, scope: TenantScope) -> Result<Vec<ScimToken>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn.inner())
        .await?)
}

/// Inserts a new token.
pub async fn insert(conn: &impl Conn, row: ScimToken) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Revokes a token; `false` if there is none that was live.
pub async fn revoke(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::RevokedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Revokes the live tokens that are bound to a domain; gives them.
pub async fn revoke_of_domain(
    conn: &impl Conn,
    scope: TenantScope,
    domain: DomainId,
    now: Timestamp,
) -> Result<Vec<ScimToken>, StoreError> {
    let condition = of(scope).add(Column::DomainId.eq(domain)).add(Column::RevokedAt.is_null());
    let tokens = Entity::find().filter(condition.clone()).all(conn.inner()).await?;
    if !tokens.is_empty() {
        let revoke = Entity::update_many().col_expr(Column::RevokedAt, now.into());
        revoke.filter(condition).exec(conn.inner()).await?;
    }
    Ok(tokens)
}

/// Sets when the overlap of a rotation ends, and when the owners are told next that the token will end. The caller
/// holds the directory's row.
pub async fn set_overlap(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
    overlap_ends_at: Option<Timestamp>,
    warn_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::OverlapEndsAt, overlap_ends_at.into())
        .col_expr(Column::WarnAt, warn_at.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Tokens of all organizations whose owners are to be told by now that they will end, at most `limit`.
pub async fn due_for_warning(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<ScimToken>, StoreError> {
    Ok(Entity::find()
        .filter(Column::WarnAt.lte(now))
        .filter(Column::RevokedAt.is_null())
        .order_by_asc(Column::WarnAt)
        .limit(limit)
        .all(conn.inner())
        .await?)
}

/// Takes a warning that is due for this caller alone, and sets the time of the next; `false` if somebody else took it.
pub async fn take_warning(
    conn: &impl Conn,
    scope: TenantScope,
    token: &ScimToken,
    next: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::WarnAt, next.into())
        .filter(of(scope))
        .filter(Column::Id.eq(token.id))
        .filter(Column::WarnAt.eq(token.warn_at))
        .filter(Column::RevokedAt.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes that the token was used, unless that was noted after `before` already.
pub async fn touch(
    conn: &impl Conn,
    scope: TenantScope,
    id: ScimTokenId,
    before: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, now.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lte(before)))
        .exec(conn.inner())
        .await?;
    Ok(())
}
