//! A whole Postern for one test: opened as `serve` opens it, on real sockets, with a clock that the test moves,
//! a name server in memory, and an operator's key in hand. `on_both!` runs a test on SQLite and on PostgreSQL.
//!
//! ```ignore
//! on_both! {
//!     async fn an_organization_is_found(app: TestApp) {
//!         let org = app.organization("Acme").await;
//!         app.get(&format!("/api/v1/organizations/{org}")).operator().send().await.expect(200);
//!     }
//! }
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use postern::app::{App, AppError, Overrides, Running, Sockets};
use postern::config::Config;
use postern::http::limits::LimitClock;
use postern::model::dns_answer::{AddressAnswer, TxtAnswer};
use postern::model::time::{ManualClock, Timestamp};
use postern::outbound::dns::{AddressLookup, TxtLookup};
use postern::outbound::verifier::VerifierProcesses;
use postern::service::{Ctx, Services, operator_keys};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::database::{Backend, Database};
use super::scratch::Scratch;

/// What every test's clock shows at first: 2026-11-18T13:46:40Z.
pub const START: Timestamp = Timestamp::from_micros(1_795_009_600_000_000);
/// The installation key of every test.
pub const INSTALLATION_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A running Postern; ends with this handle.
pub struct TestApp {
    /// Where requests go, without a slash at the end; also the public URL unless the test has another.
    pub url: String,
    /// Where `/metrics` is.
    pub metrics_url: String,
    /// The app's clock. Stands still unless the test moves it (or asked for the machine's).
    pub clock: Arc<ManualClock>,
    /// What the app believes to be DNS.
    pub dns: Arc<FakeDns>,
    /// An operator's key.
    pub operator: String,
    client: reqwest::Client,
    running: Running,
    database: Option<Database>,
    _folder: Scratch,
}

/// How a [`TestApp`] is to be.
#[derive(Default)]
pub struct Builder {
    database: Option<Database>,
    config: String,
    machine_clock: bool,
    real_dns: bool,
    background: bool,
    limit_clock: Option<LimitClock>,
    scim_log_waiting: Option<usize>,
    verifier: Option<(PathBuf, Duration)>,
    fetch_within: Option<Duration>,
    sign_in_log_waiting: Option<usize>,
    public_url: Option<String>,
}

impl Builder {
    /// Known to browsers by this address, behind something that speaks TLS for it.
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.to_owned());
        self
    }

    /// On this database rather than on an SQLite file of its own.
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// Further settings, as TOML: keys of sections (`[limits]` …).
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// With the machine's clock, for real peers that have their own.
    pub fn machine_clock(mut self) -> Self {
        self.machine_clock = true;
        self
    }

    /// With the resolver of the configuration, for a test that starts a name server.
    pub fn real_dns(mut self) -> Self {
        self.real_dns = true;
        self
    }

    /// With the work in the background.
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// With rate limits by this clock.
    pub fn limit_clock(mut self, clock: LimitClock) -> Self {
        self.limit_clock = Some(clock);
        self
    }

    /// With room for so many entries of the SCIM request log that are not written yet.
    pub fn scim_log_waiting(mut self, most: usize) -> Self {
        self.scim_log_waiting = Some(most);
        self
    }

    /// With this program in place of `postern verifier`, and so much time for it to answer.
    pub fn verifier(mut self, program: PathBuf, within: Duration) -> Self {
        self.verifier = Some((program, within));
        self
    }

    /// With so much time for fetching metadata.
    pub fn fetch_within(mut self, time: Duration) -> Self {
        self.fetch_within = Some(time);
        self
    }

    /// The same of the sign-in log.
    pub fn sign_in_log_waiting(mut self, most: usize) -> Self {
        self.sign_in_log_waiting = Some(most);
        self
    }

    /// Starts it.
    pub async fn start(self) -> TestApp {
        self.try_start().await.unwrap_or_else(|error| panic!("the app does not start: {error}"))
    }

    /// Starts it, or tells why it refuses to.
    pub async fn try_start(self) -> Result<TestApp, AppError> {
        let folder = Scratch::new("app");
        let (public, metrics) = (socket(), socket());
        let url = format!("http://{}", address(&public));
        let metrics_url = format!("http://{}/metrics", address(&metrics));
        let database = match self.database {
            Some(database) => database,
            None => Database::migrated(Backend::Sqlite).await,
        };
        let key = format!("installation_key = {INSTALLATION_KEY:?}");
        // A section may stand once only, so what the test says about one joins what stands here.
        let mut sections = BTreeMap::from([
            ("database", format!("url = {:?}\nmax_connections = 8", database.url())),
            ("security", key),
            ("log", "level = \"error\"".to_owned()),
        ]);
        let mut rest = String::new();
        for block in self.config.split("\n[").map(|block| block.trim_start_matches('[')) {
            let Some((name, body)) = block.split_once(']') else { continue };
            match sections.get_mut(name) {
                Some(section) => *section = format!("{section}\n{}", body.trim()),
                None => rest.extend(["[", name, "]\n", body.trim(), "\n"]),
            }
        }
        let mut text = format!(
            "public_url = {:?}\ndata_dir = {:?}\n",
            self.public_url.as_ref().unwrap_or(&url),
            folder.path().join("data").display().to_string()
        );
        for (name, body) in sections {
            text.extend(["[", name, "]\n", &body, "\n"]);
        }
        text.push_str(&rest);
        let config = Config::from_toml_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        postern::telemetry::start(&config.log);

        let clock = Arc::new(ManualClock::new(START));
        let dns = Arc::new(FakeDns::default());
        let usual = || (PathBuf::from(env!("CARGO_BIN_EXE_postern")), Duration::from_secs(20));
        let (program, within) = self.verifier.unwrap_or_else(usual);
        let verifier = VerifierProcesses::new(program, within);
        let overrides = Overrides {
            clock: (!self.machine_clock).then(|| clock.clone() as _),
            txt: (!self.real_dns).then(|| dns.clone() as _),
            addresses: (!self.real_dns).then(|| dns.clone() as _),
            fetch_within: self.fetch_within,
            limit_clock: self.limit_clock,
            no_background: !self.background,
            scim_log_waiting: self.scim_log_waiting,
            verifier: Some(verifier),
            sign_in_log_waiting: self.sign_in_log_waiting,
            ..Overrides::default()
        };
        let app = App::open(&config, overrides).await?;
        let running = app.serve(Sockets { public: Some(public), metrics: Some(metrics) }).await?;
        let ctx = Ctx::system(running.services().clock.now());
        let (_, token) =
            operator_keys::create(running.services(), &ctx, "tests").await.expect("an operator's key");
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Ok(TestApp {
            url,
            metrics_url,
            clock,
            dns,
            operator: token.reveal().to_owned(),
            client,
            running,
            database: Some(database),
            _folder: folder,
        })
    }
}

