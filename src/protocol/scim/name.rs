//! Attribute names (RFC 7644 §3.10): without case, optionally with the URN of their schema.
//!
//! A URN has dots of its own (`…:2.0:User`), so a qualified name is split at a URN that the resource
//! type knows, never at the last dot. An unqualified name is looked for in the core schema first, then
//! in the extensions, because identity providers write a plain `manager`.
use serde_json::Value;
use thiserror::Error;

use super::error::excerpt;
use super::schema::{Attribute, ResourceType, Schema};

/// The member of a JSON object by its name without case; of several, the first one. Other JSON has none.
pub fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'a> {
    /// The whole core schema, by its URN.
    Core,
    /// A whole extension, by its URN.
    Extension(&'a Schema),
    /// An attribute, perhaps with a sub-attribute.
    Attribute {
        /// The extension it belongs to; `None` is the core schema.
        extension: Option<&'a Schema>,
        attribute: &'a Attribute,
        sub: Option<&'a Attribute>,
    },
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("\"{0}\" begins with a schema that this resource type does not have")]
    UnknownSchema(String),
    #[error("there is no attribute \"{0}\"")]
    UnknownAttribute(String),
    #[error("\"{attribute}\" has no sub-attribute \"{sub}\"")]
    UnknownSub { attribute: String, sub: String },
}

/// Finds what `name` stands for in `resource_type`.
pub fn resolve<'a>(resource_type: &'a ResourceType, name: &str) -> Result<Resolved<'a>, NameError> {
    if name.eq_ignore_ascii_case(&resource_type.core.id) {
        return Ok(Resolved::Core);
    }
    if let Some(schema) = resource_type.extension(name) {
        return Ok(Resolved::Extension(schema));
    }
    if let Some(rest) = after_urn(name, &resource_type.core.id) {
        let (attribute, sub) = split(rest);
        let found = resource_type.core_attribute(attribute);
        return finish(None, found, attribute, sub);
    }
    for schema in &resource_type.extensions {
        if let Some(rest) = after_urn(name, &schema.id) {
            let (attribute, sub) = split(rest);
            return finish(Some(schema), schema.attribute(attribute), attribute, sub);
        }
    }
    if name.contains(':') {
        return Err(NameError::UnknownSchema(excerpt(name, 120)));
    }
    let (attribute, sub) = split(name);
    if let Some(found) = resource_type.core_attribute(attribute) {
        return finish(None, Some(found), attribute, sub);
    }
    let extension = resource_type.extensions.iter().find(|s| s.attribute(attribute).is_some());
    finish(extension, extension.and_then(|s| s.attribute(attribute)), attribute, sub)
}

fn finish<'a>(
    extension: Option<&'a Schema>,
    attribute: Option<&'a Attribute>,
    name: &str,
    sub: Option<&str>,
) -> Result<Resolved<'a>, NameError> {
    let attribute = attribute.ok_or_else(|| NameError::UnknownAttribute(excerpt(name, 80)))?;
    let sub = match sub {
        None => None,
        Some(sub) => Some(attribute.sub(sub).ok_or_else(|| NameError::UnknownSub {
            attribute: attribute.name.clone(),
            sub: excerpt(sub, 80),
        })?),
    };
    Ok(Resolved::Attribute { extension, attribute, sub })
}

/// What follows `urn:` in `name`, if it begins with that URN and a colon.
fn after_urn<'n>(name: &'n str, urn: &str) -> Option<&'n str> {
    let head = name.get(..urn.len())?;
    if head.eq_ignore_ascii_case(urn) { name.get(urn.len()..)?.strip_prefix(':') } else { None }
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once('.') {
        Some((attribute, sub)) => (attribute, Some(sub)),
        None => (name, None),
    }
}

/// Folds case: the one comparison for values that are not case-exact, in filters and in unique keys.
///
/// Character by character and independent of locale and of the database, so that every place agrees
/// outside ASCII too. Folding twice changes nothing.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    folded(text).collect()
}

/// The characters of the folded text.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    // The final sigma is the one letter whose lower case depends on its place; both forms are one here.
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}

#[cfg(test)]
mod tests {
    use super::super::schema::{ENTERPRISE_USER_URN, USER_URN, user};
    use super::*;

    fn names(name: &str) -> (Option<String>, String, Option<String>) {
        match resolve(user(), name) {
            Ok(Resolved::Attribute { extension, attribute, sub }) => {
                (extension.map(|s| s.id.clone()), attribute.name.clone(), sub.map(|s| s.name.clone()))
            }
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn case_and_urn_do_not_matter() {
        assert_eq!(names("USERNAME"), (None, "userName".into(), None));
        assert_eq!(names("Name.GIVENname"), (None, "name".into(), Some("givenName".into())));
        assert_eq!(names(&format!("{USER_URN}:emails.value")).2.as_deref(), Some("value"));
        let manager = (Some(ENTERPRISE_USER_URN.into()), "manager".into(), Some("value".into()));
        assert_eq!(names(&format!("{}:manager.value", ENTERPRISE_USER_URN.to_uppercase())), manager);
        assert_eq!(names("manager.value"), manager);
        assert!(matches!(resolve(user(), ENTERPRISE_USER_URN), Ok(Resolved::Extension(_))));
        assert!(matches!(resolve(user(), USER_URN), Ok(Resolved::Core)));
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (name, part) in [
            ("urn:x:y:z", "schema"),
            ("nope", "nope"),
            ("name.nope", "sub-attribute"),
            ("name.givenName.x", "sub-attribute"),
            ("userName.", "sub-attribute"),
            ("", "attribute"),
            ("é:é", "schema"),
            ("urn:ietf:params:scim:schemas:core:2.0:Usér:x", "schema"),
        ] {
            let error = resolve(user(), name).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
    }

    #[test]
    fn folding_is_one_function_and_settles() {
        assert_eq!(fold("ÄÖÜ@Example.COM"), "äöü@example.com");
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_ne!(fold("admın"), fold("admin"));
        for text in ["İstanbul", "ΟΔΟΣ", "ǅ", "ẞ", "\u{0}", "🙂"] {
            assert_eq!(fold(&fold(text)), fold(text));
        }
    }
}
