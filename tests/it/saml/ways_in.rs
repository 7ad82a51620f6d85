//! The way in from an address: one connection, several to choose from, none; on our own page and over the API.

use super::{Person, Tenant, begun, refused};
use crate::support::app::{TestApp, on_both, text};
use crate::support::html;
use serde_json::{Value, json};

/// Two IdPs for the people of acme.test.
async fn two(app: &TestApp) -> (Tenant, Tenant) {
    let first = Tenant::new(app, "Acme", "acme.test").await;
    let second = Tenant::connect(app, first.org.clone(), "acme.test", first.domain_id.clone()).await;
    let both = json!({ "connection_ids": [first.connection, second.connection] });
    let path = first.api(&format!("/domains/{}", first.domain_id));
    app.patch(&path).operator().json(&both).send().await.expect(200);
    for (tenant, name) in [(&first, "Headquarters <b>"), (&second, "Subsidiary")] {
        let path = tenant.api(&format!("/saml-connections/{}", tenant.connection));
        app.patch(&path).operator().json(&json!({ "name": name })).send().await.expect(200);
    }
    (first, second)
}

async fn login_url(app: &TestApp, body: Value) -> Value {
    app.post("/api/v1/login-url").json(&body).send().await.expect(200).json()
}

on_both! {
    async fn of_several_ways_one_is_chosen_and_remembered(app: TestApp) {
        let (first, second) = two(&app).await;
        let mut jo = Person::new();
        let page = jo.submit(&app, "/login", &[("email", "jo@acme.test"), ("return_to", "/docs")]).await.expect(200);
        assert!(page.body.contains("Headquarters &#60;b&#62;") && !page.body.contains("<b>"), "{}", page.body);
        let forms = html::forms(&page.body);
        let offered: Vec<_> = forms.iter().map(|form| form.value("connection").unwrap_or_default()).collect();
        assert_eq!(offered, [&first.connection, &second.connection], "in the order of the domain");
        assert_eq!((forms[1].value("email"), forms[1].value("return_to")), (Some("jo@acme.test"), Some("/docs")));
        assert_eq!(jo.way, None, "nothing was chosen yet");

        let chosen = [("email", "jo@acme.test"), ("connection", &*second.connection), ("return_to", "/docs")];
        let to_idp = begun(&jo.submit(&app, "/login", &chosen).await.expect(303));
        let response = second.sign(&second.response(&app, &to_idp, "s1", "jo@acme.test"));
        let answer = jo.post(&app, &second, &response).await.expect(303);
        assert_eq!(answer.header("location"), Some("/docs"));

        // The next time nobody is asked; unless the person wants to be.
        let again = jo.begin(&app, "jo@acme.test").await;
        let response = second.sign(&second.response(&app, &again, "s1", "jo@acme.test"));
        jo.post(&app, &second, &response).await.expect(303);
        assert!(jo.get(&app, "/login").await.expect(200).body.contains("/login?choose=1"));
        let asked = jo.get(&app, "/login?choose=1&email=jo@acme.test").await.expect(200);
        assert_eq!(html::forms(&asked.body).len(), 2);
        assert_eq!(html::forms(&jo.get(&app, "/login?choose=1").await.expect(200).body)[0].value("choose"), Some("1"));

        // What is remembered counts only while it is one of the ways.
        let deactivate = second.api(&format!("/saml-connections/{}/deactivate", second.connection));
        app.post(&deactivate).operator().send().await.expect(200);
        let other = jo.begin(&app, "jo@acme.test").await;
        let response = first.sign(&first.response(&app, &other, "s1", "jo@acme.test"));
        jo.post(&app, &first, &response).await.expect(303);
    }

    async fn each_way_speaks_for_the_domain_and_for_itself_alone(app: TestApp) {
        let (first, second) = two(&app).await;
        // A response of the one to a request to the other is refused at either.
        let mut eve = Person::new();
        let chosen = [("email", "jo@acme.test"), ("connection", &*first.connection)];
        let to_first = begun(&eve.submit(&app, "/login", &chosen).await.expect(303));
        let response = second.sign(&second.response(&app, &to_first, "s1", "jo@acme.test"));
        refused(&eve.post(&app, &second, &response).await, "unknown_request");
        assert_eq!(first.members(&app).await, 0);
        // A choice that is none of the ways is no choice: neither a foreign connection nor rubbish begins anything.
        let foreign = Tenant::new(&app, "Other", "other.test").await;
        for wrong in [&*foreign.connection, "con_x", "'"] {
            let fields = [("email", "jo@acme.test"), ("connection", wrong)];
            let page = Person::new().submit(&app, "/login", &fields).await.expect(200);
            assert_eq!(html::forms(&page.body).len(), 2, "{wrong}");
        }
        let mut stale = Person { way: Some(foreign.connection.clone()), ..Person::default() };
        let page = stale.submit(&app, "/login", &[("email", "jo@acme.test")]).await.expect(200);
        assert_eq!(html::forms(&page.body).len(), 2);
    }

    async fn the_api_finds_the_way_in_by_the_domain_alone(app: TestApp) {
        let (first, second) = two(&app).await;
        let single = Tenant::new(&app, "Other", "other.test").await;
        Person::new().sign_in(&app, &single, "s", "jo@other.test").await.expect(303);

        let one = login_url(&app, json!({ "email": "Jo@Other.test", "return_to": "/docs?a=b" })).await;
        let wanted = format!(
            "{}/login?email=jo%40other.test&connection={}&return_to=%2Fdocs%3Fa%3Db", app.url, single.connection
        );
        assert_eq!(one, json!({ "outcome": "redirect", "url": wanted, "connections": [] }));
        let nobody = login_url(&app, json!({ "email": "nobody@other.test", "return_to": "/docs?a=b" })).await;
        assert_eq!(nobody.to_string().replace("nobody", "jo"), one.to_string());
        // The address that it gives works, in the person's browser.
        let path = text(&one, "url").strip_prefix(&*app.url).expect("a page of ours");
        let mut jo = Person::new();
        let to_idp = begun(&jo.get(&app, path).await.expect(303));
        let response = single.sign(&single.response(&app, &to_idp, "s", "jo@other.test"));
        assert_eq!(jo.post(&app, &single, &response).await.expect(303).header("location"), Some("/docs?a=b"));

        let several = login_url(&app, json!({ "email": "jo@acme.test" })).await;
        assert_eq!(several["outcome"], "choose_connection");
        assert_eq!(several["url"], format!("{}/login?email=jo%40acme.test", app.url));
        let ways = several["connections"].as_array().expect("a list");
        assert_eq!((&ways[0]["id"], &ways[1]["id"]), (&json!(first.connection), &json!(second.connection)));
        assert_eq!((&ways[1]["name"], &ways[1]["type"]), (&json!("Subsidiary"), &json!("okta")));
        let path = text(&ways[1], "url").strip_prefix(&*app.url).expect("a page of ours");
        let to_idp = begun(&Person::new().get(&app, path).await.expect(303));
        assert!(to_idp.url.as_str().starts_with("https://idp.acme.test/"), "{}", to_idp.url);

        let none = login_url(&app, json!({ "email": "jo@nowhere.test" })).await;
        assert_eq!(none, json!({ "outcome": "manual", "url": format!("{}/login", app.url), "connections": [] }));
        for (body, field) in [
            (json!({ "email": "no address" }), "email"),
            (json!({ "email": "jo@other.test", "return_to": "https://evil.test/" }), "return_to"),
            (json!({ "email": "jo@other.test", "password": "x" }), "password"),
            (json!({}), "email"),
        ] {
            let problem = app.post("/api/v1/login-url").json(&body).send().await.expect(400);
            assert!(problem.body.contains(field), "{}", problem.body);
        }
    }
}

#[tokio::test]
async fn asking_for_the_way_in_is_limited_with_the_sign_ins() {
    let app = TestApp::builder().config("[limits]\nsign_in_per_minute = 3").start().await;
    let ask = async || app.post("/api/v1/login-url").json(&json!({ "email": "jo@acme.test" })).send().await;
    for _ in 0..3 {
        ask().await.expect(200);
    }
    let refused = ask().await.expect(429);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    app.get("/login?email=jo@acme.test").send().await.expect(429);
}
