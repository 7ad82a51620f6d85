//! The sign-in log over REST: what it says of each way that a sign-in ends, who may read it, and that nobody can fill it.

use super::{Begun, Person, Tenant, refused};
use crate::support::app::{TestApp, on_both, text};
use crate::support::database::{Backend, Database};
use crate::support::people;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::demo::idp::{KeyType, ResponseSpec, Signing, SigningKey};
use postern::model::time::Clock as _;
use postern::service::sign_in_log::{self, REFUSALS};
use serde_json::{Value, json};
use std::time::Duration;

impl Tenant {
    /// The entries of the log, newest first.
    pub async fn log(&self, app: &TestApp, query: &[(&str, &str)]) -> Vec<Value> {
        let page = app.get(&self.api("/sign-ins")).operator().query(query).send().await.expect(200).json();
        page["data"].as_array().expect("a list").clone()
    }

    /// An entry of the log with all that is known.
    pub async fn entry(&self, app: &TestApp, entry: &Value) -> Value {
        let path = self.api(&format!("/sign-ins/{}", text(entry, "id")));
        app.get(&path).operator().send().await.expect(200).json()
    }

    /// The newest entry, whole.
    pub async fn newest(&self, app: &TestApp) -> Value {
        let log = self.log(app, &[("limit", "1")]).await;
        self.entry(app, log.first().expect("an entry")).await
    }

    async fn unmask(&self, app: &TestApp) {
        let path = self.api(&format!("/saml-connections/{}", self.connection));
        let on = json!({ "unmask_sign_in_attributes": true });
        app.patch(&path).operator().json(&on).send().await.expect(200);
    }
}

/// The steps of an entry: `+request +response -checks`.
fn steps(entry: &Value) -> String {
    let told = |step: &Value| format!("{}{}", if step["ok"] == true { '+' } else { '-' }, text(step, "step"));
    entry["steps"].as_array().expect("steps").iter().map(told).collect::<Vec<_>>().join(" ")
}

/// A response with a wrong audience and two attributes.
fn mistaken(app: &TestApp, acme: &Tenant, begun: &Begun) -> String {
    let mut spec = acme.response(app, begun, "s", "jo@acme.test");
    spec.audiences = vec![vec!["https://mistyped.example".to_owned()]];
    spec.attributes.push(("firstName".to_owned(), vec!["Josephine".to_owned()]));
    acme.sign(&spec)
}

/// Signed by a key that nobody trusts.
fn forged(app: &TestApp, spec: &ResponseSpec) -> String {
    let key = SigningKey::generate(KeyType::Rsa2048, "other", app.clock.now().to_datetime()).expect("a key");
    BASE64_STANDARD.encode(Signing::default().respond(spec, &key).expect("signed"))
}

