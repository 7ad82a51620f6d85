//! Settings: built-in defaults, one file, `POSTERN_…` variables and their `_FILE` variants, in this order.
//!
//! `config/postern.toml` is defaults and manual in one file. Whatever is wrong (an unknown key, a wrong
//! type, a value out of range) is collected, so that one run names everything there is to fix, each with
//! the file or variable it came from. Secrets can neither be printed nor logged from here. This is the
//! only place that reads the environment.

pub mod database;
pub mod dns;
mod environment;
pub mod http;
mod layers;
pub mod limits;
pub mod log;
pub mod problems;
pub mod public_url;
pub mod saml;
pub mod scim;
pub mod security;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use layers::{Layers, Setting};
pub use problems::{ConfigError, Problem};
pub use public_url::PublicUrl;

use problems::Checker;

/// The defaults and the manual, as shipped.
pub const BUILT_IN: &str = include_str!("../../config/postern.toml");

/// Every setting, typed and checked. Durations are above zero, addresses parse, ranges hold.
#[derive(Debug, Clone)]
pub struct Config {
    pub public_url: PublicUrl,
    /// Relative to the folder where the process started, unless absolute.
    pub data_dir: PathBuf,
    pub http: http::Http,
    pub database: database::Database,
    pub security: security::Security,
    pub dns: dns::Dns,
    pub saml: saml::Saml,
    pub scim: scim::Scim,
    pub limits: limits::Limits,
    pub log: log::Log,
}

impl Config {
    /// Reads all layers. `file` is the path of `--config`; without it `POSTERN_CONFIG` counts, then
    /// `postern.toml` in the current folder if it exists.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Layers::gather(file).config()
    }

    /// The defaults with `text` over them, without a look at files or the environment: for tests and the
    /// demo. The same checks apply; an empty text gives the defaults.
    pub fn from_toml_str(text: &str) -> Result<Self, ConfigError> {
        Layers::of_text(text).config()
    }

    fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        if raw.data_dir.trim().is_empty() {
            checker.refuse("data_dir", "is empty; give the path of a folder, for example \"data\"");
        }
        let data_dir = PathBuf::from(&raw.data_dir);
        let database = database::Database::check(&raw.database, &data_dir, checker);
        let security = security::Security::check(&raw.security, database.engine, checker);
        Self {
            public_url: PublicUrl::check(&raw.public_url, checker),
            http: http::Http::check(&raw.http, checker),
            database,
            security,
            dns: dns::Dns::check(&raw.dns, checker),
            saml: saml::Saml::check(&raw.saml, checker),
            scim: scim::Scim::check(&raw.scim, checker),
            limits: limits::Limits::check(&raw.limits, checker),
            log: log::Log::check(&raw.log, checker),
            data_dir,
        }
    }
}

/// The settings as written: right in name and kind, not yet in value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    public_url: String,
    data_dir: String,
    http: http::Raw,
    database: database::Raw,
    security: security::Raw,
    dns: dns::Raw,
    saml: saml::Raw,
    scim: scim::Raw,
    limits: limits::Raw,
    log: log::Raw,
}

#[cfg(test)]
mod tests;
