//! Bulk requests (RFC 7644 §3.7): the envelope and its operations, read and checked before anything is done.
//!
//! What is wrong with the whole request is one refusal; what is wrong with an operation is that operation's alone and
//! stands in its place, so that the others are carried out. [`Course`] then says what comes when, with the references
//! among the operations (`bulkId:…`) replaced by ids.
mod course;
mod order;
mod reference;

pub use course::{Course, Ready, Step};

use serde_json::{Value, json};

use super::error::quotable;
use super::message;
use super::value::{Keys, kind_of, refuse_unknown};
use super::{Conformance, ScimError};

/// URN of the request.
pub const REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the answer.
pub const RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Longest bulkId in bytes.
const MAX_BULK_ID: usize = 256;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| text.eq_ignore_ascii_case(method.as_str()))
    }
}

/// What kind of resource an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    User,
    Group,
}

impl Kind {
    /// The path below the SCIM base.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The name of the resource type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// Which resource an operation changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The one of that id, of whatever shape.
    Id(String),
    /// The one that the POST with that bulkId makes.
    BulkId(String),
}

/// An operation that makes sense as far as can be said without its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub method: Method,
    pub kind: Kind,
    /// `None` for a POST alone.
    pub target: Option<Target>,
    /// What the resource's version must be, as `If-Match` says it.
    pub version: Option<String>,
    /// The body; null for a DELETE.
    pub data: Value,
}

impl Operation {
    /// The id of the resource that it changes, once references are resolved.
    pub fn id(&self) -> Option<&str> {
        match &self.target {
            Some(Target::Id(id)) => Some(id),
            Some(Target::BulkId(_)) | None => None,
        }
    }
}

/// One element of `Operations`: what is said of it in the answer, and what it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As it was sent, cut to a length that can be quoted; empty if there was none.
    pub method: String,
    pub bulk_id: Option<String>,
    /// The path of the resource that is named, if it is one that can be.
    pub path: Option<String>,
    /// The operation, or why there is none.
    pub asked: Result<Operation, ScimError>,
}

/// A bulk request that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    pub entries: Vec<Entry>,
    /// After so many errors nothing further is begun.
    pub fail_on_errors: Option<usize>,
}

impl BulkRequest {
    /// Reads the body of a POST to `/Bulk`.
    ///
    /// 400 `invalidSyntax` for the envelope, 400 `invalidValue` for a `failOnErrors` below 1; 413 naming the limit for
    /// more than `max_operations` operations (RFC 7644 §3.7.4).
    pub fn parse(body: &Value, max_operations: usize, conformance: Conformance) -> Result<Self, ScimError> {
        let mut keys = message::open(body, (REQUEST_URN, "a bulk request"), conformance)?;
        let fail_on_errors = match keys.take("failOnErrors") {
            None | Some(Value::Null) => None,
            Some(sent) => match sent.as_u64().and_then(|number| usize::try_from(number).ok()) {
                Some(number) if number > 0 => Some(number),
                _ => {
                    return Err(ScimError::invalid_value(format!(
                        "failOnErrors must be a whole number from 1, but \"{}\" was sent; leave it out to carry out all \
                         operations.",
                        quotable(&sent.to_string(), 40)
                    )));
                }
            },
        };
        let operations = match keys.take("Operations") {
            Some(Value::Array(operations)) => operations,
            Some(other) => {
                return Err(ScimError::invalid_syntax(format!(
                    "Operations must be an array, but {} was sent.",
                    kind_of(other)
                )));
            }
            None => return Err(ScimError::invalid_syntax("The body has no Operations.")),
        };
        refuse_unknown(keys, "", conformance)?;
        if operations.len() > max_operations {
            return Err(ScimError::new(
                413,
                format!(
                    "The request has {} operations, more than the maxOperations of {max_operations}; send them in \
                     several requests.",
                    operations.len()
                ),
            ));
        }
        let entries = operations.iter().map(|operation| Entry::read(operation, conformance)).collect();
        Ok(Self { entries, fail_on_errors })
    }
}

impl Entry {
    fn read(sent: &Value, conformance: Conformance) -> Self {
        let mut entry = Self {
            method: String::new(),
            bulk_id: None,
            path: None,
            asked: Err(ScimError::invalid_syntax("An operation has a method and a path.")),
        };
        entry.asked = entry.fill(sent, conformance);
        entry
    }

