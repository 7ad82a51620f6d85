//! Queries of invites. An invite leaves `pending` once, by a conditional update.

pub use super::entities::invites::Model as Invite;

use super::entities::invites::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::email::EmailAddress;
use crate::model::id::{InviteId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::secret::TokenHash;
use crate::model::state::InviteStatus;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// An invite of the organization.
pub async fn find(conn: &impl Conn, scope: TenantScope, id: InviteId) -> Result<Option<Invite>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope)).one(conn.inner()).await?)
}

/// The invite behind a link: the secret is what names the tenant here.
pub async fn find_by_hash(conn: &impl Conn, hash: &TokenHash) -> Result<Option<Invite>, StoreError> {
    Ok(Entity::find().filter(Column::Hash.eq(hash.clone())).one(conn.inner()).await?)
}

/// The pending invite for an address; it may have expired.
pub async fn find_pending(
    conn: &impl Conn,
    scope: TenantScope,
    email: &EmailAddress,
) -> Result<Option<Invite>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope))
        .filter(Column::Email.eq(email.clone()))
        .filter(Column::Status.eq(InviteStatus::Pending))
        .one(conn.inner())
        .await?)
}

/// Inserts a new invite.
pub async fn insert(conn: &impl Conn, row: Invite) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Ends a pending invite; `false` if it was not pending any more.
pub async fn answer(
    conn: &impl Conn,
    scope: TenantScope,
    id: InviteId,
    status: InviteStatus,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::Status, status.into())
        .col_expr(Column::AnsweredAt, now.into())
        .col_expr(Column::AcceptedByUserId, user.into())
        .filter(of(scope))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(InviteStatus::Pending))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Revokes all pending invites to any of these addresses or from a user (rule 11); gives them.
pub async fn revoke_of_person(
    conn: &impl Conn,
    scope: TenantScope,
    addresses: &[EmailAddress],
    user: UserId,
    now: Timestamp,
) -> Result<Vec<Invite>, StoreError> {
    let whose = Condition::any()
        .add(Column::InvitedByUserId.eq(user))
        .add(Column::Email.is_in(addresses.iter().cloned()));
    let condition = of(scope).add(Column::Status.eq(InviteStatus::Pending)).add(whose);
    let invites = Entity::find()
        .filter(condition.clone())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(conn.inner())
        .await?;
    if !invites.is_empty() {
        Entity::update_many()
            .col_expr(Column::Status, InviteStatus::Revoked.into())
            .col_expr(Column::AnsweredAt, now.into())
            .filter(condition)
            .exec(conn.inner())
            .await?;
    }
    Ok(invites)
}

/// A page of the organization's invites, oldest first. A pending one whose time ran out counts as expired.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    statuses: &[InviteStatus],
    now: Timestamp,
    request: &PageRequest,
) -> Result<Page<Invite>, StoreError> {
    let mut filter = of(scope);
    if !statuses.is_empty() {
        let any = statuses.iter().fold(Condition::any(), |any, status| {
            let one = Condition::all();
            any.add(match status {
                InviteStatus::Pending => {
                    one.add(Column::Status.eq(InviteStatus::Pending)).add(Column::ExpiresAt.gt(now))
                }
                InviteStatus::Expired => Condition::any()
                    .add(Column::Status.eq(InviteStatus::Expired))
                    .add(one.add(Column::Status.eq(InviteStatus::Pending)).add(Column::ExpiresAt.lte(now))),
                other => one.add(Column::Status.eq(*other)),
            })
        });
        filter = filter.add(any);
    }
    let by = (Column::CreatedAt, Column::Id, false);
    let (rows, total) = fetch_page::<Entity>(conn, filter, by, request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |i| {
        Cursor::after_time("created_at", i.created_at, i.id.uuid())
    }))
}
