//! The order of a list, and the marks between which its pages lie. Without `sortBy` the order is that of the ids, which
//! is that of making. With it, it is that of one value and then of the ids: total, so that no page repeats another.
//! Missing values come last in ascending order and first in descending order; text counts by its beginning.

use super::compile::{Compiler, Operand, Values};
use super::sql::Sql;
use super::text::Text;
use super::{Facts, Stored};
use crate::protocol::scim::filter::{AttributeRef, Kind, Sort};
use sea_orm::{DbBackend, QueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// So much of a text decides its place.
const SORTED_CHARS: u32 = 256;
/// The name of the key among the columns of a row.
pub(super) const KEY: &str = "sort_key";

/// A place in a list: that of one of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// `None` where the row has no value, and in a list that is sorted by nothing.
    pub key: Option<Key>,
    pub id: Uuid,
}

/// What a row is sorted by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Key {
    #[serde(rename = "w")]
    Whole(i64),
    /// The bits of a double, so that none is lost on the way.
    #[serde(rename = "n")]
    Number(u64),
    #[serde(rename = "t")]
    Text(String),
}

impl Key {
    fn sql(&self) -> Sql {
        match self {
            Self::Whole(value) => Sql::value(*value),
            Self::Number(bits) => Sql::value(f64::from_bits(*bits)),
            Self::Text(value) => Sql::value(value.as_str()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Type {
    Whole,
    Number,
    Text,
    /// Text of a folded column: short, and perhaps in the order of an index.
    Folded,
}

/// An order, compiled.
#[derive(Debug, Clone)]
pub struct Order {
    key: Option<(Sql, Type)>,
    collation: &'static str,
    descending: bool,
}

impl Order {
    /// The order of making.
    pub const fn of_making() -> Self {
        Self { key: None, collation: "", descending: false }
    }

    /// The order that was asked for.
    pub(super) fn compile<S: Stored>(compiler: &Compiler<'_, S>, facts: Facts, sort: &Sort) -> Self {
        let backend = facts.backend;
        let (key, folding) = match compiler.sorted(&sort.attribute) {
            Values::One(operand) => key(&operand, &sort.attribute),
            Values::Many { from, each, first } => match key(&each, &sort.attribute) {
                (Some((key, of)), folding) => {
                    let order = first.order;
                    let mut select =
                        Sql::of("(SELECT ? FROM ? AND ? IS NOT NULL ORDER BY ", [&key, &from, &key]);
                    if let Some(preferred) = &first.preferred {
                        select.push(&Sql::of("CASE WHEN ? THEN 0 ELSE 1 END, ", [preferred]));
                    }
                    select.push_text(&format!("{order} LIMIT 1)"));
                    (Some((select, of)), folding)
                }
                none => none,
            },
            Values::Fixed(_) => (None, false),
        };
        let is_text = key.as_ref().is_some_and(|(_, of)| matches!(of, Type::Text | Type::Folded));
        let key = key.map(|(sql, of)| {
            if of != Type::Text {
                return (sql, of);
            }
            let sql = match (folding, backend, facts.icu) {
                (true, DbBackend::Postgres, true) => {
                    Sql::of("replace(lower(? COLLATE \"und-x-icu\"), 'ς', 'σ')", [&sql])
                }
                (true, DbBackend::Postgres, false) => Sql::of("lower(? COLLATE \"C\")", [&sql]),
                _ => sql,
            };
            (Sql::of(&format!("substr(?, 1, {SORTED_CHARS})"), [&sql]), of)
        });
        let collation = match backend {
            DbBackend::Postgres if is_text => " COLLATE \"C\"",
            DbBackend::Sqlite if folding => " COLLATE POSTERN_FOLD",
            _ => "",
        };
        Self { key, collation, descending: sort.descending }
    }

    /// What to select besides the row.
    pub(super) fn selected(&self) -> Sql {
        self.key.as_ref().map_or_else(Sql::default, |(key, _)| Sql::of(&format!(", ? AS {KEY}"), [key]))
    }

    /// The ORDER BY over the selected rows.
    pub(super) fn by(&self, backward: bool) -> String {
        let (direction, nulls) =
            if self.descending == backward { ("ASC", "LAST") } else { ("DESC", "FIRST") };
        match &self.key {
            Some(_) => {
                format!(" ORDER BY {KEY}{} {direction} NULLS {nulls}, id {direction}", self.collation)
            }
            None => format!(" ORDER BY id {direction}"),
        }
    }

    /// Where a selected row lies behind the mark, or before it if `backward`.
    pub(super) fn beyond(&self, mark: &Mark, backward: bool) -> Sql {
        let ascending = self.descending == backward;
        let sign = if ascending { ">" } else { "<" };
        let id = Sql::value(mark.id);
        let collation = self.collation;
        match (&self.key, &mark.key) {
            (None, _) => Sql::of(&format!("id {sign} ?"), [&id]),
            (Some((_, Type::Folded)), Some(key)) => {
                // Never missing; said so that an index finds the beginning.
                let key = key.sql();
                let beyond =
                    format!("({KEY}{collation} {sign}= ? AND ({KEY}{collation} {sign} ? OR id {sign} ?))");
                Sql::of(&beyond, [&key, &key, &id])
            }
            (Some(_), Some(key)) => {
                let key = key.sql();
                let rest = if ascending { format!(" OR {KEY} IS NULL") } else { String::new() };
                Sql::of(
                    &format!("({KEY}{collation} {sign} ? OR ({KEY}{collation} = ? AND id {sign} ?){rest})"),
                    [&key, &key, &id],
                )
            }
            (Some(_), None) => {
                let rest = if ascending { String::new() } else { format!(" OR {KEY} IS NOT NULL") };
                Sql::of(&format!("(({KEY} IS NULL AND id {sign} ?){rest})"), [&id])
            }
        }
    }

    /// The mark of a selected row.
    pub(super) fn mark(&self, row: &QueryResult, id: Uuid) -> Result<Mark, sea_orm::DbErr> {
        let key = match &self.key {
            None => None,
            Some((_, Type::Whole)) => row.try_get::<Option<i64>>("", KEY)?.map(Key::Whole),
            Some((_, Type::Number)) => {
                row.try_get::<Option<f64>>("", KEY)?.map(|value| Key::Number(value.to_bits()))
            }
            Some((_, Type::Text | Type::Folded)) => row.try_get::<Option<String>>("", KEY)?.map(Key::Text),
        };
        Ok(Mark { key, id })
    }

    /// Whether it is descending.
    pub(super) fn is_descending(&self) -> bool {
        self.descending
    }

    /// Whether the order is that of the ids.
    pub(super) fn is_of_ids(&self) -> bool {
        self.key.is_none()
    }
}

/// What one value is sorted by, and whether case is to be folded. Ids sort as the rows do anyway.
fn key(operand: &Operand, attribute: &AttributeRef) -> (Option<(Sql, Type)>, bool) {
    match operand {
        Operand::Text(Text { sql, folded }) => {
            let folding = !folded && !attribute.case_exact && attribute.kind == Kind::String;
            (Some((sql.clone(), if *folded { Type::Folded } else { Type::Text })), folding)
        }
        Operand::Boolean(sql) | Operand::Moment(sql) => (Some((sql.clone(), Type::Text)), false),
        Operand::Number(sql) => (Some((Sql::of("(? * 1.0)", [sql]), Type::Number)), false),
        Operand::Micros(sql) => (Some((sql.clone(), Type::Whole)), false),
        Operand::Id { text, .. } if attribute.sub.is_some() => (Some((text.clone(), Type::Text)), false),
        Operand::Id { .. } | Operand::Parts(_) | Operand::Judged => (None, false),
    }
}
