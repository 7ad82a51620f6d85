//! Liveness, readiness and the metrics page.
//!
//! Live means that the process answers; ready means that it can do its work. What is not ready is named
//! (`database`), why is for the log.

use std::{future::Future, pin::Pin, sync::Arc};

use poem::{
    Endpoint, IntoResponse, Request, Response, Route,
    endpoint::{make, make_sync},
    http::StatusCode,
};
use serde::Serialize;

use super::{methods::Methods, middleware::Metrics};

/// One thing that must work for the process to be ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
}

/// Answers what is ready. Must not take long: whoever implements it bounds its own look-ups.
pub trait Readiness: Send + Sync + 'static {
    fn check(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>>;
}

impl<F, Fut> Readiness for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Vec<Check>> + Send + 'static,
{
    fn check(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(self())
    }
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = if self.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        poem::web::Json(self).with_status(status).into_response()
    }
}

/// `/live` and `/ready`, to be nested under `/health`.
pub fn routes(readiness: Arc<dyn Readiness>) -> Route {
    let live = make_sync(|_| Answer { status: "ok", checks: Vec::new() });
    let ready = make(move |_: Request| {
        let readiness = readiness.clone();
        async move {
            let checks = readiness.check().await;
            let status = if checks.iter().all(|check| check.ok) { "ok" } else { "unavailable" };
            Answer { status, checks }
        }
    });
    Route::new().at("/live", Methods::new().get(live)).at("/ready", Methods::new().get(ready))
}

/// The Prometheus page, for the loopback listener.
pub fn metrics(metrics: Metrics) -> impl Endpoint<Output = Response> {
    make_sync(move |_| {
        Response::builder().content_type("text/plain; version=0.0.4; charset=utf-8").body(metrics.render())
    })
}

/// What the loopback listener answers: `/metrics` and nothing else.
pub fn internal(numbers: Metrics) -> Route {
    Route::new().at("/metrics", Methods::new().get(metrics(numbers)))
}

#[cfg(test)]
mod tests {
    use poem::test::TestClient;

    use super::*;

    #[tokio::test]
    async fn not_ready_is_503_and_names_the_part() {
        let readiness = || async { vec![Check { name: "database", ok: false }] };
        let client = TestClient::new(routes(Arc::new(readiness)));
        client.get("/live").send().await.assert_status_is_ok();
        let response = client.get("/ready").send().await;
        response.assert_status(StatusCode::SERVICE_UNAVAILABLE);
        response
            .assert_json(
                serde_json::json!({"status": "unavailable", "checks": [{"name": "database", "ok": false}]}),
            )
            .await;
    }
}
