//! `postern doctor`: looks at everything the server needs and says of each thing whether it is sound, and what to do
//! where it is not. Changes nothing: no key is made, no step of the schema is run.
//!
//! A failure is what keeps the server from working; a warning is what somebody should know. Works beside a server.

mod certificate;
mod public_url;

use super::{CliError, Exit, out};
use crate::app::{AppError, Overrides, database, dns_settings, files, open_services};
use crate::config::Config;
use crate::config::database::Engine;
use crate::model::dns_answer::TxtAnswer;
use crate::model::time::{Clock as _, SystemClock, Timestamp};
use crate::outbound::dns::{Resolver, TxtLookup as _};
use crate::outbound::verifier::VerifierProcesses;
use crate::service::access_tokens;
use crate::store::{self, Db, migrations};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How far clocks may differ before signatures and sessions suffer.
const CLOCK_SKEW: Duration = Duration::from_secs(10);
/// File times ahead of the clock by more than this mean that the clock went back.
const FILE_SKEW: Duration = Duration::from_mins(2);

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    Warning,
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    /// What to do; empty when all is fine.
    remedy: String,
}

impl Finding {
    fn fine(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Fine, found: found.into(), remedy: String::new() }
    }

    fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, state: State::Warning, found: found.into(), remedy: remedy.into() }
    }

    fn failure(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, state: State::Failure, found: found.into(), remedy: remedy.into() }
    }

    /// With the words that the command line has for this error.
    fn error(what: &'static str, error: AppError) -> Self {
        let error = CliError::from(error);
        Self::failure(what, error.message, error.remedy)
    }
}

/// Looks at everything and prints the findings; exit code 6 if one is a failure.
pub async fn run(config: &Config) -> Result<(), CliError> {
    let now = SystemClock.now();
    let mut findings = Vec::new();
    if config.database.engine == Engine::Sqlite {
        findings.push(data_dir(&config.data_dir));
    }
    findings.extend(look_at_database(config, now).await);
    findings.push(verifier());
    findings.push(clock(config, now));
    findings.push(dns(config).await);
    if let Some(tls) = &config.http.tls {
        findings.extend(certificate::check(tls, config.public_url.host(), now));
    }
    findings.push(public_url::check(config).await);
    out::text(report(&findings))?;
    let failures = findings.iter().filter(|finding| finding.state == State::Failure).count();
    if failures == 0 {
        return Ok(());
    }
    let message = format!("{failures} of {} checks failed", findings.len());
    Err(CliError::new(Exit::CheckFailed, message, "Do what stands below each failure, then run this again."))
}

fn report(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let state = match finding.state {
            State::Fine => "ok",
            State::Warning => "note",
            State::Failure => "FAIL",
        };
        let _ = writeln!(text, "{state:<5} {:<13} {}", finding.what, finding.found.replace('\n', "; "));
        if !finding.remedy.is_empty() {
            let _ = writeln!(text, "{:<19} -> {}", "", finding.remedy);
        }
    }
    text
}

/// Signatures are verified in processes that have no rights.
fn verifier() -> Finding {
    const WHAT: &str = "signatures";
    match VerifierProcesses::of_this_binary().confinement() {
        Ok(confinement) if confinement.contains("not offered") => Finding::warning(
            WHAT,
            format!("a verifier process is ready; confined by {confinement}"),
            "Works, with less in the way of a hole in the XML libraries. A kernel of 5.13 or later with landlock and seccomp has both.",
        ),
        Ok(confinement) => {
            Finding::fine(WHAT, format!("a verifier process is ready; confined by {confinement}"))
        }
        Err(problem) => Finding::failure(
            WHAT,
            problem,
            "Nobody can sign in through SAML. Check that this account may start processes (limits of the service manager or the container).",
        ),
    }
}

