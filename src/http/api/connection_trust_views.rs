//! The shapes of what a connection trusts: certificates with their states, the metadata they come from, what waits to be
//! confirmed, and what needs attention.

use super::dto::Time;
use crate::model::state::{CertificateSource, CertificateState, MetadataSignature, SloBinding};
use crate::model::time::Timestamp;
use crate::protocol::saml::Certificate;
use crate::protocol::saml::certificate::KeyKind;
use crate::service::Error;
use crate::service::connections::pending::PendingAddresses;
use crate::service::connections::{Assigned, HeldCertificate, IdpMetadata};
use poem_openapi::{Enum, Object};
use time::{Duration, OffsetDateTime};

/// How long before its end a certificate is warned about.
const WARN_BEFORE: Duration = Duration::days(60);

/// Which of the IdP's certificates one is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "SamlCertificateTurn", rename_all = "snake_case")]
pub enum Turn {
    /// Meant to be used now.
    Current,
    /// Meant to be used later, or waiting to be confirmed.
    Next,
}

/// A signing certificate of the IdP.
#[derive(Object)]
#[oai(rename = "SamlCertificate")]
pub struct CertificateView {
    pub subject: String,
    pub not_before: Time,
    pub not_after: Time,
    /// SHA-256 over the certificate, as IdP consoles show it.
    pub sha256_fingerprint: String,
    /// Such as `RSA 2048` or `EC P-256`.
    pub key_type: String,
    pub pem: String,
    /// Only `active` ones are accepted.
    pub state: CertificateState,
    /// Whether it is the IdP's `current` or its `next` one.
    pub turn: Turn,
    pub source: CertificateSource,
    pub first_seen_at: Time,
    /// Since when the IdP's metadata does not have it any more; it will be dropped, unless it is the last one.
    #[oai(skip_serializing_if_is_none)]
    pub missing_since: Option<Time>,
}

impl CertificateView {
    /// The certificate as it is seen now.
    pub fn new(held: &HeldCertificate, now: OffsetDateTime) -> Self {
        let certificate = &held.certificate;
        let later = certificate.not_before() > now || held.state == CertificateState::Pending;
        Self {
            subject: certificate.subject().to_owned(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            sha256_fingerprint: certificate.fingerprint().to_owned(),
            key_type: match certificate.key_kind() {
                KeyKind::Rsa(bits) => format!("RSA {bits}"),
                KeyKind::Ec(bits) => format!("EC P-{bits}"),
            },
            pem: certificate.to_pem(),
            state: held.state,
            turn: if later { Turn::Next } else { Turn::Current },
            source: held.source,
            first_seen_at: held.first_seen.to_datetime(),
            missing_since: held.missing_since.map(Timestamp::to_datetime),
        }
    }
}

/// Something that works and needs attention.
#[derive(Object)]
#[oai(rename = "SamlConnectionWarning")]
pub struct WarningView {
    /// `certificate_expired`, `certificate_expires_soon`, `certificate_not_yet_valid`, `certificate_pending`,
    /// `certificate_missing`, `addresses_pending`, `metadata_failing` or `metadata_lapsed`.
    pub code: String,
    pub message: String,
}

impl WarningView {
    fn new(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message }
    }

    /// All warnings of a connection.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row that cannot be read again.
    pub fn all(
        assigned: &Assigned,
        held: &[HeldCertificate],
        now: OffsetDateTime,
    ) -> Result<Vec<Self>, Error> {
        let mut all: Vec<Self> = held.iter().filter_map(|held| of_certificate(held, now)).collect();
        let Some(metadata) = &assigned.metadata else { return Ok(all) };
        if PendingAddresses::of(metadata)?.is_some_and(|pending| !pending.dismissed) {
            let message = "The IdP's metadata has other addresses, and no key that is trusted signed it. Confirm them if the IdP really moved.";
            all.push(Self::new("addresses_pending", message.to_owned()));
        }
        if let Some(error) = &metadata.error {
            all.push(Self::new(
                "metadata_failing",
                format!("The metadata was not taken at the last try: {error}"),
            ));
        }
        if let Some(end) = metadata.valid_until.map(Timestamp::to_datetime).filter(|end| *end <= now) {
            let message = format!(
                "The metadata says that it was valid until {} only. What it said still counts; give newer metadata.",
                end.date()
            );
            all.push(Self::new("metadata_lapsed", message));
        }
        Ok(all)
    }
}

