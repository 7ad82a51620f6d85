//! POST `/Bulk` (RFC 7644 §3.7): many operations in one request, each answered for itself.
//!
//! The operations run in a task of their own, which is stopped between two of them: when the client hangs up, when the
//! time of the request runs out (what was not begun is answered with 503 then), when the token is revoked meanwhile.
//! So none is cut in the middle. The request counts as its operations in the token's limit, see [`ScimCaller::count_as`].

use super::answer::{Answer, Refused, document};
use super::auth::ScimCaller;
use super::users::json;
use crate::http::guard::Line;
use crate::http::payload::Problem;
use crate::protocol::scim::ScimError;
use crate::protocol::scim::bulk::{Answered, BulkRequest, response};
use crate::service::provisioning::bulk::{Done, Outcome, Run};
use poem::{Request, RequestBody};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// POST `/Bulk`.
pub async fn run(caller: &ScimCaller, request: &Request, body: &mut RequestBody) -> Answer {
    let began = Instant::now();
    let settings = &caller.services().settings;
    let most = usize::try_from(settings.scim_bulk_operations).unwrap_or(usize::MAX);
    // A fifth of the time is left for the operation that is under way and for the answer.
    let until = began + settings.request_timeout * 4 / 5;
    let bulk = BulkRequest::parse(&json(request, body).await?, most, caller.conformance)?;
    caller.count_as(request, bulk.entries.len())?;

    let run = Run::new(caller.services().clone(), caller.ctx.clone(), caller.conformance, bulk);
    let dropped = CancellationToken::new();
    // Cancelled when this future is dropped: the stream of HTTP/2 is reset, the server ends, time is up.
    let _dropped = dropped.clone().drop_guard();
    let line = request.data::<Line>().cloned();
    let gone = move || dropped.is_cancelled() || line.as_ref().is_some_and(Line::is_gone);
    let task = drive(caller.clone(), run, gone, until, settings.request_timeout);
    let outcomes = tokio::spawn(task.in_current_span()).await.map_err(|error| {
        tracing::error!(%error, "a bulk request ended in a fault");
        Problem::internal()
    })?;
    let base = settings.url("/scim/v2");
    Ok(document(response(outcomes.into_iter().map(|outcome| told(outcome, &base)).collect())))
}

/// Carries out one operation after the other as long as it makes sense.
async fn drive(
    caller: ScimCaller,
    mut run: Run,
    gone: impl Fn() -> bool,
    until: Instant,
    limit: Duration,
) -> Vec<Outcome> {
    loop {
        if gone() {
            tracing::info!("the client of a bulk request hung up; what was not begun is not done");
            break;
        }
        if Instant::now() >= until {
            run.give_up(&out_of_time(limit));
            break;
        }
        if let Err(error) = caller.still_known().await {
            run.give_up(&error);
            break;
        }
        if !run.step().await {
            break;
        }
    }
    run.finish()
}

fn out_of_time(limit: Duration) -> ScimError {
    let detail = format!(
        "Not begun: the operations before it used up the {} seconds that a request may take. Send it again, with fewer \
         operations at a time.",
        limit.as_secs()
    );
    ScimError::new(503, detail)
}

/// One operation as the answer tells it.
fn told(outcome: Outcome, base: &str) -> serde_json::Value {
    let Outcome { entry, result } = outcome;
    let (status, location, version) = match result {
        Ok(Done { status, location, version }) => (Ok(status), location, version),
        Err(refusal) => {
            let location = entry.path.as_ref().map(|path| format!("{base}{path}"));
            (Err(refusal_of(refusal.into())), location, None)
        }
    };
    let bulk_id = entry.bulk_id.as_deref();
    Answered { method: &entry.method, bulk_id, location, version, status }.to_json()
}

/// A refusal of a single request as the error that its body would be.
fn refusal_of(refused: Refused) -> ScimError {
    match refused {
        Refused::Scim(error) => error,
        Refused::Problem(problem) => ScimError::new(problem.status.as_u16(), problem.detail),
        Refused::Finished(response) => {
            ScimError::new(response.status().as_u16(), "The operation was refused.")
        }
    }
}
