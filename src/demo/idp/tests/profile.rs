//! The checks of the profile: each rightly signed, each wrong in one thing, each refused for that thing.

use time::Duration;

use super::*;
use crate::protocol::saml::Console;

/// Signs the changed response at every place and gives the refusals' codes, which must agree.
fn code(change: impl Fn(&mut ResponseSpec)) -> &'static str {
    let mut spec = spec();
    change(&mut spec);
    let codes: Vec<_> = PLACEMENTS
        .iter()
        .map(|placement| {
            let xml = Signing::at(*placement).respond(&spec, rsa()).unwrap();
            check(&xml).map_or_else(|refusal| refusal.code(), |_| "in")
        })
        .collect();
    assert!(codes.iter().all(|c| *c == codes[0]), "{codes:?}");
    codes[0]
}

#[expect(clippy::unnecessary_wraps, reason = "the fields are options")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn who_and_where() {
    assert_eq!(code(|_| ()), "in");
    assert_eq!(code(|s| s.assertion_issuer = some("https://other.example")), "wrong_issuer");
    assert_eq!(code(|s| s.response_issuer = some("https://other.example")), "wrong_issuer");
    assert_eq!(code(|s| s.destination = some("https://gate.example/saml/2/acs")), "wrong_destination");
    assert_eq!(code(|s| s.recipient = some("https://gate.example/saml/1/acs/more")), "wrong_recipient");
    assert_eq!(code(|s| s.recipient = some("https://gate.example/saml/1/ac")), "wrong_recipient");
    assert_eq!(code(|s| s.recipient = None), "wrong_recipient");
    assert_eq!(code(|s| s.audiences = vec![vec!["https://other.example".to_owned()]]), "wrong_audience");
    assert_eq!(code(|s| s.audiences.push(vec!["https://other.example".to_owned()])), "wrong_audience");
    assert_eq!(code(|s| s.audiences[0].push("https://other.example".to_owned())), "in");
    assert_eq!(code(|s| s.audiences.clear()), "missing_element");
    assert_eq!(code(|s| s.audiences = vec![vec![]]), "wrong_audience");
}

#[test]
fn a_signed_response_must_name_its_destination() {
    let mut spec = spec();
    spec.destination = None;
    let outcome = |placement| check(&Signing::at(placement).respond(&spec, rsa()).unwrap());
    assert_eq!(outcome(Placement::Response).unwrap_err().code(), "wrong_destination");
    assert_eq!(outcome(Placement::Both).unwrap_err().code(), "wrong_destination");
    assert!(outcome(Placement::Assertion).is_ok());
}

#[test]
fn only_the_answer_to_our_request() {
    assert_eq!(code(|s| s.response_in_response_to = some("_other")), "wrong_in_response_to");
    assert_eq!(code(|s| s.confirmation_in_response_to = some("_other")), "wrong_in_response_to");
    assert_eq!(code(|s| s.response_in_response_to = None), "unsolicited");
    assert_eq!(code(|s| s.confirmation_in_response_to = None), "unsolicited");
}

#[test]
fn times_with_the_allowed_difference_of_clocks() {
    let at = |seconds: i64| Some(NOW + Duration::seconds(seconds));
    assert_eq!(code(|s| s.not_on_or_after = at(-59)), "in");
    assert_eq!(code(|s| s.not_on_or_after = at(-60)), "expired");
    assert_eq!(code(|s| s.confirmation_not_on_or_after = at(-59)), "in");
    assert_eq!(code(|s| s.confirmation_not_on_or_after = at(-60)), "expired");
    assert_eq!(code(|s| s.confirmation_not_on_or_after = None), "missing_element");
    assert_eq!(code(|s| s.not_on_or_after = None), "in");
    assert_eq!(code(|s| s.not_before = at(60)), "in");
    assert_eq!(code(|s| s.not_before = at(61)), "not_yet_valid");
    assert_eq!(code(|s| s.confirmation_not_before = at(61)), "not_yet_valid");
    assert_eq!(code(|s| s.issue_instant = NOW + Duration::seconds(61)), "not_yet_valid");
    assert_eq!(code(|s| s.authn_instant = at(61)), "not_yet_valid");
    assert_eq!(code(|s| s.authn_instant = at(-86_400)), "in");
    assert_eq!(code(|s| s.session_not_on_or_after = at(-60)), "expired");
    assert_eq!(code(|s| s.session_not_on_or_after = None), "in");
}

#[test]
fn times_in_other_spellings() {
    let stated = |written: &str| {
        let xml = spec()
            .to_xml()
            .replace("AuthnInstant=\"2026-11-23T12:00:00Z\"", &format!("AuthnInstant=\"{written}\""));
        let xml = Signing::at(Placement::Assertion).sign(&xml, "_assertion1", rsa()).unwrap();
        check(&xml).map(|a| a.authn_instant())
    };
    assert_eq!(stated("2026-11-23T11:59:30.1234567Z").unwrap().millisecond(), 123);
    assert_eq!(stated("2026-11-23T12:59:30+01:00").unwrap(), NOW - Duration::seconds(30));
    assert_eq!(stated("2026-11-23T12:00:00").unwrap(), NOW);
    for bad in ["", "yesterday", "2026-11-23", "2026-13-23T12:00:00Z", "2026-11-23T25:00:00Z"] {
        assert_eq!(stated(bad).unwrap_err().code(), "bad_value", "{bad}");
    }
}

#[test]
fn parts_that_must_be_there() {
    assert_eq!(code(|s| s.status = None), "missing_element");
    assert_eq!(code(|s| s.conditions = false), "missing_element");
    assert_eq!(code(|s| s.authn_instant = None), "missing_element");
    assert_eq!(code(|s| s.assertion_issuer = some("")), "wrong_issuer");
    assert_eq!(code(|s| s.name_id = None), "missing_element");
    assert_eq!(code(|s| s.name_id = some("  ")), "missing_element");
    assert_eq!(code(|s| s.name_id = Some("x".repeat(1025))), "bad_value");
    assert_eq!(code(|s| s.version = "1.1".to_owned()), "wrong_version");
    assert_eq!(
        code(|s| s.confirmation_method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches".to_owned()),
        "missing_element"
    );
    assert_eq!(code(|s| s.more_conditions = "<saml:OneTimeUse/>".to_owned()), "in");
    assert_eq!(code(|s| s.more_conditions = "<saml:Condition/>".to_owned()), "unknown_condition");
}

#[test]
fn a_failure_is_told_in_the_idps_words() {
    let xml = format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_r\" Version=\"2.0\" InResponseTo=\"{REQUEST}\">\
         <samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\">\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>\
         <samlp:StatusMessage>not assigned</samlp:StatusMessage></samlp:Status></samlp:Response>"
    );
    let refusal = check(&xml).unwrap_err();
    assert_eq!(refusal.code(), "idp_status");
    assert_eq!(refusal.to_string(), "the IdP answered Responder / AuthnFailed: not assigned");
    let denied = "urn:oasis:names:tc:SAML:2.0:status:Requester";
    assert_eq!(code(|s| s.status = some(denied)), "idp_status");
}

#[test]
fn refusals_name_the_field_to_change() {
    let mut wrong = spec();
    wrong.audiences = vec![vec!["https://old.example".to_owned()]];
    let refusal = check(&Signing::default().respond(&wrong, rsa()).unwrap()).unwrap_err();
    assert_eq!(refusal.to_string(), format!("expected the audience {SP}, found https://old.example"));
    let step = refusal.next_step(Console::Okta);
    assert!(step.contains("Audience URI (SP Entity ID)") && step.contains(SP), "{step}");
}
