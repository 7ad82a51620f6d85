//! Comparisons of text as the filter in memory makes them, said in SQL.
//!
//! Neither database folds case as [`fold`] does: SQLite knows ASCII only, PostgreSQL what its locale says. But a
//! comparison with one literal needs no whole folding: only the letters whose folded form has a letter of the literal
//! must be folded, and those are few. So equality and the searches within a text are exact outside ASCII too. An order
//! against a literal outside ASCII is not: what is not ASCII itself is then left to be judged in memory.

use super::compile::Cond;
use super::sql::Sql;
use crate::protocol::scim::filter::{Operator, fold};
use sea_orm::DbBackend;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Most letters folded one by one; a literal that needs more is judged in memory.
const MOST_LETTERS: usize = 60;

/// Every letter outside ASCII that folds to something else, by each character of what it folds to.
static FOLDED_FROM: LazyLock<HashMap<char, Vec<(char, String)>>> = LazyLock::new(|| {
    let mut letters: HashMap<char, Vec<(char, String)>> = HashMap::new();
    for letter in ('\u{80}'..=char::MAX).filter(|c| c.is_uppercase() || c.is_alphabetic()) {
        let folded = fold(letter.encode_utf8(&mut [0; 4]));
        if !folded.chars().eq([letter]) {
            for character in folded.chars() {
                letters.entry(character).or_default().push((letter, folded.clone()));
            }
        }
    }
    letters
});

/// An expression of type text; it is NULL where there is no value.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    pub sql: Sql,
    /// Whether the value is folded already.
    pub folded: bool,
}

impl Text {
    /// As the value was sent.
    pub fn sent(sql: Sql) -> Self {
        Self { sql, folded: false }
    }

    /// Where the comparison with a literal holds.
    pub fn compare(&self, backend: DbBackend, case_exact: bool, operator: Operator, literal: &str) -> Cond {
        let folding = !case_exact && !self.folded;
        let sought = if case_exact { literal.to_owned() } else { fold(literal) };
        let outside_ascii = || {
            let template = match backend {
                DbBackend::Postgres => "octet_length(?) <> char_length(?)",
                _ => "octet_length(?) <> length(?)",
            };
            Sql::of(template, [&self.sql, &self.sql])
        };
        let mut text = self.sql.clone();
        if folding {
            match folded_for(backend, &text, &sought, operator.is_ordering()) {
                Some(folded) => text = folded,
                // Only a text outside ASCII folds to one outside ASCII.
                None => return Cond::between(Sql::no(), outside_ascii()),
            }
        }
        let holds = holds(backend, &text, self.folded, operator, &sought);
        if folding && operator.is_ordering() && !sought.is_ascii() {
            let doubtful = outside_ascii();
            return Cond::between(
                Sql::of("(? AND NOT (?))", [&holds, &doubtful]),
                Sql::of("(? OR ?)", [&holds, &doubtful]),
            );
        }
        Cond::exact(holds)
    }
}

/// The text with ASCII folded, and those letters that can fold to one of the literal; `None` if these are too many.
fn folded_for(backend: DbBackend, text: &Sql, literal: &str, ordering: bool) -> Option<Sql> {
    let lower = if backend == DbBackend::Postgres { "lower(? COLLATE \"C\")" } else { "lower(?)" };
    let mut letters: Vec<&(char, String)> =
        literal.chars().filter_map(|character| FOLDED_FROM.get(&character)).flatten().collect();
    if ordering {
        // Whatever else folds stays outside ASCII, and so behind all of ASCII.
        let to_ascii = ('a'..='z').filter_map(|character| FOLDED_FROM.get(&character)).flatten();
        letters.extend(to_ascii);
    }
    letters.sort_unstable();
    letters.dedup();
    if letters.len() > MOST_LETTERS {
        return None;
    }
    let lowered = Sql::of(lower, [text]);
    Some(letters.into_iter().fold(lowered, |text, (letter, folded)| {
        // Letters need no quoting, and a statement takes only so many values.
        Sql::of(&format!("replace(?, '{letter}', '{folded}')"), [&text])
    }))
}

fn holds(backend: DbBackend, text: &Sql, ranged: bool, operator: Operator, literal: &str) -> Sql {
    let postgres = backend == DbBackend::Postgres;
    let value = Sql::value(literal);
    let length = Sql::value(i64::try_from(literal.chars().count()).unwrap_or(i64::MAX));
    let sign = match operator {
        Operator::Contains | Operator::StartsWith | Operator::EndsWith if literal.is_empty() => {
            return Sql::of("? IS NOT NULL", [text]);
        }
        Operator::Contains => {
            let template = if postgres { "strpos(?, ?) > 0" } else { "instr(?, ?) > 0" };
            return Sql::of(template, [text, &value]);
        }
        Operator::StartsWith => {
            let starts = if postgres { "substr(?, 1, ?::int) = ?" } else { "substr(?, 1, ?) = ?" };
            let starts = Sql::of(starts, [text, &length, &value]);
            // The range is what an index on the folded column serves.
            return match (ranged, successor(literal)) {
                (true, Some(end)) => {
                    Sql::of("(? >= ? AND ? < ? AND ?)", [text, &value, text, &Sql::value(end), &starts])
                }
                _ => starts,
            };
        }
        Operator::EndsWith => {
            let ends = if postgres { "right(?, ?::int) = ?" } else { "substr(?, -?) = ?" };
            return Sql::of(ends, [text, &length, &value]);
        }
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
    };
    let collation = if postgres && operator.is_ordering() { " COLLATE \"C\"" } else { "" };
    Sql::of(&format!("?{collation} {sign} ?"), [text, &value])
}

/// The first text behind all that start with this one, in the order of code points; `None` if there is none.
fn successor(text: &str) -> Option<String> {
    let mut characters: Vec<char> = text.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_letters_outside_ascii_have_ascii_in_their_folded_form() {
        let mut found: Vec<&str> = Vec::new();
        for character in '\0'..='\u{7f}' {
            found
                .extend(FOLDED_FROM.get(&character).into_iter().flatten().map(|(_, folded)| folded.as_str()));
        }
        found.sort_unstable();
        assert_eq!(found, ["i\u{307}", "k"]);
    }

    #[test]
    fn every_letter_that_folds_is_known() {
        for letter in '\u{80}'..=char::MAX {
            let folded = fold(&letter.to_string());
            let known = folded.chars().all(|c| {
                FOLDED_FROM.get(&c).is_some_and(|letters| letters.iter().any(|(l, _)| *l == letter))
            });
            assert_eq!(known, folded != letter.to_string(), "{letter}");
            assert!(!folded.contains('\''));
        }
    }

    #[test]
    fn a_successor_is_behind_all_that_start_alike() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor(""), None);
    }
}
