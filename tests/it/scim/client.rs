//! A SCIM client library that none of us wrote (scim2-client, driven by `tests/fixtures/scim_client.py`) pushes the life
//! of a company's directory: it discovers, creates, bulks, filters, replaces, patches and deletes, and checks each
//! answer by the schemas that it was given. After each chapter REST must tell the same.

use serde_json::{Value, json};

use super::Tenant;
use crate::support::app::{on_both, text};
use crate::support::python;

/// Has the client push a chapter.
async fn push(acme: &Tenant<'_>, chapter: &str, ids: &Value) -> Value {
    let (base, ids) = (format!("{}/scim/v2", acme.app.url), ids.to_string());
    let mut arguments = vec![chapter, base.as_str(), acme.token.as_str()];
    if chapter != "join" {
        arguments.push(&ids);
    }
    python::script("scim_client.py", &arguments).await
}

/// All members by their address: `address name status role`.
async fn members(acme: &Tenant<'_>) -> Vec<String> {
    let page = acme.rest("members?limit=100").await;
    let all = page["data"].as_array().expect("a page").iter();
    let line = |one: &Value| {
        let name = one["display_name"].as_str().unwrap_or("-");
        format!("{}: {name}, {}, {}", text(one, "email"), text(one, "status"), text(one, "role"))
    };
    let mut lines: Vec<String> = all.map(line).collect();
    lines.sort();
    lines
}

/// All groups with the userNames in them: `name: userName …`.
async fn groups(acme: &Tenant<'_>) -> Vec<String> {
    let page = acme.rest("groups?limit=100").await;
    let mut lines = Vec::new();
    for group in page["data"].as_array().expect("a page") {
        let inside = acme.rest(&format!("groups/{}/members?limit=100", text(group, "id"))).await;
        let inside = inside["data"].as_array().expect("a page").clone();
        assert_eq!(group["member_count"], inside.len(), "{group}");
        let mut names: Vec<&str> = inside.iter().map(|one| text(one, "user_name")).collect();
        names.sort_unstable();
        lines.push(format!("{}: {}", text(group, "display_name"), names.join(" ")));
    }
    lines.sort();
    lines
}

on_both! {
    async fn a_client_of_others_pushes_a_whole_life(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = push(&acme, "join", &json!({})).await;
        assert_eq!(members(&acme).await, [
            "ada@acme.com: Ada King, active, member",
            "bob@acme.com: Bob Noyce, active, member",
            "eve@acme.com: Eve, active, member",
        ]);
        assert_eq!(groups(&acme).await, ["Admins: eve@acme.com", "Staff: Ada@Acme.com bob@acme.com eve@acme.com"]);
        let ada = acme.member("ada@acme.com").await.expect("a member");
        assert_eq!((&ada["external_id"], &ada["source"]), (&json!("ext-Ada"), &json!("scim")));

        // The mapping is the admin's part, done over REST between two pushes.
        let all = acme.rest("groups?limit=100").await;
        let admins = all["data"].as_array().expect("a page").iter().find(|group| group["display_name"] == "Admins");
        let mapping = json!({ "mappings": [{ "group_id": admins.expect("the group")["id"], "role": "admin" }] });
        let path = format!("/api/v1/organizations/{}/scim/role-mappings", acme.org);
        app.put(&path).operator().json(&mapping).send().await.expect(200);

        push(&acme, "change", &ids).await;
        assert_eq!(members(&acme).await, [
            "ada@acme.com: Ada Lovelace, active, admin",
            "bob@acme.com: Robert Noyce, deactivated, member",
            "eve@acme.com: Eve, active, member",
        ]);
        assert_eq!(groups(&acme).await, ["Admins: Ada@Acme.com", "All Staff: Ada@Acme.com eve@acme.com"]);

        push(&acme, "leave", &ids).await;
        assert_eq!(members(&acme).await, [
            "ada@acme.com: Ada Lovelace, active, admin",
            "bob@acme.com: Robert Noyce, active, member",
            "eve@acme.com: Eve Two, active, member",
        ]);
        assert_eq!(groups(&acme).await, ["Admins: Ada@Acme.com"]);
    }
}
