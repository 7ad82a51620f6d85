//! POST and PUT bodies: what is taken, what is dropped, what is refused, and what is hostile.
use super::super::user::looks_like_email;
use super::super::{Projection, UserResource, parse_json};
use super::*;

#[test]
fn names_have_no_case_and_come_back_canonical() {
    let user = post(json!({
        "SCHEMAS": [CORE.to_uppercase()], "username": "A", "NAME": {"GIVENNAME": "Ada"}, "Emails": [{"VALUE": "a@b.c"}],
        (ENTERPRISE.to_lowercase()): {"Department": "R&D", "nope": 1}, "unknown": {"deep": [1]}, "id": 5
    }))
    .unwrap();
    assert_eq!(user.given_name(), Some("Ada"));
    let json = shown(&user);
    assert_eq!(json[ENTERPRISE], json!({"department": "R&D"}));
    assert_eq!(json["emails"][0]["value"], "a@b.c");
    assert_eq!(json["id"], "u1");
    assert!(json.get("unknown").is_none());
}

#[test]
fn a_wrong_type_names_its_attribute() {
    for (attribute, value) in [
        ("active", json!("banana")),
        ("active", json!(1)),
        ("displayName", json!(5)),
        ("displayName", json!({"a": 1})),
        ("name", json!("Ada")),
        ("name", json!([1])),
        ("emails", json!("a@b.c")),
        ("emails", json!({"value": "a@b.c"})),
        ("emails", json!(["a@b.c"])),
        ("emails", json!([{"value": 1}])),
        ("emails", json!([{"primary": "maybe"}])),
        ("emails", json!([{"value": "a", "primary": true}, {"value": "b", "primary": "True"}])),
        ("externalId", json!(true)),
        ("userName", json!("  ")),
        ("userName", json!(null)),
        ("userName", json!(7)),
        ("nickName", json!("a\0b")),
        ("title", json!("x".repeat(3_000))),
        ("x509Certificates", json!([{"value": "not base64!"}])),
        ("phoneNumbers", json!(vec![json!({"value": "1"}); 101])),
        (ENTERPRISE, json!("x")),
        (ENTERPRISE, json!({"manager": "bare"})),
    ] {
        let mut body = json!({"schemas": [CORE], "userName": "ada"});
        body[attribute] = value.clone();
        let error = post(body).unwrap_err();
        assert_eq!(
            (error.status, error.to_json()["scimType"].as_str()),
            (400, Some("invalidValue")),
            "{value}"
        );
        assert!(error.detail.contains(attribute), "{attribute} {value}: {error}");
    }
    assert!(post(json!({"schemas": [CORE]})).unwrap_err().detail.contains("userName"));
}

#[test]
fn the_envelope_is_checked() {
    for body in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"schemas": ["urn:scim:schemas:core:1.0"], "userName": "a"}),
        json!({"schemas": "x", "userName": "a"}),
        json!({"userName": "a", "USERNAME": "b"}),
        json!({"userName": "a", "name": {"givenName": "x", "givenname": "y"}}),
    ] {
        let error = post(body.clone()).unwrap_err();
        assert_eq!(error.to_json()["scimType"], "invalidSyntax", "{body}");
    }
    assert!(post(json!({"userName": "a"})).is_ok(), "missing schemas do no harm");
}

#[test]
fn the_profile_refuses_what_no_schema_defines() {
    let body = |key: &str, value: Value| {
        let mut body = json!({"schemas": [CORE, ENTERPRISE], "userName": "a"});
        body[key] = value;
        UserResource::parse(&body, Conformance::Profile)
    };
    assert!(body("displayName", json!("x")).is_ok());
    assert!(body("id", json!("x")).is_ok(), "read-only is still ignored");
    for (key, value) in [
        ("department", json!(null)),
        ("password", json!("x")),
        ("name", json!({"nope": 1})),
        (ENTERPRISE, json!({"nope": 1})),
        ("schemas", json!([CORE, "urn:other"])),
    ] {
        assert_eq!(body(key, value).unwrap_err().to_json()["scimType"], "invalidSyntax", "{key}");
    }
}

#[test]
fn null_and_empty_are_unassigned_everywhere() {
    let mut body = json!({"userName": "a", "externalId": "", "name": {}, "emails": [null, {}, {"value": null}],
        (ENTERPRISE): {"manager": {}, "department": null}});
    for attribute in &schema::user().core.attributes {
        if body.get(&attribute.name).is_none() {
            body[&attribute.name] = Value::Null;
        }
    }
    let user = post(body).unwrap();
    assert_eq!(user.clone().into_value(), json!({"userName": "a"}));
    assert_eq!(UserResource::from_value(json!({"userName": "a"})), user);
    assert_eq!(user.external_id(), None);
}

#[test]
fn values_come_back_as_sent() {
    let sent = json!({"userName": "ÀdA@Example.com", "displayName": " \u{202e}x🙂\u{7f} ", "nickName": "",
        "phoneNumbers": [{"value": "tel:+1-201-555-0123", "type": "WORK"}], "active": false});
    assert_eq!(post(sent.clone()).unwrap().into_value(), sent);
}

