//! A resource in its normal form: the attributes that are assigned, in canonical spelling, and no more.
//!
//! `id`, `meta` and `schemas` are not in it; they are added when the resource leaves. What a client may
//! not set is dropped on the way in (RFC 7644 §3.3 and §3.5.1), what it may set is checked.
use serde_json::{Map, Value, json};

use super::error::quotable;
use super::schema::{Attribute, Mutability, ResourceType, Schema};
use super::value::{self, Keys, Reading, kind_of};
use super::{Conformance, ScimError};

/// What the server notes about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    pub last_modified: String,
    /// Absolute URL of the resource.
    pub location: String,
    /// Entity tag, see [`super::etag::weak`].
    pub version: String,
}

/// A resource in normal form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    attributes: Map<String, Value>,
}

impl Resource {
    /// Reads the body of a POST or PUT.
    ///
    /// Unknown attributes are ignored (refused in [`Conformance::Profile`]), read-only ones always
    /// ignored, a password is dropped (refused in the profile), null and empty arrays mean unassigned.
    /// Wrong types, a missing required attribute and two primary values are 400 `invalidValue`.
    pub fn parse(
        resource_type: &ResourceType,
        body: &Value,
        conformance: Conformance,
    ) -> Result<Self, ScimError> {
        let Value::Object(object) = body else {
            return Err(ScimError::invalid_syntax(format!(
                "The body must be a JSON object, but {} was sent.",
                kind_of(body)
            )));
        };
        let reading = Reading { conformance, patch: false };
        let mut keys = Keys::new(object, "")?;
        check_schemas(resource_type, keys.take("schemas"), conformance)?;
        let mut attributes = Map::new();
        for attribute in super::schema::common().iter().chain(&resource_type.core.attributes) {
            let Some(value) = keys.take(&attribute.name) else { continue };
            if let Some(value) = read_sent(attribute, value, &attribute.name, reading)? {
                attributes.insert(attribute.name.clone(), value);
            }
        }
        for schema in &resource_type.extensions {
            if let Some(value) = keys.take(&schema.id)
                && let Some(value) = read_extension(schema, value, reading)?
            {
                attributes.insert(schema.id.clone(), value);
            }
        }
        value::refuse_unknown(keys, "", conformance)?;
        let resource = Self { attributes };
        resource.check_required(resource_type)?;
        Ok(resource)
    }

