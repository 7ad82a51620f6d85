//! The usual sign-in on PostgreSQL: of somebody who is linked and active, and with whom nothing has changed. It is
//! read in one statement and written in one more, where the transaction that knows every other case takes nine
//! round trips.
//!
//! Both statements carry the same conditions, word for word. The second takes the same locks as that transaction
//! and is one itself: it writes everything or nothing. So whatever comes between the two, or is not as usual, leaves
//! no trace here, and the caller goes the long way, which finds out what it is and says so.

use super::Db;
use super::error::StoreError;
use super::sessions::Session;
use super::sign_in_attempts::SUCCEEDED;
use crate::model::email::EmailAddress;
use crate::model::event::NewEvent;
use crate::model::id::{ConnectionId, LinkId, SignInAttemptId, UserId};
use crate::model::random::Random;
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement, Value};

/// What must hold of a usual sign-in: the connection is as it was when the response was verified, it serves the
/// verified domain of the address, the subject is linked there to a user who has just this address and is an active
/// member, and no directory says otherwise. `$1` to `$6` are in [`Usual`]'s order.
macro_rules! usual {
    ($rest:literal) => {
        concat!(
            " FROM saml_connections c
            JOIN organizations o ON o.id = c.organization_id
            JOIN domains d ON d.organization_id = c.organization_id AND position(c.id::text IN d.connection_ids) > 0
            JOIN links l ON l.organization_id = c.organization_id AND l.connection_id = c.id
            JOIN users u ON u.id = l.user_id
            JOIN members m ON m.organization_id = l.organization_id AND m.user_id = l.user_id
            WHERE c.id = $1 AND c.organization_id = $2 AND c.version = $3
            AND d.name = $4 AND d.status = 'verified'
            AND l.subject = $5 AND u.email = $6 AND m.status = 'active'
            AND NOT EXISTS (
                SELECT 1 FROM directory_users s
                WHERE s.user_id = l.user_id AND s.organization_id = l.organization_id AND NOT s.active
            )",
            $rest
        )
    };
}

const FIND: &str = concat!(
    "SELECT l.id, l.user_id, o.session_lifetime_seconds, m.role, m.unmapped_role,
        EXISTS (SELECT 1 FROM directory_users s WHERE s.user_id = l.user_id AND s.organization_id = l.organization_id),
        EXISTS (SELECT 1 FROM role_mappings r WHERE r.organization_id = c.organization_id)
            OR EXISTS (SELECT 1 FROM role_mapping_names r WHERE r.organization_id = c.organization_id)",
    usual!("")
);

/// Each part takes its rows from the one before it, so that nothing is written unless all of it is.
const ENTER: &str = concat!(
    "WITH held AS (SELECT l.id",
    usual!(" AND l.id = $7 AND l.user_id = $8 FOR SHARE OF c, d FOR UPDATE OF m"),
    "), consumed AS (
        UPDATE sign_in_attempts a SET consumed_at = $9, outcome = $10 FROM held
        WHERE a.id = $11 AND a.organization_id = $2 AND a.consumed_at IS NULL AND a.expires_at > $9
        RETURNING a.id
    ), used AS (
        INSERT INTO used_assertions (connection_id, assertion_id, expires_at) SELECT $1, $12, $13 FROM consumed
    ), touched AS (
        UPDATE links SET last_used_at = $9 FROM consumed WHERE links.id = $7 AND links.last_used_at <= $14
    ), opened AS (
        INSERT INTO sessions (id, organization_id, user_id, hash, method, connection_id, name_id, session_index,
            authn_context, authn_at, created_at, last_seen_at, expires_at, stepped_up_at, name_id_attributes,
            name_id_key)
        SELECT $15, $2, $8, $16, $17, $1, $18, $19, $20, $21, $9, $9, $22, $29, $30, $31 FROM consumed
    )
    INSERT INTO events (id, organization_id, kind, actor_kind, actor_id, subject, data, created_at)
    SELECT $23, $2, $24, $25, $26, $27, $28, $9 FROM consumed"
);

