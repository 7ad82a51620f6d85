//! The binary as an operator meets it: first start, second start, keys made beside a running server, refusals with
//! their exit codes and remedies. A process of its own for each case, in a folder of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use postern::demo::dns::NameServer;
use sea_orm::ConnectionTrait as _;
use serde_json::Value;

use crate::support::app::INSTALLATION_KEY;
use crate::support::database::{Backend, Database};
use crate::support::postgres::{self, free_port};
use crate::support::scratch::Scratch;
use crate::support::simplesamlphp::key_and_certificate;

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder in which the binary starts, with the settings that it is given.
struct Place {
    folder: Scratch,
    variables: Vec<(String, String)>,
}

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A served installation; killed with this handle unless stopped before.
struct Server {
    process: Child,
    url: String,
}

impl Place {
    fn new() -> Self {
        let mut place = Self { folder: Scratch::new("cli"), variables: Vec::new() };
        place.set("POSTERN_HTTP__LISTEN", "127.0.0.1:0");
        place.set("POSTERN_HTTP__METRICS_LISTEN", "");
        place.set("POSTERN_LOG__FORMAT", "json");
        place
    }

    /// The same on a PostgreSQL database.
    fn on(database: &Database) -> Self {
        let mut place = Self::new();
        place.set("POSTERN_DATABASE__URL", database.url());
        place.set("POSTERN_DATABASE__ACQUIRE_TIMEOUT_SECONDS", "1");
        place.set("POSTERN_SECURITY__INSTALLATION_KEY", INSTALLATION_KEY);
        place
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(arguments).env_clear().envs(self.variables.clone()).current_dir(self.folder.path());
        command
    }

