//! The answers kept for `Idempotency-Key` (rule 15): a key is claimed before its request runs, and the answer is kept
//! for a day, bound to the credential, the address and the body.
//!
//! A claim without an answer means that the request is running, or that the process died with it. In the second case
//! nobody knows whether its change was committed, so it is never run again under the same key: after a minute the
//! refusal says so, and the caller looks whether the thing is there before asking with a new key. Doing a thing twice
//! is the one mistake that the header exists to prevent.

use super::{Error, Services};
use crate::model::time::Timestamp;
use crate::store;
use crate::store::error::{StoreError, UniqueKey};
use crate::store::idempotency_keys::IdempotencyKey;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_hours(24);
/// After this time a claim without an answer counts as one whose process died.
const RUNNING: Duration = Duration::from_mins(1);

/// A request with a key.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The id of the credential.
    pub credential: String,
    /// The key that the caller chose.
    pub key: String,
    /// A digest of method, address and body.
    pub request_hash: Vec<u8>,
}

/// An answer as it is kept and given again: without what is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub status: u16,
    /// Names and values of the headers that belong to the answer itself.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What is to be done with a request that has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Run it, then [`keep`] or [`release`].
    Run,
    /// Give this answer again.
    Replay(KeptAnswer),
}

/// Claims the key for a request that begins now.
///
/// # Errors
/// [`Error::Conflict`]: `idempotency_key_reused` with another address or body, `idempotency_in_progress` while the
/// first request runs, `idempotency_outcome_unknown` if it never came to an end.
pub async fn begin(services: &Services, claim: &Claim, now: Timestamp) -> Result<Turn, Error> {
    let row = IdempotencyKey {
        credential: claim.credential.clone(),
        key: claim.key.clone(),
        request_hash: claim.request_hash.clone(),
        status: None,
        body: None,
        created_at: now,
        expires_at: now.plus(KEPT),
    };
    match store::idempotency_keys::claim(&services.db, row).await {
        Ok(()) => return Ok(Turn::Run),
        Err(StoreError::Conflict(UniqueKey::IdempotencyKey)) => {}
        Err(error) => return Err(error.into()),
    }
    let held = store::idempotency_keys::find(&services.db, &claim.credential, &claim.key).await?;
    // Released a moment ago: the next try will run.
    let Some(held) = held else { return Err(in_progress()) };
    if held.request_hash != claim.request_hash {
        return Err(Error::conflict(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request: another address or another body. Choose a new key for \
             each new request, and repeat a request to the letter.",
        ));
    }
    let Some(body) = held.body.filter(|_| held.status.is_some()) else {
        if now.since(held.created_at) < RUNNING {
            return Err(in_progress());
        }
        return Err(Error::conflict(
            "idempotency_outcome_unknown",
            "The first request with this Idempotency-Key never came to an end, and whether it changed something is not \
             known. Look whether the change is there; if it is not, ask again with a new key.",
        ));
    };
    let answer = serde_json::from_str(&body)
        .map_err(|error| Error::Internal(format!("a kept answer cannot be read: {error}")))?;
    Ok(Turn::Replay(answer))
}

fn in_progress() -> Error {
    Error::conflict(
        "idempotency_in_progress",
        "The first request with this Idempotency-Key is still running. Ask again in a moment.",
    )
}

/// Keeps the answer of the request that claimed the key. That it could not be kept is logged: the change has been made.
pub async fn keep(services: &Services, claim: &Claim, answer: &KeptAnswer) {
    let expires_at = services.clock.now().plus(KEPT);
    let status = i32::from(answer.status);
    let kept = async {
        let body = serde_json::to_string(answer).map_err(|error| StoreError::Other(error.to_string()))?;
        let (credential, key) = (&claim.credential, &claim.key);
        store::idempotency_keys::complete(&services.db, credential, key, status, &body, expires_at).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key");
    }
}

/// Gives the key free: the request was refused and changed nothing.
pub async fn release(services: &Services, claim: &Claim) {
    let released = store::idempotency_keys::release(&services.db, &claim.credential, &claim.key).await;
    if let Err(error) = released {
        tracing::warn!(%error, "an Idempotency-Key could not be given free");
    }
}
