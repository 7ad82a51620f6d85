//! Queries of directory groups. Lists are made by [`super::scim`]; who is in a group is another file's.

pub use super::entities::directory_groups::Model as DirectoryGroup;

use super::Conn;
use super::entities::directory_group_members as members;
use super::entities::directory_groups::{Column, Entity};
use super::error::StoreError;
use super::scim::{Groups, Stored, totals};
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

fn of(scope: TenantScope, directory: DirectoryId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(scope.organization()))
        .add(Column::DirectoryId.eq(directory))
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
    let groups = Query::select()
        .column(members::Column::GroupId)
        .from(members::Entity)
        .and_where(members::Column::DirectoryUserId.eq(user))
        .and_where(members::Column::OrganizationId.eq(scope.organization()))
        .to_owned();
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(of(scope, directory))
        .filter(Column::Id.in_subquery(groups))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(conn.inner())
        .await?)
}

fn these(scope: TenantScope, directory: DirectoryId, ids: &[DirectoryGroupId]) -> Select<Entity> {
    Entity::find()
        .filter(of(scope, directory))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Id)
}

/// Those of these groups that are there, in the order of ids.
pub async fn named(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    ids: &[DirectoryGroupId],
) -> Result<Vec<DirectoryGroup>, StoreError> {
    Ok(these(scope, directory, ids).all(conn.inner()).await?)
}

/// The same, locked until the transaction ends, always in the same order.
pub async fn lock_named(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    ids: &[DirectoryGroupId],
) -> Result<Vec<DirectoryGroup>, StoreError> {
    Ok(these(scope, directory, ids).lock_exclusive().all(conn.inner()).await?)
}

/// A page of the groups in the order of their making; of those with this text in their name, if it is given.
pub async fn page(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Page<DirectoryGroup>, StoreError> {
    let filter =
        of(scope, directory).add_option(search.map(|text| super::contains_folded(Column::DisplayName, text)));
    let total = if request.include_total {
        Some(Entity::find().filter(filter.clone()).count(conn.inner()).await?)
    } else {
        None
    };
    let after = request.cursor.as_ref().map(|cursor| Column::Id.gt(DirectoryGroupId(cursor.id)));
    let rows = Entity::find()
        .filter(filter.add_option(after))
        .order_by_asc(Column::Id)
        .limit(request.limit() + 1)
        .all(conn.inner())
        .await?;
    Ok(Page::from_rows(rows, request.limit(), total, |row| Cursor::after_id(row.id.uuid())))
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

/// The directory group with this displayName, folded.
pub async fn find_by_name(
    conn: &impl Conn,
    scope: TenantScope,
    directory: DirectoryId,
    key: &str,
) -> Result<Option<DirectoryGroup>, StoreError> {
    let query = Entity::find().filter(of(scope, directory)).filter(Column::DisplayNameKey.eq(key));
    Ok(query.one(conn.inner()).await?)
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
    if done.rows_affected == 0 {
        return Ok(false);
    }
    totals::leave(conn, Groups::TABLE, scope, directory, id.uuid()).await?;
    Ok(true)
}
