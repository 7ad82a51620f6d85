//! The request log: what an admin reads there of the identity provider's calls, what nobody reads there, and that
//! keeping it holds no call up.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern::model::id::{OrganizationId, ScimRequestId};
use postern::model::scim_request::{IdentityProvider, ScimResource};
use postern::model::tenant::{InstallationScope, TenantScope};
use postern::service::{Ctx, scim_requests};
use postern::store;
use postern::store::scim_requests::{ScimRequest, ScimRequestFilter, WINDOW};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{BULK, PATCH, Tenant, user};
use crate::support::app::{Answer, TestApp, on_both, text};
use crate::support::database::{Backend, Database};
use crate::support::{people, postgres};

/// The log as the operator reads it, newest first.
async fn log(tenant: &Tenant<'_>, query: &str) -> Vec<Value> {
    let page = tenant.rest(&format!("scim/logs?limit=200{query}")).await;
    page["data"].as_array().expect("a page").clone()
}

fn sentences(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| text(entry, "summary")).collect()
}

fn scope(tenant: &Tenant<'_>) -> TenantScope {
    TenantScope::established(people::id(&tenant.org))
}

/// Everything that the table holds of a tenant.
async fn rows(tenant: &Tenant<'_>) -> Vec<ScimRequest> {
    let (db, scope) = (&tenant.app.services().db, scope(tenant));
    // Reading over REST waits for the writer.
    log(tenant, "").await;
    let found = store::scim_requests::list(db, scope, &ScimRequestFilter::default(), None, 1_000)
        .await
        .expect("a read");
    let mut rows = Vec::new();
    for entry in found.entries {
        rows.push(store::scim_requests::find(db, scope, entry.id).await.expect("a read").expect("a row"));
    }
    rows
}