/// The data directory and the key in it are their owner's alone.
fn data_dir(path: &Path) -> Finding {
    const WHAT: &str = "data_dir";
    let shown = path.display();
    let mode = |path: &Path| std::fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    match mode(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::fine(WHAT, format!("{shown} is made at the first start"));
        }
        Err(error) => {
            let remedy = "Check that this account may read it, or name another one as data_dir.";
            return Finding::failure(WHAT, format!("{shown} cannot be read: {error}"), remedy);
        }
        Ok(mode) if mode & 0o077 != 0 => {
            let found = format!("{shown} is open to other accounts (mode {mode:o})");
            return Finding::warning(WHAT, found, format!("Run `chmod 700 {shown}`."));
        }
        Ok(_) => {}
    }
    let key = files::key_path(path);
    match mode(&key) {
        Ok(mode) if mode & 0o077 != 0 => {
            let found = format!("{} can be read by other accounts (mode {mode:o})", key.display());
            Finding::failure(WHAT, found, format!("Run `chmod 600 {}`.", key.display()))
        }
        _ => Finding::fine(WHAT, format!("{shown}, private")),
    }
}

/// Database, its clock, schema and keys. What rests on a failure is not looked at.
async fn look_at_database(config: &Config, now: Timestamp) -> Vec<Finding> {
    let file = store::sqlite_path(&database::options(config).url);
    if config.database.engine == Engine::Sqlite && file.as_ref().is_some_and(|file| !file.exists()) {
        let found = format!("{}: the file is made at the first start", database::shown_url(config));
        return vec![Finding::fine("database", found)];
    }
    let db = match database::connect(config).await {
        Ok(db) => db,
        Err(error) => return vec![Finding::error("database", error)],
    };
    let mut findings = vec![Finding::fine("database", database::shown_url(config))];
    if let Some(skew) = database_clock(&db, now).await {
        findings.push(skew);
    }
    let (schema, current) = schema(&db, config).await;
    findings.push(schema);
    if current {
        findings.push(keys(&db, config).await);
    }
    if let Err(error) = db.close().await {
        tracing::debug!(%error, "the database was not closed cleanly");
    }
    findings
}

async fn database_clock(db: &Db, now: Timestamp) -> Option<Finding> {
    const WHAT: &str = "clock";
    let theirs = db.clock().await.ok()??;
    let skew = theirs.since(now).max(now.since(theirs));
    (skew > CLOCK_SKEW).then(|| {
        let found = format!("this machine's clock and the database's differ by {} s", skew.as_secs());
        Finding::failure(
            WHAT,
            found,
            "Set both by NTP (`timedatectl set-ntp true`): assertions and sessions live by the clock.",
        )
    })
}

/// Tells whether it is this version's, too.
async fn schema(db: &Db, config: &Config) -> (Finding, bool) {
    const WHAT: &str = "migrations";
    let status = match migrations::status(db).await {
        Ok(status) => status,
        Err(source) => {
            let error = AppError::Database { url: database::shown_url(config), source };
            return (Finding::error(WHAT, error), false);
        }
    };
    if !status.unknown.is_empty() {
        return (Finding::error(WHAT, AppError::SchemaNewer(status.unknown)), false);
    }
    if status.foreign {
        return (Finding::error(WHAT, AppError::SchemaForeign { url: database::shown_url(config) }), false);
    }
    if status.pending.is_empty() {
        return (Finding::fine(WHAT, format!("{} steps, this version's", status.applied.len())), true);
    }
    let by_itself = config.database.engine == Engine::Sqlite || status.applied.is_empty();
    let finding = if by_itself {
        Finding::fine(
            WHAT,
            format!("{} steps are due; the server runs them at its start", status.pending.len()),
        )
    } else {
        Finding::error(WHAT, AppError::SchemaBehind(status.pending))
    };
    (finding, false)
}

