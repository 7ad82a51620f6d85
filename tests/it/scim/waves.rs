//! Waves of deactivations: the one event that owners get, and the way back.

use std::time::Duration;

use postern::service::waves;
use serde_json::{Value, json};

use super::Tenant;
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people::signed_in;

const MASS: &str = "directory.mass_deactivation";

impl Tenant<'_> {
    /// So many users on the tenant's domain; gives their ids.
    async fn crowd(&self, prefix: &str, domain: &str, people: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for n in 0..people {
            ids.push(self.user(&format!("{prefix}{n}@{domain}")).await);
        }
        ids
    }

    async fn put_out(&self, ids: &[String]) {
        for id in ids {
            self.active(id, false).await;
        }
    }

    /// What was told of waves, oldest first.
    async fn told_of_waves(&self) -> Vec<Value> {
        let page = self.rest(&format!("events?limit=100&order=number&kind={MASS}")).await;
        let events = page["data"].as_array().expect("a page");
        events.iter().filter(|event| event["kind"] == MASS).cloned().collect()
    }

    /// The id of the only SCIM token that there is at first.
    async fn token_id(&self) -> String {
        let tokens = self.rest("scim/tokens").await;
        let tokens = tokens.get("data").unwrap_or(&tokens).as_array().expect("tokens").clone();
        text(&tokens[0], "id").to_owned()
    }

    async fn bring_back(&self, body: &Value) -> Answer {
        let path = format!("/api/v1/organizations/{}/scim/reactivate-batch", self.org);
        self.app.post(&path).operator().json(body).send().await
    }

    async fn status(&self, address: &str) -> String {
        text(&self.member(address).await.expect("a member"), "status").to_owned()
    }
}

async fn watch(app: &TestApp) -> u64 {
    waves::watch(app.services()).await.expect("watched")
}

