//! Schemas that an organization adds to its users: read, checked, and made into the same tables as the built-in ones.
//!
//! Whatever stands in a table is filtered, patched, projected and announced; so the checks here are what keeps a
//! directory's own schemas from meaning anything that the engine does not do, or from hiding what is built in.
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

use super::super::error::excerpt;
use super::{Attribute, Kind, Mutability, ResourceType, Returned, Schema, user};
use crate::model::state::{AttributeMutability, AttributeReturned, AttributeType};

/// Schemas of one directory at most.
pub const MAX_SCHEMAS: usize = 20;
/// Attributes of one schema at most.
pub const MAX_ATTRIBUTES: usize = 100;
/// Sub-attributes of one attribute, canonical values and reference types at most.
pub const MAX_PARTS: usize = 50;
/// Bytes of all schemas of a directory as JSON at most.
pub const MAX_BYTES: usize = 262_144;
const MAX_URN: usize = 200;
const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 500;

/// What an attribute may not be called, because an extension's object may carry these as echoes.
const RESERVED: [&str; 3] = ["schemas", "id", "meta"];

/// A schema as an administrator describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSchema {
    pub urn: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub attributes: Vec<OwnAttribute>,
}

/// An attribute of such a schema, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAttribute {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: AttributeType,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub multi_valued: bool,
    /// Whether text compares by its case.
    #[serde(default)]
    pub case_exact: bool,
    pub mutability: AttributeMutability,
    pub returned: AttributeReturned,
    #[serde(default)]
    pub canonical_values: Vec<String>,
    #[serde(default)]
    pub reference_types: Vec<String>,
    /// Of a complex attribute; these have no parts themselves.
    #[serde(default)]
    pub sub_attributes: Vec<OwnAttribute>,
}

/// Something wrong in what an administrator sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// With dots, counted from 0: `schemas.0.attributes.2.name`.
    pub field: String,
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

/// The User resource type with a directory's own schemas.
pub fn user_with(own: &[OwnSchema]) -> ResourceType {
    let mut resource_type = user().clone();
    resource_type.extensions.extend(own.iter().map(OwnSchema::to_schema));
    resource_type
}

/// Everything that is wrong with the schemas of a directory.
pub fn check(own: &[OwnSchema]) -> Vec<Fault> {
    let mut faults = Faults(Vec::new());
    if own.len() > MAX_SCHEMAS {
        let message = format!("{} schemas were given; a directory has {MAX_SCHEMAS} at most.", own.len());
        faults.add("schemas", "too_many", message);
        return faults.0;
    }
    let built_in = [&user().core].into_iter().chain(&user().extensions).map(|schema| schema.id.as_str());
    let mut urns: Vec<&str> = built_in.collect();
    for (index, schema) in own.iter().enumerate() {
        let at = format!("schemas.{index}");
        faults.urn(&format!("{at}.urn"), &schema.urn, &urns);
        urns.push(&schema.urn);
        faults.text(&format!("{at}.name"), &schema.name, 1, MAX_NAME);
        faults.text(&format!("{at}.description"), &schema.description, 0, MAX_DESCRIPTION);
        faults.attributes(&format!("{at}.attributes"), &schema.attributes, MAX_ATTRIBUTES, None);
    }
    faults.0
}

/// The attributes that were there and are gone, or are something else now, so that values that are kept of them would
/// be lost or wrong; each with its URN in front.
pub fn broken(before: &[OwnSchema], after: &[OwnSchema]) -> Vec<String> {
    let mut broken = Vec::new();
    for old in before {
        let new = after.iter().find(|new| new.urn.eq_ignore_ascii_case(&old.urn));
        for attribute in &old.attributes {
            let stays = new.filter(|new| new.urn == old.urn).is_some_and(|new| {
                new.attributes.iter().any(|other| other.name == attribute.name && other.keeps(attribute))
            });
            if !stays {
                broken.push(format!("{}:{}", old.urn, attribute.name));
            }
        }
    }
    broken
}

impl OwnSchema {
    fn to_schema(&self) -> Schema {
        Schema {
            id: self.urn.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            attributes: self.attributes.iter().map(OwnAttribute::to_attribute).collect(),
        }
    }
}

impl OwnAttribute {
    fn to_attribute(&self) -> Attribute {
        let mut attribute = Attribute::new(&*self.name, kind(self.kind), &*self.description);
        attribute.multi_valued = self.multi_valued;
        attribute.case_exact |= self.case_exact;
        attribute.mutability = match self.mutability {
            AttributeMutability::ReadWrite => Mutability::ReadWrite,
            AttributeMutability::Immutable => Mutability::Immutable,
        };
        attribute.returned = match self.returned {
            AttributeReturned::Always => Returned::Always,
            AttributeReturned::Default => Returned::Default,
            AttributeReturned::Request => Returned::Request,
        };
        attribute.canonical_values.clone_from(&self.canonical_values);
        attribute.reference_types.clone_from(&self.reference_types);
        attribute.sub_attributes = self.sub_attributes.iter().map(Self::to_attribute).collect();
        attribute
    }

