//! Queries of organizations.

pub use super::entities::organizations::Model as Organization;

use super::entities::organizations::{Column, Entity};
use super::error::StoreError;
use super::{Conn, fetch_page};
use crate::model::id::OrganizationId;
use crate::model::page::{Cursor, Page, PageRequest};
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::model::time::Timestamp;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QuerySelect};

/// The organization of the scope; `None` if it is gone.
pub async fn find(conn: &impl Conn, scope: TenantScope) -> Result<Option<Organization>, StoreError> {
    Ok(Entity::find_by_id(scope.organization()).one(conn.inner()).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &impl Conn, scope: TenantScope) -> Result<Option<Organization>, StoreError> {
    Ok(Entity::find_by_id(scope.organization()).lock_exclusive().one(conn.inner()).await?)
}

/// Holds the organization's owners until the transaction ends: whoever changes who is one waits here. A weaker lock
/// than [`lock`], because what refers to the organization, as each event does, is still written meanwhile.
pub async fn lock_owners(conn: &impl Conn, scope: TenantScope) -> Result<(), StoreError> {
    Entity::find_by_id(scope.organization())
        .select_only()
        .column(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple::<OrganizationId>()
        .one(conn.inner())
        .await?;
    Ok(())
}

/// Inserts a new organization.
pub async fn insert(conn: &impl Conn, row: Organization) -> Result<(), StoreError> {
    super::insert::<Entity>(conn, row).await
}

/// Writes the row if it still has the version before.
pub async fn update(
    conn: &impl Conn,
    scope: TenantScope,
    mut row: Organization,
) -> Result<Organization, StoreError> {
    let condition =
        Condition::all().add(Column::Id.eq(scope.organization())).add(Column::Version.eq(row.version));
    row.version += 1;
    super::replace::<Entity>(conn, row.clone(), condition).await?;
    Ok(row)
}

/// Marks the organization as ownerless since `now`, or as owned again.
pub async fn set_ownerless(
    conn: &impl Conn,
    scope: TenantScope,
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::OwnerlessSince, since.into())
        .col_expr(Column::Version, sea_orm::sea_query::Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(scope.organization()))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// A page of all organizations, oldest first; `search` looks into name and slug.
pub async fn list(
    conn: &impl Conn,
    _scope: InstallationScope,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Page<Organization>, StoreError> {
    let mut filter = Condition::all();
    if let Some(text) = search {
        filter = filter.add(
            Condition::any()
                .add(super::contains_folded(Column::Name, text))
                .add(super::contains_folded(Column::Slug, text)),
        );
    }
    let (rows, total) =
        fetch_page::<Entity>(conn, filter, (Column::CreatedAt, Column::Id, false), request).await?;
    Ok(Page::from_rows(rows, request.limit(), total, |o| {
        Cursor::after_time("created_at", o.created_at, o.id.uuid())
    }))
}
