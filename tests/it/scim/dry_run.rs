//! The dry run: a captured call is told what would become of it, a real one then becomes just that, and nothing at all
//! was changed in between.

use std::time::Duration;

use postern::store::{self, Conn as _};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Map, Value, json};

use super::{ENTERPRISE, GROUP, PATCH, Tenant, USER, user};
use crate::support::app::{Answer, Call, TestApp, on_both, text};
use crate::support::people::{self, signed_in};

impl Tenant<'_> {
    fn captured(&self, call: &Value) -> Call {
        let path = format!("/api/v1/organizations/{}/scim/dry-run", self.org);
        self.app.post(&path).operator().json(call)
    }

    async fn dry(&self, method: &str, path: &str, body: &Value) -> Value {
        let call = json!({ "method": method, "path": path, "body": body });
        self.captured(&call).send().await.expect(200).json()
    }

    /// Everything that the database holds, table by table.
    async fn everything(&self) -> Vec<(String, Vec<String>)> {
        // Reading over REST waits for the writer of the log, and numbers events.
        self.rest("scim/logs?limit=1").await;
        self.events().await;
        let db = &self.app.services().db;
        let backend = if db.is_sqlite() { DbBackend::Sqlite } else { DbBackend::Postgres };
        let rows = async |sql: String| -> Vec<String> {
            let rows = db.inner().query_all_raw(Statement::from_string(backend, sql)).await.expect("a read");
            rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
        };
        let tables = match backend {
            DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            _ => {
                "SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
            }
        };
        let mut all = Vec::new();
        for table in rows(tables.to_owned()).await {
            let sql = if backend == DbBackend::Sqlite {
                let columns = rows(format!("SELECT name FROM pragma_table_info('{table}')")).await;
                let quoted: Vec<String> = columns.iter().map(|name| format!("quote(\"{name}\")")).collect();
                format!("SELECT {} AS row FROM \"{table}\" ORDER BY 1", quoted.join(" || ',' || "))
            } else {
                format!("SELECT to_jsonb(one)::TEXT FROM \"{table}\" AS one ORDER BY 1")
            };
            all.push((table, rows(sql).await));
        }
        assert!(all.len() > 20, "these are not all tables: {all:?}");
        all
    }

    /// Rehearses a call, sees that it changed nothing, then makes it for real and sees that it comes to the same; gives
    /// what was foretold and what was answered.
    async fn both(&self, method: &str, path: &str, body: &Value) -> (Value, Answer) {
        let (before, known) = (self.everything().await, self.events().await.len());
        let told = self.dry(method, path, body).await;
        assert_eq!(self.everything().await, before, "{method} {path} was only rehearsed: {told}");

        let method = method.parse().expect("a method");
        let call = self.app.call(method, path).bearer(&self.token);
        let answer = if body.is_null() { call } else { call.scim(body) }.send().await;
        assert_eq!(told["answer"]["status"], answer.status, "{path}: {told} {answer:?}");
        let real: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let content = &told["answer"]["body"]["content"];
        assert_eq!(lasting(content), lasting(&real), "{path}: {told}");
        let kinds: Vec<&str> =
            told["events"].as_array().expect("events").iter().map(|event| text(event, "kind")).collect();
        assert_eq!(kinds, self.events().await[known..], "{path}");
        assert_eq!(told["answer"]["location"].is_string(), answer.header("location").is_some(), "{path}");
        (told, answer)
    }
}

