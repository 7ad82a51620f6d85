//! `[dns]`: whom to ask, and the challenge that proves a domain.
//!
//! Promise: the challenge label is one DNS label, so that label, dot and domain make one valid name.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::problems::{Checker, DAY, SECOND};

#[derive(Debug, Clone)]
pub struct Dns {
    /// Asked in this order; empty means the system's.
    pub nameservers: Vec<SocketAddr>,
    /// One label in lower case, such as `_postern-challenge`.
    pub challenge_label: String,
    pub challenge_lifetime: Duration,
    /// For one look-up, retries included.
    pub timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    nameservers: Vec<String>,
    challenge_label: String,
    challenge_days: i64,
    timeout_seconds: i64,
}

impl Dns {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let label = &raw.challenge_label;
        let valid = (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !valid {
            checker.refuse(
                "dns.challenge_label",
                format!(
                    "must be one DNS label (1 to 63 letters, digits, hyphens and underscores, no dot, no \
                     hyphen at its ends), found {label:?}"
                ),
            );
        }
        Self {
            nameservers: checker.list(
                "dns.nameservers",
                &raw.nameservers,
                "addresses with port such as \"192.0.2.1:53\"",
            ),
            challenge_label: label.to_ascii_lowercase(),
            challenge_lifetime: checker.span("dns.challenge_days", raw.challenge_days, DAY, 1..=90),
            timeout: checker.span("dns.timeout_seconds", raw.timeout_seconds, SECOND, 1..=30),
        }
    }
}
