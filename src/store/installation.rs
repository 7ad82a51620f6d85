//! The row that remembers which installation key sealed this database.

pub use super::entities::installation::Model as Installation;

use super::Conn;
use super::entities::installation::Entity;
use super::error::StoreError;
use crate::model::tenant::InstallationScope;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

/// The row, if the database was used before.
pub async fn find(conn: &impl Conn, _scope: InstallationScope) -> Result<Option<Installation>, StoreError> {
    Ok(Entity::find_by_id(1).one(conn.inner()).await?)
}

/// Inserts the row unless another node was first.
pub async fn insert(
    conn: &impl Conn,
    _scope: InstallationScope,
    row: Installation,
) -> Result<(), StoreError> {
    let conflict = OnConflict::column(super::entities::installation::Column::Id).do_nothing().to_owned();
    Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(conn.inner())
        .await?;
    Ok(())
}
