//! What can be wrong with settings, collected rather than stopped at: one run names everything.
//!
//! A problem names the key, what was expected and found, and where the value came from. The value of a
//! secret never stands in it.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// One thing to fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key (`http.listen`), or the name of the variable or file that could not be read.
    pub subject: String,
    /// What was expected and what was found.
    pub message: String,
    /// Where the value came from: `built-in default`, `file …`, `variable …`.
    pub source: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.subject, self.message, self.source)
    }
}

/// Everything that is wrong with the settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems while raw values are turned into typed ones. A helper that refuses a value returns
/// some valid stand-in, which is never used: a configuration with a problem is not handed out.
pub(super) struct Checker<'a> {
    source_of: &'a dyn Fn(&str) -> String,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(source_of: &'a dyn Fn(&str) -> String) -> Self {
        Self { source_of, problems: Vec::new() }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            subject: key.to_owned(),
            message: message.into(),
            source: (self.source_of)(key),
        });
    }

    /// A whole number within `range`.
    pub(super) fn number(&mut self, key: &str, value: i64, range: RangeInclusive<u32>) -> u32 {
        match u32::try_from(value) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.refuse(key, format!("must lie between {low} and {high}, found {value}"));
                *low
            }
        }
    }

    /// A number of things in memory.
    pub(super) fn count(&mut self, key: &str, value: i64, range: RangeInclusive<u32>) -> usize {
        usize::try_from(self.number(key, value, range)).unwrap_or(usize::MAX)
    }

    /// A rate; the range must not begin at zero.
    pub(super) fn rate(&mut self, key: &str, value: i64, range: RangeInclusive<u32>) -> NonZeroU32 {
        NonZeroU32::new(self.number(key, value, range)).unwrap_or(NonZeroU32::MIN)
    }

    /// A time span counted in `unit` seconds.
    pub(super) fn span(&mut self, key: &str, value: i64, unit: u64, range: RangeInclusive<u32>) -> Duration {
        Duration::from_secs(u64::from(self.number(key, value, range)) * unit)
    }

    /// Every entry of a list parsed; `expected` describes what an entry must be.
    pub(super) fn list<T: FromStr>(&mut self, key: &str, values: &[String], expected: &str) -> Vec<T> {
        let mut parsed = Vec::with_capacity(values.len());
        for value in values {
            match value.parse() {
                Ok(entry) => parsed.push(entry),
                Err(_) => self.refuse(key, format!("expects {expected}, found {value:?}")),
            }
        }
        parsed
    }
}

pub(super) const SECOND: u64 = 1;
pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