#[test]
fn exact_doubles_are_one_value() {
    let user = user(json!({"emails": [{"value": "a@b.c"}, {"VALUE": "a@b.c"}, {"value": "d@e.f"}]}));
    assert_eq!(user.emails().count(), 2);
}

#[test]
fn the_address_follows_rule_7() {
    let address = |body: Value| post(body).unwrap().address(looks_like_email).map(ToOwned::to_owned);
    let work = json!({"value": "w@x.example", "type": "WORK"});
    let home = json!({"value": "h@x.example", "type": "home"});
    let primary = json!({"value": "p@x.example", "type": "home", "primary": true});
    assert_eq!(address(json!({"userName": "u@x.example", "emails": [primary]})).unwrap(), "u@x.example");
    assert_eq!(address(json!({"userName": "u", "emails": [work, primary]})).unwrap(), "p@x.example");
    assert_eq!(address(json!({"userName": "u", "emails": [home, work]})).unwrap(), "w@x.example");
    assert_eq!(address(json!({"userName": "u", "emails": [home]})), None, "other addresses never link");
    assert_eq!(address(json!({"userName": "u"})), None);
    let odd = json!({"value": "no address", "primary": true});
    assert_eq!(address(json!({"userName": "u", "emails": [odd, work]})).unwrap(), "w@x.example");
}

#[test]
fn a_coarse_test_for_addresses() {
    assert!(["a@b.c", "a.b+c@x-y.example", "o'neil@x.example"].into_iter().all(looks_like_email));
    for text in [
        "",
        "a",
        "@b.c",
        "a@",
        "a@b",
        "a@b..c",
        "a@.b",
        "a b@c.d",
        "a@b@c.d",
        "ä@b.c",
        "\"a\"@b.c",
        "a@[1.2]",
    ] {
        assert!(!looks_like_email(text), "{text}");
    }
}

#[test]
fn a_name_to_show() {
    let name = |body: Value| user(body).shown_name();
    assert_eq!(name(json!({"displayName": "D", "name": {"formatted": "F"}})).unwrap(), "D");
    assert_eq!(name(json!({"displayName": " ", "name": {"formatted": "F"}})).unwrap(), "F");
    assert_eq!(name(json!({"name": {"familyName": "L", "givenName": "G"}})).unwrap(), "G L");
    assert_eq!(name(json!({})), None);
}

#[test]
fn bytes_that_are_no_json_are_refused_with_their_place() {
    let deep = format!("{{\"userName\":\"a\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        &b""[..],
        b"  \r\n",
        b"{",
        b"{\"userName\":\"\\ud800\"}",
        b"{\"userName\":\"\xff\"}",
        b"{\"x\":1e999}",
        b"{\"a\":\"raw\nline\"}",
        b"{} {}",
        b"{\"a\":NaN}",
        deep.as_bytes(),
    ] {
        let error = parse_json(body).unwrap_err();
        assert_eq!(error.to_json()["scimType"], "invalidSyntax");
        assert!(error.detail.len() < 200);
    }
    assert_eq!(parse_json(b"\xef\xbb\xbf{\"userName\":\"a\"}").unwrap()["userName"], "a");
}

#[test]
fn depth_within_json_s_own_limit_does_no_harm() {
    let nest = |depth: usize| format!("{}1{}", "{\"value\":[".repeat(depth), "]}".repeat(depth));
    for key in ["x", "emails", "name", "userName", "active", ENTERPRISE, "schemas"] {
        let text = format!("{{\"userName\":\"a\",\"{key}\":{}}}", nest(60));
        if let Ok(json) = parse_json(text.as_bytes()) {
            let _ = post(json);
        }
        let text = format!(
            "{{\"Operations\":[{{\"op\":\"add\",\"value\":{{\"{key}\":{0}}}}},{{\"op\":\"add\",\"path\":\"{key}\",\"value\":{0}}}]}}",
            nest(50)
        );
        let json = parse_json(text.as_bytes()).unwrap();
        let _ = PatchRequest::parse(schema::user(), &json, Conformance::Tolerant)
            .and_then(|request| user(json!({})).patched(&request));
    }
}

#[test]
fn huge_numbers_in_every_place_are_refused_or_ignored() {
    for number in ["1e308", "-0.0", "18446744073709551615", "123456789012345678901234567890"] {
        for key in ["active", "displayName", "emails", "name", "schemas", "id", "meta"] {
            let text = format!("{{\"userName\":\"a\",\"{key}\":{number}}}");
            let json = parse_json(text.as_bytes()).unwrap();
            assert_eq!(post(json).is_ok(), key == "id" || key == "meta", "{key}");
        }
    }
}

#[test]
fn projection_of_a_default_is_the_identity() {
    let json = shown(&user(json!({"displayName": "x"})));
    assert_eq!(Projection::default().apply(schema::user(), json.clone()), json);
}

#[test]
fn active_is_what_it_was_where_nothing_is_said() {
    let mut new = user(json!({}));
    new.default_active(None);
    assert_eq!(new.active(), Some(true));
    let mut put = user(json!({}));
    put.default_active(Some(&user(json!({"active": false}))));
    assert_eq!(put.active(), Some(false));
    let mut put = user(json!({"active": "True"}));
    put.default_active(Some(&user(json!({"active": false}))));
    assert_eq!(put.active(), Some(true));
}
