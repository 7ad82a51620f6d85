//! Lists (RFC 7644 §3.4.2, RFC 9865): the query that asks for one and the message that answers.
//!
//! Pages are asked for by `startIndex`, which counts from 1, or by `cursor`, which wins where both are sent. Numbers
//! beyond all bounds are lowered, never an overflow.
use serde::Serialize;
use serde_json::Value;

use super::ScimError;
use super::error::quotable;
use super::filter::{Filter, Sort};
use super::name::member;
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

/// The parameters of a search, as they stand in its body.
const NAMES: [&str; 8] =
    ["startIndex", "count", "cursor", "filter", "sortBy", "sortOrder", "attributes", "excludedAttributes"];

/// What a client asks a list for.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    pub paging: Paging,
    /// 0 asks for the total alone; at most [`MAX_COUNT`], or what the caller set.
    pub count: u64,
    pub filter: Option<Filter>,
    pub sort: Option<Sort>,
    pub projection: Projection,
}

/// How a page is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By the number of its first resource, from 1.
    Index(u64),
    /// By a cursor as it was sent; empty for the first page.
    Cursor {
        cursor: String,
        /// Whether the count was sent with it.
        counted: bool,
    },
}

/// One page, to be answered; written as the list message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<R> {
    schemas: [&'static str; 1],
    pub total_results: u64,
    /// `None` for pages by cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<u64>,
    #[serde(rename = "itemsPerPage")]
    items: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(rename = "Resources")]
    pub resources: Vec<R>,
}

impl<R> Page<R> {
    /// A page without cursors.
    pub fn new(resources: Vec<R>, total: u64, start_index: Option<u64>) -> Self {
        Self {
            schemas: [LIST_URN],
            total_results: total,
            start_index,
            items: resources.len(),
            previous_cursor: None,
            next_cursor: None,
            resources,
        }
    }

    /// The same page of other resources, as many.
    pub fn map<T>(self, change: impl FnMut(R) -> T) -> Page<T> {
        Page {
            schemas: self.schemas,
            total_results: self.total_results,
            start_index: self.start_index,
            items: self.items,
            previous_cursor: self.previous_cursor,
            next_cursor: self.next_cursor,
            resources: self.resources.into_iter().map(change).collect(),
        }
    }
}

impl ListQuery {
    /// Reads decoded query parameters. Names have no case, of several the first counts, unknown ones are
    /// ignored.
    ///
    /// 400 `invalidFilter` for a filter that cannot be read, `invalidValue` for a number that is none, `invalidCount`
    /// for a count below 1 beside a cursor, and what [`Sort::parse`] refuses.
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
        let sent = get("count");
        let (paging, count) = if let Some(cursor) = get("cursor") {
            let count = sent.map(cursor_count).transpose()?;
            (Paging::Cursor { cursor: cursor.to_owned(), counted: count.is_some() }, count)
        } else {
            let start_index = get("startIndex").map(|text| number("startIndex", text)).transpose()?;
            let count = sent.map(|text| number("count", text)).transpose()?;
            (Paging::Index(start_index.unwrap_or(1).max(1)), count)
        };
        Ok(Self {
            paging,
            count: count.unwrap_or(default_count).min(max_count),
            filter: get("filter").map(|text| Filter::parse(resource_type, text)).transpose()?,
            sort: Sort::parse(resource_type, get("sortBy"), get("sortOrder"))?,
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
        if !body.is_object() {
            return Err(ScimError::invalid_syntax(format!(
                "The body must be a JSON object, but {} was sent.",
                kind_of(body)
            )));
        }
        if let Some(schemas) = member(body, "schemas")
            && !schemas.as_array().is_some_and(|s| {
                s.iter().any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH_URN)))
            })
        {
            return Err(ScimError::invalid_syntax(format!(
                "schemas must be an array that names \"{SEARCH_URN}\"."
            )));
        }
        let mut parameters = Vec::new();
        for name in NAMES {
            let text = match member(body, name) {
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
}

/// A count beside a cursor, which asks for a page and never for the total alone.
fn cursor_count(text: &str) -> Result<u64, ScimError> {
    match number("count", text) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(ScimError::invalid_count(format!(
            "count must be a whole number from 1 on where pages are asked for by cursor, but \"{}\" was sent.",
            quotable(text, 40)
        ))),
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
            quotable(text, 40)
        )));
    }
    let limit = i64::MAX.unsigned_abs();
    Ok(if negative { 0 } else { digits.parse().unwrap_or(limit).min(limit) })
}

