//! `attributes` and `excludedAttributes`.
use super::super::Projection;
use super::*;

fn full() -> Value {
    shown(&user(json!({
        "displayName": "Ada", "name": {"givenName": "Ada", "familyName": "L"},
        "emails": [{"value": "a@b.c", "type": "work"}, {"value": "d@e.f"}],
        (ENTERPRISE): {"department": "R", "manager": {"value": "m", "$ref": "x"}}
    })))
}

fn only(names: &str) -> Value {
    Projection::parse(schema::user(), Some(names), None).apply(schema::user(), full())
}

fn without(names: &str) -> Value {
    Projection::parse(schema::user(), None, Some(names)).apply(schema::user(), full())
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn only_what_was_asked_for_and_id_and_schemas() {
    assert_eq!(keys(&only("userName")), ["id", "schemas", "userName"]);
    assert_eq!(keys(&only("USERNAME, nope")), ["id", "schemas", "userName"]);
    assert_eq!(keys(&only("nope")), ["id", "schemas"]);
    assert_eq!(only(" "), full());
    assert_eq!(only("name.givenName")["name"], json!({"givenName": "Ada"}));
    assert_eq!(only("emails.type")["emails"], json!([{"type": "work"}]));
    assert_eq!(only("meta.version")["meta"], json!({"version": "W/\"1\""}));
    let urn = only(&format!("{ENTERPRISE}:manager.value,{CORE}:displayName"));
    assert_eq!(keys(&urn), ["displayName", "id", "schemas", ENTERPRISE]);
    assert_eq!(urn[ENTERPRISE], json!({"manager": {"value": "m"}}));
    assert_eq!(only(ENTERPRISE)[ENTERPRISE], full()[ENTERPRISE]);
}

#[test]
fn without_what_was_excluded_but_id_and_schemas() {
    assert!(without("emails").get("emails").is_none());
    let slim = without("id,schemas,userName,name.givenName");
    assert!(slim.get("id").is_some() && slim.get("schemas").is_some() && slim.get("userName").is_none());
    assert_eq!(slim["name"], json!({"familyName": "L"}));
    assert!(without("name.givenName,name.familyName").get("name").is_none());
    assert!(without(ENTERPRISE).get(ENTERPRISE).is_none());
    assert_eq!(without("emails.value")["emails"], json!([{"type": "work"}]));
}

#[test]
fn what_is_dear_is_known_not_to_be_needed() {
    let group = |only, without| Projection::parse(schema::group(), only, without);
    assert!(group(None, None).includes("members"));
    assert!(!group(None, Some("MEMBERS")).includes("members"));
    assert!(!group(Some("id"), None).includes("members"));
    assert!(group(Some("members.value"), None).includes("members"));
    assert!(group(None, Some("members.display")).includes("members"));
    assert!(group(Some("id"), None).is_asked_for() && !group(None, Some("members")).is_asked_for());
}

#[test]
fn the_tables_say_what_comes_only_when_asked_for_and_what_never() {
    let mut table = schema::user().clone();
    let returned = |attributes: &mut Vec<schema::Attribute>, name: &str, returned| {
        let attribute = attributes.iter_mut().find(|attribute| attribute.name == name).unwrap();
        attribute.returned = returned;
    };
    let attributes = &mut table.core.attributes;
    returned(attributes, "nickName", schema::Returned::Request);
    returned(attributes, "title", schema::Returned::Never);
    returned(attributes, "displayName", schema::Returned::Always);
    let emails = attributes.iter_mut().find(|attribute| attribute.name == "emails").unwrap();
    returned(&mut emails.sub_attributes, "display", schema::Returned::Request);
    returned(&mut emails.sub_attributes, "value", schema::Returned::Always);
    let whole = shown(&user(json!({ "nickName": "A", "title": "T", "displayName": "Ada",
        "emails": [{"value": "a@b.c", "type": "work", "display": "A"}] })));
    let ask = |only, without| Projection::parse(&table, only, without).apply(&table, whole.clone());
    let plain = ask(None, None);
    assert!(plain.get("nickName").is_none() && plain.get("title").is_none());
    assert_eq!(plain["emails"], json!([{"value": "a@b.c", "type": "work"}]));
    assert_eq!(keys(&ask(Some("nickName,title"), None)), ["displayName", "id", "nickName", "schemas"]);
    assert_eq!(
        keys(&ask(Some("userName"), Some("displayName,id"))),
        ["displayName", "id", "schemas", "userName"]
    );
    assert_eq!(ask(Some("emails.display"), None)["emails"], json!([{"value": "a@b.c", "display": "A"}]));
    assert_eq!(ask(None, Some("emails.value,emails.type"))["emails"], json!([{"value": "a@b.c"}]));
    assert!(ask(Some(CORE), None).get("nickName").is_none(), "a schema is not its attributes' name");
}
