//! `[limits]`: request rates of one API key, and of one address on the sign-in routes.
//!
//! Promise: every rate is above zero and a burst is at least as large as its rate.

use std::num::NonZeroU32;

use serde::Deserialize;

use super::problems::Checker;

#[derive(Debug, Clone)]
pub struct Limits {
    pub api_key_per_second: NonZeroU32,
    pub api_key_burst: NonZeroU32,
    /// For each client address.
    pub sign_in_per_minute: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    api_key_per_second: i64,
    api_key_burst: i64,
    sign_in_per_minute: i64,
}

impl Limits {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let api_key_per_second =
            checker.rate("limits.api_key_per_second", raw.api_key_per_second, 1..=1_000_000);
        let api_key_burst = checker.rate("limits.api_key_burst", raw.api_key_burst, 1..=10_000_000);
        if api_key_burst < api_key_per_second {
            checker.refuse(
                "limits.api_key_burst",
                format!(
                    "must be at least limits.api_key_per_second ({api_key_per_second}), found {api_key_burst}"
                ),
            );
        }
        Self {
            api_key_per_second,
            api_key_burst,
            sign_in_per_minute: checker.rate(
                "limits.sign_in_per_minute",
                raw.sign_in_per_minute,
                1..=1_000_000,
            ),
        }
    }
}