    /// Reads what can be read, also of an operation that is refused, so that its answer can be told from others'.
    fn fill(&mut self, sent: &Value, conformance: Conformance) -> Result<Operation, ScimError> {
        let Value::Object(object) = sent else {
            return Err(ScimError::invalid_syntax(format!(
                "An operation must be an object, but {} was sent.",
                kind_of(sent)
            )));
        };
        let mut keys = Keys::new(object, "an operation")?;
        let (method, bulk_id) = (keys.take("method"), keys.take("bulkId"));
        let (path, version, data) = (keys.take("path"), keys.take("version"), keys.take("data"));
        let text = method.and_then(Value::as_str).unwrap_or_default();
        let known = Method::parse(text);
        self.method = known.map_or_else(|| quotable(text, 20), |method| method.as_str().to_owned());
        self.bulk_id = match bulk_id {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= MAX_BULK_ID => Some(id.clone()),
            None | Some(Value::Null) => None,
            Some(_) => {
                return Err(ScimError::invalid_value(format!(
                    "bulkId must be a string of 1 to {MAX_BULK_ID} bytes."
                )));
            }
        };
        let Some(method) = known else {
            return Err(ScimError::invalid_syntax(format!(
                "The method of an operation is POST, PUT, PATCH or DELETE, but {} was sent.",
                match method {
                    Some(Value::String(_)) => format!("\"{}\"", self.method),
                    Some(other) => kind_of(other).to_owned(),
                    None => "none".to_owned(),
                }
            )));
        };
        let (kind, target) = read_path(path, method)?;
        if let Some(Target::Id(id)) = &target {
            // So that the answer names it also where the operation is refused.
            self.path = plain(id).then(|| format!("{}/{id}", kind.endpoint()));
        }
        if method == Method::Post && self.bulk_id.is_none() {
            return Err(ScimError::invalid_value(
                "A POST needs a bulkId, by which its result is known and others may refer to what it makes.",
            ));
        }
        let version = match version {
            None | Some(Value::Null) => None,
            Some(Value::String(version)) => Some(version.clone()),
            Some(other) => {
                return Err(ScimError::invalid_value(format!(
                    "version must be a string such as W/\"1\", but {} was sent.",
                    kind_of(other)
                )));
            }
        };
        let data = match (method, data) {
            (Method::Delete, _) => Value::Null,
            (_, Some(data @ Value::Object(_))) => data.clone(),
            (_, None | Some(Value::Null)) => {
                return Err(ScimError::invalid_syntax(format!(
                    "A {} needs data: the body that the single request would have.",
                    method.as_str()
                )));
            }
            (_, Some(other)) => {
                return Err(ScimError::invalid_syntax(format!(
                    "data must be an object, but {} was sent.",
                    kind_of(other)
                )));
            }
        };
        refuse_unknown(keys, "", conformance)?;
        Ok(Operation { method, kind, target, version, data })
    }
}

/// Reads the path of an operation: an endpoint for a POST, a resource for the others.
fn read_path(path: Option<&Value>, method: Method) -> Result<(Kind, Option<Target>), ScimError> {
    let Some(Value::String(path)) = path else {
        return Err(ScimError::invalid_syntax(
            "An operation needs a path: /Users or /Groups for a POST, with the id behind it for the others.",
        ));
    };
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let (endpoint, id, more) = (segments.next(), segments.next(), segments.next());
    let kind = [Kind::User, Kind::Group].into_iter().find(|kind| endpoint == kind.endpoint().get(1..));
    let reserved = id.is_some_and(|id| id == ".search");
    match (kind, id, method) {
        (Some(kind), None, Method::Post) => Ok((kind, None)),
        (Some(kind), Some(id), Method::Put | Method::Patch | Method::Delete)
            if more.is_none() && !reserved =>
        {
            let target = match reference::parse(id) {
                Some(bulk_id) => Target::BulkId(bulk_id.to_owned()),
                None => Target::Id(id.to_owned()),
            };
            Ok((kind, Some(target)))
        }
        _ => Err(ScimError::invalid_value(format!(
            "There is no {} at the path \"{}\" in a bulk request: POST goes to /Users and /Groups, PUT, PATCH and DELETE \
             to a resource below them, by its id or by bulkId:… of the POST that makes it.",
            method.as_str(),
            quotable(path, 120)
        ))),
    }
}

/// Whether an id can stand in a URL as it is.
fn plain(id: &str) -> bool {
    id.len() <= 80 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// What the answer says of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<'a> {
    pub method: &'a str,
    pub bulk_id: Option<&'a str>,
    /// Absolute URL; missing only where nothing was made or nothing that could be is named.
    pub location: Option<String>,
    pub version: Option<String>,
    /// The status, or the refusal that holds it.
    pub status: Result<u16, ScimError>,
}

impl Answered<'_> {
    /// As it stands in `Operations` of the answer; a success needs no `response`.
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "method": self.method });
        if let Some(bulk_id) = self.bulk_id {
            json["bulkId"] = bulk_id.into();
        }
        if let Some(version) = &self.version {
            json["version"] = version.as_str().into();
        }
        if let Some(location) = &self.location {
            json["location"] = location.as_str().into();
        }
        match &self.status {
            Ok(status) => json["status"] = status.to_string().into(),
            Err(error) => {
                json["status"] = error.status.to_string().into();
                json["response"] = error.to_json();
            }
        }
        json
    }
}

/// The answer to a bulk request.
pub fn response(operations: Vec<Value>) -> Value {
    json!({ "schemas": [RESPONSE_URN], "Operations": operations })
}
