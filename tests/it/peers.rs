//! The test peers themselves: what the other tests rely on, and that nothing of them stays behind.

use std::{process::Command, time::Duration};

use sea_orm::ConnectionTrait;
use url::Url;

use crate::support::{
    browser::{Browser, Page},
    database::{Backend, Database, on_both_databases},
    html,
    leash::Leashed,
    postgres, python,
    scratch::Scratch,
    simplesamlphp::{EMAIL, Person, SimpleSamlPhp, deflated, inflated, with_issuer},
};

on_both_databases! {
    async fn a_migrated_database_is_ones_own(database: Database) {
        let second = Database::migrated(database.backend()).await;
        for url in [database.url(), second.url()] {
            let connection = postgres::connect(url.to_owned()).await;
            connection.execute_unprepared("CREATE TABLE mine (x INTEGER)").await.expect("created");
            connection.execute_unprepared("SELECT * FROM organizations").await.expect("migrated");
        }
    }
}

#[tokio::test]
async fn an_empty_database_has_no_tables() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let database = Database::empty(backend).await;
        let connection = postgres::connect(database.url().to_owned()).await;
        assert!(connection.execute_unprepared("SELECT * FROM organizations").await.is_err());
    }
}

#[tokio::test]
async fn a_cluster_goes_with_its_owner() {
    let cluster = postgres::Cluster::start("");
    let folder = cluster.folder().to_owned();
    postgres::connect(cluster.url("postgres")).await.close().await.expect("closed");
    let pid_file = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("it runs");
    let pid = pid_file.lines().next().expect("a number").to_owned();
    assert!(runs(&pid));
    drop(cluster);
    assert!(!folder.exists() && !runs(&pid));
}

#[tokio::test]
async fn a_leashed_program_ends_with_its_handle() {
    let folder = Scratch::new("leash");
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ >pid; exec sleep 600"]).current_dir(folder.path());
    let mut leashed = Leashed::spawn(&command, &folder.path().join("log")).expect("spawned");
    let file = folder.path().join("pid");
    eventually("it runs", || std::fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n'))).await;
    let pid = std::fs::read_to_string(&file).expect("a number").trim().to_owned();
    assert!(leashed.ended().is_none());
    drop(leashed);
    assert!(!runs(&pid));
}

#[tokio::test]
async fn simplesamlphp_signs_somebody_in() {
    let person = Person::new("jo", "jo@acme.test", "Jo", "Doe").with("groups", &["staff", "it"]);
    let mut idp = SimpleSamlPhp::start(&[person]).await;
    idp.trust("https://sp.test/metadata", "http://127.0.0.1:9/acs");
    let first = idp.certificate_pem();
    assert!(idp.metadata_xml().await.contains(&idp.sso_url()));
    let start = format!("{}?spentityid=https://sp.test/metadata", idp.sso_url());

    let (page, _) = log_in(&start, "wrong").await;
    assert!(page.text().contains("Incorrect username or password"), "{page}\n{}", idp.log());
    let (page, _) = log_in(&start, "secret").await;
    let xml = saml_response(&page);
    for expected in
        ["https://sp.test/metadata", "jo@acme.test", "staff", "nameid-format:persistent", "rsa-sha256"]
    {
        assert!(xml.contains(expected), "{expected} is missing: {xml}");
    }
    let body = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    assert!(xml.contains(&body(&first)), "{xml}");

    let second = idp.rotate_key();
    idp.set_name_id("email", EMAIL);
    idp.set("saml20.sign.response", serde_json::json!(false));
    let xml = saml_response(&log_in(&start, "secret").await.0);
    assert!(xml.contains(&body(&second)) && !xml.contains(&body(&first)), "{xml}");
    assert!(xml.contains("nameid-format:emailAddress"), "{xml}");
}

/// Logs in as jo; the page of the answer is not submitted, for there is nobody at its target.
async fn log_in(start: &str, password: &str) -> (Page, Browser) {
    let mut browser = Browser::new();
    let page = browser.open(start).await;
    let form = page.form_with("username").fill("username", "jo").fill("password", password);
    (browser.submit(&page, &form).await, browser)
}

fn saml_response(page: &Page) -> String {
    use base64::Engine;
    let form = page.form_with("SAMLResponse");
    let bytes =
        base64::prelude::BASE64_STANDARD.decode(form.value("SAMLResponse").expect("there")).expect("base64");
    String::from_utf8(bytes).expect("XML")
}

#[test]
fn a_request_can_be_sent_as_somebody_else() {
    let mut url = Url::parse("http://idp.test/sso").expect("an address");
    let request = "<samlp:AuthnRequest><saml:Issuer>https://one.test</saml:Issuer></samlp:AuthnRequest>";
    url.query_pairs_mut().append_pair("SAMLRequest", &deflated(request));
    let other = with_issuer(&url, "https://two.test");
    let (_, message) = other.query_pairs().find(|(name, _)| name == "SAMLRequest").expect("there");
    assert_eq!(inflated(&message), request.replace("one", "two"));
}

#[test]
fn forms_are_read_as_a_browser_reads_them() {
    let page = r#"<!doctype html><!-- <form action="/no"> --><script>"<form>"</script>
        <p>Hello &amp; w&#101;lc&#x6f;me</p><a href="/x?a=1&amp;b=2"><b>Go</b> on</a>
        <FORM Action='/login?x=1&amp;y=2' method=POST>
        <input type=hidden name="RelayState" value="a&quot;b">
        <input name=user value=jo disabled><input name="email"><input type="checkbox" name="c">
        <input type="checkbox" name="d" checked/><input type="submit" name="go" value="1"><button name="b">x</button>
        <textarea name=t>1 &lt; 2</textarea>
        <select name="s"><option value="1">one<option value="2" selected>two</select></FORM>"#;
    let forms = html::forms(page);
    assert_eq!(forms.len(), 1);
    assert_eq!((forms[0].action.as_str(), forms[0].method.as_str()), ("/login?x=1&y=2", "post"));
    let fields: Vec<(&str, &str)> = forms[0].fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        fields,
        [("RelayState", "a\"b"), ("email", ""), ("d", "on"), ("go", "1"), ("t", "1 < 2"), ("s", "2")]
    );
    assert_eq!(html::links(page), [html::Link { href: "/x?a=1&b=2".into(), text: "Go on".into() }]);
    assert!(html::text(page).starts_with("Hello & welcome"), "{}", html::text(page));
}

