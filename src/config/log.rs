//! `[log]`: the form of the log and how much of it.
//!
//! Promise: only the values named in the manual; a typing error never means silence.

use serde::Deserialize;

use super::problems::Checker;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy)]
pub struct Log {
    pub format: Format,
    pub level: tracing::Level,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    format: String,
    level: String,
}

impl Log {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let format = match raw.format.as_str() {
            "human" => Format::Human,
            "json" => Format::Json,
            other => {
                checker.refuse("log.format", format!("must be \"human\" or \"json\", found {other:?}"));
                Format::Human
            }
        };
        let level = match raw.level.as_str() {
            "error" => tracing::Level::ERROR,
            "warn" => tracing::Level::WARN,
            "info" => tracing::Level::INFO,
            "debug" => tracing::Level::DEBUG,
            "trace" => tracing::Level::TRACE,
            other => {
                checker.refuse(
                    "log.level",
                    format!("must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found {other:?}"),
                );
                tracing::Level::INFO
            }
        };
        Self { format, level }
    }
}