/// The installation key opens what it sealed, down to the keys that sign access tokens.
async fn keys(db: &Db, config: &Config) -> Finding {
    const WHAT: &str = "keys";
    match database::sealed(config, db).await {
        Ok(Some(_)) => {}
        Ok(None) => return Finding::fine(WHAT, "none yet; they are made at the first start"),
        Err(error) => return Finding::error(WHAT, error),
    }
    let services = match open_services(config, Overrides::default()).await {
        Ok(services) => services,
        // Said by the check of DNS.
        Err(AppError::Resolver(_)) => return Finding::fine(WHAT, "not looked at without a resolver"),
        Err(error) => return Finding::error(WHAT, error),
    };
    let opened = access_tokens::open_keys(&services).await;
    if let Err(error) = services.db.clone().close().await {
        tracing::debug!(%error, "the database was not closed cleanly");
    }
    match opened {
        Ok(keys) => Finding::fine(
            WHAT,
            format!("the installation key is the right one; {} to sign tokens", keys.len()),
        ),
        Err(error) => {
            let remedy = "Restore the database and the installation key from one and the same backup.";
            Finding::failure(WHAT, format!("a key to sign tokens cannot be used: {error}"), remedy)
        }
    }
}

/// A clock that went back is shown by files from the future.
fn clock(config: &Config, now: Timestamp) -> Finding {
    const WHAT: &str = "clock";
    let modified = |path: &Path| {
        let time = std::fs::metadata(path).ok()?.modified().ok()?;
        Some(Timestamp::from(time::OffsetDateTime::from(time)))
    };
    let program = std::env::current_exe().ok();
    let inside =
        std::fs::read_dir(&config.data_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = inside.chain(program).filter_map(|path| modified(&path)).max();
    match newest {
        Some(newest) if newest.since(now) > FILE_SKEW => Finding::failure(
            WHAT,
            format!("the clock shows {now}, but there are files from {newest}"),
            "Set the clock by NTP (`timedatectl set-ntp true`): assertions and sessions live by it.",
        ),
        _ => Finding::fine(WHAT, now.to_string()),
    }
}

/// Any definite answer will do: DNS can be asked.
async fn dns(config: &Config) -> Finding {
    const WHAT: &str = "dns";
    let settings = dns_settings(config);
    let asked = if settings.nameservers.is_empty() {
        "the system's name servers".to_owned()
    } else {
        let all: Vec<String> = settings.nameservers.iter().map(ToString::to_string).collect();
        all.join(", ")
    };
    let resolver = match Resolver::new(&settings) {
        Ok(resolver) => resolver,
        Err(error) => return Finding::error(WHAT, AppError::Resolver(error)),
    };
    let name = format!("{}.example.com", config.dns.challenge_label);
    match resolver.txt(&name).await {
        TxtAnswer::Failed(failure) => Finding::failure(
            WHAT,
            format!("DNS could not be asked ({asked}): {failure}"),
            "Open UDP and TCP port 53 to them, or name servers that answer in dns.nameservers (POSTERN_DNS__NAMESERVERS).",
        ),
        _ => Finding::fine(WHAT, format!("{asked} answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_read_is_told() {
        let path = std::env::temp_dir().join(format!("postern-doctor-{}", std::process::id()));
        assert_eq!(data_dir(&path).state, State::Fine, "made at the first start");
        files::make_data_dir(&path).unwrap();
        std::fs::write(files::key_path(&path), "").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&files::key_path(&path), 0o600);
        assert_eq!(data_dir(&path).state, State::Fine);
        set(&files::key_path(&path), 0o640);
        assert_eq!(data_dir(&path).state, State::Failure);
        set(&path, 0o755);
        assert_eq!(data_dir(&path).state, State::Warning);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_clock_that_went_back_is_told() {
        let config = Config::from_toml_str("").unwrap();
        assert_eq!(clock(&config, SystemClock.now()).state, State::Fine);
        let long_ago = SystemClock.now().minus(Duration::from_hours(24 * 365 * 20));
        assert_eq!(clock(&config, long_ago).state, State::Failure);
    }
}
