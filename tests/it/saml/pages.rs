//! The pages themselves: what they need to be readable and safe, and what they do not tell.

use super::{Person, Tenant};
use crate::support::app::TestApp;
use crate::support::html;

#[tokio::test]
async fn the_way_in_depends_on_the_domain_alone() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    Person::new().sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    let target = async |email: &str| {
        let begun = Person::new().begin(&app, email).await;
        begun.url[..url::Position::AfterPath].to_owned()
    };
    assert_eq!(target("jo@acme.test").await, target("nobody@acme.test").await);
    let unknown = app.get("/login?email=jo@nowhere.test").send().await.expect(404);
    let other = app.get("/login?email=al@nowhere.test").send().await.expect(404);
    assert_eq!(unknown.body, other.body);
    assert!(unknown.body.contains("nowhere.test"), "{}", unknown.body);
    // A domain that is claimed and not proven is as unknown.
    let claims = acme.api("/domains");
    let claim = serde_json::json!({ "name": "claimed.test" });
    app.post(&claims).operator().json(&claim).send().await.expect(201);
    let claimed = app.get("/login?email=al@claimed.test").send().await.expect(404);
    assert_eq!(claimed.body.replace("claimed.test", "nowhere.test"), unknown.body);
}

#[tokio::test]
async fn pages_are_plain_and_closed() {
    let app = TestApp::start().await;
    let page = app.get("/login?return_to=/docs").send().await.expect(200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    for inline in ["<script", " style=", " onclick", " onload", "<style"] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    let form = &html::forms(&page.body)[0];
    assert_eq!((form.action.as_str(), form.method.as_str()), ("/login", "post"));
    assert_eq!((form.value("email"), form.value("return_to")), (Some(""), Some("/docs")));
    let css = app.get("/static/postern.css").send().await.expect(200);
    assert_eq!(css.header("content-type"), Some("text/css; charset=utf-8"));
    // What was typed wrong comes back, as text, with the reason.
    let page = Person::new().submit(&app, "/login", &[("email", "\"><script>x</script>")]).await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("role=\"alert\"") && !page.body.contains("<script"), "{}", page.body);
    // A form of another site cannot begin a sign-in in somebody's name.
    let evil = app.post("/login").header("origin", "https://evil.test").form(&[("email", "jo@acme.test")]);
    evil.send().await.expect(403);
}

#[tokio::test]
async fn the_root_leads_to_where_one_belongs() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let mut jo = Person::new();
    assert_eq!(jo.get(&app, "/").await.expect(303).header("location"), Some("/login"));
    assert_eq!(jo.get(&app, "/signed-in").await.expect(303).header("location"), Some("/login"));
    jo.sign_in(&app, &acme, "s", "jo@acme.test").await.expect(303);
    assert_eq!(jo.get(&app, "/").await.expect(303).header("location"), Some("/signed-in"));
}

#[tokio::test]
async fn what_an_admin_pastes_has_no_underscore() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    for url in [&acme.entity_id, &acme.acs_url] {
        assert!(!url.contains('_'), "{url}");
    }
    assert_eq!(acme.entity_id, format!("{}/saml/{}", app.url, acme.connection_id().uuid()));
    for path in [acme.entity_id.clone(), format!("{}/metadata", acme.entity_id)] {
        let metadata = app.get(&path).send().await.expect(200);
        assert_eq!(metadata.header("content-type"), Some("application/samlmetadata+xml"));
        assert!(metadata.body.contains(&format!("entityID=\"{}\"", acme.entity_id)), "{}", metadata.body);
        assert!(metadata.body.contains(&format!("Location=\"{}\"", acme.acs_url)), "{}", metadata.body);
    }
}
