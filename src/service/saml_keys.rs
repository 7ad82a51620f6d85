//! Our own keys at a SAML connection: what the IdP encrypts assertions to, and what we sign requests with.
//!
//! The first key of each kind is made when it is first asked for: our metadata and the list of keys make the one to
//! encrypt to, and signed requests the one to sign with. A rotation breaks no sign-in: a new key stands in our metadata
//! beside the current one until it is made the current one; the old one still decrypts until it is deleted. Private
//! parts are sealed under the installation key, and never leave this file but as keys that print nothing.

pub use crate::store::saml_keys::SamlKey;

use super::permissions::{Action, may};
use super::{Ctx, Error, Services};
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId, SamlKeyId};
use crate::model::saml::{SamlKeyPurpose, SamlKeyState};
use crate::model::state::ConnectionStatus;
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::own_key::{self, OwnKey};
use crate::protocol::saml::{Certificate, DecryptionKey, RequestKey};
use crate::store::connections::Connection;
use crate::store::{self, Tx};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The sizes that a key may have; the first is the usual one.
pub const SIZES: [u32; 3] = [2048, 3072, 4096];
/// How many keys of one purpose a connection has at most.
const MOST_KEYS: usize = 5;
/// Keys are made one at a time: it is all CPU.
static MAKING: Semaphore = Semaphore::const_new(1);

fn missing() -> Error {
    Error::not_found("SAML key")
}

fn no_connection() -> Error {
    Error::not_found("SAML connection")
}

fn internal(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("{what}: {error}"))
}

/// What the sealed private part is sealed for: one key's cannot stand in for another's.
fn sealed_for(id: SamlKeyId) -> String {
    format!("saml-key:{id}")
}

/// The certificate of a key.
///
/// # Errors
/// [`Error::Internal`] for a row that was not written by this file.
pub fn certificate(key: &SamlKey) -> Result<Certificate, Error> {
    let found = Certificate::parse_text(&key.certificate).ok().and_then(|found| found.into_iter().next());
    found.ok_or_else(|| Error::Internal(format!("the certificate of {} cannot be read again", key.id)))
}

/// Whether our metadata shows the key. What was encrypted to until now is not to be encrypted to again; a signature
/// made until now may still be on its way.
pub fn is_published(key: &SamlKey) -> bool {
    key.state != SamlKeyState::Previous || key.purpose == SamlKeyPurpose::Signing
}

/// The order in which keys are tried and shown: the current one, then the newest.
fn rank(key: &SamlKey) -> (u8, std::cmp::Reverse<Timestamp>) {
    let state = match key.state {
        SamlKeyState::Current => 0,
        SamlKeyState::Next => 1,
        SamlKeyState::Previous => 2,
    };
    (state, std::cmp::Reverse(key.created_at))
}

/// A connection's keys, their private parts open.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// What assertions may be encrypted to, the current one first.
    pub decryption: Arc<[DecryptionKey]>,
    /// What requests are signed with.
    pub request: Option<RequestKey>,
}

/// Opens the connection's keys.
///
/// # Errors
/// [`Error::Internal`] if one was sealed under another installation key.
pub(super) async fn open(services: &Services, connection: &Connection) -> Result<Opened, Error> {
    let scope = TenantScope::established(connection.organization_id);
    let mut keys = store::saml_keys::list(&services.db, scope, connection.id).await?;
    keys.sort_by_key(rank);
    let mut decryption = Vec::new();
    let mut request = None;
    for key in keys {
        let of_use = key.purpose == SamlKeyPurpose::Encryption || key.state == SamlKeyState::Current;
        if !of_use {
            continue;
        }
        let private = services
            .sealer
            .open(&sealed_for(key.id), &key.private_sealed)
            .map_err(|e| internal("a SAML key was sealed under another installation key", e))?;
        let unreadable = |e| internal("a SAML key cannot be read", e);
        match key.purpose {
            SamlKeyPurpose::Encryption => {
                let certificate = certificate(&key)?;
                decryption.push(DecryptionKey::from_pkcs8(&private, &certificate).map_err(unreadable)?);
            }
            SamlKeyPurpose::Signing => {
                request = Some(RequestKey::from_pkcs8(&private).map_err(unreadable)?);
            }
        }
    }
    Ok(Opened { decryption: decryption.into(), request })
}

/// The certificates that our metadata shows: to verify our signatures by, and to encrypt to.
pub(super) async fn published(
    services: &Services,
    connection: &Connection,
) -> Result<(Vec<Certificate>, Vec<Certificate>), Error> {
    let scope = TenantScope::established(connection.organization_id);
    let mut keys = store::saml_keys::list(&services.db, scope, connection.id).await?;
    keys.sort_by_key(rank);
    let of = |purpose| {
        let shown = keys.iter().filter(move |key| key.purpose == purpose && is_published(key));
        shown.map(certificate).collect::<Result<Vec<_>, _>>()
    };
    Ok((of(SamlKeyPurpose::Signing)?, of(SamlKeyPurpose::Encryption)?))
}

