//! How long a session lasts, and everything that ends it (rules 10b and 11), its access tokens included.

use super::{Person, Tenant, set_cookie};
use crate::support::app::{TestApp, on_both, text};
use postern::model::time::Clock as _;
use serde_json::json;
use std::time::Duration;

async fn access_token(app: &TestApp, person: &Person) -> String {
    let secret = person.session.as_deref().expect("signed in");
    let answer = app.post("/api/v1/me/access-token").session(secret).send().await.expect(200).json();
    text(&answer, "access_token").to_owned()
}

on_both! {
    async fn a_session_ends_at_the_earliest_of_its_limits(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let sign_in = async |minutes: Option<u64>| {
            let mut jo = Person::new();
            let begun = jo.begin(&app, "jo@acme.test").await;
            let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
            let now = app.clock.now().to_datetime();
            spec.session_not_on_or_after = minutes.map(|minutes| now + Duration::from_mins(minutes));
            jo.post(&app, &acme, &acme.sign(&spec)).await.expect(303);
            jo
        };
        // What the IdP says.
        let jo = sign_in(Some(30)).await;
        let token = access_token(&app, &jo).await;
        app.clock.advance(Duration::from_mins(29));
        jo.me(&app).await.expect(200);
        app.clock.advance(Duration::from_mins(1));
        jo.me(&app).await.expect(401);
        app.get("/api/v1/me").bearer(&token).send().await.expect(401);
        // What the organization says.
        let change = json!({ "session_lifetime_seconds": 600 });
        app.patch(&acme.api("")).operator().json(&change).send().await.expect(200);
        let jo = sign_in(None).await;
        app.clock.advance(Duration::from_secs(599));
        jo.me(&app).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        jo.me(&app).await.expect(401);
        // What the installation says, and use does not stretch it.
        let change = json!({ "session_lifetime_seconds": null });
        app.patch(&acme.api("")).operator().json(&change).send().await.expect(200);
        let jo = sign_in(Some(100_000)).await;
        for _ in 0..11 {
            app.clock.advance(Duration::from_hours(1));
            jo.me(&app).await.expect(200);
        }
        app.clock.advance(Duration::from_hours(1));
        jo.me(&app).await.expect(401);
        // Idle.
        let jo = sign_in(None).await;
        app.clock.advance(Duration::from_hours(2));
        jo.me(&app).await.expect(401);
    }

    async fn signing_in_again_ends_what_the_browser_had(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let beta = Tenant::new(&app, "Beta", "beta.test").await;
        let mut browser = Person::new();
        browser.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let first = browser.clone();
        let elsewhere = { let mut other = Person::new(); other.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303); other };
        // In another organization, and with the lax cookie staying away from the IdP's post as under https.
        let begun = browser.begin(&app, "jo@beta.test").await;
        browser.session = None;
        let response = beta.sign(&beta.response(&app, &begun, "s", "jo@beta.test"));
        browser.post(&app, &beta, &response).await.expect(303);
        first.me(&app).await.expect(401);
        elsewhere.me(&app).await.expect(200);
        let me = browser.me(&app).await.expect(200).json();
        assert_eq!(me["organization"]["name"], "Beta", "{me}");
        let ended = acme.events(&app, "session.ended").await;
        assert_eq!(ended.len(), 1, "{ended:?}");
        // A session reaches its own organization only.
        let secret = browser.session.as_deref().expect("signed in");
        app.get(&acme.api("")).session(secret).send().await.expect(404);
        app.get(&beta.api("")).session(secret).send().await.expect(200);
    }

    async fn signing_out_takes_our_own_page(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let token = access_token(&app, &jo).await;
        app.get("/api/v1/me").bearer(&token).send().await.expect(200);
        let page = jo.get(&app, "/logout").await.expect(200);
        assert!(page.body.contains("Sign out?") && page.body.contains("jo@acme.test"), "{}", page.body);
        // Neither a link nor a form of another site signs anybody out.
        let cookie = format!("postern_session={}", jo.session.clone().expect("signed in"));
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
            let call = app.post("/logout").header("cookie", &cookie).header(name, value).form(&[]);
            let answer = call.send().await.expect(403);
            assert!(answer.body.contains("<code>cross_origin</code>"), "{}", answer.body);
        }
        jo.me(&app).await.expect(200);
        let before = jo.clone();
        let answer = jo.submit(&app, "/logout", &[]).await.expect(200);
        assert_eq!(set_cookie(&answer, "postern_session").as_deref(), Some(""));
        before.me(&app).await.expect(401);
        app.get("/api/v1/me").bearer(&token).send().await.expect(401);
        assert_eq!(acme.events(&app, "session.ended").await.len(), 1);
        // Again is fine.
        jo.submit(&app, "/logout", &[]).await.expect(200);
    }

    async fn an_access_token_dies_with_the_session(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        let token = access_token(&app, &jo).await;
        let claims = jwt_claims(&token);
        for claim in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "auth_time"] {
            assert!(!claims[claim].is_null(), "RFC 9068 wants {claim}: {claims}");
        }
        // Signed by a published key.
        let keys = app.get("/.well-known/jwks.json").send().await.expect(200);
        assert_eq!(keys.header("content-type"), Some("application/jwk-set+json"));
        let keys = keys.json();
        assert_eq!(keys["keys"][0]["kid"], jwt_header(&token)["kid"]);
        assert!(keys["keys"][0]["d"].is_null(), "the private part stays here");
        // A key cannot have one, nor a cookie from elsewhere.
        app.post("/api/v1/me/access-token").operator().send().await.problem(403, "session_required");
        let cookie = format!("postern_session={}", jo.session.clone().expect("signed in"));
        app.post("/api/v1/me/access-token").header("cookie", &cookie).send().await.problem(403, "cross_origin");
        // Deprovisioned: dead at once.
        app.get("/api/v1/me").bearer(&token).send().await.expect(200);
        let user = text(&acme.member(&app, "jo@acme.test").await, "user_id").to_owned();
        let off = json!({ "active": false });
        app.patch(&acme.api(&format!("/members/{user}"))).operator().json(&off).send().await.expect(200);
        app.get("/api/v1/me").bearer(&token).send().await.problem(401, "credential_invalid");
    }
}

fn jwt_part(token: &str, at: usize) -> serde_json::Value {
    use base64::Engine as _;
    let part = token.split('.').nth(at).expect("a part");
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn jwt_header(token: &str) -> serde_json::Value {
    jwt_part(token, 0)
}

fn jwt_claims(token: &str) -> serde_json::Value {
    jwt_part(token, 1)
}