on_both! {
    async fn a_wave_is_told_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let quiet = Tenant::new(&app, "Quiet", "quiet.com").await;
        let people = acme.crowd("p", "acme.com", 30).await;
        let others = quiet.crowd("q", "quiet.com", 12).await;
        app.clock.advance(Duration::from_mins(1));
        acme.put_out(&people[..9]).await;
        quiet.put_out(&others[..3]).await;
        assert_eq!(watch(&app).await, 0, "9 people are no wave");
        app.clock.advance(Duration::from_mins(1));
        acme.put_out(&people[9..10]).await;
        let (one, two) = tokio::join!(waves::watch(app.services()), waves::watch(app.services()));
        assert_eq!(one.expect("watched") + two.expect("watched"), 1, "two nodes, one event");
        let told = acme.told_of_waves().await;
        assert_eq!(told.len(), 1);
        let data = &told[0]["data"];
        assert_eq!((&data["deactivated"], &data["active_before"], &data["percent"], &data["to"]),
            (&json!(10), &json!(30), &json!(33), &json!("owners")), "{data}");
        assert_eq!(data["by"], json!([{ "id": acme.token_id().await, "deactivated": 10 }]));
        assert!(quiet.told_of_waves().await.is_empty());
        // It goes on: nothing new is told.
        for id in &people[10..20] {
            app.clock.advance(Duration::from_mins(1));
            acme.active(id, false).await;
            assert_eq!(watch(&app).await, 0);
        }
        // Long after, another one.
        app.clock.advance(Duration::from_mins(11));
        assert_eq!(watch(&app).await, 0);
        acme.put_out(&people[20..30]).await;
        assert_eq!(watch(&app).await, 1);
        assert_eq!(acme.told_of_waves().await.len(), 2);
    }

    async fn a_wave_that_nobody_watched_is_told_at_the_next_start(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let slow = Tenant::new(&app, "Slow", "slow.com").await;
        let people = acme.crowd("p", "acme.com", 30).await;
        let others = slow.crowd("q", "slow.com", 40).await;
        app.clock.advance(Duration::from_mins(1));
        for id in &people[..12] {
            acme.active(id, false).await;
            app.clock.advance(Duration::from_secs(30));
        }
        // Nobody ever went fast here, and those who left at last had few left beside them.
        for id in &others[..22] {
            slow.active(id, false).await;
            app.clock.advance(Duration::from_mins(2));
        }
        app.clock.advance(Duration::from_hours(3));
        assert_eq!(watch(&app).await, 0, "long over");
        let (one, two) = tokio::join!(waves::look_back(app.services()), waves::look_back(app.services()));
        assert_eq!(one.expect("looked") + two.expect("looked"), 1, "two nodes that start, one event");
        let told = acme.told_of_waves().await;
        assert_eq!((told.len(), &told[0]["data"]["deactivated"], &told[0]["data"]["active_before"]), (1, &json!(12), &json!(30)));
        assert_eq!(told[0]["data"]["by"], json!([{ "id": acme.token_id().await, "deactivated": 12 }]));
        assert!(slow.told_of_waves().await.is_empty());
        assert_eq!(waves::look_back(app.services()).await.expect("looked"), 0, "once");
        // One that was told while it went on is not told again.
        acme.put_out(&people[12..24]).await;
        assert_eq!(watch(&app).await, 1);
        app.clock.advance(Duration::from_hours(1));
        assert_eq!(waves::look_back(app.services()).await.expect("looked"), 0);
        // After a day it is nobody's news.
        app.clock.advance(Duration::from_hours(30));
        assert_eq!(waves::look_back(app.services()).await.expect("looked"), 0);
    }

    async fn an_ordinary_day_is_no_wave(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let people = acme.crowd("p", "acme.com", 60).await;
        app.clock.advance(Duration::from_mins(1));
        // 11 of 60 are less than a fifth.
        acme.put_out(&people[..11]).await;
        assert_eq!(watch(&app).await, 0);
        // Slowly, a third of them. (No more calls than a token has at once.)
        for few in people[11..21].chunks(5) {
            app.clock.advance(Duration::from_mins(11));
            acme.put_out(few).await;
            assert_eq!(watch(&app).await, 0);
        }
        // Who comes in inactive was never let in, and whom an administrator puts out no sync put out.
        app.clock.advance(Duration::from_mins(11));
        for n in 0..11 {
            let mut leaver = super::user(&format!("leaver{n}@acme.com"));
            leaver["active"] = json!(false);
            acme.post(&leaver).send().await.expect(201);
        }
        for n in 40..52 {
            let member = acme.member(&format!("p{n}@acme.com")).await.expect("a member");
            acme.set(&format!("members/{}", text(&member, "user_id")), &json!({ "active": false })).await;
        }
        assert_eq!(watch(&app).await, 0);
    }

    async fn a_batch_brings_back_whom_one_credential_put_out(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let token = acme.token_id().await;
        let other = Tenant { app: &app, org: acme.org.clone(), domain: acme.domain.clone(), token: app.scim_token(&acme.org).await };
        let ids = acme.crowd("p", "acme.com", 9).await;
        let group = acme.group("Admins", &[&ids[3]]).await;
        let groups = acme.rest("groups").await;
        let mapping = json!({ "mappings": [{ "group_id": groups["data"][0]["id"], "role": "admin" }] });
        app.put(&format!("/api/v1/organizations/{}/scim/role-mappings", acme.org)).operator().json(&mapping).send().await.expect(200);
        let before = app.services().clock.now().to_string();
        app.clock.advance(Duration::from_mins(1));
        acme.put_out(&ids[..1]).await;
        app.clock.advance(Duration::from_mins(1));
        let since = app.services().clock.now().to_string();
        acme.put_out(&ids[1..4]).await;
        acme.delete(&ids[4]).send().await.expect(204);
        acme.put_out(&ids[5..8]).await;
        other.put_out(&ids[8..]).await;
        // Others have said the same since.
        for (n, remove) in [(5, false), (6, true)] {
            let member = acme.member(&format!("p{n}@acme.com")).await.expect("a member");
            let path = format!("members/{}", text(&member, "user_id"));
            if remove {
                app.delete(&format!("/api/v1/organizations/{}/{path}", acme.org)).operator().send().await.expect(204);
            } else {
                acme.set(&path, &json!({ "active": false })).await;
            }
        }
        other.delete(&ids[7]).send().await.expect(204);

        let version = acme.get(&format!("/Users/{}", ids[1])).send().await.expect(200).json()["meta"]["version"].clone();
        let done = acme.bring_back(&json!({ "token_id": token, "since": since })).await.expect(200).json();
        assert_eq!((&done["reactivated"], &done["kept_out"], &done["complete"]), (&json!(4), &json!(3), &json!(true)), "{done}");
        let mut why: Vec<_> = done["kept_out_members"].as_array().expect("members").iter()
            .map(|left| (text(left, "email"), text(left, "because"))).collect();
        why.sort_unstable();
        assert_eq!(why, [
            ("p5@acme.com", "deactivated_by_administrator"),
            ("p6@acme.com", "removed_by_administrator"),
            ("p7@acme.com", "deactivated_by_another_credential"),
        ]);
        for (n, status) in [(0, "deactivated"), (1, "active"), (2, "active"), (3, "active"), (4, "active"),
            (5, "deactivated"), (7, "deactivated"), (8, "deactivated")] {
            assert_eq!(acme.status(&format!("p{n}@acme.com")).await, status, "p{n}");
        }
        // As before: the directory calls them active, and the groups give what they gave.
        let shown = acme.get(&format!("/Users/{}", ids[1])).send().await.expect(200).json();
        assert_eq!(shown["active"], true);
        assert_ne!(shown["meta"]["version"], version);
        let admin = acme.member("p3@acme.com").await.expect("a member");
        assert_eq!((&admin["role"], &admin["role_source"]), (&json!("admin"), &json!("groups")));
        assert_eq!(acme.members_of(&group).await, [ids[3].clone()]);
        let told = acme.events().await;
        assert_eq!(told.iter().filter(|kind| *kind == "member.reactivated").count(), 4);
        assert_eq!(told.iter().filter(|kind| *kind == "directory_user.reactivated").count(), 3);
        // Once more: nobody is left to bring back. What the directory says afterwards counts.
        let again = acme.bring_back(&json!({ "token_id": token, "since": since })).await.expect(200).json();
        assert_eq!((&again["reactivated"], &again["kept_out"]), (&json!(0), &json!(3)));
        acme.active(&ids[1], false).await;
        assert_eq!(acme.status("p1@acme.com").await, "deactivated");
        // From the beginning, but not to the end.
        let first = acme.bring_back(&json!({ "token_id": token, "since": before, "until": "2026-11-18T13:48:30Z" })).await.expect(200).json();
        assert_eq!((&first["reactivated"], acme.status("p0@acme.com").await.as_str()), (&json!(1), "active"));
    }

    async fn a_batch_meets_the_directory_at_work(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let token = acme.token_id().await;
        let since = app.services().clock.now().to_string();
        let ids = acme.crowd("p", "acme.com", 24).await;
        let (up, down) = (acme.group("Up", &[]).await, acme.group("Down", &[]).await);
        acme.put_out(&ids).await;
        let title = json!([{ "op": "replace", "path": "title", "value": "CTO" }]);
        let of = |ids: Vec<&String>| {
            let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
            json!([{ "op": "add", "path": "members", "value": members }])
        };
        let (forth, back) = (of(ids.iter().collect()), of(ids.iter().rev().collect()));
        let body = json!({ "token_id": token, "since": since });
        let titles = async { for id in ids.iter().rev() { acme.patch(id, &title).send().await.expect(200); } };
        let (one, two, first, second, ()) = tokio::join!(
            acme.bring_back(&body),
            acme.bring_back(&body),
            acme.patch_group(&up, &forth).send(),
            acme.patch_group(&down, &back).send(),
            titles,
        );
        let brought = |answer: Answer| answer.expect(200).json()["reactivated"].as_u64().expect("a number");
        assert_eq!(brought(one) + brought(two), 24, "each once");
        first.expect(200);
        second.expect(200);
        for (group, n) in [(&up, 0), (&down, 23)] {
            assert_eq!(acme.members_of(group).await.len(), 24);
            let shown = acme.get(&format!("/Users/{}", ids[n])).send().await.expect(200).json();
            assert_eq!((&shown["active"], &shown["title"]), (&json!(true), &json!("CTO")));
            assert_eq!(acme.status(&format!("p{n}@acme.com")).await, "active");
        }
    }

    async fn a_batch_is_a_change_of_trust_and_checked(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let theirs = Tenant::new(&app, "Other", "other.com").await;
        let (token, foreign) = (acme.token_id().await, theirs.token_id().await);
        let since = app.services().clock.now().to_string();
        let path = format!("/api/v1/organizations/{}/scim/reactivate-batch", acme.org);
        let body = json!({ "token_id": token, "since": since });
        let key = app.api_key(&acme.org, &["scim:read", "scim:write"]).await;
        app.post(&path).bearer(&key).json(&body).send().await.problem(403, "scope_missing");
        let (_, owner) = signed_in(&app, &acme.org, "boss@acme.com", "owner").await;
        app.post(&path).session(&owner).json(&body).send().await.problem(403, "step_up_required");
        for (wrong, code) in [
            (json!({ "token_id": foreign, "since": since }), "token_unknown"),
            (json!({ "client_id": "scl_01h455vb4pex5vsknk084sn02q", "since": since }), "client_unknown"),
            (json!({ "token_id": "dir_01h455vb4pex5vsknk084sn02q", "since": since }), "id_invalid"),
            (json!({ "since": since }), "one_of"),
            (json!({ "token_id": token, "client_id": token, "since": since }), "one_of"),
            (json!({ "token_id": token, "since": since, "until": "2020-01-01T00:00:00Z" }), "out_of_range"),
        ] {
            let problem = app.post(&path).operator().json(&wrong).send().await.expect(400).json();
            assert_eq!(problem["errors"][0]["code"], code, "{problem}");
        }
        app.post(&path).operator().json(&json!({ "token_id": token, "since": "yesterday" })).send().await.expect(400);
        app.post(&path).operator().json(&json!({ "token_id": token })).send().await.expect(400);
        // The usual order: take the token away first.
        let id = acme.user("jo@acme.com").await;
        acme.active(&id, false).await;
        let tokens = format!("/api/v1/organizations/{}/scim/tokens/{token}", acme.org);
        app.delete(&tokens).operator().send().await.expect(204);
        let trusted = app.api_key(&acme.org, &["scim:write", "trust"]).await;
        let done = app.post(&path).bearer(&trusted).json(&body).send().await.expect(200).json();
        assert_eq!(done["reactivated"], 1);
        assert_eq!(acme.status("jo@acme.com").await, "active");
    }
}
