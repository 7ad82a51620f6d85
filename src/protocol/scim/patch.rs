//! PATCH bodies (RFC 7644 §3.5.2) as a flat list of changes, whatever dialect they came in.
//!
//! `op` has no case; an operation without a path becomes one change for each key of its value, and keys
//! may be plain, dotted, qualified or an extension's URN, as Okta and Entra send them. `id`, `meta` and
//! `schemas` in such a value are ignored: clients echo them.
use serde_json::{Map, Value};

use super::change;
use super::error::quotable;
use super::message;
use super::path::{AttributePath, Path};
use super::schema::{Mutability, ResourceType};
use super::value::{Keys, Reading, kind_of};
use super::{Conformance, Resource, ScimError};

/// URN of the PATCH message.
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Most operations in one request, and most changes that they may stand for.
pub const MAX_OPERATIONS: usize = 1_000;

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Add,
    Replace,
    Remove,
}

/// One change to one attribute or extension.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which operation it came from, from 1.
    pub operation: usize,
    pub op: Op,
    pub target: Target,
    /// As it was sent. Never there for an extension; always there for add and replace.
    pub value: Option<Value>,
    /// Came without a path: a complex value is merged, not replaced whole.
    pub merge: bool,
}

/// What a change is made to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A whole extension; only ever removed.
    Extension(String),
    Attribute(AttributePath),
}

/// A PATCH that was read, and is right as far as can be said without the resource.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchRequest {
    changes: Vec<Change>,
    operations: usize,
    reading: Reading,
}

/// A resource after a PATCH.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    pub resource: Resource,
    /// Names of the attributes (URNs of extensions) that really changed; empty: nothing to store.
    pub changed: Vec<String>,
}

impl PatchRequest {
    /// Reads the body of a PATCH.
    ///
    /// 400: `invalidSyntax` for the envelope, `invalidPath` and `invalidFilter` for paths, `noTarget`
    /// for a remove without a path, `mutability` for read-only targets, `invalidValue` for a missing
    /// value. 413 for more than [`MAX_OPERATIONS`].
    pub fn parse(
        resource_type: &ResourceType,
        body: &Value,
        conformance: Conformance,
    ) -> Result<Self, ScimError> {
        let mut keys = message::open(body, (PATCH_URN, "a PATCH"), conformance)?;
        let operations = match keys.take("Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            Some(Value::Array(_)) => return Err(ScimError::invalid_syntax("Operations is empty.")),
            Some(other) => {
                return Err(ScimError::invalid_syntax(format!(
                    "Operations must be an array, but {} was sent.",
                    kind_of(other)
                )));
            }
            None => return Err(ScimError::invalid_syntax("The body has no Operations.")),
        };
        check_number(operations.len())?;
        let reading = Reading { conformance, patch: true };
        let mut reader = Reader { resource_type, conformance, operation: 0, changes: Vec::new() };
        for (index, operation) in operations.iter().enumerate() {
            reader.operation = index + 1;
            reader.operation(operation).map_err(|e| numbered(e, index + 1, operations.len()))?;
            check_number(reader.changes.len())?;
        }
        Ok(Self { changes: reader.changes, operations: operations.len(), reading })
    }

    /// The changes in their order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Takes out the changes of one core attribute: the rest, and those.
    pub(super) fn split(mut self, attribute: &str) -> (Self, Vec<Change>) {
        let (taken, rest) = self.changes.into_iter().partition(|change| match &change.target {
            Target::Attribute(path) => path.extension.is_none() && path.attribute == attribute,
            Target::Extension(_) => false,
        });
        self.changes = rest;
        (self, taken)
    }

    /// How its values are read.
    pub(super) fn reading(&self) -> Reading {
        self.reading
    }

    /// How many operations were sent.
    pub(super) fn operations(&self) -> usize {
        self.operations
    }

    /// Applies all changes to a copy, or none.
    ///
    /// 400: `noTarget` where a filter matches nothing that could be made, `invalidValue` for wrong
    /// types, `mutability` for taking away a required attribute.
    pub fn apply(&self, resource_type: &ResourceType, resource: &Resource) -> Result<Patched, ScimError> {
        let mut patched = resource.clone();
        for change in &self.changes {
            change::apply(resource_type, patched.attributes_mut(), change, self.reading)
                .map_err(|e| numbered(e, change.operation, self.operations))?;
        }
        patched.tidy(resource_type);
        patched.check_required(resource_type)?;
        let changed = patched.changed_since(resource);
        Ok(Patched { resource: patched, changed })
    }
}

/// Names the operation, where there are several.
pub(super) fn numbered(mut error: ScimError, operation: usize, of: usize) -> ScimError {
    if of > 1 {
        error.detail = format!("Operation {operation} of {of}: {}", error.detail);
    }
    error
}

fn check_number(count: usize) -> Result<(), ScimError> {
    if count > MAX_OPERATIONS {
        return Err(ScimError::new(
            413,
            format!("The request has more than {MAX_OPERATIONS} operations; send them in several requests."),
        ));
    }
    Ok(())
}

/// What clients repeat from an answer in a value of several attributes; it is never theirs to set.
fn is_echo(key: &str) -> bool {
    ["id", "meta", "schemas"].iter().any(|echo| key.eq_ignore_ascii_case(echo))
}

struct Reader<'r> {
    resource_type: &'r ResourceType,
    conformance: Conformance,
    operation: usize,
    changes: Vec<Change>,
}

