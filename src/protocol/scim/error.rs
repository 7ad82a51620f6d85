//! The error of the SCIM door: status, `scimType` and a sentence (RFC 7644 §3.12).
//!
//! Every refusal of the engine is a [`ScimError`]; its JSON body is the only form in which it leaves.
use serde_json::{Value, json};
use thiserror::Error;

/// URN of the error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The `scimType` keywords of RFC 7644 table 9 and RFC 9865 table 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScimType {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    InvalidVersion,
    Sensitive,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVersion => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{status}: {detail}")]
pub struct ScimError {
    /// HTTP status.
    pub status: u16,
    /// Keyword for machines; only some statuses have one.
    pub scim_type: Option<ScimType>,
    /// One or two sentences for the admin who reads the log of the identity provider.
    pub detail: String,
}

impl ScimError {
    /// An error without a keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// An error with a keyword.
    pub fn typed(status: u16, scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// 400: the body is not what the operation takes.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidSyntax, detail)
    }

    /// 400: a value is missing or has the wrong type.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidValue, detail)
    }

    /// 400: the filter cannot be read or compares what cannot be compared.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidFilter, detail)
    }

    /// 400: a PATCH path cannot be read or names nothing.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidPath, detail)
    }

    /// 400: a PATCH path is right, but nothing is there.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::NoTarget, detail)
    }

    /// 400: the attribute may not be changed this way.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::Mutability, detail)
    }

    /// 400: the cursor is none that was given out for this query.
    pub fn invalid_cursor(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidCursor, detail)
    }

    /// 400: the cursor was given out too long ago.
    pub fn expired_cursor(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::ExpiredCursor, detail)
    }

    /// 400: a page cannot have that many resources.
    pub fn invalid_count(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidCount, detail)
    }

    /// 400: the filter leaves more to look at than one request may take.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::TooMany, detail)
    }

    /// 409: another resource holds the unique value.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::typed(409, ScimType::Uniqueness, detail)
    }

    /// 404: no such resource in this directory.
    pub fn not_found(noun: &str, id: &str) -> Self {
        let id = quotable(id, 80);
        Self::new(404, format!("There is no {noun} with the id \"{id}\" in this directory."))
    }

    /// 412: the resource is not at the version named in If-Match.
    pub fn precondition_failed(current: &str) -> Self {
        Self::new(
            412,
            format!("The resource has changed: it is at version {current} now. Read it again, then repeat."),
        )
    }

    /// The body, status as a string.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "schemas": [ERROR_URN], "status": self.status.to_string() });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.as_str().into();
        }
        body["detail"] = self.detail.clone().into();
        body
    }
}

/// The first `limit` characters of what somebody sent, without control characters, for quoting.
pub(super) fn excerpt(text: &str, limit: usize) -> String {
    let mut cut: String = text.chars().filter(|c| !c.is_control()).take(limit + 1).collect();
    if let Some((at, _)) = cut.char_indices().nth(limit) {
        cut.truncate(at);
        cut.push('…');
    }
    cut
}

/// The same of what may be anything, a secret too: without quotes of its own, so that where it ends can be seen and the
/// request log can leave it out.
pub(super) fn quotable(text: &str, limit: usize) -> String {
    excerpt(text, limit).replace('"', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_a_string_and_the_keyword_is_there() {
        let body = ScimError::uniqueness("taken").to_json();
        assert_eq!(body["status"], "409");
        assert_eq!(body["scimType"], "uniqueness");
        assert_eq!(body["schemas"][0], ERROR_URN);
        assert!(ScimError::new(404, "no").to_json().get("scimType").is_none());
    }

    #[test]
    fn quoting_is_bounded_and_clean() {
        assert_eq!(excerpt("ab\0c", 10), "abc");
        assert_eq!(excerpt(&"é".repeat(100), 3), "ééé…");
        assert_eq!(quotable("a\"b", 10), "a'b");
    }
}
