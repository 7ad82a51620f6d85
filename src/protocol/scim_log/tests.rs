//! What is kept of a call, and what is told of it.

use super::story::{Call, tell};
use super::*;
use mask::{KEPT, body, headers, path};
use serde_json::json;

fn masked(value: &Value) -> Value {
    let masked = body(value.to_string().as_bytes(), true).expect("JSON");
    assert!(!masked.cut);
    serde_json::from_str(&masked.text).expect("JSON")
}

#[test]
fn passwords_tokens_and_photos_are_masked_wherever_they_stand() {
    let sent = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "jo@acme.com", "PASSWORD": "one",
        "photos": [{ "value": "https://acme.com/jo.png" }], "name": { "givenName": "Jo", "clientSecret": { "a": "two" } },
        "emails": [{ "value": "jo@acme.com", "type": "work", "primary": true }], "n": [1, -2, 1.5, null, true, "ä\"\\\u{1}"],
        "nickName": "pstn_scim_three", "title": "Bearer four", "note": "data:image/png;base64,five",
        "filter": "password eq \"six\"",
    });
    let kept = masked(&sent);
    let mut expected = sent;
    for pointer in ["/PASSWORD", "/photos", "/name/clientSecret", "/nickName", "/title", "/note", "/filter"] {
        *expected.pointer_mut(pointer).expect("there") = json!("***");
    }
    assert_eq!(kept, expected);
    // An escape blurs where quotes end.
    let escaped = json!({ "filter": "x eq \"\\\"\" and password eq \"hidden\"" });
    assert_eq!(masked(&escaped)["filter"], "***");
    assert_eq!(
        masked(&json!({ "filter": "displayName eq \"Password people\"" }))["filter"],
        "displayName eq \"Password people\""
    );
}

#[test]
fn the_value_of_a_patch_is_masked_by_its_path_before_or_behind_it() {
    for text in [
        r#"{"Operations":[{"op":"replace","path":"password","value":"hidden"}]}"#,
        r#"{"Operations":[{"value":"hidden","op":"Replace","Path":"urn:ietf:params:scim:schemas:core:2.0:User:password"}]}"#,
        r#"{"Operations":[{"value":[{"value":"hidden"}],"value":"hidden","path":"Photos[type eq \"photo\"]"}]}"#,
        r#"{"Operations":[{"op":"replace","value":{"password":"hidden","active":false}}]}"#,
        r#"{"Operations":[{"op":"replace","value":"hidden","path":["password"]}]}"#,
    ] {
        let kept = body(text.as_bytes(), true).expect("JSON").text;
        assert!(!kept.contains("hidden") && kept.contains("***"), "{kept}");
        // Nor where the text breaks off.
        for end in 0..text.len() {
            if let Some(kept) = body(&text.as_bytes()[..end], false) {
                assert!(!kept.text.contains("hidden") && kept.cut, "{kept:?}");
                serde_json::from_str::<Value>(&kept.text).expect("JSON");
            }
        }
    }
    let plain = json!({ "op": "replace", "path": "title", "value": "Chief" });
    assert_eq!(masked(&plain), plain);
}