/// Without what differs each time: ids, times, versions, addresses.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                !["id", "meta", "location", "version", "value", "$ref"].contains(&name.as_str())
            })
            .map(|(name, value)| (name.clone(), lasting(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(lasting).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn said<'v>(told: &'v Value, list: &str, name: &str) -> Vec<&'v str> {
    told[list].as_array().expect("a list").iter().map(|one| text(one, name)).collect()
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

on_both! {
    async fn nothing_changes_and_the_real_call_comes_to_the_same(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        // Entra's first push, with everything odd about it.
        let entra = json!({
            "schemas": [USER, ENTERPRISE], "externalId": "0a21", "userName": "Jo@acme.com", "active": "True",
            "emails": [{ "primary": true, "type": "work", "value": "jo@acme.com" }], "meta": { "resourceType": "User" },
            "name": { "formatted": "Jo Doe", "familyName": "Doe", "givenName": "Jo" }, "roles": [], "department": null,
            "favourite": "blue", "password": "hidden",
        });
        let (told, made) = acme.both("POST", "/scim/v2/Users", &entra).await;
        assert_eq!(told["summary"], "Would add Jo@acme.com.");
        assert_eq!(
            said(&told, "effects", "summary"),
            [
                "jo@acme.com would become a member with the role member.",
                "The directory user Jo@acme.com would be created and stand for a new member.",
            ]
        );
        assert_eq!(
            told["effects"][0]["because"],
            "The address is on acme.com, a verified domain that the directory speaks for."
        );
        let remarks = said(&told, "remarks", "code");
        for code in ["unknown_attribute_ignored", "read_tolerantly", "write_only_dropped", "refused_in_profile"] {
            assert!(remarks.contains(&code), "{code}: {told}");
        }
        assert!(!told.to_string().contains("hidden"), "{told}");
        let jo = made.id();

        let (told, _) = acme.both("POST", "/scim/v2/Users", &user("JO@acme.com")).await;
        assert_eq!(told["answer"]["error_code"], "uniqueness");
        assert!(text(&told, "summary").starts_with("Would refuse to add JO@acme.com: Another user"), "{told}");
        let one = format!("/scim/v2/Users/{jo}");
        let rename = patch(&json!([
            { "op": "Replace", "path": "name.familyName", "value": "Day" },
            { "op": "Add", "path": "nickName", "value": "Babs" },
        ]));
        let (told, _) = acme.both("PATCH", &one, &rename).await;
        assert_eq!(told["summary"], "Would change name.familyName and nickName of Jo@acme.com.");
        assert!(said(&told, "effects", "summary").contains(&"The member jo@acme.com would change in family_name."), "{told}");
        let (told, _) = acme.both("PATCH", &one, &rename).await;
        assert!(said(&told, "remarks", "code").contains(&"nothing_changes"), "{told}");
        assert!(text(&told, "summary").ends_with("change nothing by it."), "{told}");
        acme.both("PUT", &one, &user("jo@acme.com")).await;
        let (told, _) = acme.both("PATCH", &one, &patch(&json!([{ "op": "replace", "path": "shoeSize", "value": 1 }]))).await;
        assert_eq!(told["answer"]["error_code"], "invalidPath");

        let kim = acme.user("kim@acme.com").await;
        let engineering = json!({ "schemas": [GROUP], "displayName": "Engineering", "members": [{ "value": jo }] });
        let (_, made) = acme.both("POST", "/scim/v2/Groups", &engineering).await;
        let group = format!("/scim/v2/Groups/{}", made.id());
        let add = patch(&json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": kim }] }]));
        let (told, _) = acme.both("PATCH", &group, &add).await;
        assert_eq!(told["summary"], "Would add 1 person to Engineering.");
        assert_eq!(said(&told, "effects", "summary"), ["1 person would come into the group Engineering."]);
        let strangers = patch(&json!([{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }]));
        let (told, _) = acme.both("PATCH", &group, &strangers).await;
        assert_eq!(told["answer"]["error_code"], "invalidValue");

        // Okta: a look-up, then a deactivation without a path.
        let (told, _) = acme.both("GET", "/scim/v2/Users?filter=userName%20eq%20%22jo@acme.com%22", &Value::Null).await;
        assert_eq!(told["summary"], "Would look for people with userName eq \"jo@acme.com\": found 1.");
        people::session(&app, &acme.org, text(&acme.member("jo@acme.com").await.expect("a member"), "user_id")).await;
        let off = patch(&json!([{ "op": "replace", "value": { "active": false } }]));
        let (told, _) = acme.both("PATCH", &one, &off).await;
        assert_eq!(told["summary"], "Would deactivate jo@acme.com.");
        let effects = said(&told, "effects", "summary");
        assert!(effects.contains(&"The member jo@acme.com (member) would lose access."), "{told}");
        assert!(effects.contains(&"1 session of jo@acme.com would be ended."), "{told}");

        // Bulk: several transactions, references, people who manage each other, and one that fails.
        let manager = |of: &str| json!({ "manager": { "value": format!("bulkId:{of}") } });
        let managed = |name: &str, of: &str| {
            let mut one = user(name);
            one[ENTERPRISE] = manager(of);
            one
        };
        let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": {
                "schemas": [GROUP], "displayName": "New", "members": [{ "value": "bulkId:a" }, { "value": "bulkId:b" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": managed("ann@acme.com", "b") },
            { "method": "POST", "path": "/Users", "bulkId": "b", "data": managed("bob@acme.com", "a") },
            { "method": "POST", "path": "/Users", "bulkId": "c", "data": user("ann@acme.com") },
            { "method": "DELETE", "path": format!("/Users/{kim}") },
        ]});
        let (told, _) = acme.both("POST", "/scim/v2/Bulk", &bulk).await;
        assert_eq!(told["summary"], "Would do 5 operations in one call, of which 1 failed.");

        acme.both("DELETE", &one, &Value::Null).await;
        acme.both("DELETE", &one, &Value::Null).await;
        acme.both("DELETE", &group, &Value::Null).await;
        for (method, path) in [
            ("GET", "/scim/v2/Userz"), ("POST", "/scim/v2/Schemas"), ("GET", "/scim/v2/Me"), ("GET", "/scim/v2/Users?filter=nope"),
            ("GET", "/scim/v2/ResourceTypes"), ("GET", "/scim/v2/Users/1"),
        ] {
            acme.both(method, path, &Value::Null).await;
        }
    }

    async fn effects_name_their_reasons(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        // On a foreign domain: refused, with the domains that are allowed; or held.
        let told = acme.dry("POST", "/Users", &user("jo@elsewhere.com")).await;
        assert_eq!(told["answer"]["status"], 400);
        assert!(text(&told["answer"], "error").contains("Allowed domains: acme.com."), "{told}");
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let told = acme.dry("POST", "/Users", &user("jo@elsewhere.com")).await;
        assert!(text(&told["effects"][0], "because").contains("foreign_addresses is hold"), "{told}");
        assert_eq!(told["assumed"]["foreign_addresses"], "hold");

        // A member who is there is adopted, an invite taken up.
        acme.add_member("ada@acme.com", "admin").await;
        let told = acme.dry("POST", "/Users", &user("ada@acme.com")).await;
        assert!(said(&told, "effects", "summary").iter().any(|said| said.contains("the member who is there already")), "{told}");
        let invite = json!({ "email": "guest@acme.com", "role": "admin" });
        app.post(&format!("/api/v1/organizations/{}/invites", acme.org)).operator().json(&invite).send().await.expect(201);
        let told = acme.dry("POST", "/Users", &user("guest@acme.com")).await;
        let effects = said(&told, "effects", "summary");
        assert!(effects.contains(&"The pending invite to guest@acme.com would be taken up, with its role."), "{told}");
        assert!(effects.contains(&"guest@acme.com would become a member with the role admin."), "{told}");

        // A role by a group, and its loss.
        let jo = acme.user("jo@acme.com").await;
        let group = acme.group("Leads", &[]).await;
        let groups = acme.rest("groups?limit=10").await;
        let mapping = json!({ "mappings": [{ "group_id": groups["data"][0]["id"], "role": "admin" }] });
        let path = format!("/api/v1/organizations/{}/scim/role-mappings", acme.org);
        app.put(&path).operator().json(&mapping).send().await.expect(200);
        let add = patch(&json!([{ "op": "add", "path": "members", "value": [{ "value": jo }] }]));
        let told = acme.dry("PATCH", &format!("/Groups/{group}"), &add).await;
        let changed = told["effects"].as_array().expect("effects").iter().find(|effect| effect["action"] == "role_changed");
        let changed = changed.expect("a role");
        assert_eq!(changed["summary"], "The member jo@acme.com would be admin instead of member.");
        assert_eq!(changed["because"], "The role mapping gives admin to the members of Leads.");
        assert_eq!(acme.member("jo@acme.com").await.expect("a member")["role"], "member");

        // The last owner goes too, and is told so.
        let (_, owner) = signed_in(&app, &acme.org, "owner@acme.com", "owner").await;
        let made = acme.user("owner@acme.com").await;
        let told = acme.dry("DELETE", &format!("/Users/{made}"), &Value::Null).await;
        let effects = said(&told, "effects", "summary");
        assert!(effects.contains(&"The member owner@acme.com (owner) would lose access."), "{told}");
        assert!(effects.contains(&"The organization would have no owner."), "{told}");
        app.get("/api/v1/me").session(&owner).send().await.expect(200);

        // An administrator's word stands.
        let ada = acme.user("ada@acme.com").await;
        acme.active(&ada, false).await;
        let member = acme.member("ada@acme.com").await.expect("a member");
        acme.set(&format!("members/{}", text(&member, "user_id")), &json!({ "active": false })).await;
        let on = patch(&json!([{ "op": "replace", "path": "active", "value": true }]));
        let told = acme.dry("PATCH", &format!("/Users/{ada}"), &on).await;
        let first = &told["effects"][0];
        assert!(text(first, "summary").ends_with("but the person stays out."), "{told}");
        assert!(text(first, "because").starts_with("An administrator deactivated"), "{told}");

        // Nobody new comes in by SCIM where people are let in by hand.
        acme.set("", &json!({ "provisioning_mode": "manual" })).await;
        let told = acme.dry("POST", "/Users", &user("new@acme.com")).await;
        assert_eq!(told["answer"]["status"], 403);
        assert!(said(&told, "remarks", "code").contains(&"manual_provisioning"), "{told}");
        acme.speaks(false).await;
        let told = acme.dry("POST", "/Users", &user("new@acme.com")).await;
        assert!(said(&told, "remarks", "code").contains(&"no_domain"), "{told}");
    }

    async fn what_the_call_is_taken_for_is_said(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let token = acme.rest("scim").await["tokens"][0]["id"].clone();
        let told = acme.dry("GET", "/Users", &Value::Null).await;
        assert_eq!((&told["assumed"]["credential_kind"], &told["assumed"]["credential_id"]), (&json!("scim_token"), &token));
        assert_eq!(told["assumed"]["domains"], json!(["acme.com"]));

        // A token of one domain reaches the people on it and no groups.
        let bound = json!({ "method": "GET", "path": "/Groups", "domain_id": acme.domain });
        let told = acme.captured(&bound).send().await.expect(200).json();
        assert_eq!((&told["answer"]["status"], &told["assumed"]["bound_to_domain"]), (&json!(403), &json!("acme.com")));

        // A token that opens nothing: the reason, which the answer itself does not tell.
        let path = format!("/api/v1/organizations/{}/scim/tokens/{}", acme.org, token.as_str().expect("an id"));
        app.delete(&path).operator().send().await.expect(204);
        let by_token = json!({ "method": "POST", "path": "/Users", "body": user("jo@acme.com"), "token_id": token });
        let told = acme.captured(&by_token).send().await.expect(200).json();
        assert_eq!(told["answer"]["status"], 401);
        assert_eq!(told["summary"], "Would refuse the call: This SCIM token was revoked.");
        assert!(said(&told, "remarks", "code").contains(&"credential_refused"), "{told}");
        assert!(told["events"].as_array().expect("events").is_empty());
        let told = acme.dry("POST", "/Users", &user("jo@acme.com")).await;
        assert_eq!(told["answer"]["status"], 201);
        assert!(said(&told, "remarks", "code").contains(&"no_credential"), "{told}");
        assert!(told["assumed"].get("credential_id").is_none(), "{told}");

        let strange = json!({ "method": "GET", "path": "/Users", "token_id": "sct_01h455vb4pex5vsknk084sn02q" });
        acme.captured(&strange).send().await.problem(400, "invalid_request");
        let two = json!({ "method": "GET", "path": "/Users", "token_id": token, "domain_id": acme.domain });
        acme.captured(&two).send().await.problem(400, "invalid_request");
        let other = Tenant::new(&app, "Other", "other.com").await;
        let foreign = json!({ "method": "GET", "path": "/Users", "domain_id": other.domain });
        acme.captured(&foreign).send().await.problem(400, "invalid_request");
    }

    async fn calls_are_read_as_they_are_captured(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.user("jo@acme.com").await;
        let whole = format!("{}/scim/v2/Users?filter=userName eq \"jo@acme.com\"", app.url);
        let told = acme.dry("get", &whole, &Value::Null).await;
        assert_eq!(told["answer"]["body"]["content"]["totalResults"], 1);
        assert_eq!(said(&told, "remarks", "code"), ["path_encoded"]);
        for (path, remark) in [
            ("/scim/Users", "not_below_base"),
            ("/scim/v1/Users", "not_below_base"),
            ("https://elsewhere.test/scim/v2/Users", "other_host"),
            ("Users", "path_completed"),
        ] {
            let told = acme.dry("GET", path, &Value::Null).await;
            assert_eq!(told["answer"]["status"] == 404, remark == "not_below_base", "{path}: {told}");
            assert!(said(&told, "remarks", "code").contains(&remark), "{path}: {told}");
        }
        let broken = acme.dry("POST", "/Users", &json!("{\"userName\": ")).await;
        assert_eq!((&broken["answer"]["status"], &broken["answer"]["error_code"]), (&json!(400), &json!("invalidSyntax")));
        let sent = json!({ "method": "POST", "path": "/Users", "body": user("kim@acme.com").to_string(), "headers": {
            "Content-Type": "text/plain", "Authorization": format!("Bearer {}", acme.token) } });
        let told = acme.captured(&sent).send().await.expect(200).json();
        assert_eq!(told["answer"]["status"], 415, "{told}");
        assert!(said(&told, "remarks", "code").contains(&"authorization_ignored"), "{told}");
        assert!(!told.to_string().contains(&acme.token) && !told.to_string().contains("text/plain"), "{told}");
        let jo = acme.get("/Users?filter=userName%20eq%20%22jo@acme.com%22").send().await.json()["Resources"][0]["id"].clone();
        let stale = json!({ "method": "DELETE", "path": format!("/Users/{}", jo.as_str().expect("an id")),
            "headers": { "if-match": "W/\"99\"" } });
        assert_eq!(acme.captured(&stale).send().await.expect(200).json()["answer"]["status"], 412);
        for wrong in [
            json!({ "method": "P Q", "path": "/Users" }), json!({ "method": "GET", "path": "" }),
            json!({ "method": "GET", "path": "/Users", "headers": { "content-type": "a\nb" } }),
        ] {
            acme.captured(&wrong).send().await.problem(400, "invalid_request");
        }
        for wrong in [json!({ "method": "GET", "path": "/Users", "as": "x" }), json!({ "path": "/Users" })] {
            acme.captured(&wrong).send().await.problem(400, "invalid_body");
        }
        // The log is of real calls.
        let logged = acme.rest("scim/logs?limit=50").await;
        let logged = logged["data"].as_array().expect("a page").clone();
        assert!(logged.iter().all(|entry| entry["method"] != "DELETE" && entry["status"] != 415), "{logged:?}");
    }

    async fn whoever_drops_a_rehearsal_leaves_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let before = acme.everything().await;
        let services = app.services();
        for half_way in [false, true] {
            let second = Duration::from_secs(1);
            let rehearsal = services.db.rehearse(second, second).await.expect("a stage");
            let db = rehearsal.db().clone();
            let scope = postern::model::tenant::TenantScope::established(people::id(&acme.org));
            let tx = db.begin().await.expect("a transaction");
            let mut row = store::organizations::find(&tx, scope).await.expect("a read").expect("a row");
            row.name = "Rehearsed".to_owned();
            store::organizations::update(&tx, scope, row).await.expect("a write");
            if half_way {
                drop(rehearsal);
                assert!(tx.commit().await.is_err(), "the rehearsal is over");
            } else {
                tx.commit().await.expect("on the stage");
                let seen = store::organizations::find(&db, scope).await.expect("a read").expect("a row");
                assert_eq!(seen.name, "Rehearsed", "it lasts as long as the rehearsal");
                let taken_back = db.begin().await.expect("a transaction");
                let mut row = store::organizations::find(&taken_back, scope).await.expect("a read").expect("a row");
                row.name = "Again".to_owned();
                store::organizations::update(&taken_back, scope, row).await.expect("a write");
                drop(taken_back);
                let seen = store::organizations::find(&db, scope).await.expect("a read").expect("a row");
                assert_eq!(seen.name, "Rehearsed", "what is dropped is undone");
                rehearsal.end().await.expect("rolled back");
            }
            assert!(db.begin().await.is_err() && store::organizations::find(&db, scope).await.is_err());
        }
        // The connection is good for others.
        acme.set("", &json!({ "name": "Acme" })).await;
        assert_eq!(acme.everything().await.len(), before.len());
    }
}

/// Somebody else holds what the call would change: the dry run gives way, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gives_way_to_whoever_changes_the_same() {
    use crate::support::database::{Backend, Database};
    let app = TestApp::on(Database::migrated(Backend::Postgres).await).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let jo = acme.user("jo@acme.com").await;
    let (db, scope) =
        (&app.services().db, postern::model::tenant::TenantScope::established(people::id(&acme.org)));
    let directory = store::directories::find(db, scope).await.expect("a read").expect("a row").id;
    let tx = db.begin().await.expect("a transaction");
    let id = postern::model::id::DirectoryUserId::from_bare(&jo).expect("an id");
    store::directory_users::lock(&tx, scope, directory, id).await.expect("a lock").expect("a row");
    let call = json!({ "method": "DELETE", "path": format!("/Users/{jo}") });
    acme.captured(&call).send().await.problem(503, "dry_run_hindered");
    drop(tx);
    assert_eq!(acme.captured(&call).send().await.expect(200).json()["answer"]["status"], 204);
    acme.get(&format!("/Users/{jo}")).send().await.expect(200);
}
