//! What Microsoft Entra ID sends for users, with the compliance flag and without.
use super::super::filter::IndexKey;
use super::super::schema::user as user_type;
use super::super::{Filter, UserResource};
use super::*;

fn created() -> UserResource {
    post(json!({
        "schemas": [CORE, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": "Test_User_00aa", "active": true,
        "emails": [{"primary": true, "type": "work", "value": "Test_User_11bb@testuser.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": []
    }))
    .unwrap()
}

#[test]
fn create() {
    let user = created();
    let json = shown(&user);
    assert_eq!(json["userName"], "Test_User_00aa");
    assert_eq!(json["schemas"], json!([CORE]), "only schemas in use are listed");
    assert!(json.get("roles").is_none(), "an empty list is unassigned");
    assert_eq!(
        user.address(super::super::user::looks_like_email),
        Some("Test_User_11bb@testuser.com"),
        "userName is no address, the primary e-mail is"
    );
}

#[test]
fn nulls_a_misspelt_urn_and_string_booleans_are_taken() {
    let user = post(json!({
        "schemas": [CORE, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
        "userName": "x", "active": "True", "addresses": null, "phoneNumbers": null, "preferredLanguage": null,
        "title": null, "department": null, "manager": null
    }))
    .unwrap();
    assert_eq!(user.active(), Some(true));
    assert_eq!(user.resource().attributes().len(), 2);
}

#[test]
fn lookups() {
    let json = shown(&created());
    for (text, found) in [
        ("userName eq \"5b2fdead-0000-0000-0000-000000000000\"", false),
        ("userName eq \"test_user_00AA\"", true),
        ("externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\"", true),
        ("externalId eq \"0A21F0F2-8d2a-4f8e-bf98-7363c4aed4ef\"", false),
        ("emails[type eq \"work\"].value eq \"test_user_11bb@testuser.com\"", true),
        ("emails[type eq \"home\"].value eq \"test_user_11bb@testuser.com\"", false),
        ("id eq \"u1\" and manager eq \"00aa\"", false),
    ] {
        let filter = Filter::parse(user_type(), text).unwrap();
        assert_eq!(filter.matches(&json), found, "{text}");
    }
    let probe = Filter::parse(user_type(), "id eq \"u1\" and manager eq \"00aa\"").unwrap();
    assert_eq!(probe.index_keys(), [IndexKey::Id("u1")]);
    assert_eq!(probe.exact_key(), None);
    let (managed, _) =
        patch(&created(), json!([{"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "00aa"}]))
            .unwrap();
    assert!(probe.matches(&shown(&managed)));
    let mail = Filter::parse(user_type(), "emails[type eq \"work\"].value eq \"a@b.c\"").unwrap();
    assert_eq!(mail.index_keys(), [IndexKey::Email("a@b.c")]);
}

#[test]
fn updates_without_the_flag() {
    let operations = json!([
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "updatedEmail@microsoft.com"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Replace", "path": "userName", "value": "5b50@testuser.com"},
        {"op": "Add", "path": "nickName", "value": "Babs"},
        {"op": "Replace", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "Eqpj"},
    ]);
    let (user, changed) = patch(&created(), operations.clone()).unwrap();
    let json = shown(&user);
    assert_eq!(
        json["emails"],
        json!([{"value": "updatedEmail@microsoft.com", "type": "work", "primary": true}])
    );
    assert_eq!(json["name"]["familyName"], "updatedFamilyName");
    assert_eq!(json["name"]["givenName"], "givenName");
    assert_eq!(json["userName"], "5b50@testuser.com");
    assert_eq!(json["nickName"], "Babs");
    assert_eq!(json[ENTERPRISE]["employeeNumber"], "Eqpj");
    assert_eq!(json["schemas"], json!([CORE, ENTERPRISE]));
    assert_eq!(changed.len(), 5);
    assert!(patch(&user, operations).unwrap().1.is_empty(), "a second time changes nothing");
}

#[test]
fn updates_with_the_flag() {
    let operations = json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "TestMhvaes@test.microsoft.com"},
        {"op": "replace", "value": {"displayName": "Bjfe", "name.givenName": "Kkom", "name.familyName": "Unua",
            (format!("{ENTERPRISE}:employeeNumber")): "Aklq"}}
    ]);
    let (user, _) = patch(&created(), operations).unwrap();
    let json = shown(&user);
    assert_eq!(json["displayName"], "Bjfe");
    assert_eq!(
        json["name"],
        json!({"formatted": "givenName familyName", "familyName": "Unua", "givenName": "Kkom"})
    );
    assert_eq!(json[ENTERPRISE], json!({"employeeNumber": "Aklq"}));
}

#[test]
fn disable_and_enable_by_string() {
    for no in ["False", "false", "FALSE"] {
        let (user, _) = patch(&created(), json!([{"op": "Replace", "path": "active", "value": no}])).unwrap();
        assert_eq!(user.active(), Some(false));
        let (user, _) = patch(&user, json!([{"op": "Replace", "path": "active", "value": "True"}])).unwrap();
        assert_eq!(user.active(), Some(true));
    }
    let banana = json!([{"op": "Replace", "path": "active", "value": "banana"}]);
    assert_eq!(refusal(&created(), banana), "invalidValue");
    // Elsewhere a string is a string.
    let (user, _) =
        patch(&created(), json!([{"op": "Replace", "path": "displayName", "value": "True"}])).unwrap();
    assert_eq!(user.display_name(), Some("True"));
}

#[test]
fn a_manager_comes_in_every_shape() {
    let urn = format!("{ENTERPRISE}:manager");
    for (path, value) in [
        ("manager", json!([{"$ref": "http://x/scim/Users/00aa", "value": "00aa"}])),
        (urn.as_str(), json!("00aa")),
        (urn.as_str(), json!({"value": "00aa", "displayName": "Boss"})),
        (urn.as_str(), json!([{"value": "00aa"}])),
    ] {
        for op in ["Add", "Replace"] {
            let (user, changed) =
                patch(&created(), json!([{"op": op, "path": path, "value": value}])).unwrap();
            let manager = &shown(&user)[ENTERPRISE]["manager"];
            assert_eq!(manager["value"], "00aa", "{path} {value}");
            assert!(manager.get("displayName").is_none(), "read-only");
            assert_eq!(changed, [ENTERPRISE]);
            let operations = json!([{"op": "Replace", "path": format!("{urn}.value"), "value": "11bb"}]);
            let (next, _) = patch(&user, operations).unwrap();
            assert_eq!(shown(&next)[ENTERPRISE]["manager"], json!({"value": "11bb"}), "no stale reference");
            let (none, _) = patch(&user, json!([{"op": "Remove", "path": path}])).unwrap();
            assert_eq!(none, created());
        }
    }
}

#[test]
fn parts_of_an_address_build_one_address() {
    let operations = json!([
        {"op": "Add", "path": "addresses[type eq \"work\"].streetAddress", "value": "1 Main St"},
        {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Springfield"},
        {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "US"},
    ]);
    let (user, _) = patch(&created(), operations).unwrap();
    let one =
        json!([{"streetAddress": "1 Main St", "locality": "Springfield", "country": "US", "type": "work"}]);
    assert_eq!(shown(&user)["addresses"], one);
}

#[test]
fn a_value_that_is_not_there_is_made() {
    for op in ["Add", "Replace"] {
        let operations = json!([
            {"op": op, "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 (555) 0100"},
            {"op": op, "path": "roles[primary eq \"True\"].value", "value": "Admin"},
        ]);
        let (user, _) = patch(&created(), operations).unwrap();
        let json = shown(&user);
        assert_eq!(json["phoneNumbers"], json!([{"type": "mobile", "value": "+1 (555) 0100"}]));
        assert_eq!(json["roles"], json!([{"primary": true, "value": "Admin"}]));
    }
}
