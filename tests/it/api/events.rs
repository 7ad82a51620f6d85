//! Events: numbered without gaps, the one just made included, and read by those who may.

use serde_json::json;

use crate::support::app::{on_both, text};
use crate::support::people::member;

on_both! {
    async fn what_was_just_answered_is_in_the_list(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["event:read", "organization_member:write"]).await;
        let path = format!("/api/v1/organizations/{org}/events");
        for round in 1..=5 {
            let user = member(&app, &org, &format!("p{round}@acme.test"), "member").await;
            let query = [("order_by", "-number"), ("limit", "1")];
            let page = app.get(&path).bearer(&key).query(&query).send().await.expect(200).json();
            let last = &page["data"][0];
            assert_eq!((text(last, "kind"), text(last, "subject")), ("member.added", user.as_str()));
            assert_eq!(text(&last["actor"], "kind"), "operator");
            assert_eq!(last["number"], 2 + round, "after organization.created and api_key.created");
        }
    }

    async fn events_are_walked_by_number_and_narrowed_by_kind(app: TestApp) {
        let org = app.organization("Acme").await;
        for round in 0..7 {
            member(&app, &org, &format!("p{round}@acme.test"), "member").await;
        }
        let path = format!("/api/v1/organizations/{org}/events");
        let (mut numbers, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let query = [("limit", "3"), ("cursor", cursor.as_str())];
            let page = app.get(&path).operator().query(&query).send().await.expect(200).json();
            numbers.extend(page["data"].as_array().expect("rows").iter().map(|row| row["number"].as_i64()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(numbers, (1..=8).map(Some).collect::<Vec<_>>(), "from 1, in order, without gaps");
        let query = [("kind", "organization.created, member.removed"), ("include_total", "true")];
        let page = app.get(&path).operator().query(&query).send().await.expect(200).json();
        assert_eq!((page["total"].as_u64(), text(&page["data"][0], "kind")), (Some(1), "organization.created"));
        let unknown = app.get(&path).operator().query(&[("kind", "member.eaten")]).send().await;
        let unknown = unknown.problem(400, "invalid_request");
        assert!(text(&unknown["errors"][0], "message").contains("member.added"), "{unknown}");
        for query in ["cursor=x", "cursor=-1", "limit=0", "order_by=kind"] {
            assert_eq!(app.get(&format!("{path}?{query}")).operator().send().await.status, 400, "{query}");
        }
    }

    async fn events_written_at_once_get_each_number_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let path = format!("/api/v1/organizations/{org}/events?limit=200");
        let work = (0..12).map(|round| {
            let app = &app;
            let (org, path) = (org.clone(), path.clone());
            async move {
                member(app, &org, &format!("p{round}@acme.test"), "member").await;
                app.get(&path).operator().send().await.expect(200);
            }
        });
        futures_util::future::join_all(work).await;
        let page = app.get(&path).operator().send().await.expect(200).json();
        let numbers: Vec<_> = page["data"].as_array().expect("rows").iter().map(|row| row["number"].as_i64()).collect();
        assert_eq!(numbers, (1..=13).map(Some).collect::<Vec<_>>());
    }

    async fn events_are_for_those_who_run_the_organization(app: TestApp) {
        let (ours, theirs) = (app.organization("Ours").await, app.organization("Theirs").await);
        let path = format!("/api/v1/organizations/{ours}/events");
        let key = app.api_key(&ours, &["organization:read"]).await;
        app.get(&path).bearer(&key).send().await.problem(403, "scope_missing");
        let foreign = app.api_key(&theirs, &["event:read"]).await;
        app.get(&path).bearer(&foreign).send().await.problem(404, "not_found");
        // Nothing that is shown once stands in an event.
        let made = app.post(&format!("/api/v1/organizations/{ours}/invites")).operator();
        let made = made.json(&json!({ "email": "guest@acme.test" })).send().await.expect(201).json();
        let token = text(&made, "link").rsplit('#').next().expect("a token").to_owned();
        let page = app.get(&path).operator().send().await.expect(200);
        assert!(!page.body.contains(&token) && !page.body.contains(&key), "{}", page.body);
    }
}
