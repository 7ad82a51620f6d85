//! The SCIM Interoperability Profile (draft-zollner-scim-interop-profile-01), its requirements on a service provider one
//! by one; and that a directory refuses what the profile refuses only where it is set to.

use serde_json::{Map, Value, json};

use super::{PATCH, Tenant, USER, user};
use crate::support::app::{on_both, text};

/// A directory set to the profile.
async fn strict(tenant: Tenant<'_>) -> Tenant<'_> {
    let shown = tenant.set("scim", &json!({ "conformance": "profile" })).await.json();
    assert_eq!(shown["conformance"], "profile");
    tenant
}

async fn resources(tenant: &Tenant<'_>, path: &str) -> Vec<Value> {
    let list = tenant.get(path).send().await.expect(200).json();
    list["Resources"].as_array().expect("resources").clone()
}

/// A value for an attribute, from what `/Schemas` says of it.
fn sample(attribute: &Value) -> Value {
    let one = match text(attribute, "type") {
        "boolean" => json!(true),
        "complex" => {
            let subs = attribute["subAttributes"].as_array().expect("sub-attributes");
            let writable = subs.iter().filter(|sub| sub["mutability"] != "readOnly");
            writable.map(|sub| (text(sub, "name").to_owned(), sample(sub))).collect::<Map<_, _>>().into()
        }
        "binary" => json!("AAAA"),
        "reference" => json!("https://acme.com/x"),
        "string" => match attribute["canonicalValues"].as_array().and_then(|values| values.first()) {
            Some(value) => value.clone(),
            None => json!("some text"),
        },
        other => panic!("no sample of {other}"),
    };
    if attribute["multiValued"] == true { json!([one]) } else { one }
}

/// The names of what an answer carries, with sub-attributes.
fn names(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                found.push(path.clone());
                names(value, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, at, found)),
        _ => {}
    }
}

