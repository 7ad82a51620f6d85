//! Who may do what, for every operation of the OpenAPI document: nobody, a key of another organization, keys that
//! lack one scope, the key that has just enough, and an ordinary member. An operation without a row here fails.

use std::collections::{BTreeMap, BTreeSet};

use postern::model::scope::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, TestApp, text};
use crate::support::database::{Backend, Database};
use crate::support::people::signed_in;

/// Who an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Everybody: it asks for no credential.
    Everybody,
    /// Whoever has a credential; keys need these scopes.
    Anybody(&'static [&'static str]),
    /// Signed-in people.
    People,
    /// The operator.
    Operator,
    /// Keys of the organization with all of these scopes, and its members of every role.
    Members(&'static [&'static str]),
    /// The same, but of its people admins and owners only.
    Admins(&'static [&'static str]),
}

/// Every operation, with a body that is right where one is needed.
fn rows() -> BTreeMap<&'static str, (For, Value)> {
    use For::{Admins, Anybody, Everybody, Members, Operator, People};
    let none = || Value::Null;
    BTreeMap::from([
        ("create_organization", (Operator, json!({ "name": "Mine" }))),
        ("list_organizations", (Anybody(&["organization:read"]), none())),
        ("get_own_organization", (Anybody(&["organization:read"]), none())),
        ("update_own_organization", (Admins(&["organization:write"]), json!({ "name": "New" }))),
        ("get_organization", (Members(&["organization:read"]), none())),
        ("update_organization", (Admins(&["organization:write"]), json!({ "name": "New" }))),
        ("claim_domain", (Admins(&["domain:write"]), json!({ "name": "acme.test" }))),
        ("list_domains", (Admins(&["domain:read"]), none())),
        ("get_domain", (Admins(&["domain:read"]), none())),
        ("update_domain", (Admins(&["domain:write"]), json!({ "jit_provisioning_enabled": true }))),
        ("delete_domain", (Admins(&["domain:write"]), none())),
        ("verify_domain", (Admins(&["domain:write"]), none())),
        ("renew_domain", (Admins(&["domain:write"]), none())),
        (
            "create_saml_connection",
            (Admins(&["saml_connection:write"]), json!({ "name": "Okta", "type": "okta", "domain_ids": [] })),
        ),
        ("list_saml_connections", (Admins(&["saml_connection:read"]), none())),
        ("get_saml_connection", (Admins(&["saml_connection:read"]), none())),
        ("update_saml_connection", (Admins(&["saml_connection:write"]), json!({ "name": "New" }))),
        ("delete_saml_connection", (Admins(&["saml_connection:write"]), none())),
        (
            "activate_saml_connection",
            (Admins(&["saml_connection:write", "trust"]), json!({ "skip_test": true })),
        ),
        ("test_saml_connection", (Admins(&["saml_connection:write"]), none())),
        ("get_saml_connection_test", (Admins(&["saml_connection:read"]), none())),
        (
            "draft_saml_connection",
            (Admins(&["saml_connection:write"]), json!({ "sso_url": "https://idp.acme.test/sso" })),
        ),
        ("get_saml_connection_draft", (Admins(&["saml_connection:read"]), none())),
        ("drop_saml_connection_draft", (Admins(&["saml_connection:write"]), none())),
        ("test_saml_connection_draft", (Admins(&["saml_connection:write"]), none())),
        (
            "activate_saml_connection_draft",
            (Admins(&["saml_connection:write", "trust"]), json!({ "skip_test": true })),
        ),
        ("list_sign_ins", (Admins(&["saml_connection:read"]), none())),
        ("get_sign_in", (Admins(&["saml_connection:read"]), none())),
        ("deactivate_saml_connection", (Admins(&["saml_connection:write"]), none())),
        ("list_saml_keys", (Admins(&["saml_connection:read"]), none())),
        ("create_saml_key", (Admins(&["saml_connection:write"]), json!({ "purpose": "signing" }))),
        ("get_saml_key", (Admins(&["saml_connection:read"]), none())),
        ("activate_saml_key", (Admins(&["saml_connection:write"]), none())),
        ("delete_saml_key", (Admins(&["saml_connection:write"]), none())),
        ("refresh_saml_metadata", (Admins(&["saml_connection:write"]), none())),
        ("confirm_saml_certificate", (Admins(&["saml_connection:write", "trust"]), none())),
        ("dismiss_saml_certificate", (Admins(&["saml_connection:write"]), none())),
        ("confirm_saml_addresses", (Admins(&["saml_connection:write", "trust"]), none())),
        ("dismiss_saml_addresses", (Admins(&["saml_connection:write"]), none())),
        ("list_guides", (Anybody(&[]), none())),
        ("get_saml_connection_guide", (Admins(&["saml_connection:read"]), none())),
        ("get_scim_guide", (Admins(&["scim:read"]), none())),
        ("get_scim", (Admins(&["scim:read"]), none())),
        ("update_scim", (Admins(&["scim:write"]), json!({}))),
        (
            "reactivate_scim_batch",
            (
                Admins(&["scim:write", "trust"]),
                json!({ "token_id": "sct_01h455vb4pex5vsknk084sn02q", "since": "2026-11-18T00:00:00Z" }),
            ),
        ),
        ("dry_run_scim", (Admins(&["scim:write"]), json!({ "method": "GET", "path": "/Users" }))),
        ("create_scim_token", (Admins(&["scim:write", "trust"]), none())),
        ("list_scim_tokens", (Admins(&["scim:read"]), none())),
        ("get_scim_token", (Admins(&["scim:read"]), none())),
        ("revoke_scim_token", (Admins(&["scim:write"]), none())),
        ("rotate_scim_token", (Admins(&["scim:write", "trust"]), none())),
        ("complete_scim_token_rotation", (Admins(&["scim:write"]), none())),
        ("cancel_scim_token_rotation", (Admins(&["scim:write", "trust"]), none())),
        (
            "create_scim_oauth_client",
            (
                Admins(&["scim:write", "trust"]),
                json!({ "name": "Okta", "token_endpoint_auth_method": "client_secret_basic" }),
            ),
        ),
        ("list_scim_oauth_clients", (Admins(&["scim:read"]), none())),
        ("get_scim_oauth_client", (Admins(&["scim:read"]), none())),
        ("revoke_scim_oauth_client", (Admins(&["scim:write"]), none())),
        ("list_scim_logs", (Admins(&["scim:read"]), none())),
        ("get_scim_log", (Admins(&["scim:read"]), none())),
        ("list_domain_scim_logs", (Admins(&["scim:read"]), none())),
        ("list_directory_users", (Admins(&["scim:read"]), none())),
        ("get_directory_user", (Admins(&["scim:read"]), none())),
        ("create_domain_scim_token", (Admins(&["scim:write", "trust"]), none())),
        ("add_member", (Admins(&["organization_member:write"]), json!({ "email": "new@acme.test" }))),
        ("list_members", (Members(&["organization_member:read"]), none())),
        ("count_members", (Members(&["organization_member:read"]), none())),
        ("get_member", (Members(&["organization_member:read"]), none())),
        ("update_member", (Admins(&["organization_member:write"]), json!({ "role": "member" }))),
        ("remove_member", (Admins(&["organization_member:write"]), none())),
        ("list_pending_links", (Admins(&["organization_member:read"]), none())),
        ("confirm_pending_link", (Admins(&["organization_member:write"]), none())),
        ("dismiss_pending_link", (Admins(&["organization_member:write"]), none())),
        ("preview_sso_enforcement", (Admins(&["organization_member:read"]), none())),
        ("list_sso_enforcement_members", (Admins(&["organization_member:read"]), none())),
        (
            "approve_guest",
            (
                Admins(&["organization_member:write", "trust"]),
                json!({ "email": "ann@elsewhere.test", "ends_at": "2026-12-18T00:00:00Z" }),
            ),
        ),
        ("list_guests", (Admins(&["organization_member:read"]), none())),
        ("get_guest", (Admins(&["organization_member:read"]), none())),
        (
            "renew_guest",
            (Admins(&["organization_member:write", "trust"]), json!({ "ends_at": "2026-12-18T00:00:00Z" })),
        ),
        ("end_guest", (Admins(&["organization_member:write"]), none())),
        ("list_groups", (Members(&["group:read"]), none())),
        ("get_group", (Members(&["group:read"]), none())),
        ("list_group_members", (Members(&["group:read"]), none())),
        ("get_role_mappings", (Admins(&["scim:read"]), none())),
        ("replace_role_mappings", (Admins(&["scim:write", "trust"]), json!({ "mappings": [] }))),
        ("preview_role_mappings", (Admins(&["scim:read"]), json!({ "mappings": [] }))),
        ("get_scim_schemas", (Admins(&["scim:read"]), none())),
        ("replace_scim_schemas", (Admins(&["scim:write"]), json!({ "schemas": [] }))),
        ("create_invite", (Admins(&["invite:write"]), json!({ "email": "guest@acme.test" }))),
        ("list_invites", (Admins(&["invite:read"]), none())),
        ("get_invite", (Admins(&["invite:read"]), none())),
        ("revoke_invite", (Admins(&["invite:write"]), none())),
        ("find_login_url", (Everybody, json!({ "email": "jo@acme.test" }))),
        ("accept_invite", (Everybody, json!({ "token": "pstn_inv_x" }))),
        (
            "create_api_key",
            (Admins(&["api_key:write"]), json!({ "name": "more", "scopes": ["api_key:write"] })),
        ),
        ("list_api_keys", (Admins(&["api_key:read"]), none())),
        ("get_api_key", (Admins(&["api_key:read"]), none())),
        ("revoke_api_key", (Admins(&["api_key:write"]), none())),
        ("list_events", (Admins(&["event:read"]), none())),
        ("get_me", (Anybody(&[]), none())),
        ("end_my_session", (People, none())),
        ("step_up", (People, json!({}))),
        ("create_access_token", (People, none())),
    ])
}