    /// Whether values of the other one are values of this one.
    fn keeps(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.multi_valued == other.multi_valued
            && other
                .sub_attributes
                .iter()
                .all(|old| self.sub_attributes.iter().any(|new| new.name == old.name && new.keeps(old)))
    }
}

fn kind(word: AttributeType) -> Kind {
    match word {
        AttributeType::String => Kind::String,
        AttributeType::Boolean => Kind::Boolean,
        AttributeType::Integer => Kind::Integer,
        AttributeType::Decimal => Kind::Decimal,
        AttributeType::DateTime => Kind::DateTime,
        AttributeType::Reference => Kind::Reference,
        AttributeType::Complex => Kind::Complex,
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(Fault { field: field.to_owned(), code, message: message.into() });
    }

    fn text(&mut self, field: &str, text: &str, least: usize, most: usize) {
        let count = text.chars().count();
        if count < least || count > most || text.chars().any(char::is_control) {
            let message = format!("{least} to {most} characters are expected, without control characters.");
            self.add(field, "text_invalid", message);
        }
    }

    fn urn(&mut self, field: &str, urn: &str, others: &[&str]) {
        let parts: Vec<&str> = urn.split(':').collect();
        let named = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        let shaped = parts.len() >= 3 && parts.first() == Some(&"urn") && parts.iter().all(named);
        if !shaped || urn.len() > MAX_URN {
            let message = format!(
                "\"{}\" is no URN for a schema: urn:NAMESPACE:NAME of letters, digits, \"-\", \".\" and \"_\", at most \
                 {MAX_URN} characters, such as urn:acme:params:scim:schemas:hr:2.0:User.",
                excerpt(urn, 80)
            );
            self.add(field, "urn_invalid", message);
            return;
        }
        if starts(urn, "urn:ietf:") {
            let message =
                "URNs of the IETF are not an organization's to define; take a namespace of your own.";
            self.add(field, "urn_reserved", message);
            return;
        }
        // A qualified name is split at the URN, so none may be the beginning of another.
        let meets = |other: &&&str| {
            urn.eq_ignore_ascii_case(other)
                || starts(urn, &format!("{other}:"))
                || starts(other, &format!("{urn}:"))
        };
        if let Some(other) = others.iter().find(meets) {
            let message = format!(
                "It meets \"{other}\": the URN of a schema is not, and does not begin with, another's."
            );
            self.add(field, "urn_taken", message);
        }
    }

    fn attributes(&mut self, at: &str, attributes: &[OwnAttribute], most: usize, of: Option<&OwnAttribute>) {
        if attributes.is_empty() || attributes.len() > most {
            let message = format!("{} were given; 1 to {most} are expected.", attributes.len());
            self.add(at, "out_of_range", message);
            return;
        }
        let mut names = HashSet::new();
        for (index, attribute) in attributes.iter().enumerate() {
            let at = format!("{at}.{index}");
            self.name(&format!("{at}.name"), &attribute.name);
            if !names.insert(attribute.name.to_ascii_lowercase()) {
                let message = "Another attribute here has this name; attribute names have no case.";
                self.add(&format!("{at}.name"), "duplicate", message);
            }
            self.text(&format!("{at}.description"), &attribute.description, 0, MAX_DESCRIPTION);
            self.words(&format!("{at}.canonical_values"), &attribute.canonical_values);
            self.shape(&at, attribute, of);
        }
    }

    fn name(&mut self, field: &str, name: &str) {
        let shaped = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= MAX_NAME;
        if !shaped {
            let message = format!(
                "A letter is expected, then letters, digits, \"-\" and \"_\", {MAX_NAME} characters at most."
            );
            self.add(field, "name_invalid", message);
        } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            self.add(field, "name_reserved", format!("\"{name}\" means something else in every resource."));
        }
    }

    fn words(&mut self, field: &str, words: &[String]) {
        let wrong = |word: &String| {
            word.is_empty() || word.chars().count() > MAX_NAME || word.chars().any(char::is_control)
        };
        if words.len() > MAX_PARTS || words.iter().any(wrong) {
            let message = format!("At most {MAX_PARTS} values of 1 to {MAX_NAME} characters are expected.");
            self.add(field, "out_of_range", message);
        }
    }

    /// What goes with the type, and what does not.
    fn shape(&mut self, at: &str, attribute: &OwnAttribute, of: Option<&OwnAttribute>) {
        let complex = attribute.kind == AttributeType::Complex;
        if complex && of.is_none() {
            let parts = &attribute.sub_attributes;
            self.attributes(&format!("{at}.sub_attributes"), parts, MAX_PARTS, Some(attribute));
        } else if complex {
            self.add(
                &format!("{at}.type"),
                "too_deep",
                "A part of a complex attribute is not complex itself.",
            );
        } else if !attribute.sub_attributes.is_empty() {
            let message = "Only complex attributes have parts.";
            self.add(&format!("{at}.sub_attributes"), "not_applicable", message);
        }
        let reference = attribute.kind == AttributeType::Reference;
        let known = |kind: &String| ["User", "Group", "external", "uri"].contains(&kind.as_str());
        if reference && (attribute.reference_types.is_empty() || !attribute.reference_types.iter().all(known))
        {
            let message = "A reference says what it points at: User, Group, external or uri.";
            self.add(&format!("{at}.reference_types"), "reference_types_invalid", message);
        } else if !reference && !attribute.reference_types.is_empty() {
            self.add(
                &format!("{at}.reference_types"),
                "not_applicable",
                "Only references point at something.",
            );
        }
        let textual = attribute.kind == AttributeType::String;
        if !textual && !attribute.canonical_values.is_empty() {
            let message = "Only strings have canonical values.";
            self.add(&format!("{at}.canonical_values"), "not_applicable", message);
        }
        let Some(of) = of else { return };
        if attribute.multi_valued {
            let message = "A part of a complex attribute has one value.";
            self.add(&format!("{at}.multi_valued"), "too_deep", message);
        }
        if attribute.mutability == AttributeMutability::Immutable {
            let message = "Immutable is an attribute as a whole.";
            self.add(&format!("{at}.mutability"), "not_applicable", message);
        }
        if of.multi_valued
            && attribute.name.eq_ignore_ascii_case("primary")
            && attribute.kind != AttributeType::Boolean
        {
            let message = "\"primary\" says which of several values is preferred, and is a boolean.";
            self.add(&format!("{at}.type"), "primary_invalid", message);
        }
        if of.multi_valued
            && attribute.name.eq_ignore_ascii_case("type")
            && (!textual || attribute.canonical_values.is_empty())
        {
            let message = "\"type\" says what a value is for: a string that lists its canonical values.";
            self.add(&format!("{at}.canonical_values"), "required", message);
        }
    }
}

