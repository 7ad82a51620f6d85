//! Queries of deactivations by directories: how many at once, by whose credential, and giving them back together.

use super::entities::members::{Column, Entity, Model as Member};
use super::entities::{deactivation_waves, directory_users};
use super::error::StoreError;
use super::id_list::IdList;
use super::{Conn, Tx};
use crate::model::id::{DirectoryUserId, OrganizationId, UserId};
use crate::model::state::{MemberStatus, Source};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use deactivation_waves::Column as Wave;
use directory_users::Column as Person;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement, Value,
};
use std::time::Duration;

/// How many people of an organization its directory put out within a time, and lets out still.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Burst {
    pub organization_id: OrganizationId,
    pub people: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// How many of them one credential put out.
#[derive(Debug, Clone, FromQueryResult)]
pub struct ByActor {
    pub actor_id: Option<String>,
    pub people: i64,
}

/// Organizations with at least so many people whom the directory put out after this time and who are out still. Who
/// came in already inactive is none of them.
pub async fn bursts(
    conn: &impl Conn,
    _scope: InstallationScope,
    after: Timestamp,
    least: u32,
) -> Result<Vec<Burst>, StoreError> {
    // The source is written out, as it is in the index.
    let sql = "SELECT organization_id, COUNT(*) AS people, MIN(deactivated_at) AS first_at,
             MAX(deactivated_at) AS last_at
         FROM members
         WHERE deactivated_by = 'scim' AND deactivated_at > $1 AND deactivated_at > joined_at
         GROUP BY organization_id HAVING COUNT(*) >= $2";
    let values: [Value; 2] = [after.into(), i64::from(least).into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    Ok(Burst::find_by_statement(statement).all(conn.inner()).await?)
}

/// For each organization the largest of such bursts within any time of this length since then, unless a wave that was
/// told of already reaches so far: what nobody looked at when it happened.
pub async fn past_bursts(
    conn: &impl Conn,
    _scope: InstallationScope,
    since: Timestamp,
    within: Duration,
    least: u32,
) -> Result<Vec<Burst>, StoreError> {
    let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
    // The length is a part of the text, because frames of windows take no parameters everywhere.
    let sql = format!(
        "SELECT organization_id, people, first_at, last_at FROM (
             SELECT burst.*, ROW_NUMBER() OVER (
                 PARTITION BY burst.organization_id ORDER BY burst.people DESC, burst.last_at DESC) AS place
             FROM (
                 SELECT organization_id, deactivated_at AS last_at, COUNT(*) OVER lately AS people,
                     MIN(deactivated_at) OVER lately AS first_at
                 FROM members
                 WHERE deactivated_by = 'scim' AND deactivated_at > $1 AND deactivated_at > joined_at
                 WINDOW lately AS (PARTITION BY organization_id ORDER BY deactivated_at
                     RANGE BETWEEN {within} PRECEDING AND CURRENT ROW)
             ) AS burst
             LEFT JOIN deactivation_waves AS told ON told.organization_id = burst.organization_id
             WHERE burst.people >= $2 AND (told.last_at IS NULL OR told.last_at < burst.first_at - {within})
         ) AS ranked WHERE place = 1"
    );
    let values: [Value; 2] = [since.into(), i64::from(least).into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    Ok(Burst::find_by_statement(statement).all(conn.inner()).await?)
}

/// How many members are out whom the directory put out after this time.
pub async fn count_since(conn: &impl Conn, scope: TenantScope, after: Timestamp) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) AS people FROM members WHERE organization_id = $1 AND deactivated_by = 'scim'
             AND deactivated_at > $2 AND deactivated_at > joined_at";
    let values: [Value; 2] = [scope.organization().into(), after.into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    let row = conn.inner().query_one_raw(statement).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get::<i64>("", "people"))?)
}

/// How many members are active, counted up to `most` only.
pub async fn count_active(conn: &impl Conn, scope: TenantScope, most: i64) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) AS people FROM (
             SELECT 1 AS one FROM members WHERE organization_id = $1 AND status = 'active' LIMIT $2
         ) AS counted";
    let values: [Value; 2] = [scope.organization().into(), most.into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    let row = conn.inner().query_one_raw(statement).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get::<i64>("", "people"))?)
}

/// Which credentials put out those of a burst, the busiest first.
pub async fn actors(
    conn: &impl Conn,
    scope: TenantScope,
    burst: &Burst,
    most: u32,
) -> Result<Vec<ByActor>, StoreError> {
    let sql = "SELECT deactivated_by_id AS actor_id, COUNT(*) AS people FROM members
         WHERE organization_id = $1 AND deactivated_by = 'scim' AND deactivated_at BETWEEN $2 AND $3
             AND deactivated_at > joined_at
         GROUP BY deactivated_by_id ORDER BY COUNT(*) DESC, deactivated_by_id LIMIT $4";
    let (first, last) = (burst.first_at.into(), burst.last_at.into());
    let values: [Value; 4] = [scope.organization().into(), first, last, i64::from(most).into()];
    let statement = Statement::from_sql_and_values(conn.inner().get_database_backend(), sql, values);
    Ok(ByActor::find_by_statement(statement).all(conn.inner()).await?)
}

