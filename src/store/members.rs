//! Queries of members. A removed member's row stays as the tombstone of rule 8 and is in no list.

pub use super::entities::members::Model as Member;

use super::entities::members::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::email::EmailAddress;
use crate::model::id::UserId;
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::state::{MemberStatus, Role};
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

/// What a list of members is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    /// Part of an address or a name, without case.
    pub search: Option<String>,
    /// Only this role.
    pub role: Option<Role>,
    /// Only this status; `None` is active and deactivated ones.
    pub status: Option<MemberStatus>,
    /// Newest first.
    pub descending: bool,
}

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The member row of a user, whatever its status.
pub async fn find(conn: &impl Conn, scope: TenantScope, user: UserId) -> Result<Option<Member>, StoreError> {
    Ok(Entity::find_by_id((scope.organization(), user)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends: whoever makes or ends a credential of this person waits here.
pub async fn lock(conn: &impl Conn, scope: TenantScope, user: UserId) -> Result<Option<Member>, StoreError> {
    Ok(Entity::find_by_id((scope.organization(), user)).lock_exclusive().one(conn.inner()).await?)
}

/// All members, whatever their status, whose contact address is this.
pub async fn find_by_email(
    conn: &impl Conn,
    scope: TenantScope,
    email: &EmailAddress,
) -> Result<Vec<Member>, StoreError> {
    Ok(Entity::find().filter(of(scope)).filter(Column::Email.eq(email.clone())).all(conn.inner()).await?)
}

/// The active members with this role, by their ids.
pub async fn list_active_of_role(
    conn: &impl Conn,
    scope: TenantScope,
    role: Role,
) -> Result<Vec<Member>, StoreError> {
    let filter = of(scope).add(Column::Role.eq(role)).add(Column::Status.eq(MemberStatus::Active));
    Ok(Entity::find().filter(filter).order_by_asc(Column::UserId).all(conn.inner()).await?)
}

/// How many active owners there are besides this user.
pub async fn count_owners_but(conn: &impl Conn, scope: TenantScope, user: UserId) -> Result<u64, StoreError> {
    let owners = of(scope)
        .add(Column::Role.eq(Role::Owner))
        .add(Column::Status.eq(MemberStatus::Active))
        .add(Column::UserId.ne(user));
    Ok(Entity::find().filter(owners).count(conn.inner()).await?)
}

/// Inserts a new member.
pub async fn insert(conn: &impl Conn, row: Member) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(conn: &impl Conn, scope: TenantScope, mut row: Member) -> Result<Member, StoreError> {
    let condition = of(scope).add(Column::UserId.eq(row.user_id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// How many members are active or deactivated.
pub async fn count(conn: &impl Conn, scope: TenantScope) -> Result<u64, StoreError> {
    let filter = of(scope).add(Column::Status.ne(MemberStatus::Removed));
    Ok(Entity::find().filter(filter).count(conn.inner()).await?)
}

/// A page of members in the order of joining.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    filter: &MemberFilter,
    request: &PageRequest,
) -> Result<Page<Member>, StoreError> {
    let mut condition = of(scope);
    condition = match filter.status {
        Some(status) => condition.add(Column::Status.eq(status)),
        None => condition.add(Column::Status.ne(MemberStatus::Removed)),
    };
    if let Some(role) = filter.role {
        condition = condition.add(Column::Role.eq(role));
    }
    if let Some(text) = &filter.search {
        condition = condition.add(
            [Column::Email, Column::DisplayName, Column::GivenName, Column::FamilyName]
                .into_iter()
                .fold(Condition::any(), |any, column| any.add(super::contains_folded(column, text))),
        );
    }
    let order = if filter.descending { "-joined_at" } else { "joined_at" };
    let by = (Column::JoinedAt, Column::UserId, filter.descending);
    let (rows, total) = fetch_page::<Entity>(conn, condition, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |m| {
        Cursor::after_time(order, m.joined_at, m.user_id.uuid())
    }))
}
