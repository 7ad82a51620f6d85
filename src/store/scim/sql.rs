//! Pieces of SQL with their values, put together as text: what filters and orders need of JSON, collations and
//! functions differs too much between the databases for one builder. Text that somebody sent is always a value, never
//! text of the statement.

use sea_orm::{DbBackend, Statement, Value};

/// Stands in the text where a value goes.
const VALUE: char = '\u{1}';

/// A piece of SQL with its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// SQL without values, from the program's own text.
    pub fn raw(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// A value.
    pub fn value(value: impl Into<Value>) -> Self {
        Self { text: VALUE.to_string(), values: vec![value.into()] }
    }

    /// A template with a piece in place of each `?`.
    pub fn of<'a>(template: &str, pieces: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sql = Self::default();
        let mut pieces = pieces.into_iter();
        for (at, part) in template.split('?').enumerate() {
            if at > 0
                && let Some(piece) = pieces.next()
            {
                sql.push(piece);
            }
            sql.text.push_str(part);
        }
        sql
    }

    /// Appends a piece.
    pub fn push(&mut self, piece: &Self) {
        self.text.push_str(&piece.text);
        self.values.extend_from_slice(&piece.values);
    }

    /// Appends text.
    pub fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Pieces with a word between them, in parentheses; `empty` if there is none.
    pub fn joined<'a>(pieces: impl IntoIterator<Item = &'a Self>, word: &str, empty: &str) -> Self {
        let mut sql = Self::raw("(");
        for (at, piece) in pieces.into_iter().enumerate() {
            if at > 0 {
                sql.push_text(word);
            }
            sql.push(piece);
        }
        if sql.text.len() == 1 {
            return Self::raw(empty);
        }
        sql.push_text(")");
        sql
    }

    /// True.
    pub fn yes() -> Self {
        Self::raw("TRUE")
    }

    /// False.
    pub fn no() -> Self {
        Self::raw("FALSE")
    }

    /// True where the piece is false or unknown.
    #[must_use]
    pub fn negated(&self) -> Self {
        match self.text.as_str() {
            "TRUE" => Self::no(),
            "FALSE" => Self::yes(),
            _ => Self::of("((?) IS NOT TRUE)", [self]),
        }
    }

    /// The statement for a back end.
    pub fn statement(self, backend: DbBackend) -> Statement {
        let mut sql = String::with_capacity(self.text.len() + 3 * self.values.len());
        for (number, part) in self.text.split(VALUE).enumerate() {
            if number > 0 {
                match backend {
                    DbBackend::Postgres => {
                        sql.push('$');
                        sql.push_str(&number.to_string());
                    }
                    _ => sql.push('?'),
                }
            }
            sql.push_str(part);
        }
        Statement::from_sql_and_values(backend, sql, self.values)
    }
}

/// A name as a literal of SQL.
pub fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_the_order_of_the_text() {
        let inner = Sql::of("f(?, ?)", [&Sql::value("a?b"), &Sql::raw("x")]);
        let whole = Sql::of("? = ? AND ?", [&inner, &Sql::value(2_i64), &inner.negated()]);
        let statement = whole.clone().statement(DbBackend::Postgres);
        assert_eq!(statement.sql, "f($1, x) = $2 AND ((f($3, x)) IS NOT TRUE)");
        assert_eq!(statement.values.unwrap().0.len(), 3);
        assert_eq!(whole.statement(DbBackend::Sqlite).sql, "f(?, x) = ? AND ((f(?, x)) IS NOT TRUE)");
    }

    #[test]
    fn nothing_joined_is_what_was_said() {
        assert_eq!(Sql::joined([], " AND ", "TRUE"), Sql::yes());
        assert_eq!(Sql::joined([&Sql::raw("a"), &Sql::raw("b")], " OR ", "FALSE"), Sql::raw("(a OR b)"));
        assert_eq!(Sql::yes().negated(), Sql::no());
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a'b"), "'a''b'");
    }
}
