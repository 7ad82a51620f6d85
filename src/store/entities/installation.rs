//! Table `installation`. The one row that remembers which installation key sealed this database.

use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// The one row that remembers which installation key sealed this database.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub key_check: Vec<u8>,
    pub created_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
