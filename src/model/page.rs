//! Pages of a list: a limit, and an opaque cursor that says after which row the next page starts.

use super::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// How many rows a page has unless it is said.
pub const DEFAULT_LIMIT: u32 = 50;
/// How many rows a page has at most.
pub const MAX_LIMIT: u32 = 200;

/// The last row of the page before: the value it was ordered by, and its id to tell equals apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The order (such as `-joined_at`) the cursor belongs to.
    pub order: String,
    /// The sort value of the last row: text, or a number as text.
    pub value: String,
    /// The id of the last row.
    pub id: Uuid,
}

impl Cursor {
    /// The cursor after a row that is ordered by a time.
    pub fn after_time(order: &str, value: Timestamp, id: Uuid) -> Self {
        Self { order: order.to_owned(), value: value.micros().to_string(), id }
    }

    /// The cursor after a row in a list that is ordered by id alone.
    pub fn after_id(id: Uuid) -> Self {
        Self { order: "id".to_owned(), value: String::new(), id }
    }

    /// The sort value as a time, if it is one.
    pub fn time(&self) -> Option<Timestamp> {
        self.value.parse().ok().map(Timestamp::from_micros)
    }

    /// The form that goes out: opaque, URL-safe.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{}", self.order, self.id.simple(), self.value))
    }

    /// Reads a cursor that was handed out before; `None` if it is none.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(3, '\n');
        let order = parts.next()?.to_owned();
        let id = Uuid::parse_str(parts.next()?).ok()?;
        let value = parts.next()?.to_owned();
        Some(Self { order, value, id })
    }
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// 1 to [`MAX_LIMIT`]; `None` is [`DEFAULT_LIMIT`].
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// Whether all rows are to be counted.
    pub include_total: bool,
}

impl PageRequest {
    /// The number of rows to give.
    pub fn limit(&self) -> u64 {
        u64::from(self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT))
    }
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page starts; `None` at the end.
    pub next_cursor: Option<Cursor>,
    /// How many rows there are in all, if that was asked for.
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// Makes a page of rows that were fetched with one more than the limit; `cursor` tells a row's cursor.
    pub fn from_rows(
        mut rows: Vec<T>,
        limit: u64,
        total: Option<u64>,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { data: rows, next_cursor, total }
    }

    /// The same page with other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(f).collect(),
            next_cursor: self.next_cursor,
            total: self.total,
        }
    }
}
