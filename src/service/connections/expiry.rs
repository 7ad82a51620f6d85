//! Telling in time that something of an IdP ends: certificates 60, 30 and 7 days ahead and at their end, metadata at the
//! end that it names. Nothing stops working by it.
//!
//! Each warning is written once, however many nodes look: the row of the connection is held while it is written. One that
//! was slept through is made up for by the last that is due, never by several.

use super::super::{Ctx, Error, Services};
use super::certificates::{self, HeldCertificate};
use super::pending::described;
use crate::model::event::EventKind;
use crate::model::id::ConnectionId;
use crate::model::state::ConnectionStatus;
use crate::model::tenant::{InstallationScope, TenantScope};
use crate::store;
use serde_json::json;

/// How many are looked for at a time.
const BATCH: u64 = 100;
const DAY_SECONDS: u64 = 24 * 3600;

/// Writes the events that are due; tells how many.
pub async fn warn(services: &Services) -> Result<u64, Error> {
    let installation = InstallationScope::established();
    let ctx = Ctx::system(services.clock.now());
    let mut warned = 0;
    loop {
        let due = store::connections::due_for_warning(&services.db, installation, ctx.now, BATCH).await?;
        for (organization, id) in &due {
            warned +=
                warn_of_certificates(services, &ctx, TenantScope::established(*organization), *id).await?;
        }
        if (due.len() as u64) < BATCH {
            break;
        }
    }
    loop {
        let lapsed = store::idp_metadata::lapsed(&services.db, installation, ctx.now, BATCH).await?;
        for row in &lapsed {
            let scope = TenantScope::established(row.organization_id);
            let tx = services.begin().await?;
            if store::idp_metadata::take_lapse(&tx, scope, row).await? {
                let data = json!({ "valid_until": row.valid_until, "url": row.url });
                let kind = EventKind::ConnectionMetadataLapsed;
                services.record(&tx, &ctx, row.organization_id, kind, row.connection_id, data).await?;
                warned += 1;
            }
            tx.commit().await?;
        }
        if (lapsed.len() as u64) < BATCH {
            return Ok(warned);
        }
    }
}

async fn warn_of_certificates(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<u64, Error> {
    let tx = services.begin().await?;
    let Some(mut connection) = store::connections::lock(&tx, scope, id).await? else { return Ok(0) };
    let due = connection.certificates_warn_at.is_some_and(|at| at <= ctx.now);
    if !due || connection.status != ConnectionStatus::Active {
        return Ok(0);
    }
    let mut held = certificates::held(&connection)?;
    let told: Vec<usize> =
        (0..held.len()).filter(|at| held.get_mut(*at).is_some_and(|one| one.take_warning(ctx.now))).collect();
    for one in told.iter().filter_map(|at| held.get(*at)) {
        let end = certificates::end(&one.certificate);
        let later =
            |other: &&HeldCertificate| other.is_active() && certificates::end(&other.certificate) > end;
        let mut data = described(&one.certificate);
        data["days_left"] = end.since(ctx.now).as_secs().div_ceil(DAY_SECONDS).into();
        data["successor"] =
            held.iter().find(later).map(|other| other.certificate.fingerprint().to_owned()).into();
        let kind = EventKind::ConnectionCertificateExpiring;
        services.record(&tx, ctx, scope.organization(), kind, id, data).await?;
    }
    certificates::put(&mut connection, &held)?;
    store::connections::note_warnings(&tx, scope, &connection).await?;
    tx.commit().await?;
    Ok(told.len() as u64)
}
