//! Groups as resources: made, read, changed in every form, found, deleted; members by row, never as a list.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{GROUP, LIST, Tenant, members, user};
use crate::support::app::{on_both, text};

/// Several people; their ids in the order of the names.
async fn people(acme: &Tenant<'_>, number: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..number {
        // In this order in lists, too.
        acme.app.clock.advance(Duration::from_millis(1));
        ids.push(acme.user(&format!("p{n}@acme.com")).await);
    }
    ids
}

fn sorted(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort_unstable();
    ids
}

fn values(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

async fn listed(acme: &Tenant<'_>, filter: &str) -> Vec<String> {
    let list = acme.get("/Groups").query(&[("filter", filter)]).send().await.expect(200).json();
    let found = list["Resources"].as_array().expect("resources");
    assert_eq!(list["totalResults"], found.len(), "{filter}");
    found.iter().map(|group| text(group, "displayName").to_owned()).collect()
}

on_both! {
    async fn a_group_from_beginning_to_end(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 2).await;
        let (jo, kim) = (ids[0].as_str(), ids[1].as_str());
        let body = json!({
            "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "id": "mine", "displayName": "Engineering", "externalId": "8aa1", "nonsense": [1],
            "members": [{ "value": jo, "display": "whoever", "$ref": null }, { "value": jo }],
            "meta": { "resourceType": "Group" },
        });
        let made = acme.send("POST", "/Groups", &body).send().await.expect(201);
        let group = made.json();
        let id = text(&group, "id").to_owned();
        let location = format!("{}/scim/v2/Groups/{id}", app.url);
        assert!(!id.contains('_') && id != "mine");
        assert_eq!(made.header("location"), Some(location.as_str()));
        assert_eq!(made.header("etag"), group["meta"]["version"].as_str());
        assert_eq!((&group["meta"]["location"], &group["meta"]["resourceType"]), (&json!(location), &json!("Group")));
        assert_eq!(group["schemas"], json!([GROUP]));
        assert_eq!((&group["displayName"], &group["externalId"]), (&json!("Engineering"), &json!("8aa1")));
        let member = json!({ "value": jo, "$ref": format!("{}/scim/v2/Users/{jo}", app.url), "type": "User" });
        assert_eq!(group["members"], json!([member]), "one row however often named");
        assert_eq!(group.get("nonsense"), None);
        let path = format!("/Groups/{id}");
        assert_eq!(acme.get(&path).send().await.expect(200).json(), group);

        let put = json!({ "schemas": [GROUP], "displayName": "Research", "members": values(&[kim]) });
        let replaced = acme.send("PUT", &path, &put).send().await.expect(200).json();
        assert_eq!((&replaced["displayName"], members(&replaced)), (&json!("Research"), sorted(&[kim])));
        assert_eq!(replaced.get("externalId"), None);
        // What says nothing of the members leaves them; null and [] empty the group.
        let name = json!({ "schemas": [GROUP], "displayName": "Research & Development" });
        assert_eq!(members(&acme.send("PUT", &path, &name).send().await.expect(200).json()), sorted(&[kim]));
        let none = json!({ "schemas": [GROUP], "displayName": "Research", "members": null });
        assert_eq!(acme.send("PUT", &path, &none).send().await.expect(200).json().get("members"), None);

        assert_eq!(acme.send("DELETE", &path, &Value::Null).send().await.expect(204).body, "");
        acme.get(&path).send().await.scim_error(404, None);
        acme.patch_group(&id, &json!([{ "op": "remove", "path": "members" }])).send().await.scim_error(404, None);
        acme.send("DELETE", &path, &Value::Null).send().await.scim_error(404, None);
        assert_eq!(acme.get("/Groups").send().await.expect(200).json()["totalResults"], 0);
        let again = acme.group("Research", &[jo]).await;
        assert_ne!(again, id, "the name is free, the id is not");
    }

    async fn every_form_of_a_change_of_members(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 4).await;
        let [a, b, c, d] = [0, 1, 2, 3].map(|n| ids[n].as_str());
        let id = acme.group("Team", &[a, b]).await;
        for (operations, after) in [
            (json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": c }] }]), vec![a, b, c]),
            (json!([{ "op": "add", "path": "members", "value": { "value": c } }]), vec![a, b, c]),
            (json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": c }, { "value": d }] }]), vec![a, b]),
            (json!([{ "op": "Remove", "path": "members", "value": [] }]), vec![a, b]),
            (json!([{ "op": "remove", "path": format!("members[value eq \"{a}\"]") },
                { "op": "add", "path": "members", "value": values(&[c, d]) }]), vec![b, c, d]),
            (json!([{ "op": "remove", "path": format!("members[value eq \"{a}\"]") }]), vec![b, c, d]),
            (json!([{ "op": "remove", "path": "members[value eq \"nobody\"]" }]), vec![b, c, d]),
            (json!([{ "op": "remove", "path": format!("members[value ne \"{b}\"]") }]), vec![b]),
            (json!([{ "op": "replace", "path": "members", "value": values(&[a, b, c]) }]), vec![a, b, c]),
            (json!([{ "op": "replace", "value": { "members": values(&[d]), "id": id } }]), vec![d]),
            (json!([{ "op": "add", "value": { "members": values(&[a]) } }]), vec![a, d]),
            (json!([{ "op": "remove", "path": "members" }]), vec![]),
            (json!([{ "op": "add", "path": format!("members[value eq \"{a}\"]"), "value": { "display": "A" } }]), vec![a]),
            (json!([{ "op": "replace", "path": "members", "value": [] }]), vec![]),
        ] {
            let answer = acme.patch_group(&id, &operations).send().await.expect(200);
            assert_eq!(members(&answer.json()), sorted(&after), "{operations}");
            assert_eq!(acme.members_of(&id).await, sorted(&after), "{operations}");
        }
        let rename = json!([{ "op": "replace", "value": { "id": id, "displayName": "Other", "externalId": "x" } }]);
        let renamed = acme.patch_group(&id, &rename).send().await.expect(200).json();
        assert_eq!((&renamed["displayName"], &renamed["externalId"]), (&json!("Other"), &json!("x")));
        assert_eq!(listed(&acme, "displayName eq \"OTHER\"").await, ["Other"]);
        assert!(listed(&acme, "displayName eq \"Team\"").await.is_empty());
    }

    async fn nobody_and_strangers_are_refused_alike_and_nothing_changes(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let theirs = other.user("jo@other.com").await;
        let ids = people(&acme, 2).await;
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        let id = acme.group("Team", &[a]).await;
        let group = acme.get(&format!("/Groups/{id}")).send().await.expect(200).json();
        let events = acme.events().await;
        let upper = b.to_uppercase();
        let mut said = Vec::new();
        for stranger in [theirs.as_str(), "00000000-0000-4000-8000-000000000000", "nobody", "", upper.as_str(), id.as_str()] {
            let both = values(&[b, stranger]);
            let rename_and_add = json!([{ "op": "replace", "path": "displayName", "value": "New" },
                { "op": "remove", "path": "members" }, { "op": "add", "path": "members", "value": both }]);
            let refused = acme.patch_group(&id, &rename_and_add).send().await.scim_error(400, Some("invalidValue"));
            said.push(text(&refused, "detail").replace(stranger, "X"));
            let whole = json!([{ "op": "replace", "path": "members", "value": both }]);
            acme.patch_group(&id, &whole).send().await.scim_error(400, Some("invalidValue"));
            let put = json!({ "displayName": "Team", "members": both });
            acme.send("PUT", &format!("/Groups/{id}"), &put).send().await.scim_error(400, Some("invalidValue"));
            acme.send("POST", "/Groups", &json!({ "displayName": "New", "members": both })).send().await.scim_error(400, Some("invalidValue"));
        }
        assert_eq!(said[0], said[1], "nothing tells another's user from nobody");
        let gone = json!([{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }, { "op": "remove", "path": "members" }]);
        acme.patch_group(&id, &gone).send().await.scim_error(400, Some("invalidValue"));
        let group_in_group = json!([{ "op": "add", "path": "members", "value": [{ "value": id, "type": "Group" }] }]);
        let refused = acme.patch_group(&id, &group_in_group).send().await.scim_error(400, Some("invalidValue"));
        assert!(text(&refused, "detail").contains("members of a group here are users"));
        assert_eq!(acme.get(&format!("/Groups/{id}")).send().await.expect(200).json(), group);
        assert_eq!(acme.events().await, events);
        assert_eq!(acme.get("/Groups").send().await.expect(200).json()["totalResults"], 1);
    }

    async fn ids_of_any_shape_and_of_other_tenants_are_404(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let person = other.user("jo@other.com").await;
        let theirs = other.group("Theirs", &[&person]).await;
        let upper = theirs.to_uppercase();
        for id in [theirs.as_str(), upper.as_str(), person.as_str(), "010101001010101011001010101011", "%00", "%FF", "*", "'%20OR%201=1"] {
            let path = format!("/Groups/{id}");
            acme.get(&path).send().await.scim_error(404, None);
            acme.send("PUT", &path, &json!({ "displayName": "Mine" })).send().await.scim_error(404, None);
            acme.patch_group(id, &json!([{ "op": "remove", "path": "members" }])).send().await.scim_error(404, None);
            acme.send("DELETE", &path, &Value::Null).send().await.scim_error(404, None);
        }
        for filter in [format!("id eq \"{theirs}\""), "displayName eq \"theirs\"".to_owned(), format!("members eq \"{person}\""),
            format!("not (members eq \"{person}\")"), "members pr".to_owned()] {
            assert!(listed(&acme, &filter).await.is_empty(), "{filter}");
        }
        assert_eq!(other.members_of(&theirs).await, [person]);
    }

    async fn bodies_that_make_no_sense(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.group("Team", &[]).await;
        for body in [
            json!({}), json!([]), json!({ "displayName": "" }), json!({ "displayName": "  " }), json!({ "displayName": 7 }),
            json!({ "displayName": "a\u{0}b" }), json!({ "displayName": "x".repeat(600) }), json!({ "displayName": null }),
            json!({ "displayName": "New", "members": "x" }), json!({ "displayName": "New", "members": [7] }),
            json!({ "displayName": "New", "members": [{ "display": "Jo" }] }), json!({ "displayName": "New", "members": {} }),
        ] {
            for (method, path) in [("POST", "/Groups".to_owned()), ("PUT", format!("/Groups/{id}"))] {
                let answer = acme.send(method, &path, &body).send().await;
                assert_eq!(answer.status, 400, "{method} {body}: {}", answer.body);
                assert!(matches!(answer.json()["scimType"].as_str(), Some("invalidSyntax" | "invalidValue")), "{}", answer.body);
            }
        }
        for (operations, scim_type) in [
            (json!([{ "op": "add", "path": "members", "value": [{}, { "display": "x" }] }]), "invalidValue"),
            (json!([{ "op": "add", "path": "members", "value": 7 }]), "invalidValue"),
            (json!([{ "op": "replace", "path": "displayName", "value": null }]), "mutability"),
            (json!([{ "op": "remove", "path": "displayName" }]), "mutability"),
            (json!([{ "op": "replace", "path": "id", "value": "x" }]), "mutability"),
            (json!([{ "op": "remove", "path": "members[display eq \"x\"]" }]), "invalidFilter"),
            (json!([{ "op": "add", "path": "userName", "value": "x" }]), "invalidPath"),
            (json!([{ "op": "remove" }]), "noTarget"),
            (json!([]), "invalidSyntax"),
        ] {
            let answer = acme.patch_group(&id, &operations).send().await;
            answer.scim_error(400, Some(scim_type));
        }
        for filter in ["userName eq \"x\"", "members", "displayName gt true", "members.nope eq \"x\""] {
            acme.get("/Groups").query(&[("filter", filter)]).send().await.scim_error(400, Some("invalidFilter"));
        }
        assert!(acme.members_of(&id).await.is_empty());
    }

    async fn a_name_is_there_once_whatever_its_case(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.group("Größe", &[]).await;
        let id = acme.group("Other", &[]).await;
        let body = json!({ "schemas": [GROUP], "displayName": "GRÖßE" });
        acme.send("POST", "/Groups", &body).send().await.scim_error(409, Some("uniqueness"));
        acme.send("PUT", &format!("/Groups/{id}"), &body).send().await.scim_error(409, Some("uniqueness"));
        let rename = json!([{ "op": "replace", "path": "displayName", "value": "größe" }]);
        acme.patch_group(&id, &rename).send().await.scim_error(409, Some("uniqueness"));
        let same = json!([{ "op": "replace", "path": "displayName", "value": "OTHER" }]);
        assert_eq!(acme.patch_group(&id, &same).send().await.expect(200).json()["displayName"], "OTHER");
        let elsewhere = Tenant::new(&app, "Elsewhere", "elsewhere.com").await;
        elsewhere.group("Größe", &[]).await;

        let equal = json!({ "schemas": [GROUP], "displayName": "At once" });
        let answers = join_all((0..16).map(|_| acme.send("POST", "/Groups", &equal).send())).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.scim_error(409, Some("uniqueness"));
        }
    }

    async fn versions_move_with_real_changes_only(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 2).await;
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        let id = acme.group("Team", &[a]).await;
        let path = format!("/Groups/{id}");
        let first = acme.get(&path).send().await.expect(200).json();
        let events = acme.events().await;
        app.clock.advance(Duration::from_secs(10));
        for operations in [
            json!([{ "op": "add", "path": "members", "value": values(&[a]) }]),
            json!([{ "op": "remove", "path": "members", "value": values(&[b]) }]),
            json!([{ "op": "replace", "path": "members", "value": values(&[a]) }, { "op": "replace", "path": "displayName", "value": "Team" }]),
        ] {
            assert_eq!(acme.patch_group(&id, &operations).send().await.expect(200).json(), first, "{operations}");
        }
        assert_eq!(acme.send("PUT", &path, &first).send().await.expect(200).json(), first);
        assert_eq!(acme.events().await, events, "nothing happened");

        let add = json!([{ "op": "add", "path": "members", "value": values(&[b]) }]);
        let second = acme.patch_group(&id, &add).send().await.expect(200);
        let meta = second.json()["meta"].clone();
        assert_ne!(meta["version"], first["meta"]["version"]);
        assert_ne!(meta["lastModified"], first["meta"]["lastModified"]);
        assert_eq!(meta["created"], first["meta"]["created"]);
        let (old, new) = (text(&first["meta"], "version"), second.header("etag").expect("a tag").to_owned());
        let clear = json!([{ "op": "remove", "path": "members" }]);
        acme.patch_group(&id, &clear).header("if-match", old).send().await.scim_error(412, None);
        acme.send("PUT", &path, &first).header("if-match", old).send().await.scim_error(412, None);
        acme.send("DELETE", &path, &Value::Null).header("if-match", old).send().await.scim_error(412, None);
        assert_eq!(acme.get(&path).header("if-none-match", &new).send().await.expect(304).body, "");
        acme.get(&path).header("if-none-match", old).send().await.expect(200);
        acme.patch_group(&id, &clear).header("if-match", &new).send().await.expect(200);
    }

    async fn what_happened_is_told(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 2).await;
        let before = acme.events().await.len();
        let later = || app.clock.advance(Duration::from_secs(1));
        later();
        let id = acme.group("Team", &[&ids[0]]).await;
        later();
        let change = json!([{ "op": "replace", "value": { "displayName": "Crew" } }, { "op": "add", "path": "members", "value": values(&[&ids[1]]) },
            { "op": "remove", "path": "members", "value": values(&[&ids[0]]) }]);
        acme.patch_group(&id, &change).send().await.expect(200);
        later();
        acme.send("DELETE", &format!("/Groups/{id}"), &Value::Null).send().await.expect(204);
        let page = acme.rest("events?limit=100&order=number").await;
        let told = page["data"].as_array().expect("a page")[before..].to_vec();
        let kinds: Vec<&str> = told.iter().map(|event| text(event, "kind")).collect();
        assert_eq!(kinds, [
            "directory_group.created", "directory_group.members_added", "directory_group.updated",
            "directory_group.members_removed", "directory_group.members_added", "directory_group.members_removed",
            "directory_group.deleted",
        ]);
        assert_eq!(told[2]["data"]["renamed_from"], "Team");
        assert_eq!(told[4]["data"]["count"], 1);
        let came = told[4]["data"]["directory_user_ids"][0].as_str().expect("an id");
        assert!(came.starts_with("dus_"), "{came}");
    }

    async fn a_deleted_person_leaves_its_groups(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 2).await;
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        let (one, two) = (acme.group("One", &[a, b]).await, acme.group("Two", &[a]).await);
        let before = acme.get(&format!("/Groups/{one}")).send().await.expect(200).json();
        app.clock.advance(Duration::from_secs(1));
        acme.delete(a).send().await.expect(204);
        let after = acme.get(&format!("/Groups/{one}")).send().await.expect(200).json();
        assert_eq!(members(&after), sorted(&[b]));
        assert_ne!(after["meta"]["version"], before["meta"]["version"]);
        assert_ne!(after["meta"]["lastModified"], before["meta"]["lastModified"]);
        assert!(acme.members_of(&two).await.is_empty());
        assert!(listed(&acme, &format!("members eq \"{a}\"")).await.is_empty());
        // Deactivation alone is no reason to leave.
        acme.active(b, false).await;
        assert_eq!(acme.members_of(&one).await, sorted(&[b]));
    }

    async fn people_show_their_groups(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 3).await;
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        assert_eq!(acme.get(&format!("/Users/{a}")).send().await.expect(200).json().get("groups"), None);
        let one = acme.group("One", &[a, b]).await;
        app.clock.advance(Duration::from_secs(1));
        let two = acme.group("Two", &[a]).await;
        let shown = |id: &str, name: &str| json!({
            "value": id, "$ref": format!("{}/scim/v2/Groups/{id}", app.url), "display": name, "type": "direct",
        });
        let jo = acme.get(&format!("/Users/{a}")).send().await.expect(200).json();
        assert_eq!(jo["groups"], json!([shown(&one, "One"), shown(&two, "Two")]));
        let found = acme.get("/Users?filter=userName%20eq%20%22p1@acme.com%22").send().await.expect(200).json();
        assert_eq!(found["Resources"][0]["groups"], json!([shown(&one, "One")]));
        let page = acme.get("/Users?attributes=groups.display").send().await.expect(200).json();
        let all: Vec<&Value> = page["Resources"].as_array().expect("users").iter().map(|user| &user["groups"]).collect();
        assert_eq!(all, [&json!([{ "display": "One" }, { "display": "Two" }]), &json!([{ "display": "One" }]), &Value::Null]);
        assert!(!acme.get("/Users?excludedAttributes=groups").send().await.expect(200).body.contains("direct"));
        // What is echoed changes nothing.
        assert_eq!(acme.put(a, &jo).send().await.expect(200).json(), jo);
        let mut put = user("p0@acme.com");
        put["groups"] = json!([]);
        assert_eq!(acme.put(a, &put).send().await.expect(200).json()["groups"], jo["groups"]);
        let op = json!([{ "op": "add", "path": "groups", "value": [{ "value": one }] }]);
        acme.patch(&ids[2], &op).send().await.scim_error(400, Some("mutability"));
        for (filter, total) in [(format!("groups eq \"{one}\""), 2), (format!("groups.value eq \"{two}\""), 1),
            ("groups[display eq \"two\"]".to_owned(), 1), ("not (groups pr)".to_owned(), 1), (format!("id eq \"{b}\" and groups eq \"{two}\""), 0)] {
            let list = acme.get("/Users").query(&[("filter", &filter)]).send().await.expect(200).json();
            assert_eq!(list["totalResults"], total, "{filter}");
        }
        let clear = json!([{ "op": "remove", "path": "members" }]);
        acme.patch_group(&two, &clear).send().await.expect(200);
        acme.patch_group(&one, &clear).send().await.expect(200);
        assert_eq!(acme.get(&format!("/Users/{a}")).send().await.expect(200).json().get("groups"), None);
    }

    async fn groups_are_found_by_index_and_otherwise(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 3).await;
        let (a, b, c) = (ids[0].as_str(), ids[1].as_str(), ids[2].as_str());
        let empty = acme.get("/Groups").send().await.expect(200).json();
        assert_eq!(empty, json!({ "schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [] }));
        let one = acme.group("One", &[a, b]).await;
        acme.group("Two", &[b]).await;
        acme.group("Three", &[]).await;
        let external = json!([{ "op": "add", "path": "externalId", "value": "Ext-1" }]);
        acme.patch_group(&one, &external).send().await.expect(200);
        for (filter, found) in [
            ("displayName eq \"ONE\"".to_owned(), vec!["One"]),
            ("externalId eq \"Ext-1\"".to_owned(), vec!["One"]),
            ("externalId eq \"ext-1\"".to_owned(), vec![]),
            (format!("id eq \"{one}\""), vec!["One"]),
            (format!("id eq \"{}\"", one.to_uppercase()), vec![]),
            (format!("members eq \"{b}\""), vec!["One", "Two"]),
            (format!("members.value eq \"{b}\""), vec!["One", "Two"]),
            (format!("members[value eq \"{b}\"]"), vec!["One", "Two"]),
            (format!("members[value eq \"{b}\" and type eq \"User\"]"), vec!["One", "Two"]),
            (format!("members eq \"{}\"", b.to_uppercase()), vec![]),
            ("members eq \"nobody\"".to_owned(), vec![]),
            (format!("id eq \"{one}\" and members eq \"{a}\""), vec!["One"]),
            (format!("id eq \"{one}\" and members eq \"{c}\""), vec![]),
            (format!("members eq \"{a}\" and members eq \"{b}\""), vec!["One"]),
            (format!("members eq \"{b}\" and not (members eq \"{a}\")"), vec!["Two"]),
            (format!("members eq \"{a}\" or displayName sw \"th\""), vec!["One", "Three"]),
            (format!("members ne \"{b}\""), vec!["One", "Three"]),
            ("members pr".to_owned(), vec!["One", "Two"]),
            ("not (members pr)".to_owned(), vec!["Three"]),
            ("members.$ref co \"/Users/\"".to_owned(), vec!["One", "Two"]),
            ("displayName eq \"one\" and displayName eq \"two\"".to_owned(), vec![]),
            ("displayName eq \"one\" and externalId eq \"Ext-1\"".to_owned(), vec!["One"]),
            ("externalId pr".to_owned(), vec!["One"]),
            ("meta.lastModified gt \"2001-01-01T00:00:00Z\" and displayName co \"t\"".to_owned(), vec!["Two", "Three"]),
        ] {
            let mut names = listed(&acme, &filter).await;
            names.sort_unstable();
            let mut found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            found.sort_unstable();
            assert_eq!(names, found, "{filter}");
        }
        let probe = format!("id eq \"{one}\" and members eq \"{a}\"");
        let probed = acme.get("/Groups").query(&[("filter", probe.as_str()), ("attributes", "id")]).send().await.expect(200).json();
        assert_eq!(probed["Resources"], json!([{ "schemas": [GROUP], "id": one }]));
        let mut seen = Vec::new();
        for start in 1..=4 {
            let page = acme.get(&format!("/Groups?startIndex={start}&count=1&excludedAttributes=members")).send().await.expect(200).json();
            assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(3), &json!(start)));
            let resources = page["Resources"].as_array().expect("resources");
            assert!(resources.iter().all(|group| group.get("members").is_none()));
            seen.extend(resources.iter().map(|group| text(group, "displayName").to_owned()));
        }
        seen.sort_unstable();
        assert_eq!(seen, ["One", "Three", "Two"], "each once");
        assert_eq!(acme.get("/Groups?count=0").send().await.expect(200).json()["totalResults"], 3);
    }

    async fn searches_over_groups_and_over_everything(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 3).await;
        acme.group("One", &[&ids[0]]).await;
        acme.group("Two", &[]).await;
        let search = |more: Value| {
            let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
            for (name, value) in more.as_object().expect("an object") {
                body[name.as_str()] = value.clone();
            }
            body
        };
        let body = search(json!({ "filter": format!("members eq \"{}\"", ids[0]), "attributes": ["displayName"] }));
        let found = acme.send("POST", "/Groups/.search", &body).send().await.expect(200).json();
        assert_eq!((&found["totalResults"], &found["Resources"][0]["displayName"]), (&json!(1), &json!("One")));
        let all = acme.send("POST", "/.search", &search(json!({}))).send().await.expect(200).json();
        assert_eq!((&all["totalResults"], &all["itemsPerPage"]), (&json!(5), &json!(5)));
        let mut seen = Vec::new();
        for start in [1, 3, 5, 7] {
            let body = search(json!({ "startIndex": start, "count": 2, "attributes": ["id"] }));
            let page = acme.send("POST", "/.search", &body).send().await.expect(200).json();
            assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(5), &json!(start)));
            seen.extend(page["Resources"].as_array().expect("resources").iter().map(|one| text(one, "id").to_owned()));
        }
        assert_eq!(seen.len(), 5);
        let expected: Vec<&str> = all["Resources"].as_array().expect("all").iter().map(|one| text(one, "id")).collect();
        assert_eq!(seen, expected);
        // The filter has an attribute of one type alone.
        let people = acme.send("POST", "/.search", &search(json!({ "filter": "userName pr" }))).send().await.expect(200).json();
        assert_eq!(people["totalResults"], 3);
        acme.send("POST", "/.search", &search(json!({ "filter": "nope pr" }))).send().await.scim_error(400, Some("invalidFilter"));
    }

    async fn a_large_group_is_changed_without_being_told_whole(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = super::lists::push(&acme, 203).await;
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let id = acme.group("Everybody", &all[..200]).await;
        let add = |who: &str| json!([{ "op": "add", "path": "members", "value": [{ "value": who }] }]);
        let exact = json!([{ "op": "add", "path": "members", "value": values(&all[..200]) }]);
        assert_eq!(members(&acme.patch_group(&id, &exact).send().await.expect(200).json()).len(), 200);
        let quiet = acme.patch_group(&id, &add(all[200])).send().await.expect(204);
        assert_eq!(quiet.body, "");
        assert!(quiet.header("etag").is_some());
        let asked = format!("/Groups/{id}?attributes=members.value");
        let body = json!({ "schemas": [super::PATCH], "Operations": add(all[201]) });
        let told = acme.send("PATCH", &asked, &body).send().await.expect(200).json();
        assert_eq!(members(&told), sorted(&all[..202]));
        assert_eq!(acme.members_of(&id).await.len(), 202);
        let bare = acme.get(&format!("/Groups/{id}?excludedAttributes=members")).send().await.expect(200).json();
        assert_eq!(bare.get("members"), None);
        let half = json!([{ "op": "remove", "path": "members", "value": values(&all[..150]) },
            { "op": "add", "path": "members", "value": values(&all) }, { "op": "Remove", "path": "members", "value": values(&all[150..]) }]);
        assert_eq!(members(&acme.patch_group(&id, &half).send().await.expect(200).json()), sorted(&all[..150]));
        let clear = json!([{ "op": "replace", "path": "members", "value": values(&all[202..]) }]);
        assert_eq!(members(&acme.patch_group(&id, &clear).send().await.expect(200).json()), sorted(&all[202..]));
    }

    async fn parallel_changes_lose_nobody(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 16).await;
        let id = acme.group("Team", &[]).await;
        let adds: Vec<Value> = ids.iter().map(|one| json!([{ "op": "Add", "path": "members", "value": [{ "value": one }] }])).collect();
        for answer in join_all(adds.iter().map(|operations| acme.patch_group(&id, operations).send())).await {
            answer.expect(200);
        }
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(acme.members_of(&id).await, sorted(&all));
        // Some come and some go at once, in both directions, all of them twice.
        let mixed: Vec<Value> = (0..16).map(|n| match n % 2 {
            0 => json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[n]) }]),
            _ => json!([{ "op": "add", "path": "members", "value": values(&all) }, { "op": "remove", "path": "members", "value": values(&[&ids[n - 1]]) }]),
        }).collect();
        for answer in join_all(mixed.iter().map(|operations| acme.patch_group(&id, operations).send())).await {
            answer.expect(200);
        }
        let odd: Vec<&str> = (0..16).filter(|n| n % 2 == 1).map(|n| all[n]).collect();
        let left = acme.members_of(&id).await;
        assert!(odd.iter().all(|one| left.contains(&(*one).to_owned())), "{left:?}");
        let group = acme.get(&format!("/Groups/{id}")).send().await.expect(200).json();
        assert_eq!(members(&group).len(), left.len());
    }

    async fn people_deleted_while_they_are_added(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = people(&acme, 10).await;
        let (one, two) = (acme.group("One", &[]).await, acme.group("Two", &[]).await);
        for id in &ids {
            let add = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
            let (first, second, gone) =
                tokio::join!(acme.patch_group(&one, &add).send(), acme.patch_group(&two, &add).send(), acme.delete(id).send());
            gone.expect(204);
            for answer in [first, second] {
                if answer.status != 200 {
                    answer.scim_error(400, Some("invalidValue"));
                }
            }
        }
        for group in [one, two] {
            assert!(acme.members_of(&group).await.is_empty());
            assert_eq!(listed(&acme, "members pr").await, [""; 0]);
        }
    }
}
