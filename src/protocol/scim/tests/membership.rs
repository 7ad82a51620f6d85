//! What PATCH and PUT do to members, told without loading them: every form, and the same as the engine in memory does.
use proptest::prelude::*;

use super::super::group::GroupDocument;
use super::super::membership::{Ids, Staying};
use super::super::schema::group as group_type;
use super::super::{GroupPatch, Projection, Resource, SentGroup};
use super::*;

fn ids(names: &[&str]) -> Ids {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn read(operations: &Value) -> Result<GroupPatch, ScimError> {
    GroupPatch::parse(&request(operations.clone()), Conformance::Tolerant)
}

fn refused(operations: Value) -> String {
    let error = read(&operations).unwrap_err();
    assert_eq!(error.status, 400, "{error}");
    error.to_json()["scimType"].as_str().unwrap().to_owned()
}

#[test]
fn every_form_is_a_list_of_who_comes_and_who_goes() {
    for (operations, after) in [
        (
            json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "c"}]}]),
            vec!["a", "b", "c"],
        ),
        (json!([{"op": "Add", "path": "members", "value": {"value": "b"}}]), vec!["a", "b"]),
        (json!([{"op": "add", "path": "members", "value": []}]), vec!["a", "b"]),
        (json!([{"op": "add", "path": "members", "value": null}]), vec!["a", "b"]),
        (
            json!([{"op": "add", "path": format!("{}:MEMBERS", schema::GROUP_URN), "value": [{"VALUE": "c", "type": "user"}]}]),
            vec!["a", "b", "c"],
        ),
        (
            json!([{"op": "add", "value": {"members": [{"value": "c"}], "id": "x", "displayName": "New"}}]),
            vec!["a", "b", "c"],
        ),
        (json!([{"op": "replace", "value": {"members": [{"value": "c"}]}}]), vec!["c"]),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": "x", "display": "X"}, {"value": "x"}]}]),
            vec!["x"],
        ),
        (json!([{"op": "replace", "path": "members", "value": {"value": "x"}}]), vec!["x"]),
        (json!([{"op": "replace", "path": "members", "value": null}]), vec![]),
        (json!([{"op": "replace", "path": "members", "value": []}]), vec![]),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
        (json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}]}]), vec!["b"]),
        (json!([{"op": "Remove", "path": "members", "value": {"value": "a", "type": "User"}}]), vec!["b"]),
        (json!([{"op": "Remove", "path": "members", "value": ["a", "z"]}]), vec!["b"]),
        (
            json!([{"op": "Remove", "path": "members", "value": [{"value": "a", "type": "Group"}]}]),
            vec!["a", "b"],
        ),
        (json!([{"op": "Remove", "path": "members", "value": []}]), vec!["a", "b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{}]}]), vec!["a", "b"]),
        (json!([{"op": "Remove", "path": "members", "value": [{"value": "A"}]}]), vec!["a", "b"]),
        (json!([{"op": "remove", "path": "members[value eq \"a\"]"}]), vec!["b"]),
        (json!([{"op": "remove", "path": "members[VALUE EQ \"a\" or value eq \"b\"]"}]), vec![]),
        (json!([{"op": "remove", "path": "members[not (value eq \"a\") and type eq \"User\"]"}]), vec!["a"]),
        (json!([{"op": "remove", "path": "members[value ne \"a\"]"}]), vec!["a"]),
        (json!([{"op": "remove", "path": "members[value eq \"z\"]"}]), vec!["a", "b"]),
        (json!([{"op": "remove", "path": "members[type eq \"Group\"]"}]), vec!["a", "b"]),
        (json!([{"op": "remove", "path": "members[value pr]"}]), vec![]),
        (json!([{"op": "replace", "path": "members[value eq \"a\"]", "value": null}]), vec!["b"]),
        (
            json!([{"op": "add", "path": "members[value eq \"c\"]", "value": {"display": "C"}}]),
            vec!["a", "b", "c"],
        ),
        (json!([{"op": "add", "path": "members[value eq \"c\"].value", "value": "c"}]), vec!["a", "b", "c"]),
        // Okta: one goes, one comes; and in the other order.
        (
            json!([{"op": "remove", "path": "members[value eq \"a\"]"}, {"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "c"}]}]),
            vec!["a", "b", "c"],
        ),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "c"}]}, {"op": "remove", "path": "members[value eq \"c\"]"}]),
            vec!["a", "b"],
        ),
        (
            json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": [{"value": "b"}]}]),
            vec!["b"],
        ),
        (
            json!([{"op": "remove", "path": "members[value ne \"a\"]"}, {"op": "add", "path": "members", "value": [{"value": "c"}]}]),
            vec!["a", "c"],
        ),
        (json!([{"op": "replace", "value": {"id": "g", "displayName": "New"}}]), vec!["a", "b"]),
    ] {
        let patch = read(&operations).unwrap_or_else(|error| panic!("{operations}: {error}"));
        assert_eq!(patch.membership.apply(&ids(&["a", "b"])), ids(&after), "{operations}");
    }
}