#[tokio::test]
async fn the_browser_keeps_cookies_as_browsers_do() {
    use poem::{Route, Server, get, handler, http::HeaderMap, web::Html};

    #[handler]
    fn set() -> poem::Response {
        let mut answer =
            poem::Response::builder().status(poem::http::StatusCode::SEE_OTHER).header("location", "/show");
        for cookie in [
            "lax=1; Path=/; HttpOnly",
            "strict=2; Path=/; SameSite=Strict",
            "gone=3; Path=/; Max-Age=0",
            "secure=4; Path=/; Secure",
            "none=5; Path=/; SameSite=None",
            "__Host-x=6; Path=/",
            "deeper=7; Path=/deep",
        ] {
            answer = answer.header("set-cookie", cookie);
        }
        answer.finish()
    }

    #[handler]
    fn show(headers: &HeaderMap) -> Html<String> {
        let cookies = headers.get("cookie").map_or("none", |value| value.to_str().expect("ASCII"));
        Html(format!("cookies: {cookies}"))
    }

    #[handler]
    fn leave(poem::web::Query(target): poem::web::Query<Vec<(String, String)>>) -> Html<String> {
        let to = &target[0].1;
        Html(format!(
            "<a href='{to}'>away</a><form method=post action='{to}'><input type=hidden name=SAMLResponse value=x></form>"
        ))
    }

    let app = Route::new().at("/set", get(set)).at("/show", get(show).post(show)).at("/leave", get(leave));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = poem::listener::TcpAcceptor::from_tokio(listener).expect("an acceptor");
    let server = tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    let at = |path: &str| format!("http://{address}{path}");

    let mut browser = Browser::new();
    let page = browser.open_once(at("/set")).await;
    assert_eq!(page.headers["location"], "/show");
    let page = browser.open(at("/set")).await;
    assert_eq!(page.text(), "cookies: lax=1; strict=2");
    assert_eq!(page.redirects.len(), 1);
    let url = Url::parse(&at("/")).expect("an address");
    assert_eq!((browser.cookie(&url, "lax"), browser.cookie(&url, "deeper")), (Some("1"), None));

    // From a page of another site: a link brings the lax cookie back, a form that posts does not.
    let other = format!("http://localhost:{}/leave?to={}", address.port(), at("/show"));
    let page = browser.open(&other).await;
    assert_eq!(browser.follow(&page, "away").await.text(), "cookies: lax=1");
    assert_eq!(browser.settle(page).await.text(), "cookies: none");
    // From the same site, be it on another port, both do.
    let page = browser.open(at(&format!("/leave?to={}", at("/show")))).await;
    assert_eq!(browser.settle(page).await.text(), "cookies: lax=1; strict=2");
    browser.clear_cookies();
    assert_eq!(browser.open(at("/show")).await.text(), "cookies: none");
    server.abort();
}

#[tokio::test]
async fn the_scim_tester_fails_a_server_that_is_none() {
    let port = postgres::free_port();
    let app =
        poem::Server::new(poem::listener::TcpListener::bind(("127.0.0.1", port))).run(poem::Route::new());
    let server = tokio::spawn(app);
    let report = python::scim_tester(&format!("http://127.0.0.1:{port}"), "none").await;
    assert!(report.passed == 0 && !report.failed.is_empty(), "{}", report.output);
    server.abort();
}

/// Whether a process runs; one that ended and was not yet waited for has no command line any more.
fn runs(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: not within ten seconds");
}
