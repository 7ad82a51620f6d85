//! Deletes what is over and that nobody will ask for again, and folds notes into counts. Run in the background; harmless
//! on several nodes at once.

use super::{Error, Services};
use crate::model::tenant::InstallationScope;
use crate::store;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// How long a session that is over can still be looked at.
const KEEP_SESSIONS: Duration = DAY.saturating_mul(7);
/// How long the log can tell an access token that has ended from one that never was.
const KEEP_TOKENS: Duration = DAY;
/// How much longer a client's assertion is remembered than it is good: another node's clock may be behind.
const KEEP_ASSERTIONS: Duration = Duration::from_mins(5);
/// How long a test sign-in speaks for its connection, and how long one that nobody finished is kept.
const KEEP_TESTS: Duration = DAY.saturating_mul(90);
const KEEP_UNFINISHED: Duration = DAY;
/// How long an attempt can be told from one that never was.
const KEEP_ATTEMPTS: Duration = DAY.saturating_mul(30);

/// Deletes expired sessions, sign-in attempts, used assertions, access tokens, idempotency keys, tests, pending links
/// and log-out requests; tells how many rows.
pub async fn prune(services: &Services) -> Result<u64, Error> {
    let scope = InstallationScope::established();
    let now = services.clock.now();
    let tx = services.begin().await?;
    let sessions = store::sessions::prune(&tx, scope, now.minus(KEEP_SESSIONS)).await?;
    let attempts = store::sign_in_attempts::prune(&tx, scope, now, now.minus(KEEP_ATTEMPTS)).await?;
    let answers = store::idempotency_keys::prune(&tx, scope, now).await?;
    let (assertions, tokens) = (now.minus(KEEP_ASSERTIONS), now.minus(KEEP_TOKENS));
    let tokens = store::scim_clients::prune(&tx, scope, assertions, tokens).await?;
    let tests = (now.minus(KEEP_TESTS), now.minus(KEEP_UNFINISHED));
    let tests = store::connection_tests::prune(&tx, scope, tests.0, tests.1).await?;
    let links = store::pending_links::prune(&tx, scope, now).await?;
    let logouts = store::logout_requests::prune(&tx, scope, now.minus(DAY)).await?;
    tx.commit().await?;
    store::scim::totals::fold_departures(&services.db, scope, now).await?;
    Ok(sessions + attempts + answers + tokens + tests + links + logouts)
}
