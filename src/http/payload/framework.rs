//! The framework's own errors, said in plain sentences.
//!
//! poem and poem-openapi answer 400, 401, 404, 405 and 415 in plain text that names Rust types. Here each
//! becomes a [`Problem`]; anything unknown becomes its status alone, and a 5xx is logged with its cause and
//! shown without it.

use std::error::Error as StdError;

use poem::{
    Error,
    error::{
        MethodNotAllowedError, NotFoundError, ParseFormError, ParsePathError, ParseQueryError, ReadBodyError,
    },
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::error::{
    AuthorizationError, ContentTypeError, ParseParamError, ParsePathError as ParsePathParameterError,
    ParseRequestPayloadError,
};

use super::Problem;

/// Turns an error of the framework into a problem. Errors that carry a finished response are not for this
/// function: pass them through where `is_from_response()`.
pub fn problem_of(error: &Error, request_id: &str) -> Problem {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone();
    }
    if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
        return not_found();
    }
    if let Some(error) = error.downcast_ref::<ParsePathParameterError>() {
        return Problem {
            detail: format!("An id in the address is not one that leads here: {}.", plain(&error.reason))
                .into(),
            ..not_found()
        };
    }
    if error.is::<MethodNotAllowedError>() {
        return method_not_allowed(None);
    }
    if let Some(error) = error.downcast_ref::<ContentTypeError>() {
        return match error {
            ContentTypeError::NotSupported { .. } => unsupported_media_type(),
            ContentTypeError::ExpectContentType => Problem {
                detail: "The body needs a Content-Type header, for JSON: application/json.".into(),
                ..unsupported_media_type()
            },
        };
    }
    if let Some(error) = error.downcast_ref::<ParseRequestPayloadError>() {
        return invalid_body(&error.reason);
    }
    if let Some(error) = error.downcast_ref::<ParseParamError>() {
        let message = plain(&error.reason);
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            "Invalid parameter",
            format!("The parameter {} is wrong: {message}.", error.name),
        )
        .field(error.name, "invalid", sentence(&message))
        .scim_type("invalidValue");
    }
    if error.is::<ParseQueryError>() || error.is::<ParseFormError>() {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            "Invalid parameter",
            "The query or form cannot be read: a field is missing, doubled or wrongly encoded.",
        )
        .scim_type("invalidValue");
    }
    if let Some(error) = error.downcast_ref::<ReadBodyError>() {
        return match error {
            ReadBodyError::PayloadTooLarge => too_large(None),
            ReadBodyError::BodyHasBeenTaken => log_internal(error, request_id),
            _ => Problem::new(
                StatusCode::BAD_REQUEST,
                "unreadable_body",
                "Unreadable body",
                "The body of the request ended early or is not valid; send it again.",
            )
            .scim_type("invalidSyntax"),
        };
    }
    if error.is::<AuthorizationError>() {
        return unauthenticated();
    }
    match error.status() {
        StatusCode::NOT_FOUND => not_found(),
        StatusCode::UNAUTHORIZED => unauthenticated(),
        StatusCode::METHOD_NOT_ALLOWED => method_not_allowed(None),
        StatusCode::PAYLOAD_TOO_LARGE => too_large(None),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => unsupported_media_type(),
        status if status.is_server_error() => {
            let problem = log_internal(error, request_id);
            Problem { status, ..problem }
        }
        status => Problem::new(
            status,
            code_of(status),
            status.canonical_reason().unwrap_or("Refused"),
            "The request was refused; check its address, headers and body.",
        ),
    }
}

pub fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "Not found",
        "There is nothing at this address, or nothing that this credential may see.",
    )
}

/// 405; RFC 9110 wants the methods that would be taken.
pub fn method_not_allowed(allow: Option<&HeaderValue>) -> Problem {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Method not allowed",
        "This address exists, but does not take this method; the Allow header names those it takes.",
    );
    match allow {
        Some(allow) => problem.header(header::ALLOW, allow.clone()),
        None => problem,
    }
}

pub fn unsupported_media_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "Unsupported media type",
        "The body is of a type that is not taken here; send JSON with Content-Type: application/json.",
    )
}

/// 413, naming the limit where it is known.
pub fn too_large(limit: Option<u64>) -> Problem {
    let detail = match limit {
        Some(limit) => {
            format!("The body is larger than the {limit} bytes taken here; send less at a time.").into()
        }
        None => "The body is larger than what is taken here; send less at a time.".into(),
    };
    Problem {
        detail,
        ..Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large", "")
    }
}

