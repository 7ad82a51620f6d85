//! The SCIM door through HTTP: transcripts of Okta and Entra, the rules of provisioning, races, the request log, and
//! scim2-tester.

mod bound;
mod bulk;
mod client;
mod door;
mod dry_run;
mod entra;
mod extensions;
mod groups;
mod hostile;
mod lists;
mod log;
mod managed;
mod oauth;
mod okta;
mod profile;
mod races;
mod roles;
mod roles_on_users;
mod rules;
mod tester;
mod users;
mod waves;

use serde_json::{Value, json};

use crate::support::app::{Answer, Call, TestApp, text};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// An organization with a verified domain that its directory speaks for, and a SCIM token.
struct Tenant<'a> {
    app: &'a TestApp,
    org: String,
    domain: String,
    token: String,
}

impl<'a> Tenant<'a> {
    async fn new(app: &'a TestApp, name: &str, domain: &str) -> Self {
        let org = app.organization(name).await;
        let id = app.domain(&org, domain).await;
        let tenant = Tenant { app, token: app.scim_token(&org).await, domain: id, org };
        tenant.speaks(true).await;
        tenant
    }

    /// Whether the directory speaks for the domain.
    async fn speaks(&self, speaks: bool) {
        let path = format!("domains/{}", self.domain);
        self.set(&path, &json!({ "scim_enabled": speaks })).await;
    }

    /// Changes something of the organization over REST, as the operator.
    async fn set(&self, path: &str, change: &Value) -> Answer {
        let path = format!("/api/v1/organizations/{}/{path}", self.org);
        self.app.patch(path.trim_end_matches('/')).operator().json(change).send().await.expect(200)
    }

    async fn rest(&self, path: &str) -> Value {
        let path = format!("/api/v1/organizations/{}/{path}", self.org);
        self.app.get(&path).operator().send().await.expect(200).json()
    }

    /// The members that are listed, by address.
    async fn member(&self, address: &str) -> Option<Value> {
        let page = self.rest("members?limit=100").await;
        let members = page["data"].as_array().expect("a page").clone();
        members.into_iter().find(|member| member["email"] == address)
    }

    async fn add_member(&self, address: &str, role: &str) -> String {
        let path = format!("/api/v1/organizations/{}/members", self.org);
        let body = json!({ "email": address, "role": role });
        let made = self.app.post(&path).operator().json(&body).send().await.expect(201).json();
        text(&made, "user_id").to_owned()
    }

    /// The kinds of all events so far, oldest first.
    async fn events(&self) -> Vec<String> {
        let page = self.rest("events?limit=100&order=number").await;
        let events = page["data"].as_array().expect("a page");
        events.iter().map(|event| text(event, "kind").to_owned()).collect()
    }

    fn get(&self, path: &str) -> Call {
        self.app.get(&format!("/scim/v2{path}")).bearer(&self.token)
    }

    fn post(&self, body: &Value) -> Call {
        self.app.post("/scim/v2/Users").bearer(&self.token).scim(body)
    }

    fn put(&self, id: &str, body: &Value) -> Call {
        self.app.put(&format!("/scim/v2/Users/{id}")).bearer(&self.token).scim(body)
    }

    fn patch(&self, id: &str, operations: &Value) -> Call {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.app.patch(&format!("/scim/v2/Users/{id}")).bearer(&self.token).scim(&body)
    }

    fn delete(&self, id: &str) -> Call {
        self.app.delete(&format!("/scim/v2/Users/{id}")).bearer(&self.token)
    }

    /// Creates a user with this userName; gives its id.
    async fn user(&self, user_name: &str) -> String {
        self.post(&user(user_name)).send().await.expect(201).id()
    }

    /// POST, PUT, PATCH or DELETE below the SCIM root.
    fn send(&self, method: &str, path: &str, body: &Value) -> Call {
        let method = method.parse().expect("a method");
        let call = self.app.call(method, &format!("/scim/v2{path}")).bearer(&self.token);
        if body.is_null() { call } else { call.scim(body) }
    }

    /// Creates a group with these members; gives its id.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        self.send("POST", "/Groups", &body).send().await.expect(201).id()
    }

    fn patch_group(&self, id: &str, operations: &Value) -> Call {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.send("PATCH", &format!("/Groups/{id}"), &body)
    }

    /// The ids of a group's members, sorted.
    async fn members_of(&self, id: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{id}")).send().await.expect(200).json();
        members(&group)
    }

    async fn active(&self, id: &str, active: bool) -> Answer {
        let operations = json!([{ "op": "replace", "value": { "active": active } }]);
        self.patch(id, &operations).send().await.expect(200)
    }
}

/// A plain User.
fn user(user_name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": user_name,
        "name": { "givenName": "Jo", "familyName": "Doe" },
        "emails": [{ "value": user_name, "type": "work", "primary": true }],
        "active": true,
    })
}

/// The ids of the members that a group shows, sorted.
fn members(group: &Value) -> Vec<String> {
    let members = group["members"].as_array().into_iter().flatten();
    let mut ids: Vec<String> = members.map(|member| text(member, "value").to_owned()).collect();
    ids.sort_unstable();
    ids
}
