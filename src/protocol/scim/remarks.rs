//! Remarks on a body that a directory takes: what of it is ignored, and what is read as something else than it says.
//!
//! They are made by the tables that bodies are read by, beside the reading, and change nothing of it. What is refused
//! needs no remark: the refusal says why.

use serde_json::{Map, Value};

use super::error::excerpt;
use super::name::member;
use super::path::Path;
use super::schema::{Attribute, Kind, Mutability, ResourceType};

/// Most remarks on one request.
pub const MOST: usize = 50;

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// A stable word.
    pub code: &'static str,
    /// Where in the body.
    pub at: String,
    /// A sentence.
    pub message: String,
}

/// Remarks on the body of a POST or PUT of this type.
pub fn on_resource(resource_type: &ResourceType, body: &Value) -> Vec<Remark> {
    let mut notes = Notes::default();
    if let Some(object) = body.as_object() {
        notes.resource(resource_type, object, "");
    }
    notes.0
}

/// Remarks on the body of a PATCH of this type.
pub fn on_patch(resource_type: &ResourceType, body: &Value) -> Vec<Remark> {
    let mut notes = Notes::default();
    let operations = member(body, "Operations").and_then(Value::as_array);
    for (index, operation) in operations.into_iter().flatten().enumerate() {
        notes.operation(resource_type, operation, &format!("Operations[{index}]"));
    }
    notes.0
}

fn joined(at: &str, name: &str) -> String {
    let name = excerpt(name, 120);
    match at {
        "" => name,
        at => format!("{at}.{name}"),
    }
}

#[derive(Default)]
struct Notes(Vec<Remark>);

impl Notes {
    fn note(&mut self, code: &'static str, at: String, message: impl Into<String>) {
        if self.0.len() < MOST {
            self.0.push(Remark { code, at, message: message.into() });
        }
    }

    fn unknown(&mut self, at: String, kind: &str) {
        let message = format!("There is no attribute of this name for a {kind} here: it is ignored.");
        self.note("unknown_attribute_ignored", at, message);
    }

