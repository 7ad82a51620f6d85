//! `[database]`: which database, and its pool.
//!
//! Promise: `url` is always a complete URL for one of the two engines; an empty setting has become the
//! SQLite file under `data_dir`. It may hold a password and cannot be printed.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::problems::{Checker, SECOND};

/// The name of the SQLite database under `data_dir`.
pub const SQLITE_FILE: &str = "postern.db";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    PostgreSql,
}

#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`; never empty.
    pub url: SecretString,
    pub engine: Engine,
    pub max_connections: u32,
    pub acquire_timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    url: String,
    max_connections: i64,
    acquire_timeout_seconds: i64,
}

impl Database {
    pub(super) fn check(raw: &Raw, data_dir: &Path, checker: &mut Checker<'_>) -> Self {
        let scheme = raw.url.split_once(':').map_or("", |(scheme, _)| scheme);
        let (engine, url) = match scheme {
            "" if raw.url.is_empty() => (Engine::Sqlite, sqlite_url(data_dir)),
            "sqlite" => (Engine::Sqlite, raw.url.clone()),
            "postgres" | "postgresql" => {
                if Url::parse(&raw.url).is_err() {
                    checker.refuse(
                        "database.url",
                        "is not a valid URL; expected postgres://user:password@host:5432/postern, with \
                         special characters of the password percent-encoded (the value is not shown)",
                    );
                }
                (Engine::PostgreSql, raw.url.clone())
            }
            _ => {
                checker.refuse(
                    "database.url",
                    "must be empty (SQLite under data_dir) or begin with sqlite:// or postgres:// (the value \
                     is not shown)",
                );
                (Engine::Sqlite, String::new())
            }
        };
        Self {
            url: url.into(),
            engine,
            max_connections: checker.number("database.max_connections", raw.max_connections, 1..=1000),
            acquire_timeout: checker.span(
                "database.acquire_timeout_seconds",
                raw.acquire_timeout_seconds,
                SECOND,
                1..=60,
            ),
        }
    }
}

/// The driver decodes percent signs and cuts at `?`, so a folder with such a name has them encoded.
fn sqlite_url(data_dir: &Path) -> String {
    let path = data_dir.join(SQLITE_FILE).to_string_lossy().into_owned();
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

/// A database URL with whatever is secret in it replaced: for `config show` and error messages. What
/// cannot be read as a URL is hidden altogether.
pub fn masked_url(text: &str) -> String {
    if text.is_empty() || text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else { return "(hidden)".to_owned() };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "(hidden)".to_owned();
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let secret = name.to_ascii_lowercase().contains("password");
                (name.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::{masked_url, sqlite_url};
    use std::path::Path;

    #[test]
    fn passwords_are_masked_wherever_the_driver_reads_them_from() {
        assert_eq!(masked_url("postgres://u:p4ss@db/postern"), "postgres://u:***@db/postern");
        assert_eq!(masked_url("postgres://u@db/postern"), "postgres://u@db/postern");
        assert!(!masked_url("postgres://db/postern?user=u&password=p4ss").contains("p4ss"));
        assert_eq!(masked_url("postgres://u:p4ss@[db/postern"), "(hidden)");
        assert_eq!(masked_url(""), "");
    }

    #[test]
    fn a_data_folder_with_url_characters_in_its_name_still_makes_one_path() {
        assert_eq!(sqlite_url(Path::new("/srv/a?b%c")), "sqlite:///srv/a%3Fb%25c/postern.db?mode=rwc");
    }
}