fn of_certificate(held: &HeldCertificate, now: OffsetDateTime) -> Option<WarningView> {
    let certificate: &Certificate = &held.certificate;
    let which = format!("The certificate {}", certificate.fingerprint());
    match held.state {
        CertificateState::Dismissed => return None,
        CertificateState::Pending => {
            let message = format!(
                "{which} is in the IdP's metadata, and no key that is trusted signed that. What it signed is refused until somebody confirms it."
            );
            return Some(WarningView::new("certificate_pending", message));
        }
        CertificateState::Active => {}
    }
    Some(if certificate.not_after() <= now {
        let message = format!(
            "{which} expired on {}. What it signed is still accepted; put a new one in its place.",
            certificate.not_after().date()
        );
        WarningView::new("certificate_expired", message)
    } else if held.missing_since.is_some() {
        let message = format!(
            "{which} is not in the IdP's metadata any more and will be dropped unless it is the last."
        );
        WarningView::new("certificate_missing", message)
    } else if certificate.not_before() > now {
        let message = format!("{which} is meant to be used from {} on.", certificate.not_before().date());
        WarningView::new("certificate_not_yet_valid", message)
    } else if certificate.remaining(now) < WARN_BEFORE {
        let message =
            format!("{which} expires on {}. Add its successor before.", certificate.not_after().date());
        WarningView::new("certificate_expires_soon", message)
    } else {
        return None;
    })
}

/// Why metadata was not taken at the last try.
#[derive(Object)]
#[oai(rename = "SamlMetadataError")]
pub struct MetadataErrorView {
    /// A stable code such as `host_not_found`, `status_unexpected` or `entity_id_changed`.
    pub code: String,
    pub message: String,
}

/// Addresses that the IdP's metadata offered without a signature of a trusted key.
#[derive(Object)]
#[oai(rename = "SamlPendingAddresses")]
pub struct PendingAddressesView {
    pub sso_url: String,
    #[oai(skip_serializing_if_is_none)]
    pub slo_url: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub slo_response_url: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub slo_binding: Option<SloBinding>,
    /// Whether somebody said no to them.
    pub dismissed: bool,
    pub first_seen_at: Time,
}

impl From<PendingAddresses> for PendingAddressesView {
    fn from(pending: PendingAddresses) -> Self {
        Self {
            first_seen_at: pending.first_seen().to_datetime(),
            sso_url: pending.addresses.sso_url,
            slo_url: pending.addresses.slo.url,
            slo_response_url: pending.addresses.slo.response_url,
            slo_binding: pending.addresses.slo.binding,
            dismissed: pending.dismissed,
        }
    }
}

/// The metadata that a connection's facts come from.
#[derive(Object)]
#[oai(rename = "SamlMetadata")]
pub struct MetadataView {
    /// When it was fetched last, whatever came of it; absent for metadata that was pasted.
    #[oai(skip_serializing_if_is_none)]
    pub fetched_at: Option<Time>,
    /// When it was last fetched and taken.
    #[oai(skip_serializing_if_is_none)]
    pub succeeded_at: Option<Time>,
    /// When it is fetched next.
    #[oai(skip_serializing_if_is_none)]
    pub next_fetch_at: Option<Time>,
    /// Absent if the last fetch went well.
    #[oai(skip_serializing_if_is_none)]
    pub error: Option<MetadataErrorView>,
    /// Until when it is valid by its own word.
    #[oai(skip_serializing_if_is_none)]
    pub valid_until: Option<Time>,
    /// Who signed the last document that was taken. Only what a `current_key` signed brings new keys by itself.
    #[oai(skip_serializing_if_is_none)]
    pub signature: Option<MetadataSignature>,
    /// The formats of NameID that the IdP offers.
    pub name_id_formats: Vec<String>,
    /// Whether the IdP asks for signed requests.
    pub wants_signed_requests: bool,
    #[oai(skip_serializing_if_is_none)]
    pub pending_addresses: Option<PendingAddressesView>,
}

impl MetadataView {
    /// What is known of a connection's metadata.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row that cannot be read again.
    pub fn new(row: &IdpMetadata) -> Result<Self, Error> {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_datetime);
        let error = row.error_code.clone().zip(row.error.clone());
        let formats = row.name_id_formats.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            fetched_at: time(row.fetched_at),
            succeeded_at: time(row.succeeded_at),
            next_fetch_at: time(row.next_fetch_at),
            error: error.map(|(code, message)| MetadataErrorView { code, message }),
            valid_until: time(row.valid_until),
            signature: row.signature,
            name_id_formats: formats.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            wants_signed_requests: row.wants_signed_requests,
            pending_addresses: PendingAddresses::of(row)?.map(Into::into),
        })
    }
}
