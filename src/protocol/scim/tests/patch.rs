//! PATCH: every form of the table, refusals, and that nothing is half done.
use super::super::UserResource;
use super::super::path::Path;
use super::super::schema::user as user_type;
use super::*;

fn ada() -> UserResource {
    user(json!({
        "displayName": "Ada", "name": {"givenName": "Ada", "familyName": "L", "middleName": "M"},
        "emails": [{"value": "w@x.example", "type": "work", "primary": true}, {"value": "h@x.example", "type": "home"}],
        (ENTERPRISE): {"department": "R", "costCenter": "1"}
    }))
}

fn get(operations: Value, pointer: &str) -> Value {
    let (user, _) = patch(&ada(), operations.clone()).unwrap_or_else(|e| panic!("{operations}: {e}"));
    shown(&user).pointer(pointer).cloned().unwrap_or(Value::Null)
}

#[test]
fn single_simple() {
    for op in ["add", "replace", "REPLACE", "Add"] {
        assert_eq!(get(json!([{"op": op, "path": "nickName", "value": "x"}]), "/nickName"), "x");
        assert_eq!(
            get(json!([{"op": op, "path": "DISPLAYNAME", "value": null}]), "/displayName"),
            Value::Null
        );
    }
    assert_eq!(get(json!([{"op": "remove", "path": "displayName"}]), "/displayName"), Value::Null);
    let urn = format!("{CORE}:displayName");
    assert_eq!(get(json!([{"op": "replace", "path": urn, "value": "x"}]), "/displayName"), "x");
}

#[test]
fn single_complex() {
    let value = json!({"givenName": "B", "middleName": null});
    let merged = json!({"givenName": "B", "familyName": "L"});
    assert_eq!(get(json!([{"op": "add", "path": "name", "value": value}]), "/name"), merged);
    assert_eq!(
        get(json!([{"op": "replace", "path": "name", "value": value}]), "/name"),
        json!({"givenName": "B"})
    );
    assert_eq!(get(json!([{"op": "replace", "value": {"name": value}}]), "/name"), merged);
    assert_eq!(get(json!([{"op": "add", "value": {"name": value}}]), "/name"), merged);
    assert_eq!(get(json!([{"op": "remove", "path": "name"}]), "/name"), Value::Null);
    assert_eq!(get(json!([{"op": "remove", "path": "name.givenName"}]), "/name/givenName"), Value::Null);
    assert_eq!(get(json!([{"op": "replace", "path": "name", "value": {}}]), "/name"), Value::Null);
    assert_eq!(
        get(json!([{"op": "replace", "path": "name.givenName", "value": "Z"}]), "/name/familyName"),
        "L"
    );
}

