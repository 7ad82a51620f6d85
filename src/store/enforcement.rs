//! Queries about enforcement: who has come in through a connection, and whom switching on would affect.

use super::Conn;
use super::error::StoreError;
use crate::model::dns_name::DomainName;
use crate::model::email::EmailAddress;
use crate::model::id::{ConnectionId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::state::{EnforcedStanding, Role};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

/// Whether anybody who is admin or owner now has signed in through the connection since this time. Links are made by
/// sign-ins and note their use once a minute; what lies between, sessions tell.
pub async fn has_admin_signed_in(
    conn: &impl Conn,
    scope: TenantScope,
    connection: ConnectionId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS found FROM links l
         JOIN members m ON m.organization_id = l.organization_id AND m.user_id = l.user_id
         WHERE l.connection_id = $1 AND l.organization_id = $2 AND m.status = 'active' AND m.role IN ('admin', 'owner')
         AND (l.last_used_at >= $3 OR EXISTS (
             SELECT 1 FROM sessions s WHERE s.user_id = l.user_id AND s.organization_id = l.organization_id
             AND s.connection_id = l.connection_id AND s.created_at >= $3))
         LIMIT 1";
    let values: [Value; 3] = [connection.into(), scope.organization().into(), since.into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    Ok(conn.inner().query_one_raw(statement).await?.is_some())
}

/// Whom a setting binds, or would bind, and by what people are sorted.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The one domain; without it all members.
    pub domain: Option<DomainName>,
    /// The verified domains of the organization.
    pub verified: Vec<DomainName>,
    /// Those that an active connection serves.
    pub served: Vec<DomainName>,
    /// The active connections whose links count.
    pub connections: Vec<ConnectionId>,
}

/// How many people stand how.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Stood {
    pub standing: EnforcedStanding,
    pub people: i64,
    /// Owners among them.
    pub owners: i64,
}

/// Somebody whom a setting binds, or would bind.
#[derive(Debug, Clone, FromQueryResult)]
pub struct BoundMember {
    pub user_id: UserId,
    pub email: Option<EmailAddress>,
    pub role: Role,
    pub standing: EnforcedStanding,
}

/// A statement that grows with its values.
#[derive(Default)]
struct Text {
    values: Vec<Value>,
}

impl Text {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Whether one of these columns is on one of the domains. No domain name has a letter that LIKE reads otherwise.
    fn is_on(&mut self, columns: &[&str], domains: &[DomainName]) -> String {
        let mut any = Vec::new();
        for domain in domains {
            let pattern = self.bind(format!("%@{domain}"));
            any.extend(columns.iter().map(|column| format!("COALESCE({column}, '') LIKE {pattern}")));
        }
        if any.is_empty() { "1 = 0".to_owned() } else { format!("({})", any.join(" OR ")) }
    }

    /// Members that the setting reaches, each with how they stand.
    fn bound(&mut self, scope: TenantScope, reach: &Reach, now: Timestamp) -> String {
        let both = ["u.email", "m.email"];
        let organization = self.bind(scope.organization());
        let bound = reach
            .domain
            .as_ref()
            .map_or_else(|| "1 = 1".to_owned(), |domain| self.is_on(&both, std::slice::from_ref(domain)));
        let connections: Vec<String> = reach.connections.iter().map(|id| self.bind(*id)).collect();
        let linked = if connections.is_empty() {
            "1 = 0".to_owned()
        } else {
            format!(
                "EXISTS (SELECT 1 FROM links l WHERE l.user_id = m.user_id AND l.organization_id = m.organization_id
                 AND l.connection_id IN ({}))",
                connections.join(", ")
            )
        };
        let served = self.is_on(&["u.email"], &reach.served);
        let own = self.is_on(&both, &reach.verified);
        let now = self.bind(now);
        format!(
            "SELECT m.user_id, m.email, m.role, CASE WHEN {linked} THEN 'linked' WHEN {served} THEN 'unlinked'
                 WHEN m.role = 'member' AND NOT {own} AND EXISTS (
                     SELECT 1 FROM guests g WHERE g.organization_id = m.organization_id
                     AND g.email IN (COALESCE(u.email, ''), COALESCE(m.email, ''))
                     AND g.ended_at IS NULL AND g.ends_at > {now}) THEN 'guest'
                 ELSE 'shut_out' END AS standing
             FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = {organization} AND m.status = 'active' AND {bound}"
        )
    }

    fn statement(self, conn: &impl Conn, sql: String) -> Statement {
        Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, self.values)
    }
}

