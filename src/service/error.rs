//! What a use case answers when it cannot do what was asked: a stable code and plain sentences, for every dialect.
//!
//! Each error says what happened, and what to do next where that is not plain. Another tenant's object is
//! [`Error::NotFound`], never anything else (rule 17).

use crate::store::error::{StoreError, UniqueKey};
use std::time::Duration;

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its name as the caller wrote it, with dots into objects.
    pub field: String,
    /// A stable code such as `required` or `email_invalid`.
    pub code: &'static str,
    /// A sentence: what was found, what was expected.
    pub message: String,
}

/// Why a use case did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No valid credential (401).
    #[error("{message}")]
    Unauthenticated { code: &'static str, message: String },
    /// The credential is valid but does not allow this (403): the message names the missing scope or role.
    #[error("{message}")]
    Forbidden { code: &'static str, message: String },
    /// There is no such thing, for this caller (404).
    #[error("{message}")]
    NotFound { message: String },
    /// Fields are wrong (400 at the REST door), one entry each.
    #[error("{} field(s) of the request are wrong", .0.len())]
    Invalid(Vec<FieldError>),
    /// The request as a whole asks for something the rules refuse (400).
    #[error("{message}")]
    Refused { code: &'static str, message: String },
    /// It conflicts with what is there (409).
    #[error("{message}")]
    Conflict { code: &'static str, message: String },
    /// It was there and is over (410), such as an expired invite.
    #[error("{message}")]
    Gone { code: &'static str, message: String },
    /// Somebody changed the resource since it was read (412).
    #[error("the resource was changed since it was read; read it again and repeat the change")]
    PreconditionFailed,
    /// Too many requests (429).
    #[error("too many requests; come back in {} s", retry_after.as_secs().max(1))]
    RateLimited { retry_after: Duration },
    /// Something outside does not answer now (503): worth another try.
    #[error("{message}")]
    Unavailable { code: &'static str, message: String },
    /// A fault of ours (500); the cause goes to the log only.
    #[error("an unexpected error: {0}")]
    Internal(String),
}

impl Error {
    /// The stable code; clients depend on it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Refused { code, .. }
            | Self::Conflict { code, .. }
            | Self::Gone { code, .. }
            | Self::Unavailable { code, .. } => code,
            Self::NotFound { .. } => "not_found",
            Self::Invalid(_) => "invalid_request",
            Self::PreconditionFailed => "precondition_failed",
            Self::RateLimited { .. } => "rate_limited",
            Self::Internal(_) => "internal_error",
        }
    }

    /// The HTTP status that every door answers with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Refused { .. } => 400,
            Self::Unauthenticated { .. } => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Gone { .. } => 410,
            Self::PreconditionFailed => 412,
            Self::RateLimited { .. } => 429,
            Self::Internal(_) => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// There is no such thing, for this caller.
    pub fn not_found(noun: &str) -> Self {
        Self::NotFound { message: format!("There is no such {noun}, or this credential does not reach it.") }
    }

    /// One wrong field.
    pub fn field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), code, message: message.into() }])
    }

    /// A conflict with what is there.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// A refusal by the rules.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// A valid credential that does not allow this.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { code, message: message.into() }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(UniqueKey::OrganizationSlug) => {
                Self::conflict("slug_taken", "Another organization has this slug. Choose another one.")
            }
            StoreError::Conflict(UniqueKey::DomainClaim) => Self::conflict(
                "domain_already_claimed",
                "This organization claims this domain already. Use the claim that is there.",
            ),
            StoreError::Conflict(UniqueKey::DomainVerified) => Self::conflict(
                "domain_held",
                "Another organization holds this domain verified. Its owners have been told.",
            ),
            StoreError::Conflict(UniqueKey::PendingInvite) => Self::conflict(
                "invite_pending",
                "An invite for this address is pending. Revoke it before inviting again.",
            ),
            StoreError::Conflict(key) => Self::conflict(
                "conflict",
                format!("The same thing is being made elsewhere ({key:?}). Read, then try again."),
            ),
            StoreError::Stale => Self::PreconditionFailed,
            StoreError::Dangling => Self::conflict(
                "conflict",
                "Something that this refers to was deleted at the same moment. Read, then try again.",
            ),
            StoreError::Unavailable(cause) => {
                tracing::warn!(cause, "the database is not available");
                Self::Unavailable {
                    code: "database_unavailable",
                    message: "The database is not available now. Nothing was changed; try again in a moment."
                        .to_owned(),
                }
            }
            StoreError::Other(cause) => Self::Internal(cause),
        }
    }
}