/// An operation of the document, aimed at an organization.
struct Operation {
    id: String,
    method: Method,
    /// With ids of things that are not there.
    path: String,
    body: Value,
    access: For,
    /// Whether the path names an organization.
    of_organization: bool,
}

impl Operation {
    async fn by(&self, app: &TestApp, credential: Option<&str>) -> Answer {
        let mut call = app.call(self.method.clone(), &self.path);
        if let Some(credential) = credential {
            call = if credential.starts_with("pstn_ses_") {
                call.session(credential)
            } else {
                call.bearer(credential)
            };
        }
        if !self.body.is_null() {
            call = call.json(&self.body);
        }
        call.send().await
    }
}

/// Every operation, read from the document; fails for one without a row and for a row without one.
fn operations(organization: &str) -> Vec<Operation> {
    const SUFFIX: &str = "01h455vb4pex5vsknk084sn02q";
    let document = postern::http::api::service("http://localhost").spec();
    let document: Value = serde_json::from_str(&document).expect("the document");
    let mut rows = rows();
    let mut operations = Vec::new();
    for (pattern, item) in document["paths"].as_object().expect("paths") {
        let mut path = format!("/api/v1{pattern}").replace("{organization_id}", organization);
        for (name, prefix) in [
            ("domain_id", "dom"),
            ("connection_id", "con"),
            ("token_id", "sct"),
            ("client_id", "scl"),
            ("log_id", "srq"),
            ("sign_in_id", "sgn"),
            ("user_id", "usr"),
            ("invite_id", "inv"),
            ("guest_id", "gst"),
            ("pending_link_id", "pln"),
            ("directory_user_id", "dus"),
            ("group_id", "grp"),
            ("api_key_id", "key"),
            ("key_id", "smk"),
        ] {
            path = path.replace(&format!("{{{name}}}"), &format!("{prefix}_{SUFFIX}"));
        }
        path = path.replace("{fingerprint}", &"AB".repeat(32));
        assert!(!path.contains('{'), "no id for {path}");
        for (method, operation) in item.as_object().expect("operations") {
            let id = text(operation, "operationId").to_owned();
            let (access, body) = rows.remove(id.as_str()).unwrap_or_else(|| panic!("no row for {id}"));
            assert_eq!(
                operation.get("security").is_none(),
                access == For::Everybody,
                "the document says wrongly whether {id} needs a credential"
            );
            operations.push(Operation {
                id,
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                body,
                access,
                of_organization: pattern.contains("{organization_id}"),
            });
        }
    }
    assert!(rows.is_empty(), "rows of no operation: {:?}", rows.keys());
    operations
}

