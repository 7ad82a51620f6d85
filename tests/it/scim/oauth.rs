//! OAuth for SCIM, from the SCIM URL alone: metadata, the token endpoint, and the attacks on it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use serde_json::{Value, json};

use super::{Tenant, user};
use crate::support::app::{Answer, TestApp, on_both, text};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A signing key of an IdP.
struct Key {
    der: Vec<u8>,
    jwk: Value,
}

impl Key {
    fn new(kid: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("the curve");
        let key = EcKey::generate(&group).expect("a key");
        let mut context = BigNumContext::new().expect("a context");
        let (mut x, mut y) = (BigNum::new().expect("a number"), BigNum::new().expect("a number"));
        key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).expect("a point");
        let part = |number: &BigNum| URL_SAFE_NO_PAD.encode(number.to_vec_padded(32).expect("32 bytes"));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": part(&x), "y": part(&y) });
        let der = PKey::from_ec_key(key).expect("a key").private_key_to_pkcs8().expect("a DER");
        Self { der, jwk }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(text(&self.jwk, "kid").to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.der)).expect("signed")
    }
}

fn claims(app: &TestApp, client: &str, jti: &str) -> Value {
    let now = app.services().clock.now().unix_seconds();
    json!({ "iss": client, "sub": client, "aud": app.url, "exp": now + 120, "iat": now, "jti": jti })
}

async fn register(tenant: &Tenant<'_>, body: &Value) -> Value {
    let path = format!("/api/v1/organizations/{}/scim/oauth-clients", tenant.org);
    tenant.app.post(&path).operator().json(body).send().await.expect(201).json()
}

/// A client that signs with this key; gives its id.
async fn signing(tenant: &Tenant<'_>, key: &Key) -> String {
    let body = json!({
        "name": "IdP", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.jwk] },
    });
    text(&register(tenant, &body).await, "id").to_owned()
}

/// A client with a secret: id and secret.
async fn with_secret(tenant: &Tenant<'_>) -> (String, String) {
    let made =
        register(tenant, &json!({ "name": "IdP", "token_endpoint_auth_method": "client_secret_basic" }))
            .await;
    (text(&made, "id").to_owned(), text(&made, "secret").to_owned())
}

async fn by_assertion(app: &TestApp, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "scim"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    app.post("/oauth/token").form(&form).send().await
}

async fn by_secret(app: &TestApp, id: &str, secret: &str, form: &[(&str, &str)]) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    app.post("/oauth/token").header("authorization", &basic).form(form).send().await
}

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// Fails unless this is a refusal of RFC 6749 section 5.2.
#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) -> Value {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &json!(error)), "{answer:?}");
    assert!(body["error_description"].is_string(), "{body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(status != 401 || answer.header("www-authenticate").is_some());
    body
}

async fn knock(app: &TestApp, token: &str) -> Answer {
    app.get("/scim/v2/Users").bearer(token).send().await
}

