//! SCIM 2.0 (RFC 7643, RFC 7644) as pure functions over JSON: no I/O, no clock, no async.
//!
//! A body becomes a [`Resource`] (names in their canonical spelling, unknown and read-only attributes
//! gone, types checked) by the attribute tables in [`schema`]; the same tables make the discovery
//! documents, so what is announced is what is checked. Filters and PATCH paths are parsed into trees
//! against those tables; [`apply`](patch::PatchRequest::apply) works on a copy, all or nothing. Nothing
//! here panics, whatever comes in: input is only descended as deep as the tables go.
pub mod bulk;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod filter;
pub mod group;
pub mod list;
pub mod membership;
pub mod name;
pub mod patch;
pub mod path;
pub mod projection;
pub mod remarks;
pub mod resource;
pub mod schema;
pub mod user;

mod change;
mod lexer;
mod message;
mod value;

#[cfg(test)]
mod tests;

pub use crate::model::state::Conformance;
pub use error::{ScimError, ScimType};
pub use filter::{Filter, IndexKey};
pub use group::{GroupResource, SentGroup};
pub use list::{ListQuery, Page, Paging, list_response};
pub use membership::GroupPatch;
pub use name::fold;
pub use patch::{PatchRequest, Patched};
pub use projection::Projection;
pub use resource::{Meta, Resource};
pub use schema::ResourceType;
pub use user::UserResource;
pub use value::as_boolean;

use super::json;
use serde_json::Value;

/// The media type of every SCIM body, errors included (RFC 7644 §8.1).
pub const MEDIA_TYPE: &str = "application/scim+json";

/// Reads a request body as JSON.
///
/// A byte order mark is skipped. Broken JSON, nesting beyond 128 levels, unpaired surrogates and
/// numbers outside the range of a double are 400 `invalidSyntax` with the place of the mistake; so
/// are more than [`json::MOST_SCIM_VALUES`] values, without one.
pub fn parse_json(body: &[u8]) -> Result<Value, ScimError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ScimError::invalid_syntax("The body is empty; a JSON object is needed."));
    }
    if json::has_more_values_than(body, json::MOST_SCIM_VALUES) {
        return Err(ScimError::invalid_syntax(json::too_many_values(json::MOST_SCIM_VALUES)));
    }
    serde_json::from_slice(body)
        .map_err(|e| ScimError::invalid_syntax(format!("The body is not valid JSON: {e}.")))
}
