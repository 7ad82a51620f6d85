//! Test sign-ins: the link, the page, what is remembered, and that nothing else ever comes of one.

use super::{Begun, Person, Tenant, refused, set_cookie};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people;
use serde_json::{Value, json};
use std::time::Duration;

impl Tenant {
    /// The path of the connection.
    fn connection_path(&self) -> String {
        self.api(&format!("/saml-connections/{}", self.connection))
    }

    /// As if nobody had switched the connection on.
    async fn switched_off(self, app: &TestApp) -> Self {
        app.post(&format!("{}/deactivate", self.connection_path())).operator().send().await.expect(200);
        self
    }

    /// The link of a new test, as a path.
    async fn test_link(&self, app: &TestApp) -> String {
        let path = format!("{}/test", self.connection_path());
        let asked = app.post(&path).operator().send().await.expect(200).json();
        text(&asked, "url").strip_prefix(&app.url).expect("an address of ours").to_owned()
    }

    async fn test(&self, app: &TestApp) -> Value {
        app.get(&format!("{}/test", self.connection_path())).operator().send().await.expect(200).json()
    }

    async fn activate(&self, app: &TestApp) -> Answer {
        let path = format!("{}/activate", self.connection_path());
        app.post(&path).operator().json(&json!({})).send().await
    }

    /// A test that passes, about `jo@acme.test`.
    async fn passes(&self, app: &TestApp) {
        let mut admin = Person::new();
        let begun = admin.open_test(app, self).await;
        let response = self.sign(&self.response(app, &begun, "s", "jo@acme.test"));
        assert_passed(&admin.post(app, self, &response).await);
    }
}

impl Person {
    /// Asks for a test and opens its link.
    pub async fn open_test(&mut self, app: &TestApp, tenant: &Tenant) -> Begun {
        // One test is newer than another by the clock, which stands still otherwise.
        app.clock.advance(Duration::from_secs(1));
        let link = tenant.test_link(app).await;
        super::begun(&self.get(app, &link).await.expect(303))
    }
}

#[track_caller]
fn assert_passed(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("The test sign-in passed"), "{}", answer.body);
    assert_eq!(set_cookie(answer, "postern_session"), None, "nobody is signed in by a test");
}

#[track_caller]
fn assert_failed(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("The test sign-in did not pass"), "{}", answer.body);
    assert!(answer.body.contains(&format!("<code>{code}</code>")), "{}", answer.body);
    assert_eq!(set_cookie(answer, "postern_session"), None, "nobody is signed in by a test");
}

