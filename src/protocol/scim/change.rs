//! One PATCH change on the attributes of a resource: the table of RFC 7644 §3.5.2.1 to 3.5.2.3.
//!
//! `replace` at a complex path replaces it whole, without a path it merges. A filter that matches nothing
//! makes the value where the filter is a plain conjunction of equalities (`emails[type eq "work"].value`),
//! so that no accepted change is without effect. A new primary value clears the old.
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::ScimError;
use super::filter::{Filter, Literal, Operator};
use super::patch::{Change, Op, Target};
use super::path::AttributePath;
use super::schema::{Attribute, Mutability, ResourceType};
use super::value::{self, Reading};

/// Applies one change in place; on an error the attributes are in pieces and to be thrown away.
pub(super) fn apply(
    resource_type: &ResourceType,
    attributes: &mut Map<String, Value>,
    change: &Change,
    reading: Reading,
) -> Result<(), ScimError> {
    let path = match &change.target {
        Target::Extension(urn) => {
            attributes.shift_remove(urn);
            return Ok(());
        }
        Target::Attribute(path) => path,
    };
    let Some(attribute) = resource_type.attribute(path.extension.as_deref(), &path.attribute) else {
        return Err(ScimError::invalid_path(format!("There is no attribute {path}.")));
    };
    let holder = match &path.extension {
        None => attributes,
        Some(urn) => {
            if !attributes.get(urn).is_some_and(Value::is_object) {
                attributes.insert(urn.clone(), Value::Object(Map::new()));
            }
            let Some(Value::Object(holder)) = attributes.get_mut(urn) else { return Ok(()) };
            holder
        }
    };
    let current = holder.shift_remove(&attribute.name);
    let edit = Edit { attribute, path, change, reading };
    let next = if attribute.multi_valued { edit.values(current)? } else { edit.single(current)? };
    match next {
        Some(next) => {
            holder.insert(attribute.name.clone(), next);
        }
        None if attribute.required => {
            return Err(ScimError::mutability(format!("{path} is required and cannot be removed.")));
        }
        None => {}
    }
    Ok(())
}

struct Edit<'a> {
    attribute: &'a Attribute,
    path: &'a AttributePath,
    change: &'a Change,
    reading: Reading,
}

