//! The directory's settings and tokens through HTTP.

use std::time::Duration;

use postern::model::tenant::TenantScope;
use postern::service::scim_credentials;
use postern::store;
use serde_json::{Value, json};

use crate::support::app::{TestApp, on_both, text};

fn scim(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/scim")
}

async fn read(app: &TestApp, organization: &str) -> Value {
    app.get(&scim(organization)).operator().send().await.expect(200).json()
}

/// Whether a secret opens a directory now.
async fn opens(app: &TestApp, secret: &str) -> bool {
    let services = app.services();
    scim_credentials::scim_token(services, secret, services.clock.now()).await.is_ok()
}

on_both! {
    async fn a_key_revoked_on_another_node_makes_no_token(app: TestApp) {
        let org = app.organization("Acme").await;
        let body = json!({ "name": "trusted", "scopes": ["scim:read", "scim:write", "trust"] });
        let keys = format!("/api/v1/organizations/{org}/api-keys");
        let key = app.post(&keys).operator().json(&body).send().await.expect(201).json();
        let tokens = format!("{}/tokens", scim(&org));
        // This node knows the key from now on, and does not hear what the other one does to it.
        app.post(&tokens).bearer(text(&key, "secret")).json(&json!({})).send().await.expect(201);
        let (services, scope) = (app.services(), TenantScope::established(org.parse().expect("an id")));
        let tx = services.begin().await.expect("a transaction");
        let id = text(&key, "id").parse().expect("an id");
        assert!(store::api_keys::revoke(&tx, scope, id, services.clock.now()).await.expect("a revocation"));
        tx.commit().await.expect("a commit");
        app.post(&tokens).bearer(text(&key, "secret")).json(&json!({})).send().await.problem(401, "credential_invalid");
    }

    async fn the_settings_say_where_to_point_the_client(app: TestApp) {
        let org = app.organization("Acme").await;
        for name in ["acme.test", "off.test"] {
            app.domain(&org, name).await;
        }
        let domains = format!("/api/v1/organizations/{org}/domains");
        let body = json!({ "name": "claimed.test" });
        app.post(&domains).operator().json(&body).send().await.expect(201);
        let all = app.get(&domains).operator().send().await.expect(200).json();
        for domain in all["data"].as_array().expect("domains").iter().filter(|d| d["name"] != "off.test") {
            let path = format!("{domains}/{}", text(domain, "id"));
            app.patch(&path).operator().json(&json!({ "scim_enabled": true })).send().await.expect(200);
        }
        let shown = read(&app, &org).await;
        assert_eq!(shown["scim_base_url"], format!("{}/scim/v2", app.url));
        assert!(!text(&shown, "scim_base_url").contains('_'));
        assert_eq!((&shown["provisioning_mode"], &shown["foreign_addresses"]), (&json!("jit"), &json!("refuse")));
        assert_eq!(shown["domains"], json!(["acme.test"]), "verified and switched on");
        assert_eq!(shown["tokens"], json!([]));
        app.get(&scim("org_01h455vb4pex5vsknk084sn02q")).operator().send().await.problem(404, "not_found");
    }

    async fn a_token_is_shown_once_and_dead_at_once(app: TestApp) {
        let org = app.organization("Acme").await;
        let tokens = format!("{}/tokens", scim(&org));
        let made = app.post(&tokens).operator().send().await.expect(201).json();
        let secret = text(&made, "token").to_owned();
        assert!(secret.starts_with("pstn_scim_") && secret.ends_with(text(&made, "last_four")), "{made}");
        app.clock.advance(Duration::from_millis(1));
        let other = app.scim_token(&org).await;
        assert!(opens(&app, &secret).await && opens(&app, &other).await);

        let shown = read(&app, &org).await;
        assert_eq!(shown["tokens"].as_array().map(Vec::len), Some(2));
        assert!(!shown.to_string().contains(&secret));
        assert_eq!((&shown["tokens"][0]["id"], &shown["tokens"][0]["active"]), (&made["id"], &json!(true)));

        let path = format!("{tokens}/{}", text(&made, "id"));
        app.delete(&path).operator().send().await.expect(204);
        assert!(!opens(&app, &secret).await, "at once, also where it was cached");
        assert!(opens(&app, &other).await);
        app.delete(&path).operator().send().await.problem(404, "not_found");
        let shown = read(&app, &org).await;
        assert_eq!(shown["tokens"][0]["active"], false);
        assert!(shown["tokens"][0]["revoked_at"].is_string(), "{shown}");
    }

    async fn tokens_and_foreign_addresses_are_changes_of_trust(app: TestApp) {
        let org = app.organization("Acme").await;
        let writer = app.api_key(&org, &["scim:read", "scim:write"]).await;
        let trusted = app.api_key(&org, &["scim:write", "trust"]).await;
        let (path, tokens) = (scim("me"), format!("{}/tokens", scim("me")));
        let refused = app.post(&tokens).bearer(&writer).send().await;
        assert!(text(&refused.problem(403, "scope_missing"), "detail").contains("trust"));
        let made = app.post(&tokens).bearer(&trusted).send().await.expect(201);

        let etag = app.get(&path).bearer(&writer).send().await.expect(200);
        let etag = etag.header("etag").expect("an ETag").to_owned();
        let hold = json!({ "foreign_addresses": "hold" });
        app.patch(&path).bearer(&writer).json(&hold).send().await.problem(403, "scope_missing");
        assert_eq!(read(&app, &org).await["foreign_addresses"], "refuse");
        let done = app.patch(&path).bearer(&trusted).header("if-match", &etag).json(&hold).send().await;
        assert_eq!(done.expect(200).json()["foreign_addresses"], "hold");
        let late = json!({ "foreign_addresses": "refuse" });
        let late = app.patch(&path).bearer(&trusted).header("if-match", &etag).json(&late).send().await;
        late.problem(412, "precondition_failed");
        app.patch(&path).bearer(&writer).json(&hold).send().await.expect(200);
        let answer = app.patch(&path).operator().json(&hold).send().await;
        answer.problem(400, "operator_has_no_organization");
        for body in [json!({ "foreign_addresses": "maybe" }), json!({ "provisioning_mode": "scim" })] {
            app.patch(&path).bearer(&trusted).json(&body).send().await.expect(400);
        }
        // Revoking takes trust away, so it needs no right to change trust; an id of another tenant is not there.
        let other = app.organization("Other").await;
        let foreign = app.api_key(&other, &["scim:write", "trust"]).await;
        let token = format!("{tokens}/{}", made.id());
        app.delete(&token).bearer(&foreign).send().await.problem(404, "not_found");
        assert!(opens(&app, text(&made.json(), "token")).await);
        app.delete(&token).bearer(&writer).send().await.expect(204);
    }

    async fn there_are_only_so_many_live_tokens(app: TestApp) {
        let org = app.organization("Acme").await;
        let tokens = format!("{}/tokens", scim(&org));
        let mut last = String::new();
        for _ in 0..20 {
            last = app.post(&tokens).operator().send().await.expect(201).id();
        }
        app.post(&tokens).operator().send().await.problem(409, "too_many_tokens");
        app.delete(&format!("{tokens}/{last}")).operator().send().await.expect(204);
        app.post(&tokens).operator().send().await.expect(201);
    }
}
