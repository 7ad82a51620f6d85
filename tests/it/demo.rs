//! `postern demo` as somebody runs it: the binary, its story on standard output, the command lines that it hands out,
//! and what is left of it afterwards, which is nothing.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use postern::model::dns_answer::TxtAnswer;
use postern::outbound::dns::{DnsSettings, Resolver, TxtLookup as _};
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::leash::Leashed;
use crate::support::scratch::Scratch;

/// On a busy machine and without optimization the demo takes half a minute.
const PATIENCE: Duration = Duration::from_mins(3);

/// A demo that runs, with a folder of its own for temporary files.
struct Demo {
    process: Leashed,
    log: PathBuf,
    temporary: Scratch,
    _logs: Scratch,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let (temporary, logs) = (Scratch::new("demo-temporary"), Scratch::new("demo-log"));
        let log = logs.path().join("output");
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo "process $$"; exec "$0" demo "$@""#, env!("CARGO_BIN_EXE_postern")]);
        command.args(arguments).env("TMPDIR", temporary.path()).env_remove("POSTERN_LOG__LEVEL");
        let process = Leashed::spawn(&command, &log).expect("a process");
        Self { process, log, temporary, _logs: logs }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.log).expect("the output")
    }

    /// Waits until this was written.
    fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.output();
            if output.contains(text) {
                return output;
            }
            assert!(self.process.ended().is_none(), "ended before {text:?}:\n{output}");
            assert!(Instant::now() < deadline, "no {text:?} in\n{output}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let output = self.output();
        let process = output.lines().find_map(|line| line.strip_prefix("process ")).expect("its number");
        let sent = Command::new("kill").args([&format!("-{name}"), process]).status().expect("kill");
        assert!(sent.success(), "kill -{name} {process}");
    }

    /// Waits for the end; gives the exit code and everything that was written. Nothing may be left then.
    fn end(mut self, within: Duration) -> (Option<i32>, String) {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.process.ended() {
                break status;
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        };
        let output = self.output();
        let left: Vec<_> = fs::read_dir(self.temporary.path()).expect("the folder").collect();
        assert!(left.is_empty(), "left behind: {left:?}\n{output}");
        (status.code(), output)
    }
}