#[test]
fn multi_valued() {
    let two = shown(&ada())["emails"].clone();
    let same = json!({"value": "W@x.example", "type": "Work"});
    assert_eq!(get(json!([{"op": "add", "path": "emails", "value": [same]}]), "/emails"), two, "no doubles");
    assert_eq!(get(json!([{"op": "add", "path": "emails", "value": []}]), "/emails"), two);
    assert_eq!(get(json!([{"op": "add", "path": "emails", "value": null}]), "/emails"), two);
    let new = json!({"value": "n@x.example", "primary": true});
    let after = get(json!([{"op": "add", "path": "emails", "value": new}]), "/emails");
    assert_eq!(after[0]["primary"], false, "the new primary wins");
    assert_eq!(after[2], new);
    assert_eq!(get(json!([{"op": "replace", "path": "emails", "value": new}]), "/emails"), json!([new]));
    assert_eq!(get(json!([{"op": "replace", "value": {"emails": [new]}}]), "/emails"), json!([new]));
    assert_eq!(get(json!([{"op": "replace", "path": "emails", "value": []}]), "/emails"), Value::Null);
    assert_eq!(get(json!([{"op": "remove", "path": "emails"}]), "/emails"), Value::Null);
    let one = json!([{"op": "remove", "path": "emails", "value": [{"value": "H@X.example"}]}]);
    assert_eq!(get(one, "/emails"), json!([two[0]]));
    let nobody =
        json!([{"op": "remove", "path": "emails", "value": [{"value": "h@x.example", "type": "work"}]}]);
    assert_eq!(get(nobody, "/emails"), two);
    let primaries = json!([{"op": "replace", "path": "emails",
        "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}]);
    assert_eq!(refusal(&ada(), primaries), "invalidValue");
}

#[test]
fn filtered_values() {
    let home = "emails[type eq \"home\"]";
    let added = get(json!([{"op": "add", "path": home, "value": {"display": "Home"}}]), "/emails/1");
    assert_eq!(added, json!({"value": "h@x.example", "type": "home", "display": "Home"}));
    let replaced =
        get(json!([{"op": "replace", "path": home, "value": {"value": "new@x.example"}}]), "/emails/1");
    assert_eq!(replaced, json!({"type": "home", "value": "new@x.example"}));
    assert_eq!(get(json!([{"op": "remove", "path": home}]), "/emails/1"), Value::Null);
    let primary =
        get(json!([{"op": "add", "path": "emails[type eq \"home\"].primary", "value": true}]), "/emails");
    assert_eq!((&primary[0]["primary"], &primary[1]["primary"]), (&json!(false), &json!(true)));
    let set = json!([{"op": "replace", "path": "emails[value sw \"h@\"].display", "value": "x"}]);
    assert_eq!(get(set, "/emails/1/display"), "x");
    let emptied = json!([{"op": "remove", "path": "emails[type eq \"home\"].value"}]);
    assert_eq!(get(emptied, "/emails/1"), Value::Null, "an address without a value is none");
    assert_eq!(get(json!([{"op": "remove", "path": "emails[type eq \"fax\"]"}]), "/emails/1/type"), "home");
    let made = json!([{"op": "add", "path": "emails[type eq \"other\"]", "value": {"value": "o@x.example"}}]);
    assert_eq!(get(made, "/emails/2"), json!({"type": "other", "value": "o@x.example"}));
    for path in [
        "emails[type eq \"other\"]",
        "emails[type ne \"work\" and type ne \"home\"].value",
        "emails[value eq \"z\"].value",
    ] {
        let value = if path.ends_with(']') { json!({"value": "o"}) } else { json!("o") };
        assert_eq!(
            refusal(&ada(), json!([{"op": "replace", "path": path, "value": value}])),
            "noTarget",
            "{path}"
        );
    }
    let both = json!([{"op": "add", "path": "emails[value pr].primary", "value": true}]);
    assert_eq!(refusal(&ada(), both), "invalidValue");
}

#[test]
fn parts_of_all_values() {
    let none = user(json!({}));
    let (made, _) = patch(&none, json!([{"op": "add", "path": "emails.value", "value": "a@b.c"}])).unwrap();
    assert_eq!(shown(&made)["emails"], json!([{"value": "a@b.c"}]));
    assert_eq!(
        get(json!([{"op": "replace", "path": "emails.display", "value": "d"}]), "/emails/1/display"),
        "d"
    );
    assert_eq!(get(json!([{"op": "remove", "path": "emails.type"}]), "/emails/0/type"), Value::Null);
}

#[test]
fn extensions() {
    let at = format!("/{}", ENTERPRISE.replace('/', "~1"));
    for op in ["add", "replace"] {
        let by_urn = json!([{"op": op, "path": ENTERPRISE, "value": {"Department": "S", "nope": null, "schemas": [ENTERPRISE]}}]);
        assert_eq!(get(by_urn, &at), json!({"costCenter": "1", "department": "S"}));
        let pathless =
            json!([{"op": op, "value": {(ENTERPRISE): {"department": "S", "manager": {"value": "m"}}}}]);
        assert_eq!(
            get(pathless, &at),
            json!({"costCenter": "1", "department": "S", "manager": {"value": "m"}})
        );
        let unqualified = json!([{"op": op, "path": "department", "value": "S"}]);
        assert_eq!(get(unqualified, &at), json!({"costCenter": "1", "department": "S"}));
        let core = json!([{"op": op, "path": CORE, "value": {"displayName": "x"}}]);
        assert_eq!(get(core, "/displayName"), "x");
    }
    assert_eq!(get(json!([{"op": "remove", "path": ENTERPRISE.to_uppercase()}]), &at), Value::Null);
    assert_eq!(get(json!([{"op": "replace", "value": {(ENTERPRISE): null}}]), &at), Value::Null);
    let last = json!([{"op": "remove", "path": format!("{ENTERPRISE}:department")},
        {"op": "remove", "path": format!("{ENTERPRISE}:costCenter")}]);
    assert_eq!(get(last, "/schemas"), json!([CORE]), "an empty extension is gone");
}

#[test]
fn refusals() {
    for (operation, scim_type) in [
        (json!({"op": "replace", "path": "nope", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "name.nope", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "urn:x:y:z", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[", "value": 1}), "invalidFilter"),
        (json!({"op": "replace", "path": "emails[type eq \"work\"", "value": 1}), "invalidFilter"),
        (json!({"op": "replace", "path": "emails[type eq \"work\"].nope", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[type eq \"work\"] .value", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[nope eq \"work\"].value", "value": 1}), "invalidFilter"),
        (json!({"op": "replace", "path": "name[givenName eq \"x\"]", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "displayName x", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "\"displayName\"", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": 5, "value": 1}), "invalidPath"),
        (json!({"op": "replace", "value": {"nope": 1}}), "invalidPath"),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (json!({"op": "replace", "path": "meta.created", "value": "x"}), "mutability"),
        (json!({"op": "add", "path": "groups", "value": []}), "mutability"),
        (json!({"op": "add", "path": "schemas", "value": []}), "mutability"),
        (json!({"op": "add", "path": "manager.displayName", "value": "x"}), "mutability"),
        (json!({"op": "remove", "path": "userName"}), "mutability"),
        (json!({"op": "replace", "path": "userName", "value": null}), "mutability"),
        (json!({"op": "replace", "path": "userName", "value": " "}), "invalidValue"),
        (json!({"op": "replace", "path": "displayName", "value": 5}), "invalidValue"),
        (json!({"op": "replace", "path": "displayName", "value": ["x"]}), "invalidValue"),
        (json!({"op": "replace", "path": "displayName"}), "invalidValue"),
        (json!({"op": "add", "path": "emails", "value": "a@b.c"}), "invalidValue"),
        (json!({"op": "add", "value": "x"}), "invalidValue"),
        (json!({"op": "add"}), "invalidValue"),
        (json!({"op": "add", "path": "nickName", "value": "a\0"}), "invalidValue"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "remove", "path": ""}), "noTarget"),
        (json!({"op": "move", "path": "title", "value": "x"}), "invalidSyntax"),
        (json!({"path": "title", "value": "x"}), "invalidSyntax"),
        (json!({"op": 1, "path": "title", "value": "x"}), "invalidSyntax"),
        (json!({"op": "add", "OP": "remove", "path": "title", "value": "x"}), "invalidSyntax"),
        (json!("add"), "invalidSyntax"),
    ] {
        assert_eq!(refusal(&ada(), json!([operation])), scim_type, "{operation}");
    }
}

#[test]
fn the_envelope() {
    let parse = |body: Value| PatchRequest::parse(user_type(), &body, Conformance::Tolerant);
    let operations = json!([{"op": "add", "path": "title", "value": "x"}]);
    assert!(parse(json!({"operations": operations})).is_ok());
    assert!(parse(json!({"SCHEMAS": [], "Operations": operations})).is_ok());
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": []}),
        json!({"Operations": {}}),
        json!({"Operations": null}),
        json!({"schemas": [CORE], "Operations": operations}),
        json!({"schemas": "x", "Operations": operations}),
    ] {
        assert_eq!(parse(body).unwrap_err().to_json()["scimType"], "invalidSyntax");
    }
    let many = vec![operations[0].clone(); 1_001];
    assert_eq!(parse(json!({"Operations": many})).unwrap_err().status, 413);
    let keys: serde_json::Map<_, _> =
        (0..1_001).map(|i| (format!("emails[value eq \"{i}\"].value"), json!("x"))).collect();
    assert_eq!(parse(json!({"Operations": [{"op": "add", "value": keys}]})).unwrap_err().status, 413);
}

#[test]
fn the_profile_wants_paths_and_no_passwords() {
    let parse = |operation: Value| {
        PatchRequest::parse(user_type(), &request(json!([operation])), Conformance::Profile)
    };
    assert!(parse(json!({"op": "replace", "path": "name", "value": {"givenName": "x"}})).is_ok());
    for operation in [
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "replace", "path": "password", "value": "x"}),
        json!({"op": "replace", "path": "nope", "value": "x"}),
        json!({"op": "replace", "path": "name.nope", "value": "x"}),
        json!({"op": "replace", "path": "emails[type eq \"work\"].nope", "value": "x"}),
        json!({"op": "replace", "path": "urn:nope:userName", "value": "x"}),
        json!({"op": "remove", "path": "department"}),
    ] {
        assert_eq!(
            parse(operation.clone()).unwrap_err().to_json()["scimType"],
            "invalidSyntax",
            "{operation}"
        );
    }
    assert!(
        parse(json!({"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "x"})).is_ok()
    );
    let both = json!({"schemas": [super::super::patch::PATCH_URN, "urn:nope"], "Operations": [{"op": "add", "path": "title", "value": "x"}]});
    assert!(PatchRequest::parse(user_type(), &both, Conformance::Tolerant).is_ok());
    let refused = PatchRequest::parse(user_type(), &both, Conformance::Profile).unwrap_err();
    assert_eq!(refused.to_json()["scimType"], "invalidSyntax");
}

#[test]
fn a_refused_request_says_which_operation_and_changes_nothing() {
    let before = ada();
    let operations = json!([
        {"op": "replace", "path": "displayName", "value": "changed"},
        {"op": "replace", "path": "active", "value": "banana"},
    ]);
    let error = patch(&before, operations).unwrap_err();
    assert!(error.detail.starts_with("Operation 2 of 2: active"), "{error}");
    assert_eq!(before, ada());
}

#[test]
fn what_is_there_already_is_no_change() {
    for operation in [
        json!({"op": "replace", "path": "displayName", "value": "Ada"}),
        json!({"op": "add", "path": "emails", "value": [{"type": "home", "value": "h@x.example"}]}),
        json!({"op": "replace", "value": {"name": {"givenName": "Ada"}}}),
        json!({"op": "remove", "path": "title"}),
        json!({"op": "remove", "path": "ims[type eq \"aim\"].value"}),
        json!({"op": "add", "path": "emails[type eq \"work\"].primary", "value": "True"}),
        json!({"op": "add", "path": format!("{ENTERPRISE}:department"), "value": "R"}),
    ] {
        assert!(patch(&ada(), json!([operation])).unwrap().1.is_empty(), "{operation}");
    }
}

#[test]
fn paths_print_as_they_read() {
    for (text, printed) in [
        ("NAME.givenname", "name.givenName"),
        ("emails[TYPE eq \"work\"].VALUE", "emails[type eq \"work\"].value"),
        ("manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"),
    ] {
        let path = Path::parse(user_type(), text).unwrap();
        assert_eq!(path.to_string(), printed);
        assert_eq!(Path::parse(user_type(), printed).unwrap(), path);
    }
}
