//! The pages of codes: every code that any refusal can have is told, and `type` leads there.

use std::collections::BTreeSet;
use std::path::Path;

use postern::service::sign_in::codes::CODES;

use crate::support::app::{TestApp, text};

/// The codes that the sources give to errors, read from them: wherever an error is made with a code in words.
fn in_sources() -> BTreeSet<String> {
    const MAKERS: [&str; 10] = [
        "Error::conflict(",
        "Error::refused(",
        "Error::forbidden(",
        "Self::conflict(",
        "Unauthenticated {",
        "Forbidden {",
        "Refused {",
        "Conflict {",
        "Gone {",
        "Unavailable {",
    ];
    let mut found = BTreeSet::new();
    for layer in ["service", "http"] {
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer)) {
            let source = std::fs::read_to_string(&file).expect("a source");
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            let mut take = |rest: &str| {
                let rest = rest.trim_start();
                let rest = rest.strip_prefix("code:").map_or(rest, str::trim_start);
                let code = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                found.extend(code.filter(|code| is_code(code)).map(str::to_owned));
            };
            for maker in MAKERS {
                source.split(maker).skip(1).for_each(&mut take);
            }
            for made in source.split("Problem::new(").skip(1) {
                take(made.split_once(',').map_or("", |(_, rest)| rest));
            }
            // Codes that stand in a place of their own.
            for named in
                source.lines().filter_map(|line| line.split_once(": &str = \"").map(|(_, rest)| rest))
            {
                let code = named.split('"').next().unwrap_or_default();
                if named.starts_with("managed_by") || named.starts_with("domain_held") {
                    found.insert(code.to_owned());
                }
            }
        }
    }
    // Those of errors that need no code to be made.
    let plain = ["not_found", "invalid_request", "precondition_failed", "rate_limited", "internal_error"];
    found.extend(plain.map(str::to_owned));
    found
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn every_code_has_a_page() {
    let app = TestApp::builder().start().await;
    let mut codes = in_sources();
    assert!(codes.len() > 60 && codes.contains("slug_taken"), "the sources are read wrongly: {codes:?}");
    codes.extend(CODES.iter().map(|known| known.code.to_owned()));
    let index = app.get("/problems").send().await.expect(200);
    let mut missing = Vec::new();
    for code in &codes {
        let answer = app.get(&format!("/problems/{code}")).send().await;
        if answer.status != 200 || !index.body.contains(&format!("\"/problems/{code}\"")) {
            missing.push(code);
            continue;
        }
        assert!(answer.body.contains(&format!("<code>{code}</code>")), "{code}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
        assert!(!answer.body.contains("{field}") && !answer.body.contains("<script"), "{}", answer.body);
    }
    assert!(missing.is_empty(), "tell of these in http/payload/codes.rs: {missing:?}");
    let answer = app.get("/problems/no_such_code").send().await;
    assert_eq!(answer.status, 404, "{}", answer.body);
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let app = TestApp::builder().start().await;
    let problem = app.get("/api/v1/me").send().await.problem(401, "credential_missing");
    let path = text(&problem, "type").strip_prefix(&app.url).expect("an address of ours").to_owned();
    let page = app.get(&path).send().await.expect(200);
    assert!(page.body.contains("needs a credential"), "{}", page.body);
}

#[tokio::test]
async fn a_code_is_told_in_the_words_of_each_idp() {
    let app = TestApp::builder().start().await;
    let page = app.get("/problems/wrong_audience").send().await.expect(200).body;
    for words in
        ["Audience URI (SP Entity ID)", "Identifier (Entity ID)", "Relying party identifier", "Keycloak"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}
