//! Many ids as one parameter of a statement: no limit of parameters is met, and one statement is kept for every
//! length. PostgreSQL reads the text as an array of UUIDs, SQLite as JSON of their hexadecimal digits.

use sea_orm::{DbBackend, Value};
use std::fmt::Write as _;
use uuid::Uuid;

/// A list of ids for one statement.
pub(super) struct IdList {
    text: String,
    postgres: bool,
}

impl IdList {
    pub(super) fn new(backend: DbBackend, ids: impl IntoIterator<Item = Uuid>) -> Self {
        let postgres = backend == DbBackend::Postgres;
        let mut text = String::from(if postgres { "{" } else { "[" });
        for (index, id) in ids.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            // Writing to a string does not fail.
            let id = id.simple();
            let _ = if postgres { write!(text, "{id}") } else { write!(text, "\"{id}\"") };
        }
        text.push(if postgres { '}' } else { ']' });
        Self { text, postgres }
    }

    /// What a UUID is called in a cast.
    pub(super) const fn uuid_type(&self) -> &'static str {
        if self.postgres { "UUID" } else { "BLOB" }
    }

    /// The condition that a column is in the list, which is the parameter of that number.
    pub(super) fn has(&self, column: &str, parameter: u32) -> String {
        if self.postgres {
            // As an array, which is looked up in an index; a list of rows may be hashed and all of a group read beside it.
            // By way of a sub-query, which reads the text once, not anew for each row that is looked at.
            format!("{column} = ANY (ARRAY(SELECT unnest(CAST(CAST(${parameter} AS TEXT) AS UUID[]))))")
        } else {
            format!("{column} IN (SELECT unhex(value) FROM json_each(${parameter}))")
        }
    }

    /// The condition that a column is not in the list; found by hashing, however long it is.
    pub(super) fn lacks(&self, column: &str, parameter: u32) -> String {
        if self.postgres {
            format!(
                "NOT EXISTS (SELECT 1 FROM unnest(CAST(CAST(${parameter} AS TEXT) AS UUID[])) AS named (id)
                 WHERE named.id = {column})"
            )
        } else {
            format!("{column} NOT IN (SELECT unhex(value) FROM json_each(${parameter}))")
        }
    }
}

impl From<IdList> for Value {
    fn from(list: IdList) -> Self {
        list.text.into()
    }
}
