//! `[security]`: the installation key, and how long sessions, access tokens and invites live.
//!
//! Promise: the key, where given, is 32 bytes and cannot be printed; on PostgreSQL it is given. The idle
//! limit of a session is never longer than its life.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretBox};
use serde::Deserialize;

use super::database::Engine;
use super::problems::{Checker, DAY, HOUR, MINUTE};

#[derive(Debug, Clone)]
pub struct Security {
    /// `None` only on SQLite: then it is generated under `data_dir` at first start.
    pub installation_key: Option<InstallationKey>,
    pub session_lifetime: Duration,
    pub session_idle: Duration,
    pub access_token_lifetime: Duration,
    pub invite_lifetime: Duration,
}

/// The key under which private keys and seeds are encrypted at rest. It is written as Base64 (either
/// alphabet, padding optional), the same way in the setting, in its file, and in the generated one.
pub struct InstallationKey(SecretBox<[u8; 32]>);

impl InstallationKey {
    /// Takes the 32 bytes as they are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Reads Base64, white space around it ignored; the error never repeats the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "must be 32 bytes in Base64, as `openssl rand -base64 32` prints them";
        let text = text.trim().replace('-', "+").replace('_', "/");
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
            .decode(text)
            .map_err(|_| format!("{WANTED}; found something that is not Base64"))?;
        let found = bytes.len();
        let key = <[u8; 32]>::try_from(bytes).map_err(|_| format!("{WANTED}; found {found} bytes"))?;
        Ok(Self::from_bytes(key))
    }

    /// The bytes, for the cipher alone.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl Clone for InstallationKey {
    fn clone(&self) -> Self {
        Self::from_bytes(*self.expose())
    }
}

impl std::fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstallationKey(hidden)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    installation_key: String,
    session_lifetime_hours: i64,
    session_idle_minutes: i64,
    access_token_minutes: i64,
    invite_days: i64,
}

impl Security {
    pub(super) fn check(raw: &Raw, engine: Engine, checker: &mut Checker<'_>) -> Self {
        let key = "security.installation_key";
        let installation_key = if raw.installation_key.trim().is_empty() {
            if engine == Engine::PostgreSql {
                checker.refuse(
                    key,
                    "is required on PostgreSQL, the same one for every node: make it once with `openssl rand \
                     -base64 32` and give it as POSTERN_SECURITY__INSTALLATION_KEY, or as a file through \
                     POSTERN_SECURITY__INSTALLATION_KEY_FILE",
                );
            }
            None
        } else {
            InstallationKey::parse(&raw.installation_key)
                .map_err(|problem| checker.refuse(key, format!("{problem} (the value is not shown)")))
                .ok()
        };
        let session_lifetime =
            checker.span("security.session_lifetime_hours", raw.session_lifetime_hours, HOUR, 1..=24 * 90);
        let session_idle =
            checker.span("security.session_idle_minutes", raw.session_idle_minutes, MINUTE, 1..=60 * 24 * 90);
        if session_idle > session_lifetime {
            checker.refuse(
                "security.session_idle_minutes",
                format!(
                    "must not be longer than security.session_lifetime_hours ({} minutes), found {}",
                    session_lifetime.as_secs() / MINUTE,
                    raw.session_idle_minutes
                ),
            );
        }
        Self {
            installation_key,
            session_lifetime,
            session_idle,
            access_token_lifetime: checker.span(
                "security.access_token_minutes",
                raw.access_token_minutes,
                MINUTE,
                1..=15,
            ),
            invite_lifetime: checker.span("security.invite_days", raw.invite_days, DAY, 1..=90),
        }
    }
}
