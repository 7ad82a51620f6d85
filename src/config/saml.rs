//! `[saml]`: how far an identity provider's clock may be off, how long a sign-in may take, how long the sign-in log is
//! kept, and which addresses beside the public internet metadata may be fetched from.
//!
//! Promise: the skew stays small (five minutes at most), because it stretches every time limit of an
//! assertion at both ends.

use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::http::Network;
use super::problems::{Checker, DAY, MINUTE, SECOND};

#[derive(Debug, Clone)]
pub struct Saml {
    /// May be zero.
    pub clock_skew: Duration,
    /// From the redirect to the identity provider until its answer.
    pub attempt_lifetime: Duration,
    /// Beside the public internet.
    pub metadata_allowed_ranges: Vec<IpNet>,
    /// Zero: there is no sign-in log.
    pub log_kept: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    clock_skew_seconds: i64,
    attempt_minutes: i64,
    metadata_allowed_ranges: Vec<String>,
    log_days: i64,
}

impl Saml {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let allowed: Vec<Network> = checker.list(
            "saml.metadata_allowed_ranges",
            &raw.metadata_allowed_ranges,
            "networks such as \"10.0.0.0/8\" or addresses",
        );
        Self {
            clock_skew: checker.span("saml.clock_skew_seconds", raw.clock_skew_seconds, SECOND, 0..=300),
            attempt_lifetime: checker.span("saml.attempt_minutes", raw.attempt_minutes, MINUTE, 1..=120),
            metadata_allowed_ranges: allowed.into_iter().map(|network| network.0).collect(),
            log_kept: checker.span("saml.log_days", raw.log_days, DAY, 0..=3650),
        }
    }
}
