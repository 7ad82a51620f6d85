//! Values against their table: types, limits, and the forms that mean the same (RFC 7643 §2.3 to 2.5).
//!
//! In: JSON as it was sent. Out: the normal form (canonical names, no nulls, no empty arrays or
//! objects), or `None` for unassigned. Recursion follows the table, never the input.
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{excerpt, quotable};
use super::schema::{Attribute, Kind, Mutability};
use super::{Conformance, ScimError};

/// How to read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) conformance: Conformance,
    /// In PATCH: one object stands for an array of one, an array of one for a single complex value,
    /// and a bare string for a complex value's `value` (Entra's three spellings of `manager`).
    pub(super) patch: bool,
}

/// What kind of JSON this is, for sentences.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn wrong_type(at: &str, expected: &str, value: &Value) -> ScimError {
    ScimError::invalid_value(format!("{at} must be {expected}, but {} was sent.", kind_of(value)))
}

/// The keys of an object without case. The same name twice (in different spelling) is refused.
pub(super) struct Keys<'a>(HashMap<String, (&'a str, &'a Value)>);

impl<'a> Keys<'a> {
    pub(super) fn new(object: &'a Map<String, Value>, at: &str) -> Result<Self, ScimError> {
        let mut keys = HashMap::with_capacity(object.len());
        for (key, value) in object {
            if keys.insert(key.to_ascii_lowercase(), (key.as_str(), value)).is_some() {
                let (key, place) = (excerpt(key, 80), if at.is_empty() { "the body" } else { at });
                return Err(ScimError::invalid_syntax(format!(
                    "\"{key}\" stands twice in {place}, in different spelling; attribute names have no case."
                )));
            }
        }
        Ok(Self(keys))
    }

    /// Takes out a key.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.0.remove(&name.to_ascii_lowercase()).map(|(_, value)| value)
    }

    /// What nobody took, in alphabetical order.
    pub(super) fn rest(self) -> Vec<(&'a str, &'a Value)> {
        let mut rest: Vec<_> = self.0.into_values().collect();
        rest.sort_unstable_by_key(|(key, _)| *key);
        rest
    }
}

/// Reads a value of an attribute, single or multi-valued.
pub(super) fn read(
    attribute: &Attribute,
    value: &Value,
    at: &str,
    reading: Reading,
) -> Result<Option<Value>, ScimError> {
    if value.is_null() {
        return Ok(None);
    }
    if !attribute.multi_valued {
        return match value {
            Value::Array(items) if reading.patch && attribute.is_complex() => match items.as_slice() {
                [] => Ok(None),
                [one] => read_one(attribute, one, at, reading),
                _ => Err(ScimError::invalid_value(format!(
                    "{at} takes one value, but an array of {} was sent.",
                    items.len()
                ))),
            },
            Value::Array(items) if items.is_empty() => Ok(None),
            value => read_one(attribute, value, at, reading),
        };
    }
    let items = read_items(attribute, value, at, reading)?;
    if items.iter().filter(|item| item["primary"] == true).count() > 1 {
        return Err(ScimError::invalid_value(format!(
            "More than one value of {at} is marked primary; at most one may be."
        )));
    }
    Ok(if items.is_empty() { None } else { Some(Value::Array(items)) })
}

/// Reads the values of a multi-valued attribute; exact doubles are dropped.
pub(super) fn read_items(
    attribute: &Attribute,
    value: &Value,
    at: &str,
    reading: Reading,
) -> Result<Vec<Value>, ScimError> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        one if reading.patch => std::slice::from_ref(one),
        other => return Err(wrong_type(at, "an array", other)),
    };
    check_count(attribute, items.len(), at)?;
    let mut seen = HashSet::new();
    let mut read = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if let Some(item) = read_one(attribute, item, &format!("{at}[{index}]"), reading)?
            && seen.insert(item.to_string())
        {
            read.push(item);
        }
    }
    Ok(read)
}

/// Refuses more values than the table allows.
pub(super) fn check_count(attribute: &Attribute, count: usize, at: &str) -> Result<(), ScimError> {
    if count > attribute.max_values {
        return Err(ScimError::invalid_value(format!(
            "{at} has {count} values; at most {} are kept.",
            attribute.max_values
        )));
    }
    Ok(())
}

