//! Table `used_client_assertions`. A client assertion that was accepted once, by its `jti`.

use crate::model::id::ScimClientId;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A client assertion that was accepted once.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "used_client_assertions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: ScimClientId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti: String,
    pub expires_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
