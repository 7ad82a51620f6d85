//! The setting of enforcement, of a domain and of an organization alike: on or off, from when on, and the grace of
//! sessions of before. What a change of it asks for stands in [`super::ways`].

use super::super::{Error, FieldError};
use super::{MOST_GRACE_DAYS, Term};
use crate::model::state::SsoEnforcement;
use crate::model::time::Timestamp;
use crate::store::domains::Domain;
use crate::store::organizations::Organization;
use serde_json::{Value, json};
use std::time::Duration;

/// How far ahead it may be set to start.
const FARTHEST_START: Duration = Duration::from_hours(365 * 24);

/// What is to change; `None` leaves alone, a start of `Some(None)` is "at once".
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub on: Option<bool>,
    pub starts_at: Option<Option<Timestamp>>,
    pub grace_days: Option<i32>,
}

/// The names of the fields.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Fields {
    pub starts_at: &'static str,
    pub grace_days: &'static str,
}

pub(in crate::service) const OF_DOMAIN: Fields =
    Fields { starts_at: "sso_enforcement_starts_at", grace_days: "sso_enforcement_grace_days" };
pub(in crate::service) const OF_ORGANIZATION: Fields =
    Fields { starts_at: "sso_required_starts_at", grace_days: "sso_required_grace_days" };

/// The setting; a start there is only while it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub on: bool,
    pub starts_at: Option<Timestamp>,
    pub grace_days: i32,
}

impl Setting {
    /// That of a domain.
    pub fn of_domain(row: &Domain) -> Self {
        Self {
            on: row.sso_enforcement == SsoEnforcement::Saml,
            starts_at: row.sso_enforcement_starts_at,
            grace_days: row.sso_enforcement_grace_days,
        }
    }

    /// That of an organization.
    pub const fn of_organization(row: &Organization) -> Self {
        Self {
            on: row.sso_required,
            starts_at: row.sso_required_starts_at,
            grace_days: row.sso_required_grace_days,
        }
    }

    pub(in crate::service) fn put_domain(self, row: &mut Domain) {
        row.sso_enforcement = if self.on { SsoEnforcement::Saml } else { SsoEnforcement::None };
        row.sso_enforcement_starts_at = self.starts_at;
        row.sso_enforcement_grace_days = self.grace_days;
    }

    pub(in crate::service) const fn put_organization(self, row: &mut Organization) {
        row.sso_required = self.on;
        row.sso_required_starts_at = self.starts_at;
        row.sso_required_grace_days = self.grace_days;
    }

    /// From when on it closes other ways in; nothing while it is off.
    pub fn term(self) -> Option<Term> {
        let starts_at = self.starts_at.filter(|_| self.on)?;
        Some(Term { starts_at, grace_days: self.grace_days })
    }

    /// The setting with these changes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a start that is over, a year ahead or of nothing, and for a grace out of its bounds.
    pub(in crate::service) fn with(
        self,
        given: &Given,
        now: Timestamp,
        fields: Fields,
    ) -> Result<Self, Error> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, code, message| {
            errors.push(FieldError { field: field.to_owned(), code, message });
        };
        let on = given.on.unwrap_or(self.on);
        let grace_days = given.grace_days.unwrap_or(self.grace_days);
        if !(0..=MOST_GRACE_DAYS).contains(&grace_days) {
            let message =
                format!("{grace_days} was given; a number of days from 0 to {MOST_GRACE_DAYS} was expected.");
            wrong(fields.grace_days, "out_of_range", message);
        }
        let starts_at = match given.starts_at {
            Some(Some(start)) if !on => {
                let message = format!("{start} was given, and nothing is enforced that could start.");
                wrong(fields.starts_at, "not_enforced", message);
                None
            }
            _ if !on => None,
            Some(Some(start)) if Some(start) == self.starts_at => self.starts_at,
            Some(Some(start)) => {
                if start < now {
                    let message =
                        format!("{start} is over; a time after {now}, or null for at once, was expected.");
                    wrong(fields.starts_at, "in_the_past", message);
                }
                if start > now.plus(FARTHEST_START) {
                    let message = format!("{start} was given; it starts within a year.");
                    wrong(fields.starts_at, "out_of_range", message);
                }
                Some(start)
            }
            Some(None) => Some(self.starts_at.filter(|_| self.on).map_or(now, |start| start.min(now))),
            None => self.starts_at.filter(|_| self.on).or(Some(now)),
        };
        if errors.is_empty() { Ok(Self { on, starts_at, grace_days }) } else { Err(Error::Invalid(errors)) }
    }

    /// What events tell of it.
    pub(in crate::service) fn told(self) -> Value {
        json!({
            "starts_at": self.starts_at,
            "grace_days": self.grace_days,
            "grace_ends_at": self.term().map(Term::grace_ends_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_009_600_000_000);
    const OFF: Setting = Setting { on: false, starts_at: None, grace_days: 7 };

    fn on() -> Given {
        Given { on: Some(true), ..Given::default() }
    }

    #[test]
    fn starts_at_once_unless_a_time_is_given() {
        let set = OFF.with(&on(), NOW, OF_DOMAIN).unwrap();
        assert_eq!(set, Setting { on: true, starts_at: Some(NOW), grace_days: 7 });
        let later = NOW.plus(Duration::from_hours(1));
        let given = Given { starts_at: Some(Some(later)), ..on() };
        let set = OFF.with(&given, NOW, OF_DOMAIN).unwrap();
        assert_eq!(set.starts_at, Some(later));
        // The same again changes nothing, also when it is over; null is at once.
        let after = later.plus(Duration::from_hours(1));
        assert_eq!(set.with(&given, after, OF_DOMAIN).unwrap(), set);
        assert_eq!(set.with(&on(), after, OF_DOMAIN).unwrap(), set);
        let at_once = Given { starts_at: Some(None), ..Given::default() };
        assert_eq!(set.with(&at_once, NOW, OF_DOMAIN).unwrap().starts_at, Some(NOW));
        assert_eq!(set.with(&at_once, after, OF_DOMAIN).unwrap(), set);
        let off = Given { on: Some(false), ..Given::default() };
        assert_eq!(set.with(&off, NOW, OF_DOMAIN).unwrap(), OFF);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let hour = Duration::from_hours(1);
        for (given, field, code) in [
            (Given { starts_at: Some(Some(NOW.minus(hour))), ..on() }, OF_DOMAIN.starts_at, "in_the_past"),
            (
                Given { starts_at: Some(Some(NOW.plus(hour * 9_000))), ..on() },
                OF_DOMAIN.starts_at,
                "out_of_range",
            ),
            (
                Given { starts_at: Some(Some(NOW.plus(hour))), ..Given::default() },
                OF_DOMAIN.starts_at,
                "not_enforced",
            ),
            (Given { grace_days: Some(31), ..on() }, OF_DOMAIN.grace_days, "out_of_range"),
            (Given { grace_days: Some(-1), ..on() }, OF_DOMAIN.grace_days, "out_of_range"),
        ] {
            let Err(Error::Invalid(errors)) = OFF.with(&given, NOW, OF_DOMAIN) else {
                panic!("{given:?} is taken")
            };
            assert_eq!((errors[0].field.as_str(), errors[0].code), (field, code));
        }
    }
}
