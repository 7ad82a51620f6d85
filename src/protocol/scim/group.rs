//! A Group resource: the generic engine without the members, which are kept apart and never loaded to be changed.
//!
//! A representation is written with its members straight into the answer: ten thousand of them cost ten thousand
//! times a few bytes, not a tree of JSON values.
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use uuid::Uuid;

use super::membership::{self, Ids, MEMBERS, Membership};
use super::patch::PatchRequest;
use super::schema::{self, ResourceType};
use super::{Conformance, Meta, Projection, Resource, ScimError};

/// A Group in normal form, without its members; `displayName` is there and not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupResource(Resource);

/// The body of a POST or PUT.
#[derive(Clone, Debug, PartialEq)]
pub struct SentGroup {
    pub group: GroupResource,
    /// `None` where nothing is said of them; an empty set for `null` and `[]`.
    pub members: Option<Ids>,
}

impl SentGroup {
    /// Reads the body of a POST or PUT.
    ///
    /// As [`Resource::parse`]; besides, 400 `invalidValue` for a member without an id, and for one that is a group.
    pub fn parse(body: &Value, conformance: Conformance) -> Result<Self, ScimError> {
        let said = body
            .as_object()
            .and_then(|body| body.iter().find(|(key, _)| key.eq_ignore_ascii_case(MEMBERS)))
            .map(|(_, value)| value);
        said.map_or(Ok(()), membership::check_named)?;
        let mut resource = Resource::parse(schema::group(), body, conformance)?;
        let members = match resource.attributes_mut().shift_remove(MEMBERS) {
            Some(Value::Array(items)) => Some(membership::ids_of(&items)?),
            _ => said.map(|_| Ids::new()),
        };
        Ok(Self { group: GroupResource(resource), members })
    }

    /// What a PUT does to the members. Where it says nothing of them they stay: a client that read the group without
    /// its members, as large groups are read, must not empty it by writing back what it read.
    pub fn membership(&self) -> Membership {
        self.members.clone().map_or_else(Membership::default, Membership::whole)
    }
}

impl GroupResource {
    /// The tables that groups are read by.
    pub fn resource_type() -> &'static ResourceType {
        schema::group()
    }

    /// Takes back what [`Self::into_value`] gave.
    pub fn from_value(value: Value) -> Self {
        Self(Resource::from_value(value))
    }

    /// The normal form, to be stored.
    pub fn into_value(self) -> Value {
        self.0.into_value()
    }

    /// Applies what a PATCH says of other attributes than the members.
    pub fn patched(&self, rest: &PatchRequest) -> Result<Self, ScimError> {
        Ok(Self(rest.apply(schema::group(), &self.0)?.resource))
    }

    /// The attributes in which this differs from `earlier`; empty means nothing really changed.
    pub fn changed_since(&self, earlier: &Self) -> Vec<String> {
        self.0.changed_since(&earlier.0)
    }

    /// `displayName` as it was sent.
    pub fn display_name(&self) -> &str {
        self.0.text("displayName").unwrap_or_default()
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.0.text("externalId")
    }

    /// The representation that leaves, without members.
    pub fn to_json(&self, id: &str, meta: &Meta) -> Value {
        self.0.to_json(schema::group(), id, meta)
    }
}

/// A group as it leaves: what [`GroupResource::to_json`] gave, after the projection, and the members that it shows.
#[derive(Debug)]
pub struct GroupDocument<'a> {
    head: Map<String, Value>,
    members: Option<Members<'a>>,
}

#[derive(Debug)]
struct Members<'a> {
    list: Cow<'a, [Uuid]>,
    users: &'a str,
    parts: Parts,
}

/// Which parts of a member are shown.
#[derive(Clone, Copy, Debug)]
struct Parts {
    value: bool,
    reference: bool,
    kind: bool,
}

impl<'a> GroupDocument<'a> {
    /// `users` is the absolute URL of `/Users`; `members` is `None` where they were not loaded.
    pub fn new(
        whole: Value,
        members: Option<impl Into<Cow<'a, [Uuid]>>>,
        users: &'a str,
        projection: &Projection,
    ) -> Self {
        let head = match projection.apply(schema::group(), whole) {
            Value::Object(head) => head,
            _ => Map::new(),
        };
        let shows = |part| projection.includes_part(MEMBERS, part);
        let parts = Parts { value: shows("value"), reference: shows("$ref"), kind: shows("type") };
        let any = parts.value || parts.reference || parts.kind;
        let members = members.map(Into::into).filter(|list| any && !list.is_empty()).map(|list| Members {
            list,
            users,
            parts,
        });
        Self { head, members }
    }
}

impl Serialize for GroupDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.head {
            map.serialize_entry(name, value)?;
        }
        if let Some(members) = &self.members {
            map.serialize_entry(MEMBERS, members)?;
        }
        map.end()
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reference = format!("{}/", self.users);
        let prefix = reference.len();
        let mut seq = serializer.serialize_seq(Some(self.list.len()))?;
        for id in &*self.list {
            let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
            let id = &*id.hyphenated().encode_lower(&mut buffer);
            reference.truncate(prefix);
            reference.push_str(id);
            seq.serialize_element(&One { id, reference: &reference, parts: self.parts })?;
        }
        seq.end()
    }
}

struct One<'a> {
    id: &'a str,
    reference: &'a str,
    parts: Parts,
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (shown, name, text) in [
            (self.parts.value, "value", self.id),
            (self.parts.reference, "$ref", self.reference),
            (self.parts.kind, "type", "User"),
        ] {
            if shown {
                map.serialize_entry(name, text)?;
            }
        }
        map.end()
    }
}