/// How many active members stand how.
pub async fn count(
    conn: &impl Conn,
    scope: TenantScope,
    reach: &Reach,
    now: Timestamp,
) -> Result<Vec<Stood>, StoreError> {
    let mut text = Text::default();
    let bound = text.bound(scope, reach, now);
    let sql = format!(
        "SELECT standing, COUNT(*) AS people, COUNT(CASE WHEN role = 'owner' THEN 1 END) AS owners
         FROM ({bound}) AS bound GROUP BY standing"
    );
    Ok(Stood::find_by_statement(text.statement(conn, sql)).all(conn.inner()).await?)
}

/// A page of active members who are bound, in the order of their ids.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    (reach, now): (&Reach, Timestamp),
    standing: Option<EnforcedStanding>,
    request: &PageRequest,
) -> Result<Page<BoundMember>, StoreError> {
    let mut text = Text::default();
    let bound = text.bound(scope, reach, now);
    let narrowed = standing.map(|standing| format!(" AND standing = {}", text.bind(standing)));
    let narrowed = narrowed.unwrap_or_default();
    let behind = request.cursor.as_ref().map(|cursor| format!(" AND user_id > {}", text.bind(cursor.id)));
    let total = if request.include_total {
        let mut text = Text::default();
        let bound = text.bound(scope, reach, now);
        let narrowed = standing.map(|standing| format!(" AND standing = {}", text.bind(standing)));
        let narrowed = narrowed.unwrap_or_default();
        let sql = format!("SELECT COUNT(*) AS people FROM ({bound}) AS bound WHERE 1 = 1{narrowed}");
        Some(counted(conn, text.statement(conn, sql)).await?)
    } else {
        None
    };
    let sql = format!(
        "SELECT user_id, email, role, standing FROM ({bound}) AS bound WHERE 1 = 1{narrowed}{} ORDER BY user_id LIMIT {}",
        behind.unwrap_or_default(),
        request.limit() + 1
    );
    let rows = BoundMember::find_by_statement(text.statement(conn, sql)).all(conn.inner()).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |row| Cursor::after_id(row.user_id.uuid())))
}

async fn counted(conn: &impl Conn, statement: Statement) -> Result<u64, StoreError> {
    let row = conn.inner().query_one_raw(statement).await?;
    let people = row.map_or(Ok(0), |row| row.try_get::<i64>("", "people"))?;
    Ok(u64::try_from(people).unwrap_or(0))
}

/// How many live sessions no SAML made, of people who are bound and no guests.
pub async fn count_sessions(
    conn: &impl Conn,
    scope: TenantScope,
    reach: &Reach,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut text = Text::default();
    let bound = text.bound(scope, reach, now);
    let (organization, now) = (text.bind(scope.organization()), text.bind(now));
    let sql = format!(
        "SELECT COUNT(*) AS people FROM sessions s JOIN ({bound}) AS bound ON bound.user_id = s.user_id
         WHERE s.organization_id = {organization} AND s.ended_at IS NULL AND s.expires_at > {now}
         AND (s.method <> 'saml' OR s.connection_id IS NULL) AND bound.standing <> 'guest'"
    );
    counted(conn, text.statement(conn, sql)).await
}

/// How many live API keys the organization has.
pub async fn count_api_keys(conn: &impl Conn, scope: TenantScope, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS people FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL
         AND (expires_at IS NULL OR expires_at > $2)";
    let values: [Value; 2] = [scope.organization().into(), now.into()];
    counted(conn, Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values)).await
}
