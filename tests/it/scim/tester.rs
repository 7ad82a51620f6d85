//! The testers that none of us wrote: scim2-tester, which tries every attribute that is announced, and scim-sanity, which
//! lives a user's and a group's life. No error is allowed to either, but for the one that is named here.

use super::Tenant;
use crate::support::app::TestApp;
use crate::support::database::{Backend, Database};
use crate::support::python;

/// scim-sanity adds somebody to a group who does not exist (`fake-member-id`) and wants 200. A member that is nobody
/// would be an answer without effect, so it is 400 `invalidValue` here (RFC 7644 §3.12), as for every unknown member.
const FAKE_MEMBER: &str = "fail: PATCH /Groups/{id} add member: Expected 200, got 400";

/// With the machine's clock, and limits that no tester meets.
async fn app(backend: Backend) -> TestApp {
    TestApp::builder()
        .database(Database::migrated(backend).await)
        .machine_clock()
        .config("[scim]\nrate_per_second = 10000\nburst = 10000")
        .start()
        .await
}

async fn scim2_tester_finds_no_error(backend: Backend) {
    let app = app(backend).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    // It invents addresses on random domains.
    acme.set("scim", &serde_json::json!({ "foreign_addresses": "hold" })).await;
    let report = python::scim_tester(&format!("{}/scim/v2", app.url), &acme.token).await;
    assert!(report.failed.is_empty(), "{:#?}\n{}", report.failed, report.output);
    assert!(report.passed > 100, "{}", report.output);
}

async fn scim_sanity_finds_no_error(backend: Backend) {
    let app = app(backend).await;
    let acme = Tenant::new(&app, "Acme", "example.com").await;
    let report = python::scim_sanity(&format!("{}/scim/v2", app.url), &acme.token).await;
    assert_eq!(report.failed, [FAKE_MEMBER], "{}", report.output);
    assert!(report.passed > 25, "{}", report.output);
}

mod scim2_tester {
    use super::{Backend, scim2_tester_finds_no_error};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        scim2_tester_finds_no_error(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        scim2_tester_finds_no_error(Backend::Postgres).await;
    }
}

mod scim_sanity {
    use super::{Backend, scim_sanity_finds_no_error};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        scim_sanity_finds_no_error(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        scim_sanity_finds_no_error(Backend::Postgres).await;
    }
}
