//! A newcomer: somebody whom a directory brings and nobody knows yet. What the first push of most people needs (the
//! user, the member, the directory user and their events) is written in one statement, which is one transaction and one
//! round trip, where the database can. Whoever is not so plain a case is left alone and nothing is written.

use super::directory_users::DirectoryUser;
use super::error::StoreError;
use super::members::Member;
use super::users::User;
use super::{Conn, Db};
use crate::model::event::NewEvent;
use crate::model::id::EventId;
use crate::model::random::Random;
use crate::model::tenant::TenantScope;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

/// All that a newcomer is.
#[derive(Debug)]
pub struct Newcomer<'a> {
    pub user: &'a User,
    pub member: &'a Member,
    pub directory_user: &'a DirectoryUser,
    /// What is told of it, in this order.
    pub events: [NewEvent; 2],
}

/// PostgreSQL lets a statement write several tables, each part fed by what the one before has written. The footing is
/// that of [`footing`](super::directories::footing), without the cases that take a closer look: `manual`
/// provisioning, a pending invite, and an address that a user has already.
const ADMIT: &str = "WITH footing AS (
    SELECT organization.id FROM organizations AS organization
    JOIN domains AS domain ON domain.organization_id = organization.id
    WHERE organization.id = $1 AND organization.provisioning_mode <> 'manual'
      AND domain.name = $2 AND domain.status = 'verified' AND domain.scim_enabled
      AND NOT EXISTS (
        SELECT 1 FROM invites AS invite WHERE invite.organization_id = $1 AND invite.email = $3
        AND invite.status = 'pending' AND invite.expires_at > $4)
  ), new_user AS (
    INSERT INTO users (id, email, email_proven_at, created_at)
    SELECT $5, $3, $4, $4 FROM footing
    ON CONFLICT (email) DO NOTHING RETURNING id
  ), new_member AS (
    INSERT INTO members (organization_id, user_id, email, given_name, family_name, display_name, role, status,
      source, external_id, joined_at, updated_at, version)
    SELECT $1, new_user.id, $3, $6, $7, $8, $9, $10, $11, $12, $4, $4, $13 FROM new_user
    RETURNING user_id
  ), new_directory_user AS (
    INSERT INTO directory_users (id, organization_id, directory_id, user_name, user_name_key, external_id, active,
      address, user_id, given_name, family_name, display_name, email_key, more_emails, attributes, created_at,
      updated_at, version)
    SELECT $14, $1, $15, $16, $17, $12, $18, $3, new_member.user_id, $6, $7, $8, $31, $32, $19, $4, $4, $20
    FROM new_member
    RETURNING id
  ), new_events AS (
    INSERT INTO events (id, organization_id, kind, actor_kind, actor_id, subject, data, created_at)
    SELECT event.id, $1, event.kind, $21, $22, event.subject, event.data, $4
    FROM new_directory_user CROSS JOIN (VALUES ($23, $24, $25, $26), ($27, $28, $29, $30))
      AS event (id, kind, subject, data)
  )
  SELECT count(*) AS admitted FROM new_directory_user";

/// Writes a newcomer, if the database can do that at once and this is one: the address stands on a verified domain of
/// the directory, no user has it, no invite waits for it, and the organization takes in people from its directory.
/// `false` means that nothing was written, for whatever reason.
///
/// # Errors
/// [`StoreError::Conflict`] with `DirectoryUserName` if another directory user has the userName.
pub async fn admit(
    db: &Db,
    scope: TenantScope,
    newcomer: Newcomer<'_>,
    random: &dyn Random,
) -> Result<bool, StoreError> {
    let Newcomer { user, member, directory_user: row, events } = newcomer;
    // A rehearsal takes the long way: there it is seen what would be told.
    let (false, Some(address)) = (db.is_sqlite() || db.is_rehearsed(), &user.email) else { return Ok(false) };
    let now = user.created_at;
    let actor = &events[0].actor;
    let mut values: Vec<Value> = vec![
        scope.organization().into(),
        address.domain().into(),
        address.clone().into(),
        now.into(),
        user.id.into(),
        row.given_name.clone().into(),
        row.family_name.clone().into(),
        row.display_name.clone().into(),
        member.role.into(),
        member.status.into(),
        member.source.into(),
        row.external_id.clone().into(),
        member.version.into(),
        row.id.into(),
        row.directory_id.into(),
        row.user_name.as_str().into(),
        row.user_name_key.as_str().into(),
        row.active.into(),
        row.attributes.clone().into(),
        row.version.into(),
        actor.kind().into(),
        actor.id().into(),
    ];
    let mut ids = [EventId::new(now, random), EventId::new(now, random)];
    ids.sort_unstable();
    for (id, event) in ids.into_iter().zip(events) {
        values.extend([id.into(), event.kind.into(), event.subject.into(), event.data.into()]);
    }
    values.extend([row.email_key.clone().into(), row.more_emails.into()]);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, ADMIT, values);
    let admitted = db.inner().query_one_raw(statement).await?;
    let admitted = admitted.map(|row| row.try_get::<i64>("", "admitted")).transpose()?;
    Ok(admitted == Some(1))
}
