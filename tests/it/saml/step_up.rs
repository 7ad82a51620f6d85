//! Steps up: an owner shows to be there by a fresh sign-in at the IdP, and for ten minutes may change whom the
//! organization trusts (rule 10a).

use super::{Begun, Person, Tenant, begun, refused, set_cookie, uuid_like};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::people;
use crate::support::simplesamlphp::inflated;
use postern::model::time::Clock as _;
use serde_json::json;
use std::time::Duration;
use url::Url;

/// A tenant and an owner who is signed in through it.
async fn owned(app: &TestApp) -> (Tenant, Person) {
    let acme = Tenant::new(app, "Acme", "acme.test").await;
    let mut owner = Person::new();
    owner.sign_in(app, &acme, "s-olga", "olga@acme.test").await.expect(303);
    let user = text(&acme.member(app, "olga@acme.test").await, "user_id").to_owned();
    let path = acme.api(&format!("/members/{user}"));
    app.patch(&path).operator().json(&json!({ "role": "owner" })).send().await.expect(200);
    (acme, owner)
}

fn secret(person: &Person) -> &str {
    person.session.as_deref().expect("signed in")
}

/// A change of trust by the session.
async fn change(app: &TestApp, acme: &Tenant, session: &str) -> Answer {
    // Each time something else, or nothing would be asked for.
    let body = json!({ "sso_url": format!("https://idp.acme.test/sso?{}", uuid_like()) });
    let path = acme.api(&format!("/saml-connections/{}", acme.connection));
    app.patch(&path).session(session).json(&body).send().await
}

/// Begins a step-up over the API, as a page of ours would.
async fn ask(app: &TestApp, owner: &mut Person) -> Begun {
    let answer =
        app.post("/api/v1/me/step-up").session(secret(owner)).json(&json!({ "return_to": "/signed-in?x" }));
    let answer = answer.send().await.expect(200);
    owner.binding = set_cookie(&answer, "postern_browser");
    let url = Url::parse(text(&answer.json(), "login_url")).expect("an address");
    let request =
        url.query_pairs().find(|(name, _)| name == "SAMLRequest").expect("a request").1.into_owned();
    let xml = inflated(&request);
    assert!(xml.contains("ForceAuthn=\"true\""), "{xml}");
    let id = xml.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    Begun { request: id, url }
}

