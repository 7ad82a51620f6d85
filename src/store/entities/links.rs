//! Table `links`. A link between a subject at an IdP and a user.

use crate::model::id::{ConnectionId, LinkId, OrganizationId, UserId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A link between a subject at an IdP and a user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LinkId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    pub subject: String,
    pub immutable: bool,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
