//! Test peers from PyPI, in a virtual environment below the target directory that is made once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What scim2-tester said of a server.
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
    let venv = tokio::task::spawn_blocking(venv).await.expect("the environment");
    let mut command = tokio::process::Command::new(venv.join("bin/scim"));
    command
        .args(["--url", base_url, "test", "--verbose"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {token}"))
        .env("NO_COLOR", "1")
        .env("PYTHONUTF8", "1")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .stdin(Stdio::null())
        .kill_on_drop(true);
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

/// The virtual environment, made by the first who asks.
fn venv() -> PathBuf {
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
