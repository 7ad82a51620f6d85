//! Table `pending_links`. A link that waits for an administrator.

use crate::model::email::EmailAddress;
use crate::model::id::{ConnectionId, OrganizationId, PendingLinkId, UserId};
use crate::model::state::{PendingLinkReason, PendingLinkStatus, Role};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A link that waits for an administrator.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pending_links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PendingLinkId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    pub subject: String,
    pub immutable: bool,
    pub address: EmailAddress,
    pub because: PendingLinkReason,
    pub status: PendingLinkStatus,
    /// Of the newest sign-in that waits for it.
    pub reference: String,
    /// The highest role of a member that whoever confirmed may link.
    pub confirmed_up_to: Option<Role>,
    pub answered_by: Option<String>,
    pub answered_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
