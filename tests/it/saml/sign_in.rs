//! The way in: just in time, again by the link, many at once.

use super::{Person, Tenant, refused, set_cookie};
use crate::support::app::{on_both, text};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

on_both! {
    async fn somebody_new_signs_in_just_in_time_and_again_by_the_link(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "Jo@ACME.test").await;
        assert!(begun.url.as_str().starts_with("https://idp.acme.test/sso?tenant=7&SAMLRequest="), "{}", begun.url);
        let mut spec = acme.response(&app, &begun, "subject-1", "Jo@Acme.Test");
        spec.attributes.push(("firstName".to_owned(), vec!["Jo".to_owned()]));
        spec.attributes.push(("lastName".to_owned(), vec!["Doe".to_owned()]));
        let answer = jo.post(&app, &acme, &acme.sign(&spec)).await.expect(303);
        assert_eq!(answer.header("location"), Some("/signed-in"));
        let flags = answer.header("set-cookie").expect("a cookie");
        for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(flags.contains(flag), "{flags}");
        }

        let me = jo.me(&app).await.expect(200).json();
        assert_eq!(me["email"], "jo@acme.test", "{me}");
        let page = jo.get(&app, "/signed-in").await.expect(200);
        for shown in ["jo@acme.test", "Jo Doe", "Acme", "Their IdP", "member"] {
            assert!(page.body.contains(shown), "{shown}: {}", page.body);
        }
        let member = acme.member(&app, "jo@acme.test").await;
        assert_eq!((&member["role"], &member["source"]), (&json!("member"), &json!("jit")), "{member}");

        // Again, in another browser, with another address spelling: the same person, no second member.
        let mut there = Person::new();
        there.sign_in(&app, &acme, "subject-1", "JO@acme.test").await.expect(303);
        assert_eq!(acme.members(&app).await, 1);
        jo.me(&app).await.expect(200);
        let signed_in = acme.events(&app, "sign_in.succeeded").await;
        assert_eq!(signed_in.len(), 2);
        assert_eq!((&signed_in[0]["data"]["created"], &signed_in[1]["data"]["created"]), (&json!(true), &json!(false)));
        assert_eq!(acme.events(&app, "member.added").await.len(), 1);
    }

    async fn several_attempts_in_one_browser_all_work(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let first = jo.begin(&app, "jo@acme.test").await;
        let binding = jo.binding.clone();
        let second = jo.begin(&app, "jo@acme.test").await;
        let third = jo.begin_here(&app, "jo@acme.test").await;
        assert_eq!(jo.binding, binding, "one cookie serves all attempts");
        let mut seen = HashSet::new();
        for begun in [second, first, third] {
            let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
            jo.post(&app, &acme, &response).await.expect(303);
            jo.me(&app).await.expect(200);
            assert!(seen.insert(jo.session.clone()), "a new secret each time");
        }
    }

    async fn a_wanted_page_is_reached_and_another_site_is_not(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let fields = [("email", "jo@acme.test"), ("return_to", "/docs?x=1#y")];
        let answer = jo.submit(&app, "/login", &fields).await.expect(303);
        let begun = super::begun(&answer);
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        let answer = jo.post(&app, &acme, &response).await.expect(303);
        assert_eq!(answer.header("location"), Some("/docs?x=1#y"));
        for evil in ["https://evil.test", "//evil.test", "/\\evil.test", "/\t/evil.test", "javascript:alert(1)"] {
            let answer = jo.submit(&app, "/login", &[("email", "jo@acme.test"), ("return_to", evil)]).await;
            assert_eq!(answer.status, 400, "{evil}");
            assert!(answer.body.contains("return_to_refused") && answer.header("location").is_none());
            let call = app.get("/login").query(&[("return_to", evil)]).send().await;
            assert_eq!(call.status, 400, "{evil}");
        }
    }

    async fn two_first_sign_ins_of_one_person_at_once_make_one_member(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut ready = Vec::new();
        for _ in 0..6 {
            let mut browser = Person::new();
            let begun = browser.begin(&app, "jo@acme.test").await;
            let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
            ready.push((browser, response));
        }
        let posts = ready.into_iter().map(|(mut browser, response)| {
            let (app, acme) = (&app, &acme);
            async move { (browser.post(app, acme, &response).await, browser) }
        });
        for (answer, browser) in futures_util::future::join_all(posts).await {
            assert_eq!(answer.status, 303, "{}", answer.body);
            assert!(browser.session.is_some());
        }
        assert_eq!(acme.members(&app).await, 1);
        assert_eq!(acme.events(&app, "member.added").await.len(), 1);
    }

    async fn one_response_posted_many_times_at_once_makes_one_session(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let begun = jo.begin(&app, "jo@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        let posts = (0..8).map(|_| {
            let (app, acme, response, mut jo) = (&app, &acme, &response, jo.clone());
            async move { jo.post(app, acme, response).await }
        });
        let answers = futures_util::future::join_all(posts).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 303);
        assert_eq!(won.len(), 1);
        assert!(set_cookie(won[0], "postern_session").is_some());
        for answer in lost {
            refused(answer, "attempt_used");
        }
        assert_eq!(acme.events(&app, "sign_in.succeeded").await.len(), 2);
    }

    async fn somebody_known_signs_in_under_the_same_rules(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let change = json!({ "session_lifetime_seconds": 600 });
        app.patch(&acme.api("")).operator().json(&change).send().await.expect(200);
        // Nobody is signed in in any of these browsers, and nothing is to be made or changed.
        let mut browser = Person::new();
        browser.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let signed_in = acme.events(&app, "sign_in.succeeded").await;
        assert_eq!(signed_in.len(), 2, "{signed_in:?}");
        let fields = |event: &Value| event["data"].as_object().expect("data").keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(fields(&signed_in[0]), fields(&signed_in[1]));
        for same in ["actor", "subject"] {
            assert_eq!(signed_in[0][same], signed_in[1][same], "{signed_in:?}");
        }
        let data = &signed_in[1]["data"];
        assert_eq!((&data["created"], &data["linked"], &data["note"]), (&json!(false), &json!(false), &Value::Null));
        app.clock.advance(Duration::from_secs(599));
        browser.me(&app).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        browser.me(&app).await.expect(401);

        // A response counts once, however often it is posted at the same time, and so does an assertion.
        let mut fresh = Person::new();
        let begun = fresh.begin(&app, "jo@acme.test").await;
        let spec = acme.response(&app, &begun, "s", "jo@acme.test");
        let response = acme.sign(&spec);
        let posts = (0..8).map(|_| {
            let (app, acme, response, mut fresh) = (&app, &acme, &response, fresh.clone());
            async move { fresh.post(app, acme, response).await }
        });
        let answers = futures_util::future::join_all(posts).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 303);
        assert_eq!((won.len(), lost.len()), (1, 7));
        for answer in lost {
            refused(answer, "attempt_used");
        }
        let mut other = Person::new();
        let begun = other.begin(&app, "jo@acme.test").await;
        let mut again = acme.response(&app, &begun, "s", "jo@acme.test");
        again.assertion_id.clone_from(&spec.assertion_id);
        refused(&other.post(&app, &acme, &acme.sign(&again)).await, "assertion_used");
        assert_eq!(acme.events(&app, "sign_in.succeeded").await.len(), 3);
    }

    async fn nobody_slips_in_while_being_deactivated(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let member = acme.member(&app, "jo@acme.test").await;
        let path = acme.api(&format!("/members/{}", text(&member, "user_id")));
        for _ in 0..3 {
            let mut ready = Vec::new();
            for _ in 0..6 {
                let mut browser = Person::new();
                let begun = browser.begin(&app, "jo@acme.test").await;
                ready.push((browser, acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"))));
            }
            let posts = ready.into_iter().map(|(mut browser, response)| {
                let (app, acme) = (&app, &acme);
                async move { (browser.post(app, acme, &response).await, browser) }
            });
            let off = json!({ "active": false });
            let deactivated = app.patch(&path).operator().json(&off).send();
            let (posted, deactivated) =
                futures_util::future::join(futures_util::future::join_all(posts), deactivated).await;
            deactivated.expect(200);
            for (answer, browser) in posted {
                // Whoever came before lost the session, whoever came after was refused.
                if answer.status == 303 {
                    browser.me(&app).await.expect(401);
                } else {
                    refused(&answer, "deprovisioned");
                }
            }
            app.patch(&path).operator().json(&json!({ "active": true })).send().await.expect(200);
        }
    }
}
