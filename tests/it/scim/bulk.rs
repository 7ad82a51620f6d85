//! Bulk (RFC 7644 §3.7): every operation answered for itself, references among them, limits, and what happens when a
//! request is stopped half way.

use governor::clock::FakeRelativeClock;
use postern::http::limits::LimitClock;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{ENTERPRISE, GROUP, PATCH, Tenant, USER, user};
use crate::support::app::{Answer, Call, TestApp, on_both, text};
use crate::support::database::{Backend, Database};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

fn envelope(operations: &[Value]) -> Value {
    json!({ "schemas": [REQUEST], "Operations": operations })
}

fn call(tenant: &Tenant<'_>, body: &Value) -> Call {
    tenant.send("POST", "/Bulk", body)
}

/// Sends operations; gives what is answered of each.
async fn bulk(tenant: &Tenant<'_>, operations: &[Value]) -> Vec<Value> {
    results(&call(tenant, &envelope(operations)).send().await.expect(200))
}

fn results(answer: &Answer) -> Vec<Value> {
    let body = answer.json();
    assert_eq!(body["schemas"], json!([RESPONSE]));
    body["Operations"].as_array().expect("operations").clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| text(result, "status")).collect()
}

/// The id at the end of a location.
fn id(result: &Value) -> String {
    text(result, "location").rsplit('/').next().expect("an id").to_owned()
}

fn post(bulk_id: &str, user_name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": user(user_name) })
}

