//! Set-up guides through HTTP: every type, with this organization's values and nobody else's.

use serde_json::{Value, json};

use crate::support::app::{TestApp, on_both, text};

const TYPES: [&str; 9] =
    ["okta", "entra", "google", "onelogin", "jumpcloud", "ping", "adfs", "keycloak", "generic"];

fn connections(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/saml-connections")
}

/// A draft with this name and type that serves the domain.
async fn draft(app: &TestApp, organization: &str, kind: &str, name: &str, domain: Option<&str>) -> Value {
    let body = json!({ "name": name, "type": kind, "domain_ids": domain.into_iter().collect::<Vec<_>>() });
    app.post(&connections(organization)).operator().json(&body).send().await.expect(201).json()
}

async fn guide(app: &TestApp, organization: &str, connection: &Value) -> Value {
    let path = format!("{}/{}/guide", connections(organization), text(connection, "id"));
    app.get(&path).operator().send().await.expect(200).json()
}

/// What every guide must be, whatever it tells.
fn is_whole(guide: &Value, kind: &str) {
    assert_eq!(guide["type"], kind);
    let whole = text(guide, "text");
    assert!(whole.starts_with(&format!("# {}\n", text(guide, "title"))), "{whole}");
    assert!(!whole.contains("{{") && !whole.contains("}}\n") && !whole.contains("{#"), "a gap: {whole}");
    let sections = guide["sections"].as_array().expect("sections");
    assert!(sections.len() > 4, "{guide}");
    for section in sections {
        assert!(!text(section, "markdown").is_empty(), "{section}");
        assert!(whole.contains(text(section, "markdown")) && whole.contains(text(section, "title")));
    }
    for field in guide["fields"].as_array().expect("fields") {
        assert!(whole.contains(&format!("**{}**", text(field, "idp_field"))), "{field}");
    }
}