impl Edit<'_> {
    fn sub(&self) -> Option<&Attribute> {
        self.attribute.sub(self.path.sub.as_deref()?)
    }

    fn sent(&self) -> &Value {
        self.change.value.as_ref().unwrap_or(&Value::Null)
    }

    fn at(&self) -> String {
        self.path.to_string()
    }

    /// The value for the sub-attribute of the path; `None` clears it.
    fn sub_value(&self, sub: &Attribute) -> Result<Option<Value>, ScimError> {
        if self.change.op == Op::Remove {
            return Ok(None);
        }
        value::read(sub, self.sent(), &self.at(), self.reading)
    }

    fn single(&self, current: Option<Value>) -> Result<Option<Value>, ScimError> {
        let remove = self.change.op == Op::Remove;
        if let Some(sub) = self.sub() {
            let mut object = into_object(current);
            set(self.attribute, sub, &mut object, self.sub_value(sub)?)?;
            return Ok(if object.is_empty() { None } else { Some(Value::Object(object)) });
        }
        if remove {
            return Ok(None);
        }
        let read = value::read(self.attribute, self.sent(), &self.at(), self.reading)?;
        if !self.attribute.is_complex() || self.change.op == Op::Replace && !self.change.merge {
            return Ok(read);
        }
        if self.sent().is_null() && self.change.op == Op::Replace {
            return Ok(None);
        }
        let mut object = into_object(current);
        self.merge(&mut object, read)?;
        Ok(if object.is_empty() { None } else { Some(Value::Object(object)) })
    }

    /// Puts the parts of a complex value into another; parts that were sent as null are cleared.
    fn merge(&self, object: &mut Map<String, Value>, read: Option<Value>) -> Result<(), ScimError> {
        let parts = into_object(read);
        // Another manager: nothing that was said of the old one holds.
        if !self.attribute.multi_valued
            && let (Some(old), Some(new)) = (object.get("value"), parts.get("value"))
            && old != new
        {
            *object = parts;
            return Ok(());
        }
        let cleared = self.sent().as_object().into_iter().flatten().filter(|(_, value)| value.is_null());
        for (name, _) in cleared {
            if let Some(sub) = self.attribute.sub(name)
                && sub.mutability != Mutability::ReadOnly
            {
                set(self.attribute, sub, object, None)?;
            }
        }
        for (name, value) in parts {
            if let Some(sub) = self.attribute.sub(&name) {
                set(self.attribute, sub, object, Some(value))?;
            }
        }
        Ok(())
    }

    fn values(&self, current: Option<Value>) -> Result<Option<Value>, ScimError> {
        let mut items = match current {
            Some(Value::Array(items)) => items,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        match (&self.path.filter, self.sub()) {
            (None, None) => self.whole(&mut items)?,
            (None, Some(sub)) => {
                let all = (0..items.len()).collect();
                self.parts(&mut items, all, sub)?;
            }
            (Some(filter), sub) => {
                let matching: Vec<usize> = (0..items.len())
                    .filter(|i| items.get(*i).is_some_and(|item| filter.matches(item)))
                    .collect();
                match sub {
                    Some(sub) => self.parts(&mut items, matching, sub)?,
                    None => self.elements(&mut items, &matching, filter)?,
                }
            }
        }
        // A change to several values may have made them one.
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(item.to_string()));
        value::check_count(self.attribute, items.len(), &self.attribute.name)?;
        Ok(if items.is_empty() { None } else { Some(Value::Array(items)) })
    }

    /// `attr`: all values.
    fn whole(&self, items: &mut Vec<Value>) -> Result<(), ScimError> {
        match self.change.op {
            Op::Add => {
                for item in value::read_items(self.attribute, self.sent(), &self.at(), self.reading)? {
                    add(self.attribute, items, item)?;
                }
            }
            Op::Replace => {
                *items = match value::read(self.attribute, self.sent(), &self.at(), self.reading)? {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                };
            }
            // With a value (Entra): only those, and an empty list names nobody.
            Op::Remove => match self.sent() {
                Value::Null => items.clear(),
                Value::Array(named) => {
                    items.retain(|item| !named.iter().any(|named| is_named(self.attribute, named, item)));
                }
                named => items.retain(|item| !is_named(self.attribute, named, item)),
            },
        }
        Ok(())
    }

    /// `attr[filter]`: the values that match.
    fn elements(&self, items: &mut Vec<Value>, matching: &[usize], filter: &Filter) -> Result<(), ScimError> {
        let sent = match self.sent() {
            Value::Array(sent) if sent.len() == 1 => sent.first().unwrap_or(&Value::Null),
            sent => sent,
        };
        let clears = sent.is_null() && self.change.op == Op::Replace;
        if self.change.op == Op::Remove || clears {
            let mut index = 0;
            items.retain(|_| {
                index += 1;
                !matching.contains(&(index - 1))
            });
            return Ok(());
        }
        let Some(read) = value::read_one(self.attribute, sent, &self.at(), self.reading)? else {
            return Ok(());
        };
        let Value::Object(parts) = read else {
            return self.scalars(items, matching, &read);
        };
        if matching.is_empty() {
            // An add to a value that is not there makes it.
            let mut seed =
                self.seed(filter).filter(|_| self.change.op == Op::Add).ok_or_else(|| self.no_match())?;
            seed.extend(parts);
            return add(self.attribute, items, Value::Object(seed));
        }
        let primary = parts.get("primary") == Some(&Value::Bool(true));
        self.check_primary(primary, matching)?;
        for &index in matching {
            let Some(Value::Object(object)) = items.get_mut(index) else { continue };
            if self.change.op == Op::Replace {
                // What made it match stays, unless it was sent anew; so a second time finds it again.
                let kept = self.seed(filter).unwrap_or_default();
                for sub in
                    self.attribute.sub_attributes.iter().filter(|s| s.mutability == Mutability::Immutable)
                {
                    if let Some(part) = parts.get(&sub.name) {
                        set(self.attribute, sub, object, Some(part.clone()))?;
                    }
                }
                *object = kept;
                object.extend(parts.clone());
            } else {
                self.merge(object, Some(Value::Object(parts.clone())))?;
            }
            if primary {
                keep_primary(items, index);
            }
        }
        Ok(())
    }

    /// `attr[filter]` of plain values.
    fn scalars(&self, items: &mut [Value], matching: &[usize], read: &Value) -> Result<(), ScimError> {
        if matching.is_empty() {
            return Err(self.no_match());
        }
        for &index in matching {
            if let Some(item) = items.get_mut(index) {
                item.clone_from(read);
            }
        }
        Ok(())
    }

    /// `attr[filter].sub` and `attr.sub`: one part of the values that match.
    fn parts(&self, items: &mut Vec<Value>, matching: Vec<usize>, sub: &Attribute) -> Result<(), ScimError> {
        let Some(part) = self.sub_value(sub)? else {
            for &index in &matching {
                if let Some(Value::Object(object)) = items.get_mut(index) {
                    set(self.attribute, sub, object, None)?;
                }
            }
            // A value that says no more than what it was for is no value.
            let mut index = 0;
            items.retain(|item| {
                index += 1;
                !(matching.contains(&(index - 1)) && is_hollow(item))
            });
            return Ok(());
        };
        if matching.is_empty() {
            let mut made = match &self.path.filter {
                None => Map::new(),
                Some(filter) => self.seed(filter).ok_or_else(|| self.no_match())?,
            };
            if made.get(&sub.name).is_some_and(|seeded| !value::same(sub, seeded, &part)) {
                return Err(self.no_match());
            }
            made.insert(sub.name.clone(), part);
            return add(self.attribute, items, Value::Object(made));
        }
        let primary = sub.name == "primary" && part == Value::Bool(true);
        self.check_primary(primary, &matching)?;
        for index in matching {
            let Some(Value::Object(object)) = items.get_mut(index) else { continue };
            set(self.attribute, sub, object, Some(part.clone()))?;
            if primary {
                keep_primary(items, index);
            }
        }
        Ok(())
    }

    fn check_primary(&self, primary: bool, matching: &[usize]) -> Result<(), ScimError> {
        if primary && matching.len() > 1 {
            return Err(ScimError::invalid_value(format!(
                "{} stands for {} values; at most one may be primary.",
                self.path,
                matching.len()
            )));
        }
        Ok(())
    }

    fn no_match(&self) -> ScimError {
        ScimError::no_target(format!("No value matches the path {}.", self.path))
    }

    /// The value that a conjunction of equalities describes; `None` for any other filter.
    fn seed(&self, filter: &Filter) -> Option<Map<String, Value>> {
        let terms = match filter {
            Filter::And(terms) => terms.as_slice(),
            term => std::slice::from_ref(term),
        };
        let mut seed = Map::new();
        for term in terms {
            let Filter::Compare { attribute, operator: Operator::Equal, literal } = term else { return None };
            let sub = self.attribute.sub(&attribute.name).filter(|s| s.mutability != Mutability::ReadOnly)?;
            let sent = match literal {
                Literal::Text(text) => Value::from(text.as_str()),
                Literal::Boolean(value) => Value::Bool(*value),
                Literal::Number(number) => Value::Number(number.clone()),
                Literal::Null => return None,
            };
            let read = value::read(sub, &sent, &sub.name, self.reading).ok()??;
            if seed.insert(sub.name.clone(), read.clone()).is_some_and(|other| other != read) {
                return None;
            }
        }
        Some(seed)
    }
}