/// The list message of a list that has one page only.
pub fn list_response(resources: Vec<Value>) -> Value {
    let total = resources.len() as u64;
    serde_json::to_value(Page::new(resources, total, Some(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::schema::user;
    use super::*;
    use serde_json::json;

    fn query(parameters: &[(&str, &str)]) -> Result<ListQuery, ScimError> {
        ListQuery::parse(user(), parameters.iter().copied())
    }

    #[test]
    fn numbers_are_lowered_and_never_overflow() {
        let plain = query(&[]).unwrap();
        assert_eq!((plain.paging, plain.count), (Paging::Index(1), 100));
        let odd = query(&[("STARTINDEX", "-5"), ("count", "-1"), ("aadOptscim062020", "")]).unwrap();
        assert_eq!((odd.paging, odd.count), (Paging::Index(1), 0));
        let huge = query(&[("startIndex", "99999999999999999999999"), ("count", "5000")]).unwrap();
        assert_eq!((huge.paging, huge.count), (Paging::Index(i64::MAX.unsigned_abs()), MAX_COUNT));
        for text in ["", "a", "1.5", "１", "--1", "0x10"] {
            let error = query(&[("count", text)]).unwrap_err();
            assert_eq!(error.to_json()["scimType"], "invalidValue", "{text}");
        }
    }

    #[test]
    fn a_cursor_wins_and_wants_a_count_that_makes_pages() {
        let first = query(&[("startIndex", "x"), ("Cursor", "")]).unwrap();
        assert_eq!(first.paging, Paging::Cursor { cursor: String::new(), counted: false });
        assert_eq!(query(&[("cursor", ""), ("count", "5000")]).unwrap().count, MAX_COUNT);
        for text in ["0", "-1", "", "x", "1.5"] {
            let error = query(&[("cursor", ""), ("count", text)]).unwrap_err();
            assert_eq!(error.to_json()["scimType"], "invalidCount", "{text}");
        }
    }

    #[test]
    fn a_sort_names_something_with_an_order() {
        let sort = query(&[("sortBy", "EMAILS"), ("sortOrder", "Descending")]).unwrap().sort.unwrap();
        assert_eq!((sort.attribute.to_string().as_str(), sort.descending), ("emails.value", true));
        assert_eq!(query(&[("sortBy", ""), ("sortOrder", "ascending")]).unwrap().sort, None);
        for (by, order, kind) in [
            ("name", "", "invalidPath"),
            ("nope", "", "invalidPath"),
            ("password", "", "invalidPath"),
            (super::super::schema::USER_URN, "", "invalidPath"),
            ("userName", "up", "invalidValue"),
        ] {
            let error = query(&[("sortBy", by), ("sortOrder", order)]).unwrap_err();
            assert_eq!(error.to_json()["scimType"], kind, "{by} {order}");
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
            "STARTINDEX": 3, "count": "2", "sortBy": "title", "cursor": null, "excludedAttributes": null});
        let parameters = [
            ("attributes", "userName"),
            ("filter", "title pr"),
            ("startIndex", "3"),
            ("count", "2"),
            ("sortBy", "title"),
        ];
        assert_eq!(ListQuery::from_search(user(), &body), query(&parameters));
        let body = json!({"cursor": "x", "count": 3});
        assert_eq!(ListQuery::from_search(user(), &body), query(&[("cursor", "x"), ("count", "3")]));
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
        let empty = list_response(Vec::new());
        assert_eq!(empty["totalResults"], 0);
        assert_eq!(empty["itemsPerPage"], 0);
        assert!(empty["Resources"].as_array().unwrap().is_empty());
    }
}
