//! Request counts and latencies for Prometheus, of one `App` alone.
//!
//! Labels are surface, method and status class, so the number of series is bounded whatever is asked. The
//! recorder is not installed globally: many apps in one process (tests) keep their own numbers. Whoever counts
//! something else takes `recorder()`.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use poem::{Endpoint, Request, Response, Result, http::Method};
use tokio::time::Instant;

use super::{Layer, layer};
use crate::http::guard::ConnectionMetrics;

const METADATA: Metadata<'static> = Metadata::new("postern", Level::INFO, None);
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Samples wait in memory until folded into buckets; this many requests at most.
const FOLD_EVERY: u64 = 4096;
const REQUESTS: &str = "postern_http_requests_total";
const DURATION: &str = "postern_http_request_duration_seconds";
const CONNECTIONS: &str = "postern_http_connections";
const CUT: &str = "postern_http_connections_cut_total";

/// The numbers of one app. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    requests: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let builder = PrometheusBuilder::new();
        // An error is possible only for an empty list of buckets.
        let recorder =
            builder.set_buckets(&buckets).unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let describe = |name: &'static str, text: &'static str| {
            recorder.describe_counter(name.into(), None, text.into());
        };
        describe(REQUESTS, "Answered requests by surface, method and class of status.");
        describe(CUT, "Connections cut because the client was too slow.");
        recorder.describe_histogram(
            DURATION.into(),
            None,
            "Seconds from request head to answer head.".into(),
        );
        recorder.describe_gauge(CONNECTIONS.into(), None, "Open connections by listener.".into());
        let handle = recorder.handle();
        Self(Arc::new(Inner { recorder, handle, requests: AtomicU64::new(0) }))
    }

    /// For further counters: `recorder().register_counter(…)`.
    pub fn recorder(&self) -> &dyn Recorder {
        &self.0.recorder
    }

    /// A counter of this app, such as `("postern_sign_ins_total", &[("outcome", "refused")])`.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Counter {
        self.0.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// A gauge of this app.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Gauge {
        self.0.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// A histogram of this app, in seconds.
    pub fn histogram(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Histogram {
        self.0.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// The text exposition.
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// For the guard of one listener.
    pub fn connections(&self, listener: &'static str) -> ConnectionMetrics {
        let labels = [("listener", listener)];
        ConnectionMetrics { open: self.gauge(CONNECTIONS, &labels), cut: self.counter(CUT, &labels) }
    }

    /// The middleware that counts the requests of a surface (`api`, `scim`, `saml`, `pages`, …).
    pub fn surface(&self, surface: &'static str) -> CountRequests {
        CountRequests { metrics: self.clone(), surface, cells: Arc::default() }
    }

    fn counted(&self) {
        if self.0.requests.fetch_add(1, Ordering::Relaxed) % FOLD_EVERY == FOLD_EVERY - 1 {
            self.0.handle.run_upkeep();
        }
    }
}

fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
    Key::from_parts(
        name,
        labels.iter().map(|&(key, value)| Label::from_static_parts(key, value)).collect::<Vec<_>>(),
    )
}

type Cells = [[OnceLock<(Counter, Histogram)>; CLASSES.len()]; METHODS.len()];

/// See [`Metrics::surface`].
#[derive(Clone)]
pub struct CountRequests {
    metrics: Metrics,
    surface: &'static str,
    /// Handles are looked up once for each pair of method and class.
    cells: Arc<Cells>,
}

impl CountRequests {
    fn cell(&self, method: usize, class: usize) -> &(Counter, Histogram) {
        self.cells[method][class].get_or_init(|| {
            let labels = [("surface", self.surface), ("method", METHODS[method]), ("status", CLASSES[class])];
            (self.metrics.counter(REQUESTS, &labels), self.metrics.histogram(DURATION, &labels[..1]))
        })
    }
}

fn method_index(method: &Method) -> usize {
    METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1)
}

impl Layer for CountRequests {
    async fn around<E: Endpoint>(&self, inner: &E, request: Request) -> Result<Response> {
        let start = Instant::now();
        let method = method_index(request.method());
        let response = inner.get_response(request).await;
        let class = usize::from(response.status().as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let (count, duration) = self.cell(method, class);
        count.increment(1);
        duration.record(start.elapsed());
        self.metrics.counted();
        Ok(response)
    }
}

layer!(CountRequests);

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, endpoint::make_sync};

    use super::*;

    #[tokio::test]
    async fn counts_by_surface_and_class() {
        let metrics = Metrics::new();
        let endpoint = make_sync(|_| "x").with(metrics.surface("api"));
        for _ in 0..3 {
            endpoint.get_response(Request::default()).await;
        }
        let text = metrics.render();
        assert!(
            text.contains(r#"postern_http_requests_total{surface="api",method="GET",status="2xx"} 3"#),
            "{text}"
        );
        assert!(text.contains(r#"postern_http_request_duration_seconds_count{surface="api"} 3"#), "{text}");
        assert!(!Metrics::new().render().contains("surface=\"api\""));
    }
}
