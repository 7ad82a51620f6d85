//! Schemas that an organization adds to its users: they are like the built-in ones, in their own directory alone.

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};

use super::{BULK, PATCH, Tenant, USER, user};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::database::{Backend, Database};
use crate::support::postgres;

const HR: &str = "urn:acme:params:scim:schemas:hr:2.0:User";

/// One attribute of every type.
fn schema() -> Value {
    json!({
        "urn": HR,
        "name": "HR",
        "description": "What HR knows.",
        "attributes": [
            { "name": "badge", "type": "string", "case_exact": true },
            { "name": "site", "type": "string", "description": "Where the desk is." },
            { "name": "level", "type": "integer" },
            { "name": "rate", "type": "decimal" },
            { "name": "remote", "type": "boolean" },
            { "name": "joined", "type": "dateTime" },
            { "name": "page", "type": "reference", "reference_types": ["external"] },
            { "name": "skills", "type": "string", "multi_valued": true },
            { "name": "payroll", "type": "string", "mutability": "immutable" },
            { "name": "notes", "type": "string", "returned": "request" },
            { "name": "desks", "type": "complex", "multi_valued": true, "sub_attributes": [
                { "name": "value", "type": "string" },
                { "name": "floor", "type": "integer" },
                { "name": "type", "type": "string", "canonical_values": ["fixed", "shared"] },
                { "name": "primary", "type": "boolean" },
            ] },
            { "name": "contract", "type": "complex", "sub_attributes": [
                { "name": "kind", "type": "string" }, { "name": "until", "type": "dateTime" },
            ] },
        ],
    })
}

async fn put(tenant: &Tenant<'_>, schemas: &Value) -> Answer {
    let path = format!("/api/v1/organizations/{}/scim/schemas", tenant.org);
    tenant.app.put(&path).operator().json(&json!({ "schemas": schemas })).send().await
}

/// A user with what HR knows of it.
fn person(user_name: &str, hr: Value) -> Value {
    let mut body = user(user_name);
    body["schemas"] = json!([USER, HR]);
    body[HR] = hr;
    body
}

/// The userNames that a filter finds, sorted.
async fn found(tenant: &Tenant<'_>, filter: &str) -> Vec<String> {
    let list = tenant.get("/Users").query(&[("filter", filter)]).send().await.expect(200).json();
    let users = list["Resources"].as_array().expect("resources");
    let mut names: Vec<String> =
        users.iter().map(|user| text(user, "userName").trim_end_matches("@acme.com").to_owned()).collect();
    names.sort_unstable();
    names
}

async fn ids(tenant: &Tenant<'_>) -> Vec<String> {
    let list = tenant.get("/Users?attributes=id").send().await.expect(200).json();
    list["Resources"].as_array().expect("resources").iter().map(|user| text(user, "id").to_owned()).collect()
}

/// Returns when so many sessions wait for a lock.
async fn until_waiting(outside: &DatabaseConnection, number: i64) {
    let sql = "SELECT count(*) AS waiting FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let row = outside.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let waiting: i64 = row.expect("a look").expect("a row").try_get("", "waiting").expect("a number");
        if waiting >= number {
            return;
        }
    }
}

/// On PostgreSQL, where two transactions write at a time: a change that was read by schemas that are no more is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_its_way_is_read_by_the_schemas_in_force() {
    let database = Database::migrated(Backend::Postgres).await;
    let outside = postgres::connect(database.url().to_owned()).await;
    let watcher = postgres::connect(database.url().to_owned()).await;
    let app = TestApp::on(database).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    put(&acme, &json!([schema()])).await.expect(200);
    let (jo, kim) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
    let held = outside.begin().await.expect("a transaction");
    held.execute_unprepared("SELECT id FROM directory_users FOR UPDATE").await.expect("locked");
    let set = json!([{ "op": "add", "path": format!("{HR}:level"), "value": 7 }]);
    let whole = person("kim@acme.com", json!({ "level": 7, "site": "Bern" }));
    let change = async {
        until_waiting(&watcher, 2).await;
        let mut less = schema();
        less["attributes"].as_array_mut().expect("attributes").retain(|it| it["name"] != "level");
        put(&acme, &json!([less])).await.expect(200);
        held.rollback().await.expect("let go");
    };
    let (patched, replaced, ()) =
        tokio::join!(acme.patch(&jo, &set).send(), acme.put(&kim, &whole).send(), change);
    patched.scim_error(400, Some("invalidPath"));
    // What no schema has is ignored in a PUT.
    assert_eq!(replaced.expect(200).json()[HR], json!({ "site": "Bern" }));
    put(&acme, &json!([schema()])).await.expect(200);
    assert_eq!(found(&acme, &format!("{HR}:level pr")).await, Vec::<String>::new());
    for connection in [outside, watcher] {
        connection.close().await.expect("closed");
    }
}

