//! Discovery documents say what the tables do, and nothing else.
use super::super::discovery;
use super::super::schema::{group, user as user_type};
use super::*;

const BASE: &str = "https://gate.example/scim/v2";

fn no_nulls(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(no_nulls),
        Value::Object(object) => object.values().all(no_nulls),
        _ => true,
    }
}

#[test]
fn schemas_are_complete_and_advertise_only_what_is_kept() {
    let all = discovery::schemas(&[user_type()], BASE);
    assert_eq!(all.iter().map(|s| s["id"].as_str().unwrap()).collect::<Vec<_>>(), [CORE, ENTERPRISE]);
    assert!(all.iter().all(no_nulls));
    let names: Vec<_> =
        all[0]["attributes"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"userName") && names.contains(&"x509Certificates"));
    assert!(names.contains(&"groups") && !names.contains(&"password") && !names.contains(&"id"));
    for attribute in all.iter().flat_map(|s| s["attributes"].as_array().unwrap()) {
        for part in attribute.get("subAttributes").and_then(Value::as_array).into_iter().flatten() {
            if part["name"] == "type" {
                assert!(!part["canonicalValues"].as_array().unwrap().is_empty(), "{attribute}");
            }
        }
    }
    assert_eq!(all[0]["meta"]["location"], format!("{BASE}/Schemas/{CORE}"));
    assert_eq!(discovery::schema(&[user_type()], &CORE.to_uppercase(), BASE), Some(all[0].clone()));
    assert_eq!(discovery::schema(&[user_type()], "urn:x", BASE), None);
}

#[test]
fn resource_types_name_schemas_that_exist() {
    let both = [user_type(), group()];
    let schemas = discovery::schemas(&both, BASE);
    for resource_type in discovery::resource_types(&both, BASE) {
        assert_eq!(resource_type["id"], resource_type["name"]);
        let extensions = resource_type["schemaExtensions"].as_array().unwrap();
        for urn in extensions.iter().map(|e| &e["schema"]).chain([&resource_type["schema"]]) {
            assert!(schemas.iter().any(|s| &s["id"] == urn), "{urn}");
        }
    }
    let user = discovery::resource_type(&[user_type()], "User", BASE).unwrap();
    assert_eq!(user["endpoint"], "/Users");
    assert_eq!(user["schemaExtensions"], json!([{"schema": ENTERPRISE, "required": false}]));
    assert!(discovery::resource_type(&[user_type()], "Group", BASE).is_none());
}

#[test]
fn the_configuration_promises_what_works() {
    let config = discovery::service_provider_config(BASE);
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["filter"], json!({"supported": true, "maxResults": 200}));
    assert_eq!(config["bulk"]["supported"], true);
    assert_eq!(config["changePassword"]["supported"], false);
    assert_eq!(config["sort"]["supported"], true);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert!(no_nulls(&config));
}
