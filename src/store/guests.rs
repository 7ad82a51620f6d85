//! Queries of guests.

pub use super::entities::guests::Model as Guest;

use super::entities::guests::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::email::EmailAddress;
use crate::model::id::GuestId;
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

fn standing(now: Timestamp) -> Condition {
    Condition::all().add(Column::EndedAt.is_null()).add(Column::EndsAt.gt(now))
}

/// Whether an approval stands for any of these addresses.
pub async fn is_approved(
    conn: &impl Conn,
    scope: TenantScope,
    addresses: &[&EmailAddress],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let any = addresses.iter().map(|address| address.as_str());
    let query = Entity::find().filter(of(scope)).filter(Column::Email.is_in(any)).filter(standing(now));
    Ok(query.one(conn.inner()).await?.is_some())
}

/// A guest, also one whose approval has ended.
pub async fn find(conn: &impl Conn, scope: TenantScope, id: GuestId) -> Result<Option<Guest>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &impl Conn, scope: TenantScope, id: GuestId) -> Result<Option<Guest>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// Approvals for any of these addresses that nobody ended, locked; their day may have come.
pub async fn lock_of_person(
    conn: &impl Conn,
    scope: TenantScope,
    addresses: &[EmailAddress],
) -> Result<Vec<Guest>, StoreError> {
    let any = addresses.iter().map(EmailAddress::as_str);
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::Email.is_in(any))
        .filter(Column::EndedAt.is_null())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(conn.inner())
        .await?)
}

/// Guests of all organizations whose day has come and whom nobody has told of, at most `limit`.
pub async fn due(
    conn: &impl Conn,
    _scope: InstallationScope,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Guest>, StoreError> {
    Ok(Entity::find()
        .filter(Column::EndedAt.is_null())
        .filter(Column::EndsAt.lte(now))
        .limit(limit)
        .all(conn.inner())
        .await?)
}

/// Inserts a new guest.
pub async fn insert(conn: &impl Conn, row: Guest) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(conn: &impl Conn, scope: TenantScope, mut row: Guest) -> Result<Guest, StoreError> {
    let condition = of(scope).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// A page of guests, oldest first; with `active` only those whose approval stands, or does not.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    active: Option<bool>,
    now: Timestamp,
    request: &PageRequest,
) -> Result<Page<Guest>, StoreError> {
    let filter = match active {
        None => of(scope),
        Some(true) => of(scope).add(standing(now)),
        Some(false) => of(scope).add(standing(now).not()),
    };
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, filter, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |guest| {
        Cursor::after_time("created_at", guest.created_at, guest.id.uuid())
    }))
}
