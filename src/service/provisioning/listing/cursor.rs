//! Cursors of lists (RFC 9865): the row that a page follows, sealed under the installation key so that nobody reads or
//! makes one, and bound to its directory, token and query by what it is sealed for. Only unreserved characters.

use super::{Place, walk};
use crate::model::time::Timestamp;
use crate::protocol::scim::ScimError;
use crate::service::provisioning::Refusal;
use crate::service::{Ctx, Error, Services};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a cursor works.
pub const TIMEOUT: Duration = Duration::from_hours(1);
/// Longest cursor that is looked at.
const MAX_LENGTH: usize = 4_096;

/// What a cursor says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Given {
    /// When it was given out, in microseconds since 1970.
    #[serde(rename = "t")]
    issued_at: i64,
    /// Resources on each page.
    #[serde(rename = "c")]
    pub count: u64,
    /// Whether the page lies before the place.
    #[serde(rename = "b")]
    pub backward: bool,
    #[serde(flatten)]
    pub place: Place,
    /// The total of a filtered list, as it was counted for the first page.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

pub(super) fn unknown() -> ScimError {
    ScimError::invalid_cursor(
        "This cursor was not given out for this query. Repeat the query exactly as the first page was asked for, with a \
         nextCursor or previousCursor of it; an empty cursor begins anew.",
    )
}

fn purpose(identity: &walk::Identity) -> String {
    format!("scim-cursor:{}", URL_SAFE_NO_PAD.encode(identity))
}

/// Makes a cursor.
pub(super) fn seal(
    services: &Services,
    ctx: &Ctx,
    identity: &walk::Identity,
    place: &Place,
    backward: bool,
    count: u64,
    total: Option<u64>,
) -> Result<String, Refusal> {
    let given = Given { issued_at: ctx.now.micros(), count, backward, place: place.clone(), total };
    let plain = serde_json::to_vec(&given).map_err(|error| Error::Internal(error.to_string()))?;
    let sealed = services
        .sealer
        .seal(&purpose(identity), &plain, &*services.random)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Reads a cursor; `None` for the empty one.
pub(super) fn open(
    services: &Services,
    ctx: &Ctx,
    identity: &walk::Identity,
    cursor: &str,
) -> Result<Option<Given>, ScimError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    if cursor.len() > MAX_LENGTH {
        return Err(unknown());
    }
    let sealed = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| unknown())?;
    let plain = services.sealer.open(&purpose(identity), &sealed).map_err(|_| unknown())?;
    let given: Given = serde_json::from_slice(&plain).map_err(|_| unknown())?;
    if ctx.now.since(Timestamp::from_micros(given.issued_at)) > TIMEOUT {
        return Err(ScimError::expired_cursor(format!(
            "This cursor was given out more than {} seconds ago. Begin anew with an empty cursor.",
            TIMEOUT.as_secs()
        )));
    }
    Ok(Some(given))
}
