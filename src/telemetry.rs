//! The log: one subscriber for the process, human or JSON, on standard error.
//!
//! Promise: our own events at the level asked for; the libraries that would print SQL parameters, names
//! asked of DNS or headers stay at warnings whatever the level. Starting twice changes nothing and fails
//! nothing, so that tests may call it freely.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::log::{Format, Log};

/// Libraries whose lower levels carry values that do not belong in a log.
const QUIET: [&str; 8] = [
    "sqlx",
    "sea_orm",
    "sea_orm_migration",
    "hickory_proto",
    "hickory_resolver",
    "hickory_server",
    "hyper",
    "hyper_util",
];

/// Starts logging for this process. A second call has no effect.
pub fn start(log: &Log) {
    let filter = filter(log.level);
    let layer = match log.format {
        Format::Human => {
            fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
        Format::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr).boxed()
        }
    };
    // Somebody was first: a test, or a sub-command that starts another. Theirs stays.
    let _ = registry().with(layer.with_filter(filter)).try_init();
}

fn filter(level: Level) -> Targets {
    let quiet = LevelFilter::from_level(level).min(LevelFilter::WARN);
    Targets::new().with_default(level).with_targets(QUIET.map(|library| (library, quiet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_stay_quiet_where_our_own_events_do_not() {
        let filter = filter(Level::TRACE);
        assert!(filter.would_enable("postern::service::domains", &Level::TRACE));
        assert!(!filter.would_enable("sqlx::query", &Level::INFO));
        assert!(!filter.would_enable("hickory_resolver::lookup", &Level::DEBUG));
        assert!(filter.would_enable("sqlx::pool", &Level::WARN));
        assert!(!super::filter(Level::ERROR).would_enable("sqlx::pool", &Level::WARN));
    }

    #[test]
    fn starting_twice_is_harmless() {
        let log = Log { format: Format::Json, level: Level::ERROR };
        start(&log);
        start(&log);
    }
}
