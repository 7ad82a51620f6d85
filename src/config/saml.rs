//! `[saml]`: how far an identity provider's clock may be off, and how long a sign-in may take.
//!
//! Promise: the skew stays small (five minutes at most), because it stretches every time limit of an
//! assertion at both ends.

use std::time::Duration;

use serde::Deserialize;

use super::problems::{Checker, MINUTE, SECOND};

#[derive(Debug, Clone)]
pub struct Saml {
    /// May be zero.
    pub clock_skew: Duration,
    /// From the redirect to the identity provider until its answer.
    pub attempt_lifetime: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    clock_skew_seconds: i64,
    attempt_minutes: i64,
}

impl Saml {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        Self {
            clock_skew: checker.span("saml.clock_skew_seconds", raw.clock_skew_seconds, SECOND, 0..=300),
            attempt_lifetime: checker.span("saml.attempt_minutes", raw.attempt_minutes, MINUTE, 1..=120),
        }
    }
}
