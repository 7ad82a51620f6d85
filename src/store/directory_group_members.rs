//! Queries of who is in which directory group. Each change is one statement, however many it names, and tells whom it
//! really changed: adding somebody who is there, or taking away somebody who is not, is nothing.

use super::entities::directory_group_members::{Column, Entity};
use super::entities::directory_groups;
use super::error::StoreError;
use super::id_list::IdList;
use super::{Conn, Tx};
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId, UserId};
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Statement, Value,
};
use std::collections::BTreeSet;

/// A group that a directory user is in, as the user shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOfUser {
    pub user: DirectoryUserId,
    pub group: DirectoryGroupId,
    /// The name of the group.
    pub display: String,
}

/// Somebody in a group, as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Inside {
    pub directory_user_id: DirectoryUserId,
    /// The user behind; nothing where the person is held.
    pub user_id: Option<UserId>,
    pub user_name: String,
    pub display_name: Option<String>,
    /// What the directory says.
    pub active: bool,
    pub added_at: Timestamp,
}

async fn ids(tx: &Tx, sql: &str, values: Vec<Value>) -> Result<Vec<DirectoryUserId>, StoreError> {
    let statement = Statement::from_sql_and_values(tx.inner().get_database_backend(), sql, values);
    let rows = tx.inner().query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(ids)
}

/// Adds those of `users` that are in the directory and not in the group yet; tells whom.
///
/// In the order of the ids, so that two that add the same people do not wait for each other in a ring.
///
/// # Errors
/// [`StoreError::Dangling`] if one of them is deleted at the same moment.
pub async fn add(
    tx: &Tx,
    scope: TenantScope,
    directory: DirectoryId,
    group: DirectoryGroupId,
    users: &BTreeSet<DirectoryUserId>,
    now: Timestamp,
) -> Result<Vec<DirectoryUserId>, StoreError> {
    let list = IdList::new(tx.inner().get_database_backend(), users.iter().map(|user| user.uuid()));
    let sql = format!(
        "INSERT INTO directory_group_members (organization_id, group_id, directory_user_id, added_at)
         SELECT person.organization_id, CAST($1 AS {uuid}), person.id, CAST($2 AS BIGINT)
         FROM directory_users AS person
         WHERE {named} AND person.organization_id = $3 AND person.directory_id = $4
         ORDER BY person.id
         ON CONFLICT DO NOTHING RETURNING directory_user_id",
        uuid = list.uuid_type(),
        named = list.has("person.id", 5),
    );
    let values = vec![group.into(), now.into(), scope.organization().into(), directory.into(), list.into()];
    ids(tx, &sql, values).await
}

/// Takes these out of the group; tells who was in it.
pub async fn remove(
    tx: &Tx,
    scope: TenantScope,
    group: DirectoryGroupId,
    users: &BTreeSet<DirectoryUserId>,
) -> Result<Vec<DirectoryUserId>, StoreError> {
    let list = IdList::new(tx.inner().get_database_backend(), users.iter().map(|user| user.uuid()));
    let these = list.has("directory_user_id", 3);
    take_out(tx, scope, group, &these, list).await
}

/// Takes all but these out of the group; tells whom.
pub async fn keep_only(
    tx: &Tx,
    scope: TenantScope,
    group: DirectoryGroupId,
    users: &BTreeSet<DirectoryUserId>,
) -> Result<Vec<DirectoryUserId>, StoreError> {
    let list = IdList::new(tx.inner().get_database_backend(), users.iter().map(|user| user.uuid()));
    let others = list.lacks("directory_group_members.directory_user_id", 3);
    take_out(tx, scope, group, &others, list).await
}

/// Takes out of the group whom the condition names, which speaks of the list as the third parameter.
async fn take_out(
    tx: &Tx,
    scope: TenantScope,
    group: DirectoryGroupId,
    condition: &str,
    list: IdList,
) -> Result<Vec<DirectoryUserId>, StoreError> {
    let sql = format!(
        "DELETE FROM directory_group_members WHERE group_id = $1 AND organization_id = $2 AND {condition}
         RETURNING directory_user_id"
    );
    ids(tx, &sql, vec![group.into(), scope.organization().into(), list.into()]).await
}

/// Which of these are users of the directory.
pub async fn known(
    tx: &Tx,
    scope: TenantScope,
    directory: DirectoryId,
    users: &BTreeSet<DirectoryUserId>,
) -> Result<BTreeSet<DirectoryUserId>, StoreError> {
    let list = IdList::new(tx.inner().get_database_backend(), users.iter().map(|user| user.uuid()));
    let sql = format!(
        "SELECT person.id FROM directory_users AS person
         WHERE {} AND person.organization_id = $1 AND person.directory_id = $2",
        list.has("person.id", 3)
    );
    let values = vec![scope.organization().into(), directory.into(), list.into()];
    Ok(ids(tx, &sql, values).await?.into_iter().collect())
}

