//! What can go wrong in the store, as kinds, not causes: the layers above decide by kind and never read a driver's
//! text. PostgreSQL names the violated constraint, SQLite the columns: both are read into [`UniqueKey`].

use sea_orm::{DbErr, RuntimeErr};

macro_rules! unique_keys {
    ($($(#[$meta:meta])* $variant:ident = ($constraint:literal, $columns:literal)),+ $(,)?) => {
        /// A unique key of the schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum UniqueKey {
            $($(#[$meta])* $variant),+
        }

        impl UniqueKey {
            fn from_constraint(name: &str) -> Option<Self> {
                match name { $($constraint => Some(Self::$variant),)+ _ => None }
            }

            fn from_columns(columns: &str) -> Option<Self> {
                match columns { $($columns => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

unique_keys! {
    /// Two organizations with one slug.
    OrganizationSlug = ("organizations_slug_key", "organizations.slug"),
    /// Two users with one address.
    UserEmail = ("users_email_key", "users.email"),
    /// The user is a member already.
    Member = ("members_pkey", "members.organization_id, members.user_id"),
    /// The organization claims this name already.
    DomainClaim = ("domains_organization_id_name_key", "domains.organization_id, domains.name"),
    /// Another organization holds this name verified.
    DomainVerified = ("domains_name_verified_key", "domains.name"),
    /// The subject is linked to another user.
    LinkSubject = ("links_connection_id_subject_key", "links.connection_id, links.subject"),
    /// The user is linked to another subject.
    LinkUser = ("links_user_id_connection_id_key", "links.user_id, links.connection_id"),
    /// Another directory user has this userName.
    DirectoryUserName = (
        "directory_users_user_name_key_directory_id_key",
        "directory_users.user_name_key, directory_users.directory_id"
    ),
    /// Another directory user stands for this user.
    DirectoryUserUser = (
        "directory_users_user_id_directory_id_key",
        "directory_users.user_id, directory_users.directory_id"
    ),
    /// Another directory group has this name.
    DirectoryGroupName = (
        "directory_groups_display_name_key_directory_id_key",
        "directory_groups.display_name_key, directory_groups.directory_id"
    ),
    /// A pending invite for this address exists.
    PendingInvite = ("invites_organization_id_email_pending_key", "invites.organization_id, invites.email"),
    /// The assertion was used before.
    UsedAssertion = ("used_assertions_pkey", "used_assertions.connection_id, used_assertions.assertion_id"),
    /// The client assertion was used before.
    UsedClientAssertion =
        ("used_client_assertions_pkey", "used_client_assertions.client_id, used_client_assertions.jti"),
    /// The idempotency key was used before.
    IdempotencyKey = ("idempotency_keys_pkey", "idempotency_keys.credential, idempotency_keys.key"),
}

/// What went wrong in the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A unique key of the schema would have been violated.
    #[error("a row with the same {0:?} exists")]
    Conflict(UniqueKey),
    /// The row was changed by somebody else in between (its version moved on), or is gone.
    #[error("the row was changed in between")]
    Stale,
    /// What the row would refer to is gone.
    #[error("what the row refers to is gone")]
    Dangling,
    /// The database cannot be reached or does not take connections now; worth another try.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Anything else: a fault of ours or of the database.
    #[error("the database refused: {0}")]
    Other(String),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unavailable(error.to_string()),
            DbErr::Exec(RuntimeErr::SqlxError(sqlx)) | DbErr::Query(RuntimeErr::SqlxError(sqlx)) => {
                Self::from_sqlx(sqlx).unwrap_or_else(|| Self::Other(error.to_string()))
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

/// PostgreSQL: connection exceptions and shut-down, too many connections, serialization failure, deadlock victim,
/// read-only after a fail-over, disk full; a lock or a statement that took longer than a rehearsal has time for.
fn postgres_unavailable(code: &str) -> bool {
    code.len() == 5
        && (code.starts_with("08")
            || code.starts_with("57P")
            || matches!(code, "53300" | "53100" | "40001" | "40P01" | "25006" | "55P03" | "57014"))
}

/// SQLite (primary result codes): busy, locked, I/O error, full, cannot open.
fn sqlite_unavailable(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
}

impl StoreError {
    fn from_sqlx(error: &sea_orm::SqlxError) -> Option<Self> {
        use sea_orm::SqlxError as E;
        match error {
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Some(Self::Unavailable(error.to_string()))
            }
            E::Database(database) => {
                let code = database.code().unwrap_or_default();
                if postgres_unavailable(&code) || sqlite_unavailable(&code) {
                    return Some(Self::Unavailable(database.message().to_owned()));
                }
                if database.is_foreign_key_violation() {
                    return Some(Self::Dangling);
                }
                if !database.is_unique_violation() {
                    return None;
                }
                let from_columns = || UniqueKey::from_columns(database.message().rsplit(": ").next()?);
                database
                    .constraint()
                    .and_then(UniqueKey::from_constraint)
                    .or_else(from_columns)
                    .map(Self::Conflict)
            }
            _ => None,
        }
    }
}
