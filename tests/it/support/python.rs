//! Test peers from PyPI, in a virtual environment below the target directory that is made once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// What a tester said of a server.
#[derive(Debug)]
pub struct ScimReport {
    /// Checks that passed.
    pub passed: usize,
    /// The other checks, each with its reason: they count as errors.
    pub failed: Vec<String>,
    /// All it printed.
    pub output: String,
}

/// Runs scim2-tester against the SCIM service at `base_url` with this bearer token. Takes many seconds.
///
/// # Panics
/// When Python or PyPI cannot be reached, or the tester ends without a verdict.
pub async fn scim_tester(base_url: &str, token: &str) -> ScimReport {
    let mut command = program("scim").await;
    command
        .args(["--url", base_url, "test", "--verbose"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {token}"));
    let output = command.output().await.expect("scim of scim2-cli");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut report = ScimReport { passed: 0, failed: Vec::new(), output: text.clone() };
    for line in text.lines() {
        let status = line.split_whitespace().next().unwrap_or_default();
        if status == "SUCCESS" {
            report.passed += 1;
        } else if line.starts_with("Error: ") {
            // It could not even discover the server.
            report.failed.push(line.to_owned());
        } else if !line.starts_with(' ') && status.len() > 2 && status.chars().all(|c| c.is_ascii_uppercase())
        {
            report.failed.push(line.to_owned());
        } else if let Some(last) = report.failed.last_mut()
            && line.starts_with("  ")
        {
            *last = format!("{last}: {}", line.trim());
        }
    }
    assert!(report.passed + report.failed.len() > 0, "scim2-tester gave no verdict: {text}");
    assert_eq!(output.status.success(), report.failed.is_empty(), "an unknown kind of verdict: {text}");
    report
}

/// Runs scim-sanity, strict as it is by default, against the SCIM service at `base_url` with this bearer token. Its
/// users are of example.com.
///
/// # Panics
/// When Python or PyPI cannot be reached, or the probe ends without a verdict.
pub async fn scim_sanity(base_url: &str, token: &str) -> ScimReport {
    let mut command = program("scim-sanity").await;
    command.args(["probe", base_url, "--token", token]);
    command.args(["--strict", "--json-output", "--i-accept-side-effects"]);
    let output = command.output().await.expect("scim-sanity");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let verdict: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("scim-sanity gave no verdict: {error}: {text}{errors}"));
    assert_eq!(verdict["mode"], "strict", "{text}");
    let mut report = ScimReport { passed: 0, failed: Vec::new(), output: String::new() };
    for result in verdict["results"].as_array().expect("the results") {
        let [name, status, message] = ["name", "status", "message"].map(|key| match &result[key] {
            Value::String(text) => text.as_str(),
            _ => "",
        });
        match status {
            "pass" => report.passed += 1,
            // What the gateway does not announce (agents) is not tried.
            "skip" => {}
            _ => report.failed.push(format!("{status}: {name}: {message}")),
        }
    }
    assert_eq!(output.status.success(), report.failed.is_empty(), "an unknown kind of verdict: {text}");
    report.output = text;
    report
}

/// Runs a script of `tests/fixtures` with these arguments and gives the JSON that it prints.
///
/// # Panics
/// With all that the script says of it, when it fails.
pub async fn script(name: &str, arguments: &[&str]) -> Value {
    let mut command = program("python").await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let output = command.arg(path).args(arguments).output().await.expect("python");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}: {text}{errors}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}{errors}"))
}

/// A program of the environment, which reaches this machine without a proxy and ends with its handle.
async fn program(name: &str) -> tokio::process::Command {
    let venv = tokio::task::spawn_blocking(venv).await.expect("the environment");
    let mut command = tokio::process::Command::new(venv.join("bin").join(name));
    command.env("NO_COLOR", "1").env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The virtual environment, made by the first who asks.
pub fn venv() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let output = Command::new("sh")
        .arg(root.join("tests/it/support/python.sh"))
        .arg(target)
        .arg(root.join("tests/fixtures/python-requirements.txt"))
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no Python environment (python3-venv and PyPI are needed): {errors}");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end())
}
