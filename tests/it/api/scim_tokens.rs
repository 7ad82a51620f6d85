//! SCIM tokens through HTTP: how long they live, rotation without an outage, warnings before the end.

use std::time::Duration;

use postern::service::scim_credentials::{ScimRefusal, scim_token};
use postern::service::scim_tokens;
use serde_json::{Value, json};

use crate::support::app::{Answer, TestApp, on_both, text};

const DAY: Duration = Duration::from_hours(24);

fn tokens(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/scim/tokens")
}

async fn make(app: &TestApp, organization: &str, body: &Value) -> Value {
    app.post(&tokens(organization)).operator().json(body).send().await.expect(201).json()
}

async fn verb(app: &TestApp, organization: &str, token: &Value, verb: &str) -> Answer {
    let path = format!("{}/{}/{verb}", tokens(organization), text(token, "id"));
    app.post(&path).operator().send().await
}

async fn shown(app: &TestApp, organization: &str, token: &Value) -> Value {
    let path = format!("{}/{}", tokens(organization), text(token, "id"));
    app.get(&path).operator().send().await.expect(200).json()
}

/// What the SCIM door answers to a token.
async fn knock(app: &TestApp, token: &Value) -> Answer {
    app.get("/scim/v2/Users?count=0").bearer(text(token, "token")).send().await
}

async fn reason(app: &TestApp, secret: &str) -> ScimRefusal {
    let services = app.services();
    scim_token(services, secret, services.clock.now()).await.expect_err("refused")
}

/// The events of a kind: subject and data.
async fn events(app: &TestApp, organization: &str, kind: &str) -> Vec<(String, Value)> {
    let path = format!("/api/v1/organizations/{organization}/events?limit=200&kind={kind}");
    let page = app.get(&path).operator().send().await.expect(200).json();
    let rows = page["data"].as_array().expect("rows");
    rows.iter().map(|row| (text(row, "subject").to_owned(), row["data"].clone())).collect()
}