/// Makes a key off the async threads.
async fn generate(services: &Services, bits: u32, now: Timestamp) -> Result<OwnKey, Error> {
    let _turn = MAKING.acquire().await.map_err(|e| internal("no key can be made", e))?;
    let host = services.settings.public_url.split("://").nth(1).unwrap_or_default();
    // A common name has 64 characters at most (RFC 5280, appendix A).
    let name: String = host.split(['/', ':']).next().unwrap_or_default().chars().take(64).collect();
    let name = if name.is_empty() { "postern".to_owned() } else { name };
    let made = tokio::task::spawn_blocking(move || own_key::generate(bits, &name, now.to_datetime())).await;
    made.map_err(|e| internal("making a key panicked", e))?.map_err(|e| internal("no key could be made", e))
}

/// Inserts a key with its event. The caller holds the connection's row.
async fn insert(
    services: &Services,
    ctx: &Ctx,
    tx: &Tx,
    connection: &Connection,
    (purpose_of, state): (SamlKeyPurpose, SamlKeyState),
    made: OwnKey,
) -> Result<SamlKey, Error> {
    let scope = TenantScope::established(connection.organization_id);
    let id = SamlKeyId::new(ctx.now, &*services.random);
    let private_sealed = services
        .sealer
        .seal(&sealed_for(id), &made.private, &*services.random)
        .map_err(|e| internal("a SAML key cannot be sealed", e))?;
    let key = SamlKey {
        id,
        organization_id: connection.organization_id,
        connection_id: connection.id,
        purpose: purpose_of,
        state,
        certificate: made.certificate.to_pem(),
        private_sealed,
        created_at: ctx.now,
        activated_at: (state == SamlKeyState::Current).then_some(ctx.now),
    };
    store::saml_keys::insert(tx, key.clone()).await?;
    store::saml_keys::changed(tx, scope, connection.id).await?;
    let data = json!({
        "connection": connection.id,
        "purpose": key.purpose,
        "state": key.state,
        "sha256_fingerprint": made.certificate.fingerprint(),
    });
    services.record(tx, ctx, connection.organization_id, EventKind::SamlKeyCreated, key.id, data).await?;
    Ok(key)
}

/// Makes the connection's first key of a purpose, unless it has one. Acted by Postern itself: nobody need know of keys
/// to get one.
pub(super) async fn ensure(
    services: &Services,
    connection: &Connection,
    purpose: SamlKeyPurpose,
    now: Timestamp,
) -> Result<(), Error> {
    let scope = TenantScope::established(connection.organization_id);
    let has_one = |keys: &[SamlKey]| keys.iter().any(|key| key.purpose == purpose);
    if has_one(&store::saml_keys::list(&services.db, scope, connection.id).await?) {
        return Ok(());
    }
    let made = generate(services, SIZES[0], now).await?;
    let tx = services.begin().await?;
    let Some(connection) = store::connections::lock(&tx, scope, connection.id).await? else { return Ok(()) };
    // Somebody else may have been faster.
    if has_one(&store::saml_keys::list(&tx, scope, connection.id).await?) {
        return Ok(());
    }
    let ctx = Ctx::system(now);
    insert(services, &ctx, &tx, &connection, (purpose, SamlKeyState::Current), made).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the keys that the connection needs and has not: one to encrypt to, and where requests or log-out messages are signed one for that.
pub(super) async fn ensure_needed(
    services: &Services,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Error> {
    ensure(services, connection, SamlKeyPurpose::Encryption, now).await?;
    if connection.sign_requests || connection.slo_url.is_some() {
        ensure(services, connection, SamlKeyPurpose::Signing, now).await?;
    }
    Ok(())
}

async fn connection_of(
    services: &Services,
    scope: TenantScope,
    id: ConnectionId,
) -> Result<Connection, Error> {
    store::connections::find(&services.db, scope, id).await?.ok_or_else(no_connection)
}

/// All keys of the connection, oldest first; those that it needs are made if there are none yet.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<Vec<SamlKey>, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    let row = connection_of(services, scope, connection).await?;
    ensure_needed(services, &row, ctx.now).await?;
    Ok(store::saml_keys::list(&services.db, scope, connection).await?)
}

/// One key of the connection.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    connection: ConnectionId,
    id: SamlKeyId,
) -> Result<SamlKey, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    store::saml_keys::find(&services.db, scope, connection, id).await?.ok_or_else(missing)
}

/// Where another key of this purpose would stand.
fn place(keys: &[SamlKey], purpose: SamlKeyPurpose) -> Result<SamlKeyState, Error> {
    let of_purpose = || keys.iter().filter(|key| key.purpose == purpose);
    if of_purpose().any(|key| key.state == SamlKeyState::Next) {
        return Err(Error::conflict(
            "rotation_under_way",
            "There is a next key already. Activate it or delete it before another one is made.",
        ));
    }
    match of_purpose().count() {
        0 => Ok(SamlKeyState::Current),
        MOST_KEYS.. => Err(Error::conflict(
            "too_many_keys",
            format!(
                "The connection has {MOST_KEYS} {purpose} keys, the most there can be. Delete a previous one first."
            ),
        )),
        _ => Ok(SamlKeyState::Next),
    }
}

