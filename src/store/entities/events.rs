//! Table `events`. A fact that happened in an organization; numbered after commit.

use crate::model::event::EventKind;
use crate::model::id::{EventId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A fact that happened in an organization; numbered after commit.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    pub organization_id: OrganizationId,
    pub number: Option<i64>,
    pub kind: EventKind,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub subject: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub created_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
