//! Groups in memory: the forms in which members come and go.
use super::super::Resource;
use super::super::schema::group as group_type;
use super::*;

fn group(members: &[&str]) -> Resource {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id, "$ref": null})).collect();
    let body = json!({
        "schemas": [schema::GROUP_URN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName": "Engineering", "externalId": "8aa1", "members": members, "meta": {"resourceType": "Group"}
    });
    Resource::parse(group_type(), &body, Conformance::Tolerant).unwrap()
}

fn after(group: &Resource, operations: Value) -> Result<(String, Vec<String>), ScimError> {
    let request = PatchRequest::parse(group_type(), &request(operations), Conformance::Tolerant)?;
    let patched = request.apply(group_type(), group)?.resource;
    let ids = patched.attributes().get("members").and_then(Value::as_array).into_iter().flatten();
    let ids = ids.map(|m| m["value"].as_str().unwrap().to_owned()).collect();
    Ok((patched.text("displayName").unwrap().to_owned(), ids))
}

#[test]
fn members_in_both_dialects() {
    let ab = group(&["a", "b"]);
    for (operations, members) in [
        (
            json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "c"}]}]),
            vec!["a", "b", "c"],
        ),
        (json!([{"op": "Add", "path": "members", "value": {"value": "b"}}]), vec!["a", "b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}]}]), vec!["b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{"value": "a", "type": "User"}]}]), vec!["b"]),
        (json!([{"op": "Remove", "path": "members", "value": []}]), vec!["a", "b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{}]}]), vec!["a", "b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{"value": "A"}]}]), vec!["a", "b"]),
        (json!([{"op": "remove", "path": "members[value eq \"a\"]"}]), vec!["b"]),
        (json!([{"op": "remove", "path": "members[value eq \"z\"]"}]), vec!["a", "b"]),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
        (json!([{"op": "replace", "path": "members", "value": [{"value": "x", "display": "X"}]}]), vec!["x"]),
        (
            json!([{"op": "remove", "path": "members[value eq \"a\"]"},
                   {"op": "add", "path": "members", "value": [{"value": "c", "display": "c@okta.local"}]}]),
            vec!["b", "c"],
        ),
    ] {
        assert_eq!(after(&ab, operations.clone()).unwrap().1, members, "{operations}");
    }
}

#[test]
fn rename_as_okta_does() {
    let renamed =
        after(&group(&["a"]), json!([{"op": "replace", "value": {"id": "g", "displayName": "New"}}]));
    assert_eq!(renamed.unwrap(), ("New".to_owned(), vec!["a".to_owned()]));
}

#[test]
fn a_member_is_not_another_member() {
    let operations = json!([{"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}]);
    let error = after(&group(&["a"]), operations).unwrap_err();
    assert_eq!(error.to_json()["scimType"], "mutability");
    let error = after(&group(&["a"]), json!([{"op": "remove", "path": "displayName"}])).unwrap_err();
    assert_eq!(error.to_json()["scimType"], "mutability");
}
