//! Queries of directory users. The lists of the protocol are made by [`super::scim`].

pub use super::entities::directory_users::Model as DirectoryUser;

use super::Conn;
use super::entities::directory_users::{Column, Entity};
use super::error::StoreError;
use super::scim::{Stored, Users, totals};
use crate::model::email::EmailAddress;
use crate::model::id::{DirectoryId, DirectoryUserId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

fn of(scope: TenantScope, directory: DirectoryId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::DirectoryId.eq(directory))
}

/// A directory user by id.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryUserId,
) -> Result<Option<DirectoryUser>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope, directory)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryUserId,
) -> Result<Option<DirectoryUser>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope, directory)).lock_exclusive().one(conn.inner()).await?)
}

/// The directory user that stands for a user of the organization.
pub async fn find_by_user(
    conn: &impl Conn,
    scope: TenantScope,
    user: UserId,
) -> Result<Option<DirectoryUser>, StoreError> {
    Ok(Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::UserId.eq(user))
        .one(conn.inner())
        .await?)
}

/// Whether a held directory user with this address is inactive: the directory has put the person out already.
pub async fn is_held_inactive(
    conn: &impl Conn,
    scope: TenantScope,
    address: &EmailAddress,
) -> Result<bool, StoreError> {
    let found = Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::Address.eq(address.clone()))
        .filter(Column::UserId.is_null())
        .filter(Column::Active.eq(false))
        .one(conn.inner())
        .await?;
    Ok(found.is_some())
}

/// The held directory user with this address, locked until the transaction ends; of several an active one, the oldest.
pub async fn lock_held(
    conn: &impl Conn,
    scope: TenantScope,
    address: &EmailAddress,
) -> Result<Option<DirectoryUser>, StoreError> {
    Ok(Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::Address.eq(address.clone()))
        .filter(Column::UserId.is_null())
        .order_by_desc(Column::Active)
        .order_by_asc(Column::Id)
        .limit(1)
        .lock_exclusive()
        .one(conn.inner())
        .await?)
}

/// Lets a held directory user stand for a user who is a member. The resource stays as it was, and its version.
pub async fn stand_for(
    conn: &impl Conn,
    scope: TenantScope,
    id: DirectoryUserId,
    user: UserId,
) -> Result<bool, StoreError> {
    let done = Entity::update_many()
        .col_expr(Column::UserId, user.into())
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::Id.eq(id))
        .filter(Column::UserId.is_null())
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected > 0)
}

/// A page in the order of their making: of all, of those who are held, or of those who are not.
pub async fn page(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    held: Option<bool>,
    request: &PageRequest,
) -> Result<Page<DirectoryUser>, StoreError> {
    let held = held.map(|held| if held { Column::UserId.is_null() } else { Column::UserId.is_not_null() });
    let filter = of(scope, directory).add_option(held);
    let total = if request.include_total {
        Some(Entity::find().filter(filter.clone()).count(conn.inner()).await?)
    } else {
        None
    };
    let after = request.cursor.as_ref().map(|cursor| Column::Id.gt(DirectoryUserId(cursor.id)));
    let rows = Entity::find()
        .filter(filter.add_option(after))
        .order_by_asc(Column::Id)
        .limit(request.limit() + 1)
        .all(conn.inner())
        .await?;
    Ok(Page::from_rows(rows, request.limit(), total, |row| Cursor::after_id(row.id.uuid())))
}

/// The directory user with this userName, folded.
pub async fn find_by_name(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &str,
) -> Result<Option<DirectoryUser>, StoreError> {
    Ok(Entity::find()
        .filter(of(scope, directory))
        .filter(Column::UserNameKey.eq(key))
        .one(conn.inner())
        .await?)
}

/// The directory users with these userNames, folded. Few: each number of them is a statement of its own.
pub async fn find_by_names(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    keys: &[&str],
) -> Result<Vec<DirectoryUser>, StoreError> {
    if let [key] = keys {
        return Ok(find_by_name(conn, scope, directory, key).await?.into_iter().collect());
    }
    Ok(Entity::find()
        .filter(of(scope, directory))
        .filter(Column::UserNameKey.is_in(keys.iter().copied()))
        .all(conn.inner())
        .await?)
}

/// Inserts a new directory user.
pub async fn insert(conn: &impl Conn, row: DirectoryUser) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: DirectoryUser,
) -> Result<DirectoryUser, StoreError> {
    let condition =
        of(scope, row.directory_id).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Deletes a directory user.
pub async fn delete(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryUserId,
) -> Result<bool, StoreError> {
    let done = Entity::delete_many()
        .filter(of(scope, directory))
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    totals::leave(conn, Users::TABLE, scope, directory, id.uuid()).await?;
    Ok(true)
}
