//! One migrated database per test, on SQLite and on PostgreSQL: `on_both_databases!` runs a test on each.

use std::path::PathBuf;

use postern_migrations::{Migrator, MigratorTrait};
use tokio::sync::OnceCell;

use super::{
    postgres::{self, PostgresDatabase},
    scratch::Scratch,
};

/// The two databases the product runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database of one test; gone with this handle.
pub struct Database {
    url: String,
    backend: Backend,
    _postgres: Option<PostgresDatabase>,
    folder: Option<Scratch>,
}

impl Database {
    /// An empty database, without tables.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::sqlite(),
            Backend::Postgres => Self::postgres(postgres::fresh_database().await),
        }
    }

    /// A database with the newest schema and no rows.
    pub async fn migrated(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let database = Self::sqlite();
                std::fs::write(database.file(), migrated_file().await).expect("a copy");
                database
            }
            Backend::Postgres => Self::postgres(postgres::template("migrated", migrate).await),
        }
    }

    /// One that somebody else made and takes away.
    pub fn at(backend: Backend, url: String) -> Self {
        Self { url, backend, _postgres: None, folder: None }
    }

    /// Where it is reached, as `database.url` of the configuration wants it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which of the two it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    fn sqlite() -> Self {
        let folder = Scratch::new("sqlite");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("postern.db").display());
        Self { url, backend: Backend::Sqlite, _postgres: None, folder: Some(folder) }
    }

    fn postgres(database: PostgresDatabase) -> Self {
        let url = database.url().to_owned();
        Self { url, backend: Backend::Postgres, _postgres: Some(database), folder: None }
    }

    fn file(&self) -> PathBuf {
        self.folder.as_ref().expect("SQLite has a folder").path().join("postern.db")
    }
}

/// A migrated SQLite file, made once per process.
async fn migrated_file() -> &'static [u8] {
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let made = FILE.get_or_init(|| async {
        let database = Database::sqlite();
        migrate(database.url.clone()).await;
        std::fs::read(database.file()).expect("the file")
    });
    made.await
}

async fn migrate(url: String) {
    let connection = postgres::connect(url).await;
    Migrator::up(&connection, None).await.expect("the migrations run");
    connection.close().await.expect("closed");
}

/// Defines tests that run on SQLite and on PostgreSQL, each time with a migrated database of their own:
///
/// ```ignore
/// on_both_databases! {
///     async fn a_member_is_found(database: Database) { … }
/// }
/// ```
/// gives the tests `a_member_is_found::sqlite` and `a_member_is_found::postgres`.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident: Database) $body:block)+) => {
        $(mod $name {
            use super::*;
            use $crate::support::database::{Backend, Database};

            async fn run($database: Database) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(Database::migrated(Backend::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run(Database::migrated(Backend::Postgres).await).await;
            }
        })+
    };
}
pub(crate) use on_both_databases;
