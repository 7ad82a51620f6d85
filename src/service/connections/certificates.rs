//! The IdP's signing certificates of a connection, as they are stored: each with its state, where it came from, since
//! when it is known, and which warnings of its end were given.
//!
//! Only those that are `active` verify anything. A date that has passed stops none of them (IdPs sign with self-signed
//! certificates for years); it is warned about.

use super::super::Error;
use crate::model::state::{CertificateSource, CertificateState};
use crate::model::time::Timestamp;
use crate::protocol::saml::Certificate;
use crate::store::connections::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// How many days before the end of a certificate somebody is told; the last time at its end.
const TELL_BEFORE: [u16; 4] = [60, 30, 7, 0];

/// A certificate of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCertificate {
    pub certificate: Certificate,
    pub state: CertificateState,
    pub source: CertificateSource,
    pub first_seen: Timestamp,
    /// Since when the metadata that it came from does not have it any more.
    pub missing_since: Option<Timestamp>,
    /// The last of [`TELL_BEFORE`] that was told, or that had passed when the certificate came.
    told: Option<u16>,
}

impl HeldCertificate {
    /// One that nobody had here before.
    pub fn new(
        certificate: Certificate,
        state: CertificateState,
        source: CertificateSource,
        now: Timestamp,
    ) -> Self {
        let told = passed(&certificate, now);
        Self { certificate, state, source, first_seen: now, missing_since: None, told }
    }

    /// Whether it verifies responses.
    pub fn is_active(&self) -> bool {
        self.state == CertificateState::Active
    }

    /// Makes it verify responses from now on. Warnings whose time has passed are not made up for.
    pub fn activate(&mut self, now: Timestamp) {
        self.state = CertificateState::Active;
        self.missing_since = None;
        self.told = passed(&self.certificate, now);
    }

    /// When somebody is to be told next that it ends.
    fn next_warning(&self) -> Option<Timestamp> {
        let next = TELL_BEFORE.into_iter().find(|days| self.told.is_none_or(|told| *days < told))?;
        Some(end(&self.certificate).minus(DAY * u32::from(next)))
    }

    /// Whether somebody is to be told now that it ends; afterwards that is taken as told.
    pub fn take_warning(&mut self, now: Timestamp) -> bool {
        let passed = passed(&self.certificate, now);
        let due = self.is_active() && passed.is_some_and(|days| self.told.is_none_or(|told| days < told));
        if due {
            self.told = passed;
        }
        due
    }
}

/// Until when it is meant to be used.
pub fn end(certificate: &Certificate) -> Timestamp {
    certificate.not_after().into()
}

/// The last of [`TELL_BEFORE`] whose time has come.
fn passed(certificate: &Certificate, now: Timestamp) -> Option<u16> {
    let end = end(certificate);
    TELL_BEFORE.into_iter().rev().find(|days| end.minus(DAY * u32::from(*days)) <= now)
}

/// When somebody is to be told next that one of these ends.
pub fn next_warning(held: &[HeldCertificate]) -> Option<Timestamp> {
    held.iter().filter(|held| held.is_active()).filter_map(HeldCertificate::next_warning).min()
}

/// The certificates after others were given in their place, all of them active: those that were there before keep what is
/// known of them.
pub fn replace(
    before: &[HeldCertificate],
    given: Vec<Certificate>,
    source: CertificateSource,
    now: Timestamp,
) -> Vec<HeldCertificate> {
    let one = |certificate: Certificate| match before.iter().find(|held| held.certificate == certificate) {
        Some(held) if held.is_active() => HeldCertificate { source, missing_since: None, ..held.clone() },
        Some(held) => {
            let mut held = HeldCertificate { source, ..held.clone() };
            held.activate(now);
            held
        }
        None => HeldCertificate::new(certificate, CertificateState::Active, source, now),
    };
    given.into_iter().map(one).collect()
}

#[derive(Serialize, Deserialize)]
struct Stored {
    pem: String,
    state: CertificateState,
    source: CertificateSource,
    /// In microseconds, as times are stored.
    first_seen: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<u16>,
}

/// Puts the certificates into a connection's row.
///
/// # Errors
/// None that is expected.
pub fn put(connection: &mut Connection, held: &[HeldCertificate]) -> Result<(), Error> {
    let stored: Vec<Stored> = held
        .iter()
        .map(|held| Stored {
            pem: held.certificate.to_pem(),
            state: held.state,
            source: held.source,
            first_seen: held.first_seen.micros(),
            missing_since: held.missing_since.map(Timestamp::micros),
            told: held.told,
        })
        .collect();
    connection.certificates =
        serde_json::to_value(stored).map_err(|error| Error::Internal(error.to_string()))?;
    connection.certificates_warn_at = next_warning(held);
    Ok(())
}

fn stored(connection: &Connection) -> Result<Vec<Stored>, Error> {
    Vec::<Stored>::deserialize(&connection.certificates).map_err(|_| unreadable(connection))
}

fn unreadable(connection: &Connection) -> Error {
    Error::Internal(format!("the certificates of {} cannot be read again", connection.id))
}

fn read(connection: &Connection, pem: &str) -> Result<Certificate, Error> {
    let mut found = Certificate::parse_text(pem).map_err(|_| unreadable(connection))?;
    found.pop().ok_or_else(|| unreadable(connection))
}

/// All certificates of a stored connection, whatever their state; empty for a draft that has none yet.
///
/// # Errors
/// [`Error::Internal`] for a row that was not written by this file.
pub fn held(connection: &Connection) -> Result<Vec<HeldCertificate>, Error> {
    let one = |stored: Stored| {
        Ok(HeldCertificate {
            certificate: read(connection, &stored.pem)?,
            state: stored.state,
            source: stored.source,
            first_seen: Timestamp::from_micros(stored.first_seen),
            missing_since: stored.missing_since.map(Timestamp::from_micros),
            told: stored.told,
        })
    };
    stored(connection)?.into_iter().map(one).collect()
}

/// The certificates of a stored connection that verify responses.
///
/// # Errors
/// As for [`held`].
pub fn active(connection: &Connection) -> Result<Vec<Certificate>, Error> {
    let active = stored(connection)?.into_iter().filter(|stored| stored.state == CertificateState::Active);
    active.map(|stored| read(connection, &stored.pem)).collect()
}

/// Whether there is a certificate that verifies responses.
pub fn has_active(connection: &Connection) -> bool {
    let is_active = |one: &Value| one["state"] == CertificateState::Active.as_str();
    connection.certificates.as_array().is_some_and(|all| all.iter().any(is_active))
}