/// Reads one value: the attribute itself if single, one element if multi-valued.
pub(super) fn read_one(
    attribute: &Attribute,
    value: &Value,
    at: &str,
    reading: Reading,
) -> Result<Option<Value>, ScimError> {
    if value.is_null() {
        return Ok(None);
    }
    if attribute.is_complex() {
        return match value {
            Value::Object(object) => {
                let object = read_subs(attribute, object, at, reading)?;
                Ok(if object.is_empty() { None } else { Some(Value::Object(object)) })
            }
            Value::String(_) if reading.patch && !attribute.multi_valued => match attribute.sub("value") {
                Some(sub) => Ok(read_simple(sub, value, at)?.map(|value| {
                    let mut object = Map::new();
                    object.insert(sub.name.clone(), value);
                    Value::Object(object)
                })),
                None => Err(wrong_type(at, "an object", value)),
            },
            other => Err(wrong_type(at, "an object", other)),
        };
    }
    read_simple(attribute, value, at)
}

fn read_subs(
    attribute: &Attribute,
    object: &Map<String, Value>,
    at: &str,
    reading: Reading,
) -> Result<Map<String, Value>, ScimError> {
    let mut keys = Keys::new(object, at)?;
    let mut read = Map::new();
    for sub in &attribute.sub_attributes {
        let Some(value) = keys.take(&sub.name) else { continue };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = self::read(sub, value, &format!("{at}.{}", sub.name), reading)? {
            read.insert(sub.name.clone(), value);
        }
    }
    refuse_unknown(keys, at, reading.conformance)?;
    Ok(read)
}

/// In the profile an undefined attribute is an error; otherwise it is nothing.
pub(super) fn refuse_unknown(keys: Keys<'_>, at: &str, conformance: Conformance) -> Result<(), ScimError> {
    if conformance == Conformance::Profile
        && let Some((key, _)) = keys.rest().first()
    {
        let dot = if at.is_empty() { "" } else { "." };
        return Err(ScimError::invalid_syntax(format!(
            "There is no attribute \"{at}{dot}{}\"; /Schemas lists what there is.",
            excerpt(key, 120)
        )));
    }
    Ok(())
}

/// Reads a value that is not complex. `None` for an empty `externalId`, which Okta's templates send.
fn read_simple(attribute: &Attribute, value: &Value, at: &str) -> Result<Option<Value>, ScimError> {
    match attribute.kind {
        Kind::Boolean => match as_boolean(value) {
            Some(value) => Ok(Some(Value::Bool(value))),
            None => Err(match value {
                Value::String(text) => ScimError::invalid_value(format!(
                    "{at} must be true or false, but \"{}\" was sent.",
                    quotable(text, 40)
                )),
                other => wrong_type(at, "true or false", other),
            }),
        },
        Kind::Integer => match value {
            Value::Number(number) if number.is_i64() => Ok(Some(value.clone())),
            Value::Number(_) => {
                Err(ScimError::invalid_value(format!("{at} must be a whole number of 64 bits.")))
            }
            other => Err(wrong_type(at, "a whole number", other)),
        },
        Kind::Decimal => match value {
            Value::Number(_) => Ok(Some(value.clone())),
            other => Err(wrong_type(at, "a number", other)),
        },
        Kind::Complex => Err(wrong_type(at, "an object", value)),
        Kind::String | Kind::Reference | Kind::Binary | Kind::DateTime => {
            let Value::String(text) = value else { return Err(wrong_type(at, "a string", value)) };
            check_text(attribute, text, at)?;
            if text.is_empty() && attribute.name == "externalId" {
                return Ok(None);
            }
            Ok(Some(value.clone()))
        }
    }
}

fn check_text(attribute: &Attribute, text: &str, at: &str) -> Result<(), ScimError> {
    if text.contains('\0') {
        return Err(ScimError::invalid_value(format!(
            "{at} contains a NUL character, which cannot be kept."
        )));
    }
    if text.len() > attribute.max_chars {
        let count = text.chars().count();
        if count > attribute.max_chars {
            return Err(ScimError::invalid_value(format!(
                "{at} has {count} characters; at most {} are kept.",
                attribute.max_chars
            )));
        }
    }
    if attribute.required && text.trim().is_empty() {
        return Err(ScimError::invalid_value(format!("{at} must not be empty.")));
    }
    let wrong = match attribute.kind {
        Kind::Binary => text.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"+/-_=\r\n \t".contains(&b))),
        Kind::DateTime => parse_time(text).is_none(),
        _ => false,
    };
    if wrong {
        let form = if attribute.kind == Kind::Binary {
            "Base64"
        } else {
            "a date and time as in 2026-01-31T08:00:00Z"
        };
        return Err(ScimError::invalid_value(format!("{at} must be {form}.")));
    }
    Ok(())
}

/// A boolean, also as the strings that Entra sends.
pub fn as_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A date and time of RFC 3339; without a zone it is taken as UTC.
pub(super) fn parse_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()
}

/// Whether two values of a simple attribute are the same, by its case rule.
pub(super) fn same(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if !attribute.case_exact => {
            super::name::fold(a) == super::name::fold(b)
        }
        (a, b) => a == b,
    }
}
