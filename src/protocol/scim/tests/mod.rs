//! The engine as a whole: transcripts of real clients, their quirks, hostile input, and properties.
mod body;
mod bulk;
mod discovery;
mod entra;
mod filter;
mod group;
mod membership;
mod okta;
mod patch;
mod projection;
mod properties;

use serde_json::{Value, json};

use super::schema::ENTERPRISE_USER_URN;
use super::{Conformance, Meta, PatchRequest, ScimError, UserResource, schema};

const CORE: &str = schema::USER_URN;
const ENTERPRISE: &str = ENTERPRISE_USER_URN;

fn meta() -> Meta {
    Meta {
        created: "2026-01-01T00:00:00Z".into(),
        last_modified: "2026-02-01T00:00:00Z".into(),
        location: "https://gate.example/scim/v2/Users/u1".into(),
        version: "W/\"1\"".into(),
    }
}

fn post(body: Value) -> Result<UserResource, ScimError> {
    UserResource::parse(&body, Conformance::Tolerant)
}

/// A user with the given attributes besides its userName.
fn user(attributes: Value) -> UserResource {
    let mut body = attributes;
    body["userName"] = "ada@example.com".into();
    post(body).unwrap()
}

fn shown(user: &UserResource) -> Value {
    user.to_json("u1", &meta())
}

fn request(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// Applies operations; the user as it would be shown, and what changed.
fn patch(user: &UserResource, operations: Value) -> Result<(UserResource, Vec<String>), ScimError> {
    user.patched(&PatchRequest::parse(schema::user(), &request(operations), Conformance::Tolerant)?)
}

/// The `scimType` with which operations are refused.
fn refusal(user: &UserResource, operations: Value) -> String {
    let error = patch(user, operations).unwrap_err();
    assert_eq!(error.status, 400, "{error}");
    assert!(error.detail.len() > 10);
    error.to_json()["scimType"].as_str().unwrap().to_owned()
}