on_both! {
    async fn a_draft_is_activated_once_a_test_has_passed(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await.switched_off(&app).await;
        acme.activate(&app).await.problem(409, "test_sign_in_required");
        assert_eq!(acme.test(&app).await["status"], "none");
        let before = (acme.members(&app).await, people::event_kinds(&app, &acme.org).await);

        let mut admin = Person::new();
        let begun = admin.open_test(&app, &acme).await;
        assert!(begun.url.as_str().starts_with("https://idp.acme.test/sso?"), "{}", begun.url);
        assert_eq!(acme.test(&app).await["status"], "pending");
        let mut spec = acme.response(&app, &begun, "subject-1", "jo@acme.test");
        spec.attributes.push(("firstName".to_owned(), vec!["Jo<b>".to_owned()]));
        spec.attributes.push(("groups".to_owned(), vec!["Engineering".to_owned()]));
        let answer = admin.post(&app, &acme, &acme.sign(&spec)).await;
        assert_passed(&answer);
        for shown in [
            "jo@acme.test", "subject-1", "Jo&#60;b&#62;", "Engineering", "firstName", "would become a member just in time",
            "persistent", "ecdsa-sha256",
        ] {
            assert!(answer.body.contains(shown), "{shown}: {}", answer.body);
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && !answer.body.contains("<script"), "{policy}");

        // Nothing was made, and nobody is signed in.
        let mut kinds = before.1;
        kinds.push("saml_connection.tested".to_owned());
        assert_eq!(acme.members(&app).await, before.0);
        assert_eq!(people::event_kinds(&app, &acme.org).await, kinds);
        admin.me(&app).await.expect(401);

        // It is remembered with its values masked.
        let test = acme.test(&app).await;
        assert_eq!((&test["status"], &test["current"]), (&json!("passed"), &json!(true)), "{test:#}");
        assert_eq!(test["would"]["action"], "create", "{test:#}");
        assert_eq!((&test["would"]["role"], &test["person"]["address"]), (&json!("member"), &json!("jo@acme.test")));
        assert!(!test.to_string().contains("Engineering") && !test.to_string().contains("Jo<b>"), "{test:#}");
        let entry = acme.newest(&app).await;
        assert_eq!((&entry["outcome"], entry.get("code")), (&json!("test"), None), "{entry:#}");
        assert_eq!((&entry["reference"], entry.get("session_id")), (&test["reference"], None));

        let active = acme.activate(&app).await.expect(200).json();
        assert_eq!((&active["status"], &active["activated_without_test"]), (&json!("active"), &json!(false)));
        let activated = acme.events(&app, "saml_connection.activated").await;
        assert_eq!(activated.last().expect("an event")["data"]["tested"], true, "{activated:?}");
        Person::new().sign_in(&app, &acme, "subject-1", "jo@acme.test").await.expect(303);
    }

    async fn a_test_that_fails_says_why(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await.switched_off(&app).await;
        let mut admin = Person::new();
        let begun = admin.open_test(&app, &acme).await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.audiences = vec![vec!["https://mistyped.example/\"><script>".to_owned()]];
        let answer = admin.post(&app, &acme, &acme.sign(&spec)).await;
        assert_failed(&answer, "wrong_audience");
        assert!(answer.body.contains("https://mistyped.example") && answer.body.contains("Audience URI"));
        assert!(!answer.body.contains("<script"), "{}", answer.body);
        let test = acme.test(&app).await;
        assert_eq!((&test["status"], &test["current"]), (&json!("failed"), &json!(false)), "{test:#}");
        assert_eq!(test["refusal"]["code"], "wrong_audience");
        let tested = acme.events(&app, "saml_connection.tested").await;
        assert_eq!((tested.len(), &tested[0]["data"]["code"]), (1, &json!("wrong_audience")));
        assert_eq!(acme.events(&app, "sign_in.refused").await.len(), 0);
        let entry = acme.newest(&app).await;
        assert_eq!((&entry["outcome"], &entry["code"]), (&json!("test"), &json!("wrong_audience")), "{entry:#}");
        acme.activate(&app).await.problem(409, "test_sign_in_required");

        // No address: verified, and read in vain.
        let begun = admin.open_test(&app, &acme).await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        spec.attributes = vec![("phone".to_owned(), vec!["+49".to_owned()])];
        let answer = admin.post(&app, &acme, &acme.sign(&spec)).await;
        assert_failed(&answer, "no_email");
        assert!(answer.body.contains("phone") && !answer.body.contains("was not proven"), "{}", answer.body);
    }

    async fn what_would_happen_is_told_and_does_not_happen(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut admin = Person::new();
        let (_, session) = people::signed_in(&app, &acme.org, "jo@acme.test", "member").await;
        people::member(&app, &acme.org, "olga@acme.test", "owner").await;
        let off = json!({ "jit_provisioning_enabled": false });
        app.patch(&acme.api(&format!("/domains/{}", acme.domain_id))).operator().json(&off).send().await.expect(200);
        for (address, action, code) in [
            ("jo@acme.test", "link", None),
            ("olga@acme.test", "refuse", Some("owner_link_refused")),
            ("new@acme.test", "refuse", Some("jit_off")),
            ("jo@elsewhere.test", "refuse", Some("foreign_domain")),
        ] {
            let begun = admin.open_test(&app, &acme).await;
            let response = acme.sign(&acme.response(&app, &begun, "s", address));
            let answer = admin.post(&app, &acme, &response).await;
            assert_passed(&answer);
            if let Some(code) = code {
                assert!(answer.body.contains(code), "{code}: {}", answer.body);
            }
            let test = acme.test(&app).await;
            assert_eq!(test["would"]["action"], action, "{address}: {test:#}");
            assert_eq!(test["would"]["refusal"].get("code").and_then(Value::as_str), code, "{test:#}");
        }
        // A first link ends what was there before: a test did not.
        app.get("/api/v1/me").session(&session).send().await.expect(200);
        assert_eq!(acme.events(&app, "member.linked").await.len(), 0);
        Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let begun = admin.open_test(&app, &acme).await;
        assert_passed(&admin.post(&app, &acme, &acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"))).await);
        assert_eq!(acme.test(&app).await["would"]["action"], "sign_in");
        assert_eq!(acme.events(&app, "sign_in.succeeded").await.len(), 1);
    }

    async fn a_change_of_trust_makes_a_test_void(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await.switched_off(&app).await;
        let path = acme.connection_path();
        for change in [
            json!({ "sso_url": "https://idp.acme.test/other" }),
            json!({ "idp_entity_id": "https://idp.acme.test/renamed" }),
            json!({ "attribute_mapping": { "subject": "employeeNumber" } }),
        ] {
            let now = app.get(&path).operator().send().await.expect(200).json();
            acme.passes(&app).await;
            assert_eq!(acme.test(&app).await["current"], true);
            app.patch(&path).operator().json(&json!({ "name": "Renamed" })).send().await.expect(200);
            assert_eq!(acme.test(&app).await["current"], true, "a name is not trusted");
            app.patch(&path).operator().json(&change).send().await.expect(200);
            assert_eq!(acme.test(&app).await["current"], false, "{change}");
            acme.activate(&app).await.problem(409, "test_sign_in_required");
            let back = json!({
                "sso_url": now["sso_url"], "idp_entity_id": now["idp_entity_id"], "attribute_mapping": null,
            });
            app.patch(&path).operator().json(&back).send().await.expect(200);
            assert_eq!(acme.test(&app).await["current"], true, "what was tested is trusted again");
        }
        // The newest word counts.
        let mut admin = Person::new();
        let begun = admin.open_test(&app, &acme).await;
        app.clock.advance(Duration::from_mins(1));
        assert_failed(&admin.post(&app, &acme, &acme.sign(&acme.response(&app, &begun, "s", "nobody"))).await, "address_invalid");
        acme.activate(&app).await.problem(409, "test_sign_in_required");
    }

    async fn who_skips_the_test_is_remembered_until_one_passes(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let flag = async || {
            let connection = app.get(&acme.connection_path()).operator().send().await.expect(200).json();
            connection["activated_without_test"].clone()
        };
        assert_eq!(flag().await, true);
        let activated = acme.events(&app, "saml_connection.activated").await;
        assert_eq!((&activated[0]["data"]["skip_test"], &activated[0]["data"]["tested"]), (&json!(true), &json!(false)));
        acme.passes(&app).await;
        assert_eq!(flag().await, false);
        let (_, owner) = people::signed_in(&app, &acme.org, "owner@acme.test", "owner").await;
        let skip = json!({ "skip_test": true });
        let path = format!("{}/activate", acme.connection_path());
        let call = app.post(&path).session(&owner).header("sec-fetch-site", "same-origin").json(&skip);
        call.send().await.problem(403, "step_up_required");
    }

    async fn a_link_is_good_once_for_ten_minutes_at_its_own_connection(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let other = Tenant::new(&app, "Other", "other.test").await;
        let link = acme.test_link(&app).await;
        // At another connection it is nothing, and is not used up by that.
        let bare = |tenant: &Tenant| tenant.connection_id().uuid().to_string();
        let moved = link.replace(&bare(&acme), &bare(&other));
        let answer = Person::new().get(&app, &moved).await;
        assert_eq!(answer.status, 410, "{}", answer.body);
        Person::new().get(&app, &link).await.expect(303);
        let answer = Person::new().get(&app, &link).await;
        assert_eq!(answer.status, 410, "{}", answer.body);
        assert!(answer.body.contains("test_link_over"), "{}", answer.body);
        let late = acme.test_link(&app).await;
        app.clock.advance(Duration::from_mins(10));
        assert_eq!(Person::new().get(&app, &late).await.status, 410);
        let path = format!("/saml/{}/test", bare(&acme));
        for wrong in [path.clone(), format!("{path}?link=pstn_tst_x"), format!("{path}?link=")] {
            assert_eq!(Person::new().get(&app, &wrong).await.status, 410, "{wrong}");
        }
        // Two that open it at once: one is sent on.
        let link = acme.test_link(&app).await;
        let opened = (0..4).map(|_| {
            let (app, link) = (&app, link.clone());
            async move { Person::new().get(app, &link).await.status }
        });
        let mut opened = futures_util::future::join_all(opened).await;
        opened.sort_unstable();
        assert_eq!(opened, [303, 410, 410, 410]);
        let stranger = app.api_key(&other.org, &["saml_connection:write", "saml_connection:read"]).await;
        let path = format!("{}/test", acme.connection_path());
        app.post(&path).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&path).bearer(&stranger).send().await.problem(404, "not_found");
    }

    async fn a_response_to_a_test_never_signs_anybody_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let second = Tenant::connect(&app, acme.org.clone(), "acme.test", acme.domain_id.clone()).await;
        let mut admin = Person::new();
        let begun = admin.open_test(&app, &second).await;
        let spec = second.response(&app, &begun, "s", "jo@acme.test");
        let response = second.sign(&spec);
        // In another browser, or at another connection, it is nothing; and the test goes on.
        refused(&Person::new().post(&app, &second, &response).await, "other_browser");
        refused(&admin.post(&app, &acme, &response).await, "unknown_request");
        assert_passed(&admin.post(&app, &second, &response).await);
        // Again, it is used up.
        refused(&admin.post(&app, &second, &response).await, "attempt_used");
        assert_eq!(second.test(&app).await["status"], "passed");
        assert_eq!(second.events(&app, "saml_connection.tested").await.len(), 1);
        // The same assertion put under a real request of this browser is about another one.
        let real = admin.begin(&app, "jo@acme.test").await;
        let mut moved = spec.clone();
        moved.response_in_response_to = Some(real.request.clone());
        refused(&admin.post(&app, &second, &second.sign(&moved)).await, "wrong_in_response_to");
        // And a response to a real request of this browser is no test.
        let real = admin.begin(&app, "jo@acme.test").await;
        let answer = admin.post(&app, &second, &second.sign(&second.response(&app, &real, "s", "jo@acme.test"))).await;
        answer.clone().expect(303);
        assert_eq!(second.events(&app, "sign_in.succeeded").await.len(), 1);
    }

    async fn many_at_once_finish_a_test_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut admin = Person::new();
        let begun = admin.open_test(&app, &acme).await;
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        let posts = (0..6).map(|_| {
            let (app, acme, response, mut admin) = (&app, &acme, &response, admin.clone());
            async move { admin.post(app, acme, response).await }
        });
        let answers = futures_util::future::join_all(posts).await;
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(passed, 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            refused(answer, "attempt_used");
        }
        assert_eq!(acme.events(&app, "saml_connection.tested").await.len(), 1);
        assert_eq!(acme.members(&app).await, 0);
    }

    async fn a_draft_takes_nobody_but_its_test(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let acme = acme.switched_off(&app).await;
        jo.open_test(&app, &acme).await;
        let response = acme.sign(&acme.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &acme, &response).await, "connection_inactive");
        let draft = app.post(&acme.api("/saml-connections")).operator().json(&json!({ "name": "New", "type": "okta" }));
        let draft = draft.send().await.expect(201).json();
        let path = acme.api(&format!("/saml-connections/{}/test", text(&draft, "id")));
        app.post(&path).operator().send().await.problem(409, "connection_incomplete");
    }
}
