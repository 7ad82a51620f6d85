//! Queries of the mapping from directory groups to roles, and of where it puts the members behind directory users.

pub use super::entities::role_mappings::Model as RoleMapping;

use super::entities::directory_groups;
use super::entities::role_mappings::{Column, Entity};
use super::error::StoreError;
use super::id_list::IdList;
use super::{Conn, Tx};
use crate::model::email::EmailAddress;
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId, UserId};
use crate::model::state::{MemberStatus, Role};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};

/// Whose roles are looked at.
#[derive(Debug, Clone, Copy)]
pub enum People<'a> {
    /// One user of the organization.
    User(UserId),
    /// The members behind these directory users.
    DirectoryUsers(&'a [DirectoryUserId]),
    /// The members behind everybody in these groups.
    InGroups(&'a [DirectoryGroupId]),
    /// The members behind everybody of whom the directory says a role.
    WithRoles(DirectoryId),
}

impl People<'_> {
    /// The condition on a directory user called `person`, and its one parameter.
    fn condition(self, backend: DbBackend, parameter: u32) -> (String, Value) {
        match self {
            Self::User(user) => (format!("person.user_id = ${parameter}"), user.into()),
            Self::DirectoryUsers(ids) => {
                let list = IdList::new(backend, ids.iter().map(|id| id.uuid()));
                (list.has("person.id", parameter), list.into())
            }
            Self::WithRoles(directory) => (
                format!("person.directory_id = ${parameter} AND person.asserted_role IS NOT NULL"),
                directory.into(),
            ),
            Self::InGroups(ids) => {
                let list = IdList::new(backend, ids.iter().map(|id| id.uuid()));
                let groups = list.has("membership.group_id", parameter);
                let sql = format!(
                    "person.id IN (SELECT membership.directory_user_id
                     FROM directory_group_members AS membership WHERE {groups})"
                );
                (sql, list.into())
            }
        }
    }
}

/// Where a member stands.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Standing {
    pub user_id: UserId,
    pub role: Role,
    pub unmapped_role: Option<Role>,
    /// The address that the directory knows the person by.
    pub address: Option<EmailAddress>,
    /// The highest role that the person's groups give: 2 is admin, 1 member, 0 none.
    mapped: i32,
    /// The role that the directory says of the person, where it is heeded; the same numbers.
    asserted: i32,
}

impl Standing {
    /// The highest role that the directory gives: by the person's groups, or by what it says of the person.
    pub fn mapped(&self) -> Option<Role> {
        role(self.mapped).max(self.asserted())
    }

    /// The role that the directory says of the person, where it is heeded.
    pub const fn asserted(&self) -> Option<Role> {
        role(self.asserted)
    }
}

/// The role of a number of a statement.
const fn role(number: i32) -> Option<Role> {
    match number {
        2 => Some(Role::Admin),
        1 => Some(Role::Member),
        _ => None,
    }
}

/// The role that a directory says of a directory user called `person`, where it is heeded, as a number.
const ASSERTED: &str = "CASE WHEN person.asserted_role IS NULL THEN 0
     WHEN NOT EXISTS (
         SELECT 1 FROM directories AS directory
         WHERE directory.id = person.directory_id AND directory.roles_on_users) THEN 0
     WHEN person.asserted_role = 'admin' THEN 2 ELSE 1 END";

/// Somebody in a group, for a look at what a mapping would do.
#[derive(Debug, Clone, FromQueryResult)]
pub struct InGroup {
    pub group_id: DirectoryGroupId,
    pub user_id: UserId,
    pub role: Role,
    pub unmapped_role: Option<Role>,
    pub status: MemberStatus,
    pub email: Option<EmailAddress>,
    pub display_name: Option<String>,
    pub address: Option<EmailAddress>,
    asserted: i32,
}

impl InGroup {
    /// The role that the directory says of the person, where it is heeded.
    pub const fn asserted(&self) -> Option<Role> {
        role(self.asserted)
    }
}

/// The whole mapping of the organization, group by group.
pub async fn list(conn: &impl Conn, scope: TenantScope) -> Result<Vec<RoleMapping>, StoreError> {
    Ok(Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .order_by_asc(Column::GroupId)
        .order_by_asc(Column::Role)
        .all(conn.inner())
        .await?)
}

/// Writes the mapping of these groups anew, and marks each as mapped or not. The groups are locked.
pub async fn replace(
    tx: &Tx,
    scope: TenantScope,
    directory: DirectoryId,
    groups: &[DirectoryGroupId],
    rows: Vec<RoleMapping>,
) -> Result<(), StoreError> {
    use directory_groups::Column as Group;
    Entity::delete_many()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .filter(Column::GroupId.is_in(groups.iter().copied()))
        .exec(tx.inner())
        .await?;
    let mapped: Vec<DirectoryGroupId> = rows.iter().map(|row| row.group_id).collect();
    let (with, without): (Vec<_>, Vec<_>) = groups.iter().copied().partition(|group| mapped.contains(group));
    for (groups, mapped) in [(with, true), (without, false)] {
        if groups.is_empty() {
            continue;
        }
        directory_groups::Entity::update_many()
            .col_expr(Group::Mapped, mapped.into())
            .filter(Group::OrganizationId.eq(scope.organization()))
            .filter(Group::DirectoryId.eq(directory))
            .filter(Group::Id.is_in(groups))
            .exec(tx.inner())
            .await?;
    }
    if !rows.is_empty() {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
        Entity::insert_many(rows).exec_without_returning(tx.inner()).await?;
    }
    Ok(())
}