#[test]
fn large_bodies_are_cut_and_stay_json() {
    let members: Vec<Value> = (0..5_000).map(|n| json!({ "value": format!("member-{n}") })).collect();
    let sent =
        json!({ "displayName": "Everybody", "note": "é".repeat(5_000), "members": members }).to_string();
    let kept = body(sent.as_bytes(), true).expect("JSON");
    assert!(kept.cut && kept.text.len() < KEPT + 2_048, "{}", kept.text.len());
    let kept: Value = serde_json::from_str(&kept.text).expect("JSON");
    assert_eq!(kept["displayName"], "Everybody");
    assert!(kept["note"].as_str().is_some_and(|note| note.ends_with("é…")));
    assert!(kept["members"].as_array().is_some_and(|members| members.len() > 300));
    // What is no JSON is not kept, not even its beginning.
    for bytes in
        [b"password=hidden".as_slice(), b"{\"a\":1}x", b"", b"<xml/>", b"{\"a\":\"\\ud800\"}", b"{\"a\":"]
    {
        assert_eq!(body(bytes, true), None, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn headers_and_paths_show_no_secrets() {
    let sent = [
        ("authorization", "Bearer pstn_scim_x"),
        ("user-agent", "Okta SCIM Client 1.0.0"),
        ("x-api-key", "y"),
        ("cookie", "z"),
        ("accept", "Bearer pasted"),
        ("if-match", "W/\"1\""),
    ];
    let kept = headers(sent.iter().map(|(name, value)| (*name, value.as_bytes())));
    assert_eq!(
        kept,
        "authorization: ***\nuser-agent: Okta SCIM Client 1.0.0\nx-api-key: ***\ncookie: ***\naccept: ***\nif-match: W/\"1\""
    );
    assert_eq!(headers([("user-agent", b"\xff".as_slice())].into_iter()), "user-agent: ***");
    for (sent, kept) in [
        (
            "/scim/v2/Users?filter=userName%20eq%20%22jo%40acme.com%22&count=1",
            "/scim/v2/Users?filter=userName%20eq%20%22jo%40acme.com%22&count=1",
        ),
        ("/scim/v2/Users?filter=password+eq+%22x%22", "/scim/v2/Users?filter=***"),
        ("/scim/v2/Users?access_token=x&a=b", "/scim/v2/Users?access_token=***&a=b"),
        ("/scim/v2/Users?%61ccess_%74oken=x", "/scim/v2/Users?%61ccess_%74oken=***"),
        ("/scim/v2/Users/pstn_scim_x?pstn_scim_x&", "/scim/v2/Users/***?***&"),
    ] {
        assert_eq!(path(sent), kept);
    }
}

#[test]
fn clients_are_known_by_their_agents() {
    for (agent, path, provider) in [
        ("Okta SCIM Client 1.0.0", "/Users", IdentityProvider::Okta),
        ("azure-ad-provisioning", "/Users", IdentityProvider::Entra),
        ("", "/Users?aadOptscim062020", IdentityProvider::Entra),
        ("JumpCloud-SCIM", "/Users", IdentityProvider::Jumpcloud),
        ("shipping-robot/1.0", "/Users", IdentityProvider::Unknown),
        ("curl/8", "/Users", IdentityProvider::Unknown),
    ] {
        assert_eq!(identity_provider(agent, path), provider, "{agent}");
    }
}

#[test]
fn the_domain_is_that_of_the_person() {
    let of = |body: Value| domain("/Users", Some(&body));
    assert_eq!(of(json!({ "username": "Jo@ACME.com" })).as_deref(), Some("acme.com"));
    let emails = json!([{ "value": "jo@home.org" }, { "value": "jo@acme.com", "primary": true }]);
    assert_eq!(of(json!({ "userName": "jo", "emails": emails })).as_deref(), Some("acme.com"));
    assert_eq!(of(json!({ "filter": "userName eq \"jo@acme.com\"" })).as_deref(), Some("acme.com"));
    assert_eq!(
        domain("/Users?filter=active+eq+true+and+userName+eq+%22jo@acme.com%22", None).as_deref(),
        Some("acme.com")
    );
    assert_eq!(of(json!({ "displayName": "Engineering" })), None);
}

const ID: &str = "/scim/v2/Groups/0197f6f0";
const USER: &str = "/scim/v2/Users/0197f6f0";

/// A call that went well.
fn told(method: &str, path: &str, name: Option<&str>, body: &Value) -> String {
    let request = (!body.is_null()).then_some(body);
    tell(&Call { method, path, status: Some(200), name, request, ..Call::default() })
}

#[test]
fn what_okta_and_entra_do_is_told_in_a_sentence() {
    let jo = Some("jo@acme.com");
    let group = Some("Engineering");
    let patch = |operations: Value| json!({ "Operations": operations });
    let two = json!([{ "value": "a" }, { "value": "b" }]);
    for (method, path, name, body, expected) in [
        (
            "POST",
            "/scim/v2/Users",
            None,
            json!({ "userName": "jo@acme.com", "active": true }),
            "Added jo@acme.com.",
        ),
        ("POST", "/scim/v2/Users", jo, json!({ "active": "False" }), "Added jo@acme.com, not active."),
        ("GET", USER, jo, Value::Null, "Read jo@acme.com."),
        ("DELETE", USER, jo, Value::Null, "Deleted jo@acme.com."),
        ("PUT", USER, jo, json!({ "userName": "jo@acme.com" }), "Replaced the profile of jo@acme.com."),
        (
            "PUT",
            USER,
            jo,
            json!({ "active": false }),
            "Replaced the profile of jo@acme.com and set it to not active.",
        ),
        // Okta, from the catalogue.
        (
            "PATCH",
            USER,
            jo,
            patch(json!([{ "op": "replace", "value": { "active": false } }])),
            "Deactivated jo@acme.com.",
        ),
        // Entra ID without its flag.
        (
            "PATCH",
            USER,
            jo,
            patch(json!([{ "op": "Replace", "path": "active", "value": "True" }])),
            "Activated jo@acme.com.",
        ),
        (
            "PATCH",
            USER,
            jo,
            patch(json!([
                { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "jo@acme.com" },
                { "op": "Replace", "path": "name.familyName", "value": "Doe" },
                { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "x" },
            ])),
            "Changed emails, name.familyName and manager of jo@acme.com.",
        ),
        (
            "PATCH",
            USER,
            jo,
            patch(
                json!([{ "op": "replace", "value": { "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "active": false } }]),
            ),
            "Deactivated jo@acme.com and changed a, b, c, d and 2 more of the same person.",
        ),
        (
            "POST",
            "/scim/v2/Groups",
            None,
            json!({ "displayName": "Engineering" }),
            "Created the group Engineering.",
        ),
        (
            "POST",
            "/scim/v2/Groups/",
            None,
            json!({ "displayName": "Engineering", "members": two }),
            "Created the group Engineering with 2 people.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "add", "path": "members", "value": two }])),
            "Added 2 people to Engineering.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": "a" }] }])),
            "Added 1 person to Engineering.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "remove", "path": "members[value eq \"a\"]" }])),
            "Removed 1 person from Engineering.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "Remove", "path": "members", "value": two }])),
            "Removed 2 people from Engineering.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "remove", "path": "members" }])),
            "Removed everybody from Engineering.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(
                json!([{ "op": "remove", "path": "members[value eq \"a\"]" }, { "op": "add", "path": "members", "value": two }]),
            ),
            "Added 2 people to Engineering and removed 1 person from it.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "replace", "path": "members", "value": two }])),
            "Set the members of Engineering to 2 people.",
        ),
        (
            "PATCH",
            ID,
            group,
            patch(json!([{ "op": "replace", "value": { "id": "x", "displayName": "Engineering" } }])),
            "Changed displayName of Engineering.",
        ),
        (
            "PUT",
            ID,
            group,
            json!({ "displayName": "Engineering", "members": [] }),
            "Replaced the group Engineering, with nobody in it.",
        ),
        ("DELETE", ID, group, Value::Null, "Deleted the group Engineering."),
        ("GET", "/scim/v2/Schemas", None, Value::Null, "Read what this server offers (Schemas)."),
        ("POST", "/scim/v2/Bulk", None, patch(json!([{}, {}])), "Did 2 operations in one call."),
        ("PATCH", USER, None, json!("nonsense"), "Changed nothing of the user 0197f6f0."),
    ] {
        assert_eq!(told(method, path, name, &body), expected);
    }
}

