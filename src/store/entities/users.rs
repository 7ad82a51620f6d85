//! Table `users`. A user: how one person signs in.

use crate::model::email::EmailAddress;
use crate::model::id::UserId;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A user: how one person signs in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub email: Option<EmailAddress>,
    pub email_proven_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
