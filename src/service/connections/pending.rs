//! What the IdP's metadata offered without anybody vouching for it: keys and addresses that wait until somebody who may
//! change trust confirms them (rule 10a), or somebody says no.

use super::super::{Ctx, Error, Services};
use super::facts::Slo;
use super::{Assigned, Connection, assigned, certificates, missing};
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::state::CertificateState;
use crate::model::time::Timestamp;
use crate::protocol::saml::{Certificate, IdpMetadata as Read};
use crate::service::permissions::{Action, may};
use crate::store;
use crate::store::idp_metadata::IdpMetadata;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where an IdP is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pub sso_url: String,
    pub slo: Slo,
}

impl Addresses {
    /// Those that a connection has.
    pub fn of(connection: &Connection) -> Self {
        Self { sso_url: connection.sso_url.clone(), slo: Slo::of(connection) }
    }

    /// Those that metadata has.
    pub(super) fn offered(metadata: &Read) -> Self {
        Self { sso_url: metadata.sso_redirect_url.clone(), slo: Slo::offered(metadata) }
    }

    pub(super) fn put(self, connection: &mut Connection) {
        connection.sso_url = self.sso_url;
        self.slo.put(connection);
    }
}

/// Addresses that wait, or that somebody said no to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAddresses {
    pub addresses: Addresses,
    pub dismissed: bool,
    first_seen: i64,
}

impl PendingAddresses {
    pub(super) const fn new(addresses: Addresses, now: Timestamp) -> Self {
        Self { addresses, dismissed: false, first_seen: now.micros() }
    }

    /// Since when they wait.
    pub const fn first_seen(&self) -> Timestamp {
        Timestamp::from_micros(self.first_seen)
    }

    /// Those of a stored row.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row that was not written by this file.
    pub fn of(row: &IdpMetadata) -> Result<Option<Self>, Error> {
        let Some(stored) = &row.pending_addresses else { return Ok(None) };
        serde_json::from_value(stored.clone()).map(Some).map_err(|error| {
            Error::Internal(format!(
                "the pending addresses of {} cannot be read again: {error}",
                row.connection_id
            ))
        })
    }

    pub(super) fn stored(&self) -> Result<Value, Error> {
        serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))
    }
}

/// What events show of a certificate.
pub(super) fn described(certificate: &Certificate) -> Value {
    json!({
        "sha256_fingerprint": certificate.fingerprint(),
        "subject": certificate.subject(),
        "not_before": Timestamp::from(certificate.not_before()),
        "not_after": Timestamp::from(certificate.not_after()),
    })
}

/// Trusts a certificate that waits, or that was dismissed. A change of trust; once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if the connection has no certificate with this SHA-256 fingerprint; [`Error::Forbidden`].
pub async fn confirm_certificate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    fingerprint: &str,
) -> Result<Assigned, Error> {
    may(ctx, organization, Action::WriteConnections)?;
    may(ctx, organization, Action::ChangeTrust)?;
    set_state(services, ctx, organization, id, fingerprint, CertificateState::Active).await
}

/// Says no to a certificate that waits: it is shown as dismissed for as long as the metadata has it.
///
/// # Errors
/// [`Error::NotFound`]; 409 `certificate_active` for one that is trusted already; [`Error::Forbidden`].
pub async fn dismiss_certificate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    fingerprint: &str,
) -> Result<Assigned, Error> {
    may(ctx, organization, Action::WriteConnections)?;
    set_state(services, ctx, organization, id, fingerprint, CertificateState::Dismissed).await
}

async fn set_state(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    fingerprint: &str,
    state: CertificateState,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let mut connection = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    let mut held = certificates::held(&connection)?;
    let wanted = plain(fingerprint);
    let found = held.iter_mut().find(|held| plain(held.certificate.fingerprint()) == wanted);
    let found = found.ok_or_else(|| Error::not_found("certificate of this connection"))?;
    if found.state == state {
        return assigned(&tx, scope, connection).await;
    }
    let kind = if state == CertificateState::Active {
        found.activate(ctx.now);
        EventKind::ConnectionCertificateConfirmed
    } else if found.is_active() {
        return Err(Error::conflict(
            "certificate_active",
            "Responses signed with this certificate are accepted already. To end that, set metadata_url to null and give the certificates that are to count.",
        ));
    } else {
        found.state = state;
        EventKind::ConnectionCertificateDismissed
    };
    let data = described(&found.certificate);
    certificates::put(&mut connection, &held)?;
    connection.updated_at = ctx.now;
    let connection = store::connections::update(&tx, scope, connection).await?;
    services.record(&tx, ctx, organization, kind, id, data).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}

/// A fingerprint without colons, in capitals.
fn plain(fingerprint: &str) -> String {
    fingerprint.chars().filter(|c| *c != ':').map(|c| c.to_ascii_uppercase()).collect()
}

/// Takes the addresses that wait. A change of trust.
///
/// # Errors
/// 409 `nothing_pending`; [`Error::Forbidden`].
pub async fn confirm_addresses(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Assigned, Error> {
    may(ctx, organization, Action::WriteConnections)?;
    may(ctx, organization, Action::ChangeTrust)?;
    answer_addresses(services, ctx, organization, id, true).await
}

/// Says no to the addresses that wait: they are not brought up again unless the metadata changes.
///
/// # Errors
/// 409 `nothing_pending`; [`Error::Forbidden`].
pub async fn dismiss_addresses(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Assigned, Error> {
    may(ctx, organization, Action::WriteConnections)?;
    answer_addresses(services, ctx, organization, id, false).await
}

async fn answer_addresses(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    confirmed: bool,
) -> Result<Assigned, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let mut connection = store::connections::lock(&tx, scope, id).await?.ok_or_else(missing)?;
    let row = store::idp_metadata::find(&tx, scope, id).await?;
    let pending = row.as_ref().map(PendingAddresses::of).transpose()?.flatten();
    let (Some(mut row), Some(mut pending)) = (row, pending) else {
        return Err(Error::conflict(
            "nothing_pending",
            "No addresses wait to be confirmed: the IdP's metadata has the ones that the connection has.",
        ));
    };
    let data = json!({ "from": Addresses::of(&connection), "to": pending.addresses });
    let kind = if confirmed {
        pending.addresses.put(&mut connection);
        row.pending_addresses = None;
        connection.updated_at = ctx.now;
        connection = store::connections::update(&tx, scope, connection).await?;
        EventKind::ConnectionAddressesConfirmed
    } else if pending.dismissed {
        return assigned(&tx, scope, connection).await;
    } else {
        pending.dismissed = true;
        row.pending_addresses = Some(pending.stored()?);
        EventKind::ConnectionAddressesDismissed
    };
    store::idp_metadata::save(&tx, scope, row).await?;
    services.record(&tx, ctx, organization, kind, id, data).await?;
    let assigned = assigned(&tx, scope, connection).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(assigned)
}
