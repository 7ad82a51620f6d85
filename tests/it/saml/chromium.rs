//! A real browser walks through two real IdPs, over https and on two registrable domains: so cookies, SameSite, forms
//! that post themselves and our content security policy are proven as browsers take them. On the way all pages are
//! looked at: nothing runs over on a telephone, everything can be read, and everything leads on. The pictures are in
//! `target/screenshots`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::app::{TestApp, text};
use crate::support::chromium::Chromium;
use crate::support::https::Authority;
use crate::support::pysaml2::PySaml2;
use crate::support::simplesamlphp::{Person, SimpleSamlPhp};

/// Two hosts that no browser takes for one site.
const GATE: &str = "postern.example-app.test";
const IDP: &str = "idp.example-corp.test";

/// The Enter key (WebDriver, section 17.4.2).
const ENTER: char = '\u{e007}';

/// Names what cannot be read (WCAG 2.1, 1.4.3: contrast below 4.5 to 1, of large text below 3 to 1).
const FAINT: &str = r"
const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color[3] > 0) return color;
  }
  return [255, 255, 255, 1];
};
const faint = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own && !element.matches('input:not([type=hidden])')) continue;
  const style = getComputedStyle(element);
  const [one, other] = [light(parse(style.color)), light(ground(element))].sort((a, b) => b - a);
  const ratio = (one + 0.05) / (other + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.push(`${element.tagName} ${element.textContent.slice(0, 40)}: ${ratio}`);
}
return faint;
";

/// Whether something sticks out of the window.
const WIDER: &str = "
return document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth)
      .map((e) => e.tagName + ' ' + e.textContent.slice(0, 40))
  : [];
";

struct Walk {
    app: TestApp,
    browser: Chromium,
    connections: String,
    domain: String,
}

impl Walk {
    /// Acme's gate and a browser; the IdP listens on this port.
    async fn new(idp_port: u16) -> Self {
        let app = TestApp::builder().machine_clock().public_url(&format!("https://{GATE}")).start().await;
        let authority = Authority::new();
        let gate: SocketAddr = app.url.strip_prefix("http://").expect("http").parse().expect("an address");
        let gate = authority.front(GATE, gate).await;
        let idp = authority.front(IDP, SocketAddr::from(([127, 0, 0, 1], idp_port))).await;
        let browser = Chromium::start(&authority, &[(GATE, gate), (IDP, idp)]).await;
        let org = app.organization("Acme").await;
        let domain = app.domain(&org, "acme.test").await;
        let on = json!({ "jit_provisioning_enabled": true });
        let path = format!("/api/v1/organizations/{org}/domains/{domain}");
        app.patch(&path).operator().json(&on).send().await.expect(200);
        Self { app, browser, connections: format!("/api/v1/organizations/{org}/saml-connections"), domain }
    }

    /// A connection for the domain, active.
    async fn connect(&self, name: &str, metadata: &str) -> Value {
        let body =
            json!({ "name": name, "type": "generic", "metadata_xml": metadata, "domain_ids": [self.domain] });
        let made = self.app.post(&self.connections).operator().json(&body).send().await.expect(201).json();
        // Signing out ends here in these walks: what is tried next needs the session at the IdP.
        let path = format!("{}/{}", self.connections, text(&made, "id"));
        self.app.patch(&path).operator().json(&json!({ "slo_url": null })).send().await.expect(200);
        let activate = format!("{}/{}/activate", self.connections, text(&made, "id"));
        self.app.post(&activate).operator().json(&json!({ "skip_test": true })).send().await.expect(200);
        made
    }

    async fn open(&self, path: &str) {
        self.browser.open(&format!("https://{GATE}{path}")).await;
    }

    /// From the sign-in page on.
    async fn type_address(&self, address: &str) {
        self.open("/login").await;
        self.browser.fill("input[name=email]", address).await;
        self.browser.click("form button").await;
    }

    async fn log_in_at_the_idp(&self) {
        self.browser.arrives(IDP, "/").await;
        self.browser.fill("input[name=username]", "jo").await;
        self.browser.fill("input[name=password]", &format!("secret{ENTER}")).await;
    }

    /// Whether jo is signed in, as the page and the API say, by cookies that only this browser has.
    async fn is_signed_in(&self) {
        self.browser.arrives(GATE, "/signed-in").await;
        let page = self.browser.text().await;
        assert!(page.contains("jo@acme.test") && page.contains("Acme"), "{page}");
        let session = self.browser.cookie("__Host-postern_session").await.expect("a session");
        for (name, value) in [("httpOnly", json!(true)), ("secure", json!(true)), ("sameSite", json!("Lax"))]
        {
            assert_eq!(session[name], value, "{name}: {session}");
        }
        let binding = self.browser.cookie("__Host-postern_browser").await.expect("it came back from the IdP");
        assert_eq!((&binding["sameSite"], &binding["httpOnly"]), (&json!("None"), &json!(true)), "{binding}");
        let cookie = format!("__Host-postern_session={}", text(&session, "value"));
        let me = self.app.get("/api/v1/me").header("cookie", &cookie).send().await.expect(200).json();
        assert_eq!(me["email"], "jo@acme.test", "{me}");
        // No script reads it.
        assert_eq!(self.browser.run("return document.cookie").await, json!(""));
    }