fn managed(bulk_id: &str, user_name: &str, manager: &str) -> Value {
    let mut operation = post(bulk_id, user_name);
    operation["data"][ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{manager}") } });
    operation
}

fn post_group(bulk_id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let data = json!({ "schemas": [GROUP], "displayName": name, "members": members });
    json!({ "method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data })
}

fn patch(path: &str, operations: &Value) -> Value {
    let data = json!({ "schemas": [PATCH], "Operations": operations });
    json!({ "method": "PATCH", "path": path, "data": data })
}

/// An app whose rate limit is out of the way.
async fn unlimited(backend: Backend, further: &str) -> TestApp {
    let builder = TestApp::builder().database(Database::migrated(backend).await);
    builder.config("[scim]\nrate_per_second = 100000\nburst = 1000000").config(further).start().await
}

async fn total(tenant: &Tenant<'_>) -> u64 {
    tenant.get("/Users?count=0").send().await.expect(200).json()["totalResults"].as_u64().expect("a number")
}

on_both! {
    async fn operations_of_every_kind_refer_to_each_other(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (old, gone) = (acme.user("old@acme.com").await, acme.user("gone@acme.com").await);
        let stays = acme.group("Stays", &[&old]).await;
        let mut renamed = user("old@acme.com");
        renamed["title"] = json!("Boss");
        let done = bulk(&acme, &[
            // Forwards, in members and in a path; backwards below.
            post_group("g", "Engineering", &["bulkId:a", &old]),
            patch("/Users/bulkId:a", &json!([{ "op": "add", "path": "nickName", "value": "Annie" }])),
            post("a", "ann@acme.com"),
            managed("b", "bob@acme.com", "a"),
            patch(&format!("/Groups/{stays}"), &json!([
                { "op": "add", "path": "members", "value": [{ "value": "bulkId:b" }] },
                { "op": "remove", "path": format!("members[value eq \"{old}\"]") },
            ])),
            patch(&format!("/Users/{old}"), &json!([{ "op": "add", "path": "manager", "value": "bulkId:b" }])),
            json!({ "method": "PUT", "path": format!("/Users/{gone}"), "version": "W/\"1\"", "data": user("went@acme.com") }),
            json!({ "method": "DELETE", "path": format!("/Users/{gone}") }),
            json!({ "method": "delete", "path": "/Groups/bulkId:g2" }),
            post_group("g2", "Short-lived", &[]),
        ]).await;
        assert_eq!(statuses(&done), ["201", "200", "201", "201", "200", "200", "200", "204", "204", "201"]);
        let methods: Vec<&str> = done.iter().map(|result| text(result, "method")).collect();
        assert_eq!(methods, ["POST", "PATCH", "POST", "POST", "PATCH", "PATCH", "PUT", "DELETE", "DELETE", "POST"]);
        assert_eq!((&done[2]["bulkId"], &done[1].get("bulkId")), (&json!("a"), &None));
        assert!(done.iter().all(|result| result.get("response").is_none()));
        let (ann, bob, group) = (id(&done[2]), id(&done[3]), id(&done[0]));
        assert_eq!(done[2]["location"], format!("{}/scim/v2/Users/{ann}", app.url));
        assert_eq!((&done[2]["version"], &done[1]["version"]), (&json!("W/\"1\""), &json!("W/\"2\"")));
        assert_eq!(done[1]["location"], done[2]["location"]);

        let shown = acme.get(&format!("/Users/{ann}")).send().await.expect(200).json();
        assert_eq!((&shown["nickName"], &shown["meta"]["version"]), (&json!("Annie"), &json!("W/\"2\"")));
        let shown = acme.get(&format!("/Users/{bob}")).send().await.expect(200).json();
        assert_eq!(shown[ENTERPRISE]["manager"]["value"], ann.as_str());
        let mut both = vec![ann, old.clone()];
        both.sort_unstable();
        assert_eq!(acme.members_of(&group).await, both);
        assert_eq!(acme.members_of(&stays).await, [bob.as_str()]);
        let shown = acme.get(&format!("/Users/{old}")).send().await.expect(200).json();
        assert_eq!(shown[ENTERPRISE]["manager"]["value"], bob.as_str());
        acme.get(&format!("/Users/{gone}")).send().await.scim_error(404, None);
        assert_eq!(acme.get("/Groups?count=0").send().await.expect(200).json()["totalResults"], 2);
        // The same members, the same events as of single requests.
        assert_eq!(acme.member("ann@acme.com").await.expect("ann")["status"], "active");
        assert_eq!(acme.member("went@acme.com").await.expect("went")["status"], "deactivated");
        let events = acme.events().await;
        for (kind, count) in [("directory_user.created", 4), ("directory_user.deleted", 1), ("directory_group.created", 3)] {
            assert_eq!(events.iter().filter(|event| *event == kind).count(), count, "{kind} in {events:?}");
        }
    }

    async fn managers_may_manage_each_other(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let done = bulk(&acme, &[
            managed("a", "ann@acme.com", "b"),
            managed("b", "bob@acme.com", "c"),
            managed("c", "cy@acme.com", "a"),
            managed("own", "dee@acme.com", "own"),
            post_group("g", "Bosses", &["bulkId:a", "bulkId:own"]),
        ]).await;
        assert_eq!(statuses(&done), ["201"; 5]);
        for (who, manager) in [(0, 1), (1, 2), (2, 0), (3, 3)] {
            let shown = acme.get(&format!("/Users/{}", id(&done[who]))).send().await.expect(200).json();
            assert_eq!(shown[ENTERPRISE]["manager"]["value"], id(&done[manager]).as_str());
            assert_eq!(done[who]["version"], "W/\"1\"");
            assert_eq!(acme.member(text(&shown, "userName")).await.expect("a member")["status"], "active");
        }
        assert_eq!(acme.members_of(&id(&done[4])).await.len(), 2);
        // One of a circle is refused: none of it is there, and nobody who refers to it.
        let done = bulk(&acme, &[
            managed("e", "eve@acme.com", "f"),
            managed("f", "ann@acme.com", "e"),
            post_group("h", "Others", &["bulkId:e"]),
            post("i", "ida@acme.com"),
        ]).await;
        assert_eq!(statuses(&done), ["409", "409", "400", "201"]);
        assert_eq!(done[1]["response"]["scimType"], "uniqueness");
        assert!(text(&done[0]["response"], "detail").contains("circle"));
        assert!(done[0].get("location").is_none());
        assert_eq!(total(&acme).await, 5);
        assert_eq!(acme.member("eve@acme.com").await, None);
    }

    async fn groups_in_each_other_are_told_what_cannot_be(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let done = bulk(&acme, &[
            post_group("a", "A", &["bulkId:b"]),
            post_group("b", "B", &["bulkId:a"]),
            post_group("c", "C", &["bulkId:d"]),
            post_group("d", "D", &[]),
        ]).await;
        assert_eq!(statuses(&done), ["409", "409", "400", "201"]);
        assert!(text(&done[0]["response"], "detail").contains("members of a group here are users"));
        assert_eq!(acme.get("/Groups?count=0").send().await.expect(200).json()["totalResults"], 1);
        // Somebody whose manager is to be the own group.
        let done = bulk(&acme, &[post_group("g", "G", &["bulkId:u"]), managed("u", "kim@acme.com", "g")]).await;
        assert_eq!(statuses(&done), ["400", "400"]);
        assert!(text(&done[1]["response"], "detail").contains("so are managers"), "{done:?}");
        assert_eq!(acme.get("/Groups?count=0").send().await.expect(200).json()["totalResults"], 1);
        assert_eq!(total(&acme).await, 0);
    }

    async fn what_fails_fails_alone(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        let before = acme.get(&format!("/Users/{jo}")).send().await.expect(200).json();
        let title = json!([{ "op": "replace", "path": "title", "value": "Boss" }]);
        let mut stale = patch(&format!("/Users/{jo}"), &title);
        stale["version"] = json!("W/\"7\"");
        let cases = [
            (post("a", "JO@acme.com"), "409", Some("uniqueness")),
            (post_group("b", "B", &["bulkId:a"]), "400", Some("invalidValue")),
            (patch("/Users/bulkId:a", &title), "400", Some("invalidValue")),
            (post("c", "jo@elsewhere.test"), "400", Some("invalidValue")),
            (post_group("d", "D", &["bulkId:nobody"]), "400", Some("invalidValue")),
            (post_group("e", "E", &["010101001010101011001010101011"]), "400", Some("invalidValue")),
            (patch("/Users/010101001010101011001010101011", &title), "404", None),
            (json!({ "method": "DELETE", "path": format!("/Groups/{jo}") }), "404", None),
            (stale, "412", None),
            (patch(&format!("/Users/{jo}"), &json!([{ "op": "replace", "path": "nope", "value": 1 }])), "400", Some("invalidPath")),
            (patch(&format!("/Users/{jo}"), &json!([{ "op": "replace", "path": "id", "value": "x" }])), "400", Some("mutability")),
            (json!({ "method": "PUT", "path": format!("/Users/{jo}"), "data": { "userName": "" } }), "400", Some("invalidValue")),
            (json!({ "method": "GET", "path": format!("/Users/{jo}") }), "400", Some("invalidSyntax")),
            (json!({ "method": "POST", "path": "/Bulk", "bulkId": "f", "data": {} }), "400", Some("invalidValue")),
            (json!({ "method": "POST", "path": "/Users", "data": user("kim@acme.com") }), "400", Some("invalidValue")),
            (post("twice", "kim@acme.com"), "400", Some("invalidValue")),
            (post("twice", "lee@acme.com"), "400", Some("invalidValue")),
            (json!("x"), "400", Some("invalidSyntax")),
            (Value::Null, "400", Some("invalidSyntax")),
            (json!({ "method": "POST", "path": "/Users", "bulkId": "\u{0}", "data": { "userName": "a\u{0}@acme.com" } }), "400", Some("invalidValue")),
        ];
        let mut operations: Vec<Value> = cases.iter().map(|(operation, ..)| operation.clone()).collect();
        operations.push(post("good", "good@acme.com"));
        let done = bulk(&acme, &operations).await;
        for ((sent, status, scim_type), told) in cases.iter().zip(&done) {
            assert_eq!(told["status"], *status, "{sent}: {told}");
            let response = &told["response"];
            assert_eq!(response["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
            assert_eq!((&response["status"], response.get("scimType").and_then(Value::as_str)), (&json!(status), *scim_type), "{told}");
            assert!(text(response, "detail").len() > 10, "{told}");
            assert_eq!(told["bulkId"], sent["bulkId"]);
            // Whatever is to be changed is named by its URL, also where it fails.
            let named = sent["path"].as_str().is_some_and(|path| !path.contains("bulkId"));
            let changes = ["PUT", "PATCH", "DELETE"].contains(&text(told, "method"));
            assert_eq!(told.get("location").is_some(), named && changes, "{told}");
        }
        assert_eq!(done.last().expect("the last")["status"], "201");
        assert_eq!(acme.get(&format!("/Users/{jo}")).send().await.expect(200).json(), before);
        assert_eq!((total(&acme).await, acme.rest("members/count").await["count"].clone()), (2, json!(2)));
        assert_eq!(acme.get("/Groups?count=0").send().await.expect(200).json()["totalResults"], 0);
    }

    async fn after_so_many_errors_the_rest_is_left(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let operations = [post("a", "a@acme.com"), post("b", "a@acme.com"), post("c", "c@acme.com"), post("d", "c@acme.com"), post("e", "e@acme.com")];
        let mut body = envelope(&operations);
        body["failOnErrors"] = json!(1);
        assert_eq!(statuses(&results(&call(&acme, &body).send().await.expect(200))), ["201", "409"]);
        body["failOnErrors"] = json!(3);
        assert_eq!(statuses(&results(&call(&acme, &body).send().await.expect(200))), ["409", "409", "201", "409"]);
        assert_eq!(total(&acme).await, 2);
        for wrong in [json!(0), json!(-1), json!("1"), json!([])] {
            body["failOnErrors"] = wrong;
            call(&acme, &body).send().await.scim_error(400, Some("invalidValue"));
        }
    }

    async fn the_envelope_is_refused_as_a_whole(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        for body in [json!([]), json!({}), json!({ "Operations": 1 }), json!({ "schemas": [USER], "Operations": [] })] {
            call(&acme, &body).send().await.scim_error(400, Some("invalidSyntax"));
        }
        call(&acme, &json!("x")).send().await.scim_error(400, Some("invalidSyntax"));
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            acme.send(method, "/Bulk", &Value::Null).send().await.scim_error(405, None);
        }
        assert_eq!(bulk(&acme, &[]).await.len(), 0);
        acme.set("scim", &json!({ "conformance": "profile" })).await;
        call(&acme, &json!({ "Operations": [] })).send().await.scim_error(400, Some("invalidSyntax"));
        let jo = acme.user("jo@acme.com").await;
        let mut with_password = post("a", "ann@acme.com");
        with_password["data"]["password"] = json!("s3cret");
        let done = bulk(&acme, &[
            with_password,
            patch(&format!("/Users/{jo}"), &json!([{ "op": "replace", "value": { "active": false } }])),
            patch(&format!("/Users/{jo}"), &json!([{ "op": "replace", "path": "active", "value": false }])),
        ]).await;
        assert_eq!(statuses(&done), ["400", "400", "200"]);
        assert_eq!(done[0]["response"]["scimType"], "invalidSyntax");
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "deactivated");
    }

    async fn a_token_of_one_domain_reaches_no_further(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        let group = acme.group("Everybody", &[&jo]).await;
        let domain = app.domain(&acme.org, "lab.test").await;
        let path = format!("/api/v1/organizations/{}/domains/{domain}/scim/token", acme.org);
        let token = text(&app.post(&path).operator().send().await.expect(201).json(), "token").to_owned();
        let lab = Tenant { app: &app, org: acme.org.clone(), domain, token };
        lab.speaks(true).await;
        let done = bulk(&lab, &[
            post("a", "kim@lab.test"),
            post("b", "lee@acme.com"),
            post_group("c", "Mine", &["bulkId:a"]),
            patch(&format!("/Users/{jo}"), &json!([{ "op": "replace", "path": "active", "value": false }])),
            json!({ "method": "DELETE", "path": format!("/Groups/{group}") }),
        ]).await;
        assert_eq!(statuses(&done), ["201", "400", "403", "404", "403"]);
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "active");
        // Nor does another organization's.
        let other = Tenant::new(&app, "Other", "other.com").await;
        let done = bulk(&other, &[json!({ "method": "DELETE", "path": format!("/Users/{jo}") })]).await;
        assert_eq!(statuses(&done), ["404"]);
    }

    async fn the_same_request_twice_at_once_makes_everybody_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let operations: Vec<Value> = (0..20).map(|n| managed(&format!("u{n}"), &format!("u{n}@acme.com"), &format!("u{}", (n + 1) % 20)))
            .collect();
        let body = envelope(&operations);
        let (one, other) = tokio::join!(call(&acme, &body).send(), call(&acme, &body).send());
        let (one, other) = (results(&one.expect(200)), results(&other.expect(200)));
        let made = |results: &[Value]| results.iter().filter(|result| result["status"] == "201").count();
        let mut counts = [made(&one), made(&other)];
        counts.sort_unstable();
        assert_eq!(counts, [0, 20], "a circle is made whole");
        assert_eq!(total(&acme).await, 20);
    }
}

/// 1,000 operations pass, 1,001 do not, and what is advertised is what holds.
async fn limits_hold(backend: Backend) {
    let app = unlimited(backend, "[http]\nscim_body_limit_bytes = 1000000").await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let config = acme.get("/ServiceProviderConfig").send().await.expect(200).json();
    let advertised = json!({ "supported": true, "maxOperations": 1000, "maxPayloadSize": 1_000_000 });
    assert_eq!(config["bulk"], advertised);
    let mut operations: Vec<Value> =
        (0..999).map(|n| post(&format!("u{n}"), &format!("u{n}@acme.com"))).collect();
    let everybody: Vec<String> = (0..999).map(|n| format!("bulkId:u{n}")).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    operations.insert(0, post_group("all", "Everybody", &everybody));
    let done = bulk(&acme, &operations).await;
    assert!(done.iter().all(|result| result["status"] == "201"), "{:?}", statuses(&done));
    assert_eq!(acme.members_of(&id(&done[0])).await.len(), 999);
    operations.push(post("more", "more@acme.com"));
    let error = call(&acme, &envelope(&operations)).send().await.scim_error(413, None);
    assert!(text(&error, "detail").contains("maxOperations of 1000"), "{error}");
    operations[1]["data"]["title"] = json!("x".repeat(1_000_000));
    let error = call(&acme, &envelope(&operations)).send().await.scim_error(413, None);
    assert!(text(&error, "detail").contains("maxPayloadSize of 1000000"), "{error}");
    assert_eq!(total(&acme).await, 999);
}

/// Who hangs up half way leaves whole operations behind, and no others are begun.
async fn hanging_up_stops_between_operations(backend: Backend) {
    let app = unlimited(backend, "").await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let operations: Vec<Value> =
        (0..1_000).map(|n| post(&format!("u{n}"), &format!("u{n}@acme.com"))).collect();
    let body = envelope(&operations).to_string();
    let address = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /scim/v2/Bulk HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        acme.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body.as_bytes()).await.expect("sent");
    while total(&acme).await == 0 {}
    drop(stream);
    // Until nothing is added any more: the requests in between take longer than an operation.
    let (mut before, mut same) = (0, 0);
    while same < 50 {
        let now = total(&acme).await;
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    assert!(before < 1_000, "all were carried out");
    assert_eq!(acme.rest("members/count").await["count"], before);
    let made =
        acme.get(&format!("/Users?filter=userName%20eq%20%22u{}@acme.com%22", before - 1)).send().await;
    assert_eq!(made.expect(200).json()["totalResults"], 1, "in the order of the request");
}

/// A token that is revoked meanwhile does nothing further.
async fn a_revoked_token_stops(backend: Backend) {
    let app = unlimited(backend, "").await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let watching = Tenant {
        app: &app,
        org: acme.org.clone(),
        domain: acme.domain.clone(),
        token: app.scim_token(&acme.org).await,
    };
    let tokens = acme.rest("scim").await["tokens"].as_array().expect("tokens").clone();
    let last_four = &acme.token[acme.token.len() - 4..];
    let used = tokens.iter().find(|token| token["last_four"] == last_four).unwrap_or(&tokens[0]);
    let path = format!("/api/v1/organizations/{}/scim/tokens/{}", acme.org, text(used, "id"));
    let operations: Vec<Value> =
        (0..1_000).map(|n| post(&format!("u{n}"), &format!("u{n}@acme.com"))).collect();
    let revoke = async {
        while total(&watching).await == 0 {}
        app.delete(&path).operator().send().await.expect(204);
    };
    let body = envelope(&operations);
    let (answer, ()) = tokio::join!(call(&acme, &body).send(), revoke);
    let done = results(&answer.expect(200));
    let statuses = statuses(&done);
    let refused = statuses.iter().position(|status| *status == "401").expect("it was stopped");
    assert!(statuses[..refused].iter().all(|status| *status == "201"));
    assert!(statuses[refused..].iter().all(|status| *status == "401"));
    assert_eq!(total(&watching).await, refused as u64);
}

/// What does not fit into the time of a request is told so, and not begun.
async fn the_time_of_a_request_is_kept(backend: Backend) {
    let app = unlimited(backend, "[http]\nrequest_timeout_seconds = 1").await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let operations: Vec<Value> =
        (0..1_000).map(|n| post(&format!("u{n}"), &format!("u{n}@acme.com"))).collect();
    let done = bulk(&acme, &operations).await;
    let statuses = statuses(&done);
    assert_eq!(statuses.len(), 1_000);
    let made = statuses.iter().filter(|status| **status == "201").count();
    assert!(statuses.iter().all(|status| ["201", "503"].contains(status)), "{statuses:?}");
    assert_eq!(total(&acme).await, made as u64);
    // Sent again, it says of the first what is there already.
    let again = bulk(&acme, &operations).await;
    assert_eq!(again[0]["status"], "409");
    assert!(total(&acme).await >= made as u64);
}

macro_rules! by_backend {
    ($($name:ident)+) => {
        $(mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::Backend::Postgres).await;
            }
        })+
    };
}