on_both! {
    async fn a_sign_in_is_told_with_all_its_steps(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        app.clock.advance(Duration::from_secs(7));
        let mut spec = acme.response(&app, &begun, "subject-1", "jo@acme.test");
        spec.attributes.push(("groups".to_owned(), vec!["Engineering".to_owned(); 30]));
        jo.post(&app, &acme, &acme.sign(&spec)).await.expect(303);
        let entry = acme.newest(&app).await;
        assert_eq!(entry["outcome"], "signed_in", "{entry:#}");
        assert_eq!(
            steps(&entry),
            "+request +response +match +signature +checks +attributes +person +session", "{entry:#}"
        );
        assert!(text(&entry, "id").starts_with("sgn_") && text(&entry, "reference").len() == 9, "{entry:#}");
        assert_eq!((&entry["address"], &entry["member_created"]), (&json!("jo@acme.test"), &json!(true)), "{entry:#}");
        assert_eq!(entry["signature_algorithm"], "ecdsa-sha256", "{entry:#}");
        assert_eq!(entry["verified"], true);
        assert_eq!(entry["clock_difference_seconds"], json!(0.0), "{entry:#}");
        assert!(text(&entry, "certificate_sha256_fingerprint").len() == 95, "{entry:#}");
        assert_eq!(entry["name_id_format"], "persistent");
        let member = acme.member(&app, "jo@acme.test").await;
        assert_eq!(entry["user_id"], member["user_id"]);
        assert!(text(&entry, "started_at") < text(&entry, "finished_at"), "{entry:#}");
        // No value is shown, only what kind of value came.
        let shown = entry["attributes"].to_string();
        assert!(shown.contains("j… (12 characters)") && !shown.contains("Engineering"), "{shown}");
        assert_eq!(entry["attributes"][1]["count"], 30, "{shown}");

        // Again, by the link, in another browser: the same shape.
        Person::new().sign_in(&app, &acme, "subject-1", "jo@acme.test").await.expect(303);
        let again = acme.newest(&app).await;
        assert_eq!((&again["outcome"], &again["member_created"]), (&json!("signed_in"), &json!(false)), "{again:#}");
        assert_eq!(again["user_id"], member["user_id"]);
        assert_ne!(again["session_id"], entry["session_id"]);
        assert_eq!(steps(&again), steps(&entry));
        assert_eq!(acme.log(&app, &[]).await.len(), 2);
    }

    async fn a_refusal_is_told_up_to_where_it_failed(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let answer = jo.post(&app, &acme, &mistaken(&app, &acme, &begun)).await;
        let reference = refused(&answer, "wrong_audience");
        assert!(!answer.body.contains("mistyped"), "a person is not told what came: {}", answer.body);
        assert!(answer.body.contains("/problems/wrong_audience"), "{}", answer.body);
        let entry = acme.newest(&app).await;
        assert_eq!((&entry["outcome"], &entry["code"]), (&json!("refused"), &json!("wrong_audience")));
        assert_eq!(text(&entry, "reference"), reference);
        assert_eq!(steps(&entry), "+request +response +match +signature -checks", "{entry:#}");
        assert!(text(&entry, "detail").contains("https://mistyped.example"), "{entry:#}");
        assert!(text(&entry, "next_step").contains("Audience URI"), "{entry:#}");
        assert_eq!(text(&entry, "code_url"), format!("{}/problems/wrong_audience", app.url));
        assert_eq!((&entry["verified"], entry.get("address")), (&json!(false), None), "{entry:#}");
        assert_eq!(entry["attributes"][1]["name"], "firstName", "{entry:#}");
        assert!(!entry["attributes"].to_string().contains("Josephine"), "{entry:#}");

        // Another key: the fingerprint of what came is there to be compared.
        let begun = jo.begin(&app, "jo@acme.test").await;
        let response = forged(&app, &acme.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &acme, &response).await, "signature_mismatch");
        let entry = acme.newest(&app).await;
        assert_eq!(steps(&entry), "+request +response +match -signature", "{entry:#}");
        assert_eq!(entry["signature_algorithm"], "rsa-sha256", "{entry:#}");

        // A verified response about somebody who may not come in.
        let begun = jo.begin(&app, "jo@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@elsewhere.test"));
        refused(&jo.post(&app, &acme, &response).await, "foreign_domain");
        let entry = acme.newest(&app).await;
        assert_eq!(steps(&entry), "+request +response +match +signature +checks +attributes -person", "{entry:#}");
        assert_eq!((&entry["verified"], &entry["address"]), (&json!(true), &json!("jo@elsewhere.test")));
    }

    async fn values_are_shown_where_the_administrator_says_so(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        acme.unmask(&app).await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        refused(&jo.post(&app, &acme, &mistaken(&app, &acme, &begun)).await, "wrong_audience");
        let entry = acme.newest(&app).await;
        assert_eq!((&entry["unmasked"], &entry["attributes"][1]["values"]), (&json!(true), &json!(["Josephine"])));
        let changed = acme.events(&app, "saml_connection.updated").await;
        assert!(changed[0]["data"].to_string().contains("unmask_sign_in_attributes"), "{changed:?}");
    }

    async fn a_sign_in_that_nobody_finished_is_told_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.begin(&app, "jo@acme.test").await;
        let begun = jo.begin(&app, "jo@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        jo.post(&app, &acme, &response).await.expect(303);
        assert_eq!(sign_in_log::tell_abandoned(app.services()).await.expect("told"), 0, "it may still come");
        app.clock.advance(Duration::from_mins(16));
        for told in [1, 0] {
            assert_eq!(sign_in_log::tell_abandoned(app.services()).await.expect("told"), told);
        }
        let entries = acme.log(&app, &[("outcome", "abandoned")]).await;
        assert_eq!(entries.len(), 1, "{entries:#?}");
        let entry = acme.entry(&app, &entries[0]).await;
        assert_eq!(steps(&entry), "+request -response", "{entry:#}");
        assert!(entry.get("finished_at").is_none() && entry.get("code").is_none(), "{entry:#}");
        assert_eq!(acme.log(&app, &[]).await.len(), 2);
    }

    async fn what_a_stranger_writes_into_the_log_is_short(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        acme.unmask(&app).await;
        let mut mallory = Person::new();
        let begun = mallory.begin(&app, "jo@acme.test").await;
        let mut spec = acme.response(&app, &begun, &"n".repeat(900), "jo@acme.test");
        spec.audiences = vec![vec!["a".repeat(10_000)]];
        for n in 0..30 {
            let name = format!("{n}{}", "x".repeat(500));
            spec.attributes.push((name, vec!["v".repeat(1_000)]));
        }
        let call = app.post(&acme.acs_url).header("user-agent", &"u".repeat(2_000));
        let call = call.header("cookie", &format!("postern_browser={}", mallory.binding.as_deref().unwrap()));
        let answer = call.form(&[("SAMLResponse", forged(&app, &spec).as_str())]).send().await;
        refused(&answer, "signature_mismatch");
        let entry = acme.newest(&app).await;
        assert!(text(&entry, "user_agent").len() == 300, "{entry:#}");
        assert!(entry.to_string().len() < 40_000, "{}", entry.to_string().len());
    }

    async fn the_log_is_read_in_pages_and_by_what_is_looked_for(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        for name in ["ada", "bob", "cleo"] {
            let address = format!("{name}@acme.test");
            Person::new().sign_in(&app, &acme, name, &address).await.expect(303);
            app.clock.advance(Duration::from_mins(1));
        }
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let reference = refused(&jo.post(&app, &acme, &mistaken(&app, &acme, &begun)).await, "wrong_audience");
        let addresses = |entries: &[Value]| -> Vec<String> {
            entries.iter().map(|entry| entry["address"].as_str().unwrap_or("-").to_owned()).collect()
        };
        let all = acme.log(&app, &[]).await;
        assert_eq!(addresses(&all), ["-", "cleo@acme.test", "bob@acme.test", "ada@acme.test"]);
        let oldest = acme.log(&app, &[("order_by", "created_at")]).await;
        assert_eq!(addresses(&oldest), ["ada@acme.test", "bob@acme.test", "cleo@acme.test", "-"]);
        for order in ["-created_at", "created_at"] {
            let mut seen = Vec::new();
            let mut cursor = String::new();
            loop {
                let mut query = vec![("limit", "1"), ("order_by", order)];
                if !cursor.is_empty() {
                    query.push(("cursor", &cursor));
                }
                let page = app.get(&acme.api("/sign-ins")).operator().query(&query).send().await.expect(200).json();
                seen.extend(page["data"].as_array().expect("rows").clone());
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen, if order == "created_at" { oldest.clone() } else { all.clone() });
        }
        let bob = acme.log(&app, &[("search", "BOB@")]).await;
        assert_eq!(addresses(&bob), ["bob@acme.test"]);
        let user = text(&bob[0], "user_id").to_owned();
        assert_eq!(acme.log(&app, &[("user_id", &user)]).await, bob);
        let small = reference.to_lowercase();
        for query in [("reference", small.as_str()), ("outcome", "refused"), ("code", "wrong_audience,expired")] {
            assert_eq!(acme.log(&app, &[query]).await, all[..1], "{query:?}");
        }
        assert_eq!(acme.log(&app, &[("connection_id", &acme.connection)]).await.len(), 4);
        assert_eq!(acme.log(&app, &[("code", "expired")]).await.len(), 0);
        let middle = text(&bob[0], "finished_at").to_owned();
        assert_eq!(addresses(&acme.log(&app, &[("after", &middle)]).await), ["-", "cleo@acme.test", "bob@acme.test"]);
        assert_eq!(addresses(&acme.log(&app, &[("before", &middle)]).await), ["ada@acme.test"]);
        for (name, wrong) in [("outcome", "x"), ("order_by", "name"), ("user_id", "x"), ("cursor", "x")] {
            let answer = app.get(&acme.api("/sign-ins")).operator().query(&[(name, wrong)]).send().await;
            assert_eq!(answer.status, 400, "{name}: {answer:?}");
        }
    }

    async fn another_organization_reads_none_of_it(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let other = Tenant::new(&app, "Other", "other.test").await;
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        assert_eq!(other.log(&app, &[]).await.len(), 0);
        let entry = acme.newest(&app).await;
        let id = text(&entry, "id");
        app.get(&other.api(&format!("/sign-ins/{id}"))).operator().send().await.problem(404, "not_found");
        let stranger = app.api_key(&other.org, &["saml_connection:read"]).await;
        app.get(&acme.api("/sign-ins")).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&acme.api(&format!("/sign-ins/{id}"))).bearer(&stranger).send().await.problem(404, "not_found");
        let (_, plain) = people::signed_in(&app, &acme.org, "plain@acme.test", "member").await;
        app.get(&acme.api("/sign-ins")).session(&plain).send().await.problem(403, "role_too_low");
        let reference = text(&entry, "reference");
        assert_eq!(other.log(&app, &[("reference", reference)]).await.len(), 0);
    }

    async fn an_administrator_sees_the_details_at_once_and_nobody_else_does(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let other = Tenant::new(&app, "Other", "other.test").await;
        let (_, admin) = people::signed_in(&app, &acme.org, "admin@acme.test", "admin").await;
        let (_, plain) = people::signed_in(&app, &acme.org, "plain@acme.test", "member").await;
        let (_, elsewhere) = people::signed_in(&app, &other.org, "owner@other.test", "owner").await;
        let mut seen = Vec::new();
        for (session, at_the_end) in [
            (Some(&admin), true), (Some(&admin), false), (Some(&plain), true), (Some(&elsewhere), true), (None, true),
        ] {
            let mut browser = Person { session: session.cloned(), ..Person::new() };
            let begun = browser.begin(&app, "jo@acme.test").await;
            if !at_the_end {
                // As over https: the session's cookie does not come along with what the IdP's page posts.
                browser.session = None;
            }
            let answer = browser.post(&app, &acme, &mistaken(&app, &acme, &begun)).await;
            refused(&answer, "wrong_audience");
            seen.push(answer.body.contains("https://mistyped.example") && answer.body.contains("Audience URI"));
        }
        assert_eq!(seen, [true, true, false, false, false]);

        // Somebody who brings the administrator's attempt in another browser is not the administrator.
        let mut browser = Person { session: Some(admin), ..Person::new() };
        let begun = browser.begin(&app, "jo@acme.test").await;
        let answer = Person::new().post(&app, &acme, &mistaken(&app, &acme, &begun)).await;
        refused(&answer, "other_browser");
        assert!(!answer.body.contains("administrator</h2>"), "{}", answer.body);
    }

    async fn entries_are_deleted_by_age(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        assert_eq!(acme.log(&app, &[]).await.len(), 1);
        app.clock.advance(Duration::from_hours(24 * 60));
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        assert_eq!(acme.log(&app, &[]).await.len(), 2);
        app.clock.advance(Duration::from_hours(24 * 31));
        assert_eq!(sign_in_log::prune(app.services()).await.expect("pruned"), 1);
        assert_eq!(acme.log(&app, &[]).await.len(), 1);
    }
}