/// Takes a directory user out of all groups.
pub async fn remove_user(tx: &Tx, scope: TenantScope, user: DirectoryUserId) -> Result<u64, StoreError> {
    let done = Entity::delete_many()
        .filter(Column::DirectoryUserId.eq(user))
        .filter(Column::OrganizationId.eq(scope.organization()))
        .exec(tx.inner())
        .await?;
    Ok(done.rows_affected)
}

/// Who is in these groups, group by group, in the order of ids.
pub async fn list(
    conn: &impl Conn,
    scope: TenantScope,
    groups: &[DirectoryGroupId],
) -> Result<Vec<(DirectoryGroupId, DirectoryUserId)>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let list = IdList::new(backend, groups.iter().map(|group| group.uuid()));
    let sql = format!(
        "SELECT group_id, directory_user_id FROM directory_group_members
         WHERE {} AND organization_id = $1 ORDER BY group_id, directory_user_id",
        list.has("group_id", 2)
    );
    let values: Vec<Value> = vec![scope.organization().into(), list.into()];
    let rows = conn.inner().query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let pair = |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    rows.iter().map(pair).collect::<Result<_, sea_orm::DbErr>>().map_err(Into::into)
}

/// The groups that these directory users are in, user by user in the order of the groups' ids.
pub async fn groups_of(
    conn: &impl Conn,
    scope: TenantScope,
    users: &[DirectoryUserId],
) -> Result<Vec<GroupOfUser>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let (these, parameter) = if let [one] = users {
        ("inside.directory_user_id = $2".to_owned(), (*one).into())
    } else {
        let list = IdList::new(backend, users.iter().map(|user| user.uuid()));
        (list.has("inside.directory_user_id", 2), list.into())
    };
    let sql = format!(
        "SELECT inside.directory_user_id, inside.group_id, named.display_name
         FROM directory_group_members AS inside JOIN directory_groups AS named ON named.id = inside.group_id
         WHERE {these} AND inside.organization_id = $1 ORDER BY inside.directory_user_id, inside.group_id"
    );
    let values: Vec<Value> = vec![scope.organization().into(), parameter];
    let rows = conn.inner().query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let group = |row: &sea_orm::QueryResult| {
        Ok(GroupOfUser {
            user: row.try_get_by_index(0)?,
            group: row.try_get_by_index(1)?,
            display: row.try_get_by_index(2)?,
        })
    };
    rows.iter().map(group).collect::<Result<_, sea_orm::DbErr>>().map_err(Into::into)
}

/// A page of who is in a group, in the order of the directory users' ids. Nothing is counted.
pub async fn page(
    conn: &impl Conn,
    scope: TenantScope,
    group: DirectoryGroupId,
    request: &PageRequest,
) -> Result<Page<Inside>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let after = request.cursor.as_ref().map_or_else(uuid::Uuid::nil, |cursor| cursor.id);
    let sql = "SELECT person.id AS directory_user_id, person.user_id, person.user_name, person.display_name,
             person.active, inside.added_at
         FROM directory_group_members AS inside
         JOIN directory_users AS person ON person.id = inside.directory_user_id
         WHERE inside.group_id = $1 AND inside.organization_id = $2 AND inside.directory_user_id > $3
         ORDER BY inside.directory_user_id LIMIT $4";
    let limit = i64::try_from(request.limit() + 1).unwrap_or(i64::MAX);
    let values = [group.into(), scope.organization().into(), after.into(), limit.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = Inside::find_by_statement(statement).all(conn.inner()).await?;
    Ok(Page::from_rows(rows, request.limit(), None, |row| Cursor::after_id(row.directory_user_id.uuid())))
}

/// Whether anybody is in any group of the organization's directory.
pub async fn any(conn: &impl Conn, scope: TenantScope, directory: DirectoryId) -> Result<bool, StoreError> {
    let found = directory_groups::Entity::find()
        .select_only()
        .column(directory_groups::Column::Id)
        .filter(directory_groups::Column::OrganizationId.eq(scope.organization()))
        .filter(directory_groups::Column::DirectoryId.eq(directory))
        .filter(directory_groups::Column::MemberCount.gt(0))
        .limit(1)
        .into_tuple::<DirectoryGroupId>()
        .one(conn.inner())
        .await?;
    Ok(found.is_some())
}
