//! Roles from groups: the mapping over REST, who gets which role, and how it goes again.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Tenant, user};
use crate::support::app::{Answer, on_both, text};
use crate::support::people::signed_in;

impl Tenant<'_> {
    fn mappings_path(&self) -> String {
        format!("/api/v1/organizations/{}/scim/role-mappings", self.org)
    }

    async fn map(&self, entries: &[(&str, &str)]) -> Answer {
        let body = mapping(&self.groups().await, entries);
        self.app.put(&self.mappings_path()).operator().json(&body).send().await.expect(200)
    }

    async fn preview(&self, entries: &[(&str, &str)]) -> Value {
        let body = mapping(&self.groups().await, entries);
        let path = format!("{}/preview", self.mappings_path());
        self.app.post(&path).operator().json(&body).send().await.expect(200).json()
    }

    /// The groups as REST shows them.
    async fn groups(&self) -> Vec<Value> {
        self.rest("groups?limit=200").await["data"].as_array().expect("a page").clone()
    }

    async fn role(&self, address: &str) -> (String, String) {
        let member = self.member(address).await.expect("a member");
        (text(&member, "role").to_owned(), text(&member, "role_source").to_owned())
    }

    async fn add(&self, group: &str, user: &str) {
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]);
        self.patch_group(group, &add).send().await.expect(200);
    }

    async fn take(&self, group: &str, user: &str) {
        let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{user}\"]") }]);
        self.patch_group(group, &remove).send().await.expect(200);
    }

    async fn set_member(&self, address: &str, change: &Value) -> Answer {
        let member = self.member(address).await.expect("a member");
        let path = format!("/api/v1/organizations/{}/members/{}", self.org, text(&member, "user_id"));
        self.app.patch(&path).operator().json(change).send().await
    }
}

/// The body that maps groups, named by their name.
fn mapping(groups: &[Value], entries: &[(&str, &str)]) -> Value {
    let id = |name: &str| {
        groups.iter().find(|group| group["displayName"] == name || group["display_name"] == name)
    };
    let entries: Vec<Value> = entries
        .iter()
        .map(|(name, role)| json!({ "group_id": id(name).expect("the group")["id"], "role": role }))
        .collect();
    json!({ "mappings": entries })
}

fn own(role: &str) -> (String, String) {
    (role.to_owned(), "own".to_owned())
}

fn given(role: &str) -> (String, String) {
    (role.to_owned(), "groups".to_owned())
}