/// Makes a key: the first one of its purpose is the current one at once, any other is shown in our metadata as the next.
///
/// # Errors
/// [`Error::Invalid`] for another size; 409 `rotation_under_way` while there is a next one, `too_many_keys`.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    connection: ConnectionId,
    purpose: SamlKeyPurpose,
    bits: u32,
) -> Result<SamlKey, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    if !SIZES.contains(&bits) {
        let message =
            format!("{bits} was given; a key has {} bits.", SIZES.map(|n| n.to_string()).join(", "));
        return Err(Error::field("bits", "out_of_range", message));
    }
    connection_of(services, scope, connection).await?;
    // Asked before as well, because making a key is dear.
    place(&store::saml_keys::list(&services.db, scope, connection).await?, purpose)?;
    let made = generate(services, bits, ctx.now).await?;
    let tx = services.begin().await?;
    let row = store::connections::lock(&tx, scope, connection).await?.ok_or_else(no_connection)?;
    let state = place(&store::saml_keys::list(&tx, scope, connection).await?, purpose)?;
    let key = insert(services, ctx, &tx, &row, (purpose, state), made).await?;
    tx.commit().await?;
    Ok(key)
}

/// What is trusted changes with keys, while people sign in by them (rule 10a).
fn may_change(ctx: &Ctx, connection: &Connection) -> Result<(), Error> {
    if connection.status == ConnectionStatus::Active {
        may(ctx, connection.organization_id, Action::ChangeTrust)?;
    }
    Ok(())
}

/// Makes a key the current one; the one that was is kept as a previous one. The same brings a previous one back.
///
/// # Errors
/// [`Error::Forbidden`] without the right to change trust, on an active connection.
pub async fn activate(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    connection: ConnectionId,
    id: SamlKeyId,
) -> Result<SamlKey, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let row = store::connections::lock(&tx, scope, connection).await?.ok_or_else(no_connection)?;
    let keys = store::saml_keys::list(&tx, scope, connection).await?;
    let mut key = keys.iter().find(|key| key.id == id).cloned().ok_or_else(missing)?;
    if key.state == SamlKeyState::Current {
        return Ok(key);
    }
    may_change(ctx, &row)?;
    let before = keys.iter().find(|k| k.purpose == key.purpose && k.state == SamlKeyState::Current);
    if let Some(before) = before {
        let state = SamlKeyState::Previous;
        store::saml_keys::set_state(&tx, scope, before, state, before.activated_at).await?;
    }
    (key.state, key.activated_at) = (SamlKeyState::Current, Some(ctx.now));
    store::saml_keys::set_state(&tx, scope, &key, key.state, key.activated_at).await?;
    store::saml_keys::changed(&tx, scope, connection).await?;
    let data = json!({
        "connection": connection,
        "purpose": key.purpose,
        "sha256_fingerprint": certificate(&key)?.fingerprint(),
        "before": before.map(|key| key.id),
    });
    services.record(&tx, ctx, organization, EventKind::SamlKeyActivated, key.id, data).await?;
    tx.commit().await?;
    Ok(key)
}

/// Deletes a key for good: nothing that is encrypted to it is decrypted any more.
///
/// # Errors
/// 409 `key_is_current` while another one could take its place; 409 `key_in_use` for the last one of its purpose while the
/// connection signs requests or requires encryption; [`Error::Forbidden`] as for [`activate`].
pub async fn delete(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    connection: ConnectionId,
    id: SamlKeyId,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let tx = services.begin().await?;
    let row = store::connections::lock(&tx, scope, connection).await?.ok_or_else(no_connection)?;
    let keys = store::saml_keys::list(&tx, scope, connection).await?;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(missing)?;
    may_change(ctx, &row)?;
    if key.state == SamlKeyState::Current {
        if keys.iter().any(|other| other.purpose == key.purpose && other.id != key.id) {
            return Err(Error::conflict(
                "key_is_current",
                "This key is in use. Activate another one first; then nothing breaks when this one goes.",
            ));
        }
        let needed_by = match key.purpose {
            SamlKeyPurpose::Signing if row.sign_requests => Some("sign_requests"),
            SamlKeyPurpose::Encryption if row.require_encryption => Some("require_encryption"),
            _ => None,
        };
        if let Some(option) = needed_by {
            return Err(Error::conflict(
                "key_in_use",
                format!("This is the last {} key, and {option} of the connection needs it.", key.purpose),
            ));
        }
    }
    store::saml_keys::delete(&tx, scope, key).await?;
    store::saml_keys::changed(&tx, scope, connection).await?;
    let data = json!({
        "connection": connection,
        "purpose": key.purpose,
        "state": key.state,
        "sha256_fingerprint": certificate(key)?.fingerprint(),
    });
    services.record(&tx, ctx, organization, EventKind::SamlKeyDeleted, key.id, data).await?;
    tx.commit().await?;
    Ok(())
}
