//! Sign-ins that begin at the IdP: refused unless the connection's switch is on, and what holds nevertheless when it is.

use super::{Person, Tenant, begun, refused, uuid_like};
use crate::support::app::{Answer, TestApp, on_both, text};
use postern::demo::idp::ResponseSpec;
use serde_json::json;

const MFA: &str = "http://schemas.microsoft.com/claims/multipleauthn";

async fn switch(app: &TestApp, tenant: &Tenant, on: bool) -> Answer {
    let path = tenant.api(&format!("/saml-connections/{}", tenant.connection));
    app.patch(&path).operator().json(&json!({ "idp_initiated": on })).send().await
}

/// A response that answers nothing.
fn unasked(app: &TestApp, tenant: &Tenant, subject: &str, email: &str) -> ResponseSpec {
    let nothing =
        super::Begun { request: String::new(), url: "https://idp.example/".parse().expect("a URL") };
    let mut spec = tenant.response(app, &nothing, subject, email);
    (spec.response_in_response_to, spec.confirmation_in_response_to) = (None, None);
    spec
}

/// Posts it with a RelayState.
async fn post(app: &TestApp, tenant: &Tenant, response: &str, relay_state: &str) -> Answer {
    let fields = [("SAMLResponse", response), ("RelayState", relay_state)];
    app.post(&tenant.acs_url).header("origin", "https://idp.example").form(&fields).send().await
}

on_both! {
    async fn it_is_refused_unless_it_is_switched_on(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let response = acme.sign(&unasked(&app, &acme, "s", "jo@acme.test"));
        refused(&Person::new().post(&app, &acme, &response).await, "unsolicited");
        let refusals = acme.events(&app, "sign_in.refused").await;
        let said = Tenant::only_refusal(&refusals);
        assert!(text(said, "detail").contains("idp_initiated") && text(said, "next_step").contains("idp_initiated"));

        let view = switch(&app, &acme, true).await.expect(200).json();
        assert_eq!(view["idp_initiated"], true, "{view}");
        // For the first time, and as somebody who is known.
        for _ in 0..2 {
            let mut jo = Person::new();
            let response = acme.sign(&unasked(&app, &acme, "s", "jo@acme.test"));
            assert_eq!(jo.post(&app, &acme, &response).await.expect(303).header("location"), Some("/signed-in"));
            jo.me(&app).await.expect(200);
            // Once.
            refused(&Person::new().post(&app, &acme, &response).await, "assertion_used");
        }
        let done = acme.events(&app, "sign_in.succeeded").await;
        assert!(done.len() == 2 && done.iter().all(|event| event["data"]["idp_initiated"] == true), "{done:?}");
        let log = app.get(&acme.api("/sign-ins?outcome=signed_in")).operator().send().await.expect(200).json();
        let entry = format!("/sign-ins/{}", text(&log["data"][0], "id"));
        let entry = app.get(&acme.api(&entry)).operator().send().await.expect(200).body;
        assert!(entry.contains("began at the IdP"), "{entry}");
        // Those that begin here go on as before.
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
        switch(&app, &acme, false).await.expect(200);
        let response = acme.sign(&unasked(&app, &acme, "s", "jo@acme.test"));
        refused(&Person::new().post(&app, &acme, &response).await, "unsolicited");
    }

    async fn a_response_that_names_a_request_must_name_one_of_ours(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        switch(&app, &acme, true).await.expect(200);
        // Somebody's else: in another browser, made up, or on one level alone.
        let mut evil = Person::new();
        let asked = evil.begin(&app, "evil@acme.test").await;
        let stolen = acme.sign(&acme.response(&app, &asked, "s-evil", "evil@acme.test"));
        refused(&Person::new().post(&app, &acme, &stolen).await, "other_browser");
        let mut made_up = unasked(&app, &acme, "s", "jo@acme.test");
        let name = Some(format!("_{}", uuid_like()));
        (made_up.response_in_response_to, made_up.confirmation_in_response_to) = (name.clone(), name.clone());
        refused(&Person::new().post(&app, &acme, &acme.sign(&made_up)).await, "unknown_request");
        let mut inside = unasked(&app, &acme, "s", "jo@acme.test");
        inside.confirmation_in_response_to = name;
        refused(&Person::new().post(&app, &acme, &acme.sign(&inside)).await, "wrong_in_response_to");
        // The outer one taken away from an answer to a request of ours.
        let mut stripped = acme.response(&app, &asked, "s-evil", "evil@acme.test");
        stripped.response_in_response_to = None;
        refused(&Person::new().post(&app, &acme, &acme.sign(&stripped)).await, "wrong_in_response_to");
        let mut outside = acme.response(&app, &asked, "s-evil", "evil@acme.test");
        outside.confirmation_in_response_to = None;
        refused(&evil.post(&app, &acme, &acme.sign(&outside)).await, "unsolicited");
        assert_eq!(acme.members(&app).await, 0);
        // And everything else is checked as always.
        let other = Tenant::new(&app, "Other", "other.test").await;
        let forged = other.sign(&unasked(&app, &acme, "s", "jo@acme.test"));
        refused(&Person::new().post(&app, &acme, &forged).await, "signature_mismatch");
        let foreign = acme.sign(&unasked(&app, &acme, "s", "jo@other.test"));
        refused(&Person::new().post(&app, &acme, &foreign).await, "foreign_domain");
    }

    async fn the_state_leads_to_a_path_of_ours_or_nowhere(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        switch(&app, &acme, true).await.expect(200);
        for (state, place) in [
            ("/projects/7?tab=2", "/projects/7?tab=2"),
            ("https://evil.example/", "/signed-in"),
            ("//evil.example", "/signed-in"),
            ("/\\evil.example", "/signed-in"),
            ("javascript:alert(1)", "/signed-in"),
            ("", "/signed-in"),
        ] {
            let response = acme.sign(&unasked(&app, &acme, "s", "jo@acme.test"));
            let answer = post(&app, &acme, &response, state).await.expect(303);
            assert_eq!(answer.header("location"), Some(place), "{state}");
        }
        // Of a sign-in that began here the state says nothing.
        let mut jo = Person::new();
        let asked = begun(&jo.get(&app, "/login?email=jo@acme.test&return_to=/mine").await.expect(303));
        let response = acme.sign(&acme.response(&app, &asked, "s", "jo@acme.test"));
        assert_eq!(jo.post(&app, &acme, &response).await.expect(303).header("location"), Some("/mine"));
    }

    async fn the_second_level_takes_none(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let path = acme.api(&format!("/saml-connections/{}", acme.connection));
        let admin = app.api_key(&acme.org, &["saml_connection:write", "saml_connection:read"]).await;
        let on = json!({ "idp_initiated": true });
        app.patch(&path).bearer(&admin).json(&on).send().await.problem(403, "scope_missing");
        switch(&app, &acme, true).await.expect(200);
        let raise = json!({ "level": "sl2", "requested_authn_contexts": [MFA] });
        let view = app.patch(&path).operator().json(&raise).send().await.expect(200).json();
        assert_eq!(view["idp_initiated"], false, "{view}");
        let wrong = switch(&app, &acme, true).await.problem(400, "invalid_request");
        assert_eq!(wrong["errors"][0]["code"], "refused_by_level", "{wrong}");
        let mut spec = unasked(&app, &acme, "s", "jo@acme.test");
        spec.class_ref = MFA.to_owned();
        refused(&Person::new().post(&app, &acme, &acme.sign(&spec)).await, "unsolicited");
    }
}
