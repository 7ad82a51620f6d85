//! Discovery documents (RFC 7643 §5 to §7, RFC 7644 §4), made from the tables that also do the checking.
//!
//! `base` is the absolute URL of the SCIM root without a slash at its end. No nulls are written.
use serde_json::{Map, Value, json};

use super::list::MAX_COUNT;
use super::schema::{Attribute, Kind, ResourceType, Schema};

const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// All schemas that the resource types name, each once, for `/Schemas`.
pub fn schemas(resource_types: &[&ResourceType], base: &str) -> Vec<Value> {
    all_schemas(resource_types).into_iter().map(|schema| schema_json(schema, base)).collect()
}

/// One schema by its URN, without case, for `/Schemas/{urn}`.
pub fn schema(resource_types: &[&ResourceType], urn: &str, base: &str) -> Option<Value> {
    let found = all_schemas(resource_types).into_iter().find(|s| s.id.eq_ignore_ascii_case(urn))?;
    Some(schema_json(found, base))
}

/// The resource types, for `/ResourceTypes`.
pub fn resource_types(resource_types: &[&ResourceType], base: &str) -> Vec<Value> {
    resource_types.iter().map(|resource_type| resource_type_json(resource_type, base)).collect()
}

/// One resource type by its name, for `/ResourceTypes/{id}`.
pub fn resource_type(resource_types: &[&ResourceType], id: &str, base: &str) -> Option<Value> {
    resource_types.iter().find(|r| r.name == id).map(|r| resource_type_json(r, base))
}

/// What this server can do, for `/ServiceProviderConfig`; whoever serves adds the limits of `bulk`.
pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": [CONFIG_URN],
        "patch": { "supported": true },
        "bulk": { "supported": true },
        "filter": { "supported": true, "maxResults": MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "SCIM token",
                "description": "A token of the directory, sent as Authorization: Bearer.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": true,
            },
            {
                "type": "oauth2",
                "name": "OAuth 2.0 client credentials",
                "description": "An access token with the scope scim, given to a client registered for the directory.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6749",
            },
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

fn all_schemas<'a>(resource_types: &[&'a ResourceType]) -> Vec<&'a Schema> {
    let mut found: Vec<&Schema> = Vec::new();
    for schema in resource_types.iter().flat_map(|r| std::iter::once(&r.core).chain(&r.extensions)) {
        if !found.iter().any(|s| s.id == schema.id) {
            found.push(schema);
        }
    }
    found
}

fn resource_type_json(resource_type: &ResourceType, base: &str) -> Value {
    let extensions: Vec<Value> =
        resource_type.extensions.iter().map(|s| json!({ "schema": s.id, "required": false })).collect();
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": resource_type.name,
        "name": resource_type.name,
        "endpoint": resource_type.endpoint,
        "description": resource_type.description,
        "schema": resource_type.core.id,
        "schemaExtensions": extensions,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", resource_type.name),
        },
    })
}

fn schema_json(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA_URN],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": attributes_json(&schema.attributes),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id) },
    })
}

fn attributes_json(attributes: &[Attribute]) -> Vec<Value> {
    attributes.iter().filter(|a| a.advertised).map(attribute_json).collect()
}

fn attribute_json(attribute: &Attribute) -> Value {
    let mut json = Map::new();
    json.insert("name".into(), attribute.name.as_str().into());
    json.insert("type".into(), attribute.kind.as_str().into());
    json.insert("multiValued".into(), attribute.multi_valued.into());
    json.insert("description".into(), attribute.description.as_str().into());
    json.insert("required".into(), attribute.required.into());
    json.insert("caseExact".into(), attribute.case_exact.into());
    json.insert("mutability".into(), attribute.mutability.as_str().into());
    json.insert("returned".into(), attribute.returned.as_str().into());
    json.insert("uniqueness".into(), attribute.uniqueness.as_str().into());
    if !attribute.canonical_values.is_empty() {
        json.insert("canonicalValues".into(), attribute.canonical_values.clone().into());
    }
    if attribute.kind == Kind::Reference {
        json.insert("referenceTypes".into(), attribute.reference_types.clone().into());
    }
    if attribute.is_complex() {
        json.insert("subAttributes".into(), attributes_json(&attribute.sub_attributes).into());
    }
    Value::Object(json)
}
