//! The work in the background: numbers for new events, pruning of what is over, warnings of tokens and certificates that
//! expire and of waves of deactivations, fetching IdPs' metadata again, forgetting idle rate limits, writing the SCIM
//! request log and the sign-in log.
//!
//! Each job is harmless on several nodes at once. One that fails is tried again later and later, so that a database
//! that is away does not fill the log; it is never what ends the process.

use crate::http::state::State;
use crate::service::{self, Error, Services};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How soon an event has its number.
const NUMBER_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_mins(5);
/// How soon a sign-in that nobody finished is told after its time was over.
const TELL_EVERY: Duration = Duration::from_mins(1);
const WARN_EVERY: Duration = Duration::from_mins(5);
/// How soon owners are told of a wave of deactivations.
const WATCH_EVERY: Duration = Duration::from_secs(15);
const SHED_EVERY: Duration = Duration::from_mins(1);
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// The longest pause of a job that fails, unless its own is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How soon an IdP's metadata is fetched that is due.
const REFRESH_EVERY: Duration = Duration::from_mins(1);

/// Starts all jobs.
pub(super) fn start(tracker: &TaskTracker, stop: &CancellationToken, state: &Arc<State>) {
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "numbering events", NUMBER_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::number_events(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "pruning", PRUNE_EVERY, move || {
        let services = Arc::clone(&services);
        async move {
            let rows = service::upkeep::prune(&services).await?;
            tracing::debug!(rows, "pruned what is over");
            Ok(())
        }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "pruning the SCIM request log", PRUNE_EVERY, move || {
        let services = Arc::clone(&services);
        async move {
            let rows = service::scim_requests::prune(&services).await?;
            tracing::debug!(rows, "pruned the SCIM request log");
            Ok(())
        }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "telling abandoned sign-ins", TELL_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::sign_in_log::tell_abandoned(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "pruning the sign-in log", PRUNE_EVERY, move || {
        let services = Arc::clone(&services);
        async move {
            let rows = service::sign_in_log::prune(&services).await?;
            tracing::debug!(rows, "pruned the sign-in log");
            Ok(())
        }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "warning of tokens that expire", WARN_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::scim_tokens::warn_of_expiry(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "warning of certificates that end", WARN_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::connections::expiry::warn(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "telling guests whose day has come", TELL_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::guests::tell_ended(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "fetching metadata again", REFRESH_EVERY, move || {
        let services = Arc::clone(&services);
        async move { service::connections::refresh::refresh_due(&services).await.map(drop) }
    });
    let services = Arc::clone(&state.services);
    let looked_back = Arc::new(AtomicBool::new(false));
    repeat(tracker, stop, "watching for waves of deactivations", WATCH_EVERY, move || {
        let (services, looked_back) = (Arc::clone(&services), Arc::clone(&looked_back));
        async move {
            if !looked_back.load(Ordering::Relaxed) {
                service::waves::look_back(&services).await?;
                looked_back.store(true, Ordering::Relaxed);
            }
            service::waves::watch(&services).await.map(drop)
        }
    });
    let services = Arc::clone(&state.services);
    repeat(tracker, stop, "shedding idle connections", SHED_EVERY, move || {
        let services = Arc::clone(&services);
        async move {
            services.db.shed_idle().await;
            Ok(())
        }
    });
    let state = Arc::clone(state);
    repeat(tracker, stop, "forgetting idle limits", FORGET_EVERY, move || {
        state.limits.credentials.forget_idle();
        state.limits.scim.forget_idle();
        state.limits.oauth_clients.forget_idle();
        state.limits.addresses.forget_idle();
        std::future::ready(Ok(()))
    });
}

/// Writes the SCIM request log; what waits when all ends is written before it does. Not one of the jobs above: whoever
/// reads the log counts on it.
pub(super) fn write_scim_log(tracker: &TaskTracker, stop: &CancellationToken, services: &Arc<Services>) {
    let (stop, services) = (stop.clone(), Arc::clone(services));
    tracker.spawn(async move {
        while stop.run_until_cancelled(services.scim_log.journal.due()).await.is_some() {
            service::scim_requests::write(&services).await;
        }
        service::scim_requests::finish(&services).await;
    });
}

/// The same of the sign-in log.
pub(super) fn write_sign_in_log(tracker: &TaskTracker, stop: &CancellationToken, services: &Arc<Services>) {
    let (stop, services) = (stop.clone(), Arc::clone(services));
    tracker.spawn(async move {
        while stop.run_until_cancelled(services.sign_in_log.due()).await.is_some() {
            service::sign_in_log::write(&services).await;
        }
        service::sign_in_log::finish(&services).await;
    });
}

/// Runs a job every so often until told to stop; a run under way is finished.
fn repeat<F>(
    tracker: &TaskTracker,
    stop: &CancellationToken,
    name: &'static str,
    every: Duration,
    job: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = Result<(), Error>> + Send,
{
    let stop = stop.clone();
    tracker.spawn(async move {
        let mut pause = every;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match job().await {
                Ok(()) => every,
                Err(error) => {
                    tracing::warn!(%error, job = name, "work in the background failed and will be tried again");
                    (pause * 2).min(LONGEST_PAUSE).max(every)
                }
            };
        }
    });
}
