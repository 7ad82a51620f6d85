//! Lists (RFC 7644 §3.4.2): the query that asks for one and the message that answers.
//!
//! `startIndex` counts from 1. Sorting is not offered, so `sortBy` and `sortOrder` are ignored like any
//! unknown parameter. Numbers beyond all bounds are lowered, never an overflow.
use serde_json::{Value, json};

use super::ScimError;
use super::error::excerpt;
use super::filter::Filter;
use super::projection::Projection;
use super::schema::ResourceType;
use super::value::kind_of;

/// URN of the list message.
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// URN of the search message.
pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Resources on a page if the client does not say.
pub const DEFAULT_COUNT: u64 = 100;
/// Most resources on a page. Okta asks for 100 and goes on by 100 whatever came back.
pub const MAX_COUNT: u64 = 200;

/// What a client asks a list for.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// From 1.
    pub start_index: u64,
    /// 0 asks for the total alone; at most [`MAX_COUNT`], or what the caller set.
    pub count: u64,
    pub filter: Option<Filter>,
    pub projection: Projection,
}

impl ListQuery {
    /// Reads decoded query parameters. Names have no case, of several the first counts, unknown ones are
    /// ignored.
    ///
    /// 400 `invalidFilter` for a filter that cannot be read, `invalidValue` for a number that is none.
    pub fn parse<'q>(
        resource_type: &ResourceType,
        parameters: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Self, ScimError> {
        Self::parse_within(resource_type, parameters, DEFAULT_COUNT, MAX_COUNT)
    }

    /// The same, with other numbers of resources on a page: unless it is said, and at most.
    pub fn parse_within<'q>(
        resource_type: &ResourceType,
        parameters: impl IntoIterator<Item = (&'q str, &'q str)>,
        default_count: u64,
        max_count: u64,
    ) -> Result<Self, ScimError> {
        let parameters: Vec<_> = parameters.into_iter().collect();
        let get = |name: &str| find(&parameters, name);
        let start_index = match get("startIndex") {
            Some(text) => number("startIndex", text)?.max(1),
            None => 1,
        };
        let count = match get("count") {
            Some(text) => number("count", text)?.min(max_count),
            None => default_count.min(max_count),
        };
        Ok(Self {
            start_index,
            count,
            filter: get("filter").map(|text| Filter::parse(resource_type, text)).transpose()?,
            projection: Projection::parse(resource_type, get("attributes"), get("excludedAttributes")),
        })
    }

    /// Reads the body of a POST to `.search` (RFC 7644 §3.4.3), in which the same names stand.
    ///
    /// As [`Self::parse`]; besides, 400 `invalidSyntax` for a body that is no SearchRequest.
    pub fn from_search(resource_type: &ResourceType, body: &Value) -> Result<Self, ScimError> {
        Self::from_search_within(resource_type, body, DEFAULT_COUNT, MAX_COUNT)
    }

    /// The same, with other numbers of resources on a page.
    pub fn from_search_within(
        resource_type: &ResourceType,
        body: &Value,
        default_count: u64,
        max_count: u64,
    ) -> Result<Self, ScimError> {
        let Value::Object(object) = body else {
            return Err(ScimError::invalid_syntax(format!(
                "The body must be a JSON object, but {} was sent.",
                kind_of(body)
            )));
        };
        if let Some((_, schemas)) = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas"))
            && !schemas.as_array().is_some_and(|s| {
                s.iter().any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH_URN)))
            })
        {
            return Err(ScimError::invalid_syntax(format!(
                "schemas must be an array that names \"{SEARCH_URN}\"."
            )));
        }
        let mut parameters = Vec::new();
        for name in ["startIndex", "count", "filter", "attributes", "excludedAttributes"] {
            let found = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            let text = match found {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Array(names)) => {
                    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
                }
                Some(other) => {
                    return Err(ScimError::invalid_value(format!(
                        "{name} cannot be {}; see RFC 7644 section 3.4.3.",
                        kind_of(other)
                    )));
                }
            };
            parameters.push((name, text));
        }
        let parameters = parameters.iter().map(|(name, text)| (*name, text.as_str()));
        Self::parse_within(resource_type, parameters, default_count, max_count)
    }

    /// How many resources come before the page.
    pub fn offset(&self) -> u64 {
        self.start_index - 1
    }
}