on_both! {
    async fn a_role_comes_with_the_group_and_goes_with_it(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (jo, kim) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        let admins = acme.group("Admins", &[&jo]).await;
        let ops = acme.group("Ops", &[]).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
        // By the mapping.
        let mapped = acme.map(&[("Admins", "admin"), ("Ops", "member"), ("Ops", "admin")]).await.json();
        assert_eq!(mapped["mappings"].as_array().expect("entries").len(), 3);
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        assert_eq!(acme.role("kim@acme.com").await, own("member"));
        // By membership, in two groups: the last one counts.
        acme.add(&admins, &kim).await;
        acme.add(&ops, &kim).await;
        assert_eq!(acme.role("kim@acme.com").await, given("admin"));
        acme.take(&admins, &kim).await;
        assert_eq!(acme.role("kim@acme.com").await, given("admin"), "the other group still gives it");
        acme.take(&ops, &kim).await;
        assert_eq!(acme.role("kim@acme.com").await, own("member"));
        // By the whole list, by PUT, by deletion of the group.
        let whole = json!([{ "op": "replace", "path": "members", "value": [{ "value": kim }] }]);
        acme.patch_group(&admins, &whole).send().await.expect(200);
        assert_eq!((acme.role("jo@acme.com").await, acme.role("kim@acme.com").await), (own("member"), given("admin")));
        let put = json!({ "displayName": "Admins", "members": [{ "value": jo }, { "value": kim }] });
        acme.send("PUT", &format!("/Groups/{admins}"), &put).send().await.expect(200);
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        acme.send("DELETE", &format!("/Groups/{admins}"), &Value::Null).send().await.expect(204);
        assert_eq!((acme.role("jo@acme.com").await, acme.role("kim@acme.com").await), (own("member"), own("member")));
        assert_eq!(acme.rest("scim/role-mappings").await["mappings"].as_array().expect("entries").len(), 2, "it went with the group");
        // By the mapping again.
        acme.add(&ops, &jo).await;
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        acme.map(&[("Ops", "member")]).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
        acme.map(&[("Ops", "admin")]).await;
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        acme.map(&[]).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
        let told = acme.events().await;
        assert!(told.contains(&"role_mappings.updated".to_owned()) && told.contains(&"member.role_changed".to_owned()));
    }

    async fn roles_of_one_s_own_and_owners_are_untouched(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (boss, hand) = (acme.user("boss@acme.com").await, acme.user("hand@acme.com").await);
        acme.set_member("boss@acme.com", &json!({ "role": "owner" })).await.expect(200);
        acme.set_member("hand@acme.com", &json!({ "role": "admin" })).await.expect(200);
        let group = acme.group("Admins", &[&boss, &hand]).await;
        acme.map(&[("Admins", "admin")]).await;
        assert_eq!((acme.role("boss@acme.com").await, acme.role("hand@acme.com").await), (own("owner"), own("admin")));
        acme.take(&group, &boss).await;
        acme.take(&group, &hand).await;
        assert_eq!((acme.role("boss@acme.com").await, acme.role("hand@acme.com").await), (own("owner"), own("admin")));
        // What the groups give cannot be undercut by hand, but be exceeded by an owner.
        acme.set_member("hand@acme.com", &json!({ "role": "member" })).await.expect(200);
        acme.add(&group, &hand).await;
        let refused = acme.set_member("hand@acme.com", &json!({ "role": "member" })).await;
        let problem = refused.problem(409, "managed_by_directory");
        assert!(text(&problem, "detail").contains("give this person the role admin"), "{problem}");
        acme.set_member("hand@acme.com", &json!({ "role": "admin" })).await.expect(200);
        assert_eq!(acme.role("hand@acme.com").await, given("admin"), "said twice is no gift");
        acme.set_member("hand@acme.com", &json!({ "role": "owner" })).await.expect(200);
        acme.take(&group, &hand).await;
        assert_eq!(acme.role("hand@acme.com").await, own("owner"));
    }

    async fn who_comes_back_gets_what_the_groups_give(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        acme.set_member("jo@acme.com", &json!({ "role": "admin" })).await.expect(200);
        let group = acme.group("Admins", &[]).await;
        acme.map(&[("Admins", "admin")]).await;
        acme.active(&jo, false).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"), "an ordinary role (rule 13)");
        acme.add(&group, &jo).await;
        acme.active(&jo, false).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.role("jo@acme.com").await, given("admin"), "by mapping");
        // Taken out while away.
        acme.active(&jo, false).await;
        acme.take(&group, &jo).await;
        acme.active(&jo, true).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
        // Put in while away; an owner lets the person in whom the directory still calls inactive.
        acme.active(&jo, false).await;
        acme.add(&group, &jo).await;
        acme.set_member("jo@acme.com", &json!({ "active": true })).await.expect(200);
        assert_eq!(acme.role("jo@acme.com").await, own("member"), "the directory gives nothing to whom it put out");
        acme.active(&jo, true).await;
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        // By REST, both ways.
        acme.set_member("jo@acme.com", &json!({ "active": false })).await.expect(200);
        let back = acme.set_member("jo@acme.com", &json!({ "active": true })).await.expect(200).json();
        assert_eq!((&back["role"], &back["role_source"]), (&json!("admin"), &json!("groups")));
        // A new person on the address starts anew.
        acme.delete(&jo).send().await.expect(204);
        acme.user("jo@acme.com").await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
    }

    async fn who_is_held_or_on_a_foreign_domain_is_not_lifted(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let held = acme.user("later").await;
        let jo = acme.user("jo@acme.com").await;
        let group = acme.group("Admins", &[&held]).await;
        acme.map(&[("Admins", "admin")]).await;
        // The first link brings the role.
        let address = json!([{ "op": "replace", "path": "userName", "value": "later@acme.com" }]);
        acme.patch(&held, &address).send().await.expect(200);
        assert_eq!(acme.role("later@acme.com").await, given("admin"));
        // The directory does not speak for the domain any more: it takes, but does not give (rule 6).
        acme.speaks(false).await;
        acme.add(&group, &jo).await;
        assert_eq!(acme.role("jo@acme.com").await, own("member"));
        acme.take(&group, &held).await;
        assert_eq!(acme.role("later@acme.com").await, own("member"));
    }

    async fn a_preview_says_what_would_happen_and_does_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (jo, kim, lee) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await, acme.user("lee@acme.com").await);
        acme.group("One", &[&jo, &kim]).await;
        acme.group("Two", &[&kim, &lee]).await;
        acme.map(&[("One", "admin")]).await;
        let events = acme.events().await;
        let preview = acme.preview(&[("Two", "admin")]).await;
        assert_eq!((&preview["raised"], &preview["lowered"], &preview["truncated"]), (&json!(1), &json!(1), &json!(false)));
        let named: Vec<_> = preview["members"].as_array().expect("members").iter()
            .map(|member| (text(member, "email"), text(member, "from"), text(member, "to"))).collect();
        assert_eq!(named, [("lee@acme.com", "member", "admin"), ("jo@acme.com", "admin", "member")]);
        let same = acme.preview(&[("One", "admin")]).await;
        assert_eq!((&same["raised"], &same["lowered"]), (&json!(0), &json!(0)));
        assert_eq!(acme.events().await, events);
        assert_eq!(acme.role("jo@acme.com").await, given("admin"));
        acme.map(&[("Two", "admin")]).await;
        assert_eq!((acme.role("jo@acme.com").await, acme.role("lee@acme.com").await), (own("member"), given("admin")));
    }

    async fn a_mapping_is_a_change_of_trust_and_checked(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        acme.group("Admins", &[]).await;
        other.group("Theirs", &[]).await;
        let (groups, theirs) = (acme.groups().await, other.groups().await);
        let path = acme.mappings_path();
        let body = mapping(&groups, &[("Admins", "admin")]);
        let admin_key = app.api_key(&acme.org, &["scim:read", "scim:write"]).await;
        app.put(&path).bearer(&admin_key).json(&body).send().await.problem(403, "scope_missing");
        let (_, admin) = signed_in(&app, &acme.org, "admin@acme.com", "admin").await;
        app.put(&path).session(&admin).json(&body).send().await.problem(403, "role_too_low");
        app.post(&format!("{path}/preview")).session(&admin).json(&body).send().await.expect(200);
        let first = app.get(&path).bearer(&admin_key).send().await.expect(200);
        let tag = first.header("etag").expect("a tag").to_owned();
        for (wrong, code) in [
            (mapping(&groups, &[("Admins", "owner")]), "role_too_high"),
            (mapping(&theirs, &[("Theirs", "admin")]), "group_unknown"),
            (json!({ "mappings": [{ "group_id": "grp_x", "role": "admin" }] }), "id_invalid"),
            (json!({ "mappings": [{ "group_id": groups[0]["id"], "role": "boss" }] }), ""),
            (json!({ "mappings": 1 }), ""),
        ] {
            for call in [app.put(&path), app.post(&format!("{path}/preview"))] {
                let problem = call.operator().json(&wrong).send().await.expect(400).json();
                if !code.is_empty() {
                    assert_eq!(problem["errors"][0]["code"], code, "{problem}");
                }
            }
        }
        let done = app.put(&path).operator().header("if-match", &tag).json(&body).send().await.expect(200);
        assert_ne!(done.header("etag"), Some(tag.as_str()));
        app.put(&path).operator().header("if-match", &tag).json(&json!({ "mappings": [] })).send().await.problem(412, "precondition_failed");
        assert_eq!(app.put(&path).operator().json(&body).send().await.expect(200).header("etag"), done.header("etag"), "nothing changed");
    }

    async fn groups_are_read_over_rest(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(acme.user(&format!("p{n}@acme.com")).await);
        }
        ids.push(acme.user("held").await);
        acme.active(&ids[0], false).await;
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        acme.group("Everybody", &all).await;
        for n in 0..3 {
            acme.group(&format!("Team {n}"), &[]).await;
        }
        acme.map(&[("Everybody", "admin")]).await;
        let mut seen = Vec::new();
        let mut path = "groups?limit=3&include_total=true".to_owned();
        loop {
            let page = acme.rest(&path).await;
            assert_eq!(page["total"], 4);
            seen.extend(page["data"].as_array().expect("a page").iter().map(|group| text(group, "display_name").to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            path = format!("groups?limit=3&include_total=true&cursor={next}");
        }
        seen.sort_unstable();
        assert_eq!(seen, ["Everybody", "Team 0", "Team 1", "Team 2"]);
        let found = acme.rest("groups?search=EVERY").await;
        let group = &found["data"][0];
        assert_eq!((&group["member_count"], &group["roles"], &group["source"]), (&json!(4), &json!(["admin"]), &json!("scim")));
        let id = text(group, "id");
        assert_eq!(&acme.rest(&format!("groups/{id}")).await, group);
        let first = acme.rest(&format!("groups/{id}/members?limit=3&include_total=true")).await;
        assert_eq!(first["total"], 4);
        let next = text(&first, "next_cursor");
        let rest = acme.rest(&format!("groups/{id}/members?limit=3&cursor={next}")).await;
        let both = [first["data"].as_array().expect("a page").as_slice(), rest["data"].as_array().expect("a page")].concat();
        assert_eq!(both.len(), 4);
        assert!(both.iter().all(|one| text(one, "directory_user_id").starts_with("dus_")));
        let held = both.iter().find(|one| one["user_name"] == "held").expect("the held one");
        assert_eq!(held.get("user_id"), None);
        assert_eq!(both.iter().filter(|one| one["active"] == false).count(), 1);
        let elsewhere = Tenant::new(&app, "Other", "other.com").await;
        for path in [format!("groups/{id}"), format!("groups/{id}/members")] {
            let path = format!("/api/v1/organizations/{}/{path}", elsewhere.org);
            app.get(&path).operator().send().await.problem(404, "not_found");
        }
    }

    async fn changes_at_once_end_where_the_last_one_says(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(acme.post(&user(&format!("p{n}@acme.com"))).send().await.expect(201).id());
        }
        let (one, two) = (acme.group("One", &[]).await, acme.group("Two", &[]).await);
        acme.map(&[("One", "admin"), ("Two", "admin")]).await;
        let every: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        let fill = json!([{ "op": "add", "path": "members", "value": every }]);
        let clear = json!([{ "op": "remove", "path": "members" }]);
        let steps = (0..8).map(|n| {
            let group = if n % 2 == 0 { &one } else { &two };
            acme.patch_group(group, if n < 4 { &fill } else { &clear }).send()
        });
        for answer in join_all(steps).await {
            answer.expect(200);
        }
        // Both groups are emptied at once: nobody keeps what neither gives.
        acme.patch_group(&one, &fill).send().await.expect(200);
        acme.patch_group(&two, &fill).send().await.expect(200);
        let (first, second) = tokio::join!(acme.patch_group(&one, &clear).send(), acme.patch_group(&two, &clear).send());
        first.expect(200);
        second.expect(200);
        for n in 0..6 {
            assert_eq!(acme.role(&format!("p{n}@acme.com")).await, own("member"));
        }
        // A member comes in while the mapping comes.
        acme.map(&[]).await;
        let body = mapping(&acme.groups().await, &[("One", "admin")]);
        let mapped = app.put(&acme.mappings_path()).operator().json(&body).send();
        let (mapped, filled) = tokio::join!(mapped, acme.patch_group(&one, &fill).send());
        mapped.expect(200);
        filled.expect(200);
        for n in 0..6 {
            assert_eq!(acme.role(&format!("p{n}@acme.com")).await, given("admin"));
        }
    }
}
