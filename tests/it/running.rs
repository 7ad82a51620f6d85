//! A running server: health, metrics, work in the background, the end in order, and a database that goes away and
//! comes back.

use std::time::Duration;

use postern::model::id::OrganizationId;
use postern::model::tenant::TenantScope;
use postern::service::upkeep;
use postern::store;
use postern::store::idempotency_keys::IdempotencyKey;

use crate::support::app::{TestApp, on_both};
use crate::support::database::{Backend, Database};
use crate::support::postgres::Cluster;

on_both! {
    async fn health_tells_what_is_ready_and_metrics_have_a_door_of_their_own(app: TestApp) {
        let live = app.get("/health/live").send().await.expect(200);
        assert_eq!(live.json()["status"], "ok");
        let ready = app.get("/health/ready").send().await.expect(200).json();
        assert_eq!(ready["checks"], serde_json::json!([{ "name": "database", "ok": true }]));
        app.get("/metrics").send().await.problem(404, "not_found");

        app.organization("Acme").await;
        let numbers = app.get(&app.metrics_url).send().await.expect(200);
        assert!(numbers.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        let counted = r#"postern_http_requests_total{surface="api",method="POST",status="2xx"} 1"#;
        assert!(numbers.body.contains(counted), "{}", numbers.body);
        assert!(numbers.body.contains(r#"postern_http_connections{listener="public"}"#), "{}", numbers.body);
        app.get(&app.metrics_url.replace("/metrics", "/health/live")).send().await.expect(404);
    }

    async fn the_documentation_is_shown_and_its_document_is_valid(app: TestApp) {
        let page = app.get("/docs").send().await.expect(200);
        assert!(page.header("content-security-policy").is_some());
        assert!(page.body.contains("<html") || page.body.contains("<!doctype html"), "{}", page.body);
    }

    async fn what_is_over_is_pruned(app: TestApp) {
        let services = app.services();
        let now = services.clock.now();
        let row = |key: &str, hours: u64| IdempotencyKey {
            credential: "key_x".to_owned(),
            key: key.to_owned(),
            request_hash: vec![0; 32],
            status: None,
            body: None,
            created_at: now,
            expires_at: now.plus(Duration::from_hours(hours)),
        };
        store::idempotency_keys::claim(&services.db, row("short", 1)).await.expect("claimed");
        store::idempotency_keys::claim(&services.db, row("long", 48)).await.expect("claimed");
        assert_eq!(upkeep::prune(services).await.expect("pruned"), 0);
        app.clock.advance(Duration::from_hours(2));
        assert_eq!(upkeep::prune(services).await.expect("pruned"), 1);
        let left = store::idempotency_keys::find(&services.db, "key_x", "long").await.expect("found");
        assert!(left.is_some());
    }

    async fn a_restart_loses_nothing(app: TestApp) {
        let id = app.organization("Acme").await;
        let operator = app.operator.clone();
        let again = TestApp::on(app.stop().await).await;
        again.get(&format!("/api/v1/organizations/{id}")).bearer(&operator).send().await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_numbered_in_the_background() {
    let app = TestApp::builder().background().start().await;
    let id: OrganizationId = app.organization("Acme").await.parse().expect("an id");
    let scope = TenantScope::established(id);
    let mut look = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..500 {
        look.tick().await;
        let events =
            store::events::list(&app.services().db, scope, &[], None, false, 10).await.expect("events");
        if let [event] = events.as_slice() {
            assert_eq!(event.number, Some(1));
            return;
        }
    }
    panic!("the event has no number");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_told_and_comes_back() {
    // A cluster of its own, because all other tests use the shared one meanwhile.
    let cluster = Cluster::start("fsync = off");
    let database = Database::at(Backend::Postgres, cluster.url("postgres"));
    let short = "[database]\nacquire_timeout_seconds = 1";
    let app = TestApp::builder().database(database).config(short).background().start().await;
    let id = app.organization("Acme").await;
    let path = format!("/api/v1/organizations/{id}");

    cluster.stop();
    for _ in 0..3 {
        let problem = app.get(&path).operator().send().await.problem(503, "database_unavailable");
        assert!(
            problem["detail"].as_str().is_some_and(|text| text.contains("Nothing was changed")),
            "{problem}"
        );
    }
    let write = app.post("/api/v1/organizations").operator().json(&serde_json::json!({ "name": "Other" }));
    write.send().await.problem(503, "database_unavailable");
    app.get("/health/live").send().await.expect(200);
    let ready = app.get("/health/ready").send().await.expect(503).json();
    assert_eq!(ready["checks"][0]["ok"], false);

    cluster.start_again();
    let mut answer = app.get(&path).operator().send().await;
    for _ in 0..10 {
        if answer.status == 200 {
            break;
        }
        answer.problem(503, "database_unavailable");
        answer = app.get(&path).operator().send().await;
    }
    assert_eq!(answer.expect(200).id(), id);
    app.get("/health/ready").send().await.expect(200);
    let all = app.get("/api/v1/organizations").operator().query(&[("include_total", "true")]).send().await;
    assert_eq!(all.expect(200).json()["total"], 1, "the refused write left nothing");
}