on_both! {
    async fn conformance_is_claimed_where_it_is_kept(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = strict(Tenant::new(&app, "Other", "other.com").await).await;
        let config = acme.get("/ServiceProviderConfig").send().await.expect(200).json();
        assert_eq!(config.get("interopProfileConformant"), None);
        let config = other.get("/ServiceProviderConfig").send().await.expect(200).json();
        assert_eq!(config["interopProfileConformant"], true);
        // The setting holds from the next request on, both ways.
        other.set("scim", &json!({ "conformance": "tolerant" })).await;
        let config = other.get("/ServiceProviderConfig").send().await.expect(200).json();
        assert_eq!(config.get("interopProfileConformant"), None);
        let changed = app.get(&format!("/api/v1/organizations/{}/events?kind=directory.updated", other.org));
        let changed = changed.operator().send().await.expect(200).json();
        assert_eq!(changed["data"][1]["data"]["changed"], json!({ "conformance": { "from": "profile", "to": "tolerant" } }));
    }

    async fn discovery_tells_exactly_what_is_kept(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let schemas = resources(&acme, "/Schemas").await;
        for kind in resources(&acme, "/ResourceTypes").await {
            assert_eq!(kind["id"], kind["name"]);
            let extensions = kind["schemaExtensions"].as_array().expect("extensions");
            for urn in extensions.iter().map(|one| &one["schema"]).chain([&kind["schema"]]) {
                assert!(schemas.iter().any(|schema| schema["id"] == *urn), "{urn} is not in /Schemas");
            }
        }
        // Whatever has a type says which there are.
        for attribute in schemas.iter().flat_map(|schema| schema["attributes"].as_array().expect("attributes")) {
            let subs = attribute["subAttributes"].as_array().into_iter().flatten();
            for sub in subs.filter(|sub| sub["name"] == "type" && attribute["multiValued"] == true) {
                let values = sub["canonicalValues"].as_array();
                assert!(values.is_some_and(|values| !values.is_empty()), "{attribute}");
            }
        }
        // What is declared is kept, and what is answered is declared.
        let of = |urn: &str| schemas.iter().find(|schema| schema["id"] == urn).expect("a schema").clone();
        let kind = acme.get("/ResourceTypes/User").send().await.expect(200).json();
        let extensions = kind["schemaExtensions"].as_array().expect("extensions").clone();
        let mut declared = vec!["schemas".to_owned(), "id".to_owned(), "externalId".to_owned(), "meta".to_owned()];
        declared.extend(["resourceType", "created", "lastModified", "location", "version"].map(|sub| format!("meta.{sub}")));
        let mut body = Map::new();
        let mut fill = |into: &mut Map<String, Value>, schema: &Value, at: &str| {
            for attribute in schema["attributes"].as_array().expect("attributes") {
                let path = format!("{at}{}", text(attribute, "name"));
                for sub in attribute["subAttributes"].as_array().into_iter().flatten() {
                    declared.push(format!("{path}.{}", text(sub, "name")));
                }
                declared.push(path);
                // Roles are the organization's own words, and have tests of their own.
                if attribute["mutability"] != "readOnly" && attribute["name"] != "roles" {
                    into.insert(text(attribute, "name").to_owned(), sample(attribute));
                }
            }
        };
        fill(&mut body, &of(USER), "");
        for urn in extensions.iter().map(|one| text(one, "schema")) {
            let mut part = Map::new();
            fill(&mut part, &of(urn), &format!("{urn}."));
            body.insert(urn.to_owned(), part.into());
        }
        declared.extend(extensions.iter().map(|one| text(one, "schema").to_owned()));
        let urns: Vec<Value> = [json!(USER)].into_iter().chain(extensions.iter().map(|one| one["schema"].clone())).collect();
        body.insert("schemas".into(), urns.into());
        body.insert("userName".into(), json!("all@acme.com"));
        body.insert("externalId".into(), json!("e"));
        let made = acme.post(&body.clone().into()).send().await.expect(201).json();
        for (name, sent) in &body {
            assert_eq!(made[name], *sent, "{name}");
        }
        let mut answered = Vec::new();
        names(&made, "", &mut answered);
        for name in answered {
            assert!(declared.contains(&name), "{name} is answered and not declared");
        }
    }

    async fn what_is_not_defined_is_refused_whole(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let id = acme.user("jo@acme.com").await;
        let before = acme.get(&format!("/Users/{id}")).send().await.expect(200).json();
        let refused: [(&str, Value); 7] = [
            ("nope", json!("x")),
            ("password", json!("s3cret")),
            ("department", Value::Null),
            ("manager", Value::Null),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0User", json!({})),
            ("name", json!({ "givenName": "Jo", "nope": "x" })),
            ("emails", json!([{ "value": "jo@acme.com", "nope": 1 }])),
        ];
        for (name, value) in &refused {
            let mut body = user("kim@acme.com");
            body[*name] = value.clone();
            acme.post(&body).send().await.scim_error(400, Some("invalidSyntax"));
            acme.put(&id, &body).send().await.scim_error(400, Some("invalidSyntax"));
        }
        let adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
        let mut body = user("kim@acme.com");
        for schemas in [json!([USER, adscim]), json!([]), json!([adscim])] {
            body["schemas"] = schemas;
            acme.post(&body).send().await.scim_error(400, Some("invalidSyntax"));
        }
        let good = json!({ "op": "replace", "path": "title", "value": "Boss" });
        for wrong in [
            json!({ "op": "replace", "value": { "active": false } }),
            json!({ "op": "add", "path": "", "value": { "nickName": "Jo" } }),
            json!({ "op": "remove" }),
            json!({ "op": "replace", "path": "nope", "value": "x" }),
            json!({ "op": "replace", "path": "name.nope", "value": "x" }),
            json!({ "op": "replace", "path": "urn:nope:title", "value": "x" }),
            json!({ "op": "replace", "path": "name", "value": { "nope": "x" } }),
            json!({ "op": "replace", "path": "password", "value": "x" }),
        ] {
            acme.patch(&id, &json!([good, wrong])).send().await.scim_error(400, Some("invalidSyntax"));
        }
        assert_eq!(acme.get(&format!("/Users/{id}")).send().await.expect(200).json(), before, "nothing is done");
        assert_eq!(acme.get("/Users").send().await.expect(200).json()["totalResults"], 1);

        // The same directory, tolerant again: what Okta and Entra send is taken.
        acme.set("scim", &json!({ "conformance": "tolerant" })).await;
        for (n, (name, value)) in refused.iter().enumerate() {
            let mut body = user(&format!("p{n}@acme.com"));
            body[*name] = value.clone();
            acme.post(&body).send().await.expect(201);
        }
        acme.active(&id, false).await;
        acme.patch(&id, &json!([{ "op": "replace", "path": "nope", "value": "x" }])).send().await.scim_error(400, Some("invalidPath"));
    }

    async fn case_is_the_same_for_filters_and_for_uniqueness(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let mut body = user("Jo.Ö@acme.com");
        body["emails"][0]["value"] = json!("jo@acme.com");
        body["externalId"] = json!("Ext");
        let id = acme.post(&body).send().await.expect(201).id();
        body["userName"] = json!("jo.ö@ACME.com");
        body["externalId"] = json!("ext");
        acme.post(&body).send().await.scim_error(409, Some("uniqueness"));
        let found = async |filter: &str| {
            acme.get("/Users").query(&[("filter", filter)]).send().await.expect(200).json()["totalResults"].clone()
        };
        assert_eq!(found("userName eq \"JO.ö@acme.COM\"").await, 1);
        assert_eq!((found("externalId eq \"Ext\"").await, found("externalId eq \"ext\"").await), (json!(1), json!(0)));
        let upper = id.to_uppercase();
        assert_ne!(upper, id);
        assert_eq!(found(&format!("id eq \"{id}\"")).await, 1);
        assert_eq!(found(&format!("id eq \"{upper}\"")).await, 0);
        acme.get(&format!("/Users/{upper}")).send().await.scim_error(404, None);
        acme.patch(&upper, &json!([{ "op": "add", "path": "title", "value": "x" }])).send().await.scim_error(404, None);

        let kim = acme.user("kim@acme.com").await;
        let taken = json!([{ "op": "replace", "path": "userName", "value": "JO.ö@acme.com" }]);
        acme.patch(&kim, &taken).send().await.scim_error(409, Some("uniqueness"));
    }

    async fn a_resource_is_at_its_id_alone_and_gone_when_deleted(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let id = acme.user("jo@acme.com").await;
        for path in ["/Users/jo@acme.com", "/users/jo", &format!("/Users/{id}/name"), &format!("/{id}")] {
            let answer = acme.get(path).send().await;
            answer.scim_error(404, None);
            assert_eq!(answer.header("content-type"), Some("application/scim+json"));
        }
        let answer = acme.get(&format!("/Users/{id}")).send().await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
        let head = answer.header("location").is_some() || answer.json()["meta"]["location"].is_string();
        assert!(head, "{answer:?}");
    }
}