fn socket() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")
}

fn address(socket: &TcpListener) -> SocketAddr {
    socket.local_addr().expect("its address")
}

impl TestApp {
    /// One to be described further.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One on SQLite, with everything as it is by default.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// One on this database.
    pub async fn on(database: Database) -> Self {
        Self::builder().database(database).start().await
    }

    /// The use cases, for what no door shows (sessions made without an IdP, rows of other tenants).
    pub fn services(&self) -> &Arc<Services> {
        self.running.services()
    }

    /// Where its database is, for another process beside it.
    pub fn database_url(&self) -> &str {
        self.database.as_ref().expect("taken at the end only").url()
    }

    /// Stops it in order and gives the database back, for a restart or a look inside.
    pub async fn stop(self) -> Database {
        self.running.stop().await;
        self.database.expect("taken here only")
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// A request to a path (or a whole URL), without a credential yet.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let what = format!("{method} {path}");
        let request = reqwest::Request::new(method, url.parse().expect("an address"));
        Call { client: self.client.clone(), request, operator: self.operator.clone(), what }
    }

    /// A new organization; gives its id.
    pub async fn organization(&self, name: &str) -> String {
        let body = json!({ "name": name });
        self.post("/api/v1/organizations").operator().json(&body).send().await.expect(201).id()
    }

    /// A domain that the organization holds verified, proven by its TXT record; gives its id.
    pub async fn domain(&self, organization: &str, name: &str) -> String {
        let domains = format!("/api/v1/organizations/{organization}/domains");
        let claim =
            self.post(&domains).operator().json(&json!({ "name": name })).send().await.expect(201).json();
        let record = &claim["verification"];
        self.dns.set(text(record, "record_name"), &[text(record, "record_value")]);
        let id = text(&claim, "id");
        let verified =
            self.post(&format!("{domains}/{id}/verify")).operator().send().await.expect(200).json();
        assert_eq!(verified["verification"]["status"], "verified", "{verified}");
        id.to_owned()
    }

    /// An API key of the organization with these scopes; gives its secret.
    pub async fn api_key(&self, organization: &str, scopes: &[&str]) -> String {
        let keys = format!("/api/v1/organizations/{organization}/api-keys");
        let body = json!({ "name": "tests", "scopes": scopes });
        let made = self.post(&keys).operator().json(&body).send().await.expect(201).json();
        text(&made, "secret").to_owned()
    }

    /// A SCIM token of the organization's directory; gives its secret.
    pub async fn scim_token(&self, organization: &str) -> String {
        let tokens = format!("/api/v1/organizations/{organization}/scim/tokens");
        let made = self.post(&tokens).operator().json(&json!({})).send().await.expect(201).json();
        text(&made, "token").to_owned()
    }
}