    /// Runs it to its end.
    fn run(&self, arguments: &[&str]) -> Answer {
        let output = self.command(arguments).output().expect("the binary");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts the server and waits until it says where it listens.
    #[track_caller]
    fn serve(&self) -> Server {
        let mut command = self.command(&["serve"]);
        let process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary");
        let mut server = Server { process, url: String::new() };
        let lines = BufReader::new(server.process.stderr.take().expect("a pipe")).lines();
        let (sender, log) = mpsc::channel();
        // Reads to the end also when nobody listens any more, so that the server never waits for the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut seen = String::new();
        while let Ok(line) = log.recv_timeout(PATIENCE) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "serving" {
                event["listening"].as_str().expect("an address").clone_into(&mut server.url);
                return server;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("the server does not start: {seen}")
    }

    /// Starts the server, which refuses to.
    #[track_caller]
    fn refused(&self, code: i32, words: &[&str]) {
        self.run(&["serve"]).expect(code, words);
    }
}

impl Answer {
    #[track_caller]
    fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for word in words {
            let found = self.err.contains(word) || self.out.contains(word);
            assert!(found, "{word:?} not in:\n{}{}", self.out, self.err);
        }
        self
    }
}

impl Server {
    fn get(&self, path: &str, bearer: Option<&str>) -> (u16, String) {
        // curl's stead: a blocking request on a thread of its own, for these tests have no runtime.
        let url = format!("{}{path}", self.url);
        let bearer = bearer.map(str::to_owned);
        let asked = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let client =
                    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
                let mut request = client.get(url);
                if let Some(bearer) = bearer {
                    request = request.bearer_auth(bearer);
                }
                let answer = request.send().await.expect("an answer");
                (answer.status().as_u16(), answer.text().await.expect("a body"))
            })
        });
        asked.join().expect("the request")
    }

    /// Sends SIGTERM and waits for the end.
    #[track_caller]
    fn stop(mut self) {
        let done = Command::new("kill").arg(self.process.id().to_string()).status().expect("kill");
        assert!(done.success());
        assert_eq!(self.process.wait().expect("its end").code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}

#[test]
fn the_first_start_needs_nothing_and_keeps_its_secrets_private() {
    let place = Place::new();
    let server = place.serve();
    assert_eq!(mode(&place.path("data")), 0o700);
    for file in ["data/installation.key", "data/postern.db", "data/postern.db-wal", "data/postern.lock"] {
        assert_eq!(mode(&place.path(file)), 0o600, "{file}");
    }
    assert_eq!(server.get("/health/ready", None).0, 200);
    place.refused(8, &["already runs on the data directory data", "POSTERN_DATA_DIR"]);
    assert_eq!(server.get("/health/ready", None).0, 200, "the first one is not disturbed");
    server.stop();
    assert!(!place.path("data/postern.db-wal").exists(), "the log is folded into the file");
    place.serve().stop();
}

#[test]
fn an_operators_key_made_beside_the_server_counts_at_once() {
    let place = Place::new();
    let server = place.serve();
    let made = place.run(&["operator-key", "create", "--name", "deploy"]).expect(0, &[]);
    let secret = made.out.trim_end();
    assert!(secret.starts_with("pstn_op_") && !secret.contains(char::is_whitespace), "{:?}", made.out);
    assert!(!made.err.contains(secret), "no secret in the log");
    let organizations = "/api/v1/organizations";
    assert_eq!(server.get(organizations, Some(secret)).0, 200);

    let list = place.run(&["operator-key", "list"]).expect(0, &["deploy", &secret[secret.len() - 4..]]);
    assert!(!list.out.contains(secret));
    let id = list.out.split_whitespace().find(|word| word.starts_with("key_")).expect("an id").to_owned();
    place.run(&["operator-key", "revoke", &id]).expect(0, &["worthless now"]);
    let (status, body) = server.get(organizations, Some(secret));
    assert_eq!((status, body.contains("credential_invalid")), (401, true), "{body}");

    place.run(&["operator-key", "revoke", &id]).expect(0, &["revoked before"]);
    place.run(&["operator-key", "revoke", &id.replace("key_0", "key_1")]).expect(7, &["operator-key list"]);
    place.run(&["operator-key", "revoke", "deploy"]).expect(7, &["operator-key list"]);
    place.run(&["operator-key", "create", "--name", " "]).expect(1, &["name: "]);
}

#[test]
fn a_lost_or_wrong_installation_key_is_told_and_not_replaced() {
    let mut place = Place::new();
    place.serve().stop();
    let key = place.path("data/installation.key");
    let kept = std::fs::read(&key).expect("the key");
    std::fs::remove_file(&key).expect("removed");
    place.refused(3, &["was sealed under an installation key", "backup"]);
    assert!(!key.exists(), "a new key would hide the loss");
    std::fs::write(&key, "short\n").expect("written");
    place.refused(3, &["data/installation.key", "32 bytes in Base64"]);
    std::fs::write(&key, kept).expect("written");
    place.serve().stop();
    place.set("POSTERN_SECURITY__INSTALLATION_KEY", INSTALLATION_KEY);
    place.refused(3, &["is not the one that this database was sealed under"]);
    place.run(&["doctor"]).expect(6, &["FAIL  keys"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused_on_both_databases() {
    for database in [Database::migrated(Backend::Sqlite).await, Database::migrated(Backend::Postgres).await] {
        let place = Place::on(&database);
        let connection = postgres::connect(database.url().to_owned()).await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)";
        connection.execute_unprepared(newer).await.expect("a row");
        connection.close().await.expect("closed");
        place.refused(5, &["newer Postern", "m9999_future"]);
        place.run(&["migrate", "status"]).expect(5, &["unknown  m9999_future"]);
        place.run(&["migrate", "up"]).expect(5, &["m9999_future"]);
        place.run(&["operator-key", "list"]).expect(5, &["m9999_future"]);
    }
}

/// The name of the newest step of the schema.
fn last_step() -> String {
    use postern_migrations::{Migrator, MigratorTrait};
    Migrator::migrations().last().expect("a step").name().to_owned()
}

#[tokio::test]
async fn postgresql_is_migrated_by_itself_only_when_empty() {
    let database = Database::empty(Backend::Postgres).await;
    let place = Place::on(&database);
    place.run(&["migrate", "status"]).expect(0, &["due      m0001_organizations"]);
    place.serve().stop();
    let last = last_step();
    place.run(&["migrate", "down"]).expect(0, &[&format!("due      {last}")]);
    place.refused(5, &[last.as_str(), "postern migrate up"]);
    place.run(&["doctor"]).expect(6, &["FAIL  migrations", "postern migrate up"]);
    place.run(&["migrate", "up"]).expect(0, &[&format!("applied  {last}")]);
    place.serve().stop();

    let foreign = Database::empty(Backend::Postgres).await;
    let connection = postgres::connect(foreign.url().to_owned()).await;
    connection.execute_unprepared("CREATE TABLE users (id INTEGER)").await.expect("a table");
    connection.close().await.expect("closed");
    Place::on(&foreign).refused(5, &["none of Postern's", "empty database"]);
}

#[tokio::test]
async fn postgresql_wants_its_key_and_its_server() {
    let database = Database::migrated(Backend::Postgres).await;
    let mut place = Place::on(&database);
    place.set("POSTERN_SECURITY__INSTALLATION_KEY", "");
    place.refused(3, &["security.installation_key is required on PostgreSQL", "openssl rand -base64 32"]);
    let mut place = Place::on(&database);
    let nobody = format!("postgres://gate:hunter2@127.0.0.1:{}/postern", free_port());
    place.set("POSTERN_DATABASE__URL", &nobody);
    let refused = place.run(&["serve"]).expect(4, &["postgres://gate:***@127.0.0.1", "database.url"]);
    assert!(!refused.err.contains("hunter2"), "{}", refused.err);
}

#[test]
fn steps_are_not_taken_back_under_a_running_server() {
    let place = Place::new();
    let server = place.serve();
    place.run(&["migrate", "down"]).expect(8, &["already runs"]);
    server.stop();
    let last = last_step();
    place.run(&["migrate", "down"]).expect(0, &[&format!("due      {last}")]);
    place.serve().stop();
    place.run(&["migrate", "status"]).expect(0, &[&format!("applied  {last}")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let dns = NameServer::start().await.expect("a name server");
    let mut place = Place::new();
    place.set("POSTERN_DNS__NAMESERVERS", &dns.address().to_string());
    place.run(&["doctor"]).expect(0, &["made at the first start", "ok    dns"]);
    assert!(!place.path("data").exists(), "the doctor makes nothing");
    let server = place.serve();
    place
        .run(&["doctor"])
        .expect(0, &["the installation key is the right one; 1 to sign tokens", "ok    clock"]);
    server.stop();

    place.set("POSTERN_DNS__NAMESERVERS", &format!("127.0.0.1:{}", free_port()));
    place.set("POSTERN_DNS__TIMEOUT_SECONDS", "1");
    place.run(&["doctor"]).expect(6, &["FAIL  dns", "dns.nameservers"]);

    place.set("POSTERN_DNS__NAMESERVERS", &dns.address().to_string());
    let (key, certificate) = key_and_certificate("id.example.com");
    let (other, _) = key_and_certificate("id.example.com");
    place.folder.write("server.crt", certificate);
    place.folder.write("server.key", other);
    place.set("POSTERN_HTTP__TLS_CERTIFICATE", "server.crt");
    place.set("POSTERN_HTTP__TLS_KEY", "server.key");
    place.set("POSTERN_PUBLIC_URL", "https://localhost:1");
    place.run(&["doctor"]).expect(6, &["do not belong together", "it is for no host at all", "chmod 600"]);
    place.refused(3, &["does not belong to the certificate", "certs/README.md"]);
    place.folder.write("server.key", key);
    place.serve().stop();
}

#[test]
fn the_document_of_the_api_is_printed() {
    let printed = Place::new().run(&["openapi"]).expect(0, &[]);
    let document: Value = serde_json::from_str(&printed.out).expect("JSON");
    assert!(document["paths"]["/organizations"]["post"].is_object(), "{document}");
    assert_eq!(document["servers"][0]["url"], "http://127.0.0.1:8080/api/v1");
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut place = Place::new();
    place.set("POSTERN_HTTP__LISTEN", &taken.local_addr().expect("its address").to_string());
    place.refused(3, &["cannot listen on 127.0.0.1", "http.listen"]);
}