fn into_object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Sets or clears a part of a complex value.
fn set(
    attribute: &Attribute,
    sub: &Attribute,
    object: &mut Map<String, Value>,
    part: Option<Value>,
) -> Result<(), ScimError> {
    let old = object.get(&sub.name);
    if sub.mutability == Mutability::Immutable && old.is_some() && old != part.as_ref() {
        return Err(ScimError::mutability(format!(
            "{}.{} cannot be changed; remove the value and add another.",
            attribute.name, sub.name
        )));
    }
    if !attribute.multi_valued && sub.name == "value" && old != part.as_ref() {
        object.shift_remove("$ref");
    }
    match part {
        Some(part) => {
            object.insert(sub.name.clone(), part);
        }
        None => {
            object.shift_remove(&sub.name);
        }
    }
    Ok(())
}

/// Adds a value unless it is there: the same `value` and `type` is the same value, whose other parts
/// are merged.
fn add(attribute: &Attribute, items: &mut Vec<Value>, item: Value) -> Result<(), ScimError> {
    let primary = item.get("primary") == Some(&Value::Bool(true));
    let index = match items.iter().position(|there| is_same(attribute, there, &item)) {
        None => {
            items.push(item);
            items.len() - 1
        }
        Some(index) => {
            if let (Some(Value::Object(there)), Value::Object(parts)) = (items.get_mut(index), item) {
                for (name, part) in parts {
                    if let Some(sub) = attribute.sub(&name)
                        && !(name == "value" || name == "type")
                    {
                        set(attribute, sub, there, Some(part))?;
                    }
                }
            }
            index
        }
    };
    if primary {
        keep_primary(items, index);
    }
    Ok(())
}

