//! `attributes` and `excludedAttributes` (RFC 7644 §3.9): which parts of a resource an answer carries.
//!
//! Names may be qualified and may name sub-attributes; unknown ones select nothing. What the tables return always (`id`
//! and `schemas` do) comes whatever was asked for, what they return on request comes only by its name, and what they
//! never return does not come.
use serde_json::{Map, Value};

use super::name::{self, Resolved};
use super::schema::{Attribute, ResourceType, Returned};

/// Which attributes to answer with. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    only: Option<Vec<Selector>>,
    without: Vec<Selector>,
}

/// One name of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selector {
    extension: Option<String>,
    /// `None` is the whole schema.
    attribute: Option<String>,
    sub: Option<String>,
}

impl Projection {
    /// Reads the two parameters, names separated by commas. Empty lists count as absent.
    pub fn parse(resource_type: &ResourceType, attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let list = |text: &str| -> Option<Vec<Selector>> {
            if text.trim().is_empty() {
                return None;
            }
            Some(text.split(',').filter_map(|name| selector(resource_type, name.trim())).collect())
        };
        Self { only: attributes.and_then(list), without: excluded.and_then(list).unwrap_or_default() }
    }

    /// Whether a client asked for certain attributes: then even a PATCH answers with a body.
    pub fn is_asked_for(&self) -> bool {
        self.only.is_some()
    }

    /// Whether anything of a core attribute will be shown, so that what is dear need not be loaded.
    pub fn includes(&self, attribute: &str) -> bool {
        let names = |s: &&Selector| s.extension.is_none() && s.attribute.as_deref() == Some(attribute);
        let whole = |s: &&Selector| s.extension.is_none() && s.attribute.is_none();
        let wanted = self.only.as_ref().is_none_or(|only| only.iter().any(|s| names(&s) || whole(&s)));
        wanted && !self.without.iter().any(|s| whole(&s) || names(&s) && s.sub.is_none())
    }

    /// Whether one part of a complex core attribute will be shown.
    pub fn includes_part(&self, attribute: &str, part: &str) -> bool {
        let shown = match self.only.as_ref().map(|only| choice(only, None, attribute)) {
            None | Some(Choice::Whole) => true,
            Some(Choice::None) => false,
            Some(Choice::Subs(subs)) => subs.contains(&part),
        };
        shown
            && match choice(&self.without, None, attribute) {
                Choice::None => true,
                Choice::Whole => false,
                Choice::Subs(subs) => !subs.contains(&part),
            }
    }

    /// Takes away from a representation what was not asked for.
    pub fn apply(&self, resource_type: &ResourceType, resource: Value) -> Value {
        if self.only.is_none() && self.without.is_empty() && !resource_type.has_unasked() {
            return resource;
        }
        let Value::Object(object) = resource else { return resource };
        let mut shown = Map::new();
        for (key, value) in object {
            let value = match (resource_type.extension(&key), value) {
                (Some(schema), Value::Object(inside)) => {
                    let inside: Map<_, _> = inside
                        .into_iter()
                        .filter_map(|(name, value)| {
                            let value = self.attribute(schema.attribute(&name), Some(&key), &name, value)?;
                            Some((name, value))
                        })
                        .collect();
                    if inside.is_empty() { None } else { Some(Value::Object(inside)) }
                }
                (_, value) => self.attribute(resource_type.core_attribute(&key), None, &key, value),
            };
            if let Some(value) = value {
                shown.insert(key, value);
            }
        }
        Value::Object(shown)
    }

    fn attribute(
        &self,
        table: Option<&Attribute>,
        extension: Option<&str>,
        name: &str,
        value: Value,
    ) -> Option<Value> {
        let asked = self.only.as_ref().map(|only| choice(only, extension, name));
        let excluded = choice(&self.without, extension, name);
        match table.map_or(Returned::Default, |table| table.returned) {
            Returned::Always => return Some(value),
            Returned::Never => return None,
            Returned::Request if !self.names(extension, name) => return None,
            Returned::Request | Returned::Default => {}
        }
        let simple = table.is_none_or(|table| table.sub_attributes.iter().all(Attribute::is_default));
        match (&asked, &excluded) {
            (Some(Choice::None), _) | (_, Choice::Whole) => None,
            (None | Some(Choice::Whole), Choice::None) if simple => Some(value),
            _ => trim(value, &|sub| {
                let named = matches!(&asked, Some(Choice::Subs(subs)) if subs.contains(&sub));
                match table.and_then(|table| table.sub(sub)).map_or(Returned::Default, |sub| sub.returned) {
                    Returned::Always => true,
                    Returned::Never => false,
                    Returned::Request => named,
                    Returned::Default => {
                        let wanted = named || matches!(&asked, None | Some(Choice::Whole));
                        wanted && !matches!(&excluded, Choice::Subs(subs) if subs.contains(&sub))
                    }
                }
            }),
        }
    }

    /// Whether an attribute, or a part of it, was asked for by its name.
    fn names(&self, extension: Option<&str>, name: &str) -> bool {
        let named =
            |s: &Selector| s.extension.as_deref() == extension && s.attribute.as_deref() == Some(name);
        self.only.as_ref().is_some_and(|only| only.iter().any(named))
    }
}

enum Choice<'s> {
    None,
    Whole,
    Subs(Vec<&'s str>),
}

fn choice<'s>(selectors: &'s [Selector], extension: Option<&str>, name: &str) -> Choice<'s> {
    let mut subs = Vec::new();
    for selector in selectors.iter().filter(|s| s.extension.as_deref() == extension) {
        match (&selector.attribute, &selector.sub) {
            (None, _) => return Choice::Whole,
            (Some(attribute), None) if attribute == name => return Choice::Whole,
            (Some(attribute), Some(sub)) if attribute == name => subs.push(sub.as_str()),
            _ => {}
        }
    }
    if subs.is_empty() { Choice::None } else { Choice::Subs(subs) }
}

/// Keeps the sub-attributes of a value, or of each of its values.
fn trim(value: Value, keep: &dyn Fn(&str) -> bool) -> Option<Value> {
    let trimmed = match value {
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(|item| trim_one(item, keep)).collect();
            if items.is_empty() { None } else { Some(Value::Array(items)) }
        }
        one => trim_one(one, keep),
    };
    trimmed.filter(|value| !value.is_null())
}

fn trim_one(value: Value, keep: &dyn Fn(&str) -> bool) -> Option<Value> {
    let Value::Object(object) = value else { return Some(value) };
    let kept: Map<_, _> = object.into_iter().filter(|(name, _)| keep(name)).collect();
    if kept.is_empty() { None } else { Some(Value::Object(kept)) }
}

fn selector(resource_type: &ResourceType, name: &str) -> Option<Selector> {
    match name::resolve(resource_type, name).ok()? {
        Resolved::Core => Some(Selector { extension: None, attribute: None, sub: None }),
        Resolved::Extension(schema) => {
            Some(Selector { extension: Some(schema.id.clone()), attribute: None, sub: None })
        }
        Resolved::Attribute { extension, attribute, sub } => Some(Selector {
            extension: extension.map(|s| s.id.clone()),
            attribute: Some(attribute.name.clone()),
            sub: sub.map(|s| s.name.clone()),
        }),
    }
}
