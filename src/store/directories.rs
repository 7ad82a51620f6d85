//! Queries of directories; an organization has one.

pub use super::entities::directories::Model as Directory;

use super::Conn;
use super::entities::directories::{Column, Entity};
use super::entities::organizations;
use super::error::StoreError;
use crate::model::email::EmailAddress;
use crate::model::id::InviteId;
use crate::model::state::{ForeignAddresses, ProvisioningMode};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QuerySelect, Statement,
};

/// What a directory is set to.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct DirectorySettings {
    pub foreign_addresses: ForeignAddresses,
    pub provisioning_mode: ProvisioningMode,
}

/// What an address on one of the directory's domains stands on.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Footing {
    pub provisioning_mode: ProvisioningMode,
    /// The pending invite for the address that has not run out.
    pub invite_id: Option<InviteId>,
}

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::OrganizationId.eq(scope.organization()))
}

/// The organization's directory.
pub async fn find(conn: &impl Conn, scope: TenantScope) -> Result<Option<Directory>, StoreError> {
    Ok(Entity::find().filter(of(scope)).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &impl Conn, scope: TenantScope) -> Result<Option<Directory>, StoreError> {
    Ok(Entity::find().filter(of(scope)).lock_exclusive().one(conn.inner()).await?)
}

/// Inserts the directory of a new organization.
pub async fn insert(conn: &impl Conn, row: Directory) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: Directory,
) -> Result<Directory, StoreError> {
    let condition = of(scope).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// What the organization's directory is set to.
pub async fn settings(conn: &impl Conn, scope: TenantScope) -> Result<Option<DirectorySettings>, StoreError> {
    let organization = Entity::belongs_to(organizations::Entity)
        .from(Column::OrganizationId)
        .to(organizations::Column::Id)
        .into();
    Ok(Entity::find()
        .select_only()
        .column(Column::ForeignAddresses)
        .column(organizations::Column::ProvisioningMode)
        .join(JoinType::InnerJoin, organization)
        .filter(of(scope))
        .into_model::<DirectorySettings>()
        .one(conn.inner())
        .await?)
}

/// Whether the `roles` of the directory's users set roles. The row stays as it is until the transaction ends: whoever
/// switches that waits, and finds everybody who was written meanwhile.
pub async fn heeds_roles(tx: &super::Tx, scope: TenantScope) -> Result<bool, StoreError> {
    let found = Entity::find()
        .select_only()
        .column(Column::RolesOnUsers)
        .filter(of(scope))
        .lock_shared()
        .into_tuple::<bool>()
        .one(tx.inner())
        .await?;
    Ok(found.unwrap_or(false))
}

/// What an address stands on, if its domain is verified by the organization and assigned to its directory; `None` if
/// not. One statement for all, because every push of a person begins with it.
///
/// The domain's row is read, not locked: all pushes of a directory would meet in that lock. Giving up a domain touches
/// no member, so a push that read the domain just before is the same as one that came just before.
pub async fn footing(
    conn: &impl Conn,
    scope: TenantScope,
    address: &EmailAddress,
    now: Timestamp,
) -> Result<Option<Footing>, StoreError> {
    let backend = conn.inner().get_database_backend();
    let sql = "SELECT organization.provisioning_mode, invite.id AS invite_id
         FROM organizations AS organization
         JOIN domains AS domain ON domain.organization_id = organization.id
         LEFT JOIN invites AS invite ON invite.organization_id = organization.id AND invite.email = $3
             AND invite.status = 'pending' AND invite.expires_at > $4
         WHERE organization.id = $1 AND domain.name = $2 AND domain.status = 'verified' AND domain.scim_enabled";
    let values = [scope.organization().into(), address.domain().into(), address.as_str().into(), now.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(Footing::find_by_statement(statement).one(conn.inner()).await?)
}