on_both! {
    async fn an_owner_who_shows_to_be_there_changes_trust_for_ten_minutes(app: TestApp) {
        let (acme, mut owner) = owned(&app).await;
        let session = secret(&owner).to_owned();
        let told = change(&app, &acme, &session).await.problem(403, "step_up_required");
        assert!(text(&told, "detail").contains("/api/v1/me/step-up"), "{told}");
        let begun = ask(&app, &mut owner).await;
        // As in a browser under https, where the lax cookie stays away from the IdP's post.
        owner.session = None;
        let response = acme.sign(&acme.response(&app, &begun, "s-olga", "olga@acme.test"));
        let answer = owner.post(&app, &acme, &response).await.expect(303);
        assert_eq!(answer.header("location"), Some("/signed-in?x"));
        assert_eq!(owner.session, None, "the session stays the one it is");
        refused(&owner.post(&app, &acme, &response).await, "attempt_used");
        let me = app.get("/api/v1/me").session(&session).send().await.expect(200).json();
        assert!(me["signed_in"]["stepped_up_at"].is_string(), "{me}");
        change(&app, &acme, &session).await.expect(200);
        let key = json!({ "name": "k", "scopes": ["trust"] });
        app.post(&acme.api("/api-keys")).session(&session).json(&key).send().await.expect(201);
        app.post(&acme.api("/scim/tokens")).session(&session).json(&json!({})).send().await.expect(201);
        assert_eq!(acme.events(&app, "session.stepped_up").await.len(), 1);
        // An access token of the session counts as well.
        let token = app.post("/api/v1/me/access-token").session(&session).send().await.expect(200).json();
        app.post(&acme.api("/api-keys")).bearer(text(&token, "access_token")).json(&key).send().await.expect(201);
        app.clock.advance(Duration::from_mins(10));
        change(&app, &acme, &session).await.problem(403, "step_up_required");
        app.post(&acme.api("/api-keys")).session(&session).json(&key).send().await.problem(403, "step_up_required");
    }

    async fn only_the_same_person_freshly_seen_steps_up(app: TestApp) {
        let (acme, mut owner) = owned(&app).await;
        let session = secret(&owner).to_owned();
        // Somebody else at the IdP; nobody whom we know; the IdP's own session.
        Person::new().sign_in(&app, &acme, "s-al", "al@acme.test").await.expect(303);
        for (subject, address, code) in [
            ("s-al", "al@acme.test", "step_up_other_person"),
            ("s-new", "new@acme.test", "step_up_other_person"),
            ("s-new", "olga@acme.test", "step_up_other_person"),
        ] {
            let begun = ask(&app, &mut owner).await;
            let response = acme.sign(&acme.response(&app, &begun, subject, address));
            refused(&owner.post(&app, &acme, &response).await, code);
        }
        assert_eq!(acme.members(&app).await, 2, "nobody is made by a step-up");
        let begun = ask(&app, &mut owner).await;
        let mut stale = acme.response(&app, &begun, "s-olga", "olga@acme.test");
        stale.authn_instant = Some(app.clock.now().to_datetime() - Duration::from_mins(2));
        refused(&owner.post(&app, &acme, &acme.sign(&stale)).await, "step_up_stale");
        // In another browser it is nothing.
        let begun = ask(&app, &mut owner).await;
        let response = acme.sign(&acme.response(&app, &begun, "s-olga", "olga@acme.test"));
        refused(&Person::new().post(&app, &acme, &response).await, "other_browser");
        change(&app, &acme, &session).await.problem(403, "step_up_required");
        // A session that ended meanwhile does not come back.
        app.call(reqwest::Method::DELETE, "/api/v1/me/session").session(&session).send().await.expect(204);
        refused(&owner.post(&app, &acme, &response).await, "step_up_session_over");
    }

    async fn a_sign_in_with_force_authn_counts_as_one(app: TestApp) {
        let (acme, mut owner) = owned(&app).await;
        let on = json!({ "force_authn": true });
        let path = acme.api(&format!("/saml-connections/{}", acme.connection));
        app.patch(&path).operator().json(&on).send().await.expect(200);
        owner.session = None;
        owner.sign_in(&app, &acme, "s-olga", "olga@acme.test").await.expect(303);
        change(&app, &acme, secret(&owner)).await.expect(200);
        // Not where the IdP took its own session all the same.
        let mut again = Person::new();
        let begun = again.begin(&app, "olga@acme.test").await;
        let mut stale = acme.response(&app, &begun, "s-olga", "olga@acme.test");
        stale.authn_instant = Some(app.clock.now().to_datetime() - Duration::from_hours(1));
        again.post(&app, &acme, &acme.sign(&stale)).await.expect(303);
        change(&app, &acme, secret(&again)).await.problem(403, "step_up_required");
    }

    async fn admins_gain_nothing_by_it_and_who_is_not_connected_is_told(app: TestApp) {
        let (acme, _) = owned(&app).await;
        let (_, lone) = people::signed_in(&app, &acme.org, "lone@acme.test", "owner").await;
        let empty = json!({});
        app.post("/api/v1/me/step-up").session(&lone).json(&empty).send().await.problem(409, "step_up_unavailable");
        let away = json!({ "return_to": "https://evil.test/" });
        app.post("/api/v1/me/step-up").session(&lone).json(&away).send().await.problem(400, "invalid_request");
        let key = app.api_key(&acme.org, &["trust"]).await;
        app.post("/api/v1/me/step-up").bearer(&key).json(&empty).send().await.problem(403, "session_required");
        let mut admin = Person::new();
        admin.sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        let user = text(&acme.member(&app, "ada@acme.test").await, "user_id").to_owned();
        let role = json!({ "role": "admin" });
        app.patch(&acme.api(&format!("/members/{user}"))).operator().json(&role).send().await.expect(200);
        let begun = ask(&app, &mut admin).await;
        let response = acme.sign(&acme.response(&app, &begun, "s-ada", "ada@acme.test"));
        admin.post(&app, &acme, &response).await.expect(303);
        change(&app, &acme, secret(&admin)).await.problem(403, "role_too_low");
    }

    async fn the_page_asks_before_it_sends_anybody_on(app: TestApp) {
        let (acme, mut owner) = owned(&app).await;
        assert_eq!(Person::new().get(&app, "/step-up").await.expect(303).header("location"), Some("/login"));
        assert_eq!(owner.get(&app, "/step-up?return_to=https://evil.test").await.status, 400);
        let page = owner.get(&app, "/step-up?return_to=/signed-in%3Fy").await.expect(200);
        assert!(page.body.contains("value=\"/signed-in?y\"") && page.body.contains("olga@acme.test"), "{}", page.body);
        // A form from elsewhere is none of ours.
        let foreign = app.post("/step-up").header("cookie", &format!("postern_session={}", secret(&owner)));
        assert_eq!(foreign.header("sec-fetch-site", "cross-site").form(&[("x", "y")]).send().await.status, 403);
        let begun = begun(&owner.submit(&app, "/step-up", &[("return_to", "/signed-in?y")]).await.expect(303));
        let response = acme.sign(&acme.response(&app, &begun, "s-olga", "olga@acme.test"));
        let answer = owner.post(&app, &acme, &response).await.expect(303);
        assert_eq!(answer.header("location"), Some("/signed-in?y"));
        change(&app, &acme, secret(&owner)).await.expect(200);
        // With an access token the address is that of the page.
        let token = app.post("/api/v1/me/access-token").session(secret(&owner)).send().await.expect(200).json();
        let asked = app.post("/api/v1/me/step-up").bearer(text(&token, "access_token")).json(&json!({ "return_to": "/a?b" }));
        let url = text(&asked.send().await.expect(200).json(), "login_url").to_owned();
        assert!(url.ends_with("/step-up?return_to=%2Fa%3Fb"), "{url}");
    }
}