#[test]
fn what_is_not_about_members_goes_the_usual_way() {
    let patch = read(&json!([
        {"op": "replace", "value": {"id": "g", "displayName": "New"}},
        {"op": "add", "path": "members", "value": [{"value": "c"}]},
        {"op": "Replace", "path": "externalId", "value": "x"},
    ]))
    .unwrap();
    assert_eq!(patch.rest.changes().len(), 2);
    assert_eq!((patch.membership.added(), patch.membership.staying()), (&ids(&["c"]), &Staying::default()));
    let group = SentGroup::parse(&json!({"displayName": "Old"}), Conformance::Tolerant).unwrap().group;
    let renamed = group.patched(&patch.rest).unwrap();
    assert_eq!((renamed.display_name(), renamed.external_id()), ("New", Some("x")));
    assert_eq!(renamed.changed_since(&group), ["displayName", "externalId"]);
}

#[test]
fn who_was_named_is_known_even_if_removed_again() {
    let patch = read(&json!([
        {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
        {"op": "remove", "path": "members"},
    ]));
    let membership = patch.unwrap().membership;
    assert_eq!((membership.added(), membership.named()), (&ids(&[]), &ids(&["nobody"])));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_keyword() {
    for (operation, keyword) in [
        (json!({"op": "add", "path": "members", "value": [{"value": "g", "type": "Group"}]}), "invalidValue"),
        (json!({"op": "add", "path": "members", "value": [{"$ref": "https://x/Users/1"}]}), "invalidValue"),
        (json!({"op": "add", "path": "members", "value": "a"}), "invalidValue"),
        (json!({"op": "add", "path": "members", "value": [7]}), "invalidValue"),
        (json!({"op": "add", "path": "members", "value": [{"value": 7}]}), "invalidValue"),
        (json!({"op": "add", "path": "members"}), "invalidValue"),
        (json!({"op": "replace", "path": "members", "value": [{}]}), "invalidValue"),
        (json!({"op": "replace", "path": "members", "value": [null]}), "invalidValue"),
        (json!({"op": "replace", "path": "members", "value": [{"display": "Jo"}]}), "invalidValue"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "remove", "path": "members[display co \"a\"]"}), "invalidFilter"),
        (json!({"op": "remove", "path": "members[value sw \"a\"]"}), "invalidFilter"),
        (json!({"op": "remove", "path": "members[nope eq \"a\"]"}), "invalidFilter"),
        (json!({"op": "add", "path": "members[value pr]", "value": {"value": "a"}}), "noTarget"),
        (json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}), "mutability"),
        (json!({"op": "replace", "path": "members[value eq \"a\"]", "value": {"value": "b"}}), "mutability"),
        (json!({"op": "replace", "path": "members.value", "value": "b"}), "mutability"),
        (json!({"op": "replace", "path": "members[value eq \"a\"].display", "value": "b"}), "mutability"),
        (json!({"op": "remove", "path": "members[value eq \"a\"].value"}), "mutability"),
        (json!({"op": "replace", "path": "membres", "value": []}), "invalidPath"),
    ] {
        assert_eq!(refused(json!([operation])), keyword, "{operation}");
    }
    let error = read(
        &json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": [{}, {"value": "g", "type": "Group"}]}]),
    );
    assert!(error.unwrap_err().detail.starts_with("Operation 2 of 2: members[0]"));
}

#[test]
fn a_body_says_who_is_in_or_nothing() {
    let parse = |body: Value| SentGroup::parse(&body, Conformance::Tolerant).map(|sent| sent.members);
    assert_eq!(parse(json!({"displayName": "G"})), Ok(None));
    for empty in [json!([]), Value::Null] {
        assert_eq!(parse(json!({"displayName": "G", "Members": empty})), Ok(Some(ids(&[]))));
    }
    let sent = json!({"displayName": "G", "members": [{"value": "b", "display": "B", "$ref": "/x"}, {"value": "a"}]});
    assert_eq!(parse(sent), Ok(Some(ids(&["a", "b"]))));
    assert!(parse(json!({"displayName": "G", "members": [{"value": "a", "type": "Group"}]})).is_err());
    for nobody in [
        json!([{}]),
        json!([null]),
        json!([{"display": "Jo"}]),
        json!([{"value": null}]),
        json!({}),
        json!("a"),
    ] {
        assert!(parse(json!({"displayName": "G", "members": nobody})).is_err(), "{nobody}");
    }
    assert!(parse(json!({"members": []})).is_err(), "no name");
}