    /// Takes back what [`Self::into_value`] gave; anything but an object is an empty resource.
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(attributes) => Self { attributes },
            _ => Self::default(),
        }
    }

    /// The normal form, to be stored.
    pub fn into_value(self) -> Value {
        Value::Object(self.attributes)
    }

    /// The attributes: core ones by name, extensions as objects by URN.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    pub(super) fn attributes_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.attributes
    }

    /// A string attribute of the core schema.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }

    /// The extensions that are not built in, by their URN.
    pub(super) fn own(&self) -> impl Iterator<Item = (&String, &Value)> {
        let built_in = &super::schema::user().extensions;
        self.attributes
            .iter()
            .filter(move |(name, _)| name.contains(':') && built_in.iter().all(|schema| schema.id != **name))
    }

    /// Reads those again, see [`super::UserResource::refit`].
    pub(super) fn refit(mut self, resource_type: &ResourceType) -> Result<Self, ScimError> {
        let reading = Reading { conformance: Conformance::Tolerant, patch: false };
        let own: Vec<String> = self.own().map(|(urn, _)| urn.clone()).collect();
        for urn in own {
            let schema = resource_type.extensions.iter().find(|schema| schema.id == urn);
            let read = match (schema, self.attributes.get(&urn)) {
                (Some(schema), Some(value)) => read_extension(schema, value, reading)?,
                _ => None,
            };
            match read {
                Some(value) => drop(self.attributes.insert(urn, value)),
                None => drop(self.attributes.shift_remove(&urn)),
            }
        }
        Ok(self)
    }

    /// The names (URNs for extensions) of the attributes in which this differs from `earlier`, sorted.
    /// Empty means that nothing really changed.
    pub fn changed_since(&self, earlier: &Self) -> Vec<String> {
        let mut changed: Vec<String> = self
            .attributes
            .iter()
            .filter(|(name, value)| earlier.attributes.get(*name) != Some(value))
            .map(|(name, _)| name.clone())
            .chain(earlier.attributes.keys().filter(|name| !self.attributes.contains_key(*name)).cloned())
            .collect();
        changed.sort_unstable();
        changed
    }

    /// The representation that leaves: with `schemas`, `id` and `meta`; only schemas in use are listed.
    pub fn to_json(&self, resource_type: &ResourceType, id: &str, meta: &Meta) -> Value {
        let mut schemas = vec![Value::from(resource_type.core.id.as_str())];
        schemas.extend(
            resource_type
                .extensions
                .iter()
                .filter(|s| self.attributes.contains_key(&s.id))
                .map(|s| Value::from(s.id.as_str())),
        );
        let mut json = Map::with_capacity(self.attributes.len() + 3);
        json.insert("schemas".into(), Value::Array(schemas));
        json.insert("id".into(), id.into());
        json.extend(self.attributes.iter().filter_map(|(name, value)| {
            let shown = if name.contains(':') {
                known_parts(resource_type.extension(name)?, value)?
            } else {
                value.clone()
            };
            Some((name.clone(), shown))
        }));
        json.insert(
            "meta".into(),
            json!({
                "resourceType": resource_type.name,
                "created": meta.created,
                "lastModified": meta.last_modified,
                "location": meta.location,
                "version": meta.version,
            }),
        );
        Value::Object(json)
    }

    /// Refuses a change of what is set once, of the attributes of extensions.
    pub(super) fn check_immutable(
        &self,
        resource_type: &ResourceType,
        earlier: &Self,
    ) -> Result<(), ScimError> {
        for schema in &resource_type.extensions {
            for attribute in schema.attributes.iter().filter(|a| a.mutability == Mutability::Immutable) {
                let of = |resource: &Self| resource.attributes.get(&schema.id)?.get(&attribute.name).cloned();
                if let Some(before) = of(earlier)
                    && of(self).as_ref() != Some(&before)
                {
                    return Err(ScimError::mutability(format!(
                        "{}:{} is immutable: it has a value and keeps it.",
                        schema.id, attribute.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// Refuses a resource without its required attributes.
    pub(super) fn check_required(&self, resource_type: &ResourceType) -> Result<(), ScimError> {
        match resource_type
            .core
            .attributes
            .iter()
            .find(|a| a.required && !self.attributes.contains_key(&a.name))
        {
            Some(missing) => {
                let name = &missing.name;
                Err(ScimError::invalid_value(format!("{name} is required and must not be empty.")))
            }
            None => Ok(()),
        }
    }

    /// Puts the attributes into the order of the tables and drops empty extensions.
    pub(super) fn tidy(&mut self, resource_type: &ResourceType) {
        let mut rest = std::mem::take(&mut self.attributes);
        let names = super::schema::common()
            .iter()
            .chain(&resource_type.core.attributes)
            .map(|a| &a.name)
            .chain(resource_type.extensions.iter().map(|s| &s.id));
        for name in names {
            if let Some(value) = rest.shift_remove(name)
                && !value.as_object().is_some_and(Map::is_empty)
            {
                self.attributes.insert(name.clone(), value);
            }
        }
        // What an earlier version of the tables knew stays as it is.
        self.attributes.extend(rest);
    }
}

/// What of an extension's object its table has; `None` for nothing.
fn known_parts(schema: &Schema, value: &Value) -> Option<Value> {
    let object = value.as_object()?;
    if object.keys().all(|name| schema.attribute(name).is_some()) {
        return Some(value.clone());
    }
    let known = object.iter().filter(|(name, _)| schema.attribute(name).is_some());
    let known: Map<_, _> = known.map(|(name, value)| (name.clone(), value.clone())).collect();
    if known.is_empty() { None } else { Some(Value::Object(known)) }
}

/// Reads an attribute that a client sent, by its mutability.
fn read_sent(
    attribute: &Attribute,
    value: &Value,
    at: &str,
    reading: Reading,
) -> Result<Option<Value>, ScimError> {
    match attribute.mutability {
        Mutability::WriteOnly if reading.conformance == Conformance::Profile => {
            Err(ScimError::invalid_syntax(format!("{at} is not taken here; people sign in through SAML.")))
        }
        Mutability::ReadOnly | Mutability::WriteOnly => Ok(None),
        Mutability::ReadWrite | Mutability::Immutable => value::read(attribute, value, at, reading),
    }
}

fn read_extension(schema: &Schema, value: &Value, reading: Reading) -> Result<Option<Value>, ScimError> {
    let object = match value {
        Value::Null => return Ok(None),
        Value::Object(object) => object,
        other => {
            return Err(ScimError::invalid_value(format!(
                "{} must be an object, but {} was sent.",
                schema.id,
                kind_of(other)
            )));
        }
    };
    let mut keys = Keys::new(object, &schema.id)?;
    // Some client libraries repeat it here.
    keys.take("schemas");
    let mut attributes = Map::new();
    for attribute in &schema.attributes {
        let Some(value) = keys.take(&attribute.name) else { continue };
        let at = format!("{}:{}", schema.id, attribute.name);
        if let Some(value) = read_sent(attribute, value, &at, reading)? {
            attributes.insert(attribute.name.clone(), value);
        }
    }
    value::refuse_unknown(keys, &schema.id, reading.conformance)?;
    Ok(if attributes.is_empty() { None } else { Some(Value::Object(attributes)) })
}

/// `schemas` must name the core schema; extra URNs are ignored (Entra sends misspelt ones), and so is
/// its absence, except in the profile.
fn check_schemas(
    resource_type: &ResourceType,
    value: Option<&Value>,
    conformance: Conformance,
) -> Result<(), ScimError> {
    let core = &resource_type.core.id;
    let profile = conformance == Conformance::Profile;
    let items = match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items.as_slice(),
        Some(other) => {
            return Err(ScimError::invalid_syntax(format!(
                "schemas must be an array of URNs, but {} was sent.",
                kind_of(other)
            )));
        }
    };
    if items.is_empty() && !profile {
        return Ok(());
    }
    let names = |urn: &str| items.iter().any(|i| i.as_str().is_some_and(|i| i.eq_ignore_ascii_case(urn)));
    if !names(core) {
        return Err(ScimError::invalid_syntax(format!("schemas must name \"{core}\".")));
    }
    let known = |item: &Value| {
        item.as_str().is_some_and(|i| i.eq_ignore_ascii_case(core) || resource_type.extension(i).is_some())
    };
    if profile && let Some(unknown) = items.iter().find(|item| !known(item)) {
        return Err(ScimError::invalid_syntax(format!(
            "There is no schema \"{}\" here; /Schemas lists what there is.",
            quotable(unknown.as_str().unwrap_or(&unknown.to_string()), 120)
        )));
    }
    Ok(())
}