on_both! {
    async fn every_type_is_told_with_the_connections_own_values(app: TestApp) {
        let org = app.organization("Acme").await;
        let domain = app.domain(&org, "acme.test").await;
        let other = app.organization("Elsewhere").await;
        let other_domain = app.domain(&other, "elsewhere.test").await;
        let foreign = draft(&app, &other, "okta", "Their Okta", Some(&other_domain)).await;
        let listed = app.get("/api/v1/guides").operator().send().await.expect(200).json();
        let listed: Vec<&str> = listed["data"].as_array().expect("types").iter().map(|t| text(t, "type")).collect();
        assert_eq!(listed, TYPES);
        for kind in TYPES {
            let connection = draft(&app, &org, kind, "Our IdP", Some(&domain)).await;
            let guide = guide(&app, &org, &connection).await;
            is_whole(&guide, kind);
            let whole = text(&guide, "text");
            for value in ["entity_id", "acs_url", "sp_metadata_url"] {
                assert!(whole.contains(&format!("`{}`", text(&connection, value))), "{kind} lacks {value}: {whole}");
            }
            for value in ["acme.test", "Acme", "Our IdP", &format!("{}/login", app.url), text(&connection, "id"), &org] {
                assert!(whole.contains(value), "{kind} lacks {value}: {whole}");
            }
            let copied: Vec<&str> = guide["fields"].as_array().expect("fields").iter()
                .filter(|field| field["copyable"] == true).map(|field| text(field, "value")).collect();
            assert!(copied.contains(&text(&connection, "entity_id")), "{kind}: {copied:?}");
            assert!(copied.contains(&text(&connection, "acs_url")), "{kind}: {copied:?}");
            for theirs in ["Elsewhere", "elsewhere.test", "Their Okta", text(&foreign, "entity_id"), text(&foreign, "id"), &other] {
                assert!(!whole.contains(theirs), "{kind} tells of {theirs}: {whole}");
            }
        }
    }

    async fn what_the_connection_knows_and_maps_is_told(app: TestApp) {
        let org = app.organization("Acme").await;
        let connection = draft(&app, &org, "jumpcloud", "JumpCloud", None).await;
        let empty = guide(&app, &org, &connection).await;
        assert!(text(&empty, "text").contains("knows nothing of the identity provider yet"), "{empty}");
        assert!(text(&empty, "text").contains("none yet; assign some by"), "{empty}");
        let body = json!({
            "idp_entity_id": "urn:jumpcloud:`acme|1",
            "sso_url": "https://sso.jumpcloud.com/saml2/acme",
            "attribute_mapping": { "email": "workMail", "groups": "teams" },
        });
        let path = format!("{}/{}", connections(&org), text(&connection, "id"));
        app.patch(&path).operator().json(&body).send().await.expect(200);
        let told = guide(&app, &org, &connection).await;
        let whole = text(&told, "text");
        for value in ["``urn:jumpcloud:`acme\\|1``", "`https://sso.jumpcloud.com/saml2/acme`", "`workMail` (set in this connection)", "`teams` (set in this connection)"] {
            assert!(whole.contains(value), "{whole}");
        }
        let fields = told["fields"].as_array().expect("fields");
        let own = fields.iter().find(|field| field["idp_field"] == "IdP Entity ID").expect("the field");
        assert_eq!((&own["value"], &own["copyable"]), (&json!("urn:jumpcloud:`acme|1"), &json!(true)));
    }

    async fn a_name_with_markdown_or_html_in_it_stays_a_name(app: TestApp) {
        let hostile = "</p><script>alert(1)</script> [click](https://evil.example) ![x](y)";
        let org = app.organization(hostile).await;
        let name = "`**Okta**` | <img src=x onerror=y> {{acs_url}} # x";
        let connection = draft(&app, &org, "okta", name, None).await;
        let told = guide(&app, &org, &connection).await;
        let scim = app.get(&format!("/api/v1/organizations/{org}/scim/guide")).operator().send().await.expect(200).json();
        for guide in [&told, &scim] {
            let whole = text(guide, "text");
            for live in ["<script", "</p>", "<img", "[click]", "](https", "https://evil", "![", "**Okta**", "{{"] {
                assert!(!whole.contains(live), "{live} is live in {whole}");
            }
            assert!(whole.contains("\\[click\\]"), "{whole}");
        }
        assert!(text(&told, "text").contains("\\*\\*Okta\\*\\*"), "{told}");
        let first = text(&told["sections"][0], "markdown").lines().next().expect("a line").to_owned();
        assert!(first.contains("Okta") && first.ends_with('.'), "the names end with their line: {first}");
    }

    async fn provisioning_is_told_for_every_type(app: TestApp) {
        let org = app.organization("Acme").await;
        let domain = app.domain(&org, "acme.test").await;
        app.domain(&org, "off.test").await;
        let domain = format!("/api/v1/organizations/{org}/domains/{domain}");
        app.patch(&domain).operator().json(&json!({ "scim_enabled": true })).send().await.expect(200);
        let secret = app.scim_token(&org).await;
        let path = format!("/api/v1/organizations/{org}/scim/guide");
        let base = format!("{}/scim/v2", app.url);
        for kind in TYPES {
            let guide = app.get(&path).query(&[("type", kind)]).operator().send().await.expect(200).json();
            is_whole(&guide, kind);
            let whole = text(&guide, "text");
            assert!(whole.contains(&format!("`{base}`")) && whole.contains("`acme.test`"), "{kind}: {whole}");
            assert!(!whole.contains("off.test") && !whole.contains(&secret), "{kind}: {whole}");
            let fields = guide["fields"].as_array().expect("fields");
            assert!(fields.iter().any(|field| field["value"] == json!(base) && field["copyable"] == true), "{guide}");
            assert!(fields.iter().any(|field| text(field, "value").contains("token") && field["copyable"] == false), "{guide}");
        }
        let unnamed = app.get(&path).operator().send().await.expect(200).json();
        assert_eq!(unnamed["type"], "generic");
        app.get(&path).query(&[("type", "nobody")]).operator().send().await.expect(400);
    }

    async fn a_guide_is_for_those_who_may_read_the_connection(app: TestApp) {
        let (org, other) = (app.organization("Acme").await, app.organization("Elsewhere").await);
        let connection = draft(&app, &org, "okta", "Okta", None).await;
        let id = text(&connection, "id");
        let key = app.api_key(&org, &["saml_connection:read"]).await;
        let stranger = app.api_key(&other, &["saml_connection:read", "scim:read"]).await;
        let path = |organization: &str| format!("{}/{id}/guide", connections(organization));
        app.get(&path("me")).bearer(&key).send().await.expect(200);
        // In its own organization there is no such connection; the other organization is not there at all.
        app.get(&path(&other)).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&path(&org)).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&path("me")).bearer(&stranger).send().await.problem(404, "not_found");
        let scim = format!("/api/v1/organizations/{org}/scim/guide");
        app.get(&scim).bearer(&stranger).send().await.problem(404, "not_found");
        app.get(&scim).bearer(&key).send().await.problem(403, "scope_missing");
    }
}
