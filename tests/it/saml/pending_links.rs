//! Links that an administrator confirms: who waits for whom, who may say yes, and what a yes is good for (rules 7, 10a).

use super::{Person, Tenant, refused};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people::{self, signed_in};
use serde_json::{Value, json};
use std::time::Duration;

/// With the setting, a member and no link.
async fn confirming(app: &TestApp) -> (Tenant, String) {
    let acme = Tenant::new(app, "Acme", "acme.test").await;
    let on = json!({ "first_link": "confirm" });
    app.patch(&acme.api("")).operator().json(&on).send().await.expect(200);
    let jo = people::member(app, &acme.org, "jo@acme.test", "member").await;
    (acme, jo)
}

/// All that wait, or were answered.
async fn waiting(app: &TestApp, acme: &Tenant) -> Vec<Value> {
    let list = app.get(&acme.api("/pending-links")).operator().send().await.expect(200).json();
    list["data"].as_array().expect("a list").clone()
}

/// The only one.
async fn only(app: &TestApp, acme: &Tenant) -> Value {
    let mut found = waiting(app, acme).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn answer(app: &TestApp, acme: &Tenant, row: &Value, verb: &str) -> Answer {
    app.post(&acme.api(&format!("/pending-links/{}/{verb}", text(row, "id")))).operator().send().await
}

on_both! {
    async fn a_first_link_waits_for_an_administrator(app: TestApp) {
        let (acme, jo) = confirming(&app).await;
        let earlier = people::session(&app, &acme.org, &jo).await;
        let answered = Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await;
        let reference = refused(&answered, "link_pending");
        assert!(answered.body.contains("Then sign in again"), "what happens next: {}", answered.body);
        let row = only(&app, &acme).await;
        let shown = ["user_id", "connection_id", "address", "subject", "because", "status", "reference"];
        let shown = shown.map(|field| text(&row, field));
        let expected = [&jo, &acme.connection, "jo@acme.test", "s-1", "first_link", "pending", &reference];
        assert_eq!(shown, expected);
        // The same again is the same one, by the newest reference; and no event more.
        let reference = refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        assert_eq!((text(&only(&app, &acme).await, "id"), text(&only(&app, &acme).await, "reference")), (text(&row, "id"), &*reference));
        let events = acme.events(&app, "member.link_pending").await;
        assert_eq!((events.len(), &events[0]["subject"], &events[0]["data"]["because"]), (1, &json!(jo), &json!("first_link")));
        // Newcomers do not wait.
        Person::new().sign_in(&app, &acme, "s-9", "new@acme.test").await.expect(303);

        let confirmed = answer(&app, &acme, &row, "confirm").await.expect(200).json();
        assert_eq!(confirmed["status"], "confirmed");
        answer(&app, &acme, &row, "confirm").await.expect(200);
        assert_eq!(acme.events(&app, "member.link_confirmed").await.len(), 1, "once more changes nothing");
        // It is for this subject only, and nothing ended yet.
        app.get("/api/v1/me").session(&earlier).send().await.expect(200);
        let mut browser = Person::new();
        browser.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        assert_eq!(browser.me(&app).await.expect(200).json()["user_id"], json!(jo));
        app.get("/api/v1/me").session(&earlier).send().await.expect(401);
        let linked = acme.events(&app, "member.linked").await;
        assert_eq!((linked.len(), &linked[0]["data"]["confirmed"]), (1, &row["id"]), "{linked:?}");
        assert!(waiting(&app, &acme).await.is_empty(), "used up");
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
    }

    async fn another_subject_waits_in_every_mode(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut old = Person::new();
        old.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        for mode in ["off", "confirm", "address"] {
            app.patch(&acme.api("")).operator().json(&json!({ "first_link": mode })).send().await.expect(200);
            refused(&Person::new().sign_in(&app, &acme, "s-2", "jo@acme.test").await, "link_pending");
        }
        let row = only(&app, &acme).await;
        assert_eq!((text(&row, "because"), text(&row, "subject")), ("other_subject", "s-2"));
        // A third one takes its place: what was looked at is not what would be confirmed.
        refused(&Person::new().sign_in(&app, &acme, "s-3", "jo@acme.test").await, "link_pending");
        answer(&app, &acme, &row, "confirm").await.problem(404, "not_found");
        let row = only(&app, &acme).await;
        answer(&app, &acme, &row, "confirm").await.expect(200);
        // Whoever is linked goes on until the other one comes.
        old.me(&app).await.expect(200);
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        Person::new().sign_in(&app, &acme, "s-3", "jo@acme.test").await.expect(303);
        old.me(&app).await.expect(401);
        assert_eq!(acme.members(&app).await, 1);
        let linked = acme.events(&app, "member.linked").await.pop().expect("there");
        assert_eq!((&linked["data"]["replaces"], &linked["data"]["confirmed"]), (&json!("s-1"), &row["id"]));
        // Now the first one is the stranger.
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
    }

    async fn a_no_holds_until_it_is_over(app: TestApp) {
        let (acme, _) = confirming(&app).await;
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        let row = only(&app, &acme).await;
        answer(&app, &acme, &row, "confirm").await.expect(200);
        assert_eq!(answer(&app, &acme, &row, "dismiss").await.expect(200).json()["status"], "dismissed");
        assert_eq!(acme.events(&app, "member.link_dismissed").await.len(), 1);
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_dismissed");
        app.clock.advance(Duration::from_hours(24 * 14));
        assert!(waiting(&app, &acme).await.is_empty());
        answer(&app, &acme, &row, "confirm").await.problem(404, "not_found");
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        // A yes is good for as long.
        let row = only(&app, &acme).await;
        answer(&app, &acme, &row, "confirm").await.expect(200);
        app.clock.advance(Duration::from_hours(24 * 14));
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
    }

    async fn nobody_confirms_for_an_owner_or_somebody_above_them(app: TestApp) {
        let (acme, jo) = confirming(&app).await;
        let (_, admin) = signed_in(&app, &acme.org, "ada@acme.test", "admin").await;
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        let row = only(&app, &acme).await;
        // By an administrator, then the member rises to owner: only they themselves link now.
        let path = acme.api(&format!("/pending-links/{}/confirm", text(&row, "id")));
        app.post(&path).session(&admin).send().await.expect(200);
        let member = acme.api(&format!("/members/{jo}"));
        app.patch(&member).operator().json(&json!({ "role": "owner" })).send().await.expect(200);
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "owner_link_refused");
        answer(&app, &acme, &row, "dismiss").await.expect(200);
        app.post(&path).session(&admin).send().await.problem(403, "owner_links_alone");
        answer(&app, &acme, &row, "confirm").await.problem(403, "owner_links_alone");
        // An owner who was linked and comes with another subject is not confirmed either: they do it, signed in.
        let mut owner = Person { session: Some(people::session(&app, &acme.org, &jo).await), binding: None, way: None };
        let begun = owner.begin_here(&app, "jo@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s-1", "jo@acme.test"));
        owner.post(&app, &acme, &response).await.expect(303);
        refused(&Person::new().sign_in(&app, &acme, "s-2", "jo@acme.test").await, "owner_link_refused");
        let begun = owner.begin_here(&app, "jo@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s-2", "jo@acme.test"));
        owner.post(&app, &acme, &response).await.expect(303);
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "owner_link_refused");
    }

    async fn what_waits_goes_with_the_member_and_stays_in_its_organization(app: TestApp) {
        let (acme, jo) = confirming(&app).await;
        let beta = app.organization("Beta").await;
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        let row = only(&app, &acme).await;
        let other = format!("/api/v1/organizations/{beta}/pending-links/{}/confirm", text(&row, "id"));
        app.post(&other).operator().send().await.problem(404, "not_found");
        answer(&app, &acme, &row, "confirm").await.expect(200);
        let member = acme.api(&format!("/members/{jo}"));
        for active in [false, true] {
            app.patch(&member).operator().json(&json!({ "active": active })).send().await.expect(200);
        }
        // Who comes back is not linked by what was said before.
        assert!(waiting(&app, &acme).await.is_empty());
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "link_pending");
        // Another IdP behind the same connection has other people.
        let change = json!({ "idp_entity_id": "https://other.test/idp" });
        let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
        app.patch(&connection).operator().json(&change).send().await.expect(200);
        assert!(waiting(&app, &acme).await.is_empty());
    }

    async fn many_at_once_ask_once(app: TestApp) {
        let (acme, _) = confirming(&app).await;
        let mut posts = Vec::new();
        for _ in 0..5 {
            let mut browser = Person::new();
            let begun = browser.begin(&app, "jo@acme.test").await;
            let response = acme.sign(&acme.response(&app, &begun, "s-1", "jo@acme.test"));
            posts.push((browser, response));
        }
        let posts = posts.iter_mut().map(|(browser, response)| browser.post(&app, &acme, response));
        for answer in futures_util::future::join_all(posts).await {
            refused(&answer, "link_pending");
        }
        only(&app, &acme).await;
        assert_eq!(acme.events(&app, "member.link_pending").await.len(), 1);
    }
}
