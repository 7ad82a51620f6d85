//! Table `connection_tests`. A test sign-in: a link, then an attempt, then what came of it.

use crate::model::id::{ConnectionId, ConnectionTestId, OrganizationId};
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A test sign-in: a link, then an attempt, then what came of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connection_tests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectionTestId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub link_hash: TokenHash,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub opened_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub passed: bool,
    /// What the connection trusted when it was tested, as a digest.
    pub trust: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub report: Option<Json>,
    /// Whether it is of the drafted change of the connection.
    pub of_draft: bool,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
