//! Invites: handed out once, accepted once, and never stronger than who invited.

use serde_json::{Value, json};
use std::time::Duration;

use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::browser::Browser;
use crate::support::people::{ended_by_directory, event_kinds, member, members, signed_in};

fn invites(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/invites")
}

/// Invites an address with the operator's key; gives the invite's id and token.
async fn invite(app: &TestApp, organization: &str, email: &str, role: &str) -> (String, String) {
    let body = json!({ "email": email, "role": role });
    let made = app.post(&invites(organization)).operator().json(&body).send().await.expect(201);
    (made.id(), token(&made.json()))
}

/// The token in the fragment of an invite's link.
fn token(made: &Value) -> String {
    text(made, "link").split_once('#').expect("a fragment").1.to_owned()
}

async fn accept(app: &TestApp, token: &str) -> Answer {
    app.post("/api/v1/invites/accept").json(&json!({ "token": token })).send().await
}

on_both! {
    async fn an_invite_is_made_shown_once_and_accepted_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["invite:read", "invite:write"]).await;
        let body = json!({ "email": "Guest@Acme.Test", "role": "admin", "message": "Welcome!" });
        let made = app.post(&invites(&org)).bearer(&key).json(&body).send().await.expect(201);
        let view = made.json();
        assert_eq!((text(&view, "email"), text(&view, "role"), text(&view, "status")), ("guest@acme.test", "admin", "pending"));
        assert!(text(&view, "link").starts_with(&format!("{}/invite#pstn_inv_", app.url)), "{view}");
        let path = format!("{}/{}", invites(&org), made.id());
        assert_eq!(made.header("location"), Some(path.as_str()));
        let read = app.get(&path).bearer(&key).send().await.expect(200);
        assert!(!read.body.contains("pstn_inv_"), "the link is shown once: {}", read.body);

        let accepted = accept(&app, &token(&view)).await.expect(200).json();
        assert_eq!((text(&accepted["member"], "email"), text(&accepted["member"], "role")), ("guest@acme.test", "admin"));
        assert_eq!((text(&accepted["member"], "source"), text(&accepted["organization"], "id")), ("invite", org.as_str()));
        accept(&app, &token(&view)).await.problem(400, "invite_invalid");
        let read = app.get(&path).bearer(&key).send().await.expect(200).json();
        assert_eq!(read["accepted_by_user_id"], accepted["member"]["user_id"]);
        app.delete(&path).bearer(&key).send().await.problem(409, "invite_answered");
        let kinds = event_kinds(&app, &org).await;
        for kind in ["invite.created", "invite.accepted", "member.added"] {
            assert_eq!(kinds.iter().filter(|found| *found == kind).count(), 1, "{kind} in {kinds:?}");
        }
    }

    async fn many_who_accept_at_once_make_one_member(app: TestApp) {
        let org = app.organization("Acme").await;
        for round in 0..4 {
            let (_, token) = invite(&app, &org, &format!("guest{round}@acme.test"), "member").await;
            let answers = futures_util::future::join_all((0..5).map(|_| accept(&app, &token))).await;
            let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 400, 400, 400, 400], "{answers:?}");
        }
        let count = app.get(&format!("{}/count", members(&org))).operator().send().await.expect(200).json();
        assert_eq!(count["count"], 4);
    }

    async fn wrong_used_and_taken_back_links_are_one_refusal(app: TestApp) {
        let org = app.organization("Acme").await;
        let (id, token) = invite(&app, &org, "guest@acme.test", "member").await;
        let path = format!("{}/{id}", invites(&org));
        app.delete(&path).operator().send().await.expect(204);
        app.delete(&path).operator().send().await.expect(204);
        let revoked = accept(&app, &token).await.problem(400, "invite_invalid");
        let nonsense = accept(&app, "nonsense").await.problem(400, "invite_invalid");
        let mut other = token.clone();
        other.replace_range(12..13, if &token[12..13] == "0" { "1" } else { "0" });
        let mistyped = accept(&app, &other).await.problem(400, "invite_invalid");
        for refusal in [&nonsense, &mistyped] {
            assert_eq!(revoked["detail"], refusal["detail"]);
        }
        let (_, fresh) = invite(&app, &org, "guest@acme.test", "member").await;
        app.clock.advance(Duration::from_hours(7 * 24));
        accept(&app, &fresh).await.problem(410, "invite_expired");
        app.post("/api/v1/invites/accept").json(&json!({ "token": 7 })).send().await.problem(400, "invalid_body");
        app.post("/api/v1/invites/accept").json(&json!({ "token": fresh, "x": 1 })).send().await.problem(400, "invalid_body");
        // A credential is neither needed nor judged here.
        let with_key = app.post("/api/v1/invites/accept").bearer("pstn_key_x").json(&json!({ "token": fresh })).send().await;
        with_key.problem(410, "invite_expired");
        let count = app.get(&format!("{}/count", members(&org))).operator().send().await.expect(200).json();
        assert_eq!(count["count"], 0);
    }

    async fn an_address_has_one_invite_at_a_time(app: TestApp) {
        let org = app.organization("Acme").await;
        let create = || app.post(&invites(&org)).operator().json(&json!({ "email": "guest@acme.test" })).send();
        let answers = tokio::join!(create(), create());
        let mut statuses = [answers.0.status, answers.1.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{answers:?}");
        create().await.problem(409, "invite_pending");
        app.clock.advance(Duration::from_hours(7 * 24));
        let renewed = create().await.expect(201).json();
        let of = async |status: &str| {
            let list = app.get(&invites(&org)).operator().query(&[("status", status), ("include_total", "true")]);
            list.send().await.expect(200).json()["total"].as_u64()
        };
        assert_eq!((of("pending").await, of("expired").await, of("pending,expired").await), (Some(1), Some(1), Some(2)));
        assert_eq!((of("accepted").await, of("declined,revoked").await), (Some(0), Some(0)));
        app.get(&invites(&org)).operator().query(&[("status", "lost")]).send().await.problem(400, "invalid_request");
        accept(&app, &token(&renewed)).await.expect(200);
        create().await.problem(409, "member_exists");

        // Whoever is added by hand needs no invite any more.
        let (_, token) = invite(&app, &org, "other@acme.test", "admin").await;
        member(&app, &org, "other@acme.test", "member").await;
        accept(&app, &token).await.problem(400, "invite_invalid");
    }

    async fn an_invite_is_no_stronger_than_who_invites(app: TestApp) {
        let (org, theirs) = (app.organization("Acme").await, app.organization("Theirs").await);
        let problem = app.post(&invites(&org)).operator().json(&json!({ "email": "g@acme.test", "role": "owner" })).send().await;
        assert_eq!(text(&problem.problem(400, "invalid_request")["errors"][0], "field"), "role");
        for body in [json!({}), json!({ "email": "x" }), json!({ "email": "g@acme.test", "message": "x".repeat(1001) }), json!({ "email": "g@acme.test", "grants": [] })] {
            assert_eq!(app.post(&invites(&org)).operator().json(&body).send().await.status, 400, "{body}");
        }
        let (_, plain) = signed_in(&app, &org, "plain@acme.test", "member").await;
        app.post(&invites(&org)).session(&plain).json(&json!({ "email": "g@acme.test" })).send().await.problem(403, "role_too_low");
        app.get(&invites(&org)).session(&plain).send().await.problem(403, "role_too_low");

        let (id, _) = invite(&app, &org, "g@acme.test", "member").await;
        let foreign = app.api_key(&theirs, &["invite:read", "invite:write"]).await;
        app.get(&format!("{}/{id}", invites(&org))).bearer(&foreign).send().await.problem(404, "not_found");
        app.delete(&format!("{}/{id}", invites(&org))).bearer(&foreign).send().await.problem(404, "not_found");
        app.get(&format!("{}/{id}", invites(&theirs))).bearer(&foreign).send().await.problem(404, "not_found");
        app.delete(&format!("{}/{id}", invites(&theirs))).bearer(&foreign).send().await.problem(404, "not_found");

        // An admin invites an admin, and is an ordinary member by the time the invite is accepted.
        let (admin, cookie) = signed_in(&app, &org, "admin@acme.test", "admin").await;
        let made = app.post(&invites(&org)).session(&cookie).json(&json!({ "email": "h@acme.test", "role": "admin" })).send().await;
        let token = token(&made.expect(201).json());
        app.patch(&format!("{}/{admin}", members(&org))).operator().json(&json!({ "role": "member" })).send().await.expect(200);
        accept(&app, &token).await.problem(400, "invite_invalid");
    }

    async fn an_invite_gives_no_access_back_that_another_source_ended(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["invite:write"]).await;
        let (owner, cookie) = signed_in(&app, &org, "owner@acme.test", "owner").await;
        member(&app, &org, "heir@acme.test", "owner").await;
        for (round, remove) in [(0, false), (1, true)] {
            let email = format!("leaver{round}@acme.test");
            let leaver = member(&app, &org, &email, "admin").await;
            let (_, early) = {
                // An invite to another address of the person's does not matter; one to this address dies with the access.
                let refused = app.post(&invites(&org)).operator().json(&json!({ "email": email })).send().await;
                refused.problem(409, "member_exists");
                invite(&app, &org, &format!("elsewhere{round}@acme.test"), "member").await
            };
            accept(&app, &early).await.expect(200);
            ended_by_directory(&app, &org, &leaver, remove).await;
            let body = json!({ "email": email });
            app.post(&invites(&org)).bearer(&key).json(&body).send().await.problem(403, "deactivated_elsewhere");
            let made = app.post(&invites(&org)).session(&cookie).json(&body).send().await.expect(201);
            let token = token(&made.json());
            if remove {
                // The owner is an admin by now: the invite has no say any more.
                let path = format!("{}/{owner}", members(&org));
                app.patch(&path).operator().json(&json!({ "role": "admin" })).send().await.expect(200);
                accept(&app, &token).await.problem(403, "deactivated_elsewhere");
            } else {
                let back = accept(&app, &token).await.expect(200).json();
                assert_eq!((text(&back["member"], "user_id"), text(&back["member"], "role")), (leaver.as_str(), "member"));
            }
        }
    }

    async fn the_link_works_in_a_browser(app: TestApp) {
        let org = app.organization("Acme & Söhne").await;
        let body = json!({ "email": "guest@acme.test" });
        let link = text(&app.post(&invites(&org)).operator().json(&body).send().await.expect(201).json(), "link").to_owned();
        let mut browser = Browser::new();
        let page = browser.open(&link).await;
        assert_eq!(page.status.as_u16(), 200, "{page}");
        let policy = page.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("script-src 'self'"), "{policy}");
        let script = app.get("/static/invite.js").send().await.expect(200);
        assert!(script.body.contains("location.hash"), "{}", script.body);
        // Looking at the link uses nothing up; a wrong code is said plainly; the whole link may be pasted.
        let wrong = browser.submit(&page, &page.form_with("token").fill("token", "pstn_inv_nonsense")).await;
        assert_eq!(wrong.status.as_u16(), 400);
        assert!(wrong.text().contains("not valid") && wrong.text().contains("invite_invalid"), "{wrong}");
        let welcome = browser.submit(&page, &page.form_with("token").fill("token", &link)).await;
        assert_eq!(welcome.status.as_u16(), 200, "{welcome}");
        assert!(welcome.text().contains("Acme & Söhne") && welcome.text().contains("guest@acme.test"), "{welcome}");
        let again = browser.submit(&page, &page.form_with("token").fill("token", &link)).await;
        assert_eq!(again.status.as_u16(), 400, "{again}");
        // A page of another site cannot press the button.
        let elsewhere = app.post("/invite").header("origin", "https://evil.test").form(&[("token", "x")]).send().await;
        elsewhere.expect(403);
    }

    async fn guessing_is_limited_by_address(app: TestApp) {
        let mut last = 0;
        for _ in 0..70 {
            last = accept(&app, "pstn_inv_guess").await.status;
            if last == 429 {
                break;
            }
        }
        assert_eq!(last, 429);
        assert!(accept(&app, "x").await.header("retry-after").is_some());
    }
}