by_backend! { limits_hold hanging_up_stops_between_operations a_revoked_token_stops the_time_of_a_request_is_kept }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_as_its_operations_and_is_paid_for_afterwards() {
    let hand = FakeRelativeClock::default();
    let app = TestApp::builder()
        .limit_clock(LimitClock::Manual(hand.clone()))
        .config("[scim]\nrate_per_second = 25\nburst = 30")
        .start()
        .await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let other = Tenant::new(&app, "Other", "other.com").await;
    let operations: Vec<Value> = (0..80).map(|n| post(&format!("u{n}"), &format!("u{n}@acme.com"))).collect();
    let answer = call(&acme, &envelope(&operations)).send().await.expect(200);
    assert!(results(&answer).iter().all(|result| result["status"] == "201"));
    assert!(answer.header("ratelimit").expect("what is left").contains("r=0;"), "{answer:?}");
    // 80 were taken, 30 there: 51 must flow back for one more, at 25 a second.
    for call in [acme.get("/Users?count=0"), call(&acme, &envelope(&operations))] {
        let refused = call.send().await;
        refused.scim_error(429, None);
        assert_eq!(refused.header("retry-after"), Some("3"));
    }
    other.get("/Users?count=0").send().await.expect(200);
    hand.advance(Duration::from_secs(3));
    let small = call(&acme, &envelope(&operations[..3])).send().await.expect(200);
    assert!(small.header("ratelimit").expect("what is left").contains("r=22;"), "{small:?}");
}
