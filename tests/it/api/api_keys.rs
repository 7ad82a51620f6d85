//! API keys: shown once, within the maker's own reach, dead at once.

use serde_json::json;
use std::time::Duration;

use crate::support::app::{TestApp, on_both, text};
use crate::support::people::{event_kinds, members, signed_in};

fn keys(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/api-keys")
}

/// A key with `api_key:write` and more, made by the operator.
async fn maker(app: &TestApp, organization: &str) -> String {
    app.api_key(organization, &["api_key:read", "api_key:write", "organization:read"]).await
}

on_both! {
    async fn a_key_is_shown_once_listed_without_its_secret_and_dead_at_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let body = json!({ "name": " CI ", "scopes": ["organization:read", "api_key:read"] });
        let made = app.post(&keys(&org)).operator().json(&body).send().await.expect(201);
        let view = made.json();
        let secret = text(&view, "secret").to_owned();
        assert!(secret.starts_with("pstn_key_") && secret.ends_with(text(&view, "last_four")), "{view}");
        assert_eq!((text(&view, "name"), &view["scopes"]), ("CI", &json!(["organization:read", "api_key:read"])));
        let path = format!("{}/{}", keys(&org), made.id());
        assert_eq!(made.header("location"), Some(path.as_str()));

        for answer in [app.get(&path).bearer(&secret).send().await, app.get(&keys(&org)).bearer(&secret).send().await] {
            let answer = answer.expect(200);
            assert!(!answer.body.contains(&secret) && !answer.body.contains("hash"), "{}", answer.body);
        }
        let own = format!("/api/v1/organizations/{org}");
        for _ in 0..3 {
            app.get(&own).bearer(&secret).send().await.expect(200);
        }
        app.delete(&path).operator().send().await.expect(204);
        app.get(&own).bearer(&secret).send().await.problem(401, "credential_invalid");
        app.get(&path).operator().send().await.problem(404, "not_found");
        app.delete(&path).operator().send().await.problem(404, "not_found");
        assert_eq!(app.get(&keys(&org)).operator().send().await.expect(200).json()["data"], json!([]));
        let kinds = event_kinds(&app, &org).await;
        assert!(kinds.ends_with(&["api_key.created".to_owned(), "api_key.revoked".to_owned()]), "{kinds:?}");
    }

    async fn times_at_the_edges_of_the_calendar_are_refused_by_name(app: TestApp) {
        let org = app.organization("Acme").await;
        for end in ["0000-01-01T00:00:00+01:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"] {
            let body = json!({ "name": "CI", "scopes": ["organization:read"], "expires_at": end });
            let answer = app.post(&keys(&org)).operator().json(&body).send().await;
            assert_eq!(answer.status, 400, "{end}: {}", answer.body);
            assert_eq!(answer.json()["errors"][0]["field"], "expires_at", "{end}");
        }
        let body = json!({ "name": "CI", "scopes": ["organization:read"], "expires_at": "9999-12-31T23:59:59Z" });
        app.post(&keys(&org)).operator().json(&body).send().await.expect(201);
    }

    async fn a_key_ends_with_its_time(app: TestApp) {
        let org = app.organization("Acme").await;
        let body = json!({ "name": "CI", "scopes": ["organization:read"], "expires_at": "2026-11-18T14:46:40Z" });
        let made = app.post(&keys(&org)).operator().json(&body).send().await.expect(201).json();
        let own = format!("/api/v1/organizations/{org}");
        app.get(&own).bearer(text(&made, "secret")).send().await.expect(200);
        app.clock.advance(Duration::from_hours(1));
        app.get(&own).bearer(text(&made, "secret")).send().await.problem(401, "credential_invalid");
    }

    async fn odd_input_is_named(app: TestApp) {
        let org = app.organization("Acme").await;
        let scopes = json!(["organization:read"]);
        for (body, field) in [
            (json!({ "scopes": scopes }), "name"),
            (json!({ "name": "  ", "scopes": scopes }), "name"),
            (json!({ "name": "x".repeat(101), "scopes": scopes }), "name"),
            (json!({ "name": "x" }), "scopes"),
            (json!({ "name": "x", "scopes": [] }), "scopes"),
            (json!({ "name": "x", "scopes": "organization:read" }), "scopes"),
            (json!({ "name": "x", "scopes": ["event:read", "everything"] }), "scopes.1"),
            (json!({ "name": "x", "scopes": scopes, "expires_at": "tomorrow" }), "expires_at"),
            (json!({ "name": "x", "scopes": scopes, "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
            (json!({ "name": "x", "scopes": [7] }), "scopes.0"),
            (json!({ "name": "x", "scopes": scopes, "secret": "mine" }), "secret"),
        ] {
            let problem = app.post(&keys(&org)).operator().json(&body).send().await.expect(400).json();
            assert_eq!(text(&problem["errors"][0], "field"), field, "{body} {problem}");
        }
        app.get(&format!("{}/{org}", keys(&org))).operator().send().await.problem(404, "not_found");
        assert_eq!(app.get(&keys(&org)).operator().send().await.expect(200).json()["data"], json!([]));
    }

    async fn a_key_makes_keys_within_its_own_reach(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = maker(&app, &org).await;
        let make = |scopes: &[&str]| app.post(&keys(&org)).bearer(&key).json(&json!({ "name": "x", "scopes": scopes })).send();
        make(&["organization:read"]).await.expect(201);
        let above = make(&["organization:read", "scim:write"]).await.problem(403, "scope_above_own");
        assert!(text(&above, "detail").contains("scim:write") && !text(&above, "detail").contains("organization:read"), "{above}");
        make(&["trust"]).await.problem(403, "scope_above_own");
        let body = json!({ "name": "x", "scopes": ["api_key:write", "trust"], "expires_at": "2026-11-19T00:00:00Z" });
        let trusted = app.post(&keys(&org)).operator().json(&body).send().await.expect(201).json();
        let make = |body| app.post(&keys(&org)).bearer(text(&trusted, "secret")).json(&body).send();
        make(json!({ "name": "x", "scopes": ["trust"] })).await.problem(403, "expiry_above_own");
        make(json!({ "name": "x", "scopes": ["trust"], "expires_at": "2026-11-20T00:00:00Z" })).await.problem(403, "expiry_above_own");
        make(json!({ "name": "x", "scopes": ["trust"], "expires_at": "2026-11-19T00:00:00Z" })).await.expect(201);
    }

    async fn people_make_keys_without_trust_and_leave_them_flagged(app: TestApp) {
        let org = app.organization("Acme").await;
        let (_, plain) = signed_in(&app, &org, "plain@acme.test", "member").await;
        app.get(&keys(&org)).session(&plain).send().await.problem(403, "role_too_low");
        let (admin, cookie) = signed_in(&app, &org, "admin@acme.test", "admin").await;
        let (_, owner) = signed_in(&app, &org, "owner@acme.test", "owner").await;
        let trust = json!({ "name": "x", "scopes": ["trust"] });
        app.post(&keys(&org)).session(&cookie).json(&trust).send().await.problem(403, "role_too_low");
        app.post(&keys(&org)).session(&owner).json(&trust).send().await.problem(403, "step_up_required");

        let body = json!({ "name": "first", "scopes": ["api_key:write", "organization:read"] });
        let first = app.post(&keys(&org)).session(&cookie).json(&body).send().await.expect(201).json();
        assert_eq!(text(&first, "created_by"), admin);
        let body = json!({ "name": "second", "scopes": ["organization:read"] });
        app.post(&keys(&org)).bearer(text(&first, "secret")).json(&body).send().await.expect(201);
        app.delete(&format!("{}/{admin}", members(&org))).operator().send().await.expect(204);
        let page = app.get(&keys(&org)).operator().send().await.expect(200).json();
        let rows = page["data"].as_array().expect("rows");
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row["rotation_due_at"].is_string()), "also the key that the key made: {page}");
        app.get(&format!("/api/v1/organizations/{org}")).bearer(text(&first, "secret")).send().await.expect(200);
    }

    async fn keys_stay_in_their_organization(app: TestApp) {
        let (ours, theirs) = (app.organization("Ours").await, app.organization("Theirs").await);
        let (our_key, their_key) = (maker(&app, &ours).await, maker(&app, &theirs).await);
        let ids = app.get(&keys(&ours)).bearer(&our_key).send().await.expect(200).json();
        let ours_id = text(&ids["data"][0], "id").to_owned();
        for path in [format!("{}/{ours_id}", keys(&ours)), format!("{}/{ours_id}", keys(&theirs))] {
            app.get(&path).bearer(&their_key).send().await.problem(404, "not_found");
            app.delete(&path).bearer(&their_key).send().await.problem(404, "not_found");
        }
        app.post(&keys(&ours)).bearer(&their_key).json(&json!({ "name": "x", "scopes": ["organization:read"] })).send().await.problem(404, "not_found");
        // Operator's keys are of no organization: they are in no list of one.
        assert_eq!(ids["data"].as_array().map(Vec::len), Some(1), "{ids}");
        app.get(&keys(&ours)).bearer(&our_key).send().await.expect(200);
    }
}
