//! Queries of directory users. The order of a list is that of the ids, which is that of making.

pub use super::entities::directory_users::Model as DirectoryUser;

use super::Conn;
use super::entities::directory_users::{Column, Entity};
use super::error::StoreError;
use crate::model::email::EmailAddress;
use crate::model::id::{DirectoryId, DirectoryUserId, UserId};
use crate::model::tenant::TenantScope;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

/// What a list is narrowed to by the store, through an index. Everything else is narrowed by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryUserKey {
    /// All.
    All,
    /// The userName, folded as `user_name_key` is.
    UserName(String),
    /// The externalId, to the letter.
    ExternalId(String),
    /// The id.
    Id(DirectoryUserId),
}

fn of(scope: TenantScope, directory: DirectoryId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::DirectoryId.eq(directory))
}

fn keyed(scope: TenantScope, directory: DirectoryId, key: &DirectoryUserKey) -> Condition {
    let condition = of(scope, directory);
    match key {
        DirectoryUserKey::All => condition,
        DirectoryUserKey::UserName(key) => condition.add(Column::UserNameKey.eq(key.as_str())),
        DirectoryUserKey::ExternalId(id) => condition.add(Column::ExternalId.eq(id.as_str())),
        DirectoryUserKey::Id(id) => condition.add(Column::Id.eq(*id)),
    }
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

/// How many directory users match.
pub async fn count(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryUserKey,
) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(keyed(scope, directory, key)).count(conn.inner()).await?)
}

/// Those that match, after skipping `offset`, at most `limit`.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryUserKey,
    offset: u64,
    limit: u64,
) -> Result<Vec<DirectoryUser>, StoreError> {
    let query = Entity::find().filter(keyed(scope, directory, key));
    // An order by id alone would invite the planner to walk the ids instead of looking the key up.
    let query = match key {
        DirectoryUserKey::UserName(_) | DirectoryUserKey::Id(_) => {
            let one = query.one(conn.inner()).await?;
            return Ok(one.into_iter().filter(|_| offset == 0 && limit > 0).collect());
        }
        DirectoryUserKey::ExternalId(_) => query.order_by_asc(Column::ExternalId).order_by_asc(Column::Id),
        DirectoryUserKey::All => query.order_by_asc(Column::Id),
    };
    let mut query = query.limit(limit);
    if offset > 0 {
        query = query.offset(offset);
    }
    Ok(query.all(conn.inner()).await?)
}

/// The next ones after an id, for walking through the whole directory.
pub async fn list_after(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    after: Option<DirectoryUserId>,
    limit: u64,
) -> Result<Vec<DirectoryUser>, StoreError> {
    let mut query = Entity::find().filter(of(scope, directory)).order_by_asc(Column::Id).limit(limit);
    if let Some(id) = after {
        query = query.filter(Column::Id.gt(id));
    }
    Ok(query.all(conn.inner()).await?)
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
    Ok(done.rows_affected == 1)
}