/// All scopes but this one.
fn all_but(lacking: Option<&str>) -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.as_str()).filter(|scope| Some(*scope) != lacking).collect()
}

async fn every_operation_is_for_those_it_is_for(backend: Backend) {
    // One address asks for everything without a credential, more often than guessing may be.
    let builder = TestApp::builder().database(Database::migrated(backend).await);
    let app = builder.config("[limits]\nsign_in_per_minute = 10000").start().await;
    let org = app.organization("Acme").await;
    let elsewhere = app.organization("Elsewhere").await;
    let stranger = app.api_key(&elsewhere, &all_but(None)).await;
    let operations = operations(&org);
    let needed: BTreeSet<&str> = operations
        .iter()
        .flat_map(|operation| match operation.access {
            For::Anybody(scopes) | For::Members(scopes) | For::Admins(scopes) => scopes,
            For::Everybody | For::People | For::Operator => &[],
        })
        .copied()
        .collect();
    let mut lacking = BTreeMap::new();
    for scope in needed {
        lacking.insert(scope, app.api_key(&org, &all_but(Some(scope))).await);
    }
    let (_, plain) = signed_in(&app, &org, "plain@acme.test", "member").await;
    let (_, outsider) = signed_in(&app, &elsewhere, "owner@elsewhere.test", "owner").await;

    for operation in &operations {
        let id = &operation.id;
        let nobody = operation.by(&app, None).await;
        if operation.access == For::Everybody {
            assert!(!matches!(nobody.status, 401 | 403), "{id}: {nobody:?}");
            continue;
        }
        nobody.problem(401, "credential_missing");
        if operation.of_organization {
            // Whatever else they may: a foreign organization is not there for them.
            operation.by(&app, Some(&stranger)).await.problem(404, "not_found");
            operation.by(&app, Some(&outsider)).await.problem(404, "not_found");
        }
        let member = match operation.access {
            // Signing out would end the test's session.
            For::People => {
                operation.by(&app, Some(&stranger)).await.problem(403, "session_required");
                continue;
            }
            For::Operator => {
                operation.by(&app, Some(&stranger)).await.problem(403, "operator_only");
                operation.by(&app, Some(&outsider)).await.problem(403, "operator_only");
                operation.by(&app, Some(&plain)).await.problem(403, "operator_only");
                continue;
            }
            _ => operation.by(&app, Some(&plain)).await,
        };
        let (scopes, for_members) = match operation.access {
            For::Anybody(scopes) | For::Members(scopes) => (scopes, true),
            For::Admins(scopes) => (scopes, false),
            _ => unreachable!("left above"),
        };
        if for_members {
            assert!(!matches!(member.status, 401 | 403), "{id}: {member:?}");
        } else {
            member.problem(403, "role_too_low");
        }
        for scope in scopes {
            let refused = operation.by(&app, Some(&lacking[scope])).await.problem(403, "scope_missing");
            assert!(text(&refused, "detail").contains(scope), "{id} names the missing scope: {refused}");
        }
        let own = if scopes.is_empty() { &["event:read"] } else { scopes };
        let enough = app.api_key(&org, own).await;
        let allowed = operation.by(&app, Some(&enough)).await;
        assert!(!matches!(allowed.status, 401 | 403 | 405 | 415 | 429 | 500..), "{id}: {allowed:?}");
    }
}

mod every_operation_is_for_those_it_is_for {
    use crate::support::database::Backend;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        super::every_operation_is_for_those_it_is_for(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        super::every_operation_is_for_those_it_is_for(Backend::Postgres).await;
    }
}
