//! Queries of SAML connections.

pub use super::entities::saml_connections::Model as Connection;

use super::domains::Domain;
use super::entities::saml_connections::{Column, Entity};
use super::entities::{domains, organizations};
use super::error::StoreError;
use super::organizations::Organization;
use super::sign_in_attempts::SignInAttempt;
use super::{Conn, fetch_page};
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::secret::TokenHash;
use crate::model::state::{ConnectionStatus, DomainStatus};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, IntoTableRef, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QuerySelect, Statement,
};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// A connection of the organization.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// The connections that people sign in through.
pub async fn list_active(conn: &impl Conn, scope: TenantScope) -> Result<Vec<Connection>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::Status.eq(ConnectionStatus::Active))
        .all(conn.inner())
        .await?)
}

/// A connection by the id in its ACS or metadata URL: the id is what names the tenant here.
pub async fn find_by_url_id(conn: &impl Conn, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn.inner()).await?)
}

/// What tells whether a connection is still as it was read: its own version, and that of our keys at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Versions {
    pub row: i64,
    pub keys: i64,
}

impl Versions {
    /// Those of a row.
    pub const fn of(row: &Connection) -> Self {
        Self { row: row.version, keys: row.keys_version }
    }
}

/// Which versions a connection has now, and the attempt that made this request at it, whatever its state.
pub async fn find_version_and_attempt(
    conn: &impl Conn,
    id: ConnectionId,
    request: &TokenHash,
) -> Result<Option<(Versions, Option<SignInAttempt>)>, StoreError> {
    let statement = Statement::from_sql_and_values(
        conn.inner().get_database_backend(),
        "SELECT c.version AS c_version, c.keys_version AS c_keys_version, a.id AS a_id, a.organization_id AS a_organization_id,
            a.connection_id AS a_connection_id, a.request_hash AS a_request_hash,
            a.browser_hash AS a_browser_hash, a.session_id AS a_session_id, a.own_page AS a_own_page,
            a.return_to AS a_return_to, a.created_at AS a_created_at, a.expires_at AS a_expires_at,
            a.consumed_at AS a_consumed_at, a.outcome AS a_outcome, a.detail AS a_detail,
            a.test_id AS a_test_id, a.step_up AS a_step_up
         FROM saml_connections c
         LEFT JOIN sign_in_attempts a ON a.connection_id = c.id AND a.request_hash = $2
         WHERE c.id = $1",
        [id.into(), request.clone().into()],
    );
    let Some(row) = conn.inner().query_one_raw(statement).await? else { return Ok(None) };
    let versions = Versions { row: row.try_get("c_", "version")?, keys: row.try_get("c_", "keys_version")? };
    Ok(Some((versions, Option::<SignInAttempt>::from_query_result(&row, "a_")?)))
}

/// A connection that serves a domain, with its organization.
#[derive(Debug)]
pub struct Serving {
    pub connection: Connection,
    pub domain: Domain,
    pub organization: Organization,
}

/// The connection together with its verified domain of this name, if it serves one: both in shared lock until the
/// transaction ends, the connection first, so that neither can be given up or changed under a sign-in.
pub async fn share_serving(
    conn: &impl Conn,
    scope: TenantScope,
    id: ConnectionId,
    domain: &str,
) -> Result<Option<Serving>, StoreError> {
    let serves = super::domains::served_by(id);
    let belongs = Expr::col((organizations::Entity, organizations::Column::Id))
        .equals((Entity, Column::OrganizationId));
    let mut query = Query::select();
    super::select_whole::<Entity>(&mut query, "c_");
    super::select_whole::<domains::Entity>(&mut query, "d_");
    super::select_whole::<organizations::Entity>(&mut query, "o_");
    query
        .from(Entity)
        .inner_join(domains::Entity, serves)
        .inner_join(organizations::Entity, belongs)
        .and_where(Column::Id.eq(id))
        .and_where(Column::OrganizationId.eq(scope.organization()))
        .and_where(domains::Column::OrganizationId.eq(scope.organization()))
        .and_where(domains::Column::Name.eq(domain))
        .and_where(domains::Column::Status.eq(DomainStatus::Verified))
        .lock_with_tables(LockType::Share, [Entity.into_table_ref(), domains::Entity.into_table_ref()]);
    let Some(row) = conn.inner().query_one(&query).await? else { return Ok(None) };
    Ok(Some(Serving {
        connection: Connection::from_query_result(&row, "c_")?,
        domain: Domain::from_query_result(&row, "d_")?,
        organization: Organization::from_query_result(&row, "o_")?,
    }))
}

/// Inserts a new connection.
pub async fn insert(conn: &impl Conn, row: Connection) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: Connection,
) -> Result<Connection, StoreError> {
    let condition = of(scope).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Connections of all organizations that are switched on and of which somebody is to be told by now that a certificate
/// ends, at most `limit`.
pub async fn due_for_warning(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<(OrganizationId, ConnectionId)>, StoreError> {
    Ok(Entity::find()
        .select_only()
        .columns([Column::OrganizationId, Column::Id])
        .filter(Column::CertificatesWarnAt.lte(now))
        .filter(Column::Status.eq(ConnectionStatus::Active))
        .limit(limit)
        .into_tuple()
        .all(conn.inner())
        .await?)
}

/// Writes which warnings of its certificates were given. Nothing that the connection trusts changes, so its version
/// stays; the caller holds the row.
pub async fn note_warnings(conn: &impl Conn, scope: TenantScope, row: &Connection) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Certificates, Expr::value(row.certificates.clone()))
        .col_expr(Column::CertificatesWarnAt, row.certificates_warn_at.into())
        .filter(of(scope))
        .filter(Column::Id.eq(row.id))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Deletes a connection; what refers to it must be gone before.
pub async fn delete(conn: &impl Conn, scope: TenantScope, id: ConnectionId) -> Result<bool, StoreError> {
    let done = Entity::delete_many().filter(of(scope)).filter(Column::Id.eq(id)).exec(conn.inner()).await?;
    Ok(done.rows_affected == 1)
}

/// A page of the organization's connections, oldest first.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    request: &PageRequest,
) -> Result<Page<Connection>, StoreError> {
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, of(scope), by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |c| {
        Cursor::after_time("created_at", c.created_at, c.id.uuid())
    }))
}