on_both! {
    async fn every_call_is_told_in_a_sentence(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let look_up = [("filter", "userName eq \"jo@acme.com\"")];
        acme.get("/Users").query(&look_up).header("user-agent", "Okta SCIM Client 1.0.0").send().await.expect(200);
        let made = acme.post(&user("jo@acme.com")).header("user-agent", "Okta SCIM Client 1.0.0").send().await.expect(201);
        let (jo, kim) = (made.id(), acme.user("kim@acme.com").await);
        acme.post(&user("jo@acme.com")).send().await.scim_error(409, Some("uniqueness"));
        let group = acme.group("Engineering", &[]).await;
        let both = json!([{ "op": "add", "path": "members", "value": [{ "value": jo }, { "value": kim }] }]);
        acme.patch_group(&group, &both).send().await.expect(200);
        acme.active(&jo, false).await;
        acme.get("/Users").query(&look_up).send().await.expect(200);
        acme.get("/Users/nobody").send().await.scim_error(404, None);
        acme.delete(&jo).send().await.expect(204);
        acme.send("DELETE", &format!("/Groups/{group}"), &Value::Null).send().await.expect(204);
        acme.get("/Schemas").send().await.expect(200);

        let entries = log(&acme, "").await;
        let told = sentences(&entries);
        let refused = told[8];
        assert!(refused.starts_with("Refused to add jo@acme.com: ") && refused.ends_with('.'), "{refused}");
        assert!(told[3].starts_with("Could not read the user nobody: "), "{}", told[3]);
        assert_eq!(
            told,
            [
                "Read what this server offers (Schemas).", "Deleted the group Engineering.", "Deleted jo@acme.com.", told[3],
                "Looked for people with userName eq \"jo@acme.com\": found 1.", "Deactivated jo@acme.com.",
                "Added 2 people to Engineering.", "Created the group Engineering.", refused, "Added kim@acme.com.",
                "Added jo@acme.com.", "Looked for people with userName eq \"jo@acme.com\": found none.",
            ]
        );
        let first = &entries[10];
        assert_eq!(
            (&first["method"], &first["path"], &first["status"], &first["resource"], &first["identity_provider"]),
            (&json!("POST"), &json!("/scim/v2/Users"), &json!(201), &json!("user"), &json!("okta"))
        );
        assert_eq!(first["request_id"].as_str(), made.header("x-request-id"));
        assert_eq!((&first["domain"], &first["ip"]), (&json!("acme.com"), &json!("127.0.0.1")));
        assert!(first["duration_ms"].as_f64().is_some_and(|took| took > 0.0), "{first}");
        let token = acme.rest("scim").await["tokens"][0]["id"].clone();
        assert_eq!(first["actor"], json!({ "kind": "scim_token", "id": token }));
        assert_eq!((&entries[8]["error_code"], &entries[8]["status"]), (&json!("uniqueness"), &json!(409)));
        assert!(first.get("request_body").is_none(), "bodies are read one by one");

        let whole = acme.rest(&format!("scim/logs/{}", text(first, "id"))).await;
        assert_eq!(whole["summary"], "Added jo@acme.com.");
        assert_eq!(whole["request_body"]["content"], user("jo@acme.com"));
        assert_eq!(whole["request_body"]["cut"], false);
        assert_eq!(whole["request_body"]["bytes"], user("jo@acme.com").to_string().len());
        assert_eq!(whole["response_body"]["content"], made.json());
        let headers = whole["request_headers"].as_array().expect("headers");
        assert!(headers.contains(&json!({ "name": "authorization", "value": "***" })), "{whole}");
        assert!(headers.contains(&json!({ "name": "user-agent", "value": "Okta SCIM Client 1.0.0" })), "{whole}");
        let document = acme.rest(&format!("scim/logs/{}", text(&entries[0], "id"))).await;
        assert!(document["response_body"]["content"].is_null() && document["response_body"]["note"].is_string(), "{document}");
    }

    async fn passwords_tokens_and_photos_are_nowhere(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut create = user("jo@acme.com");
        create["password"] = json!("hunter2-hidden");
        create["photos"] = json!([{ "value": "https://hidden.example.com/jo.png", "type": "photo" }]);
        let id = acme.post(&create).header("x-api-key", "hidden-key").send().await.expect(201).id();
        acme.patch(&id, &json!([{ "op": "replace", "path": "password", "value": "hidden-one" }])).send().await.expect(200);
        acme.patch(&id, &json!([{ "value": "hidden-two", "op": "Replace", "path": "password" }])).send().await.expect(200);
        acme.patch(&id, &json!([{ "op": "replace", "value": { "Password": "hidden-three" } }])).send().await.expect(200);
        acme.put(&id, &create).send().await.expect(200);
        acme.get("/Users").query(&[("filter", "password eq \"hidden-four\""), ("access_token", "hidden")]).send().await;
        let broken = app.post("/scim/v2/Users").bearer(&acme.token).body("application/json", "{\"password\":\"hidden-five\"");
        broken.send().await.scim_error(400, Some("invalidSyntax"));
        let text_body = app.post("/scim/v2/Users").bearer(&acme.token).body("text/plain", "password=hidden-six");
        text_body.send().await.scim_error(415, None);
        acme.get(&format!("/Users/{}", acme.token)).send().await.scim_error(404, None);
        let picture = json!([{ "op": "remove", "path": "photos[value eq \"hidden-seven\"]" }]);
        acme.patch(&id, &picture).send().await;
        acme.patch(&id, &json!([{ "op": "replace", "path": "password[value eq \"hidden-eight\"]", "value": "x" }])).send().await.scim_error(400, Some("invalidPath"));
        acme.send("POST", "/.search", &json!({ "filter": ["password eq hidden-nine"] })).send().await.scim_error(400, Some("invalidFilter"));
        let operations = json!([
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": "al@acme.com", "password": "hidden-ten" } },
            { "method": "PATCH", "path": format!("/Users/{id}"), "data": { "Operations": [{ "op": "add", "path": "password", "value": "hidden-eleven" }] } },
        ]);
        acme.send("POST", "/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).send().await.expect(200);

        let rows = rows(&acme).await;
        assert_eq!(rows.len(), 13);
        let table = format!("{rows:?}");
        assert!(!table.contains("hidden") && !table.contains("hunter2"), "{table}");
        assert!(!table.contains(&acme.token) && table.contains("***"), "{table}");
        for row in &rows {
            let entry = acme.rest(&format!("scim/logs/{}", row.id)).await.to_string();
            assert!(!entry.contains("hidden") && !entry.contains(&acme.token), "{entry}");
        }
        // What was no JSON was not kept, and the entry says so.
        let entry = acme.rest(&format!("scim/logs/{}", rows[6].id)).await;
        assert_eq!((&entry["status"], &entry["request_body"]["note"]), (&json!(400), &json!("Not kept: it was not JSON.")));
    }

    async fn what_only_a_refusal_quotes_is_not_kept(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let said = |answer: &Answer| answer.json()["detail"].as_str().expect("a sentence").to_owned();
        // The caller is told what was wrong, with the value that slipped out of its place.
        let op = acme.patch(&id, &json!([{ "op": "hidden\"one", "path": "title", "value": "x" }])).send().await;
        op.scim_error(400, Some("invalidSyntax"));
        assert!(said(&op).contains("\"hidden'one\" was sent"), "{}", op.body);
        acme.patch(&id, &json!([{ "op": { "x": "hidden-two" }, "path": "title" }])).send().await.scim_error(400, Some("invalidSyntax"));
        let gone = acme.get("/Users/password=hidden-three").send().await;
        gone.scim_error(404, None);
        assert!(said(&gone).contains("hidden-three"), "{}", gone.body);
        let operations = json!([
            { "method": "DELETE", "path": "/Users/x?access_token=hidden-four" },
            { "method": "PATCH", "path": "/Groups/secret:hidden-five", "data": { "Operations": [{ "op": "add", "path": "displayName", "value": "x" }] } },
            { "method": "hidden-six", "path": "/Users" },
            { "method": "PUT", "path": "/Nowhere/token=\"hidden-seven\"", "data": {} },
            { "method": "PATCH", "path": format!("/Users/{id}"), "data": { "Operations": [{ "op": ["hidden-8"], "path": "title" }, { "op": "Hidden-9" }] } },
            { "method": "DELETE", "path": "/Users/nobody-at-all" },
        ]);
        let bulk = acme.send("POST", "/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).send().await.expect(200);
        for told in ["hidden-four", "hidden-five", "hidden-six", "hidden-seven"] {
            assert!(bulk.body.contains(told), "{}", bulk.body);
        }

        let rows = rows(&acme).await;
        assert_eq!(rows.len(), 5);
        let table = format!("{rows:?}").to_lowercase();
        assert!(!table.contains("hidden"), "{table}");
        // What the log says of the call anyway is still quoted, and so are the server's own words.
        assert!(table.contains("no user with the id \\\\\\\"nobody-at-all\\\\\\\" in this directory"), "{table}");
        assert_eq!(rows[3].error.as_deref(), Some("op must be add, replace or remove, but \"***\" was sent."));
        assert_eq!(rows[1].path, "/scim/v2/Users/***");
    }

    async fn a_large_body_is_cut_and_its_entry_says_so(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        let many: Vec<Value> = (0..2_000).map(|_| json!({ "value": jo })).collect();
        let group = acme.group("Everybody", &[]).await;
        let add = json!([{ "op": "add", "path": "members", "value": many }]);
        acme.patch_group(&group, &add).send().await.expect(200);
        let entries = log(&acme, "&method=patch").await;
        let told = text(&entries[0], "summary");
        assert!(told.starts_with("Added at least ") && told.ends_with(" people to Everybody."), "{told}");
        let entry = acme.rest(&format!("scim/logs/{}", text(&entries[0], "id"))).await;
        assert_eq!(entry["request_body"]["cut"], true);
        assert!(entry["request_body"]["bytes"].as_u64() > Some(90_000), "{}", entry["request_body"]["bytes"]);
        assert_eq!(entry["request_body"]["content"]["schemas"], json!([PATCH]));
    }

    async fn the_log_tells_an_ended_token_from_a_wrong_one_and_the_answer_does_not(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let tokens = format!("/api/v1/organizations/{}/scim/tokens", acme.org);
        let short = app.post(&tokens).operator().json(&json!({ "expires_in_days": 1 })).send().await.expect(201).json();
        let taken = app.post(&tokens).operator().json(&json!({})).send().await.expect(201).json();
        app.delete(&format!("{tokens}/{}", text(&taken, "id"))).operator().send().await.expect(204);
        app.clock.advance(Duration::from_hours(25));
        let mut answers = Vec::new();
        for token in [text(&short, "token"), text(&taken, "token"), "pstn_scim_nobody", "x"] {
            let answer = app.get("/scim/v2/Users").bearer(token).send().await;
            answer.scim_error(401, None);
            answers.push((answer.body.clone(), answer.header("www-authenticate").map(str::to_owned)));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        let entries = log(&acme, "").await;
        let seen: Vec<_> = entries.iter().map(|entry| (text(entry, "error_code"), &entry["actor"]["id"])).collect();
        assert_eq!(seen, [("revoked", &taken["id"]), ("expired", &short["id"])]);
        assert_eq!(sentences(&entries), ["Refused the call: the token was revoked.", "Refused the call: the token has expired."]);
    }

    async fn an_oauth_client_is_named_as_the_sender(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let clients = format!("/api/v1/organizations/{}/scim/oauth-clients", acme.org);
        let body = json!({ "name": "Okta", "token_endpoint_auth_method": "client_secret_basic" });
        let client = app.post(&clients).operator().json(&body).send().await.expect(201).json();
        let basic = STANDARD.encode(format!("{}:{}", text(&client, "id"), text(&client, "secret")));
        let ask = app.post("/oauth/token").header("authorization", &format!("Basic {basic}"));
        let given = ask.form(&[("grant_type", "client_credentials"), ("scope", "scim")]).send().await.expect(200).json();
        let okta = Tenant { token: text(&given, "access_token").to_owned(), ..acme };
        okta.user("jo@acme.com").await;
        app.clock.advance(Duration::from_hours(2));
        okta.get("/Users").send().await.scim_error(401, None);
        let entries = log(&okta, "").await;
        assert_eq!(sentences(&entries), ["Refused the call: the token has expired.", "Added jo@acme.com."]);
        for entry in &entries {
            assert_eq!((&entry["actor"]["kind"], &entry["actor"]["id"]), (&json!("scim_client"), &client["id"]), "{client}");
        }
    }

    async fn no_other_organization_and_no_plain_member_sees_it(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        acme.user("jo@acme.com").await;
        other.user("kim@other.com").await;
        assert_eq!(sentences(&log(&acme, "").await), ["Added jo@acme.com."]);
        assert_eq!(sentences(&log(&other, "").await), ["Added kim@other.com."]);
        let entry = text(&log(&acme, "").await[0], "id").to_owned();
        let key = app.api_key(&other.org, &["scim:read"]).await;
        let logs = |org: &str| format!("/api/v1/organizations/{org}/scim/logs");
        app.get(&logs(&other.org)).bearer(&key).send().await.expect(200);
        app.get(&logs(&acme.org)).bearer(&key).send().await.problem(404, "not_found");
        app.get(&format!("{}/{entry}", logs(&other.org))).bearer(&key).send().await.problem(404, "not_found");
        app.get(&format!("{}/{entry}", logs(&acme.org))).bearer(&key).send().await.problem(404, "not_found");
        let foreign = format!("/api/v1/organizations/{}/domains/{}/scim/logs", other.org, acme.domain);
        app.get(&foreign).bearer(&key).send().await.problem(404, "not_found");
        let (_, member) = people::signed_in(&app, &acme.org, "plain@acme.com", "member").await;
        app.get(&logs(&acme.org)).session(&member).send().await.problem(403, "role_too_low");
        let (_, admin) = people::signed_in(&app, &acme.org, "admin@acme.com", "admin").await;
        app.get(&logs(&acme.org)).session(&admin).send().await.expect(200);
    }

    async fn a_domain_s_log_has_its_people_and_its_tokens(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lab = app.domain(&acme.org, "lab.test").await;
        acme.set(&format!("domains/{lab}"), &json!({ "scim_enabled": true })).await;
        let path = format!("/api/v1/organizations/{}/domains/{lab}/scim/token", acme.org);
        let bound = app.post(&path).operator().send().await.expect(201).json();
        acme.user("jo@acme.com").await;
        let kim = acme.user("kim@lab.test").await;
        acme.group("Everybody", &[&kim]).await;
        acme.get("/Users").query(&[("filter", "userName eq \"kim@lab.test\"")]).send().await.expect(200);
        acme.delete(&kim).send().await.expect(204);
        app.get("/scim/v2/Users").bearer(text(&bound, "token")).send().await.expect(200);
        let of = async |domain: &str| {
            let page = acme.rest(&format!("domains/{domain}/scim/logs?search=e")).await;
            let entries = page["data"].as_array().expect("a page").clone();
            entries.iter().map(|entry| text(entry, "summary").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            of(&lab).await,
            [
                "Listed people: 0 of 0.", "Deleted kim@lab.test.",
                "Looked for people with userName eq \"kim@lab.test\": found 1.", "Added kim@lab.test.",
            ]
        );
        assert_eq!(of(&acme.domain).await, ["Added jo@acme.com."]);
        assert_eq!(log(&acme, "").await.len(), 6);
    }

    async fn the_log_is_narrowed_and_paged(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let half = format!("/api/v1/organizations/{}/scim/logs?after=2026-01-31", acme.org);
        let refused = app.get(&half).operator().send().await.problem(400, "invalid_parameter");
        assert!(text(&refused, "detail").contains("2026-01-31T08:00:00Z"), "{refused}");
        acme.user("one@acme.com").await;
        app.clock.advance(Duration::from_secs(10));
        acme.user("two@acme.com").await;
        acme.post(&user("two@acme.com")).send().await.scim_error(409, Some("uniqueness"));
        app.clock.advance(Duration::from_secs(10));
        acme.group("Zwölf", &[]).await;
        acme.get("/Groups/none").send().await.scim_error(404, None);
        acme.get("/ServiceProviderConfig").send().await.expect(200);
        let number = async |query: &str| log(&acme, query).await.len();
        for (query, expected) in [
            ("", 6), ("&status=2xx", 4), ("&status=4xx", 2), ("&status=404,409", 2), ("&status=404", 1), ("&status=5xx", 0),
            ("&status=201,404", 4), ("&method=POST", 4), ("&method=get,delete", 2), ("&resource=user", 3),
            ("&resource=group,discovery", 3), ("&resource=user&status=4xx&method=POST", 1),
            ("&after=2026-11-18T13:46:50Z", 5), ("&before=2026-11-18T13:46:50Z", 1),
            ("&after=2026-11-18T13:46:50Z&before=2026-11-18T13:47:00Z", 2), ("&search=ZW%C3%B6LF", 1),
            ("&search=two@ACME", 2), ("&search=100%25", 0), ("&search=serviceprovider", 1), ("&search=on_@acme", 0),
        ] {
            assert_eq!(number(query).await, expected, "{query}");
        }
        let logs = format!("/api/v1/organizations/{}/scim/logs", acme.org);
        for (query, field) in [
            ("?status=6xx", "status"), ("?status=x", "status"), ("?method=%20G%20T", "method"), ("?resource=people", "resource"),
            ("?limit=0", "limit"), ("?limit=201", "limit"), ("?cursor=x", "cursor"),
        ] {
            let problem = app.get(&format!("{logs}{query}")).operator().send().await.expect(400).json();
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        }
        app.get(&format!("{logs}?after=yesterday")).operator().send().await.expect(400);

        let whole = log(&acme, "").await;
        let mut walked = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = acme.rest(&format!("scim/logs?limit=4{cursor}")).await;
            walked.extend(page["data"].as_array().expect("rows").clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole);
        let page = acme.rest("scim/logs?limit=1&status=4xx").await;
        let next = acme.rest(&format!("scim/logs?limit=1&status=4xx&cursor={}", text(&page, "next_cursor"))).await;
        assert_eq!((text(&page["data"][0], "summary") == text(&next["data"][0], "summary"), next.get("next_cursor")), (false, None));
    }

    async fn a_search_says_where_it_stopped(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let organization: OrganizationId = people::id(&acme.org);
        let services = app.services();
        let now = services.clock.now();
        let entry = |number: u64| ScimRequest {
            organization_id: organization,
            id: ScimRequestId::in_order(now, u32::try_from(number).expect("few"), &*services.random),
            created_at: now,
            duration_us: 1,
            method: "GET".to_owned(),
            path: "/scim/v2/Users".to_owned(),
            resource: ScimResource::User,
            status: Some(200),
            error_code: None,
            error: None,
            summary: if number == 0 { "A needle.".to_owned() } else { "Hay.".to_owned() },
            identity_provider: IdentityProvider::Unknown,
            actor_kind: "scim_token".to_owned(),
            actor_id: "sct_x".to_owned(),
            domain: None,
            ip: None,
            request_id: "x".to_owned(),
            request_headers: String::new(),
            request_body: None,
            request_bytes: 0,
            request_cut: false,
            response_body: None,
            response_bytes: 0,
            response_cut: false,
        };
        for start in (0..=WINDOW).step_by(1_000) {
            let batch: Vec<_> = (start..(start + 1_000).min(WINDOW + 1)).map(entry).collect();
            store::scim_requests::insert_all(&services.db, InstallationScope::established(), &batch).await.expect("a write");
        }
        let first = acme.rest("scim/logs?search=needle").await;
        assert_eq!(first["data"], json!([]));
        let second = acme.rest(&format!("scim/logs?search=needle&cursor={}", text(&first, "next_cursor"))).await;
        assert_eq!(sentences(second["data"].as_array().expect("rows")), ["A needle."]);
        assert!(second.get("next_cursor").is_none());
    }

    async fn old_entries_go(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.user("old@acme.com").await;
        app.clock.advance(Duration::from_hours(24 * 100));
        let token = app.scim_token(&acme.org).await;
        let acme = Tenant { token, ..acme };
        acme.user("young@acme.com").await;
        assert_eq!(log(&acme, "").await.len(), 2);
        assert_eq!(scim_requests::prune(app.services()).await.expect("pruned"), 0);
        app.clock.advance(Duration::from_hours(24 * 81));
        assert_eq!(scim_requests::prune(app.services()).await.expect("pruned"), 1);
        assert_eq!(sentences(&log(&acme, "").await), ["Added young@acme.com."]);
    }

    async fn what_waits_is_written_before_the_process_ends(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.user("jo@acme.com").await;
        let org = acme.org.clone();
        let again = TestApp::on(app.stop().await).await;
        let log = again.get(&format!("/api/v1/organizations/{org}/scim/logs")).operator().send().await.expect(200).json();
        assert_eq!(sentences(log["data"].as_array().expect("rows")), ["Added jo@acme.com."]);
    }

    async fn refusals_do_not_fill_the_log(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let token = acme.rest("scim").await["tokens"][0]["id"].clone();
        let tokens = format!("/api/v1/organizations/{}/scim/tokens/{}", acme.org, token.as_str().expect("an id"));
        app.delete(&tokens).operator().send().await.expect(204);
        for _ in 0..30 {
            acme.get("/Users").send().await.scim_error(401, None);
        }
        assert_eq!(log(&acme, "").await.len(), 10);
        let metrics = app.get(&app.metrics_url).send().await.expect(200).body;
        assert!(metrics.contains("postern_scim_log_dropped_total{reason=\"refusals\"} 20"), "{metrics}");
    }
}

/// While the store does not take the log, requests are answered as ever, a bounded number of entries waits, and the rest
/// is dropped and counted.
async fn a_store_that_is_stuck_holds_no_request_up(backend: Backend) {
    const CALLS: usize = 30;
    let database = Database::migrated(backend).await;
    let url = database.url().to_owned();
    let app = TestApp::builder().database(database).scim_log_waiting(4).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    // The use of the token is noted now, so that what follows only reads.
    acme.get("/Users").send().await.expect(200);
    assert_eq!(log(&acme, "").await.len(), 1);

    let other = postgres::connect(url).await;
    let held = other.begin().await.expect("a transaction");
    let hold = match backend {
        Backend::Sqlite => "DELETE FROM scim_requests WHERE method = 'none'",
        Backend::Postgres => "LOCK TABLE scim_requests IN EXCLUSIVE MODE",
    };
    held.execute_unprepared(hold).await.expect("held");
    for _ in 0..CALLS {
        acme.get("/Users").send().await.expect(200);
    }
    let dropped = usize::try_from(app.services().scim_log.dropped()).expect("few");
    assert!(dropped >= CALLS - 8, "{dropped} were dropped, though four may wait and four be under way");
    held.rollback().await.expect("let go");
    other.close().await.expect("closed");
    assert_eq!(log(&acme, "").await.len(), 1 + CALLS - dropped);
    let metrics = app.get(&app.metrics_url).send().await.expect(200).body;
    let line = format!("postern_scim_log_dropped_total{{reason=\"queue_full\"}} {dropped}");
    assert!(metrics.contains(&line), "{metrics}");
}

/// A client that hangs up while its call waits for a lock gets no answer; what became of the call is in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_is_noted() {
    let database = Database::migrated(Backend::Postgres).await;
    let url = database.url().to_owned();
    let app = TestApp::on(database).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    acme.get("/Users").send().await.expect(200);
    let other = postgres::connect(url).await;
    let held = other.begin().await.expect("a transaction");
    held.execute_unprepared("LOCK TABLE directory_users IN ACCESS EXCLUSIVE MODE").await.expect("held");
    let mut line = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    let body = user("jo@acme.com").to_string();
    let request = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        acme.token,
        body.len(),
    );
    line.write_all(request.as_bytes()).await.expect("sent");
    // Nothing tells that the call has begun to wait, but that a moment for an answer passes without one.
    let answer = tokio::time::timeout(Duration::from_millis(500), line.read_u8()).await;
    assert!(answer.is_err(), "answered in spite of the lock: {answer:?}");
    drop(line);
    held.rollback().await.expect("let go");
    other.close().await.expect("closed");
    // Not over REST, whose limits a loop would use up.
    let (services, organization) = (app.services(), people::id(&acme.org));
    let filter = ScimRequestFilter { methods: vec!["POST".to_owned()], ..ScimRequestFilter::default() };
    let noted = async {
        loop {
            let ctx = Ctx::system(services.clock.now());
            let page = scim_requests::list(services, &ctx, organization, &filter, None, 1).await;
            if let Some(entry) = page.expect("a page").entries.pop() {
                return entry;
            }
        }
    };
    let entry = tokio::time::timeout(Duration::from_secs(20), noted).await.expect("an entry");
    assert_eq!((entry.summary.as_str(), entry.status), ("Added jo@acme.com.", Some(201)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_sqlite_holds_no_request_up() {
    a_store_that_is_stuck_holds_no_request_up(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_postgres_holds_no_request_up() {
    a_store_that_is_stuck_holds_no_request_up(Backend::Postgres).await;
}

#[tokio::test]
async fn without_retention_there_is_no_log() {
    let app = TestApp::builder().config("[scim]\nlog_days = 0\n").start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    acme.user("jo@acme.com").await;
    assert_eq!(log(&acme, "").await, Vec::<Value>::new());
}