async fn a_strangers_garbage_does_not_fill_the_log(backend: Backend) {
    let builder = TestApp::builder().database(Database::migrated(backend).await);
    let app = builder.config("[limits]\nsign_in_per_minute = 100000").start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let mut mallory = Person::new();
    for _ in 0..1_000 {
        let answer = mallory.post(&app, &acme, "bm90IHhtbA==").await;
        refused(&answer, "malformed_xml");
    }
    let entries = acme.log(&app, &[("limit", "200")]).await;
    assert_eq!(entries.len(), REFUSALS as usize, "bounded for each connection and minute");
    assert_eq!(acme.events(&app, "sign_in.refused").await.len(), REFUSALS as usize);
    let metrics = metrics(&app).await;
    let left_out = format!("postern_sign_in_log_dropped_total{{reason=\"refusals\"}} {}", 1_000 - REFUSALS);
    assert!(metrics.contains(&left_out), "{metrics}");
    // Everybody else's refusals are kept meanwhile, and the next stranger's says what is missing.
    let mut jo = Person::new();
    let begun = jo.begin(&app, "jo@acme.test").await;
    refused(&jo.post(&app, &acme, &mistaken(&app, &acme, &begun)).await, "wrong_audience");
    assert_eq!(acme.newest(&app).await["code"], "wrong_audience");
    app.clock.advance(Duration::from_mins(1));
    mallory.post(&app, &acme, "bm90IHhtbA==").await;
    assert_eq!(acme.newest(&app).await["left_out"], 1_000 - REFUSALS);
}

