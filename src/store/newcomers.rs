//! Newcomers: people whom a directory brings and nobody knows yet. What the first push of most people needs (the user,
//! the member, the directory user and their events) is written in one statement, which is one transaction and one round
//! trip, where the database can; several newcomers of one directory share it. Whoever is not so plain a case is left
//! alone, and nothing is written for that one.

use super::directory_users::DirectoryUser;
use super::error::StoreError;
use super::members::Member;
use super::users::User;
use super::{Conn, Db};
use crate::model::email::EmailAddress;
use crate::model::event::NewEvent;
use crate::model::id::{DirectoryId, DirectoryUserId, EventId};
use crate::model::random::Random;
use crate::model::tenant::TenantScope;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

/// How many are written by one statement at most.
const TOGETHER: usize = 32;
/// For how many a second statement begins while one is under way.
const SECOND_FOR: usize = 5;

/// All that a newcomer is. The three rows are of one organization, and of the directory that the statement is for.
#[derive(Debug)]
pub struct Newcomer {
    /// With an address.
    pub user: User,
    pub member: Member,
    pub directory_user: DirectoryUser,
    /// What is told of it, in this order.
    pub events: [NewEvent; 2],
}

/// What is said of each newcomer, in the order of [`values`].
const COLUMNS: [&str; 28] = [
    "user_id",
    "email",
    "domain",
    "at",
    "given_name",
    "family_name",
    "display_name",
    "external_id",
    "role",
    "status",
    "source",
    "id",
    "user_name",
    "user_name_key",
    "active",
    "email_key",
    "more_emails",
    "attributes",
    "actor_kind",
    "actor_id",
    "event",
    "kind",
    "subject",
    "data",
    "next_event",
    "next_kind",
    "next_subject",
    "next_data",
];

/// PostgreSQL lets a statement write several tables, each part fed by what the one before has written. The footing is
/// that of [`footing`](super::directories::footing), without the cases that take a closer look: `manual`
/// provisioning, a pending invite, and an address that a user has already. Users are written in the order of their
/// addresses, so that two nodes with the same people never wait for each other.
const ADMIT: &str = "new_user AS (
    INSERT INTO users (id, email, email_proven_at, created_at)
    SELECT newcomer.user_id, newcomer.email, newcomer.at, newcomer.at FROM newcomer
    JOIN organizations AS organization ON organization.id = $1 AND organization.provisioning_mode <> 'manual'
    JOIN domains AS domain ON domain.organization_id = $1 AND domain.name = newcomer.domain
      AND domain.status = 'verified' AND domain.scim_enabled
    WHERE NOT EXISTS (
      SELECT 1 FROM invites AS invite WHERE invite.organization_id = $1 AND invite.email = newcomer.email
      AND invite.status = 'pending' AND invite.expires_at > newcomer.at)
    ORDER BY newcomer.email
    ON CONFLICT (email) DO NOTHING RETURNING id
  ), new_member AS (
    INSERT INTO members (organization_id, user_id, email, given_name, family_name, display_name, role, status,
      source, external_id, joined_at, updated_at, version)
    SELECT $1, newcomer.user_id, newcomer.email, newcomer.given_name, newcomer.family_name, newcomer.display_name,
      newcomer.role, newcomer.status, newcomer.source, newcomer.external_id, newcomer.at, newcomer.at, 1
    FROM new_user JOIN newcomer ON newcomer.user_id = new_user.id
    RETURNING user_id
  ), new_directory_user AS (
    INSERT INTO directory_users (id, organization_id, directory_id, user_name, user_name_key, external_id, active,
      address, user_id, given_name, family_name, display_name, email_key, more_emails, attributes, created_at,
      updated_at, version)
    SELECT newcomer.id, $1, $2, newcomer.user_name, newcomer.user_name_key, newcomer.external_id, newcomer.active,
      newcomer.email, newcomer.user_id, newcomer.given_name, newcomer.family_name, newcomer.display_name,
      newcomer.email_key, newcomer.more_emails, newcomer.attributes, newcomer.at, newcomer.at, 1
    FROM new_member JOIN newcomer ON newcomer.user_id = new_member.user_id
    RETURNING id
  ), new_events AS (
    INSERT INTO events (id, organization_id, kind, actor_kind, actor_id, subject, data, created_at)
    SELECT told.event, $1, told.kind, newcomer.actor_kind, newcomer.actor_id, told.subject, told.data, newcomer.at
    FROM new_directory_user JOIN newcomer ON newcomer.id = new_directory_user.id
    CROSS JOIN LATERAL (VALUES
      (newcomer.event, newcomer.kind, newcomer.subject, newcomer.data),
      (newcomer.next_event, newcomer.next_kind, newcomer.next_subject, newcomer.next_data))
      AS told (event, kind, subject, data)
  )
  SELECT id FROM new_directory_user";