fn is_same(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    let equal = |name: &str| match (attribute.sub(name), a.get(name), b.get(name)) {
        (Some(sub), Some(a), Some(b)) => value::same(sub, a, b),
        (_, a, b) => a.is_none() && b.is_none(),
    };
    if a.get("value").is_some() && b.get("value").is_some() {
        return equal("value") && equal("type");
    }
    if attribute.is_complex() { a == b } else { value::same(attribute, a, b) }
}

/// Whether `named`, as it was sent to a remove, means `item`.
fn is_named(attribute: &Attribute, named: &Value, item: &Value) -> bool {
    let Value::Object(named) = named else {
        return match attribute.sub("value") {
            Some(sub) => item.get("value").is_some_and(|value| value::same(sub, named, value)),
            None => !attribute.is_complex() && value::same(attribute, named, item),
        };
    };
    let mut parts = named
        .iter()
        .filter(|(_, part)| !part.is_null())
        .filter_map(|(name, part)| attribute.sub(name).map(|sub| (sub, part)))
        .peekable();
    let by_value = named.iter().any(|(name, part)| name.eq_ignore_ascii_case("value") && !part.is_null());
    parts.peek().is_some()
        && parts.filter(|(sub, _)| !by_value || sub.name == "value" || sub.name == "type").all(
            |(sub, part)| match item.get(&sub.name) {
                Some(there) => value::same(sub, part, there),
                // Okta's and Entra's members have no type on our side or theirs.
                None => by_value && sub.name == "type",
            },
        )
}

fn is_hollow(item: &Value) -> bool {
    item.as_object()
        .is_some_and(|o| o.keys().all(|name| ["type", "primary", "display"].contains(&name.as_str())))
}

/// The value at `index` is the primary one; no other is.
fn keep_primary(items: &mut [Value], index: usize) {
    for (other, item) in items.iter_mut().enumerate() {
        if other != index
            && let Some(primary) = item.get_mut("primary")
        {
            *primary = Value::Bool(false);
        }
    }
}