/// Reads `attributes` and `excludedAttributes` of a request for one resource.
pub fn projection<'q>(
    resource_type: &ResourceType,
    parameters: impl IntoIterator<Item = (&'q str, &'q str)>,
) -> Projection {
    let parameters: Vec<_> = parameters.into_iter().collect();
    Projection::parse(resource_type, find(&parameters, "attributes"), find(&parameters, "excludedAttributes"))
}

fn find<'q>(parameters: &[(&'q str, &'q str)], name: &str) -> Option<&'q str> {
    parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// A whole number; below zero is zero, beyond 63 bits is the largest that a database takes.
fn number(name: &str, text: &str) -> Result<u64, ScimError> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!(
            "{name} must be a whole number, but \"{}\" was sent.",
            excerpt(text, 40)
        )));
    }
    let limit = i64::MAX.unsigned_abs();
    Ok(if negative { 0 } else { digits.parse().unwrap_or(limit).min(limit) })
}

/// The list message for one page.
pub fn list_response(resources: Vec<Value>, total: u64, start_index: u64) -> Value {
    json!({
        "schemas": [LIST_URN],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::user;
    use super::*;

    fn query(parameters: &[(&str, &str)]) -> Result<ListQuery, ScimError> {
        ListQuery::parse(user(), parameters.iter().copied())
    }

    #[test]
    fn numbers_are_lowered_and_never_overflow() {
        let plain = query(&[]).unwrap();
        assert_eq!((plain.start_index, plain.count, plain.offset()), (1, 100, 0));
        let odd = query(&[("STARTINDEX", "-5"), ("count", "-1"), ("sortBy", "x"), ("aadOptscim062020", "")]);
        let odd = odd.unwrap();
        assert_eq!((odd.start_index, odd.count), (1, 0));
        let huge = query(&[("startIndex", "99999999999999999999999"), ("count", "5000")]).unwrap();
        assert_eq!((huge.start_index, huge.count), (i64::MAX.unsigned_abs(), MAX_COUNT));
        for text in ["", "a", "1.5", "１", "--1", "0x10"] {
            let error = query(&[("count", text)]).unwrap_err();
            assert_eq!(error.to_json()["scimType"], "invalidValue", "{text}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        for text in ["", "userName", "userName eq", "nope eq \"x\""] {
            assert_eq!(query(&[("filter", text)]).unwrap_err().to_json()["scimType"], "invalidFilter");
        }
    }

    #[test]
    fn a_search_says_the_same_in_its_body() {
        let body = json!({"schemas": [SEARCH_URN], "attributes": ["userName"], "filter": "title pr",
            "STARTINDEX": 3, "count": "2", "sortBy": "x", "excludedAttributes": null});
        let parameters =
            [("attributes", "userName"), ("filter", "title pr"), ("startIndex", "3"), ("count", "2")];
        assert_eq!(ListQuery::from_search(user(), &body), query(&parameters));
        for body in [json!([]), json!({"schemas": ["x"]}), json!({"schemas": SEARCH_URN})] {
            let error = ListQuery::from_search(user(), &body).unwrap_err();
            assert_eq!(error.to_json()["scimType"], "invalidSyntax");
        }
        for body in [json!({"count": 1.5}), json!({"count": true}), json!({"filter": {}})] {
            assert_eq!(
                ListQuery::from_search(user(), &body).unwrap_err().to_json()["scimType"],
                "invalidValue"
            );
        }
    }

    #[test]
    fn the_message_has_integers_and_an_empty_list() {
        let empty = list_response(Vec::new(), 0, 1);
        assert_eq!(empty["totalResults"], 0);
        assert_eq!(empty["itemsPerPage"], 0);
        assert!(empty["Resources"].as_array().unwrap().is_empty());
    }
}
