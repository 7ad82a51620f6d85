//! A part of a list that is at hand as a whole: the few resources that are no rows, filtered and sorted already.

use super::super::Refusal;
use super::{Kind, Mark, Parted, Resource, Row};
use crate::protocol::scim::ListQuery;
use futures_util::future::{BoxFuture, ready};
use serde_json::{Value, json};
use uuid::Uuid;

struct Fixed {
    kind: Kind,
    all: Vec<Value>,
    asked: String,
}

/// The part of these resources, which are what the query finds at the endpoint, in its order.
pub fn fixed(kind: Kind, endpoint: &str, all: Vec<Value>, query: &ListQuery) -> Box<dyn Parted> {
    let asked = json!([
        endpoint,
        query.filter.as_ref().map(ToString::to_string),
        query.sort.as_ref().map(|sort| (sort.attribute.to_string(), sort.descending)),
    ]);
    Box::new(Fixed { kind, all, asked: asked.to_string() })
}

impl Fixed {
    fn row(&self, at: usize) -> Option<Row> {
        let whole = self.all.get(at)?.clone();
        // Their places are their marks.
        let mark = Mark { key: None, id: Uuid::from_u128(at as u128) };
        Some((Resource { kind: self.kind, whole, members: Vec::new() }, mark))
    }
}

impl Parted for Fixed {
    fn rows<'p>(
        &'p self,
        from: Option<&'p Mark>,
        backward: bool,
        skip: u64,
        limit: u64,
    ) -> BoxFuture<'p, Result<Vec<Row>, Refusal>> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let place = from.map(|mark| usize::try_from(mark.id.as_u128()).unwrap_or(usize::MAX));
        let (skip, limit) = (number(skip), number(limit));
        let rows: Vec<Row> = if backward {
            let end = place.unwrap_or(self.all.len()).min(self.all.len());
            (0..end).rev().skip(skip).take(limit).filter_map(|at| self.row(at)).collect()
        } else {
            let start = place.map_or(0, |place| place.saturating_add(1)).min(self.all.len());
            (start..self.all.len()).skip(skip).take(limit).filter_map(|at| self.row(at)).collect()
        };
        Box::pin(ready(Ok(rows)))
    }

    fn total(&self) -> BoxFuture<'_, Result<u64, Refusal>> {
        Box::pin(ready(Ok(self.all.len() as u64)))
    }

    fn asked(&self) -> &str {
        &self.asked
    }
}
