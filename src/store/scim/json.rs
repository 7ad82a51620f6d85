//! Places inside a JSON document, in the words of both databases. What is stored is in normal form (the types of the
//! tables, no nulls, nothing empty), and what is not is no value here, never an error.

use super::sql::{Sql, quoted};
use sea_orm::DbBackend;

/// The place of an element in its list.
pub const ORDINAL: &str = "element.key";

/// A place in the JSON of a row, or of one element of a list in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    root: Root,
    path: Vec<String>,
    /// Whether it is an element that has no parts.
    plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Root {
    Column,
    Element,
}

impl Json {
    /// The column `attributes` of the row.
    pub fn column() -> Self {
        Self { root: Root::Column, path: Vec::new(), plain: false }
    }

    /// A place further in; `None` for a name that no path can carry.
    pub fn at<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let mut path = self.path.clone();
        for name in names {
            if name.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
                return None;
            }
            path.push(name.to_owned());
        }
        Some(Self { root: self.root, path, plain: false })
    }

    /// Whether this is an element that has no parts.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The elements of the list that stands here: what to select from, up to its WHERE, and one of them. Its place in
    /// the list is [`ORDINAL`].
    pub fn elements(&self, backend: DbBackend, plain: bool) -> (Sql, Self) {
        let from = if backend == DbBackend::Postgres {
            let list = self.json_b();
            format!(
                "jsonb_array_elements(CASE jsonb_typeof({list}) WHEN 'array' THEN {list} END) \
                 WITH ORDINALITY AS element (value, key) WHERE TRUE"
            )
        } else {
            format!("json_each({}, {}) AS element WHERE TRUE", self.source(), self.sqlite_path())
        };
        (Sql::raw(from), Self { root: Root::Element, path: Vec::new(), plain })
    }

    /// The value as text; NULL if there is none.
    pub fn text(&self, backend: DbBackend) -> Sql {
        match (backend, self.root, self.path.is_empty()) {
            (DbBackend::Postgres, _, true) => Sql::raw(format!("({} #>> '{{}}')", self.source())),
            (DbBackend::Postgres, ..) => {
                Sql::raw(format!("jsonb_extract_path_text({}, {})", self.source(), self.names()))
            }
            (_, Root::Element, true) => Sql::raw("element.atom"),
            _ => self.sqlite("json_extract"),
        }
    }

    /// The name of the value's type; NULL if there is no value.
    pub fn kind(&self, backend: DbBackend) -> Sql {
        match (backend, self.root, self.path.is_empty()) {
            (DbBackend::Postgres, ..) => Sql::raw(format!("jsonb_typeof({})", self.json_b())),
            (_, Root::Element, true) => Sql::raw("element.type"),
            _ => self.sqlite("json_type"),
        }
    }

    /// 'true', 'false' or something else; NULL if there is no value.
    pub fn boolean(&self, backend: DbBackend) -> Sql {
        if backend == DbBackend::Postgres { self.text(backend) } else { self.kind(backend) }
    }

    /// A number; NULL if there is none.
    pub fn number(&self, backend: DbBackend) -> Sql {
        if backend == DbBackend::Postgres {
            return Sql::of(
                "(CASE ? WHEN 'number' THEN ?::float8 END)",
                [&self.kind(backend), &self.text(backend)],
            );
        }
        Sql::of("(CASE WHEN ? IN ('integer', 'real') THEN ? END)", [&self.kind(backend), &self.text(backend)])
    }

    fn source(&self) -> &'static str {
        match self.root {
            Root::Column => "r.attributes",
            Root::Element => "element.value",
        }
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.path.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    }

    fn json_b(&self) -> String {
        if self.path.is_empty() {
            return self.source().to_owned();
        }
        format!("jsonb_extract_path({}, {})", self.source(), self.names())
    }

    fn sqlite_path(&self) -> String {
        let mut path = "$".to_owned();
        for name in &self.path {
            path.push_str(".\"");
            path.push_str(name);
            path.push('"');
        }
        quoted(&path)
    }

    fn sqlite(&self, function: &str) -> Sql {
        let call = format!("{function}({}, {})", self.source(), self.sqlite_path());
        Sql::raw(match self.root {
            Root::Column => call,
            // What is no object is no JSON text either.
            Root::Element => format!("(CASE element.type WHEN 'object' THEN {call} END)"),
        })
    }
}
