//! Queries of directory groups. The order of a list is that of the ids, which is that of making. Who is in a group is
//! another file's.

pub use super::entities::directory_groups::Model as DirectoryGroup;

use super::Conn;
use super::entities::directory_group_members as members;
use super::entities::directory_groups::{Column, Entity};
use super::error::StoreError;
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// What a list is narrowed to by the store, through an index; all that is said must hold. Everything else is narrowed
/// by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryGroupKey {
    pub id: Option<DirectoryGroupId>,
    /// The displayName, folded as `display_name_key` is.
    pub display_name: Option<String>,
    /// The externalId, to the letter.
    pub external_id: Option<String>,
    /// This directory user is in the group.
    pub member: Option<DirectoryUserId>,
}

impl DirectoryGroupKey {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn of(scope: TenantScope, directory: DirectoryId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::DirectoryId.eq(directory))
}

fn keyed(scope: TenantScope, directory: DirectoryId, key: &DirectoryGroupKey) -> Condition {
    let member = key.member.map(|user| {
        let groups = Query::select()
            .column(members::Column::GroupId)
            .from(members::Entity)
            .and_where(members::Column::DirectoryUserId.eq(user))
            .and_where(members::Column::OrganizationId.eq(scope.organization()))
            .to_owned();
        Column::Id.in_subquery(groups)
    });
    of(scope, directory)
        .add_option(key.id.map(|id| Column::Id.eq(id)))
        .add_option(key.display_name.as_deref().map(|name| Column::DisplayNameKey.eq(name)))
        .add_option(key.external_id.as_deref().map(|id| Column::ExternalId.eq(id)))
        .add_option(member)
}

/// A directory group by id.
pub async fn find(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryGroupId,
) -> Result<Option<DirectoryGroup>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope, directory)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends: changes of one group go one after the other.
pub async fn lock(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryGroupId,
) -> Result<Option<DirectoryGroup>, StoreError> {
    Ok(Entity::find_by_id(id).filter(of(scope, directory)).lock_exclusive().one(conn.inner()).await?)
}

/// Locks the groups that a directory user is in, always in the same order; gives their ids.
pub async fn lock_of_user(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    user: DirectoryUserId,
) -> Result<Vec<DirectoryGroupId>, StoreError> {
    let key = DirectoryGroupKey { member: Some(user), ..DirectoryGroupKey::default() };
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(keyed(scope, directory, &key))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(conn.inner())
        .await?)
}

/// Notes on groups that one member less is in them.
pub async fn lose_one(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    ids: &[DirectoryGroupId],
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::MemberCount, Expr::col(Column::MemberCount).sub(1))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, now.into())
        .filter(of(scope, directory))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// How many directory groups match.
pub async fn count(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryGroupKey,
) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(keyed(scope, directory, key)).count(conn.inner()).await?)
}

/// Those that match, after skipping `offset`, at most `limit`.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryGroupKey,
    offset: u64,
    limit: u64,
) -> Result<Vec<DirectoryGroup>, StoreError> {
    let mut query = Entity::find().filter(keyed(scope, directory, key));
    // An order by id alone would invite the planner to walk the ids instead of looking the key up.
    if key.id.is_some() || key.display_name.is_some() {
        let one = query.one(conn.inner()).await?;
        return Ok(one.into_iter().filter(|_| offset == 0 && limit > 0).collect());
    }
    if key.external_id.is_some() {
        query = query.order_by_asc(Column::ExternalId);
    }
    query = query.order_by_asc(Column::Id).limit(limit);
    if offset > 0 {
        query = query.offset(offset);
    }
    Ok(query.all(conn.inner()).await?)
}

/// The next ones that match after an id, for walking through the whole directory.
pub async fn list_after(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &DirectoryGroupKey,
    after: Option<DirectoryGroupId>,
    limit: u64,
) -> Result<Vec<DirectoryGroup>, StoreError> {
    let mut query = Entity::find().filter(keyed(scope, directory, key)).order_by_asc(Column::Id).limit(limit);
    if let Some(id) = after {
        query = query.filter(Column::Id.gt(id));
    }
    Ok(query.all(conn.inner()).await?)
}

/// Inserts a new directory group.
pub async fn insert(conn: &impl Conn, row: DirectoryGroup) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: DirectoryGroup,
) -> Result<DirectoryGroup, StoreError> {
    let condition =
        of(scope, row.directory_id).add(Column::Id.eq(row.id)).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Deletes a directory group. Its members are the caller's to delete in the same transaction.
pub async fn delete(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryGroupId,
) -> Result<bool, StoreError> {
    let done = Entity::delete_many()
        .filter(of(scope, directory))
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(done.rows_affected == 1)
}
