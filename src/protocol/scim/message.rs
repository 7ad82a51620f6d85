//! The envelope that PATCH and bulk requests share (RFC 7644 §3.5.2, §3.7): an object whose `schemas` names the message
//! and whose `Operations` say what is to be done.

use super::value::{Keys, kind_of};
use super::{Conformance, ScimError};
use serde_json::Value;

/// Opens the body of the message with this URN; what is left in it is the caller's. `what` names such a request in
/// errors, with its article.
///
/// A tolerant reader takes a body without `schemas`; a strict one wants the one URN and no other. 400 `invalidSyntax`
/// for whatever is not so.
pub(super) fn open<'a>(
    body: &'a Value,
    (urn, what): (&str, &str),
    conformance: Conformance,
) -> Result<Keys<'a>, ScimError> {
    let Value::Object(object) = body else {
        return Err(ScimError::invalid_syntax(format!(
            "The body must be a JSON object with Operations, but {} was sent.",
            kind_of(body)
        )));
    };
    let mut keys = Keys::new(object, "")?;
    let tolerant = conformance == Conformance::Tolerant;
    let names = |item: &Value| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(urn));
    match keys.take("schemas") {
        None | Some(Value::Null) if tolerant => Ok(keys),
        Some(Value::Array(items)) if items.is_empty() && tolerant => Ok(keys),
        Some(Value::Array(items)) if items.len() > 1 && !tolerant => {
            Err(ScimError::invalid_syntax(format!("schemas of {what} names \"{urn}\" and no other.")))
        }
        Some(Value::Array(items)) if items.iter().any(names) => Ok(keys),
        _ => Err(ScimError::invalid_syntax(format!("schemas must be an array that names \"{urn}\"."))),
    }
}