#[test]
fn look_ups_tell_what_they_found() {
    let list =
        |path, listed| tell(&Call { method: "GET", path, status: Some(200), listed, ..Call::default() });
    let look_up = "/scim/v2/Users?filter=userName+eq+%22jo%40acme.com%22";
    assert_eq!(
        list(look_up, Some((0, 0))),
        "Looked for people with userName eq \"jo@acme.com\": found none."
    );
    assert_eq!(list(look_up, Some((1, 1))), "Looked for people with userName eq \"jo@acme.com\": found 1.");
    assert_eq!(list("/scim/v2/Groups?count=100", Some((12_345, 100))), "Listed groups: 100 of 12345.");
    let body = json!({ "filter": "displayName sw \"E\"" });
    let search = Call {
        method: "POST",
        path: "/scim/v2/.search",
        status: Some(200),
        request: Some(&body),
        ..Call::default()
    };
    assert_eq!(tell(&search), "Looked for people and groups with displayName sw \"E\".");
}

#[test]
fn a_refusal_says_what_was_refused_and_why() {
    let body = json!({ "userName": "jo@acme.com" });
    let refused = |status, error| {
        let call = Call {
            method: "POST",
            path: "/scim/v2/Users",
            request: Some(&body),
            status,
            error,
            ..Call::default()
        };
        tell(&call)
    };
    assert_eq!(
        refused(Some(409), Some("userName is taken.")),
        "Refused to add jo@acme.com: userName is taken."
    );
    assert_eq!(refused(Some(404), Some("There is none")), "Could not add jo@acme.com: There is none.");
    assert_eq!(refused(Some(401), Some("the token has expired")), "Refused the call: the token has expired.");
    assert_eq!(refused(Some(429), None), "Turned away a call to add jo@acme.com: too many requests.");
    assert_eq!(refused(Some(503), Some("Not now.")), "Failed to add jo@acme.com: Not now.");
    assert_eq!(refused(Some(413), None), "Refused to add jo@acme.com (status 413).");
    assert_eq!(refused(None, None), "The client hung up before the answer to a call to add jo@acme.com.");
    let cut = json!({ "Operations": [{ "op": "add", "path": "members", "value": [1, 2, 3] }] });
    let call = Call {
        method: "PATCH",
        path: ID,
        status: Some(204),
        request: Some(&cut),
        cut: true,
        name: Some("All"),
        ..Call::default()
    };
    assert_eq!(tell(&call), "Added at least 3 people to All.");
}
