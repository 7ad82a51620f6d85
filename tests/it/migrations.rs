//! The schema on both databases: up, down and up again, and the entities against the tables they stand for.

use std::collections::BTreeSet;

use postern::store::entities;
use postern::store::migrations::{self, MigrationError};
use postern::store::{Db, DbOptions};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Iden, Iterable, Statement};

use crate::support::database::{Backend, Database};
use crate::support::postgres;

fn options(database: &Database) -> DbOptions {
    DbOptions {
        url: database.url().to_owned(),
        max_connections: 2,
        acquire_timeout: std::time::Duration::from_secs(5),
    }
}

async fn names(connection: &DatabaseConnection, sql: &str) -> BTreeSet<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect(sql);
    rows.iter().map(|row| row.try_get::<String>("", "name").expect("a name")).collect()
}

async fn tables(connection: &DatabaseConnection) -> BTreeSet<String> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT tablename::TEXT AS name FROM pg_tables WHERE schemaname = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let mut tables = names(connection, sql).await;
    tables.remove("seaql_migrations");
    tables
}

/// Reads the table through its entity, and compares the names of the columns both ways.
async fn check<E: EntityTrait>(connection: &DatabaseConnection, seen: &mut BTreeSet<String>) {
    let table = E::default().table_name().to_owned();
    E::find().all(connection).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => format!(
            "SELECT column_name::TEXT AS name FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{table}'"
        ),
        _ => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    let columns: BTreeSet<String> = E::Column::iter().map(|column| column.to_string()).collect();
    let mut found = names(connection, &sql).await;
    // The database counts by itself here; no entity names it.
    found.remove("sequence");
    assert_eq!(columns, found, "{table}");
    seen.insert(table);
}

async fn goes_up_down_and_up(backend: Backend) {
    let database = Database::empty(backend).await;
    let options = options(&database);
    let status = migrations::up(&options, None).await.expect("up");
    let steps = u32::try_from(status.applied.len()).expect("few steps");
    assert!(status.pending.is_empty() && status.unknown.is_empty() && steps >= 5, "{status:?}");

    let connection = postgres::connect(database.url().to_owned()).await;
    let first = tables(&connection).await;
    for left in (0..steps).rev() {
        let status = migrations::down(&options, 1).await.expect("down");
        assert_eq!(status.applied.len(), left as usize);
    }
    assert_eq!(tables(&connection).await, BTreeSet::new(), "nothing is left behind");
    migrations::up(&options, Some(2)).await.expect("two steps");
    let status = migrations::up(&options, None).await.expect("the others");
    assert_eq!(status.applied.len(), steps as usize);
    assert_eq!(tables(&connection).await, first);
    connection.close().await.expect("closed");
}

async fn entities_fit(backend: Backend) {
    let database = Database::migrated(backend).await;
    let connection = postgres::connect(database.url().to_owned()).await;
    let mut seen = BTreeSet::new();
    macro_rules! check_all {
        ($($table:ident),+ $(,)?) => { $(check::<entities::$table::Entity>(&connection, &mut seen).await;)+ };
    }
    check_all!(
        api_keys,
        connection_drafts,
        connection_tests,
        deactivation_waves,
        directories,
        directory_counts,
        directory_departures,
        directory_group_members,
        directory_groups,
        directory_schemas,
        directory_users,
        domains,
        event_counters,
        events,
        guests,
        idempotency_keys,
        idp_metadata,
        installation,
        invites,
        links,
        logout_requests,
        members,
        organizations,
        pending_links,
        role_mapping_names,
        role_mappings,
        saml_connections,
        scim_access_tokens,
        saml_keys,
        scim_clients,
        scim_requests,
        scim_tokens,
        sessions,
        sign_in_attempts,
        sign_ins,
        signing_keys,
        used_assertions,
        used_client_assertions,
        users,
    );
    assert_eq!(seen, tables(&connection).await, "a table without an entity, or not looked at here");
    connection.close().await.expect("closed");
}

/// Two nodes that start at once: one migrates, the other is told so or finds nothing to do.
async fn two_migrators_do_not_meet(backend: Backend) {
    let database = Database::empty(backend).await;
    let options = options(&database);
    let (one, two) = tokio::join!(migrations::up(&options, None), migrations::up(&options, None));
    for outcome in [one, two] {
        assert!(matches!(outcome, Ok(_) | Err(MigrationError::Locked)), "{outcome:?}");
    }
    let db = Db::connect(&options).await.expect("connected");
    let status = migrations::status(&db).await.expect("the status");
    assert!(status.pending.is_empty(), "{status:?}");
    db.close().await.expect("closed");
}

macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use super::Backend;

            #[tokio::test]
            async fn sqlite() {
                super::$name(Backend::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(Backend::Postgres).await;
            }
        })+
    };
}
on_each!(goes_up_down_and_up, entities_fit, two_migrators_do_not_meet);
