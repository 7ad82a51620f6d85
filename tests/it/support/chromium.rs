//! A real browser: Debian's Chromium without a window, driven through ChromeDriver by the W3C's WebDriver protocol.
//!
//! The names of the test lead to ports of this machine, and a test authority is trusted; nothing else is reached.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::https::Authority;
use super::leash::Leashed;
use super::scratch::Scratch;

/// How long a page may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// The key of an element's reference (WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The running browser with one page; ends with this handle, and so does its profile.
pub struct Chromium {
    client: reqwest::Client,
    /// The address of the WebDriver session.
    session: String,
    // Ends before the folder goes.
    _driver: Leashed,
    _folder: Scratch,
}

impl Chromium {
    /// Starts a browser with an empty profile that finds these hosts at these addresses, by https.
    ///
    /// # Panics
    /// When Chromium or ChromeDriver is not installed; tests with real peers are never skipped.
    pub async fn start(authority: &Authority, hosts: &[(&str, SocketAddr)]) -> Self {
        let folder = Scratch::new("chromium");
        let log = folder.path().join("driver.log");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", folder.path()).env("TMPDIR", folder.path());
        let mut driver = Leashed::spawn(&command, &log).expect("setsid and sh");
        let deadline = Instant::now() + PATIENCE;
        let port: u16 = loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let told =
                text.split("started successfully on port ").nth(1).and_then(|rest| rest.split('.').next());
            if let Some(port) = told {
                break port.parse().expect("a port");
            }
            let waits = driver.ended().is_none() && Instant::now() < deadline;
            assert!(waits, "`make setup` installs chromium and chromium-driver: {text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let rules: Vec<String> = hosts.iter().map(|(host, at)| format!("MAP {host}:443 {at}")).collect();
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-proxy-server".to_owned(),
            format!("--user-data-dir={}", folder.path().join("profile").display()),
            format!("--host-resolver-rules={}, MAP * ~NOTFOUND", rules.join(", ")),
            format!("--ignore-certificate-errors-spki-list={}", authority.pin()),
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let mut browser = Self {
            client,
            session: format!("http://127.0.0.1:{port}/session"),
            _driver: driver,
            _folder: folder,
        };
        let made = browser.post("", &json!({ "capabilities": { "alwaysMatch": capabilities } })).await;
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().expect("a session"));
        browser.size(1_000, 800).await;
        browser
    }

    async fn call(&self, request: reqwest::RequestBuilder, what: &str) -> Result<Value, String> {
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let succeeded = answer.status().is_success();
        let mut body: Value = answer.json().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let value = body["value"].take();
        if succeeded { Ok(value) } else { Err(format!("{what}: {} {}", value["error"], value["message"])) }
    }

    async fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.call(self.client.post(format!("{}{path}", self.session)).json(body), path).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(self.client.get(format!("{}{path}", self.session)), path).await;
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// Gives the page this many CSS pixels.
    pub async fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Asks pages for dark colours, or for light ones.
    pub async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Types an address into the address bar.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    pub async fn url(&self) -> Url {
        let url = self.get("/url").await;
        Url::parse(url.as_str().expect("an address")).expect("an address")
    }

    /// What a person reads.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The value that a script gives.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    async fn try_element(&self, selector: &str) -> Option<String> {
        let found =
            self.try_post("/element", &json!({ "using": "css selector", "value": selector })).await.ok()?;
        Some(format!("/element/{}", found[ELEMENT].as_str()?))
    }

    /// Waits for an element.
    async fn element(&self, selector: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(element) = self.try_element(selector).await {
                return element;
            }
            assert!(
                Instant::now() < deadline,
                "no {selector} on {}: {}",
                self.url().await,
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/clear"), &json!({})).await;
        self.post(&format!("{element}/value"), &json!({ "text": text })).await;
    }

    /// Clicks something.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/click"), &json!({})).await;
    }

    /// Waits until the page at this host and path is there.
    pub async fn arrives(&self, host: &str, path: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = self.url().await;
            let ready = self.run("return document.readyState").await == "complete";
            if url.host_str() == Some(host) && url.path().starts_with(path) && ready {
                return;
            }
            assert!(Instant::now() < deadline, "{url} is not {host}{path}: {}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A cookie of the page's host.
    pub async fn cookie(&self, name: &str) -> Option<Value> {
        let cookies = self.get("/cookie").await;
        cookies.as_array()?.iter().find(|cookie| cookie["name"] == name).cloned()
    }

    /// What the browser had to say of the pages so far: scripts, forms and styles that it refused among it.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Writes a picture of the whole page to `screenshots` in the target directory.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let taken = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let png = BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
        let folder = target.join("screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, png).expect("a file");
        path
    }
}