#[test]
fn a_group_shows_the_parts_of_its_members_that_are_asked_for() {
    let whole =
        json!({"schemas": [schema::GROUP_URN], "id": "g", "displayName": "G", "meta": {"version": "1"}});
    let id = uuid::Uuid::from_u128(7);
    let list = [id];
    let users = "https://gate.example/scim/v2/Users";
    let shown = |attributes, excluded, members| {
        let projection = Projection::parse(group_type(), attributes, excluded);
        serde_json::to_value(GroupDocument::new(whole.clone(), members, users, &projection)).unwrap()
    };
    let all = shown(None, None, Some(&list[..]));
    let member = json!({"value": id.to_string(), "$ref": format!("{users}/{id}"), "type": "User"});
    assert_eq!(all["members"], json!([member]));
    assert_eq!(all["displayName"], "G");
    let values = shown(Some("members.value"), None, Some(&list[..]));
    assert_eq!(
        values,
        json!({"schemas": [schema::GROUP_URN], "id": "g", "members": [{"value": id.to_string()}]})
    );
    assert_eq!(
        shown(None, Some("members.$ref"), Some(&list[..]))["members"][0].as_object().unwrap().len(),
        2
    );
    for without in [
        shown(None, Some("MEMBERS"), Some(&list[..])),
        shown(Some("displayName"), None, Some(&list[..])),
        shown(None, None, Some(&[])),
        shown(None, None, None),
    ] {
        assert_eq!(without.get("members"), None);
    }
}

fn some_ids() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-e]", 0..4)
}

/// Operations on members in all their forms.
fn operation() -> impl Strategy<Value = Value> {
    let items = |ids: Vec<String>| -> Value {
        ids.into_iter().map(|id| json!({"value": id, "type": "User"})).collect()
    };
    let term = prop_oneof![
        ("[a-e]", prop::sample::select(vec!["eq", "ne"])).prop_map(|(id, op)| format!("value {op} \"{id}\"")),
        prop::sample::select(vec![
            "type eq \"User\"",
            "type ne \"user\"",
            "value pr",
            "type eq null",
            "value ne null"
        ])
        .prop_map(ToOwned::to_owned),
    ];
    let filter = term.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" or "))),
            inner.prop_map(|term| format!("not ({term})")),
        ]
    });
    prop_oneof![
        (some_ids(), prop::sample::select(vec!["add", "replace", "Remove"]))
            .prop_map(move |(ids, op)| json!({"op": op, "path": "members", "value": items(ids)})),
        ("[a-e]", prop::sample::select(vec!["Add", "replace"]))
            .prop_map(|(id, op)| json!({"op": op, "value": {"members": {"value": id, "type": "User"}}})),
        Just(json!({"op": "remove", "path": "members"})),
        filter.prop_map(|filter| json!({"op": "remove", "path": format!("members[{filter}]")})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_does_what_the_engine_in_memory_does(
        before in some_ids(),
        operations in prop::collection::vec(operation(), 1..6),
    ) {
        let items: Value = before.iter().map(|id| json!({"value": id, "type": "User"})).collect();
        let body = json!({"displayName": "G", "members": items});
        let group = Resource::parse(group_type(), &body, Conformance::Tolerant).unwrap();
        let body = request(Value::from(operations));
        let whole = PatchRequest::parse(group_type(), &body, Conformance::Tolerant).unwrap();
        let patched = whole.apply(group_type(), &group).unwrap().resource;
        let expected: Ids = patched.attributes().get("members").and_then(Value::as_array).into_iter().flatten()
            .map(|member| member["value"].as_str().unwrap().to_owned()).collect();
        let fold = GroupPatch::parse(&body, Conformance::Tolerant).unwrap().membership;
        prop_assert_eq!(fold.apply(&before.into_iter().collect()), expected);
        prop_assert!(fold.added().is_subset(fold.named()));
        if let Staying::AllBut(gone) = fold.staying() {
            prop_assert!(gone.is_disjoint(fold.added()), "nobody comes and goes");
        }
    }

    #[test]
    fn a_replace_twice_is_one(before in some_ids(), operation in operation()) {
        if operation["op"] != "add" {
            let fold = read(&json!([operation])).unwrap().membership;
            let once = fold.apply(&before.into_iter().collect());
            prop_assert_eq!(fold.apply(&once), once);
        }
    }
}

/// What a thousand operations do to a hundred thousand members costs what each of them names, not what all before it did.
#[test]
fn long_lists_and_many_operations_are_read_together() {
    let all: Vec<Value> = (0..50_000).map(|n| json!({ "value": format!("m{n:05}") })).collect();
    let mut operations = vec![json!({ "op": "remove", "path": "members", "value": all })];
    operations.extend(
        (0..900).map(|n| json!({ "op": "add", "path": "members", "value": { "value": format!("m{n:05}") } })),
    );
    operations.push(json!({ "op": "add", "path": "members", "value": all }));
    operations
        .extend((0..90).map(|n| json!({ "op": "remove", "path": format!("members[value eq \"m{n:05}\"]") })));
    let membership = read(&Value::from(operations)).unwrap().membership;
    assert_eq!((membership.added().len(), membership.named().len()), (49_910, 50_000));
    let gone: Ids = (0..90).map(|n| format!("m{n:05}")).collect();
    assert_eq!(*membership.staying(), Staying::AllBut(gone));
}
