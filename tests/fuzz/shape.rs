//! Fuzzed bytes as input that gets past the first checks: JSON with names that mean something, users, PATCH operations.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::model::state::Conformance;
use crate::protocol::scim::schema::own::{OwnSchema, user_with};
use crate::protocol::scim::schema::{ENTERPRISE_USER_URN, GROUP_URN, USER_URN};
use crate::protocol::scim::{GroupResource, Meta, ResourceType, schema};

/// The URN of a schema that an organization added.
pub const OWN: &str = "urn:acme:hr:2.0:User";

/// Users with a schema of the organization's own, which has an attribute of each type.
static USERS: LazyLock<ResourceType> = LazyLock::new(|| {
    let kinds = ["string", "boolean", "integer", "decimal", "dateTime", "reference"];
    let plain = |kind: &str, many: bool| {
        let types = if kind == "reference" { json!(["User"]) } else { json!([]) };
        json!({ "name": format!("{kind}{}", u8::from(many)), "type": kind, "multi_valued": many,
            "mutability": "readWrite", "returned": "default", "reference_types": types })
    };
    let mut attributes: Vec<Value> =
        kinds.iter().flat_map(|kind| [plain(kind, false), plain(kind, true)]).collect();
    for many in [false, true] {
        let mut complex = plain("complex", many);
        complex["sub_attributes"] = kinds.iter().map(|kind| plain(kind, false)).collect();
        attributes.push(complex);
    }
    let own: Vec<OwnSchema> =
        serde_json::from_value(json!([{ "urn": OWN, "name": "HR", "attributes": attributes }])).unwrap();
    user_with(&own)
});

/// The resource types that there are: users as they are built in, users with more, groups.
pub fn resource_types() -> [&'static ResourceType; 3] {
    [schema::user(), &USERS, GroupResource::resource_type()]
}

/// Users with a schema of the organization's own.
pub fn users() -> &'static ResourceType {
    &USERS
}

/// What a server would note.
pub fn meta() -> Meta {
    Meta {
        created: "2026-01-01T00:00:00Z".into(),
        last_modified: "2026-02-01T00:00:00.5Z".into(),
        location: "https://gate.example/scim/v2/Users/u1".into(),
        version: "W/\"1\"".into(),
    }
}

const NAMES: &[&str] = &[
    "userName",
    "name",
    "givenName",
    "familyName",
    "name.givenName",
    "displayName",
    "emails",
    "emails.value",
    "value",
    "type",
    "primary",
    "display",
    "active",
    "externalId",
    "id",
    "schemas",
    "meta",
    "password",
    "photos",
    "roles",
    "groups",
    "addresses",
    "x509Certificates",
    "manager",
    "department",
    "$ref",
    "members",
    "op",
    "path",
    "Operations",
    "filter",
    "sortBy",
    "sortOrder",
    "startIndex",
    "count",
    "cursor",
    "attributes",
    "excludedAttributes",
    "method",
    "bulkId",
    "data",
    "version",
    "failOnErrors",
    USER_URN,
    GROUP_URN,
    ENTERPRISE_USER_URN,
    OWN,
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    "urn:acme:hr:2.0:User:integer0",
    "urn:acme:hr:2.0:User:complex1.decimal",
    "integer0",
    "boolean1",
    "complex0",
    "complex1",
    "string",
    "integer",
    "decimal",
    "dateTime",
    "dateTime0",
    "reference",
];

const PATHS: &[&str] = &[
    "userName",
    "name",
    "name.givenName",
    "displayName",
    "nickName",
    "emails",
    "emails.value",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[value co \"a\"].primary",
    "emails[primary eq true].display",
    "emails[not (type pr)].type",
    "phoneNumbers[type eq \"fax\" and primary eq true].value",
    "addresses[type eq \"work\"].locality",
    "active",
    "manager",
    "manager.value",
    "department",
    ENTERPRISE_USER_URN,
    "roles",
    "roles[primary eq \"True\"].value",
    "password",
    "groups",
    "id",
    "members",
    "members[value eq \"a\"]",
    "externalId",
    "x509Certificates",
    OWN,
    "urn:acme:hr:2.0:User:string0",
    "urn:acme:hr:2.0:User:integer0",
    "urn:acme:hr:2.0:User:decimal1",
    "urn:acme:hr:2.0:User:dateTime1",
    "urn:acme:hr:2.0:User:boolean1",
    "urn:acme:hr:2.0:User:complex0.integer",
    "urn:acme:hr:2.0:User:complex1",
    "urn:acme:hr:2.0:User:complex1[integer gt 1].string",
    "urn:acme:hr:2.0:User:complex1[string eq \"a\"]",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "b",
    "work",
    "WORK",
    "home",
    "True",
    "false",
    "ada@example.com",
    "bulkId:a",
    "bulkId:b",
    "a\0",
    "2026-01-01T00:00:00Z",
    "add",
    "replace",
    "remove",
    "Add",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "/Users",
    "/Groups",
    "/Users/bulkId:a",
    "/Groups/bulkId:b",
    "/Users/u1",
    "userName eq \"a\"",
    "ascending",
    "1",
    "-1",
    "urn:ietf:params:scim:api:messages:2.0:PatchOp",
    "urn:ietf:params:scim:api:messages:2.0:BulkRequest",
    "urn:ietf:params:scim:api:messages:2.0:SearchRequest",
    USER_URN,
    GROUP_URN,
];

/// A text that is known, or any.
pub fn text(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(if u.ratio(3, 4)? { (*u.choose(TEXTS)?).to_owned() } else { u.arbitrary::<&str>()?.to_owned() })
}

fn name(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(if u.ratio(9, 10)? { (*u.choose(NAMES)?).to_owned() } else { u.arbitrary::<&str>()?.to_owned() })
}

/// JSON of any shape.
pub fn json(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 5_u8 } else { 9 })? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => u.arbitrary::<i64>()?.into(),
        3 => serde_json::Number::from_f64(u.arbitrary()?).map_or(Value::Null, Value::Number),
        4 | 5 => text(u)?.into(),
        6 | 7 => {
            let mut items = Vec::new();
            while items.len() < 5 && u.arbitrary()? {
                items.push(json(u, depth - 1)?);
            }
            items.into()
        }
        _ => {
            let mut object = Map::new();
            while object.len() < 6 && u.arbitrary()? {
                object.insert(name(u)?, json(u, depth - 1)?);
            }
            object.into()
        }
    })
}

/// The body of a user.
pub fn user(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut body = json!({ "schemas": [USER_URN], "userName": "ada@example.com" });
    while u.arbitrary()? {
        body[name(u)?] = json(u, 3)?;
    }
    Ok(body)
}

/// A PATCH operation.
pub fn operation(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut operation = json!({ "op": u.choose(&["add", "replace", "remove", "Replace"])? });
    match u.int_in_range(0..=9_u8)? {
        0 | 1 => {}
        2 => operation["path"] = u.arbitrary::<&str>()?.into(),
        _ => operation["path"] = (*u.choose(PATHS)?).into(),
    }
    if u.ratio(9, 10)? {
        operation["value"] = json(u, 3)?;
    }
    Ok(operation)
}

/// How strictly it is read.
pub fn conformance(u: &mut Unstructured<'_>) -> Result<Conformance> {
    Ok(*u.choose(Conformance::ALL)?)
}
