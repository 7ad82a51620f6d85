//! References among the operations of a bulk request (RFC 7644 §3.7.2): `bulkId:x` where an id would stand.
//!
//! An id stands in `members` and in `manager`, as `value` or `$ref`, in every form that the bodies and PATCH
//! operations of single requests have; a string anywhere else is text, whatever it begins with.
use serde_json::{Map, Value};

use super::{Method, Operation};

const PREFIX: &str = "bulkId:";

/// The bulkId that a text refers to.
pub(super) fn parse(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// What a reference that was found is to become; `None` leaves it as it is.
pub(super) type Resolve<'r> = dyn FnMut(&str) -> Option<String> + 'r;

/// Goes through the references in the data of an operation.
pub(super) fn each(operation: &mut Operation, resolve: &mut Resolve<'_>) {
    let data = std::mem::take(&mut operation.data);
    operation.data = match data {
        Value::Object(mut body) => {
            match operation.method {
                Method::Patch => patch(&mut body, resolve),
                Method::Post | Method::Put | Method::Delete => attributes(&mut body, resolve),
            }
            Value::Object(body)
        }
        other => other,
    };
}

/// The operations of a PATCH.
fn patch(body: &mut Map<String, Value>, resolve: &mut Resolve<'_>) {
    let lists = body.iter_mut().filter(|(key, _)| key.eq_ignore_ascii_case("Operations"));
    let operations = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    for operation in operations.filter_map(Value::as_object_mut) {
        let path = operation.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("path"));
        let refers = match path {
            Some((_, Value::String(path))) if refers(path) => {
                in_brackets(path, resolve);
                true
            }
            _ => false,
        };
        let value = operation.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("value"));
        match value {
            Some((_, value)) if refers => values(value, resolve),
            // No path, or that of a schema: a value of attributes.
            Some((_, Value::Object(object))) => attributes(object, resolve),
            _ => {}
        }
    }
}

/// The attributes of a body, and those of the extensions in it.
fn attributes(object: &mut Map<String, Value>, resolve: &mut Resolve<'_>) {
    for (name, value) in object.iter_mut() {
        if refers(name) {
            values(value, resolve);
        } else if let Value::Object(extension) = value
            && name.contains(':')
        {
            for (name, value) in extension.iter_mut() {
                if refers(name) {
                    values(value, resolve);
                }
            }
        }
    }
}

/// Whether an attribute names a resource by its id: the attribute alone, with its URN, with a sub-attribute or with a
/// filter.
fn refers(name: &str) -> bool {
    let name = name.split('[').next().unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    let head = name.split('.').next().unwrap_or_default().trim();
    ["members", "manager"].iter().any(|attribute| head.eq_ignore_ascii_case(attribute))
}

/// A value of such an attribute: an id, an object with one, or several.
fn values(value: &mut Value, resolve: &mut Resolve<'_>) {
    match value {
        Value::String(text) => replace(text, resolve),
        Value::Array(items) => {
            for item in items {
                if let Value::Object(object) = item {
                    parts(object, resolve);
                } else if let Value::String(text) = item {
                    replace(text, resolve);
                }
            }
        }
        Value::Object(object) => parts(object, resolve),
        _ => {}
    }
}

fn parts(object: &mut Map<String, Value>, resolve: &mut Resolve<'_>) {
    for (name, value) in object.iter_mut() {
        if let Value::String(text) = value
            && ["value", "$ref"].iter().any(|part| name.eq_ignore_ascii_case(part))
        {
            replace(text, resolve);
        }
    }
}

/// A whole text that is a reference, or a URL that ends in one.
fn replace(text: &mut String, resolve: &mut Resolve<'_>) {
    let start = if text.starts_with(PREFIX) {
        0
    } else {
        match text.rfind('/') {
            Some(slash) => slash + 1,
            None => return,
        }
    };
    let id = text.get(start..).and_then(parse).and_then(&mut *resolve);
    if let Some(id) = id {
        text.replace_range(start.., &id);
    }
}

/// The strings between the brackets of a path: `members[value eq "bulkId:x"]`.
fn in_brackets(path: &mut String, resolve: &mut Resolve<'_>) {
    let mut at = path.find('[').unwrap_or(path.len());
    while let Some(begin) = path.get(at..).and_then(|rest| rest.find('"')).map(|quote| at + quote) {
        let mut escaped = false;
        let end = path.get(begin + 1..).unwrap_or_default().find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        // What does not end is refused by whoever reads the path.
        let Some(end) = end.map(|quote| begin + 1 + quote + 1) else { return };
        at = end;
        let literal = path.get(begin..end).and_then(|literal| serde_json::from_str::<String>(literal).ok());
        let id = literal.as_deref().and_then(parse).and_then(&mut *resolve);
        if let Some(id) = id {
            let literal = Value::from(id).to_string();
            at = begin + literal.len();
            path.replace_range(begin..end, &literal);
        }
    }
}