on_both! {
    async fn a_client_finds_its_way_from_the_scim_url_alone(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let key = Key::new("k1");
        let client = signing(&acme, &key).await;

        let challenge = app.get("/scim/v2/Users").send().await.expect(401);
        let challenge = challenge.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        let url = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
        let resource = app.get(url.expect("the metadata's URL")).send().await.expect(200).json();
        assert_eq!(resource["resource"], format!("{}/scim/v2", app.url));
        assert_eq!((&resource["scopes_supported"], &resource["bearer_methods_supported"]), (&json!(["scim"]), &json!(["header"])));
        let issuer = resource["authorization_servers"][0].as_str().expect("an issuer");
        let server = app.get(&format!("{issuer}/.well-known/oauth-authorization-server")).send().await.expect(200).json();
        assert_eq!(server["issuer"], issuer);
        assert_eq!(server["grant_types_supported"], json!(["client_credentials"]));
        assert_eq!(server["token_endpoint_auth_methods_supported"], json!(["private_key_jwt", "client_secret_basic"]));

        let mut claims = claims(&app, &client, "1");
        claims["aud"] = server["issuer"].clone();
        let form = [
            ("grant_type", "client_credentials"), ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &key.sign(&claims)), ("resource", text(&resource, "resource")), ("client_id", &client),
        ];
        let given = app.post(text(&server, "token_endpoint")).form(&form).send().await.expect(200);
        assert_eq!(given.header("cache-control"), Some("no-store"));
        let given = given.json();
        assert_eq!((&given["token_type"], &given["expires_in"], &given["scope"]), (&json!("Bearer"), &json!(3600), &json!("scim")));
        assert_eq!(given.get("refresh_token"), None);
        let bearer = Tenant { app: &app, org: acme.org.clone(), domain: acme.domain.clone(), token: text(&given, "access_token").to_owned() };
        bearer.user("jo@acme.com").await;
        // Who did it is told, and the token opens nothing else.
        let events = app.get(&format!("/api/v1/organizations/{}/events?kind=directory_user.created", acme.org));
        let events = events.operator().send().await.expect(200).json();
        let actor = &events["data"][0]["actor"];
        assert_eq!((&actor["kind"], &actor["id"]), (&json!("scim_client"), &json!(client)), "{events}");
        app.get("/api/v1/organizations/me").bearer(&bearer.token).send().await.expect(401);

        app.clock.advance(Duration::from_secs(3599));
        knock(&app, &bearer.token).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        knock(&app, &bearer.token).await.scim_error(401, None);
        let shown = acme.rest(&format!("scim/oauth-clients/{client}")).await;
        assert!(shown["last_used_at"].is_string() && shown.get("secret").is_none(), "{shown}");
    }

    async fn a_secret_is_shown_once_and_taken_in_the_header_alone(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (id, secret) = with_secret(&acme).await;
        let list = acme.rest("scim/oauth-clients").await;
        assert!(!list.to_string().contains(&secret) && secret.ends_with(text(&list["data"][0], "last_four")), "{list}");
        let token = by_secret(&app, &id, &secret, &GRANT).await.expect(200).json();
        knock(&app, text(&token, "access_token")).await.expect(200);
        for form in [
            vec![GRANT[0], ("client_id", id.as_str()), ("client_secret", secret.as_str())],
            vec![GRANT[0], ("client_id", id.as_str())],
            vec![GRANT[0]],
        ] {
            refused(&app.post("/oauth/token").form(&form).send().await, 401, "invalid_client");
        }
        let other = Tenant::new(&app, "Other", "other.com").await;
        let (stranger, theirs) = with_secret(&other).await;
        let mut told = Vec::new();
        for (id, secret) in [
            (id.as_str(), theirs.as_str()), (stranger.as_str(), secret.as_str()), (id.as_str(), ""), (id.as_str(), "x"),
            ("scl_01h455vb4pex5vsknk084sn02q", secret.as_str()), ("acme", secret.as_str()), ("", ""),
        ] {
            told.push(refused(&by_secret(&app, id, secret, &GRANT).await, 401, "invalid_client"));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "one answer for every reason: {told:?}");
        // The secret itself is no token.
        knock(&app, &secret).await.scim_error(401, None);
    }

    async fn odd_requests_hear_what_is_wrong(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (id, secret) = with_secret(&acme).await;
        let grant = GRANT[0];
        for (form, error) in [
            (vec![], "invalid_request"),
            (vec![("grant_type", "")], "invalid_request"),
            (vec![("grant_type", "password")], "unsupported_grant_type"),
            (vec![("grant_type", "refresh_token")], "unsupported_grant_type"),
            (vec![grant, grant], "invalid_request"),
            (vec![grant, ("scope", "scim admin")], "invalid_scope"),
            (vec![grant, ("scope", "SCIM")], "invalid_scope"),
            (vec![grant, ("resource", "https://other.example/scim/v2")], "invalid_target"),
            (vec![grant, ("client_assertion_type", JWT_BEARER)], "invalid_request"),
            (vec![grant, ("client_assertion", "x"), ("client_assertion_type", JWT_BEARER)], "invalid_request"),
        ] {
            refused(&by_secret(&app, &id, &secret, &form).await, 400, error);
        }
        let another = [grant, ("client_id", "scl_01h455vb4pex5vsknk084sn02q")];
        refused(&by_secret(&app, &id, &secret, &another).await, 401, "invalid_client");
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let send = |kind: &str, body: String| app.post("/oauth/token").header("authorization", &basic).body(kind, body).send();
        refused(&send("application/json", "{}".into()).await, 415, "invalid_request");
        refused(&send("application/x-www-form-urlencoded", "x".repeat(20_000)).await, 413, "invalid_request");
        refused(&app.get("/oauth/token").send().await, 405, "invalid_request");
        refused(&app.get("/oauth/authorize").send().await, 404, "invalid_request");
        for header in ["Bearer x", "Basic", "Basic %%%", "Basic eA=="] {
            let answer = app.post("/oauth/token").header("authorization", header).form(&GRANT).send().await;
            refused(&answer, 401, "invalid_client");
        }
        // Empty parameters count as left out, unknown ones are ignored.
        by_secret(&app, &id, &secret, &[grant, ("scope", ""), ("audience", "x")]).await.expect(200);
    }

    async fn an_assertion_that_lies_gives_nothing(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let (key, theirs) = (Key::new("k1"), Key::new("k1"));
        let (client, stranger) = (signing(&acme, &key).await, signing(&other, &theirs).await);
        let with = |name: &str, value: Value| {
            let mut claims = claims(&app, &client, name);
            claims[name] = value;
            key.sign(&claims)
        };
        let now = app.services().clock.now().unix_seconds();
        let good = key.sign(&claims(&app, &client, "good"));
        let parts: Vec<&str> = good.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let (unsigned, cut) = (format!("{none}.{}.", parts[1]), format!("{}.{}.", parts[0], parts[1]));
        let mut odd = Vec::new();
        for assertion in [unsigned, cut, theirs.sign(&claims(&app, &client, "x")), key.sign(&claims(&app, &stranger, "x")), "x".into()] {
            odd.push(refused(&by_assertion(&app, &assertion).await, 401, "invalid_client"));
        }
        odd.dedup();
        assert_eq!(odd.len(), 1, "who has not signed hears one answer: {odd:?}");
        for (name, value) in [
            ("aud", json!(format!("{}/oauth/token", app.url))), ("aud", json!([app.url])), ("aud", json!("https://other.example")),
            ("exp", json!(now - 61)), ("exp", json!(now + 7_200)), ("exp", Value::Null), ("nbf", json!(now + 300)),
            ("sub", json!(stranger)), ("jti", Value::Null),
        ] {
            let told = refused(&by_assertion(&app, &with(name, value)).await, 401, "invalid_client");
            assert!(text(&told, "error_description").contains(name), "{name}: {told}");
        }
        // An assertion is no token, and a client that signs has no secret.
        knock(&app, &good).await.scim_error(401, None);
        refused(&by_secret(&app, &client, "x", &GRANT).await, 401, "invalid_client");
        by_assertion(&app, &good).await.expect(200);
    }

    async fn an_assertion_is_good_once_whoever_is_asked(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let (key, theirs) = (Key::new("a"), Key::new("b"));
        let (client, stranger) = (signing(&acme, &key).await, signing(&other, &theirs).await);
        let assertion = key.sign(&claims(&app, &client, "once"));
        let answers = futures_util::future::join_all((0..8).map(|_| by_assertion(&app, &assertion))).await;
        let given: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(given.len(), 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            let told = refused(answer, 401, "invalid_client");
            assert!(text(&told, "error_description").contains("used before"), "{told}");
        }
        // The same jti of another client is another assertion.
        by_assertion(&app, &theirs.sign(&claims(&app, &stranger, "once"))).await.expect(200);
        // What could not be used any more is forgotten, and is refused for its age.
        app.clock.advance(Duration::from_mins(10));
        postern::service::upkeep::prune(app.services()).await.expect("pruned");
        let told = refused(&by_assertion(&app, &assertion).await, 401, "invalid_client");
        assert!(text(&told, "error_description").contains("expired"), "{told}");
        by_assertion(&app, &key.sign(&claims(&app, &client, "once"))).await.expect(200);
    }

    async fn a_token_reaches_its_own_directory_and_dies_with_its_client(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let theirs = other.user("jo@other.com").await;
        let (id, secret) = with_secret(&acme).await;
        let token = by_secret(&app, &id, &secret, &GRANT).await.expect(200).json();
        let token = text(&token, "access_token").to_owned();
        app.get(&format!("/scim/v2/Users/{theirs}")).bearer(&token).send().await.scim_error(404, None);
        app.post("/scim/v2/Users").bearer(&token).scim(&user("kim@other.com")).send().await.scim_error(400, Some("invalidValue"));
        // The directory's settings hold for it.
        acme.set("scim", &json!({ "conformance": "profile", "oauth_only": true })).await;
        let config = app.get("/scim/v2/ServiceProviderConfig").bearer(&token).send().await.expect(200).json();
        assert_eq!(config["interopProfileConformant"], true);
        acme.get("/Users").send().await.scim_error(401, None);

        let path = |org: &str| format!("/api/v1/organizations/{org}/scim/oauth-clients/{id}");
        app.get(&path(&other.org)).operator().send().await.problem(404, "not_found");
        app.delete(&path(&other.org)).operator().send().await.problem(404, "not_found");
        knock(&app, &token).await.expect(200);
        app.delete(&path(&acme.org)).operator().send().await.expect(204);
        knock(&app, &token).await.scim_error(401, None);
        refused(&by_secret(&app, &id, &secret, &GRANT).await, 401, "invalid_client");
        app.delete(&path(&acme.org)).operator().send().await.problem(404, "not_found");
        assert_eq!(acme.rest(&format!("scim/oauth-clients/{id}")).await["active"], false);
        let kinds = acme.events().await;
        for kind in ["scim_client.created", "scim_client.revoked"] {
            assert!(kinds.iter().any(|found| found == kind), "{kind} in {kinds:?}");
        }
    }

    async fn what_cannot_be_a_client_is_not_registered(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let path = format!("/api/v1/organizations/{}/scim/oauth-clients", acme.org);
        let key = Key::new("k");
        let mut private = key.jwk.clone();
        private["d"] = json!("AAAA");
        for (body, field) in [
            (json!({ "name": " ", "token_endpoint_auth_method": "client_secret_basic" }), "name"),
            (json!({ "name": "x", "token_endpoint_auth_method": "client_secret_post" }), "token_endpoint_auth_method"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt" }), "jwks"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [] } }), "jwks"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [private] } }), "jwks"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.jwk] }, "signing_algorithms": ["PS256"] }), "jwks"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.jwk] }, "signing_algorithms": ["HS256"] }), "signing_algorithms"),
            (json!({ "name": "x", "token_endpoint_auth_method": "client_secret_basic", "jwks": { "keys": [key.jwk] } }), "jwks"),
            (json!({ "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://169.254.169.254/" }), "jwks_uri"),
        ] {
            let problem = app.post(&path).operator().json(&body).send().await.expect(400).json();
            assert!(problem.to_string().contains(&format!("\"{field}")), "{field}: {problem}");
        }
        assert_eq!(acme.rest("scim/oauth-clients").await["data"], json!([]));
        let only = app.patch(&format!("/api/v1/organizations/{}/scim", acme.org)).operator();
        only.json(&json!({ "oauth_only": true })).send().await.problem(409, "no_oauth_client");
        let named = json!({
            "name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.jwk] },
            "signing_algorithms": ["RS256", "ES256", "ES256"],
        });
        let made = register(&acme, &named).await;
        assert_eq!(made["signing_algorithms"], json!(["ES256", "RS256"]));
        assert_eq!((&made["jwks"]["keys"][0], made.get("secret")), (&key.jwk, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_limited_by_address_and_success_by_client() {
    let hand = governor::clock::FakeRelativeClock::default();
    let clock = postern::http::limits::LimitClock::Manual(hand.clone());
    let app = TestApp::builder().limit_clock(clock).config("[limits]\nsign_in_per_minute = 5").start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let (id, secret) = with_secret(&acme).await;
    for _ in 0..5 {
        refused(&by_secret(&app, &id, "x", &GRANT).await, 401, "invalid_client");
    }
    let answer = by_secret(&app, &id, "x", &GRANT).await;
    refused(&answer, 429, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    // Who has the secret is not hindered by that, but asks for so many tokens only.
    for _ in 0..30 {
        by_secret(&app, &id, &secret, &GRANT).await.expect(200);
    }
    refused(&by_secret(&app, &id, &secret, &GRANT).await, 429, "temporarily_unavailable");
    hand.advance(Duration::from_secs(2));
    by_secret(&app, &id, &secret, &GRANT).await.expect(200);
}
