//! Table `idempotency_keys`. An answer kept for a repeated request (rule 15).

use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An answer kept for a repeated request (rule 15).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub credential: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub request_hash: Vec<u8>,
    pub status: Option<i32>,
    pub body: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
