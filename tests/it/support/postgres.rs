//! A private PostgreSQL cluster for the tests: own folder, own port, own socket, never one that happens to run.
//!
//! Started once per test process when first asked for; a watchdog (`postgres.sh`) holds it and removes every
//! trace when this process ends, whatever way it ends. Databases are dropped with their handle.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database as Orm, DatabaseConnection};
use tokio::sync::{Mutex, OnceCell};

/// The running cluster.
pub struct Cluster {
    port: u16,
    folder: PathBuf,
    // Its standard input is the rope the cluster hangs on: it falls when this process ends.
    watchdog: Child,
    templates: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
}

/// A database of one test; dropped with this handle.
pub struct PostgresDatabase {
    name: String,
    url: String,
}

/// The cluster of this process, started at the first call.
///
/// # Panics
/// When PostgreSQL is not installed or does not start; tests on PostgreSQL are never skipped.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // Durability is what a crash would need; here a crash ends the cluster anyway.
    CLUSTER.get_or_init(|| Cluster::start("fsync = off\nfull_page_writes = off\nsynchronous_commit = off"))
}

/// An empty database of its own.
pub async fn fresh_database() -> PostgresDatabase {
    cluster().create("template0").await
}

/// A copy of the database that `init` fills once per process under `name`; `init` is given its URL and must
/// have closed all its connections when it ends.
pub async fn template<F: Future<Output = ()>>(
    name: &str,
    init: impl FnOnce(String) -> F,
) -> PostgresDatabase {
    let cluster = cluster();
    let template = format!("template_{name}");
    let made = cluster.templates.lock().await.entry(template.clone()).or_default().clone();
    made.get_or_init(|| async {
        cluster.administer(&format!("CREATE DATABASE {template} TEMPLATE template0")).await;
        init(cluster.url(&template)).await;
    })
    .await;
    cluster.create(&template).await
}

impl Cluster {
    /// Starts a cluster with further lines for its `postgresql.conf`.
    pub fn start(settings: &str) -> Self {
        const TRIES: usize = 5;
        let bin = bin_dir();
        for last in (0..TRIES).map(|n| n + 1 == TRIES) {
            // Somebody else may take the port before the server does; then the next one is tried.
            let port = free_port();
            let mut watchdog = watchdog(&bin, port, settings);
            let mut answer = String::new();
            let stdout = watchdog.stdout.take().expect("a pipe");
            BufReader::new(stdout).read_line(&mut answer).expect("the watchdog's answer");
            if !answer.is_empty() {
                let folder = PathBuf::from(answer.trim_end());
                return Self { port, folder, watchdog, templates: Mutex::default() };
            }
            let mut reason = String::new();
            watchdog.stderr.take().expect("a pipe").read_to_string(&mut reason).expect("a reason");
            watchdog.wait().expect("the watchdog's end");
            assert!(!last, "PostgreSQL did not start: {reason}");
        }
        unreachable!("the last try panics")
    }

    /// Where a database of this cluster is reached.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops the server as a crash would, with all its connections.
    pub fn stop(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts it again after [`Cluster::stop`], on the same port.
    pub fn start_again(&self) {
        let log = self.folder.join("server.log");
        self.control(&["-l", log.to_str().expect("a path in UTF-8"), "-t", "60", "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = Command::new("setsid");
        if is_root() {
            command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.arg(bin_dir().join("pg_ctl")).args(["-s", "-w", "-D"]).arg(self.folder.join("data"));
        let done =
            command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(done.expect("setsid and pg_ctl").success(), "pg_ctl {arguments:?}");
    }

    /// The folder of the cluster, which holds its socket and its log too.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn create(&self, template: &str) -> PostgresDatabase {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.administer(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        PostgresDatabase { url: self.url(&name), name }
    }

    /// Runs one statement as the superuser. A connection for each: a pool would belong to one test's runtime.
    async fn administer(&self, statement: &str) {
        let connection = connect(self.url("postgres")).await;
        connection.execute_unprepared(statement).await.expect(statement);
        connection.close().await.expect("closed");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl PostgresDatabase {
    /// Where it is reached.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // Kept small, so that hundreds of tests do not fill the disk. Left to psql because a destructor cannot
        // wait for the test's runtime; a failure costs nothing, for the whole cluster goes at the end.
        let _ = Command::new(bin_dir().join("dropdb"))
            .args(["--force", "--if-exists", "--host=127.0.0.1", "--username=postgres"])
            .arg(format!("--port={}", cluster().port))
            .arg(&self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// One plain connection without a pool's helpers.
pub async fn connect(url: String) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Orm::connect(options).await.expect("a connection to the test cluster")
}

/// The newest PostgreSQL that Debian's packages installed.
fn bin_dir() -> PathBuf {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.join("initdb").exists())
            .max_by_key(|bin| {
                let version = bin.parent().and_then(Path::file_name).and_then(|v| v.to_str());
                version.and_then(|v| v.parse::<u32>().ok())
            })
            .expect("PostgreSQL's server programs under /usr/lib/postgresql; `make setup` installs them")
    })
    .clone()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn watchdog(bin: &Path, port: u16, settings: &str) -> Child {
    // A session of its own, so that Ctrl-C in the terminal ends the tests and not the cleaning up.
    let mut command = Command::new("setsid");
    // PostgreSQL refuses to run as root.
    if is_root() {
        command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env"]);
        command.args(["env", &format!("POSTGRES_SETTINGS={settings}")]);
    }
    command
        .args(["sh", "-c", include_str!("postgres.sh"), "postgres.sh"])
        .arg(bin)
        .arg(port.to_string())
        .env("POSTGRES_SETTINGS", settings)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("setsid, setpriv and sh")
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
