//! Queries of what groups give that SAML assertions name: groups of the directory by what the directory calls them, and
//! names that stand in the mapping by themselves.

pub use super::entities::role_mapping_names::Model as RoleMappingName;

use super::entities::role_mapping_names::{Column, Entity};
use super::error::StoreError;
use super::{Conn, Tx};
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, Statement,
};

/// A group, by whatever an assertion may call it, and a role that it gives.
#[derive(Debug, Clone, FromQueryResult)]
pub struct NamedRole {
    /// The name without case.
    pub name_key: String,
    /// What the IdP knows a group of the directory by.
    pub external_id: Option<String>,
    pub role: Role,
}

/// The names that stand in the mapping by themselves, by the alphabet.
pub async fn list(conn: &impl Conn, scope: TenantScope) -> Result<Vec<RoleMappingName>, StoreError> {
    Ok(Entity::find()
        .filter(Column::OrganizationId.eq(scope.organization()))
        .order_by_asc(Column::NameKey)
        .order_by_asc(Column::Role)
        .all(conn.inner())
        .await?)
}

/// Makes these all the names of the organization's mapping.
pub async fn replace(tx: &Tx, scope: TenantScope, rows: Vec<RoleMappingName>) -> Result<(), StoreError> {
    Entity::delete_many().filter(Column::OrganizationId.eq(scope.organization())).exec(tx.inner()).await?;
    if !rows.is_empty() {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
        Entity::insert_many(rows).exec_without_returning(tx.inner()).await?;
    }
    Ok(())
}

/// All groups of the mapping by their names, those of the directory among them.
pub async fn all(conn: &impl Conn, scope: TenantScope) -> Result<Vec<NamedRole>, StoreError> {
    let sql = "SELECT found.display_name_key AS name_key, found.external_id, mapping.role
         FROM role_mappings AS mapping JOIN directory_groups AS found ON found.id = mapping.group_id
         WHERE mapping.organization_id = $1
         UNION ALL
         SELECT named.name_key, NULL AS external_id, named.role
         FROM role_mapping_names AS named WHERE named.organization_id = $1";
    let backend = conn.inner().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [scope.organization().into()]);
    Ok(NamedRole::find_by_statement(statement).all(conn.inner()).await?)
}