fn starts(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn own(value: Value) -> Vec<OwnSchema> {
        serde_json::from_value(value).unwrap()
    }

    fn attribute(name: &str, kind: &str) -> Value {
        json!({ "name": name, "type": kind, "mutability": "readWrite", "returned": "default" })
    }

    fn with(urn: &str, attributes: impl Into<Vec<Value>>) -> Value {
        json!({ "urn": urn, "name": "HR", "attributes": attributes.into() })
    }

    fn codes(value: Value) -> Vec<(String, &'static str)> {
        check(&own(value)).into_iter().map(|fault| (fault.field, fault.code)).collect()
    }

    #[test]
    fn what_the_engine_cannot_keep_is_refused_by_its_place() {
        let badge = attribute("badge", "string");
        assert_eq!(codes(json!([with("urn:acme:hr:User", [badge.clone()])])), []);
        for urn in ["", "hr", "urn:acme", "urn:a b:c", "urn:a:", "urn:a:\"", "URN:a:b", "urn:é:b"] {
            let expected = [("schemas.0.urn".to_owned(), "urn_invalid")];
            assert_eq!(codes(json!([with(urn, [badge.clone()])])), expected, "{urn}");
        }
        let ietf = "urn:IETF:params:scim:schemas:extension:mine:2.0:User";
        assert_eq!(codes(json!([with(ietf, [badge.clone()])]))[0].1, "urn_reserved");
        let nested = json!([with("urn:a:b", [badge.clone()]), with("urn:A:b:c", [badge.clone()])]);
        assert_eq!(codes(nested), [("schemas.1.urn".to_owned(), "urn_taken")]);
        for (wrong, field, code) in [
            (attribute("1x", "string"), "name", "name_invalid"),
            (attribute("a.b", "string"), "name", "name_invalid"),
            (attribute("ID", "string"), "name", "name_reserved"),
            (attribute("BADGE", "string"), "name", "duplicate"),
            (attribute("site", "complex"), "sub_attributes", "out_of_range"),
            (attribute("page", "reference"), "reference_types", "reference_types_invalid"),
        ] {
            let found = codes(json!([with("urn:acme:hr:User", [badge.clone(), wrong])]));
            assert_eq!(found, [(format!("schemas.0.attributes.1.{field}"), code)]);
        }
        let mut sites = attribute("sites", "complex");
        sites["multi_valued"] = true.into();
        let mut deep = attribute("deep", "complex");
        deep["sub_attributes"] = json!([badge]);
        sites["sub_attributes"] = json!([deep, attribute("type", "string"), attribute("primary", "string")]);
        let found: Vec<_> =
            codes(json!([with("urn:acme:hr:User", [sites])])).into_iter().map(|it| it.1).collect();
        assert_eq!(found, ["too_deep", "required", "primary_invalid"]);
    }

    #[test]
    fn what_would_lose_values_is_told() {
        let before = own(json!([with("urn:a:b", [attribute("x", "string"), attribute("y", "integer")])]));
        let after = own(json!([with("urn:a:b", [attribute("y", "string"), attribute("z", "string")])]));
        assert_eq!(broken(&before, &after), ["urn:a:b:x", "urn:a:b:y"]);
        assert_eq!(broken(&before, &before), Vec::<String>::new());
        assert_eq!(broken(&before, &[]).len(), 2);
    }
}
