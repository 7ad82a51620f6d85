//! `Idempotency-Key`: one request, one change, one answer.

use postern::model::id::ApiKeyId;
use postern::service::idempotency::{Claim, begin};
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people::members;

async fn add(app: &TestApp, organization: &str, key: &str, email: &str) -> Answer {
    let call = app.post(&members(organization)).operator().header("idempotency-key", key);
    call.json(&json!({ "email": email })).send().await
}

async fn count(app: &TestApp, organization: &str) -> Value {
    app.get(&format!("{}/count", members(organization))).operator().send().await.expect(200).json()["count"]
        .clone()
}

on_both! {
    async fn the_same_request_gets_the_same_answer(app: TestApp) {
        let org = app.organization("Acme").await;
        let first = add(&app, &org, "k-1", "jo@acme.test").await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), None);
        let again = add(&app, &org, "k-1", "jo@acme.test").await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(first.json(), again.json());
        for name in ["location", "etag", "content-type"] {
            assert_eq!(first.header(name), again.header(name), "{name}");
        }
        assert_eq!(count(&app, &org).await, 1);
        add(&app, &org, "k-1", "other@acme.test").await.problem(409, "idempotency_key_reused");
        let elsewhere = app.organization("Other").await;
        add(&app, &elsewhere, "k-1", "jo@acme.test").await.problem(409, "idempotency_key_reused");
        add(&app, &org, "k-2", "jo@acme.test").await.problem(409, "member_exists");

        let key = app.api_key(&org, &["organization_member:write"]).await;
        let body = json!({ "email": "jo@acme.test" });
        let other = app.post(&members(&org)).bearer(&key).header("idempotency-key", "k-1").json(&body).send().await;
        other.problem(409, "member_exists");
        app.clock.advance(Duration::from_hours(24));
        add(&app, &org, "k-1", "new@acme.test").await.expect(201);
    }

    async fn a_replay_shows_no_secret(app: TestApp) {
        let org = app.organization("Acme").await;
        for (path, body, field) in [
            ("api-keys", json!({ "name": "x", "scopes": ["event:read"] }), "secret"),
            ("invites", json!({ "email": "guest@acme.test" }), "link"),
            ("scim/tokens", json!({}), "token"),
        ] {
            let path = format!("/api/v1/organizations/{org}/{path}");
            let send = || app.post(&path).operator().header("idempotency-key", &format!("k-{field}")).json(&body).send();
            let first = send().await.expect(201).json();
            let secret = text(&first, field).to_owned();
            let again = send().await.expect(201);
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert!(again.json().get(field).is_none() && !again.body.contains(&secret), "{}", again.body);
            assert_eq!(again.json()["created_at"], first["created_at"]);
        }
    }

    async fn a_refusal_leaves_the_key_free(app: TestApp) {
        let org = app.organization("Acme").await;
        add(&app, &org, "k-1", "nonsense").await.problem(400, "invalid_request");
        add(&app, &org, "k-1", "jo@acme.test").await.expect(201);
        add(&app, &org, "k-2", "jo@acme.test").await.problem(409, "member_exists");
        add(&app, &org, "k-2", "jim@acme.test").await.expect(201);
    }

    async fn many_at_once_change_once(app: TestApp) {
        let org = app.organization("Acme").await;
        for round in 0..4 {
            let (key, email) = (format!("k-{round}"), format!("p{round}@acme.test"));
            let answers = futures_util::future::join_all((0..6).map(|_| add(&app, &org, &key, &email))).await;
            for answer in &answers {
                if answer.status != 201 {
                    answer.problem(409, "idempotency_in_progress");
                }
            }
            let fresh = |answer: &&Answer| answer.status == 201 && answer.header("idempotency-replayed").is_none();
            assert_eq!(answers.iter().filter(fresh).count(), 1, "{answers:?}");
            assert_eq!(count(&app, &org).await, round + 1);
        }
    }

    async fn a_request_that_never_ended_is_not_run_again(app: TestApp) {
        let org = app.organization("Acme").await;
        let me = app.get("/api/v1/me").operator().send().await.expect(200).id();
        assert!(me.parse::<ApiKeyId>().is_ok());
        // What a process leaves that dies between the change and its answer.
        add(&app, &org, "k-1", "nonsense").await.expect(400);
        let body = json!({ "email": "jo@acme.test" }).to_string();
        let mut hash = openssl::sha::Sha256::new();
        for part in ["POST", &members(&org), &body] {
            hash.update(&part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let claim = Claim { credential: me, key: "k-1".to_owned(), request_hash: hash.finish().to_vec() };
        begin(app.services(), &claim, app.services().clock.now()).await.expect("a claim");
        add(&app, &org, "k-1", "jo@acme.test").await.problem(409, "idempotency_in_progress");
        app.clock.advance(Duration::from_mins(1));
        add(&app, &org, "k-1", "jo@acme.test").await.problem(409, "idempotency_outcome_unknown");
        assert_eq!(count(&app, &org).await, 0);
        add(&app, &org, "k-2", "jo@acme.test").await.expect(201);
    }

    async fn keys_are_plain_and_for_those_with_a_credential(app: TestApp) {
        let org = app.organization("Acme").await;
        for key in ["", " ", "a b", "x\u{e9}", &"x".repeat(256)] {
            add(&app, &org, key, "jo@acme.test").await.problem(400, "idempotency_key_invalid");
        }
        let doubled = app.post(&members(&org)).operator().header("idempotency-key", "a").header("idempotency-key", "b");
        doubled.json(&json!({ "email": "jo@acme.test" })).send().await.problem(400, "idempotency_key_invalid");
        add(&app, &org, &"x".repeat(255), "jo@acme.test").await.expect(201);
        let nobody = app.post(&members(&org)).header("idempotency-key", "k").json(&json!({ "email": "x@acme.test" }));
        nobody.send().await.problem(401, "credential_missing");
        // On other methods it is not asked for and not judged.
        app.get(&members(&org)).operator().header("idempotency-key", "a b").send().await.expect(200);
    }
}