mod a_strangers_garbage_does_not_fill_the_log {
    use crate::support::database::Backend;

    #[tokio::test]
    async fn sqlite() {
        super::a_strangers_garbage_does_not_fill_the_log(Backend::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        super::a_strangers_garbage_does_not_fill_the_log(Backend::Postgres).await;
    }
}

async fn metrics(app: &TestApp) -> String {
    app.get(&app.metrics_url).send().await.expect(200).body
}

#[tokio::test]
async fn no_sign_in_waits_for_the_log() {
    // No entry may wait at all: each is dropped, and every sign-in goes on.
    let app = TestApp::builder().sign_in_log_waiting(0).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let mut jo = Person::new();
    jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    jo.me(&app).await.expect(200);
    assert_eq!(acme.log(&app, &[]).await.len(), 0);
    assert_eq!(app.services().sign_in_log.dropped(), 1);
    assert!(metrics(&app).await.contains("postern_sign_in_log_dropped_total{reason=\"queue_full\"} 1"));
}

#[tokio::test]
async fn without_retention_there_is_no_log() {
    let app = TestApp::builder().config("[saml]\nlog_days = 0\n").start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    let mut jo = Person::new();
    let begun = jo.begin(&app, "jo@acme.test").await;
    refused(&jo.post(&app, &acme, &mistaken(&app, &acme, &begun)).await, "wrong_audience");
    assert_eq!(acme.log(&app, &[]).await.len(), 0);
    assert_eq!(acme.events(&app, "sign_in.refused").await.len(), 1, "events are told all the same");
}
