//! The processes that verify signatures: what they may not do, and that the gate stands whatever becomes of them.

use super::{Person, Tenant, refused};
use crate::support::app::TestApp;
use crate::support::scratch::Scratch;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A program that notes its process id and goes on as `postern verifier`, so that the test knows whom to look at.
struct Noted {
    folder: Scratch,
}

impl Noted {
    fn new(then: &str) -> Self {
        let folder = Scratch::new("verifier");
        let pids = folder.path().join("pids");
        let script = format!("#!/bin/sh\necho $$ >> {}\n{then}\n", pids.display());
        let program = folder.write("program", script);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a mode");
        Self { folder }
    }

    fn postern() -> Self {
        Self::new(&format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_postern")))
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// The processes so far, in order.
    fn pids(&self) -> Vec<u32> {
        let noted = std::fs::read_to_string(self.folder.path().join("pids")).unwrap_or_default();
        noted.lines().map(|line| line.parse().expect("a process id")).collect()
    }
}

fn signal(which: &str, pid: u32) {
    let sent = Command::new("kill").args([which, &pid.to_string()]).status().expect("kill");
    assert!(sent.success(), "{which} {pid}");
}

fn of_process(pid: u32, what: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{what}")).expect("a process that lives")
}

/// The value behind a name at the beginning of a line.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {text}")).trim()
}

#[tokio::test]
async fn a_verifier_process_has_no_rights_no_secrets_and_little_room() {
    let noted = Noted::postern();
    let app = TestApp::builder().verifier(noted.program(), Duration::from_secs(20)).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    assert!(noted.pids().is_empty(), "none before it is needed");
    Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await.expect(303);
    Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await.expect(303);
    let [pid] = noted.pids()[..] else { panic!("{:?}", noted.pids()) };
    let status = of_process(pid, "status");
    assert_eq!(value(&status, "Threads:"), "1");
    assert_eq!((value(&status, "NoNewPrivs:"), value(&status, "Seccomp:")), ("1", "2"), "{status}");
    // The script in front of it says where it stands.
    assert_eq!(of_process(pid, "environ").trim_start_matches("PWD=/\0"), "");
    let limits = of_process(pid, "limits");
    for (name, most) in [
        ("Max open files", "0"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max data size", "268435456"),
        ("Max cpu time", "120"),
    ] {
        let found: Vec<&str> = value(&limits, name).split_whitespace().take(2).collect();
        assert_eq!(found, [most, most], "{name}");
    }
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten();
    let open: BTreeSet<String> =
        open.map(|fd| std::fs::read_link(fd.path()).expect("a link").display().to_string()).collect();
    let other: Vec<&String> =
        open.iter().filter(|at| *at != "/dev/null" && !at.starts_with("socket:")).collect();
    assert!(other.is_empty() && open.len() <= 2, "{open:?}");
}

#[tokio::test]
async fn a_verifier_process_that_died_is_replaced_unnoticed() {
    let noted = Noted::postern();
    let app = TestApp::builder().verifier(noted.program(), Duration::from_secs(20)).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    for round in 0..3 {
        Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await.expect(303);
        let pids = noted.pids();
        assert_eq!(pids.len(), round + 1);
        signal("-KILL", pids[round]);
    }
}

#[tokio::test]
async fn a_verifier_process_that_hangs_is_killed_and_only_its_own_sign_in_refused() {
    let noted = Noted::postern();
    let app = TestApp::builder().verifier(noted.program(), Duration::from_millis(300)).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await.expect(303);
    let hung = noted.pids()[0];
    signal("-STOP", hung);
    let answer = Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await;
    refused(&answer, "verifier_refused");
    assert!(!std::path::Path::new(&format!("/proc/{hung}")).exists(), "it is gone, and buried");
    Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await.expect(303);
    assert_eq!(noted.pids().len(), 2);
}

#[tokio::test]
async fn one_that_dies_of_the_document_refuses_it_and_what_it_says_is_not_believed() {
    // Ready, and then: nothing more; or a yes to bytes that nobody signed.
    let ready = r"printf '\001\004\000\000\000none' >&0";
    let lie = r"head -c 8 >/dev/null; printf '\001\004\000\000\000<a/>' >&0; exec cat >/dev/null";
    for then in [format!("{ready}; head -c 8 >/dev/null"), format!("{ready}; {lie}")] {
        let noted = Noted::new(&then);
        let app = TestApp::builder().verifier(noted.program(), Duration::from_secs(20)).start().await;
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let answer = Person::new().sign_in(&app, &acme, "s1", "jo@acme.test").await;
        refused(&answer, "verifier_refused");
        assert_eq!(acme.members(&app).await, 0);
    }
}

#[tokio::test]
async fn without_verifier_processes_nobody_gets_in_and_everything_else_works() {
    let noted = Noted::new("exit 1");
    let app = TestApp::builder().verifier(noted.program(), Duration::from_secs(20)).start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let mut jo = Person::new();
    let begun = jo.begin(&app, "jo@acme.test").await;
    let spec = acme.response(&app, &begun, "s1", "jo@acme.test");
    let answer = jo.post(&app, &acme, &acme.sign(&spec)).await.expect(503);
    assert!(answer.body.contains("verifier_unavailable"), "{}", answer.body);
    assert_eq!(jo.session, None);
    app.get(&acme.api("/members")).operator().send().await.expect(200);
}