    /// The members of a resource.
    fn resource(&mut self, resource_type: &ResourceType, object: &Map<String, Value>, at: &str) {
        for (name, value) in object {
            let place = joined(at, name);
            if name.eq_ignore_ascii_case("schemas") {
                self.schemas(resource_type, value, place);
            } else if let Some(attribute) = resource_type.core_attribute(name) {
                self.attribute(attribute, name, value, place);
            } else if let Some(schema) = resource_type.extension(name) {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let place = format!("{place}:{}", excerpt(name, 120));
                    match schema.attribute(name) {
                        Some(attribute) => self.attribute(attribute, name, value, place),
                        None if name.eq_ignore_ascii_case("schemas") => {}
                        None => self.unknown(place, &resource_type.name),
                    }
                }
            } else {
                self.unknown(place, &resource_type.name);
            }
        }
    }

    fn schemas(&mut self, resource_type: &ResourceType, value: &Value, at: String) {
        let known = |urn: &str| {
            urn.eq_ignore_ascii_case(&resource_type.core.id) || resource_type.extension(urn).is_some()
        };
        let unknown: Vec<String> = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|urn| !known(urn))
            .map(|urn| format!("\"{}\"", excerpt(urn, 120)))
            .take(5)
            .collect();
        if !unknown.is_empty() {
            let message = format!(
                "There is no schema {} here: it is ignored; /Schemas lists what there is.",
                unknown.join(", ")
            );
            self.note("unknown_schema_ignored", at, message);
        }
    }

    /// A value of an attribute that was sent by this name.
    fn attribute(&mut self, attribute: &Attribute, name: &str, value: &Value, at: String) {
        match attribute.mutability {
            Mutability::ReadOnly => {
                let message = format!("{} is the server's to set: what was sent is ignored.", attribute.name);
                return self.note("read_only_ignored", at, message);
            }
            Mutability::WriteOnly => {
                let message =
                    format!("{} is taken and dropped: people sign in through SAML.", attribute.name);
                return self.note("write_only_dropped", at, message);
            }
            Mutability::ReadWrite | Mutability::Immutable => {}
        }
        if name != attribute.name {
            self.note(
                "read_tolerantly",
                at.clone(),
                format!("Read as {}: names have no case.", attribute.name),
            );
        }
        self.value(attribute, value, &at);
    }

    fn value(&mut self, attribute: &Attribute, value: &Value, at: &str) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if self.0.len() >= MOST {
                        return;
                    }
                    self.value(attribute, item, &format!("{at}[{index}]"));
                }
            }
            Value::String(text) if attribute.kind == Kind::Boolean => {
                let read = text.trim().to_ascii_lowercase();
                if matches!(read.as_str(), "true" | "false") {
                    let message = format!("The text \"{}\" is read as {read}.", excerpt(text, 20));
                    self.note("read_tolerantly", at.to_owned(), message);
                }
            }
            Value::String(_) if attribute.is_complex() => {
                self.note(
                    "read_tolerantly",
                    at.to_owned(),
                    "The text is read as the `value` of the attribute.",
                );
            }
            Value::Object(parts) if attribute.is_complex() => {
                for (name, value) in parts {
                    let place = joined(at, name);
                    match attribute.sub(name) {
                        Some(sub) => self.attribute(sub, name, value, place),
                        None => self.unknown(place, &attribute.name),
                    }
                }
            }
            _ => {}
        }
    }

    fn operation(&mut self, resource_type: &ResourceType, operation: &Value, at: &str) {
        if let Some(op) = member(operation, "op").and_then(Value::as_str) {
            let read = op.to_ascii_lowercase();
            if read != op {
                let message = format!("\"{}\" is read as {}.", excerpt(op, 20), excerpt(&read, 20));
                self.note("read_tolerantly", format!("{at}.op"), message);
            }
        }
        let path = member(operation, "path").and_then(Value::as_str).filter(|path| !path.trim().is_empty());
        let Some(value) = member(operation, "value") else { return };
        let place = format!("{at}.value");
        let Some(path) = path else {
            for (key, value) in value.as_object().into_iter().flatten() {
                let place = joined(&place, key);
                if ["id", "meta", "schemas"].iter().any(|echo| key.eq_ignore_ascii_case(echo)) {
                    self.note(
                        "read_only_ignored",
                        place,
                        "Part of an answer that is repeated: it is ignored.",
                    );
                } else {
                    self.at_path(resource_type, key, value, place);
                }
            }
            return;
        };
        self.at_path(resource_type, path, value, place);
    }

    /// A value that a PATCH sets at a path.
    fn at_path(&mut self, resource_type: &ResourceType, path: &str, value: &Value, at: String) {
        match Path::parse(resource_type, path) {
            Ok(Path::Attribute(path)) => {
                let attribute = resource_type.attribute(path.extension.as_deref(), &path.attribute);
                let target = attribute.and_then(|a| path.sub.as_deref().map_or(Some(a), |sub| a.sub(sub)));
                if let Some(target) = target {
                    let name = target.name.clone();
                    self.attribute(target, &name, value, at);
                }
            }
            Ok(Path::Core) => {
                if let Some(object) = value.as_object() {
                    self.resource(resource_type, object, &at);
                }
            }
            Ok(Path::Extension(urn)) => {
                let schema = resource_type.extension(&urn);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if let Some(attribute) = schema.and_then(|schema| schema.attribute(name)) {
                        self.attribute(attribute, name, value, joined(&at, name));
                    }
                }
            }
            // Nothing of that name has no value already; anything else is refused.
            Err(_) if value.is_null() => self.unknown(at, &resource_type.name),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GroupResource, UserResource};
    use super::*;
    use serde_json::json;

    fn said(remarks: &[Remark]) -> Vec<(&str, &str)> {
        remarks.iter().map(|remark| (remark.code, remark.at.as_str())).collect()
    }

    #[test]
    fn what_is_not_kept_as_it_was_sent_is_remarked_on() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
            "id": "1", "UserName": "jo@acme.com", "active": "True", "password": "x", "departmnt": "R&D", "manager": null,
            "emails": [{ "value": "jo@acme.com", "primary": "False", "kind": "work" }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "costCentre": "1", "department": "R&D" },
        });
        let remarks = on_resource(UserResource::resource_type(), &body);
        assert_eq!(
            said(&remarks),
            [
                ("unknown_schema_ignored", "schemas"),
                ("read_only_ignored", "id"),
                ("read_tolerantly", "UserName"),
                ("read_tolerantly", "active"),
                ("write_only_dropped", "password"),
                ("unknown_attribute_ignored", "departmnt"),
                ("unknown_attribute_ignored", "manager"),
                ("read_tolerantly", "emails[0].primary"),
                ("unknown_attribute_ignored", "emails[0].kind"),
                (
                    "unknown_attribute_ignored",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCentre"
                ),
            ]
        );
        assert!(!format!("{remarks:?}").contains("\"x\""), "no secret is repeated");
    }

    #[test]
    fn patches_of_entra_and_okta() {
        let body = json!({ "Operations": [
            { "op": "Replace", "path": "active", "value": "False" },
            { "op": "replace", "value": { "id": "1", "displayName": "Jo", "roles": [] } },
            { "op": "Add", "path": "manager", "value": "1" },
        ]});
        assert_eq!(
            said(&on_patch(UserResource::resource_type(), &body)),
            [
                ("read_tolerantly", "Operations[0].op"),
                ("read_tolerantly", "Operations[0].value"),
                ("read_only_ignored", "Operations[1].value.id"),
                ("read_tolerantly", "Operations[2].op"),
                ("read_tolerantly", "Operations[2].value"),
            ]
        );
        let body = json!({ "Operations": [{ "op": "remove", "path": "members", "value": [{ "value": "1", "$ref": null }] }] });
        let of_group = on_patch(GroupResource::resource_type(), &body);
        assert!(of_group.iter().all(|remark| remark.code != "unknown_attribute_ignored"), "{of_group:?}");
    }

    #[test]
    fn there_are_only_so_many() {
        let body: Map<String, Value> = (0..1_000).map(|n| (format!("x{n}"), json!(n))).collect();
        assert_eq!(on_resource(UserResource::resource_type(), &body.into()).len(), MOST);
    }
}
