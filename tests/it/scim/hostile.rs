//! Odd values in every place, by the hundreds: never a 5xx, and whoever was not meant stays as they were.

use serde_json::{Value, json};

use super::{BULK, ENTERPRISE, GROUP, PATCH, SEARCH, Tenant, user};
use crate::support::app::{TestApp, on_both, text};
use crate::support::database::{Backend, Database};

const OWN: &str = "urn:acme:hr:2.0:User";

/// What no attribute expects, and what some do.
fn odd() -> Vec<Value> {
    let mut odd = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-1.5),
        json!(5e-324),
        json!(""),
        json!(" "),
        json!("a\u{0}b"),
        json!("x".repeat(70_000)),
        json!("\u{202e}🙂"),
        json!("True"),
        json!("2026-11-18T13:46:40Z"),
        json!("9999999-01-01T00:00:00Z"),
        json!("https://x.example/"),
        json!([]),
        json!([null]),
        json!([[[]]]),
        json!([1, "a", null, {}]),
        json!({}),
        json!({ "": null }),
        json!({ "value": null }),
        json!({ "value": [] }),
        json!([{ "value": null }]),
        json!([{ "value": "x", "VALUE": "y" }]),
        json!([{ "value": "x", "primary": true }, { "value": "y", "primary": true }]),
        json!([{ "value": { "value": {} }, "type": 1, "primary": "x", "$ref": [] }]),
    ];
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    odd.push(deep);
    odd
}

/// Schemas of the organization's own with an attribute of each type, single and several.
fn own_schemas() -> Value {
    let kinds = ["string", "boolean", "integer", "decimal", "dateTime", "reference"];
    let attribute = |kind: &str, name: String, many: bool| {
        let types = if kind == "reference" { json!(["User"]) } else { json!([]) };
        json!({ "name": name, "type": kind, "multi_valued": many, "reference_types": types })
    };
    let mut attributes: Vec<Value> = kinds
        .iter()
        .flat_map(|kind| {
            [attribute(kind, format!("{kind}1"), false), attribute(kind, format!("{kind}2"), true)]
        })
        .collect();
    let parts = |kind: &&str| {
        let types = if **kind == *"reference" { json!(["User"]) } else { json!([]) };
        json!({ "name": kind, "type": kind, "reference_types": types })
    };
    let parts: Vec<Value> = kinds.iter().map(parts).collect();
    attributes.push(json!({ "name": "complex1", "type": "complex", "sub_attributes": parts }));
    attributes.push(
        json!({ "name": "complex2", "type": "complex", "multi_valued": true, "sub_attributes": parts }),
    );
    json!({ "schemas": [{ "urn": OWN, "name": "HR", "attributes": attributes }] })
}

