//! What must not get in: replayed, redirected, borrowed and foreign responses, and posts that are none.

use super::{Person, Tenant, refused, set_cookie, uuid_like};
use crate::support::app::{TestApp, on_both};
use postern::demo::idp::Signing;
use postern::http::limits::LimitClock;
use postern::model::id::uuid_v4;
use postern::model::random::SystemRandom;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

on_both! {
    async fn a_response_is_good_for_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let first = acme.response(&app, &begun, "s", "jo@acme.test");
        let response = acme.sign(&first);
        jo.post(&app, &acme, &response).await.expect(303);
        refused(&jo.post(&app, &acme, &response).await, "attempt_used");
        jo.me(&app).await.expect(200);
        // An IdP that repeats an assertion's id in answer to another request repeats the assertion.
        let begun = jo.begin(&app, "jo@acme.test").await;
        let mut second = acme.response(&app, &begun, "s", "jo@acme.test");
        second.assertion_id = first.assertion_id;
        refused(&jo.post(&app, &acme, &acme.sign(&second)).await, "assertion_used");
    }

    async fn a_sign_in_belongs_to_its_browser(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut evil = Person::new();
        let begun = evil.begin(&app, "evil@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s-evil", "evil@acme.test"));
        // Posted in the victim's browser, with no cookie of ours, and with one of its own.
        let mut victim = Person::new();
        refused(&victim.post(&app, &acme, &response).await, "other_browser");
        victim.begin(&app, "jo@acme.test").await;
        refused(&victim.post(&app, &acme, &response).await, "other_browser");
        assert!(victim.session.is_none());
        // Nobody else's post uses up what was begun here.
        evil.post(&app, &acme, &response).await.expect(303);
    }

    async fn an_idp_speaks_for_its_own_only(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let evil = Tenant::new(&app, "Evil", "evil.test").await;
        // Evil's IdP, at evil's door, says that somebody is jo of Acme; or of a sub-domain, or of a look-alike.
        for address in ["jo@acme.test", "jo@sub.evil.test", "jo@evil.test.acme.test", "jo@xevil.test"] {
            let mut browser = Person::new();
            let begun = browser.begin(&app, "x@evil.test").await;
            let response = evil.sign(&evil.response(&app, &begun, "s", address));
            refused(&browser.post(&app, &evil, &response).await, "foreign_domain");
        }
        // Evil's response at Acme's door: to Acme's request signed by evil, and to evil's own request.
        let mut browser = Person::new();
        let begun = browser.begin(&app, "jo@acme.test").await;
        let mut spec = acme.response(&app, &begun, "s", "jo@acme.test");
        refused(&browser.post(&app, &acme, &evil.sign(&spec)).await, "signature_mismatch");
        let begun = browser.begin(&app, "x@evil.test").await;
        spec = evil.response(&app, &begun, "s", "jo@acme.test");
        refused(&browser.post(&app, &acme, &evil.sign(&spec)).await, "unknown_request");
        assert_eq!((acme.members(&app).await, evil.members(&app).await), (0, 0));
    }

    async fn another_connection_of_the_organization_is_another_idp(app: TestApp) {
        let old = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.sign_in(&app, &old, "s", "jo@acme.test").await.expect(303);
        let begun = jo.begin(&app, "jo@acme.test").await;
        let new = Tenant::connect(&app, old.org.clone(), "acme.test", old.domain_id.clone()).await;
        // The old one is still active, but the domain is no longer its own.
        let response = old.sign(&old.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &old, &response).await, "foreign_domain");
        // A response for the one is none for the other.
        let begun = jo.begin(&app, "jo@acme.test").await;
        let crossed = old.sign(&old.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &old, &crossed).await, "unknown_request");
        let crossed = new.sign(&old.response(&app, &begun, "s", "jo@acme.test"));
        refused(&jo.post(&app, &new, &crossed).await, "wrong_issuer");
        // The subject of one IdP is not the subject of another: the address links anew.
        jo.sign_in(&app, &new, "s-other", "jo@acme.test").await.expect(303);
        assert_eq!(new.members(&app).await, 1);
    }

    async fn nothing_unsigned_or_altered_gets_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        let begun = jo.begin(&app, "jo@acme.test").await;
        let spec = acme.response(&app, &begun, "s", "jo@acme.test");
        let plain = BASE64_STANDARD.encode(spec.to_xml());
        refused(&jo.post(&app, &acme, &plain).await, "unsigned");
        let begun = jo.begin(&app, "jo@acme.test").await;
        let spec = acme.response(&app, &begun, "s", "jo@acme.test");
        let signed = Signing::default().respond(&spec, &acme.key).expect("signed");
        let altered = BASE64_STANDARD.encode(signed.replace("jo@acme.test", "ceo@acme.test"));
        refused(&jo.post(&app, &acme, &altered).await, "content_altered");
        for (rubbish, code) in [("%%%", "not_base64"), ("aGVsbG8=", "malformed_xml"), ("", "malformed_xml")] {
            refused(&jo.post(&app, &acme, rubbish).await, code);
        }
        assert_eq!(acme.members(&app).await, 0);
    }

    async fn posts_that_are_none_get_a_page(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let acs = &acme.acs_url;
        let answers = [
            (400, "saml_response_count", app.post(acs).form(&[("RelayState", "x")]).send().await),
            (400, "saml_response_count", app.post(acs).form(&[("SAMLResponse", "a"), ("SAMLResponse", "b")]).send().await),
            (415, "unsupported_media_type", app.post(acs).body("application/json", "{}").send().await),
            (415, "unsupported_media_type", app.post(acs).body("text/plain", "SAMLResponse=a").send().await),
            (405, "method_not_allowed", app.get(acs).send().await),
            (413, "payload_too_large", app.post(acs).form(&[("SAMLResponse", &"A".repeat(1_600_000))]).send().await),
            (404, "not_found", app.post(&acs.replace("/saml/", "/saml/0")).form(&[("SAMLResponse", "a")]).send().await),
            (404, "not_found", app.post(&format!("/saml/{}/acs", uuid_v4(&SystemRandom))).form(&[("SAMLResponse", "a")]).send().await),
            (404, "not_found", app.get(&format!("/saml/{}/metadata", uuid_like())).send().await),
            (404, "not_found", app.get("/saml/nonsense").send().await),
        ];
        for (status, code, answer) in answers {
            assert_eq!(answer.status, status, "{code}: {}", answer.body);
            assert!(answer.body.contains(&format!("<code>{code}</code>")), "{code}: {}", answer.body);
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{code}");
            assert!(set_cookie(&answer, "postern_session").is_none());
        }
    }
}

#[tokio::test]
async fn one_address_cannot_try_for_ever() {
    let clock = governor::clock::FakeRelativeClock::default();
    let limits = "[limits]\nsign_in_per_minute = 5";
    let app = TestApp::builder().config(limits).limit_clock(LimitClock::Manual(clock.clone())).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    for _ in 0..3 {
        app.get("/login?email=jo@acme.test").send().await.expect(303);
    }
    for _ in 0..2 {
        Person::new().post(&app, &acme, "aGVsbG8=").await.expect(403);
    }
    for answer in
        [app.get("/login?email=jo@acme.test").send().await, Person::new().post(&app, &acme, "aGVsbG8=").await]
    {
        assert_eq!(answer.status, 429, "{}", answer.body);
        assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_some());
        assert!(answer.body.contains("<code>rate_limited</code>"), "{}", answer.body);
    }
    app.get("/login").send().await.expect(200);
    clock.advance(std::time::Duration::from_mins(1));
    app.get("/login?email=jo@acme.test").send().await.expect(303);
    assert_eq!(acme.events(&app, "sign_in.refused").await.len(), 2, "what was limited is not recorded");
}
