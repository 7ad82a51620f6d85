//! Settings through the real binary: layers, refusals, secrets. A process of its own for each case,
//! because the environment belongs to a process; nothing of this test run's environment reaches it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A scratch folder, in which the binary starts.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_postern"))
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(&self.0)
            .output()
            .unwrap();
        Answer::of(output)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The line of `config show` for a key, by the name of its section and its own.
    fn line(&self, section: &str, name: &str) -> &str {
        let mut current = "";
        for line in self.out.lines() {
            if let Some(rest) = line.strip_prefix('[') {
                current = rest.trim_end_matches(']');
            } else if current == section && line.starts_with(&format!("{name} = ")) {
                return line;
            }
        }
        panic!("no {section}.{name} in:\n{}", self.out)
    }
}

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[test]
fn later_layers_win_and_show_tells_which() {
    let place = Place::new();
    place.write("postern.toml", "public_url = \"https://file.example\"\n[http]\nlisten = \"127.0.0.1:1\"\n");
    let answer = place.run(&["config", "show"], &[("POSTERN_HTTP__LISTEN", "127.0.0.1:2")]);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    assert!(answer.line("", "public_url").contains("\"https://file.example\""));
    assert!(answer.line("", "public_url").ends_with("# file postern.toml"));
    assert!(answer.line("http", "listen").contains("\"127.0.0.1:2\""));
    assert!(answer.line("http", "listen").ends_with("# variable POSTERN_HTTP__LISTEN"));
    assert!(answer.line("http", "metrics_listen").ends_with("# built-in default"));
}

#[test]
fn the_file_is_the_named_one_and_must_then_exist() {
    let place = Place::new();
    place.write("postern.toml", "[log]\nlevel = \"error\"\n");
    let other = place.write("other.toml", "[log]\nlevel = \"warn\"\n");
    let third = place.write("third.toml", "[log]\nlevel = \"debug\"\n");
    let level = |answer: &Answer| answer.line("log", "level").split('"').nth(1).unwrap().to_owned();
    assert_eq!(level(&place.run(&["config", "show"], &[])), "error");
    assert_eq!(level(&place.run(&["config", "show"], &[("POSTERN_CONFIG", &other)])), "warn");
    let both = place.run(&["--config", &third, "config", "show"], &[("POSTERN_CONFIG", &other)]);
    assert_eq!(level(&both), "debug");
    let missing = place.run(&["config", "check", "--config", "nowhere.toml"], &[]);
    assert_eq!(missing.code, Some(3));
    assert!(missing.err.contains("nowhere.toml cannot be read"), "{}", missing.err);
    assert!(missing.err.contains("named by --config"), "{}", missing.err);
}

#[test]
fn unknown_keys_are_refused_by_name_and_source() {
    let place = Place::new();
    place.write("postern.toml", "[http]\nlistn = \"127.0.0.1:1\"\n");
    let answer = place.run(&["config", "check"], &[("POSTERN_HTPP__LISTEN", "127.0.0.1:2")]);
    assert_eq!(answer.code, Some(3));
    assert!(answer.out.is_empty());
    for expected in [
        "http.listn is not a setting; did you mean http.listen? (file postern.toml)",
        "POSTERN_HTPP__LISTEN belongs to no setting; did you mean POSTERN_HTTP__LISTEN?",
    ] {
        assert!(answer.err.contains(expected), "{expected:?} not in:\n{}", answer.err);
    }
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let place = Place::new();
    let key = place.write("key", &format!("{KEY}\n"));
    let url = place.write("url", "postgres://gate:hunter2@db.example:5432/postern\n");
    let variables =
        [("POSTERN_SECURITY__INSTALLATION_KEY_FILE", &*key), ("POSTERN_DATABASE__URL_FILE", &*url)];
    let answer = place.run(&["config", "show"], &variables);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    assert!(answer.line("database", "url").contains("\"postgres://gate:***@db.example:5432/postern\""));
    assert!(answer.line("database", "url").ends_with("named by POSTERN_DATABASE__URL_FILE"));
    assert!(answer.line("security", "installation_key").contains("\"(hidden)\""));
    for secret in [KEY, "hunter2"] {
        assert!(!answer.out.contains(secret) && !answer.err.contains(secret));
    }
}

#[test]
fn a_secret_given_twice_or_from_no_file_is_refused_without_showing_it() {
    let place = Place::new();
    let key = place.write("key", KEY);
    let twice = [
        ("POSTERN_SECURITY__INSTALLATION_KEY_FILE", &*key),
        ("POSTERN_SECURITY__INSTALLATION_KEY", KEY),
        ("POSTERN_DATABASE__URL_FILE", "/nowhere/url"),
    ];
    let answer = place.run(&["config", "check"], &twice);
    assert_eq!(answer.code, Some(3));
    assert!(answer.err.contains("stands beside POSTERN_SECURITY__INSTALLATION_KEY"), "{}", answer.err);
    assert!(answer.err.contains("POSTERN_DATABASE__URL_FILE names /nowhere/url"), "{}", answer.err);
    assert!(!answer.err.contains(KEY));
}

#[test]
fn postgresql_without_an_installation_key_says_how_to_make_one() {
    let answer = Place::new()
        .run(&["config", "check"], &[("POSTERN_DATABASE__URL", "postgres://gate:hunter2@db/postern")]);
    assert_eq!(answer.code, Some(3));
    assert!(answer.err.contains("openssl rand -base64 32"), "{}", answer.err);
    assert!(!answer.err.contains("hunter2"));
}

#[test]
fn a_fine_configuration_is_called_fine_and_a_wrong_command_line_is_not_a_configuration() {
    let place = Place::new();
    let fine = place.run(&["config", "check"], &[]);
    assert_eq!((fine.code, fine.out.contains("fine")), (Some(0), true), "{}", fine.err);
    assert_eq!(place.run(&["config", "chekc"], &[]).code, Some(2));
}