/// Whether the organization is in a wave that was told of already: one whose latest deactivation lies after `after`. If
/// so, the wave goes on until `last_at`.
pub async fn go_on(
    conn: &impl Conn,
    scope: TenantScope,
    after: Timestamp,
    last_at: Timestamp,
) -> Result<bool, StoreError> {
    let Some(wave) = deactivation_waves::Entity::find_by_id(scope.organization())
        .filter(Wave::LastAt.gt(after))
        .one(conn.inner())
        .await?
    else {
        return Ok(false);
    };
    if wave.last_at < last_at {
        deactivation_waves::Entity::update_many()
            .col_expr(Wave::LastAt, last_at.into())
            .filter(Wave::OrganizationId.eq(scope.organization()))
            .filter(Wave::LastAt.lt(last_at))
            .exec(conn.inner())
            .await?;
    }
    Ok(true)
}

/// Notes a new wave; `false` if somebody else has noted it already.
pub async fn begin(tx: &Tx, scope: TenantScope, after: Timestamp, burst: &Burst) -> Result<bool, StoreError> {
    let sql = "INSERT INTO deactivation_waves (organization_id, began_at, last_at) VALUES ($1, $2, $3)
         ON CONFLICT (organization_id) DO UPDATE SET began_at = excluded.began_at, last_at = excluded.last_at
         WHERE deactivation_waves.last_at <= $4";
    let values: [Value; 4] =
        [scope.organization().into(), burst.first_at.into(), burst.last_at.into(), after.into()];
    let statement = Statement::from_sql_and_values(tx.inner().get_database_backend(), sql, values);
    Ok(tx.inner().execute_raw(statement).await?.rows_affected() == 1)
}

/// Which deactivations are to be given back.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The credential that put the people out.
    pub actor_id: String,
    /// From this time on.
    pub since: Timestamp,
    /// Until this time, if there is an end.
    pub until: Option<Timestamp>,
}

fn of(scope: TenantScope, batch: &Batch) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::DeactivatedBy.eq(Source::Scim))
        .add(Column::DeactivatedById.eq(batch.actor_id.as_str()))
        .add(Column::DeactivatedAt.gte(batch.since))
        .add_option(batch.until.map(|until| Column::DeactivatedAt.lte(until)))
        .add(Column::Status.ne(MemberStatus::Active))
}

/// The next members of a batch, in the order of their ids.
pub async fn next(
    conn: &impl Conn,
    scope: TenantScope,
    batch: &Batch,
    after: Option<UserId>,
    most: u64,
) -> Result<Vec<UserId>, StoreError> {
    Ok(Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(of(scope, batch).add_option(after.map(|after| Column::UserId.gt(after))))
        .order_by_asc(Column::UserId)
        .limit(most)
        .into_tuple()
        .all(conn.inner())
        .await?)
}

/// A directory user whom the directory calls inactive.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Inactive {
    pub id: DirectoryUserId,
    pub user_id: Option<UserId>,
    pub user_name: String,
}

/// Locks the inactive directory users that stand for these users, then those of the users that are in the batch still:
/// the order in which every push takes them.
pub async fn lock(
    tx: &Tx,
    scope: TenantScope,
    batch: &Batch,
    users: &[UserId],
) -> Result<(Vec<Inactive>, Vec<Member>), StoreError> {
    let people = directory_users::Entity::find()
        .select_only()
        .columns([Person::Id, Person::UserId, Person::UserName])
        .filter(Person::OrganizationId.eq(scope.organization()))
        .filter(Person::UserId.is_in(users.iter().copied()))
        .filter(Person::Active.eq(false))
        .order_by_asc(Person::Id)
        // Whoever puts them into a group meanwhile holds their keys, in any order, and need not wait.
        .lock(LockType::NoKeyUpdate)
        .into_model::<Inactive>()
        .all(tx.inner())
        .await?;
    let members = Entity::find()
        .filter(of(scope, batch))
        .filter(Column::UserId.is_in(users.iter().copied()))
        .order_by_asc(Column::UserId)
        .lock_exclusive()
        .all(tx.inner())
        .await?;
    Ok((people, members))
}

/// Lets these members in again, as ordinary ones; they are locked.
pub async fn give_back(
    tx: &Tx,
    scope: TenantScope,
    users: &[UserId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let backend = tx.inner().get_database_backend();
    let list = IdList::new(backend, users.iter().map(|user| user.uuid()));
    let sql = format!(
        "UPDATE members SET status = 'active', role = 'member', unmapped_role = NULL, deactivated_by = NULL,
             deactivated_by_id = NULL, deactivated_at = NULL, also_deactivated_by = NULL, updated_at = $2,
             version = version + 1
         WHERE {} AND organization_id = $1",
        list.has("user_id", 3)
    );
    let values: [Value; 3] = [scope.organization().into(), now.into(), list.into()];
    tx.inner().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Calls these directory users active again; they are locked.
pub async fn call_active(
    tx: &Tx,
    scope: TenantScope,
    people: &[DirectoryUserId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let backend = tx.inner().get_database_backend();
    let list = IdList::new(backend, people.iter().map(|person| person.uuid()));
    let sql = format!(
        "UPDATE directory_users SET active = $3, updated_at = $2, version = version + 1
         WHERE {} AND organization_id = $1",
        list.has("id", 4)
    );
    let values: [Value; 4] = [scope.organization().into(), now.into(), true.into(), list.into()];
    tx.inner().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}
