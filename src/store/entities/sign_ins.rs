//! Table `sign_ins`. An entry of the sign-in log: how one sign-in ended, and what is known of it.

use crate::model::id::{ConnectionId, OrganizationId, SessionId, SignInAttemptId, SignInId, UserId};
use crate::model::sign_in::SignInOutcome;
use crate::model::time::Timestamp;
use sea_orm::entity::prelude::*;

/// An entry of the sign-in log: how one sign-in ended, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_ins")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SignInId,
    pub connection_id: ConnectionId,
    /// The attempt that it ended, as far as it is known.
    pub attempt_id: Option<SignInAttemptId>,
    /// When the entry was made.
    pub created_at: Timestamp,
    pub reference: String,
    pub outcome: SignInOutcome,
    /// Why it was refused.
    pub code: Option<String>,
    /// What was expected and found.
    pub detail: Option<String>,
    pub next_step: Option<String>,
    /// When we sent the person to the IdP.
    pub started_at: Option<Timestamp>,
    /// When the response was answered; `None` if none came.
    pub finished_at: Option<Timestamp>,
    /// Of a verified assertion.
    pub address: Option<String>,
    pub user_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    /// Whether the member was made by it.
    pub created: bool,
    /// Whether the link was made by it.
    pub linked: bool,
    /// Whether what follows was signed by the IdP; else it is what a stranger sent.
    pub verified: bool,
    pub encrypted: bool,
    /// SHA-256 fingerprint of the certificate that verified the response; of a signature that matched none, the one in
    /// its KeyInfo.
    pub certificate: Option<String>,
    pub algorithm: Option<String>,
    /// How far the IdP's clock is ahead of ours, by the assertion's IssueInstant.
    pub clock_difference_ms: Option<i64>,
    pub issuer: Option<String>,
    pub name_id_format: Option<String>,
    pub authn_context: Option<String>,
    /// JSON: names, numbers of values, and values masked unless `unmasked`.
    pub attributes: Option<String>,
    pub unmasked: bool,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: String,
    /// How many refusals at this connection were left out of the log since the entry before.
    pub left_out: i64,
}

/// Tables are joined by name where they are joined at all.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