impl Reader<'_> {
    fn operation(&mut self, operation: &Value) -> Result<(), ScimError> {
        let Value::Object(object) = operation else {
            return Err(ScimError::invalid_syntax(format!(
                "An operation must be an object, but {} was sent.",
                kind_of(operation)
            )));
        };
        let mut keys = Keys::new(object, "an operation")?;
        let op = match keys.take("op") {
            Some(Value::String(op)) if op.eq_ignore_ascii_case("add") => Op::Add,
            Some(Value::String(op)) if op.eq_ignore_ascii_case("replace") => Op::Replace,
            Some(Value::String(op)) if op.eq_ignore_ascii_case("remove") => Op::Remove,
            Some(Value::String(op)) => {
                return Err(ScimError::invalid_syntax(format!(
                    "op must be add, replace or remove, but \"{}\" was sent.",
                    quotable(op, 40)
                )));
            }
            _ => return Err(ScimError::invalid_syntax("An operation needs op: add, replace or remove.")),
        };
        let path = match keys.take("path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() => None,
            Some(Value::String(path)) => Some(Path::parse_as(self.resource_type, path, self.conformance)?),
            Some(other) => {
                return Err(ScimError::invalid_path(format!(
                    "path must be a string, but {} was sent.",
                    kind_of(other)
                )));
            }
        };
        let value = keys.take("value");
        if path.is_none() && self.conformance == Conformance::Profile {
            return Err(ScimError::invalid_syntax(
                "An operation needs a path; name each attribute by its own.",
            ));
        }
        if op == Op::Remove {
            return match path {
                None | Some(Path::Core) => Err(ScimError::no_target("A remove needs a path.")),
                Some(Path::Extension(urn)) => {
                    self.push(op, Target::Extension(urn), None, false);
                    Ok(())
                }
                Some(Path::Attribute(path)) => self.attribute(op, path, value, false),
            };
        }
        let Some(value) = value else {
            return Err(ScimError::invalid_value("An add or replace needs a value."));
        };
        match path {
            None | Some(Path::Core) => match value {
                Value::Object(object) => self.keys(op, object, true),
                other => Err(ScimError::invalid_value(format!(
                    "Without a path the value must be an object, but {} was sent.",
                    kind_of(other)
                ))),
            },
            Some(Path::Extension(urn)) => self.extension(op, urn, value),
            Some(Path::Attribute(path)) => self.attribute(op, path, Some(value), false),
        }
    }

    /// The keys of a value without a path.
    fn keys(&mut self, op: Op, object: &Map<String, Value>, outer: bool) -> Result<(), ScimError> {
        for (key, value) in object {
            if is_echo(key) {
                continue;
            }
            let path = match Path::parse(self.resource_type, key) {
                // Nothing of that name has no value already (Entra's nulls).
                Err(_) if value.is_null() => continue,
                path => path?,
            };
            match (path, value) {
                (Path::Core, Value::Object(object)) if outer => self.keys(op, object, false)?,
                (Path::Core, _) => {
                    return Err(ScimError::invalid_value(format!(
                        "The value of \"{}\" must be an object of attributes.",
                        self.resource_type.core.id
                    )));
                }
                (Path::Extension(urn), value) => self.extension(op, urn, value)?,
                (Path::Attribute(path), value) => self.attribute(op, path, Some(value), true)?,
            }
        }
        Ok(())
    }

    fn extension(&mut self, op: Op, urn: String, value: &Value) -> Result<(), ScimError> {
        let object = match value {
            Value::Object(object) => object,
            Value::Null => {
                if op == Op::Replace {
                    self.push(Op::Remove, Target::Extension(urn), None, false);
                }
                return Ok(());
            }
            other => {
                return Err(ScimError::invalid_value(format!(
                    "{urn} must be an object, but {} was sent.",
                    kind_of(other)
                )));
            }
        };
        for (key, value) in object {
            if is_echo(key) {
                continue;
            }
            let path = match Path::parse(self.resource_type, &format!("{urn}:{key}")) {
                Err(_) if value.is_null() => continue,
                path => path?,
            };
            if let Path::Attribute(path) = path {
                self.attribute(op, path, Some(value), true)?;
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        op: Op,
        path: AttributePath,
        value: Option<&Value>,
        merge: bool,
    ) -> Result<(), ScimError> {
        let attribute = self.resource_type.attribute(path.extension.as_deref(), &path.attribute);
        let sub = path.sub.as_deref().and_then(|sub| attribute.and_then(|a| a.sub(sub)));
        for part in [attribute, sub].into_iter().flatten() {
            match part.mutability {
                Mutability::ReadOnly => {
                    return Err(ScimError::mutability(format!("{path} is read-only.")));
                }
                Mutability::WriteOnly if self.conformance == Conformance::Profile => {
                    return Err(ScimError::invalid_syntax(format!(
                        "{path} is not taken here; people sign in through SAML."
                    )));
                }
                // A password: taken and dropped.
                Mutability::WriteOnly => return Ok(()),
                Mutability::ReadWrite | Mutability::Immutable => {}
            }
        }
        self.push(op, Target::Attribute(path), value.cloned(), merge);
        Ok(())
    }

    fn push(&mut self, op: Op, target: Target, value: Option<Value>, merge: bool) {
        self.changes.push(Change { operation: self.operation, op, target, value, merge });
    }
}
