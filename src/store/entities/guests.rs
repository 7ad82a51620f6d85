//! Table `guests`.

use crate::model::email::EmailAddress;
use crate::model::id::{GuestId, OrganizationId};
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// Somebody on a domain of others whom an owner lets into the organization without its SAML, until a day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "guests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GuestId,
    pub organization_id: OrganizationId,
    pub email: EmailAddress,
    pub note: Option<String>,
    /// The person or key that approved.
    pub approved_by: Option<String>,
    pub created_at: Timestamp,
    pub ends_at: Timestamp,
    /// When it was ended, by hand or by its day.
    pub ended_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