#[test]
fn the_story_is_told_to_its_end_and_nothing_is_left() {
    let (code, output) = Demo::start(&["--exit"]).end(PATIENCE);
    assert_eq!(code, Some(0), "{output}");
    let milestones = [
        "ok gateway at http://127.0.0.1:",
        "ok operator's key",
        "ok organization Acme",
        "ok acme.test is claimed",
        "name            _postern-challenge.acme.test",
        "no not verified: dns_no_such_name",
        "ok the record is put into DNS",
        "ok verified: acme.test belongs to Acme",
        "ok SAML connection from the IdP's metadata",
        "ok the connection is active",
        "ok just-in-time provisioning is on",
        "ok GET /login?email=ada.lovelace@acme.test leads to http://127.0.0.1:",
        "ok GET /api/v1/me: ada.lovelace@acme.test, member of Acme, by saml",
        "ok SCIM is on for acme.test",
        "ok 1,000 people created in ",
        "ok Acme has 1,001 members now",
        "adopted",
        "ok GET /api/v1/me: 200",
        "ok SCIM PATCH active=false",
        "no GET /api/v1/me: 401",
        "ok the member is deactivated",
        "no signing in again: 403",
        "sign_in.refused",
        "nothing is left behind",
    ];
    let mut rest = output.as_str();
    for milestone in milestones {
        let Some(at) = rest.find(milestone) else { panic!("no {milestone:?}, or too early, in\n{output}") };
        rest = &rest[at + milestone.len()..];
    }
    // The log goes there too, and nothing in the story is worth a warning.
    assert!(!output.contains("WARN") && !output.contains("ERROR"), "{output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_out_works_until_ctrl_c() {
    let mut demo = Demo::start(&[]);
    let output = demo.wait_for("TXT _postern-challenge.acme.test\n");
    let fact = |name: &str| {
        let line = output.lines().rev().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name:?} in\n{output}")).trim().to_owned()
    };

    let curl: Vec<&str> = output.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curl.len(), 5, "{output}");
    let answers: Vec<Value> = curl.iter().map(|line| pasted(line)).collect();
    assert_eq!(answers[0]["data"][0]["name"], json!("Acme"), "{}", answers[0]);
    assert_eq!(answers[1]["data"].as_array().map(Vec::len), Some(1), "{}", answers[1]);
    assert_eq!(answers[1]["data"][0]["email"], json!("alan.hopper@acme.test"), "{}", answers[1]);
    assert_eq!(answers[2]["Resources"][0]["userName"], json!("alan.hopper@acme.test"), "{}", answers[2]);
    assert_eq!(answers[3]["active"], json!(false), "{}", answers[3]);
    let kinds: Vec<_> = answers[4]["data"].as_array().expect("events").iter().map(|e| &e["kind"]).collect();
    assert!(kinds.contains(&&json!("directory_user.deactivated")), "{}", answers[4]);

    let dig = output.lines().map(str::trim).find(|line| line.starts_with("dig ")).expect("a dig line");
    let words: Vec<&str> = dig.split(' ').collect();
    let ["dig", "+short", "-p", port, address, "TXT", name] = words[..] else { panic!("{dig}") };
    let address = format!("{}:{port}", address.trim_start_matches('@')).parse().expect("an address");
    let settings = DnsSettings { nameservers: vec![address], timeout: Duration::from_secs(5) };
    let resolver = Resolver::new(&settings).expect("a resolver");
    let answer = resolver.txt(name).await;
    let TxtAnswer::Found(values) = &answer else { panic!("{answer:?}") };
    assert!(values.iter().any(|value| output.contains(value)), "{values:?}");

    let page = fact("sign-in page");
    for (email, account, status, expected) in [
        ("grace.hopper@acme.test", "acme-1001", 200, "You are signed in"),
        ("margaret.hamilton@acme.test", "acme-0002", 200, "You are signed in"),
        ("ada.lovelace@acme.test", "acme-0001", 403, "You were not signed in"),
    ] {
        let mut browser = Browser::new();
        let form = browser.open(&page).await;
        let idp = browser.submit(&form, &form.form_with("email").fill("email", email)).await;
        let answer = browser.submit(&idp, &idp.form_with("SAMLRequest").fill("person", account)).await;
        let end = browser.settle(answer).await;
        assert_eq!(end.status.as_u16(), status, "{email}: {end}");
        assert!(end.text().contains(expected), "{email}: {end}");
    }
    let documents = Browser::new().open(fact("API documents")).await;
    assert_eq!(documents.status.as_u16(), 200, "{documents}");

    demo.signal("INT");
    let (code, output) = demo.end(Duration::from_secs(15));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.trim_end().ends_with("nothing is left behind."), "{output}");
    let host = page.trim_start_matches("http://").split('/').next().expect("a host").to_owned();
    assert!(TcpStream::connect(&host).is_err(), "{host} still answers");
}

#[test]
fn a_demo_that_is_ended_early_leaves_nothing_either() {
    let mut demo = Demo::start(&["--exit"]);
    demo.wait_for("ok SCIM token made");
    demo.signal("TERM");
    let (code, output) = demo.end(Duration::from_secs(15));
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("nothing is left behind"), "{output}");
    assert!(!output.contains("people created"), "{output}");
}

/// Runs a line as a shell does; gives the JSON that it prints.
fn pasted(line: &str) -> Value {
    let done = Command::new("sh").args(["-c", line]).output().expect("a shell");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{line}\n{err}(curl comes with Debian's package of that name)");
    assert!(out.ends_with('\n'), "{line}\n{out}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error} in {out}"))
}