    async fn sign_out(&self) {
        self.browser.click("form[action='/logout'] button").await;
        self.browser.arrives(GATE, "/").await;
        let page = self.browser.text().await;
        assert!(page.contains("You are signed out"), "{page}");
        assert!(self.browser.cookie("__Host-postern_session").await.is_none());
    }

    /// Looks at our page as it is now, wide and narrow, light and dark.
    async fn look(&self, name: &str) {
        assert_eq!(self.browser.url().await.host_str(), Some(GATE));
        for (width, height, dark) in [(1_000, 800, true), (360, 640, false)] {
            self.browser.size(width, height).await;
            self.browser.dark(dark).await;
            self.browser.screenshot(&format!("{name}-{width}")).await;
            assert_eq!(self.browser.run(WIDER).await, json!([]), "{name} at {width} pixels");
            assert_eq!(self.browser.run(FAINT).await, json!([]), "{name}, dark: {dark}");
        }
        self.browser.size(1_000, 800).await;
        let ways_on =
            self.browser.run("return document.querySelectorAll('main a, main button').length").await;
        let says_so = self.browser.text().await.contains("close this page");
        assert!(ways_on.as_u64() > Some(0) || says_so, "{name} leads nowhere");
    }

    /// The browser refused nothing of our pages.
    async fn no_complaints(&self) {
        let complaints = self.browser.complaints().await;
        let ours: Vec<&String> = complaints
            .iter()
            // That a page is a refusal (4xx) is noted too.
            .filter(|complaint| complaint.contains(GATE) && !complaint.contains("Failed to load resource"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
}

fn jo() -> Person {
    Person::new("jo", "jo@acme.test", "Jo", "Doe")
        .with("mail", &["jo@acme.test"])
        .with("groups", &["staff", "it"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_and_out_and_all_pages_can_be_read() {
    let mut idp = SimpleSamlPhp::start(&[jo()]).await;
    idp.be_known_as(&format!("https://{IDP}"));
    let walk = Walk::new(idp.port).await;
    let browser = &walk.browser;
    let made = walk.connect("SimpleSAMLphp", &idp.metadata_xml().await).await;
    idp.trust(text(&made, "entity_id"), text(&made, "acs_url"));
    let connection = format!("{}/{}", walk.connections, text(&made, "id"));
    let other =
        idp.metadata_xml().await.replace(&idp.entity_id(), "https://other.example-corp.test/metadata");
    walk.connect("Our old identity provider, for those who have no other yet", &other).await;

    walk.open("/login").await;
    walk.look("login").await;
    walk.type_address("somebody@nowhere.test").await;
    walk.look("no-way-in").await;
    walk.type_address("jo@acme.test").await;
    walk.look("choose").await;
    browser.click(&format!("form:has(input[value='{}']) button", text(&made, "id"))).await;
    walk.log_in_at_the_idp().await;
    walk.is_signed_in().await;
    walk.look("signed-in").await;
    walk.open("/logout").await;
    walk.look("sign-out").await;
    walk.sign_out().await;
    walk.look("signed-out").await;

    // A test sign-in, which passes; and one after the IdP's key changed.
    let test = format!("{connection}/test");
    let begin_test = async || {
        let asked = walk.app.post(&test).operator().send().await.expect(200).json();
        browser.open(text(&asked, "url")).await;
        browser.arrives(GATE, "/saml/").await;
    };
    begin_test().await;
    let page = browser.text().await;
    assert!(page.contains("The test sign-in passed") && page.contains("jo@acme.test"), "{page}");
    walk.look("test-sign-in").await;
    idp.rotate_key();
    begin_test().await;
    let page = browser.text().await;
    assert!(page.contains("The test sign-in did not pass") && page.contains("fingerprint"), "{page}");
    walk.look("test-sign-in-failed").await;
    // The way that was chosen is remembered; the page of the refusal leads to what its code means.
    walk.type_address("jo@acme.test").await;
    browser.arrives(GATE, "/saml/").await;
    let page = browser.text().await;
    assert!(page.contains("You were not signed in") && page.contains("signature_mismatch"), "{page}");
    assert!(browser.cookie("__Host-postern_session").await.is_none());
    walk.look("refused").await;
    browser.click("dd a").await;
    browser.arrives(GATE, "/problems/signature_mismatch").await;
    walk.look("problem").await;
    browser.click("main > p:last-child a").await;
    browser.arrives(GATE, "/problems").await;
    walk.look("problems").await;
    walk.open("/saml/no-such-page").await;
    walk.look("not-found").await;
    walk.open("/invite").await;
    walk.look("invite").await;
    walk.no_complaints().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_through_another_idp() {
    let mut idp = PySaml2::start(&[jo()]).await;
    idp.set("base_url", json!(format!("https://{IDP}")));
    let walk = Walk::new(idp.port).await;
    let made = walk.connect("pysaml2", &idp.metadata_xml().await).await;
    let local = text(&made, "entity_id").replace(&format!("https://{GATE}"), &walk.app.url);
    idp.trust(&format!("{local}/metadata"));
    walk.type_address("jo@acme.test").await;
    walk.log_in_at_the_idp().await;
    walk.is_signed_in().await;
    walk.sign_out().await;
    walk.no_complaints().await;
}
