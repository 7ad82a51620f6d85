//! scim2-tester, which tries every attribute that is announced.

use super::Tenant;
use crate::support::app::TestApp;
use crate::support::python;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finds_no_error() {
    let app = TestApp::builder()
        .machine_clock()
        .config("[scim]\nrate_per_second = 10000\nburst = 10000")
        .start()
        .await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    // It invents addresses on random domains.
    acme.set("scim", &serde_json::json!({ "foreign_addresses": "hold" })).await;
    let report = python::scim_tester(&format!("{}/scim/v2", app.url), &acme.token).await;
    assert!(report.failed.is_empty(), "{:#?}\n{}", report.failed, report.output);
    assert!(report.passed > 100, "{}", report.output);
}
