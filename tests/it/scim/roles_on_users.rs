//! Roles that the directory says of a user: `/Roles`, `roles`, and what they set.

use serde_json::{Value, json};

use super::{LIST, Tenant, user};
use crate::support::app::{TestApp, on_both, text};
use crate::support::people::signed_in;

const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";

impl<'a> Tenant<'a> {
    /// One whose directory heeds the roles of users.
    async fn heeding(app: &'a TestApp) -> Self {
        let acme = Tenant::new(app, "Acme", "acme.com").await;
        acme.heed(true).await;
        acme
    }

    async fn heed(&self, heeds: bool) {
        self.set("scim", &json!({ "roles_on_users": heeds })).await;
    }

    /// A user of whom the directory says these roles; gives its id.
    async fn user_with(&self, name: &str, roles: &[&str]) -> String {
        let mut body = user(name);
        body["roles"] = roles.iter().map(|role| json!({ "value": role, "display": "as sent" })).collect();
        self.post(&body).send().await.expect(201).id()
    }

    /// The role of a member and where it comes from.
    async fn standing(&self, address: &str) -> (String, String) {
        let member = self.member(address).await.expect("a member");
        (text(&member, "role").to_owned(), text(&member, "role_source").to_owned())
    }

    async fn say(&self, id: &str, operations: &Value) -> Value {
        self.patch(id, operations).send().await.expect(200).json()
    }
}

fn own(role: &str) -> (String, String) {
    (role.to_owned(), "own".to_owned())
}

fn given(role: &str) -> (String, String) {
    (role.to_owned(), "groups".to_owned())
}

fn ids(list: &Value) -> Vec<&str> {
    list["Resources"].as_array().expect("resources").iter().map(|role| text(role, "id")).collect()
}