on_both! {
    async fn a_token_lives_as_long_as_it_was_made_to(app: TestApp) {
        let org = app.organization("Acme").await;
        let made = make(&app, &org, &json!({ "expires_in_days": 10 })).await;
        assert_eq!(made["expires_at"], "2026-11-28T13:46:40Z");
        let until = make(&app, &org, &json!({ "expires_at": "2026-11-19T00:00:00Z" })).await;
        let forever = make(&app, &org, &Value::Null).await;
        for token in [&made, &until, &forever] {
            knock(&app, token).await.expect(200);
        }
        assert_eq!(shown(&app, &org, &forever).await.get("expires_at"), None);
        for (field, value) in [
            ("expires_in_days", json!(0)), ("expires_in_days", json!(3651)), ("expires_in_days", json!(-1)),
            ("expires_at", json!("2026-11-18T13:46:40Z")), ("expires_at", json!("+10000-01-01T00:00:00Z")),
            ("domain_id", json!("org_01h455vb4pex5vsknk084sn02q")), ("life", json!(1)),
        ] {
            let answer = app.post(&tokens(&org)).operator().json(&json!({ field: value })).send().await;
            let problem = answer.expect(400).json();
            assert!(problem.to_string().contains(field), "{problem}");
        }
        let both = json!({ "expires_at": "2027-01-01T00:00:00Z", "expires_in_days": 3 });
        app.post(&tokens(&org)).operator().json(&both).send().await.problem(400, "invalid_request");
        let gone = json!({ "domain_id": "dom_01h455vb4pex5vsknk084sn02q" });
        app.post(&tokens(&org)).operator().json(&gone).send().await.problem(404, "not_found");

        app.clock.advance(DAY);
        knock(&app, &until).await.scim_error(401, None);
        knock(&app, &made).await.expect(200);
        app.clock.advance((DAY * 9).saturating_sub(Duration::from_micros(1)));
        knock(&app, &made).await.expect(200);
        // It was known a moment ago, and is over at the very time that was promised.
        app.clock.advance(Duration::from_micros(1));
        knock(&app, &made).await.scim_error(401, None);
        knock(&app, &forever).await.expect(200);
        let over = shown(&app, &org, &made).await;
        assert_eq!((&over["active"], &over["status"]), (&json!(false), &json!("expired")));
        // What is over counts for nothing: neither against the number of live tokens nor as something to rotate.
        for _ in 0..19 {
            make(&app, &org, &json!({})).await;
        }
        app.post(&tokens(&org)).operator().send().await.problem(409, "too_many_tokens");
        verb(&app, &org, &made, "rotate").await.problem(409, "token_over");
    }

    async fn whoever_is_refused_hears_the_same_and_the_log_does_not(app: TestApp) {
        let org = app.organization("Acme").await;
        let expired = make(&app, &org, &json!({ "expires_in_days": 1 })).await;
        let revoked = make(&app, &org, &json!({})).await;
        let path = format!("{}/{}", tokens(&org), text(&revoked, "id"));
        app.delete(&path).operator().send().await.expect(204);
        app.clock.advance(DAY);
        let wrong = "pstn_scim_00000000000000000000000000000000000000";
        let mut answers = Vec::new();
        for secret in [text(&expired, "token"), text(&revoked, "token"), wrong] {
            let answer = app.get("/scim/v2/Users").bearer(secret).send().await;
            answers.push((answer.status, answer.header("www-authenticate").map(str::to_owned), answer.body));
        }
        assert_eq!(answers[0].0, 401);
        assert!(answers[0] == answers[1] && answers[1] == answers[2], "{answers:?}");
        let reasons = [
            reason(&app, text(&expired, "token")).await, reason(&app, text(&revoked, "token")).await, reason(&app, wrong).await,
        ];
        let words: Vec<&str> = reasons.iter().map(ScimRefusal::reason).collect();
        assert_eq!(words, ["expired", "revoked", "wrong"]);
        let named = reasons[0].whose().expect("whose it was");
        assert_eq!(named.credential.to_string(), text(&expired, "id"));
    }

    async fn a_rotation_lets_both_in_until_the_overlap_ends(app: TestApp) {
        let org = app.organization("Acme").await;
        let old = make(&app, &org, &json!({ "expires_in_days": 365 })).await;
        app.clock.advance(DAY * 10);
        let new = verb(&app, &org, &old, "rotate").await.expect(201).json();
        // As long as the old one was made to live, from now on.
        assert_eq!(new["expires_at"], "2027-11-28T13:46:40Z");
        let replaced = &new["replaces"];
        assert_eq!((&replaced["id"], &replaced["last_four"]), (&old["id"], &old["last_four"]));
        assert_eq!((&replaced["status"], &replaced["overlap_ends_at"]), (&json!("rotating"), &json!("2026-12-05T13:46:40Z")));
        assert_eq!(replaced["expires_at"], "2027-11-18T13:46:40Z");
        knock(&app, &old).await.expect(200);
        knock(&app, &new).await.expect(200);
        let list = app.get(&tokens(&org)).operator().send().await.expect(200).json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
        assert_eq!((&list["data"][1]["replaces"], &list["data"][1]["last_four"]), (&old["id"], &new["last_four"]));
        verb(&app, &org, &old, "rotate").await.problem(409, "rotation_under_way");

        app.clock.advance((DAY * 7).saturating_sub(Duration::from_secs(1)));
        knock(&app, &old).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        knock(&app, &old).await.scim_error(401, None);
        knock(&app, &new).await.expect(200);
        // What is over is neither completed nor taken back.
        for name in ["complete-rotation", "cancel-rotation"] {
            verb(&app, &org, &new, name).await.problem(409, "no_rotation");
            verb(&app, &org, &old, name).await.problem(409, "no_rotation");
        }
        assert_eq!(events(&app, &org, "scim_token.rotation_started").await.len(), 1);
    }

    async fn a_rotation_is_completed_or_taken_back(app: TestApp) {
        let org = app.organization("Acme").await;
        let old = make(&app, &org, &json!({})).await;
        verb(&app, &org, &old, "complete-rotation").await.problem(409, "no_rotation");
        let path = format!("{}/{}/rotate", tokens(&org), text(&old, "id"));
        for wrong in [json!({ "overlap_days": 0 }), json!({ "overlap_days": 91 }), json!({ "overlap": 3 })] {
            app.post(&path).operator().json(&wrong).send().await.expect(400);
        }
        let body = json!({ "overlap_days": 90, "expires_in_days": 30 });
        let new = app.post(&path).operator().json(&body).send().await.expect(201).json();
        assert_eq!(new["replaces"]["overlap_ends_at"], "2027-02-16T13:46:40Z");
        knock(&app, &new).await.expect(200);

        let back = verb(&app, &org, &new, "cancel-rotation").await.expect(200).json();
        assert_eq!((&back["id"], &back["status"], back.get("overlap_ends_at")), (&old["id"], &json!("active"), None));
        knock(&app, &new).await.scim_error(401, None);
        app.clock.advance(DAY * 100);
        knock(&app, &old).await.expect(200);

        let new = app.post(&path).operator().json(&body).send().await.expect(201).json();
        knock(&app, &old).await.expect(200);
        let done = verb(&app, &org, &old, "complete-rotation").await.expect(200).json();
        assert_eq!((&done["id"], &done["status"]), (&new["id"], &json!("active")));
        knock(&app, &old).await.scim_error(401, None);
        knock(&app, &new).await.expect(200);

        // A new token that was lost and revoked: completing would leave nobody, taking back mends it.
        let lost = verb(&app, &org, &new, "rotate").await.expect(201).json();
        app.delete(&format!("{}/{}", tokens(&org), text(&lost, "id"))).operator().send().await.expect(204);
        verb(&app, &org, &new, "complete-rotation").await.problem(409, "no_rotation");
        assert_eq!(shown(&app, &org, &new).await["status"], "rotating");
        verb(&app, &org, &new, "cancel-rotation").await.expect(200);
        assert_eq!(shown(&app, &org, &new).await["status"], "active");
        // Another organization's token is not there.
        let other = app.organization("Other").await;
        for name in ["rotate", "complete-rotation", "cancel-rotation"] {
            verb(&app, &other, &new, name).await.problem(404, "not_found");
        }
        let kinds = ["scim_token.rotation_completed", "scim_token.rotation_canceled", "scim_token.revoked"];
        for (kind, number) in kinds.into_iter().zip([1, 2, 3]) {
            assert_eq!(events(&app, &org, kind).await.len(), number, "{kind}");
        }
    }

    async fn the_last_use_is_noted_at_most_once_a_minute(app: TestApp) {
        let org = app.organization("Acme").await;
        let token = make(&app, &org, &json!({})).await;
        assert_eq!(shown(&app, &org, &token).await.get("last_used_at"), None);
        knock(&app, &token).await.expect(200);
        let first = shown(&app, &org, &token).await["last_used_at"].clone();
        assert_eq!(first, "2026-11-18T13:46:40Z");
        for seconds in [30, 29] {
            app.clock.advance(Duration::from_secs(seconds));
            app.services().caches.scim_tokens.clear();
            knock(&app, &token).await.expect(200);
            assert_eq!(shown(&app, &org, &token).await["last_used_at"], first);
        }
        app.clock.advance(Duration::from_secs(1));
        app.services().caches.scim_tokens.clear();
        knock(&app, &token).await.expect(200);
        assert_eq!(shown(&app, &org, &token).await["last_used_at"], "2026-11-18T13:47:40Z");
    }

    async fn owners_are_told_before_a_token_ends_and_told_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let services = app.services();
        let left = async || {
            // Two nodes at once.
            let (one, other) =
                tokio::join!(scim_tokens::warn_of_expiry(services), scim_tokens::warn_of_expiry(services));
            one.expect("warned");
            other.expect("warned");
            let events = events(&app, &org, "scim_token.expiring").await;
            events.iter().map(|(_, data)| data["days_left"].as_u64().expect("a number")).collect::<Vec<_>>()
        };
        let year = make(&app, &org, &json!({ "expires_in_days": 365 })).await;
        make(&app, &org, &Value::Null).await;
        // Whoever made it for three days knows.
        make(&app, &org, &json!({ "expires_in_days": 3 })).await;
        assert_eq!(left().await, Vec::<u64>::new());
        app.clock.advance(DAY * 2);
        assert_eq!(left().await, [1]);
        app.clock.advance(DAY * 333);
        assert_eq!(left().await, [1, 30]);
        assert_eq!(left().await, [1, 30]);
        let (subject, data) = events(&app, &org, "scim_token.expiring").await.remove(1);
        assert_eq!((subject.as_str(), &data["last_four"], &data["because"]), (text(&year, "id"), &year["last_four"], &json!("expiry")));
        app.clock.advance(DAY * 23);
        assert_eq!(left().await, [1, 30, 7]);
        // Rotated, the token ends with the overlap, and before the warning of that it is rotated back.
        let new = verb(&app, &org, &year, "rotate").await.expect(201).json();
        verb(&app, &org, &new, "cancel-rotation").await.expect(200);
        app.clock.advance(DAY * 6);
        assert_eq!(left().await, [1, 30, 7, 1]);
        app.clock.advance(DAY * 40);
        assert_eq!(left().await, [1, 30, 7, 1], "neither after the end nor of a revoked one");
    }
}