/// Sends it and counts it; whatever is refused is refused in SCIM's dress.
async fn survives(acme: &Tenant<'_>, method: &str, path: &str, body: &Value) {
    let answer = acme.send(method, path, body).send().await;
    let what = body.to_string().chars().take(300).collect::<String>();
    assert!(answer.status < 500, "{method} {path} {what}: {} {}", answer.status, answer.body);
    if answer.status >= 400 {
        let error = answer.json();
        assert_eq!(error["status"], answer.status.to_string(), "{method} {path} {what}: {error}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.len() < 2_000), "{error}");
    } else if path == "/Bulk" {
        for one in answer.json()["Operations"].as_array().expect("operations") {
            assert!(!text(one, "status").starts_with('5'), "{what}: {one}");
        }
    }
}

/// The app with limits that nobody meets here.
async fn app(backend: Backend) -> TestApp {
    TestApp::builder()
        .database(Database::migrated(backend).await)
        .config("[scim]\nrate_per_second = 100000\nburst = 100000")
        .start()
        .await
}

async fn odd_values_in_every_place(backend: Backend) {
    let app = app(backend).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let other = Tenant::new(&app, "Other", "other.com").await;
    let path = format!("/api/v1/organizations/{}/scim/schemas", acme.org);
    app.put(&path).operator().json(&own_schemas()).send().await.expect(200);
    let (bystander, stranger) = (acme.user("by@acme.com").await, other.user("str@other.com").await);
    let victim = acme.user("victim@acme.com").await;
    let (group, elsewhere) =
        (acme.group("Staff", &[&bystander]).await, other.group("Theirs", &[&stranger]).await);
    let still = acme.group("Still", &[&bystander]).await;
    let seen = async || {
        let mut all = Vec::new();
        for (tenant, path) in [
            (&acme, format!("/Users/{bystander}?excludedAttributes=groups")),
            (&acme, format!("/Groups/{still}")),
            (&other, format!("/Users/{stranger}")),
            (&other, format!("/Groups/{elsewhere}")),
        ] {
            all.push(tenant.get(&path).send().await.expect(200).body);
        }
        all
    };
    let before = seen().await;

    let users = [
        "schemas",
        "id",
        "externalId",
        "meta",
        "userName",
        "name",
        "displayName",
        "active",
        "password",
        "emails",
        "photos",
        "addresses",
        "groups",
        "roles",
        "x509Certificates",
        ENTERPRISE,
        OWN,
        "manager",
        "urn:x:y",
        "",
    ];
    let mut number = 0;
    for value in odd() {
        for name in users {
            number += 1;
            let mut body = user(&format!("n{number}@acme.com"));
            body[name] = value.clone();
            survives(&acme, "POST", "/Users", &body).await;
            let op = ["add", "replace", "remove"][number % 3];
            let mut operation = json!({ "op": op, "path": name, "value": value });
            if number % 2 == 0 {
                operation = json!({ "op": op, "value": { name: value } });
            }
            let body = json!({ "schemas": [PATCH], "Operations": [operation] });
            survives(&acme, "PATCH", &format!("/Users/{victim}"), &body).await;
        }
        for name in [
            "string1",
            "boolean2",
            "integer1",
            "integer2",
            "decimal1",
            "dateTime1",
            "dateTime2",
            "reference1",
            "complex1",
            "complex2",
        ] {
            let path = format!("{OWN}:{name}");
            let many = [
                json!([value]),
                json!({ "integer": value }),
                json!([{ "decimal": value, "dateTime": value }]),
            ];
            for value in [&value, &many[number % 3]] {
                number += 1;
                let op = ["add", "replace", "remove"][number % 3];
                let body =
                    json!({ "schemas": [PATCH], "Operations": [{ "op": op, "path": path, "value": value }] });
                survives(&acme, "PATCH", &format!("/Users/{victim}"), &body).await;
            }
        }
        for name in ["schemas", "id", "displayName", "members", "externalId", ""] {
            number += 1;
            let mut body = json!({ "schemas": [GROUP], "displayName": format!("g{number}") });
            body[name] = value.clone();
            survives(&acme, "POST", "/Groups", &body).await;
            survives(&acme, "PUT", &format!("/Groups/{group}"), &body).await;
            let op = ["add", "replace", "remove"][number % 3];
            let body =
                json!({ "schemas": [PATCH], "Operations": [{ "op": op, "path": name, "value": value }] });
            survives(&acme, "PATCH", &format!("/Groups/{group}"), &body).await;
        }
        for name in ["method", "path", "data", "bulkId", "version"] {
            number += 1;
            let mut operation = json!({ "method": "POST", "path": "/Users", "bulkId": "b", "data": user(&format!("b{number}@acme.com")) });
            operation[name] = value.clone();
            survives(&acme, "POST", "/Bulk", &json!({ "schemas": [BULK], "Operations": [operation] })).await;
        }
        for name in ["failOnErrors", "Operations", "schemas"] {
            let mut body = json!({ "schemas": [BULK], "Operations": [] });
            body[name] = value.clone();
            survives(&acme, "POST", "/Bulk", &body).await;
        }
        for name in [
            "filter",
            "startIndex",
            "count",
            "cursor",
            "sortBy",
            "sortOrder",
            "attributes",
            "excludedAttributes",
        ] {
            let body = json!({ "schemas": [SEARCH], name: value });
            number += 1;
            let path = ["/Users/.search", "/Groups/.search", "/.search", "/Roles/.search"][number % 4];
            survives(&acme, "POST", path, &body).await;
        }
    }
    assert_eq!(seen().await, before);
}

/// Own attributes of every type in every comparison, with values that were stored and values that could not be.
async fn odd_literals_in_every_filter(backend: Backend) {
    let app = app(backend).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let path = format!("/api/v1/organizations/{}/scim/schemas", acme.org);
    app.put(&path).operator().json(&own_schemas()).send().await.expect(200);
    let mut body = user("jo@acme.com");
    body[OWN] = json!({
        "string1": "a", "integer1": i64::MAX, "decimal1": 1e300, "decimal2": [0.1, -1e-300], "dateTime1": "0001-01-01T00:00:00Z",
        "dateTime2": ["9999-12-31T23:59:59.999999999Z"], "boolean1": true, "complex2": [{ "integer": i64::MIN, "string": "%_\\" }],
    });
    acme.post(&body).send().await.expect(201);
    let literals = [
        "\"x\"",
        "true",
        "null",
        "0",
        "-1",
        "1.5",
        "1e308",
        "-1e308",
        "1e400",
        "5e-324",
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"2026-01-01T00:00:00Z\"",
        "\"-9999-01-01T00:00:00Z\"",
    ];
    let names = [
        "string1",
        "boolean1",
        "integer1",
        "integer2",
        "decimal1",
        "decimal2",
        "dateTime1",
        "dateTime2",
        "reference1",
        "complex1",
        "complex1.integer",
        "complex2.decimal",
        "complex2.dateTime",
        "complex2",
    ];
    for name in names {
        for literal in literals {
            for operator in ["eq", "ne", "co", "ew", "gt", "le"] {
                let filter = format!("{OWN}:{name} {operator} {literal} or userName eq \"jo@acme.com\"");
                let answer = acme.get("/Users").query(&[("filter", &filter)]).send().await;
                match answer.status {
                    200 => assert_eq!(answer.json()["totalResults"], 1, "{filter}"),
                    _ => drop(answer.scim_error(400, Some("invalidFilter"))),
                }
            }
        }
    }
    // As deep and as long as a filter may be.
    let pair = "emails[type eq \"a\" and not (value co \"b\")]";
    let deep = format!("{}{pair}{}", "not (".repeat(62), ")".repeat(62));
    let long = vec!["emails[value co \"z\"]"; 128].join(" or ");
    let wide = vec!["not (title pr)"; 256].join(" and ");
    for filter in [deep, long, wide] {
        acme.get("/Users").query(&[("filter", &filter)]).send().await.expect(200);
        let body = json!({ "schemas": [SEARCH], "filter": filter, "sortBy": "emails.value" });
        acme.send("POST", "/.search", &body).send().await.expect(200);
    }
}

mod values {
    use super::{Backend, odd_literals_in_every_filter, odd_values_in_every_place};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_bodies_on_sqlite() {
        odd_values_in_every_place(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_bodies_on_postgres() {
        odd_values_in_every_place(Backend::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_filters_on_sqlite() {
        odd_literals_in_every_filter(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_filters_on_postgres() {
        odd_literals_in_every_filter(Backend::Postgres).await;
    }
}

on_both! {
    /// A condition for each word of an endless list once took the stack down, and the whole process with it.
    async fn a_list_in_a_query_is_bounded(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.get("/Users/nobody").send().await.scim_error(404, None);
        let api = format!("/api/v1/organizations/{}", acme.org);
        let numbers = (100..400).map(|status: u16| status.to_string()).collect::<Vec<_>>().join(",");
        let words = (0..200).map(|number| "A".repeat(1 + number % 20)).collect::<Vec<_>>().join(",");
        for (query, status) in [
            (format!("scim/logs?status={}", "404,".repeat(15_000)), 200), (format!("scim/logs?status={numbers}"), 400),
            (format!("scim/logs?method={}", "get,GET,".repeat(7_000)), 200), (format!("scim/logs?method={words}"), 200),
            (format!("scim/logs?resource={}", "user,".repeat(12_000)), 200),
            (format!("invites?status={}", "pending,".repeat(7_500)), 200), (format!("events?kind={}", "member.added,".repeat(4_500)), 200),
        ] {
            let answer = app.get(&format!("{api}/{query}")).operator().send().await;
            assert_eq!(answer.status, status, "{}: {}", &query[..40], answer.body);
        }
        let found = acme.rest(&format!("scim/logs?status={}", "404,".repeat(15_000))).await;
        assert_eq!(found["data"].as_array().expect("rows").len(), 1);
    }

    /// Each of five million numbers would take sixteen times its two bytes in memory, and an object more.
    async fn a_body_of_too_many_values_is_refused_before_they_are_made(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let zeros = format!("[0{}]", ",0".repeat(5_000_000));
        let objects = format!("[{{\"a\":0}}{}]", ",{\"a\":0}".repeat(1_000_000));
        for body in [zeros.clone(), objects] {
            for (method, path) in [("POST", "/Users"), ("PUT", &format!("/Users/{id}")), ("PATCH", &format!("/Users/{id}")), ("POST", "/Groups"), ("POST", "/Bulk"), ("POST", "/.search")] {
                let call = app.call(method.parse().expect("a method"), &format!("/scim/v2{path}")).bearer(&acme.token);
                let refused = call.body("application/scim+json", body.clone()).send().await;
                refused.scim_error(400, Some("invalidSyntax"));
                assert_eq!(refused.json()["detail"], "The body has more than 250000 JSON values; send it in several requests.", "{method} {path}");
            }
        }
        let rest = app.post("/api/v1/organizations").operator().body("application/json", zeros[zeros.len() - 200_001..].replacen(',', "[", 1));
        let refused = rest.send().await.problem(400, "invalid_body");
        assert_eq!(refused["detail"], "The body has more than 50000 JSON values; send it in several requests.");

        // What may come is far within: here the first operation ends it, and the first member is nobody.
        let mut full = user("full@acme.com");
        let values: Vec<Value> = (0..40).map(|n| json!({ "value": format!("v{n}"), "type": format!("t{n}"), "display": "x", "primary": false })).collect();
        full["entitlements"] = json!(values);
        let mut operations = vec![json!({ "method": "POST", "path": "/Users", "bulkId": "no", "data": {} })];
        operations.extend((1..1_000).map(|n| json!({ "method": "POST", "path": "/Users", "bulkId": format!("b{n}"), "data": full })));
        let bulk = json!({ "schemas": [BULK], "failOnErrors": 1, "Operations": operations });
        let done = acme.send("POST", "/Bulk", &bulk).send().await.expect(200).json();
        assert_eq!(done["Operations"].as_array().map(Vec::len), Some(1), "{done}");
        // The token of the bulk request has used up what it may.
        let other = Tenant::new(&app, "Other", "other.com").await;
        let group = other.group("Staff", &[]).await;
        let members: Vec<Value> = (0..10_000).map(|n| json!({ "value": format!("m{n}"), "display": "M", "type": "User", "$ref": null })).collect();
        let refused = other.patch_group(&group, &json!([{ "op": "add", "path": "members", "value": members }])).send().await;
        refused.scim_error(400, Some("invalidValue"));
    }

    /// As many as a body holds: refused for the first one that is nobody, in the time of a look-up of a few.
    async fn a_hundred_thousand_strangers_are_refused(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        let group = acme.group("Staff", &[&jo]).await;
        let mut members: Vec<Value> =
            (0..120_000_u128).map(|n| json!({ "value": uuid::Uuid::from_u128(n << 64 | 0x7000_8000).to_string() })).collect();
        members.push(json!({ "value": jo }));
        let path = format!("/Groups/{group}");
        for op in ["add", "replace"] {
            let body = json!({ "schemas": [PATCH], "Operations": [{ "op": op, "path": "members", "value": members }] });
            acme.send("PATCH", &path, &body).send().await.scim_error(400, Some("invalidValue"));
        }
        let whole = json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
        acme.send("PUT", &path, &whole).send().await.scim_error(400, Some("invalidValue"));
        acme.send("POST", "/Groups", &whole).send().await.scim_error(400, Some("invalidValue"));
        assert_eq!(acme.members_of(&group).await, std::slice::from_ref(&jo));
        // To take out whoever is not in it is nothing.
        members.pop();
        let body = json!({ "schemas": [PATCH], "Operations": [{ "op": "remove", "path": "members", "value": members }] });
        acme.send("PATCH", &path, &body).send().await.expect(200);
        assert_eq!(acme.members_of(&group).await, [jo]);
    }

    /// PostgreSQL takes no NUL in a text, and nothing has one.
    async fn a_search_for_what_no_text_has_is_refused(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        acme.group("Staff", &[&jo]).await;
        let domain = format!("domains/{}/scim/logs", acme.domain);
        for list in ["members", "groups", "scim/logs", &domain] {
            let path = format!("/api/v1/organizations/{}/{list}", acme.org);
            for search in ["\0", "a\0b", "\u{7}", &"x".repeat(300)] {
                let refused = app.get(&path).operator().query(&[("search", search)]).send().await;
                assert_eq!(refused.problem(400, "invalid_request")["errors"][0]["field"], "search", "{list}");
            }
            for search in ["%", "\\", "\u{fffd}", "\u{1f600}", "'", "$1", "?"] {
                let found = app.get(&path).operator().query(&[("search", search)]).send().await.expect(200);
                let found = found.json()["data"].as_array().expect("rows").len();
                assert!(found == 0 || list.ends_with("logs") && search == "?", "{list} {search}");
            }
        }
    }
}