/// Deletes what a group gives.
pub async fn delete_of_group(
    tx: &Tx,
    scope: TenantScope,
    group: DirectoryGroupId,
) -> Result<Vec<Role>, StoreError> {
    let of_group = || {
        sea_orm::Condition::all()
            .add(Column::OrganizationId.eq(scope.organization()))
            .add(Column::GroupId.eq(group))
    };
    let given: Vec<Role> = Entity::find()
        .select_only()
        .column(Column::Role)
        .filter(of_group())
        .into_tuple()
        .all(tx.inner())
        .await?;
    Entity::delete_many().filter(of_group()).exec(tx.inner()).await?;
    Ok(given)
}

/// Locks the members behind these people but owners, always in the same order. Whoever changes somebody's groups, their mapping
/// or that member looks at the role only afterwards, so that the last of them sees what all did.
pub async fn lock_members(tx: &Tx, scope: TenantScope, people: People<'_>) -> Result<(), StoreError> {
    let backend = tx.inner().get_database_backend();
    if backend == DbBackend::Sqlite {
        // A transaction that writes is alone.
        return Ok(());
    }
    let (these, parameter) = people.condition(backend, 2);
    let sql = format!(
        "SELECT member.user_id FROM members AS member
         WHERE member.organization_id = $1 AND member.user_id IN (
             SELECT person.user_id FROM directory_users AS person
             WHERE {these} AND person.organization_id = $1 AND person.user_id IS NOT NULL)
             AND member.role <> 'owner'
         ORDER BY member.user_id FOR UPDATE"
    );
    let values: Vec<Value> = vec![scope.organization().into(), parameter];
    tx.inner().query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Where these people stand; owners and whoever was removed are left out. The directory gives a
/// role only to whom it calls active.
pub async fn standings(
    conn: &impl Conn,
    scope: TenantScope,
    people: People<'_>,
) -> Result<Vec<Standing>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let (these, parameter) = people.condition(backend, 2);
    let sql = format!(
        "SELECT member.user_id, member.role, member.unmapped_role, person.address,
             CASE WHEN person.active THEN COALESCE((
                 SELECT MAX(CASE mapping.role WHEN 'admin' THEN 2 WHEN 'member' THEN 1 ELSE 0 END)
                 FROM role_mappings AS mapping
                 JOIN directory_group_members AS inside
                     ON inside.group_id = mapping.group_id AND inside.directory_user_id = person.id
                 WHERE mapping.organization_id = $1), 0) ELSE 0 END AS mapped,
             CASE WHEN person.active THEN {ASSERTED} ELSE 0 END AS asserted
         FROM directory_users AS person
         JOIN members AS member
             ON member.organization_id = person.organization_id AND member.user_id = person.user_id
         WHERE {these} AND person.organization_id = $1 AND member.status <> 'removed' AND member.role <> 'owner'
         ORDER BY member.user_id"
    );
    let values: Vec<Value> = vec![scope.organization().into(), parameter];
    Ok(Standing::find_by_statement(Statement::from_sql_and_values(backend, sql, values))
        .all(conn.inner())
        .await?)
}

/// Gives these members a role, and notes what each would be without it.
pub async fn set_roles(
    tx: &Tx,
    scope: TenantScope,
    users: &[UserId],
    (role, unmapped): (Role, Option<Role>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let backend = tx.inner().get_database_backend();
    let list = IdList::new(backend, users.iter().map(|user| user.uuid()));
    let sql = format!(
        "UPDATE members SET role = $2, unmapped_role = $3, updated_at = $4, version = version + 1
         WHERE {} AND organization_id = $1",
        list.has("user_id", 5)
    );
    let values: Vec<Value> =
        vec![scope.organization().into(), role.into(), unmapped.into(), now.into(), list.into()];
    tx.inner().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Everybody in these groups whom the directory calls active, with the member behind; owners and whoever was removed
/// are left out.
pub async fn in_groups(
    conn: &impl Conn,
    scope: TenantScope,
    groups: &[DirectoryGroupId],
) -> Result<Vec<InGroup>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let list = IdList::new(backend, groups.iter().map(|group| group.uuid()));
    let sql = format!(
        "SELECT inside.group_id, member.user_id, member.role, member.unmapped_role, member.status, member.email,
             member.display_name, person.address, {ASSERTED} AS asserted
         FROM directory_group_members AS inside
         JOIN directory_users AS person ON person.id = inside.directory_user_id
         JOIN members AS member
             ON member.organization_id = person.organization_id AND member.user_id = person.user_id
         WHERE {} AND inside.organization_id = $1 AND person.active
             AND member.status <> 'removed' AND member.role <> 'owner'
         ORDER BY member.user_id",
        list.has("inside.group_id", 2)
    );
    let values: Vec<Value> = vec![scope.organization().into(), list.into()];
    Ok(InGroup::find_by_statement(Statement::from_sql_and_values(backend, sql, values))
        .all(conn.inner())
        .await?)
}