/// Whose sign-in is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Usual<'a> {
    pub connection: ConnectionId,
    /// The version of the connection that the response was verified with.
    pub version: i64,
    pub address: &'a EmailAddress,
    pub subject: &'a str,
}

/// Somebody whose sign-in is a usual one.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub link: LinkId,
    pub user: UserId,
    /// The organization's own limit of a session, if it has one.
    pub session_lifetime_seconds: Option<i64>,
    pub role: Role,
    /// What the person would be without the groups that give the role.
    pub unmapped_role: Option<Role>,
    /// Whether a directory keeps the person.
    pub kept_by_directory: bool,
    /// Whether any group of the organization gives a role.
    pub has_mapping: bool,
}

/// What a usual sign-in writes.
#[derive(Debug)]
pub struct Entering<'a> {
    pub known: Known,
    pub attempt: SignInAttemptId,
    pub assertion: &'a str,
    /// Until when the assertion is remembered as used.
    pub assertion_until: Timestamp,
    /// The link's use is noted if the last note is not younger than this.
    pub touch_before: Timestamp,
    /// The new session; made `now`, of the known user at the connection.
    pub session: &'a Session,
    pub event: NewEvent,
}

impl Usual<'_> {
    /// `$1` to `$6`.
    fn values(&self, scope: TenantScope) -> Vec<Value> {
        vec![
            self.connection.into(),
            scope.organization().into(),
            self.version.into(),
            self.address.domain().into(),
            self.subject.into(),
            self.address.as_str().into(),
        ]
    }
}

/// Who signs in, if it is a usual sign-in; never on SQLite, where a round trip costs nothing. Nothing is locked yet.
pub async fn find(db: &Db, scope: TenantScope, usual: Usual<'_>) -> Result<Option<Known>, StoreError> {
    if db.is_sqlite() {
        return Ok(None);
    }
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, FIND, usual.values(scope));
    let Some(row) = db.write.query_one_raw(statement).await? else { return Ok(None) };
    Ok(Some(Known {
        link: row.try_get_by_index(0)?,
        user: row.try_get_by_index(1)?,
        session_lifetime_seconds: row.try_get_by_index(2)?,
        role: row.try_get_by_index(3)?,
        unmapped_role: row.try_get_by_index(4)?,
        kept_by_directory: row.try_get_by_index(5)?,
        has_mapping: row.try_get_by_index(6)?,
    }))
}

/// Uses up the attempt and the assertion, makes the session and writes the event; `false` if the sign-in is not a
/// usual one any more, the attempt has expired or it was used up before: then nothing was written.
///
/// # Errors
/// [`StoreError::Conflict`] with `UsedAssertion` if the assertion was used before; nothing was written then.
pub async fn enter(
    db: &Db,
    scope: TenantScope,
    usual: Usual<'_>,
    entering: Entering<'_>,
    random: &dyn Random,
) -> Result<bool, StoreError> {
    let Entering { known, attempt, assertion, assertion_until, touch_before, session, event } = entering;
    let event = super::events::unnumbered(event, session.created_at, random);
    let mut values = usual.values(scope);
    values.extend([
        known.link.into(),
        known.user.into(),
        session.created_at.into(),
        SUCCEEDED.into(),
        attempt.into(),
        assertion.into(),
        assertion_until.into(),
        touch_before.into(),
        session.id.into(),
        session.hash.clone().into(),
        session.method.into(),
        session.name_id.clone().into(),
        session.session_index.clone().into(),
        session.authn_context.clone().into(),
        session.authn_at.into(),
        session.expires_at.into(),
        event.id.into(),
        event.kind.into(),
        event.actor_kind.into(),
        event.actor_id.into(),
        event.subject.into(),
        event.data.into(),
        session.stepped_up_at.into(),
        session.name_id_attributes.clone().into(),
        session.name_id_key.clone().into(),
    ]);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, ENTER, values);
    Ok(db.write.execute_raw(statement).await?.rows_affected() == 1)
}
