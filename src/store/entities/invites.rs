//! Table `invites`. An offer of membership to an e-mail address.

use crate::model::email::EmailAddress;
use crate::model::id::{InviteId, OrganizationId, UserId};
use crate::model::secret::TokenHash;
use crate::model::state::{InviteStatus, Role};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An offer of membership to an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invites")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InviteId,
    pub organization_id: OrganizationId,
    pub email: EmailAddress,
    pub role: Role,
    pub message: Option<String>,
    pub hash: TokenHash,
    pub status: InviteStatus,
    pub invited_by: Option<String>,
    pub invited_by_user_id: Option<UserId>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub accepted_by_user_id: Option<UserId>,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
