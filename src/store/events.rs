//! Queries of events: the outbox of rule 14. An event is written in the transaction of its change without a number;
//! afterwards, when it is committed and visible, [`number_pending`] gives numbers in the order of the organization,
//! without gaps, one numbering at a time for each organization.

pub use super::entities::events::Model as Event;

use super::entities::{event_counters, events};
use super::error::StoreError;
use super::{Conn, Db};
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::{EventId, OrganizationId};
use crate::model::random::Random;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use event_counters::Entity as Counters;
use events::{Column, Entity};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};

/// How many events are numbered in one transaction.
const BATCH: u32 = 1_000;

/// The row of an event that has no number yet.
pub(super) fn unnumbered(event: NewEvent, now: Timestamp, random: &dyn Random) -> Event {
    row(EventId::new(now, random), event, now)
}

fn row(id: EventId, event: NewEvent, now: Timestamp) -> Event {
    Event {
        id,
        organization_id: event.organization,
        number: None,
        kind: event.kind,
        actor_kind: event.actor.kind().to_owned(),
        actor_id: event.actor.id(),
        subject: event.subject,
        data: event.data,
        created_at: now,
    }
}

/// Writes an event, in the transaction of the change it tells of.
pub async fn insert(
    tx: &super::Tx,
    event: NewEvent,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(), StoreError> {
    tx.inner().note(std::slice::from_ref(&event));
    super::insert::<Entity>(tx, unnumbered(event, now, random)).await
}

/// Writes several events in one statement; they are numbered in this order.
pub async fn insert_all(
    tx: &super::Tx,
    events: Vec<NewEvent>,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    tx.inner().note(&events);
    let mut ids: Vec<_> = events.iter().map(|_| EventId::new(now, random)).collect();
    ids.sort_unstable();
    let rows =
        ids.into_iter().zip(events).map(|(id, event)| row(id, event, now).into_active_model().reset_all());
    Entity::insert_many(rows).exec_without_returning(tx.inner()).await?;
    Ok(())
}

/// Makes the counter of a new organization.
pub async fn insert_counter(tx: &super::Tx, organization: OrganizationId) -> Result<(), StoreError> {
    super::insert::<Counters>(tx, event_counters::Model { organization_id: organization, last_number: 0 })
        .await
}

/// Numbers the committed events of the organization that have no number yet; tells how many there were.
pub async fn number_pending(db: &Db, scope: TenantScope) -> Result<u64, StoreError> {
    let organization = scope.organization();
    let any = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::OrganizationId.eq(organization))
        .filter(Column::Number.is_null())
        .limit(1)
        .into_tuple::<EventId>()
        .one(db.inner())
        .await?;
    if any.is_none() {
        return Ok(0);
    }
    let mut numbered = 0;
    loop {
        let tx = db.begin().await?;
        // The counter's row is the lock: whoever numbers this organization waits for whoever does so already.
        let Some(counter) = Counters::find_by_id(organization).lock_exclusive().one(tx.inner()).await? else {
            return Ok(numbered);
        };
        let statement = Statement::from_sql_and_values(
            tx.inner().get_database_backend(),
            "UPDATE events SET number = $2 + pending.n FROM (
                SELECT sequence AS pending_sequence, row_number() OVER (ORDER BY sequence) AS n FROM events
                WHERE organization_id = $1 AND number IS NULL ORDER BY sequence LIMIT $3
             ) AS pending WHERE events.sequence = pending.pending_sequence",
            [organization.into(), counter.last_number.into(), i64::from(BATCH).into()],
        );
        let done = tx.inner().execute_raw(statement).await?.rows_affected();
        let last = counter.last_number + i64::try_from(done).unwrap_or(0);
        Counters::update_many()
            .col_expr(event_counters::Column::LastNumber, last.into())
            .filter(event_counters::Column::OrganizationId.eq(organization))
            .exec(tx.inner())
            .await?;
        tx.commit().await?;
        numbered += done;
        if done < u64::from(BATCH) {
            return Ok(numbered);
        }
    }
}

/// Organizations that have events without a number.
pub async fn organizations_pending(
    conn: &impl Conn,
    _scope: InstallationScope,
) -> Result<Vec<OrganizationId>, StoreError> {
    Ok(Entity::find()
        .select_only()
        .column(Column::OrganizationId)
        .distinct()
        .filter(Column::Number.is_null())
        .limit(1_000)
        .into_tuple::<OrganizationId>()
        .all(conn.inner())
        .await?)
}

/// How many numbered events of these kinds there are.
pub async fn count(conn: &impl Conn, scope: TenantScope, kinds: &[EventKind]) -> Result<u64, StoreError> {
    let mut query = Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::Number.is_not_null());
    if !kinds.is_empty() {
        query = query.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    Ok(query.count(conn.inner()).await?)
}

/// Numbered events after a number (ascending) or before one (descending), at most `limit`.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    kinds: &[EventKind],
    from: Option<i64>,
    descending: bool,
    limit: u64,
) -> Result<Vec<Event>, StoreError> {
    let mut query = Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::Number.is_not_null())
        .order_by(Column::Number, super::direction(descending))
        .limit(limit);
    if !kinds.is_empty() {
        query = query.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    if let Some(number) = from {
        let column = sea_orm::sea_query::Expr::col(Column::Number);
        query = query.filter(if descending { column.lt(number) } else { column.gt(number) });
    }
    Ok(query.all(conn.inner()).await?)
}
