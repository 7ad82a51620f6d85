//! Table `connection_drafts`. What an active connection is to trust.

use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// What an active connection is to trust.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connection_drafts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection_id: ConnectionId,
    pub organization_id: OrganizationId,
    #[sea_orm(column_type = "JsonBinary")]
    pub facts: Json,
    pub drafted_by: Option<String>,
    pub created_at: Timestamp,
    /// Counts the drafts of the connection: each takes the place of the one before.
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
