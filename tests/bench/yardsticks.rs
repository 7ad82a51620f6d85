//! What the machine itself can do: poem's hello world for HTTP, pgbench for the database.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use poem::listener::TcpAcceptor;
use poem::{Route, Server, get, handler};

use super::load::{CONCURRENCY, Outcome, Repeat, run};
use super::scratch::Scratch;

/// The argument that makes this program the yardstick's server.
pub const HELLO: &str = "hello";
/// How many rows the indexed select chooses from.
const ROWS: u32 = 10_000;

#[handler]
fn hello() -> &'static str {
    "hello"
}

/// Serves hello world on a free port, which it prints, until it is killed.
pub fn serve_hello() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
            .run(Route::new().at("/", get(hello)))
            .await?;
        Ok(())
    })
}

/// Hello world in a process of its own; ends with this handle.
pub struct Hello {
    child: Child,
    address: SocketAddr,
}

impl Hello {
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(HELLO)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the hello world")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse().context("the address of hello world")? })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub async fn measure(&self, time: Duration) -> anyhow::Result<Outcome> {
        let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec();
        let (outcome, _) = run(self.address, vec![Repeat(request); CONCURRENCY], time).await?;
        Ok(outcome)
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// pgbench on a database of its own, with a table like one of ours: about 600 bytes a row and two indexes.
pub struct Pgbench {
    program: PathBuf,
    url: String,
    scripts: Scratch,
}

/// What pgbench does.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    Insert,
    Select,
}

impl Work {
    fn file(self) -> &'static str {
        match self {
            Self::Insert => "insert.sql",
            Self::Select => "select.sql",
        }
    }
}

impl Pgbench {
    /// Makes the table in an empty database.
    pub async fn prepare(url: String) -> anyhow::Result<Self> {
        use sea_orm::ConnectionTrait as _;
        let tenant = "0192f0c1-2b7e-7c3a-9d4e-5f60718293a4";
        let body = format!(r#"{{"filler": "{}"}}"#, "x".repeat(500));
        let insert = format!(
            "\\set n random(1, 9000000000000000000)\n\
             INSERT INTO yardstick (id, tenant, name, body) \
             VALUES (gen_random_uuid(), '{tenant}', 'somebody' || :n, '{body}');\n"
        );
        let select = format!(
            "\\set n random(1, {ROWS})\n\
             SELECT * FROM yardstick WHERE tenant = '{tenant}' AND name = 'person' || :n;\n"
        );
        let scripts = Scratch::new("pgbench");
        scripts.write(Work::Insert.file(), insert);
        scripts.write(Work::Select.file(), select);
        let connection = super::postgres::connect(url.clone()).await;
        let table = "CREATE TABLE yardstick (id uuid PRIMARY KEY, tenant uuid NOT NULL, name text NOT NULL, \
                     body text NOT NULL, UNIQUE (tenant, name))";
        connection.execute_unprepared(table).await?;
        let fill = format!(
            "INSERT INTO yardstick SELECT gen_random_uuid(), '{tenant}', 'person' || n, '{body}' \
             FROM generate_series(1, {ROWS}) AS n"
        );
        connection.execute_unprepared(&fill).await?;
        connection.execute_unprepared("ANALYZE yardstick").await?;
        connection.close().await?;
        Ok(Self { program: program(), url, scripts })
    }

    /// Transactions a second.
    pub async fn measure(&self, work: Work, seconds: u32) -> anyhow::Result<f64> {
        let output = tokio::process::Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-j", "1"])
            .args(["-c", &CONCURRENCY.to_string(), "-T", &seconds.to_string(), "-f"])
            .arg(self.scripts.path().join(work.file()))
            .arg(&self.url)
            .stdin(Stdio::null())
            .output()
            .await
            .context("pgbench, which Debian's package postgresql brings")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {complaint}");
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.with_context(|| format!("pgbench told no rate: {text}{complaint}"))
    }
}

/// Debian keeps it beside the server's programs; elsewhere it is on the path.
fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin/pgbench")).filter(|path| path.exists());
    found.max().unwrap_or_else(|| Path::new("pgbench").to_owned())
}