on_both! {
    async fn filters_and_pages_are_as_conforming_clients_need_them(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        for n in 0..3 {
            let mut body = user(&format!("p{n}@acme.com"));
            body["externalId"] = json!(format!("e{n}"));
            acme.post(&body).send().await.expect(201);
        }
        let ask = |pairs: &[(&str, &str)]| acme.get("/Users").query(pairs).send();
        for filter in [
            "userName eq \"p1@acme.com\" and externalId eq \"e1\"", "emails[type eq \"work\" and value eq \"p1@acme.com\"]",
            "emails.value eq \"p1@acme.com\"", "externalId eq \"e1\" and active eq true", "username eq \"P1@acme.com\"",
        ] {
            let list = ask(&[("filter", filter)]).await.expect(200).json();
            assert_eq!((&list["totalResults"], &list["Resources"][0]["externalId"]), (&json!(1), &json!("e1")), "{filter}");
        }
        for filter in ["nope eq \"x\"", "userName eq \"x\" and nope eq \"y\"", "urn:nope:title eq \"x\"", "emails[nope eq \"x\"]"] {
            ask(&[("filter", filter)]).await.scim_error(400, Some("invalidFilter"));
        }
        // A filter in the URL of another method chooses nobody.
        let delete = app.delete("/scim/v2/Users").query(&[("filter", "userName pr")]).bearer(&acme.token);
        delete.send().await.scim_error(405, None);
        let body = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "active", "value": false }] });
        let patch = app.patch("/scim/v2/Users").query(&[("filter", "userName pr")]).bearer(&acme.token).scim(&body);
        patch.send().await.scim_error(405, None);
        for count in ["100", "1000", "1000000"] {
            let list = ask(&[("count", count)]).await.expect(200).json();
            assert_eq!((&list["totalResults"], &list["itemsPerPage"]), (&json!(3), &json!(3)));
        }
        let list = ask(&[("startIndex", "3"), ("count", "2")]).await.expect(200).json();
        assert_eq!((&list["startIndex"], &list["itemsPerPage"]), (&json!(3), &json!(1)));
    }

    async fn each_form_of_patch_does_what_the_profile_says(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let id = acme.user("jo@acme.com").await;
        let change = async |operations: Value| {
            let answer = acme.patch(&id, &operations).send().await;
            if answer.status == 204 {
                acme.get(&format!("/Users/{id}")).send().await.expect(200).json()
            } else {
                answer.expect(200).json()
            }
        };
        // Simple and single: add and replace are the same.
        for op in ["add", "replace"] {
            let after = change(json!([{ "op": op, "path": "title", "value": op }, { "op": op, "path": "nickName", "value": "J" }])).await;
            assert_eq!((&after["title"], &after["nickName"]), (&json!(op), &json!("J")));
        }
        // Complex and single: add merges, replace replaces it whole.
        let after = change(json!([{ "op": "add", "path": "name", "value": { "middleName": "M" } }])).await;
        assert_eq!(after["name"], json!({ "familyName": "Doe", "givenName": "Jo", "middleName": "M" }));
        let after = change(json!([{ "op": "replace", "path": "name.givenName", "value": "Joe" }])).await;
        assert_eq!(after["name"]["givenName"], "Joe");
        let after = change(json!([{ "op": "replace", "path": "name", "value": { "familyName": "Roe" } }])).await;
        assert_eq!(after["name"], json!({ "familyName": "Roe" }));
        // Many values: add appends, replace replaces all.
        let (one, two) = (json!({ "value": "+1", "type": "work" }), json!({ "value": "+2", "type": "home" }));
        let after = change(json!([{ "op": "add", "path": "phoneNumbers", "value": [one] }])).await;
        assert_eq!(after["phoneNumbers"], json!([one]));
        let after = change(json!([{ "op": "add", "path": "phoneNumbers", "value": [two] }])).await;
        assert_eq!(after["phoneNumbers"], json!([one, two]));
        let after = change(json!([{ "op": "replace", "path": "phoneNumbers[type eq \"home\"].value", "value": "+3" }])).await;
        assert_eq!(after["phoneNumbers"][1]["value"], "+3");
        let after = change(json!([{ "op": "replace", "path": "phoneNumbers", "value": [two] }])).await;
        assert_eq!(after["phoneNumbers"], json!([two]));
        let urn = format!("{}:department", super::ENTERPRISE);
        let after = change(json!([{ "op": "add", "path": urn, "value": "R" }])).await;
        assert_eq!(after[super::ENTERPRISE], json!({ "department": "R" }));
        // A path to its end, an array where one is needed.
        acme.patch(&id, &json!([{ "op": "replace", "path": "department", "value": "R" }])).send().await.scim_error(400, Some("invalidSyntax"));

        // The other way round, a tolerant directory merges where there is no path, and only there.
        acme.set("scim", &json!({ "conformance": "tolerant" })).await;
        let after = change(json!([{ "op": "replace", "value": { "name": { "givenName": "Jo" } } }])).await;
        assert_eq!(after["name"], json!({ "familyName": "Roe", "givenName": "Jo" }));
        let after = change(json!([{ "op": "replace", "path": "name", "value": { "givenName": "Jo" } }])).await;
        assert_eq!(after["name"], json!({ "givenName": "Jo" }));
    }

    async fn patch_deactivates_and_delete_deletes(app: TestApp) {
        let acme = strict(Tenant::new(&app, "Acme", "acme.com").await).await;
        let id = acme.user("jo@acme.com").await;
        let active = |active: bool| json!([{ "op": "replace", "path": "active", "value": active }]);
        acme.patch(&id, &active(false)).send().await.expect(200);
        assert_eq!(acme.get(&format!("/Users/{id}")).send().await.expect(200).json()["active"], false, "still there");
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "deactivated");
        acme.post(&user("jo@acme.com")).send().await.scim_error(409, Some("uniqueness"));
        acme.patch(&id, &active(true)).send().await.expect(200);
        acme.delete(&id).send().await.expect(204);
        acme.get(&format!("/Users/{id}")).send().await.scim_error(404, None);
        acme.put(&id, &user("jo@acme.com")).send().await.scim_error(404, None);
        acme.patch(&id, &active(true)).send().await.scim_error(404, None);
        acme.delete(&id).send().await.scim_error(404, None);
        assert_eq!(acme.get("/Users").send().await.expect(200).json()["totalResults"], 0);
        assert_ne!(acme.user("jo@acme.com").await, id, "the name is free");
    }

    async fn a_directory_may_refuse_static_tokens(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.get("/Users").send().await.expect(200);
        let path = format!("/api/v1/organizations/{}/scim", acme.org);
        let writer = app.api_key(&acme.org, &["scim:read", "scim:write"]).await;
        let only = json!({ "oauth_only": true });
        app.patch(&path).bearer(&writer).json(&only).send().await.problem(403, "scope_missing");
        // Being strict changes nobody's trust.
        app.patch(&path).bearer(&writer).json(&json!({ "conformance": "profile" })).send().await.expect(200);
        let client = json!({ "name": "IdP", "token_endpoint_auth_method": "client_secret_basic" });
        app.post(&format!("{path}/oauth-clients")).operator().json(&client).send().await.expect(201);
        assert_eq!(acme.set("scim", &only).await.json()["oauth_only"], true);
        acme.get("/Users").send().await.scim_error(401, None);
        app.post(&format!("{path}/tokens")).operator().send().await.problem(409, "oauth_only");
        acme.set("scim", &json!({ "oauth_only": false })).await;
        acme.get("/Users").send().await.expect(200);
    }
}