pub fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Not authenticated",
        "A valid credential is needed: send it as Authorization: Bearer.",
    )
    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn log_internal(error: &(dyn StdError + 'static), request_id: &str) -> Problem {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        causes = format!("{causes}: {cause}");
        next = cause.source();
    }
    tracing::error!(request_id, error = %causes, "request failed");
    Problem::internal()
}

fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "bad_request",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::CONFLICT => "conflict",
        StatusCode::GONE => "gone",
        StatusCode::PRECONDITION_FAILED => "precondition_failed",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        _ => "refused",
    }
}

fn invalid_body(reason: &str) -> Problem {
    let message = plain(reason);
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_body",
        "Invalid body",
        format!("The body is not what is expected here: {message}."),
    )
    .scim_type("invalidSyntax");
    match quoted(&message) {
        Some(field) if message.starts_with("unknown field") => {
            problem.field(field, "unknown_field", "There is no such field here; check its spelling.")
        }
        Some(field) if message.starts_with("field") => problem.field(field, "invalid", sentence(&message)),
        _ => problem,
    }
}

/// The name between the first pair of backticks.
fn quoted(message: &str) -> Option<&str> {
    message.split('`').nth(1).filter(|name| !name.is_empty())
}

pub(super) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), characters.as_str().trim_end_matches('.'))
    })
}

/// A reason of poem-openapi without the names of Rust types and without the value that was sent.
pub(super) fn plain(reason: &str) -> String {
    let mut reason = reason.trim();
    while let Some(position) = reason.rfind(" (occurred while parsing \"") {
        if !reason.ends_with(')') {
            break;
        }
        reason = &reason[..position];
    }
    if let Some(rest) = reason.strip_prefix("failed to parse \"")
        && let Some((name, rest)) = rest.split_once("\": ")
    {
        if name.ends_with("date-time") || name.ends_with("date-time)") {
            return "expected a date and time with its zone, as in 2026-01-31T08:00:00Z".to_owned();
        }
        reason = rest;
    }
    if let Some(rest) = reason.strip_prefix("Expected input type \"")
        && let Some((expected, found)) = rest.split_once("\", found ")
    {
        return format!("expected {}, found {}", type_in_words(expected), value_in_words(found));
    }
    if let Some(rest) = reason.strip_prefix("Type \"")
        && let Some((expected, _)) = rest.split_once("\" expects an input value")
    {
        return format!("a required field is missing: {}", type_in_words(expected));
    }
    if reason == "Expect a valid enumeration value." {
        return "this is not one of the words that are taken here; /docs lists them".to_owned();
    }
    let end = reason.char_indices().nth(300).map_or(reason.len(), |(index, _)| index);
    reason[..end].trim_end_matches('.').to_owned()
}

fn type_in_words(name: &str) -> &'static str {
    let name = name.strip_prefix("optional<").unwrap_or(name);
    if name.starts_with("string") {
        "a string"
    } else if name.starts_with("integer") {
        "a whole number"
    } else if name.starts_with("number") {
        "a number"
    } else if name.starts_with("boolean") {
        "true or false"
    } else if name.starts_with('[') || name.starts_with("Array") {
        "a list"
    } else {
        "an object"
    }
}

/// The kind of a JSON value, told from its first character.
fn value_in_words(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_types_and_sent_values_stay_inside() {
        for (reason, expected) in [
            (
                r#"failed to parse "string(uuid)": not an id of an organization"#,
                "not an id of an organization",
            ),
            (
                r#"Expected input type "string", found {"password":"x"}. (occurred while parsing "CreateDomain")"#,
                "expected a string, found an object",
            ),
            (
                r#"Type "string" expects an input value. (occurred while parsing "CreateDomain")"#,
                "a required field is missing: a string",
            ),
            (r#"failed to parse "CreateDomain": unknown field `nmae`."#, "unknown field `nmae`"),
            ("expected value at line 1 column 2", "expected value at line 1 column 2"),
        ] {
            assert_eq!(plain(reason), expected);
        }
    }

    #[test]
    fn unknown_fields_are_named() {
        let error = Error::from(ParseRequestPayloadError {
            reason: r#"failed to parse "CreateDomain": unknown field `nmae`."#.into(),
        });
        let problem = problem_of(&error, "r");
        assert_eq!(problem.errors[0].field, "nmae");
        assert_eq!(problem.errors[0].code, "unknown_field");
    }

    #[test]
    fn causes_of_server_errors_are_not_shown() {
        let error = Error::from_string("SELECT failed on secret_table", StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem_of(&error, "r").detail.contains("secret_table"));
    }
}
