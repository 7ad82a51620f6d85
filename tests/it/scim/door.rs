//! Who may come in, and what odd requests meet: always a SCIM answer, never a 5xx.

use governor::clock::FakeRelativeClock;
use postern::http::limits::LimitClock;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Tenant, USER, user};
use crate::support::app::{TestApp, on_both};

const PATHS: [&str; 9] = [
    "/scim/v2",
    "/scim/v2/Users",
    "/scim/v2/Users/1",
    "/scim/v2/Groups",
    "/scim/v2/Me",
    "/scim/v2/Bulk",
    "/scim/v2/Schemas",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/no/such/path",
];

on_both! {
    async fn a_token_is_asked_for_first_everywhere(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        for path in PATHS {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                let answer = app.call(method.clone(), path).body("application/scim+json", "{").send().await;
                // Guessing is limited by address at some point; the dialect stays.
                if answer.status == 429 {
                    answer.scim_error(429, None);
                    assert!(answer.header("retry-after").is_some());
                    continue;
                }
                answer.scim_error(401, None);
                assert!(answer.header("www-authenticate").is_some_and(|h| h.starts_with("Bearer")), "{path} {method}");
                assert_eq!(answer.header("content-type"), Some("application/scim+json"));
            }
        }
        // A token that is right is not hindered by others' guessing from the same address.
        acme.get("/Users").send().await.expect(200);
    }

    async fn a_revoked_token_and_other_credentials_open_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.get("/Users").send().await.expect(200);
        let key = app.api_key(&acme.org, &["organization_member:read"]).await;
        app.get("/scim/v2/Users").bearer(&key).send().await.scim_error(401, None);
        app.get("/scim/v2/Users").operator().send().await.scim_error(401, None);
        app.get("/api/v1/organizations").bearer(&acme.token).send().await.expect(401);
        // As Okta's older apps send it.
        app.get("/scim/v2/Users").header("authorization", &acme.token).send().await.expect(200);
        app.get("/scim/v2/Users").header("authorization", &format!("bEaReR  {}", acme.token)).send().await.expect(200);
        app.get("/scim/v2/Users").header("authorization", &format!("Basic {}", acme.token)).send().await.scim_error(401, None);
        app.get("/scim/v2/Users").query(&[("access_token", &acme.token)]).send().await.scim_error(401, None);

        let settings = acme.rest("scim").await;
        let token = settings["tokens"][0]["id"].as_str().expect("a token").to_owned();
        let path = format!("/api/v1/organizations/{}/scim/tokens/{token}", acme.org);
        app.delete(&path).operator().send().await.expect(204);
        acme.get("/Users").send().await.scim_error(401, None);
    }

    async fn paths_and_methods_that_are_not_there(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        for path in ["", "/", "/users", "/groups", "/Groups/1", "/Users/a/b", "/Groups/a/b", "/%00", "/%FF", "/..%2f"] {
            acme.get(path).send().await.scim_error(404, None);
        }
        acme.get("/Me").send().await.scim_error(501, None);
        acme.get("/Bulk").send().await.scim_error(405, None);
        for path in ["/Users", "/Groups", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes/User"] {
            let call = app.call(Method::DELETE, &format!("/scim/v2{path}")).bearer(&acme.token);
            let answer = call.send().await;
            answer.scim_error(405, None);
            assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")));
        }
    }

    async fn ids_of_any_shape_and_of_other_tenants_are_404(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let theirs = other.user("jo@other.com").await;
        let long = "x".repeat(4_000);
        let upper = theirs.to_uppercase();
        let ids = [
            "010101001010101011001010101011", theirs.as_str(), upper.as_str(), "0", "%00", "%FF%FE", "*",
            "%F0%9F%99%82", "00000000-0000-0000-0000-000000000000", "'%20OR%201=1", long.as_str(),
        ];
        for id in ids {
            acme.get(&format!("/Users/{id}")).send().await.scim_error(404, None);
            acme.put(id, &user("jo@acme.com")).send().await.scim_error(404, None);
            acme.patch(id, &json!([{ "op": "replace", "path": "active", "value": false }])).send().await.scim_error(404, None);
            acme.delete(id).send().await.scim_error(404, None);
        }
        // Not to be seen in any other way either.
        for filter in [format!("id eq \"{theirs}\""), "userName eq \"jo@other.com\"".to_owned(), "userName sw \"jo\"".to_owned()] {
            let list = acme.get("/Users").query(&[("filter", &filter)]).send().await.expect(200).json();
            assert_eq!(list["totalResults"], 0, "{filter}");
        }
        other.get(&format!("/Users/{theirs}")).send().await.expect(200);
        assert_eq!(other.member("jo@other.com").await.expect("still there")["status"], "active");
    }

    async fn bodies_that_make_no_sense(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let nested = format!("{{\"schemas\":[\"{USER}\"],\"userName\":{deep}}}");
        let bodies = [
            "", "{", "null", "[]", "\"x\"", "1e999", "{\"userName\":\"\\ud800\"}", deep.as_str(), nested.as_str(), "{}",
            "{\"userName\": 1}", "{\"userName\": \"\"}", "{\"userName\": \"a\\u0000b@acme.com\"}",
            "{\"userName\":\"jo@acme.com\",\"emails\":\"x\"}", "{\"userName\":\"jo@acme.com\",\"active\":\"perhaps\"}",
        ];
        for body in bodies {
            let post = app.post("/scim/v2/Users").bearer(&acme.token).body("application/scim+json", body.to_owned());
            let answer = post.send().await;
            assert_eq!(answer.status, 400, "{:.60}: {}", body, answer.body);
            assert!(matches!(answer.json()["scimType"].as_str(), Some("invalidSyntax" | "invalidValue")), "{}", answer.body);
        }
        let xml = app.post("/scim/v2/Users").bearer(&acme.token).body("text/xml", "<user/>");
        xml.send().await.scim_error(415, None);
        let squeezed = app.post("/scim/v2/Users").bearer(&acme.token).body("application/scim+json", "{}");
        let refused = squeezed.header("content-encoding", "gzip").send().await;
        assert!(refused.scim_error(415, None).to_string().contains("Content-Encoding"), "{}", refused.body);
        let huge = "x".repeat(20 * 1024 * 1024);
        let huge = app.post("/scim/v2/Users").bearer(&acme.token).body("application/json", huge);
        huge.send().await.scim_error(413, None);
        assert_eq!(acme.get("/Users").send().await.expect(200).json()["totalResults"], 0);
    }

    async fn filters_that_make_no_sense(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.user("jo@acme.com").await;
        let parentheses = format!("{}userName pr{}", "(".repeat(2_000), ")".repeat(2_000));
        let long = format!("userName eq \"{}\"", "x".repeat(9_000));
        let filters = ["", "userName", "nope eq \"x\"", "userName eq jo", "active gt true", parentheses.as_str(), long.as_str()];
        for filter in filters {
            acme.get("/Users").query(&[("filter", filter)]).send().await.scim_error(400, Some("invalidFilter"));
        }
        for filter in ["userName eq \"a\\u0000b\"", "externalId eq \"\\u0000\"", "userName co \"\\u0000\""] {
            acme.get("/Users").query(&[("filter", filter)]).send().await.scim_error(400, Some("invalidFilter"));
        }
        for (name, value) in [("startIndex", "99999999999999999999"), ("count", "-7"), ("count", "99999999999999999999")] {
            acme.get("/Users").query(&[(name, value)]).send().await.expect(200);
        }
        acme.get("/Users").query(&[("count", "many")]).send().await.scim_error(400, Some("invalidValue"));
    }

    async fn discovery_says_what_is_there(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let config = acme.get("/ServiceProviderConfig").send().await.expect(200).json();
        assert_eq!(config["patch"]["supported"], true);
        assert_eq!(config["filter"]["maxResults"], 200);
        assert_eq!(config["meta"]["location"], format!("{}/scim/v2/ServiceProviderConfig", app.url));
        let types = acme.get("/ResourceTypes").send().await.expect(200).json();
        assert_eq!(types["totalResults"], 2);
        assert_eq!((&types["Resources"][0]["id"], &types["Resources"][1]["id"]), (&json!("User"), &json!("Group")));
        acme.get("/ResourceTypes/User").send().await.expect(200);
        assert_eq!(acme.get("/ResourceTypes/Group").send().await.expect(200).json()["endpoint"], "/Groups");
        acme.get("/ResourceTypes/Device").send().await.scim_error(404, None);
        let schemas = acme.get("/Schemas?sortBy=id&count=1").send().await.expect(200);
        assert!(!schemas.body.contains("null"), "Entra reads no nulls");
        for schema in schemas.json()["Resources"].as_array().expect("schemas") {
            let urn = schema["id"].as_str().expect("a URN");
            let one: Value = acme.get(&format!("/Schemas/{urn}")).send().await.expect(200).json();
            assert_eq!(&one, schema);
        }
        acme.get("/Schemas/urn:nope").send().await.scim_error(404, None);
        for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"] {
            acme.get(path).query(&[("filter", "id pr")]).send().await.scim_error(403, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_token_has_its_own_limit() {
    let hand = FakeRelativeClock::default();
    let clock = LimitClock::Manual(hand.clone());
    let app = TestApp::builder()
        .limit_clock(clock)
        .config("[scim]\nrate_per_second = 25\nburst = 30")
        .start()
        .await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let other = Tenant::new(&app, "Other", "other.com").await;
    for left in (0..30).rev() {
        let answer = acme.get("/Users?count=0").send().await.expect(200);
        let state = answer.header("ratelimit").expect("what is left");
        assert!(state.contains(&format!("r={left};")), "{state}");
    }
    let refused = acme.get("/Users?count=0").send().await;
    refused.scim_error(429, None);
    assert_eq!(refused.header("retry-after"), Some("1"));
    other.get("/Users?count=0").send().await.expect(200);
    hand.advance(std::time::Duration::from_secs(1));
    acme.get("/Users?count=0").send().await.expect(200);
}