/// A string in an object, by name.
#[track_caller]
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name:?} in {value}"))
}

/// A request on its way.
#[must_use]
pub struct Call {
    client: reqwest::Client,
    request: reqwest::Request,
    operator: String,
    what: String,
}

impl Call {
    pub fn bearer(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    /// With the operator's key.
    pub fn operator(self) -> Self {
        let key = self.operator.clone();
        self.bearer(&key)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = header::HeaderName::try_from(name).expect("a header's name");
        self.request.headers_mut().append(name, value.parse().expect("a header's value"));
        self
    }

    /// With a session cookie, as our own pages would send it.
    pub fn session(self, secret: &str) -> Self {
        self.header("cookie", &format!("postern_session={secret}")).header("sec-fetch-site", "same-origin")
    }

    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request.url_mut().query_pairs_mut().extend_pairs(pairs);
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn scim(self, body: &Value) -> Self {
        self.body("application/scim+json", body.to_string())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        *self.request.body_mut() = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let answer = self.client.execute(self.request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.text().await.unwrap_or_else(|error| panic!("{}: {error}", self.what));
        Answer { what: self.what, status, headers, body }
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    what: String,
    pub status: u16,
    pub headers: header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// Fails, showing the answer, unless it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.body);
        self
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {} {:?}", self.what, self.status, self.body))
    }

    /// The id of what the body shows.
    #[track_caller]
    pub fn id(&self) -> String {
        text(&self.json(), "id").to_owned()
    }

    /// Fails unless this is problem+json with this status and code (rule 19); gives the problem.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {self:?}", self.what);
        let problem = self.json();
        assert_eq!((self.status, &problem["code"]), (status, &json!(code)), "{}: {problem}", self.what);
        problem
    }

    /// Fails unless this is a SCIM error with this status (and `scimType`); gives it.
    #[track_caller]
    pub fn scim_error(&self, status: u16, scim_type: Option<&str>) -> Value {
        let error = self.json();
        assert_eq!(self.status, status, "{}: {error}", self.what);
        assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{error}");
        assert_eq!(error["status"], json!(status.to_string()), "{error}");
        assert_eq!(error.get("scimType").and_then(Value::as_str), scim_type, "{error}");
        error
    }
}

/// DNS in memory: names have the TXT values and the addresses that the test gives them, all others do not exist.
#[derive(Debug, Default)]
pub struct FakeDns {
    answers: Mutex<HashMap<String, TxtAnswer>>,
    /// For each name the answers that come one after the other; the last one stays.
    addresses: Mutex<HashMap<String, VecDeque<AddressAnswer>>>,
}

impl FakeDns {
    /// A name has these TXT values from now on.
    pub fn set(&self, name: &str, values: &[&str]) {
        self.answer(name, TxtAnswer::Found(values.iter().map(|&value| value.to_owned()).collect()));
    }

    /// A name is answered so from now on.
    pub fn answer(&self, name: &str, answer: TxtAnswer) {
        self.answers.lock().expect("unpoisoned").insert(name.to_owned(), answer);
    }
}

impl FakeDns {
    /// A name has these addresses from now on.
    pub fn address(&self, name: &str, addresses: &[&str]) {
        self.address_answers(name, [found(addresses)]);
    }

    /// A name is answered so, one after the other; the last answer stays.
    pub fn address_answers(&self, name: &str, answers: impl IntoIterator<Item = AddressAnswer>) {
        let answers = answers.into_iter().collect();
        self.addresses.lock().expect("unpoisoned").insert(name.to_owned(), answers);
    }
}

/// The answer that names these addresses.
pub fn found(addresses: &[&str]) -> AddressAnswer {
    AddressAnswer::Found(addresses.iter().map(|address| address.parse().expect("an address")).collect())
}

impl AddressLookup for FakeDns {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, AddressAnswer> {
        let mut all = self.addresses.lock().expect("unpoisoned");
        let answer = match all.get_mut(name) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        };
        Box::pin(std::future::ready(answer.unwrap_or(AddressAnswer::NoName)))
    }
}

impl TxtLookup for FakeDns {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        let answer = self.answers.lock().expect("unpoisoned").get(name).cloned();
        Box::pin(std::future::ready(answer.unwrap_or(TxtAnswer::NoName)))
    }
}

/// Defines tests that run against a whole app on SQLite and on PostgreSQL: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(async fn $name($app: $crate::support::app::TestApp) $body

        mod $name {
            use $crate::support::app::TestApp;
            use $crate::support::database::{Backend, Database};

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(TestApp::on(Database::migrated(Backend::Sqlite).await).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(TestApp::on(Database::migrated(Backend::Postgres).await).await).await;
            }
        })+
    };
}
pub(crate) use on_both;
