//! Table `sign_in_attempts`. A sign-in that was sent to an IdP; only hashes of the request's id and of the browser's cookie are kept.

use crate::model::id::{ConnectionId, ConnectionTestId, OrganizationId, SessionId, SignInAttemptId};
use crate::model::secret::TokenHash;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// A sign-in that was sent to an IdP; only hashes of the request's id and of the browser's cookie are kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SignInAttemptId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub request_hash: TokenHash,
    pub browser_hash: TokenHash,
    /// Who was signed in in this browser when the attempt began.
    pub session_id: Option<SessionId>,
    /// Whether the attempt began at a form of ours, not at a link from anywhere.
    pub own_page: bool,
    pub return_to: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    pub outcome: Option<String>,
    pub detail: Option<String>,
    /// Of a test sign-in: it signs nobody in.
    pub test_id: Option<ConnectionTestId>,
    /// A step-up of the session: it signs nobody else in.
    pub step_up: bool,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
