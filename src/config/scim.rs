//! `[scim]`: page sizes, the size of a bulk request, the request rate of one SCIM token, how many deactivations are
//! unusual, and how long the request log is kept.
//!
//! Promise: never below 25 requests a second, which identity providers count on, with a burst at least as
//! large as the rate; the default page is not larger than the largest; a bulk request may have 1,000 operations.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::problems::{Checker, DAY};

#[derive(Debug, Clone)]
pub struct Scim {
    pub default_page: u32,
    pub max_page: u32,
    pub bulk_max_operations: u32,
    pub rate_per_second: NonZeroU32,
    pub burst: NonZeroU32,
    pub mass_deactivation_people: u32,
    pub mass_deactivation_percent: u32,
    pub mass_deactivation_minutes: u32,
    /// Zero: there is no log.
    pub log_kept: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    default_page: i64,
    max_page: i64,
    bulk_max_operations: i64,
    rate_per_second: i64,
    burst: i64,
    mass_deactivation_people: i64,
    mass_deactivation_percent: i64,
    mass_deactivation_minutes: i64,
    log_days: i64,
}

impl Scim {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let max_page = checker.number("scim.max_page", raw.max_page, 1..=1000);
        let default_page = checker.number("scim.default_page", raw.default_page, 1..=1000);
        if default_page > max_page {
            checker.refuse(
                "scim.default_page",
                format!("must not be larger than scim.max_page ({max_page}), found {default_page}"),
            );
        }
        let bulk_max_operations =
            checker.number("scim.bulk_max_operations", raw.bulk_max_operations, 1000..=10_000);
        let rate_per_second = checker.rate("scim.rate_per_second", raw.rate_per_second, 25..=100_000);
        let burst = checker.rate("scim.burst", raw.burst, 25..=1_000_000);
        if burst < rate_per_second {
            checker.refuse(
                "scim.burst",
                format!("must be at least scim.rate_per_second ({rate_per_second}), found {burst}"),
            );
        }
        let log_kept = checker.span("scim.log_days", raw.log_days, DAY, 0..=3650);
        let mut number = |key: &str, value, range| checker.number(&format!("scim.{key}"), value, range);
        let raw_minutes = raw.mass_deactivation_minutes;
        Self {
            default_page,
            max_page,
            bulk_max_operations,
            rate_per_second,
            burst,
            mass_deactivation_people: number(
                "mass_deactivation_people",
                raw.mass_deactivation_people,
                1..=1_000_000,
            ),
            mass_deactivation_percent: number(
                "mass_deactivation_percent",
                raw.mass_deactivation_percent,
                1..=100,
            ),
            mass_deactivation_minutes: number("mass_deactivation_minutes", raw_minutes, 1..=60),
            log_kept,
        }
    }
}