on_both! {
    async fn roles_are_announced_where_they_are_heeded(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.get("/Roles").send().await.scim_error(404, None);
        acme.get("/Roles/admin").send().await.scim_error(404, None);
        acme.get("/ResourceTypes/Role").send().await.scim_error(404, None);
        let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
        let none = acme.send("POST", "/.search", &search).send().await.expect(200).json();
        assert_eq!(none["totalResults"], 0, "what has no effect is not found");
        let types = acme.get("/ResourceTypes").send().await.expect(200).json();
        assert_eq!(types["totalResults"], 2);
        acme.heed(true).await;
        let role_type = acme.get("/ResourceTypes/Role").send().await.expect(200).json();
        assert_eq!((&role_type["endpoint"], &role_type["schema"]), (&json!("/Roles"), &json!(ROLE)));
        let schema = acme.get(&format!("/Schemas/{ROLE}")).send().await.expect(200).json();
        assert_eq!(schema["attributes"][0]["name"], "displayName");
        let list = acme.get("/Roles").send().await.expect(200).json();
        assert_eq!((&list["schemas"], &list["totalResults"]), (&json!([LIST]), &json!(2)));
        assert_eq!(ids(&list), ["member", "admin"], "never the owner");
        let admin = acme.get("/Roles/admin").send().await.expect(200).json();
        assert_eq!((&admin["schemas"], &admin["id"], &admin["displayName"]), (&json!([ROLE]), &json!("admin"), &json!("Admin")));
        assert_eq!(admin["meta"]["location"], format!("{}/scim/v2/Roles/admin", app.url));
        assert_eq!(list["Resources"][1], admin);
        for (query, expected) in [
            ("filter=displayName%20eq%20%22ADMIN%22", vec!["admin"]),
            ("filter=id%20eq%20%22owner%22", vec![]),
            ("sortBy=displayName", vec!["admin", "member"]),
            ("sortBy=displayName&sortOrder=descending", vec!["member", "admin"]),
            ("startIndex=2&count=1", vec!["admin"]),
            ("startIndex=3", vec![]),
            ("startIndex=18446744073709551615&count=9", vec![]),
            ("count=0", vec![]),
            ("cursor=&count=1", vec!["member"]),
            ("cursor=1&count=1", vec!["admin"]),
        ] {
            let page = acme.get(&format!("/Roles?{query}")).send().await.expect(200).json();
            assert_eq!(ids(&page), expected, "{query}");
        }
        let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": ["displayName"] });
        let found = acme.send("POST", "/Roles/.search", &search).send().await.expect(200).json();
        assert_eq!(found["Resources"][0], json!({ "schemas": [ROLE], "id": "member", "displayName": "Member" }));
        // A search at the root finds them behind users and groups, on whatever page.
        acme.user("jo@acme.com").await;
        acme.group("Leads", &[]).await;
        let root = |more: Value| {
            let mut search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
            search.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            acme.send("POST", "/.search", &search)
        };
        let all = root(json!({})).send().await.expect(200).json();
        assert_eq!((all["totalResults"].as_u64(), &ids(&all)[2..]), (Some(4), ["member", "admin"].as_slice()), "{all}");
        let last = root(json!({ "startIndex": 4, "count": 5 })).send().await.expect(200).json();
        assert_eq!((ids(&last), last["totalResults"].as_u64()), (vec!["admin"], Some(4)), "{last}");
        let named = root(json!({ "filter": "displayName eq \"Admin\"", "attributes": ["id"] })).send().await.expect(200).json();
        assert_eq!(named["Resources"], json!([{ "schemas": [ROLE], "id": "admin" }]));
        let (mut cursor, mut walked) = (String::new(), Vec::new());
        loop {
            let page = root(json!({ "cursor": cursor, "count": 1 })).send().await.expect(200).json();
            walked.extend(ids(&page).into_iter().map(str::to_owned));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(walked, ids(&all));
        let logged = acme.rest("scim/logs?resource=role&limit=50").await;
        let told: Vec<&str> = logged["data"].as_array().expect("a page").iter().map(|entry| text(entry, "summary")).collect();
        assert!(told.contains(&"Listed roles: 2 of 2.") || told.contains(&"Listed roles."), "{told:?}");
        assert!(told.contains(&"Read the role admin."), "{told:?}");
        acme.get("/Roles?cursor=x").send().await.scim_error(400, Some("invalidCursor"));
        acme.get("/Roles?filter=nothing%20eq%201").send().await.scim_error(400, Some("invalidFilter"));
        acme.get("/Roles/owner").send().await.scim_error(404, None);
        for (method, path) in [("POST", "/Roles"), ("PUT", "/Roles/admin"), ("PATCH", "/Roles/admin"), ("DELETE", "/Roles/admin")] {
            let refused = acme.send(method, path, &json!({ "schemas": [ROLE], "displayName": "Boss" })).send().await;
            assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{method}");
            refused.scim_error(405, None);
        }
    }

    async fn a_role_follows_what_is_said_of_the_user(app: TestApp) {
        let acme = Tenant::heeding(&app).await;
        let jo = acme.user_with("jo@acme.com", &["admin"]).await;
        assert_eq!(acme.standing("jo@acme.com").await, given("admin"));
        let kim = acme.user("kim@acme.com").await;
        assert_eq!(acme.standing("kim@acme.com").await, own("member"));
        // By PATCH in its forms, the highest wins, and taken away with the word.
        acme.say(&kim, &json!([{ "op": "add", "path": "roles", "value": [{ "value": "member" }, { "value": "Admin" }] }])).await;
        assert_eq!(acme.standing("kim@acme.com").await, given("admin"));
        acme.say(&kim, &json!([{ "op": "remove", "path": "roles[value eq \"admin\"]" }])).await;
        assert_eq!(acme.standing("kim@acme.com").await, own("member"));
        acme.say(&kim, &json!([{ "op": "replace", "value": { "roles": [{ "value": "admin", "primary": true }] } }])).await;
        assert_eq!(acme.standing("kim@acme.com").await, given("admin"));
        acme.say(&kim, &json!([{ "op": "remove", "path": "roles" }])).await;
        assert_eq!(acme.standing("kim@acme.com").await, own("member"));
        // By PUT, with and without.
        let mut body = user("jo@acme.com");
        acme.put(&jo, &body).send().await.expect(200);
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        body["roles"] = json!([{ "value": "admin" }]);
        acme.put(&jo, &body).send().await.expect(200);
        assert_eq!(acme.standing("jo@acme.com").await, given("admin"));
        // What names no role is kept and sets nothing; the owner's is no IdP's to give.
        let words = ["owner", "Administrator", "x".repeat(300).as_str(), "член"].map(|word| json!({ "value": word }));
        let shown = acme.say(&jo, &json!([{ "op": "replace", "path": "roles", "value": words }])).await;
        assert_eq!(shown["roles"], json!(words));
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        // Out and in again.
        acme.say(&jo, &json!([{ "op": "replace", "path": "roles", "value": [{ "value": "admin" }] }])).await;
        acme.active(&jo, false).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.standing("jo@acme.com").await, given("admin"));
        acme.active(&jo, false).await;
        acme.say(&jo, &json!([{ "op": "remove", "path": "roles" }])).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        assert!(acme.events().await.contains(&"member.role_changed".to_owned()));
    }

    async fn roles_and_groups_stand_beside_each_other(app: TestApp) {
        let acme = Tenant::heeding(&app).await;
        let jo = acme.user_with("jo@acme.com", &["admin"]).await;
        acme.group("Admins", &[&jo]).await;
        let groups = acme.rest("groups").await;
        let mappings = format!("/api/v1/organizations/{}/scim/role-mappings", acme.org);
        let to = |role: &str| json!({ "mappings": [{ "group_id": groups["data"][0]["id"], "role": role }] });
        app.put(&mappings).operator().json(&to("admin")).send().await.expect(200);
        acme.say(&jo, &json!([{ "op": "remove", "path": "roles" }])).await;
        assert_eq!(acme.standing("jo@acme.com").await, given("admin"), "the group still gives it");
        acme.say(&jo, &json!([{ "op": "add", "path": "roles", "value": [{ "value": "admin" }] }])).await;
        // A look ahead knows that the word stays.
        let preview = app.post(&format!("{mappings}/preview")).operator().json(&to("member")).send().await.expect(200).json();
        assert_eq!((&preview["raised"], &preview["lowered"]), (&json!(0), &json!(0)), "{preview}");
        app.put(&mappings).operator().json(&to("member")).send().await.expect(200);
        assert_eq!(acme.standing("jo@acme.com").await, given("admin"), "the word still gives it");
        let member = acme.member("jo@acme.com").await.expect("a member");
        let path = format!("/api/v1/organizations/{}/members/{}", acme.org, text(&member, "user_id"));
        app.patch(&path).operator().json(&json!({ "role": "member" })).send().await.problem(409, "managed_by_directory");
    }

    async fn owners_own_roles_and_strangers_are_untouched(app: TestApp) {
        let acme = Tenant::heeding(&app).await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        acme.add_member("boss@acme.com", "owner").await;
        acme.add_member("hand@acme.com", "admin").await;
        let boss = acme.user_with("boss@acme.com", &["member"]).await;
        let hand = acme.user_with("hand@acme.com", &["admin"]).await;
        for id in [&boss, &hand] {
            acme.say(id, &json!([{ "op": "remove", "path": "roles" }])).await;
        }
        assert_eq!((acme.standing("boss@acme.com").await, acme.standing("hand@acme.com").await), (own("owner"), own("admin")));
        // Somebody held gets the role with the membership; one whom the directory no longer speaks for is not lifted.
        let held = acme.user_with("later", &["admin"]).await;
        acme.say(&held, &json!([{ "op": "replace", "path": "userName", "value": "later@acme.com" }])).await;
        assert_eq!(acme.standing("later@acme.com").await, given("admin"));
        let jo = acme.user("jo@acme.com").await;
        acme.speaks(false).await;
        acme.patch(&jo, &json!([{ "op": "add", "path": "roles", "value": [{ "value": "admin" }] }])).send().await.expect(200);
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
    }

    async fn users_of_a_bulk_request_get_theirs(app: TestApp) {
        let acme = Tenant::heeding(&app).await;
        let operation = |id: &str, manager: &str, roles: &[&str]| {
            let mut data = user(&format!("{id}@acme.com"));
            data["roles"] = roles.iter().map(|role| json!({ "value": role })).collect();
            data[super::ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{manager}") } });
            json!({ "method": "POST", "path": "/Users", "bulkId": id, "data": data })
        };
        // Each is the other's manager: made in one transaction.
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [operation("jo", "kim", &["admin"]), operation("kim", "jo", &[])],
        });
        let done = acme.send("POST", "/Bulk", &body).send().await.expect(200).json();
        assert!(done["Operations"].as_array().expect("operations").iter().all(|one| one["status"] == "201"), "{done}");
        assert_eq!((acme.standing("jo@acme.com").await, acme.standing("kim@acme.com").await), (given("admin"), own("member")));
    }

    async fn nobody_is_missed_while_it_is_switched(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(acme.user(&format!("p{n}@acme.com")).await);
        }
        let admin = json!([{ "op": "add", "path": "roles", "value": [{ "value": "admin" }] }]);
        for heeds in [true, false, true] {
            let role = if heeds { given("admin") } else { own("member") };
            let said = async || {
                futures_util::future::join_all(ids.iter().map(|id| async {
                    let none = json!([{ "op": "remove", "path": "roles" }]);
                    acme.patch(id, &none).send().await.expect(200);
                    acme.patch(id, &admin).send().await.expect(200);
                })).await
            };
            tokio::join!(said(), acme.heed(heeds));
            for n in 0..6 {
                assert_eq!(acme.standing(&format!("p{n}@acme.com")).await, role, "p{n}, heeded {heeds}");
            }
        }
    }

    async fn nothing_is_set_until_an_owner_says_so(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user_with("jo@acme.com", &["admin"]).await;
        acme.user_with("kim@acme.com", &["nobody"]).await;
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        assert_eq!(acme.get(&format!("/Users/{jo}")).send().await.expect(200).json()["roles"][0]["value"], "admin");
        let path = format!("/api/v1/organizations/{}/scim", acme.org);
        let heed = json!({ "roles_on_users": true });
        let key = app.api_key(&acme.org, &["scim:read", "scim:write"]).await;
        app.patch(&path).bearer(&key).json(&heed).send().await.problem(403, "scope_missing");
        let (_, owner) = signed_in(&app, &acme.org, "boss@acme.com", "owner").await;
        app.patch(&path).session(&owner).json(&heed).send().await.problem(403, "step_up_required");
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        // Everybody follows at once, both ways.
        acme.heed(true).await;
        assert_eq!((acme.standing("jo@acme.com").await, acme.standing("kim@acme.com").await), (given("admin"), own("member")));
        assert_eq!(acme.rest("scim").await["roles_on_users"], true);
        acme.heed(false).await;
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
        acme.say(&jo, &json!([{ "op": "remove", "path": "roles" }, { "op": "add", "path": "roles", "value": [{ "value": "admin" }] }])).await;
        assert_eq!(acme.standing("jo@acme.com").await, own("member"));
    }
}
