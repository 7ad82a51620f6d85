//! Members: who may add, change and end them, and what an end of access ends.

use futures_util::future::join_all;
use postern::model::email::EmailAddress;
use postern::store;
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::app::{on_both, text};
use crate::support::people::{
    directory_user, ended_by_directory, event_kinds, member, members, row, session, signed_in,
};

on_both! {
    async fn a_member_is_added_read_changed_and_removed(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["organization_member:read", "organization_member:write"]).await;
        let new = json!({ "email": "Jo.Doe@Acme.Test", "given_name": " Jo ", "family_name": "Doe" });
        let made = app.post(&members(&org)).bearer(&key).json(&new).send().await.expect(201);
        let view = made.json();
        assert_eq!(
            (text(&view, "email"), text(&view, "given_name"), text(&view, "role"), text(&view, "status"), text(&view, "source")),
            ("jo.doe@acme.test", "Jo", "member", "active", "rest")
        );
        let path = format!("{}/{}", members(&org), text(&view, "user_id"));
        assert_eq!(made.header("location"), Some(path.as_str()));
        assert_eq!(app.get(&path).bearer(&key).send().await.expect(200).json(), view);
        assert_eq!(app.get("/api/v1/organizations/me/members/count").bearer(&key).send().await.expect(200).json()["count"], 1);

        let tag = made.header("etag").expect("a version").to_owned();
        let change = json!({ "role": "admin", "given_name": null, "display_name": "Jo D." });
        let changed = app.patch(&path).bearer(&key).header("if-match", &tag).json(&change).send().await.expect(200).json();
        assert_eq!((text(&changed, "role"), text(&changed, "display_name"), text(&changed, "family_name")), ("admin", "Jo D.", "Doe"));
        assert!(changed.get("given_name").is_none(), "null clears: {changed}");
        app.patch(&path).bearer(&key).header("if-match", &tag).json(&change).send().await.problem(412, "precondition_failed");

        app.delete(&path).bearer(&key).send().await.expect(204);
        app.get(&path).bearer(&key).send().await.problem(404, "not_found");
        app.delete(&path).bearer(&key).send().await.problem(404, "not_found");
        assert_eq!(app.get(&members(&org)).bearer(&key).send().await.expect(200).json()["data"], json!([]));
        assert_eq!(app.get(&format!("{}/count", members(&org))).bearer(&key).send().await.expect(200).json()["count"], 0);
        let kinds = event_kinds(&app, &org).await;
        for kind in ["member.added", "member.role_changed", "member.updated", "member.removed"] {
            assert_eq!(kinds.iter().filter(|found| *found == kind).count(), 1, "{kind} in {kinds:?}");
        }

        let again = app.post(&members(&org)).bearer(&key).json(&new).send().await.expect(201).json();
        assert_eq!(again["user_id"], view["user_id"], "whoever removed by hand may add again");
        assert_eq!(text(&again, "role"), "member", "and the old role is gone");
    }

    async fn odd_input_is_named_and_changes_nothing(app: TestApp) {
        let org = app.organization("Acme").await;
        let user = member(&app, &org, "jo@acme.test", "member").await;
        let path = members(&org);
        let post = |body: &str| app.post(&path).operator().body("application/json", body.to_owned()).send();
        post("{\"email\":").await.problem(400, "invalid_body");
        post("[]").await.problem(400, "invalid_body");
        post("").await.problem(400, "invalid_body");
        for (body, field, code) in [
            (json!({}), "email", "required"),
            (json!({ "email": 7 }), "email", "wrong_type"),
            (json!({ "email": "a@b.test", "rôle": "x" }), "rôle", "unknown_field"),
            (json!({ "email": "a@b.test", "role": "king" }), "role", "invalid_choice"),
        ] {
            let problem = post(&body.to_string()).await.problem(400, "invalid_body");
            assert_eq!((text(&problem["errors"][0], "field"), text(&problem["errors"][0], "code")), (field, code));
        }
        for (body, field) in [
            (json!({ "email": "a@localhost" }), "email"),
            (json!({ "email": "zoë@acme.test" }), "email"),
            (json!({ "email": "a@b.test", "given_name": "" }), "given_name"),
            (json!({ "email": "a@b.test", "family_name": "x".repeat(201) }), "family_name"),
            (json!({ "email": "a@b.test", "display_name": "a\u{7}b" }), "display_name"),
        ] {
            let problem = post(&body.to_string()).await.problem(400, "invalid_request");
            assert_eq!(text(&problem["errors"][0], "field"), field, "{problem}");
        }
        app.post(&path).operator().body("text/plain", "{}").send().await.problem(415, "unsupported_media_type");
        for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "order_by=name", "status=removed", "role=king", "include_total=maybe"] {
            let answer = app.get(&format!("{path}?{query}")).operator().send().await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        }
        let long = "x".repeat(201);
        app.get(&path).operator().query(&[("search", &long)]).send().await.problem(400, "invalid_request");
        let one = format!("{path}/{user}");
        app.patch(&one).operator().json(&json!({ "active": "no" })).send().await.problem(400, "invalid_body");
        app.patch(&one).operator().json(&json!({ "email": "b@acme.test" })).send().await.problem(400, "invalid_body");
        app.patch(&one).operator().header("if-match", "W/\"1\"").json(&json!({})).send().await.problem(412, "precondition_failed");
        let wrong_kind = app.get(&format!("{path}/{org}")).operator().send().await.problem(404, "not_found");
        assert!(text(&wrong_kind, "detail").contains("usr"), "{wrong_kind}");
        app.get(&format!("{path}/me")).operator().send().await.problem(403, "session_required");
        app.get("/api/v1/organizations/me/members").operator().send().await.problem(400, "operator_has_no_organization");
        let nowhere = "/api/v1/organizations/org_01h455vb4pex5vsknk084sn02q/members";
        app.get(nowhere).operator().send().await.problem(404, "not_found");
        app.post(nowhere).operator().json(&json!({ "email": "a@b.test" })).send().await.problem(404, "not_found");
        assert_eq!(app.get(&format!("{path}/count")).operator().send().await.expect(200).json()["count"], 1);
    }

    async fn another_organization_sees_and_learns_nothing(app: TestApp) {
        let (ours, theirs) = (app.organization("Ours").await, app.organization("Theirs").await);
        let scopes = ["organization_member:read", "organization_member:write"];
        let (our_key, their_key) = (app.api_key(&ours, &scopes).await, app.api_key(&theirs, &scopes).await);
        let user = member(&app, &ours, "jo@acme.test", "member").await;
        let foreign = format!("{}/{user}", members(&ours));
        let missing = "/api/v1/organizations/org_01h455vb4pex5vsknk084sn02q/members";
        let told = |problem: &Value| problem["detail"].clone();
        let there = app.get(&foreign).bearer(&their_key).send().await.problem(404, "not_found");
        let nowhere = app.get(missing).bearer(&their_key).send().await.problem(404, "not_found");
        assert_eq!(told(&there), told(&nowhere), "a foreign organization is like one that is not there");
        app.patch(&foreign).bearer(&their_key).json(&json!({ "active": false })).send().await.problem(404, "not_found");
        app.delete(&foreign).bearer(&their_key).send().await.problem(404, "not_found");
        app.get(&format!("{}/{user}", members(&theirs))).bearer(&their_key).send().await.problem(404, "not_found");
        // The address has an account by now; adding it elsewhere looks as if it had none.
        let add = |key: &str, org: &str, email: &str| app.post(&members(org)).bearer(key).json(&json!({ "email": email })).send();
        let known = add(&their_key, &theirs, "jo@acme.test").await.expect(201);
        let unknown = add(&their_key, &theirs, "new@acme.test").await.expect(201);
        let shape = |answer: &Value| answer.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(shape(&known.json()), shape(&unknown.json()));
        assert_eq!(known.json()["joined_at"], unknown.json()["joined_at"]);
        app.delete(&format!("{}/{user}", members(&theirs))).bearer(&their_key).send().await.expect(204);
        app.get(&foreign).bearer(&our_key).send().await.expect(200);
    }

    async fn nobody_is_added_twice(app: TestApp) {
        let org = app.organization("Acme").await;
        let path = members(&org);
        for round in 0..5 {
            let body = json!({ "email": format!("jo{round}@acme.test") });
            let add = || app.post(&path).operator().json(&body).send();
            let answers = tokio::join!(add(), add(), add());
            let mut statuses = [answers.0.status, answers.1.status, answers.2.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409, 409], "{answers:?}");
        }
        let user = member(&app, &org, "off@acme.test", "member").await;
        app.patch(&format!("{path}/{user}")).operator().json(&json!({ "active": false })).send().await.expect(200);
        let again = app.post(&path).operator().json(&json!({ "email": "off@acme.test" })).send().await;
        again.problem(409, "member_exists");
        assert_eq!(app.get(&format!("{path}/count")).operator().send().await.expect(200).json()["count"], 6);
    }

    async fn the_last_owner_is_not_lost_by_hand_but_access_always_ends(app: TestApp) {
        let org = app.organization("Acme").await;
        let (owner, cookie) = signed_in(&app, &org, "owner@acme.test", "owner").await;
        let path = format!("{}/{owner}", members(&org));
        app.patch(&path).session(&cookie).json(&json!({ "role": "admin" })).send().await.problem(400, "last_owner");
        app.delete(&path).session(&cookie).send().await.problem(400, "last_owner");
        app.delete(&format!("{}/me", members(&org))).session(&cookie).send().await.problem(400, "last_owner");
        app.patch(&path).operator().json(&json!({ "role": "member" })).send().await.problem(400, "last_owner");
        app.get("/api/v1/me").session(&cookie).send().await.expect(200);

        let ended = app.patch(&path).session(&cookie).json(&json!({ "active": false })).send().await.expect(200).json();
        assert_eq!((text(&ended, "status"), text(&ended, "deactivated_by")), ("deactivated", "rest"));
        app.get("/api/v1/me").session(&cookie).send().await.problem(401, "credential_invalid");
        let organization = app.get(&format!("/api/v1/organizations/{org}")).operator().send().await.expect(200).json();
        assert!(organization["ownerless_since"].is_string(), "{organization}");
        assert!(event_kinds(&app, &org).await.contains(&"organization.ownerless".to_owned()));

        member(&app, &org, "heir@acme.test", "owner").await;
        let organization = app.get(&format!("/api/v1/organizations/{org}")).operator().send().await.expect(200).json();
        assert!(organization.get("ownerless_since").is_none(), "{organization}");
    }

    async fn two_owners_who_demote_each_other_at_once_leave_one(app: TestApp) {
        for round in 0..6 {
            let org = app.organization(&format!("Acme {round}")).await;
            let (one, one_cookie) = signed_in(&app, &org, &format!("one{round}@acme.test"), "owner").await;
            let (two, two_cookie) = signed_in(&app, &org, &format!("two{round}@acme.test"), "owner").await;
            let demote = |who: &str, cookie: &str| {
                let path = format!("{}/{who}", members(&org));
                app.patch(&path).session(cookie).json(&json!({ "role": "member" })).send()
            };
            let (first, second) = tokio::join!(demote(&two, &one_cookie), demote(&one, &two_cookie));
            let mut statuses = [first.status, second.status];
            statuses.sort_unstable();
            // Whoever comes second finds its own rights gone, or is told that it would be the last one.
            assert!(matches!(statuses, [200, 400 | 403]), "{first:?} {second:?}");
            let owners = app.get(&format!("{}?role=owner&include_total=true", members(&org))).operator().send().await;
            assert_eq!(owners.expect(200).json()["total"], 1);
        }
    }

    async fn two_ends_of_owners_at_once_both_succeed_and_flag_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["organization_member:write"]).await;
        let one = member(&app, &org, "one@acme.test", "owner").await;
        let two = member(&app, &org, "two@acme.test", "owner").await;
        let end = |who: &str| {
            let path = format!("{}/{who}", members(&org));
            app.patch(&path).bearer(&key).json(&json!({ "active": false })).send()
        };
        let (first, second) = tokio::join!(end(&one), end(&two));
        first.expect(200);
        second.expect(200);
        let kinds = event_kinds(&app, &org).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "organization.ownerless").count(), 1, "{kinds:?}");
    }

    async fn nobody_acts_above_their_role(app: TestApp) {
        let org = app.organization("Acme").await;
        let owner = member(&app, &org, "owner@acme.test", "owner").await;
        member(&app, &org, "other@acme.test", "owner").await;
        let (_, admin) = signed_in(&app, &org, "admin@acme.test", "admin").await;
        let (plain, cookie) = signed_in(&app, &org, "plain@acme.test", "member").await;
        let key = app.api_key(&org, &["organization_member:read", "organization_member:write"]).await;
        let path = |user: &str| format!("{}/{user}", members(&org));
        let role = |role: &str| json!({ "role": role });

        app.patch(&path(&plain)).session(&cookie).json(&role("admin")).send().await.problem(403, "role_too_low");
        app.post(&members(&org)).session(&cookie).json(&json!({ "email": "x@acme.test" })).send().await.problem(403, "role_too_low");
        app.delete(&path(&owner)).session(&cookie).send().await.problem(403, "role_too_low");
        app.get(&members(&org)).session(&cookie).send().await.expect(200);

        app.patch(&path(&plain)).session(&admin).json(&role("owner")).send().await.problem(403, "role_above_own");
        app.patch(&path(&owner)).session(&admin).json(&role("member")).send().await.problem(403, "role_above_own");
        app.patch(&path(&owner)).session(&admin).json(&json!({ "active": false })).send().await.problem(403, "role_above_own");
        app.delete(&path(&owner)).session(&admin).send().await.problem(403, "role_above_own");
        let new = json!({ "email": "x@acme.test", "role": "owner" });
        app.post(&members(&org)).session(&admin).json(&new).send().await.problem(403, "role_above_own");
        app.patch(&path(&plain)).session(&admin).json(&role("admin")).send().await.expect(200);

        app.post(&members(&org)).bearer(&key).json(&new).send().await.problem(403, "role_above_own");
        app.patch(&path(&owner)).bearer(&key).json(&role("member")).send().await.problem(403, "role_above_own");
        app.patch(&path(&owner)).bearer(&key).json(&json!({ "given_name": "X" })).send().await.problem(403, "role_above_own");
        app.patch(&path(&owner)).bearer(&key).json(&json!({ "active": false })).send().await.expect(200);
        let reader = app.api_key(&org, &["organization_member:read"]).await;
        let refused = app.patch(&path(&plain)).bearer(&reader).json(&role("member")).send().await;
        assert!(text(&refused.problem(403, "scope_missing"), "detail").contains("organization_member:write"));
        // A cookie counts for a change from our own pages only.
        let elsewhere = app.patch(&path(&plain)).header("cookie", &format!("postern_session={admin}"));
        elsewhere.header("origin", "https://evil.test").json(&role("member")).send().await.problem(403, "cross_origin");
    }

    async fn ending_access_ends_every_way_in_and_giving_back_gives_little(app: TestApp) {
        let org = app.organization("Acme").await;
        let (admin, cookie) = signed_in(&app, &org, "admin@acme.test", "admin").await;
        let path = format!("{}/{admin}", members(&org));
        let keys = format!("/api/v1/organizations/{org}/api-keys");
        let body = json!({ "name": "theirs", "scopes": ["organization:read"] });
        let key = app.post(&keys).session(&cookie).json(&body).send().await.expect(201).id();
        let invites = format!("/api/v1/organizations/{org}/invites");
        let invite = app.post(&invites).session(&cookie).json(&json!({ "email": "guest@acme.test" })).send().await.expect(201);
        let invite_path = format!("{invites}/{}", invite.id());

        app.patch(&path).operator().json(&json!({ "active": false })).send().await.expect(200);
        app.get("/api/v1/me").session(&cookie).send().await.problem(401, "credential_invalid");
        let view = app.get(&invite_path).operator().send().await.expect(200).json();
        assert_eq!(text(&view, "status"), "revoked", "an invite from somebody whose access ended");
        let flagged = app.get(&format!("{keys}/{key}")).operator().send().await.expect(200).json();
        assert!(flagged["rotation_due_at"].is_string(), "{flagged}");

        let back = app.patch(&path).operator().json(&json!({ "active": true })).send().await.expect(200).json();
        assert_eq!((text(&back, "status"), text(&back, "role")), ("active", "member"));
        assert!(back.get("deactivated_by").is_none(), "{back}");
        app.get("/api/v1/me").session(&cookie).send().await.problem(401, "credential_invalid");
        let again = app.patch(&path).operator().json(&json!({ "active": true })).send().await.expect(200).json();
        assert_eq!(again["updated_at"], back["updated_at"]);
    }

    async fn only_who_ended_access_or_an_owner_gives_it_back(app: TestApp) {
        let org = app.organization("Acme").await;
        let key = app.api_key(&org, &["organization_member:write"]).await;
        let (_, admin) = signed_in(&app, &org, "admin@acme.test", "admin").await;
        let (_, owner) = signed_in(&app, &org, "owner@acme.test", "owner").await;
        let back = json!({ "active": true });
        let leaver = member(&app, &org, "leaver@acme.test", "member").await;
        let path = format!("{}/{leaver}", members(&org));
        ended_by_directory(&app, &org, &leaver, false).await;
        app.patch(&path).bearer(&key).json(&back).send().await.problem(403, "deactivated_elsewhere");
        app.patch(&path).session(&admin).json(&back).send().await.problem(403, "deactivated_elsewhere");
        app.patch(&path).session(&owner).json(&back).send().await.expect(200);

        ended_by_directory(&app, &org, &leaver, true).await;
        let add = json!({ "email": "leaver@acme.test" });
        app.post(&members(&org)).bearer(&key).json(&add).send().await.problem(403, "deactivated_elsewhere");
        app.post(&members(&org)).session(&admin).json(&add).send().await.problem(403, "deactivated_elsewhere");
        let again = app.post(&members(&org)).session(&owner).json(&add).send().await.expect(201).json();
        assert_eq!(text(&again, "user_id"), leaver);

        app.patch(&path).bearer(&key).json(&json!({ "active": false })).send().await.expect(200);
        app.patch(&path).session(&admin).json(&back).send().await.expect(200);
    }

    async fn people_are_found_by_names_with_letters_beyond_ascii(app: TestApp) {
        let org = app.organization("Acme").await;
        let body = json!({ "email": "elodie@acme.test", "given_name": "\u{c9}lodie", "family_name": "\u{d6}zg\u{fc}r" });
        app.post(&members(&org)).operator().json(&body).send().await.expect(201);
        for text in ["\u{c9}lodie", "\u{e9}lodie", "\u{d6}zg\u{fc}r", "\u{f6}zg", "zg\u{fc}", "ELODIE@"] {
            let page = app.get(&members(&org)).operator().query(&[("search", text)]).send().await.expect(200).json();
            assert_eq!(page["data"].as_array().expect("rows").len(), 1, "{text}");
        }
        let page = app.get(&members(&org)).operator().query(&[("search", "\u{d6}%")]).send().await.expect(200).json();
        assert_eq!(page["data"], json!([]));
        for path in [members(&org), "/api/v1/organizations".to_owned()] {
            for text in ["a\0b", &"x".repeat(201), &"\u{e9}".repeat(201)] {
                let problem = app.get(&path).operator().query(&[("search", text)]).send().await.problem(400, "invalid_request");
                assert_eq!(problem["errors"][0]["field"], "search", "{path}");
            }
        }
    }

    async fn an_owner_made_while_the_last_one_goes_leaves_no_mark(app: TestApp) {
        let org = app.organization("Acme").await;
        let mut last = member(&app, &org, "owner0@acme.test", "owner").await;
        for n in 1..8 {
            let next = member(&app, &org, &format!("owner{n}@acme.test"), "member").await;
            let change = async |user: &str, body: Value| {
                let path = format!("{}/{user}", members(&org));
                app.patch(&path).operator().json(&body).send().await.expect(200);
            };
            tokio::join!(change(&last, json!({ "active": false })), change(&next, json!({ "role": "owner" })));
            let view = app.get(&format!("/api/v1/organizations/{org}")).operator().send().await.expect(200).json();
            assert!(view.get("ownerless_since").is_none(), "round {n}: {view}");
            last = next;
        }
    }

    async fn many_changes_of_owners_at_once_follow_each_other(app: TestApp) {
        let org = app.organization("Acme").await;
        let own = format!("/api/v1/organizations/{org}");
        let mut people = Vec::new();
        for n in 0..4 {
            people.push(member(&app, &org, &format!("owner{n}@acme.test"), "owner").await);
        }
        for round in 0..4 {
            let mut changes = Vec::new();
            for (n, user) in people.iter().enumerate() {
                let path = format!("{}/{user}", members(&org));
                let role = if (n + round) % 2 == 0 { "member" } else { "owner" };
                for body in [json!({ "role": role }), json!({ "active": false }), json!({ "active": true, "role": "owner" })] {
                    changes.push(app.patch(&path).operator().json(&body).send());
                }
            }
            changes.push(app.patch(&own).operator().json(&json!({ "slug": format!("round-{round}") })).send());
            for answer in join_all(changes).await {
                assert!(matches!(answer.status, 200 | 400), "{answer:?}");
            }
            let view = app.get(&own).operator().send().await.expect(200).json();
            let owners = app.get(&members(&org)).operator().query(&[("role", "owner"), ("status", "active")]);
            let owners = owners.send().await.expect(200).json();
            let none = owners["data"] == json!([]);
            assert_eq!(view.get("ownerless_since").is_some(), none, "{view} {owners}");
        }
    }

    async fn ending_access_takes_back_invites_to_every_address_of_the_person(app: TestApp) {
        let org = app.organization("Acme").await;
        let invites = format!("/api/v1/organizations/{org}/invites");
        let body = json!({ "email": "new@acme.test" });
        let invite = app.post(&invites).operator().json(&body).send().await.expect(201).json();
        let user = member(&app, &org, "old@acme.test", "member").await;
        // As a directory or IdP of another organization that holds the domain does.
        let services = app.services();
        let address = EmailAddress::parse("new@acme.test").expect("an address");
        let tx = services.begin().await.expect("a transaction");
        let id = user.parse().expect("an id");
        store::users::set_email(&tx, id, &address, services.clock.now()).await.expect("a new address");
        tx.commit().await.expect("a commit");
        let path = format!("{}/{user}", members(&org));
        app.patch(&path).operator().json(&json!({ "active": false })).send().await.expect(200);
        let token = text(&invite, "link").rsplit('#').next().expect("a secret").to_owned();
        let accept = app.post("/api/v1/invites/accept").json(&json!({ "token": token }));
        accept.send().await.problem(400, "invite_invalid");
        assert_eq!(app.get(&path).operator().send().await.expect(200).json()["status"], "deactivated");
    }

    async fn a_person_leaves_by_himself(app: TestApp) {
        let org = app.organization("Acme").await;
        let (user, cookie) = signed_in(&app, &org, "jo@acme.test", "member").await;
        let me = format!("{}/me", members(&org));
        let view = app.get(&me).session(&cookie).send().await.expect(200).json();
        assert_eq!(text(&view, "user_id"), user);
        app.delete(&me).session(&cookie).send().await.expect(204);
        app.get(&me).session(&cookie).send().await.problem(401, "credential_invalid");
        let tombstone = row(&app, &org, &user).await.expect("a tombstone");
        assert_eq!(tombstone.status.as_str(), "removed");
        assert_eq!(tombstone.display_name, None);
    }

    async fn a_session_of_another_organization_opens_nothing_here(app: TestApp) {
        let (ours, theirs) = (app.organization("Ours").await, app.organization("Theirs").await);
        let user = member(&app, &ours, "jo@acme.test", "owner").await;
        member(&app, &theirs, "jo@acme.test", "owner").await;
        let cookie = session(&app, &ours, &user).await;
        app.get(&members(&ours)).session(&cookie).send().await.expect(200);
        app.get(&members(&theirs)).session(&cookie).send().await.problem(404, "not_found");
    }

    async fn a_list_is_searched_narrowed_and_walked_in_order(app: TestApp) {
        let org = app.organization("Acme").await;
        let path = members(&org);
        for (email, name, role) in [
            ("a@acme.test", "Ada Lovelace", "owner"),
            ("b@acme.test", "Bob 100% Sure", "admin"),
            ("c@acme.test", "Cleo", "member"),
            ("d@other.test", "Dan", "member"),
            ("e_e@acme.test", "Eve", "member"),
        ] {
            let body = json!({ "email": email, "display_name": name, "role": role });
            app.post(&path).operator().json(&body).send().await.expect(201);
            app.clock.advance(Duration::from_secs(1));
        }
        let emails = async |query: &str| -> String {
            let page = app.get(&format!("{path}?{query}")).operator().send().await.expect(200).json();
            let rows = page["data"].as_array().expect("rows").clone();
            rows.iter().map(|row| text(row, "email")[..1].to_owned()).collect()
        };
        assert_eq!(emails("").await, "abcde");
        assert_eq!(emails("order_by=-joined_at").await, "edcba");
        assert_eq!(emails("search=LOVE").await, "a");
        assert_eq!(emails("search=100%25").await, "b");
        assert_eq!(emails("search=e_e").await, "e");
        assert_eq!(emails("search=%25").await, "b");
        assert_eq!(emails("role=member&search=acme.test").await, "ce");
        assert_eq!(emails("status=deactivated").await, "");
        for order in ["joined_at", "-joined_at"] {
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let mut call = app.get(&path).operator();
                call = call.query(&[("limit", "2"), ("order_by", order), ("include_total", "true")]);
                if let Some(cursor) = &cursor {
                    call = call.query(&[("cursor", cursor)]);
                }
                let page = call.send().await.expect(200).json();
                assert_eq!(page["total"], 5);
                seen.extend(page["data"].as_array().expect("rows").iter().map(|row| text(row, "email").to_owned()));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => break,
                }
            }
            assert_eq!(seen.len(), 5, "{seen:?}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 5, "none twice");
            let other = if order == "joined_at" { "-joined_at" } else { "joined_at" };
            let mixed = app.get(&path).operator().query(&[("order_by", other), ("cursor", &cursor.expect("a cursor"))]);
            mixed.send().await.problem(400, "invalid_request");
        }
    }

    async fn what_the_directory_keeps_is_changed_there(app: TestApp) {
        let org = app.organization("Acme").await;
        let user = member(&app, &org, "jo@acme.test", "member").await;
        directory_user(&app, &org, &user, "jo@acme.test").await;
        let path = format!("{}/{user}", members(&org));
        let both = json!({ "role": "admin", "display_name": "Jo" });
        app.patch(&path).operator().json(&both).send().await.problem(409, "managed_by_directory");
        let view = app.get(&path).operator().send().await.expect(200).json();
        assert_eq!(text(&view, "role"), "member", "a refused change changes nothing");
        app.patch(&path).operator().json(&json!({ "role": "admin", "display_name": null })).send().await.expect(200);
        app.patch(&path).operator().json(&json!({ "active": false })).send().await.expect(200);
    }
}
