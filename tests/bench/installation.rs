//! The subject: `postern serve` as users run it, in a process of its own, with its settings from the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::http::{Connection, write_request};
use super::postgres::free_port;
use super::scratch::Scratch;

/// Where cargo put the binary, built in the bench's own profile, which is the release profile.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_postern");
/// Every installation here has the same key; it guards nothing.
const INSTALLATION_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// One installation: a folder, a database, an address.
pub struct Installation {
    folder: Scratch,
    settings: Vec<(&'static str, String)>,
    pub address: SocketAddr,
    pub name: &'static str,
}

impl Installation {
    /// On this database, or on SQLite in its own folder; DNS is asked at `names`. The schema is brought up.
    pub fn new(name: &'static str, database: Option<String>, names: SocketAddr) -> anyhow::Result<Self> {
        let folder = Scratch::new("bench");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        // Limits far above what is sent: they count as ever, and refuse nothing.
        let settings = vec![
            ("POSTERN_PUBLIC_URL", format!("http://{address}")),
            ("POSTERN_HTTP__LISTEN", address.to_string()),
            ("POSTERN_HTTP__METRICS_LISTEN", format!("127.0.0.1:{}", free_port())),
            ("POSTERN_DATA_DIR", folder.path().join("data").display().to_string()),
            ("POSTERN_DATABASE__URL", database.unwrap_or_default()),
            ("POSTERN_SECURITY__INSTALLATION_KEY", INSTALLATION_KEY.to_owned()),
            ("POSTERN_DNS__NAMESERVERS", names.to_string()),
            ("POSTERN_SCIM__RATE_PER_SECOND", "100000".to_owned()),
            ("POSTERN_SCIM__BURST", "1000000".to_owned()),
            ("POSTERN_LIMITS__API_KEY_PER_SECOND", "1000000".to_owned()),
            ("POSTERN_LIMITS__API_KEY_BURST", "10000000".to_owned()),
            ("POSTERN_LIMITS__SIGN_IN_PER_MINUTE", "1000000".to_owned()),
        ];
        let installation = Self { folder, settings, address, name };
        installation.run(&["migrate", "up"])?;
        Ok(installation)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The command as another program's argument, if one is given with its own.
    fn command_under(&self, watcher: &[String], arguments: &[&str]) -> Command {
        let (program, before) =
            watcher.split_first().map_or((PROGRAM, &[][..]), |(first, rest)| (first, rest));
        let mut command = Command::new(program);
        command.args(before);
        if !watcher.is_empty() {
            command.arg(PROGRAM);
        }
        command.args(arguments).env_clear().current_dir(self.folder.path()).stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs a short command and gives what it prints.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().context(PROGRAM)?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "postern {} failed: {complaint}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Starts `serve` and waits for its first answer; tells how long that took.
    pub async fn start(&self) -> anyhow::Result<(Serving, Duration)> {
        self.start_under(&[]).await
    }

    /// The same below a program that watches it, given with its arguments.
    pub async fn start_under(&self, watcher: &[String]) -> anyhow::Result<(Serving, Duration)> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = self.command_under(watcher, &["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        let start = Instant::now();
        let mut serving = Serving { child: command.spawn().context(PROGRAM)? };
        let mut request = Vec::new();
        write_request(&mut request, ("GET", "/health/ready"), "", ("", b""));
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await {
                let reply = connection.send(&request).await?;
                ensure!(reply.status == 200, "/health/ready answered {}", reply.status);
                return Ok((serving, start.elapsed()));
            }
            if serving.child.try_wait()?.is_some() || start.elapsed() > Duration::from_secs(20) {
                bail!("postern serve does not start on {}: {}", self.name, tail(&self.log()));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("serve.log")
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let from = text.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}

/// A serving process; ends with this handle.
pub struct Serving {
    child: Child,
}

impl Serving {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // By SIGTERM, so that it ends as an installation does; std only knows SIGKILL.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..1000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
