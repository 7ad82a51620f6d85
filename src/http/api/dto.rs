//! Shapes that every noun of the REST API shares: ids in paths, pages, times.

use super::answer::Failure;
use crate::model::UnknownWord;
use crate::model::id::IdError;
use crate::model::page::{Cursor, MAX_LIMIT, Page, PageRequest};
use crate::service::Error;
use poem_openapi::Object;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use std::str::FromStr;
use time::OffsetDateTime;

/// Reads an id of the path. An id of the wrong kind is a 404 that says so.
pub fn id<T: FromStr<Err = IdError>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: IdError| Error::NotFound { message: format!("{text:?}: {error}.") }.into())
}

/// Reads an id of the body.
pub fn id_field<T: FromStr<Err = IdError>>(field: &str, text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|error: IdError| Error::field(field, "id_invalid", format!("{text:?}: {error}.")).into())
}

/// A time as the API shows it (RFC 3339, UTC).
pub type Time = OffsetDateTime;

/// One page of a list.
#[derive(Object)]
pub struct PageView<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// The rows.
    pub data: Vec<T>,
    /// Give it as `cursor` for the next page; absent at the end.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
    /// How many there are in all; only with `include_total=true`.
    #[oai(skip_serializing_if_is_none)]
    pub total: Option<u64>,
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> PageView<T> {
    /// The page with its rows as `view` shows them.
    pub fn new<R>(page: Page<R>, view: impl FnMut(R) -> T) -> Self {
        let page = page.map(view);
        Self { data: page.data, next_cursor: page.next_cursor.map(|c| c.encode()), total: page.total }
    }
}

/// Reads the paging parameters of a list in the order named.
///
/// # Errors
/// 400 naming `limit` or `cursor`.
pub fn page_request(
    limit: Option<u32>,
    cursor: Option<&str>,
    include_total: Option<bool>,
    order: &str,
) -> Result<PageRequest, Failure> {
    if let Some(limit) = limit
        && !(1..=MAX_LIMIT).contains(&limit)
    {
        let message = format!("{limit} was given; 1 to {MAX_LIMIT} was expected.");
        return Err(Error::field("limit", "out_of_range", message).into());
    }
    let cursor = cursor
        .map(|text| {
            Cursor::decode(text).filter(|cursor| cursor.order == order).ok_or_else(|| {
                Error::field(
                    "cursor",
                    "cursor_invalid",
                    "This is not the next_cursor of a page of this list in this order.",
                )
            })
        })
        .transpose()?;
    Ok(PageRequest { limit, cursor, include_total: include_total.unwrap_or(false) })
}

/// Different choices that one parameter may list.
const MOST_CHOICES: usize = 100;

/// The different parts of a list with commas between them, in their order; empty ones are none.
///
/// A condition grows with each of them, and what writes SQL descends it: so they are bounded, whatever the length of a
/// URL.
///
/// # Errors
/// 400 naming the parameter, for more than [`MOST_CHOICES`].
pub fn parts<'t>(field: &str, text: Option<&'t str>) -> Result<Vec<&'t str>, Failure> {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.unwrap_or_default().split(',').map(str::trim) {
        if part.is_empty() || parts.contains(&part) {
            continue;
        }
        if parts.len() == MOST_CHOICES {
            let message =
                format!("More than {MOST_CHOICES} were given; list fewer, or leave it out for all.");
            return Err(Error::field(field, "out_of_range", message).into());
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Reads a list of words with commas between them, such as `pending,expired`.
///
/// # Errors
/// 400 naming the parameter, the word found and those expected; the same for too many, see [`parts`].
pub fn words<T: FromStr<Err = UnknownWord>>(field: &str, text: Option<&str>) -> Result<Vec<T>, Failure> {
    let read = |word: &str| {
        word.parse()
            .map_err(|error: UnknownWord| Error::field(field, "invalid_choice", format!("{error}.")).into())
    };
    parts(field, text)?.into_iter().map(read).collect()
}