/// A change of the schemas waits for whoever writes values of them, and finds those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_wait_for_values_that_are_being_written() {
    let database = Database::migrated(Backend::Postgres).await;
    let outside = postgres::connect(database.url().to_owned()).await;
    let watcher = postgres::connect(database.url().to_owned()).await;
    let app = TestApp::on(database).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    put(&acme, &json!([schema()])).await.expect(200);
    let held = outside.begin().await.expect("a transaction");
    // Late on the way of a new person, who is no member yet.
    held.execute_unprepared("LOCK TABLE members IN EXCLUSIVE MODE").await.expect("locked");
    let jo = person("jo@acme.com", json!({ "level": 7 }));
    let change = async {
        until_waiting(&watcher, 1).await;
        put(&acme, &json!([])).await
    };
    let let_go = async {
        until_waiting(&watcher, 2).await;
        held.rollback().await.expect("let go");
    };
    let (made, changed, ()) = tokio::join!(acme.post(&jo).send(), change, let_go);
    made.expect(201);
    changed.problem(409, "schema_in_use");
    for connection in [outside, watcher] {
        connection.close().await.expect("closed");
    }
}

on_both! {
    async fn a_schema_is_announced_in_its_own_directory(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        assert_eq!(acme.rest("scim/schemas").await, json!({ "schemas": [] }));
        // Known before, so that what was known is dropped at once.
        acme.get(&format!("/Schemas/{HR}")).send().await.scim_error(404, None);
        put(&acme, &json!([schema()])).await.expect(200);
        let told = acme.get(&format!("/Schemas/{}", HR.to_uppercase())).send().await.expect(200).json();
        assert_eq!((&told["id"], &told["name"], &told["description"]), (&json!(HR), &json!("HR"), &json!("What HR knows.")));
        let of = |name: &str| told["attributes"].as_array().expect("attributes").iter().find(|it| it["name"] == name).expect("it").clone();
        assert_eq!(of("site"), json!({ "name": "site", "type": "string", "multiValued": false, "description": "Where the desk is.",
            "required": false, "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "none" }));
        assert_eq!((&of("badge")["caseExact"], &of("payroll")["mutability"], &of("notes")["returned"]), (&json!(true), &json!("immutable"), &json!("request")));
        assert_eq!(of("page")["referenceTypes"], json!(["external"]));
        assert_eq!(of("desks")["subAttributes"][2]["canonicalValues"], json!(["fixed", "shared"]));
        let kind = acme.get("/ResourceTypes/User").send().await.expect(200).json();
        assert_eq!(kind["schemaExtensions"][1], json!({ "schema": HR, "required": false }));
        assert_eq!(acme.get("/Schemas").send().await.expect(200).json()["totalResults"], 4);

        other.get(&format!("/Schemas/{HR}")).send().await.scim_error(404, None);
        other.get("/Users").query(&[("filter", &format!("{HR}:level gt 1"))]).send().await.scim_error(400, Some("invalidFilter"));
        let made = other.post(&person("jo@other.com", json!({ "level": 3 }))).send().await.expect(201).json();
        assert_eq!(made.get(HR), None);
        let events = acme.rest("events?kind=scim_schemas.updated").await;
        assert_eq!(events["data"][0]["data"], json!({ "added": [HR], "removed": [], "changed": [] }));
    }

    async fn its_attributes_are_kept_patched_and_shown(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        put(&acme, &json!([schema()])).await.expect(200);
        let hr = json!({
            "badge": "A7", "site": "Bern", "level": 3, "rate": 12.5, "remote": true, "joined": "2026-01-31T08:00:00Z",
            "page": "https://acme.com/jo", "skills": ["Rust", "SQL"], "payroll": "P1", "notes": "quiet",
            "desks": [{ "value": "B.1", "floor": 1, "type": "fixed", "primary": true }, { "value": "B.2", "floor": 2, "type": "shared" }],
            "contract": { "kind": "fixed", "until": "2027-01-01T00:00:00Z" },
        });
        let made = acme.post(&person("jo@acme.com", hr.clone())).send().await.expect(201).json();
        let mut shown = hr.clone();
        shown.as_object_mut().expect("an object").remove("notes");
        assert_eq!(made[HR], shown, "notes come only where they are asked for");
        assert_eq!(made["schemas"], json!([USER, HR]));
        let id = text(&made, "id");
        let asked = acme.get(&format!("/Users/{id}?attributes={HR}:notes,{HR}:desks.floor")).send().await.expect(200).json();
        assert_eq!(asked[HR], json!({ "notes": "quiet", "desks": [{ "floor": 1 }, { "floor": 2 }] }));
        let without = acme.get(&format!("/Users/{id}?excludedAttributes={HR}")).send().await.expect(200).json();
        assert_eq!(without.get(HR), None);

        let desks = format!("{HR}:desks");
        acme.patch(id, &json!([
            { "op": "replace", "path": format!("{}:LEVEL", HR.to_uppercase()), "value": 4 },
            { "op": "add", "path": "skills", "value": ["Go", "Rust"] },
            { "op": "remove", "path": format!("{desks}[type eq \"shared\"]") },
            { "op": "replace", "path": format!("{desks}[floor gt 0].value"), "value": "B.9" },
            { "op": "remove", "path": format!("{HR}:contract.until") },
            { "op": "add", "value": { HR: { "site": "Basel" }, format!("{HR}:remote"): false } },
        ])).send().await.expect(200);
        let now = acme.get(&format!("/Users/{id}")).send().await.expect(200).json();
        let hr = &now[HR];
        assert_eq!((&hr["level"], &hr["site"], &hr["remote"]), (&json!(4), &json!("Basel"), &json!(false)));
        assert_eq!((&hr["skills"], &hr["contract"]), (&json!(["Rust", "SQL", "Go"]), &json!({ "kind": "fixed" })));
        assert_eq!(hr["desks"], json!([{ "value": "B.9", "floor": 1, "type": "fixed", "primary": true }]));
        // The whole of it at once, and back by PUT; a PUT without it takes it away.
        acme.put(id, &now).send().await.expect(200);
        let bulk = json!({ "Operations": [{ "method": "PATCH", "path": format!("/Users/{id}"), "data": { "schemas": [PATCH],
            "Operations": [{ "op": "replace", "path": format!("{HR}:badge"), "value": "B8" }] } }] });
        assert_eq!(acme.send("POST", "/Bulk", &bulk).send().await.expect(200).json()["Operations"][0]["status"], "200");
        assert_eq!(acme.get(&format!("/Users/{id}")).send().await.expect(200).json()[HR]["badge"], "B8");

        // Set once.
        for operation in [
            json!({ "op": "replace", "path": format!("{HR}:payroll"), "value": "P2" }),
            json!({ "op": "remove", "path": format!("{HR}:payroll") }),
            json!({ "op": "remove", "path": HR }),
        ] {
            acme.patch(id, &json!([operation])).send().await.scim_error(400, Some("mutability"));
        }
        acme.put(id, &user("jo@acme.com")).send().await.scim_error(400, Some("mutability"));
        acme.patch(id, &json!([{ "op": "add", "path": format!("{HR}:payroll"), "value": "P1" }])).send().await.expect(200);
        let kim = acme.user("kim@acme.com").await;
        acme.put(&kim, &person("kim@acme.com", json!({ "level": 1 }))).send().await.expect(200);
        acme.put(&kim, &user("kim@acme.com")).send().await.expect(200);
        let shown = acme.get(&format!("/Users/{kim}")).send().await.expect(200).json();
        assert_eq!((shown.get(HR), &shown["schemas"]), (None, &json!([USER])));
    }

    async fn values_of_another_type_are_refused(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        put(&acme, &json!([schema()])).await.expect(200);
        let id = acme.user("jo@acme.com").await;
        for (name, value) in [
            ("badge", json!(7)), ("level", json!("7")), ("level", json!(1.5)), ("level", json!(1e300)), ("rate", json!("1")),
            ("remote", json!("perhaps")), ("joined", json!("yesterday")), ("page", json!(1)), ("skills", json!("Rust")),
            ("skills", json!([1])), ("desks", json!([{ "floor": "1" }])), ("contract", json!("fixed")), ("site", json!("a\u{0}b")),
            ("site", json!("x".repeat(3_000))),
        ] {
            acme.post(&person("kim@acme.com", json!({ name: value }))).send().await.scim_error(400, Some("invalidValue"));
        }
        acme.post(&person("kim@acme.com", json!("x"))).send().await.scim_error(400, Some("invalidValue"));
        acme.patch(&id, &json!([{ "op": "add", "path": format!("{HR}:level"), "value": "x" }])).send().await.scim_error(400, Some("invalidValue"));
        acme.patch(&id, &json!([{ "op": "add", "path": format!("{HR}:nope"), "value": "x" }])).send().await.scim_error(400, Some("invalidPath"));
        // Unknown parts are ignored, but not in the profile.
        acme.post(&person("kim@acme.com", json!({ "nope": 1, "level": 2 }))).send().await.expect(201);
        acme.set("scim", &json!({ "conformance": "profile" })).await;
        acme.post(&person("lee@acme.com", json!({ "nope": 1 }))).send().await.scim_error(400, Some("invalidSyntax"));
        acme.post(&person("lee@acme.com", json!({ "level": 2 }))).send().await.expect(201);
    }

    async fn filters_and_orders_know_them(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        put(&acme, &json!([schema()])).await.expect(200);
        let people = [
            ("a", json!({ "badge": "A7", "site": "Bern", "level": 3, "rate": 12.5, "remote": true, "joined": "2026-01-31T08:00:00Z", "skills": ["Rust"] })),
            ("b", json!({ "badge": "a7", "site": "BERN", "level": 10, "rate": -1, "remote": false, "joined": "2026-01-31T10:00:00+02:00", "skills": ["rust", "Go"] })),
            ("c", json!({ "site": "Ülm", "level": -2, "desks": [{ "value": "B.1", "floor": 1, "type": "fixed" }, { "value": "B.2", "floor": 2, "type": "shared" }] })),
            ("d", json!({ "joined": "2025-12-31T00:00:00Z", "desks": [{ "value": "B.2", "floor": 3, "type": "fixed" }], "contract": { "kind": "fixed" } })),
        ];
        for (name, hr) in people {
            acme.post(&person(&format!("{name}@acme.com"), hr)).send().await.expect(201);
        }
        acme.user("e@acme.com").await;
        for (filter, names) in [
            (format!("{HR}:badge eq \"A7\""), "a"),
            ("badge eq \"a7\"".to_owned(), "b"),
            (format!("{HR}:site eq \"bern\""), "ab"),
            (format!("{HR}:SITE sw \"ü\""), "c"),
            (format!("{HR}:level gt 2"), "ab"),
            (format!("{HR}:level le 3"), "ac"),
            (format!("{HR}:level eq 10"), "b"),
            (format!("not ({HR}:level ge 3)"), "cde"),
            (format!("{HR}:rate lt 0.5"), "b"),
            (format!("{HR}:remote eq true"), "a"),
            (format!("{HR}:remote eq \"False\""), "b"),
            (format!("{HR}:joined eq \"2026-01-31T08:00:00Z\""), "ab"),
            (format!("{HR}:joined lt \"2026-01-01T00:00:00Z\""), "d"),
            (format!("{HR}:joined pr and {HR}:level pr"), "ab"),
            (format!("{HR}:skills eq \"RUST\""), "ab"),
            (format!("{HR}:skills co \"go\""), "b"),
            (format!("{HR}:desks.value eq \"B.2\""), "cd"),
            (format!("{HR}:desks[type eq \"fixed\" and value eq \"B.2\"]"), "d"),
            (format!("{HR}:desks[floor gt 1 and not (type eq \"fixed\")]"), "c"),
            (format!("{HR}:contract.kind eq \"fixed\""), "d"),
            (format!("{HR}:contract pr"), "d"),
            (format!("schemas eq \"{HR}\""), "abcd"),
            (format!("userName sw \"a\" or {HR}:level lt 0"), "ac"),
        ] {
            assert_eq!(found(&acme, &filter).await.concat(), names, "{filter}");
        }
        for filter in [format!("{HR}:level eq \"x\""), format!("{HR}:nope pr"), format!("{HR}:remote gt true"), "urn:acme:nope:level eq 1".to_owned()] {
            acme.get("/Users").query(&[("filter", &filter)]).send().await.scim_error(400, Some("invalidFilter"));
        }
        let sorted = acme.get(&format!("/Users?sortBy={HR}:level&attributes=userName")).send().await.expect(200).json();
        let names: Vec<&str> = sorted["Resources"].as_array().expect("resources").iter().map(|it| &text(it, "userName")[..1]).collect();
        assert_eq!(names[..3], ["c", "a", "b"]);
        let search = json!({ "filter": format!("{HR}:level eq 3"), "attributes": [format!("{HR}:site")] });
        for path in ["/Users/.search", "/.search"] {
            let list = acme.send("POST", path, &search).send().await.expect(200).json();
            assert_eq!((&list["totalResults"], &list["Resources"][0][HR]), (&json!(1), &json!({ "site": "Bern" })), "{path}");
        }
    }

    /// Whoever comes first: a value that is stored keeps its attribute, and an attribute that has gone gets no values.
    async fn values_and_schemas_at_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let level = format!("{HR}:level");
        for round in 0..4 {
            put(&acme, &json!([schema()])).await.expect(200);
            let kim = acme.user(&format!("kim{round}@acme.com")).await;
            let posts = join_all((0..6).map(|n| {
                let body = person(&format!("p{round}-{n}@acme.com"), json!({ "level": n }));
                let call = if n % 2 == 0 { acme.post(&body) } else {
                    acme.send("POST", "/Bulk", &json!({ "schemas": [BULK], "Operations": [
                        { "method": "POST", "path": "/Users", "bulkId": "a", "data": body }] }))
                };
                call.send()
            }));
            let set = json!([{ "op": "add", "path": level, "value": 7 }]);
            let patch = acme.patch(&kim, &set).send();
            let none = json!([]);
            let (posted, patched, replaced) = tokio::join!(posts, patch, put(&acme, &none));
            assert!(posted.iter().all(|answer| matches!(answer.status, 200 | 201)), "{posted:?}");
            if replaced.status == 409 {
                replaced.problem(409, "schema_in_use");
            } else {
                replaced.expect(200);
                assert!(matches!(patched.status, 200 | 400), "{patched:?}");
                put(&acme, &json!([schema()])).await.expect(200);
                // Those of before the change were found by it; of those after it nothing was kept.
                assert_eq!(found(&acme, &format!("{level} pr")).await, Vec::<String>::new());
            }
            for id in ids(&acme).await {
                acme.delete(&id).send().await.expect(204);
            }
        }
    }

    async fn what_somebody_holds_is_not_lost(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        put(&acme, &json!([schema()])).await.expect(200);
        let made = acme.post(&person("jo@acme.com", json!({ "level": 3, "desks": [{ "floor": 1 }] }))).send().await.expect(201).json();
        let id = text(&made, "id").to_owned();
        let without = |name: &str| {
            let mut less = schema();
            less["attributes"].as_array_mut().expect("attributes").retain(|it| it["name"] != name);
            less
        };
        let mut text_level = schema();
        text_level["attributes"][2]["type"] = json!("string");
        let mut bare_desks = schema();
        bare_desks["attributes"][10]["sub_attributes"] = json!([{ "name": "value", "type": "string" }]);
        let mut renamed = schema();
        renamed["urn"] = json!("urn:acme:other:User");
        for wanted in [json!([]), json!([without("level")]), json!([text_level]), json!([bare_desks]), json!([renamed])] {
            let refused = put(&acme, &wanted).await.problem(409, "schema_in_use");
            assert!(text(&refused, "detail").contains("1 users have a value"), "{refused}");
        }
        assert_eq!(acme.get(&format!("/Users/{id}")).send().await.expect(200).json()[HR], made[HR]);
        // What nobody holds may go, and what is only told otherwise may change.
        let mut other = without("badge");
        other["name"] = json!("Personnel");
        put(&acme, &json!([other])).await.expect(200);
        acme.get("/Users").query(&[("filter", "badge pr")]).send().await.scim_error(400, Some("invalidFilter"));
        acme.put(&id, &user("jo@acme.com")).send().await.expect(200);
        put(&acme, &json!([])).await.expect(200);
        acme.get(&format!("/Schemas/{HR}")).send().await.scim_error(404, None);
        let made = acme.post(&person("kim@acme.com", json!({ "level": 3 }))).send().await.expect(201).json();
        assert_eq!((made.get(HR), &made["schemas"]), (None, &json!([USER])));
    }

    async fn what_makes_no_sense_is_refused_by_its_place(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let one = |urn: &str, attributes: Value| json!({ "urn": urn, "name": "HR", "attributes": attributes });
        let badge = json!([{ "name": "badge", "type": "string" }]);
        let many: Vec<Value> = (0..101).map(|n| json!({ "name": format!("a{n}"), "type": "string" })).collect();
        let schemas: Vec<Value> = (0..21).map(|n| one(&format!("urn:acme:hr{n}:User"), badge.clone())).collect();
        for (schemas, field, code) in [
            (json!([one("hr", badge.clone())]), "schemas.0.urn", "urn_invalid"),
            (json!([one(USER, badge.clone())]), "schemas.0.urn", "urn_reserved"),
            (json!([one("urn:a:b", badge.clone()), one("urn:a:b:c", badge.clone())]), "schemas.1.urn", "urn_taken"),
            (json!([one("urn:a:b", json!([]))]), "schemas.0.attributes", "out_of_range"),
            (json!([one("urn:a:b", json!(many))]), "schemas.0.attributes", "out_of_range"),
            (json!([one("urn:a:b", json!([{ "name": "id", "type": "string" }]))]), "schemas.0.attributes.0.name", "name_reserved"),
            (json!(schemas), "schemas", "too_many"),
        ] {
            let problem = put(&acme, &schemas).await.problem(400, "invalid_request");
            assert_eq!((&problem["errors"][0]["field"], &problem["errors"][0]["code"]), (&json!(field), &json!(code)));
        }
        for wrong in [
            json!([one("urn:a:b", json!([{ "name": "x", "type": "binary" }]))]),
            json!([one("urn:a:b", json!([{ "name": "x", "type": "string", "required": true }]))]),
            json!([one("urn:a:b", json!([{ "name": "x", "type": "string", "returned": "never" }]))]),
            json!([one("urn:a:b", json!([{ "name": "x", "type": "string", "mutability": "readOnly" }]))]),
        ] {
            assert_eq!(put(&acme, &wrong).await.status, 400, "{wrong}");
        }
        let first = put(&acme, &json!([schema()])).await.expect(200);
        let tag = first.header("etag").expect("a tag").to_owned();
        put(&acme, &json!([])).await.expect(200);
        let path = format!("/api/v1/organizations/{}/scim/schemas", acme.org);
        let stale = app.put(&path).operator().header("if-match", &tag).json(&json!({ "schemas": [schema()] })).send().await;
        stale.problem(412, "precondition_failed");
    }
}
