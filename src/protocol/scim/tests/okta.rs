//! What Okta sends for users, step by step.
use super::super::filter::IndexKey;
use super::super::schema::user as user_type;
use super::super::{Filter, ListQuery, Paging, UserResource};
use super::*;

fn created() -> UserResource {
    post(json!({
        "schemas": [CORE], "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq", "active": true
    }))
    .unwrap()
}

#[test]
fn connection_test_and_lookup() {
    let query = ListQuery::parse(
        user_type(),
        [("filter", "userName eq \"test.user@okta.local\""), ("startIndex", "1"), ("count", "100")],
    )
    .unwrap();
    assert_eq!((query.paging, query.count), (Paging::Index(1), 100));
    let filter = query.filter.unwrap();
    assert_eq!(filter.exact_key(), Some(IndexKey::UserName("test.user@okta.local")));
    // The suite asks again with the userName in capitals.
    let capitals = Filter::parse(user_type(), "userName eq \"TEST.USER@OKTA.LOCAL\"").unwrap();
    assert!(capitals.matches(&shown(&created())));
}

#[test]
fn create_answers_everything_but_the_password() {
    let user = created();
    let json = shown(&user);
    assert_eq!(json["id"], "u1");
    assert_eq!(json["userName"], "test.user@okta.local");
    assert_eq!(json["name"], json!({"familyName": "User", "givenName": "Test"}));
    assert_eq!(json["emails"][0]["value"], "test.user@okta.local");
    assert_eq!(json["active"], true);
    assert_eq!(json["locale"], "en-US");
    assert_eq!(json["schemas"], json!([CORE]));
    assert_eq!(json["meta"]["resourceType"], "User");
    assert!(json.get("password").is_none() && json.get("groups").is_none());
    assert_eq!(user.external_id(), Some("00ujl29u0le5T6Aj10h7"));
    assert_eq!(user.address(super::super::user::looks_like_email), Some("test.user@okta.local"));
}

#[test]
fn put_echoes_what_get_gave() {
    let before = created();
    let mut body = shown(&before);
    body["name"] = json!({"givenName": "Another", "middleName": "Excited", "familyName": "User"});
    body["emails"][0]["display"] = "test.user@okta.local".into();
    body["groups"] = json!([{"value": "g1", "display": "Everyone"}]);
    let after = post(body).unwrap();
    assert_eq!(after.given_name(), Some("Another"));
    assert_eq!(after.changed_since(&before), ["emails", "name"]);
    assert_eq!(shown(&after)["emails"][0]["display"], "test.user@okta.local");

    let same = post(shown(&after)).unwrap();
    assert!(same.changed_since(&after).is_empty());
}

#[test]
fn deactivate_and_reactivate_without_a_path() {
    let (inactive, changed) =
        patch(&created(), json!([{"op": "replace", "value": {"active": false}}])).unwrap();
    assert_eq!(inactive.active(), Some(false));
    assert_eq!(changed, ["active"]);
    assert_eq!(inactive.given_name(), Some("Test"), "the rest stays");
    let (active, _) = patch(&inactive, json!([{"op": "replace", "value": {"active": true}}])).unwrap();
    assert_eq!(active, created());
    let mut put = shown(&active);
    put["active"] = false.into();
    assert_eq!(post(put).unwrap().active(), Some(false));
}

#[test]
fn password_sync_is_taken_and_changes_nothing() {
    let (user, changed) =
        patch(&created(), json!([{"op": "replace", "value": {"password": "s3cret"}}])).unwrap();
    assert_eq!(user, created());
    assert!(changed.is_empty());
}

#[test]
fn an_id_in_a_value_without_path_is_ignored() {
    let operations = json!([{"op": "replace", "value": {"id": "u1", "displayName": "New", "schemas": [CORE],
        "meta": {"resourceType": "User"}}}]);
    let (user, changed) = patch(&created(), operations).unwrap();
    assert_eq!(user.display_name(), Some("New"));
    assert_eq!(changed, ["displayName"]);
}