/// The statement for so many newcomers. Each text is prepared once on each connection, so there are few of them.
fn statement(number: usize) -> String {
    static TEXTS: LazyLock<Mutex<HashMap<usize, String>>> = LazyLock::new(Mutex::default);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts.entry(number).or_insert_with(|| written(number)).clone()
}

fn written(number: usize) -> String {
    let mut text = format!("WITH newcomer ({}) AS (VALUES ", COLUMNS.join(", "));
    for row in 0..number {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..COLUMNS.len() {
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a string does not fail. The first two parameters are the organization and the directory.
            let _ = write!(text, "{comma}${}", 3 + row * COLUMNS.len() + column);
        }
        text.push(')');
    }
    text.push_str("), ");
    text.push_str(ADMIT);
    text
}

fn values(newcomer: &Newcomer, address: &EmailAddress, random: &dyn Random) -> [Value; COLUMNS.len()] {
    let Newcomer { user, member, directory_user: row, events: [told, next] } = newcomer;
    let now = user.created_at;
    let mut ids = [EventId::new(now, random), EventId::new(now, random)];
    ids.sort_unstable();
    [
        user.id.into(),
        address.clone().into(),
        address.domain().into(),
        now.into(),
        row.given_name.clone().into(),
        row.family_name.clone().into(),
        row.display_name.clone().into(),
        row.external_id.clone().into(),
        member.role.into(),
        member.status.into(),
        member.source.into(),
        row.id.into(),
        row.user_name.as_str().into(),
        row.user_name_key.as_str().into(),
        row.active.into(),
        row.email_key.clone().into(),
        row.more_emails.into(),
        row.attributes.clone().into(),
        told.actor.kind().into(),
        told.actor.id().into(),
        ids[0].into(),
        told.kind.into(),
        told.subject.as_str().into(),
        told.data.clone().into(),
        ids[1].into(),
        next.kind.into(),
        next.subject.as_str().into(),
        next.data.clone().into(),
    ]
}

/// How many of those that wait are written by the next statement, when so many statements of the directory are under way:
/// up to eight as they are, beyond that by the larger of a few sizes that fits, because each size is a statement of its
/// own. A second statement begins for several only, while the first one may be waiting for the disk.
pub const fn share(waiting: usize, under_way: usize) -> usize {
    match (under_way, waiting) {
        (1, 0..SECOND_FOR) | (2.., _) => 0,
        (_, 0..=8) => waiting,
        (_, 9..=15) => 8,
        (_, 16..TOGETHER) => 16,
        _ => TOGETHER,
    }
}

/// Whether the database can write newcomers by one statement. A rehearsal takes the long way: there it is seen what would
/// be told.
pub fn can_admit(db: &Db) -> bool {
    !db.is_sqlite() && !db.is_rehearsed()
}

/// Writes newcomers of one directory, as many as [`share`] names, each of them if this is one: the address stands on a
/// verified domain of the directory, no user has it, no invite waits for it, and the organization takes in people from
/// its directory. Gives those that were written.
///
/// # Errors
/// [`StoreError::Conflict`] with `DirectoryUserName` if another directory user has one of the userNames; then nobody is
/// written.
pub async fn admit(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    newcomers: &[Newcomer],
    random: &dyn Random,
) -> Result<HashSet<DirectoryUserId>, StoreError> {
    let mut parameters: Vec<Value> = Vec::with_capacity(2 + newcomers.len() * COLUMNS.len());
    parameters.extend([scope.organization().into(), directory.into()]);
    let mut number = 0;
    for newcomer in newcomers {
        if let Some(address) = &newcomer.user.email {
            parameters.extend(values(newcomer, address, random));
            number += 1;
        }
    }
    if number == 0 {
        return Ok(HashSet::new());
    }
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, statement(number), parameters);
    let rows = db.inner().query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}
