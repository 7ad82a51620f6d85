//! The schema of Postern, one file a step, for SQLite and PostgreSQL alike. Steps name tables as text, never as
//! entities: entities change, history must not. Each step runs in a transaction on both and can be taken back.
//!
//! Times are BIGINT microseconds since 1970 (one order on both databases), ids are UUIDs (BLOB on SQLite), closed
//! lists are words. Every table leads with the organization where it can.
//!
//! Members, directory users and events have no foreign key to their organization or directory: each insert would lock
//! that one row, and all writers of an organization would queue behind it. Those rows are never deleted under them.

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{MigratorTrait, SchemaManager};

mod m0001_organizations;
mod m0002_domains;
mod m0003_directories;
mod m0004_credentials;
mod m0005_events;
mod m0006_groups;
mod m0007_lists;
mod m0008_oauth;
mod m0009_scim_requests;
mod m0010_schemas;
mod m0011_deactivation_waves;
mod m0012_saml_keys;
mod m0013_idp_metadata;
mod m0014_sign_in_log;
mod m0015_enforcement;
mod m0016_linking;
mod m0017_single_logout;

/// All steps, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_organizations::Step),
            Box::new(m0002_domains::Step),
            Box::new(m0003_directories::Step),
            Box::new(m0004_credentials::Step),
            Box::new(m0005_events::Step),
            Box::new(m0006_groups::Step),
            Box::new(m0007_lists::Step),
            Box::new(m0008_oauth::Step),
            Box::new(m0009_scim_requests::Step),
            Box::new(m0010_schemas::Step),
            Box::new(m0011_deactivation_waves::Step),
            Box::new(m0012_saml_keys::Step),
            Box::new(m0013_idp_metadata::Step),
            Box::new(m0014_sign_in_log::Step),
            Box::new(m0015_enforcement::Step),
            Box::new(m0016_linking::Step),
            Box::new(m0017_single_logout::Step),
        ]
    }
}

/// Runs statements one by one, with the column types `{uuid}`, `{bytes}`, `{json}` and `{folded}` (text in the order of
/// its bytes, whatever the locale), and the primary key `{sequence}` that counts rows in the order of their making, in
/// the back end's own words. What begins with `{postgres}` is for PostgreSQL alone.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let is_postgres = manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres;
    let (uuid, bytes, json, folded, sequence) = if is_postgres {
        ("UUID", "BYTEA", "JSONB", "TEXT COLLATE \"C\"", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    } else {
        ("BLOB", "BLOB", "TEXT", "TEXT", "INTEGER PRIMARY KEY")
    };
    for statement in statements {
        let statement = match statement.strip_prefix("{postgres}") {
            Some(_) if !is_postgres => continue,
            Some(statement) => statement,
            None => statement,
        };
        let sql = statement
            .replace("{uuid}", uuid)
            .replace("{bytes}", bytes)
            .replace("{json}", json)
            .replace("{folded}", folded)
            .replace("{sequence}", sequence);
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Defines one step from its statements up and down.
macro_rules! step {
    ($name:literal, up: $up:expr, down: $down:expr $(,)?) => {
        /// The step.
        pub struct Step;

        impl sea_orm_migration::MigrationName for Step {
            fn name(&self) -> &str {
                $name
            }
        }

        #[sea_orm_migration::async_trait::async_trait]
        impl sea_orm_migration::MigrationTrait for Step {
            async fn up(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::DbErr> {
                crate::run(manager, $up).await
            }

            async fn down(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::DbErr> {
                crate::run(manager, $down).await
            }

            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
}
pub(crate) use step;
