//! The Dockerfile without an engine to build it: every path it names exists, nothing it copies is kept
//! out by `.dockerignore`, every setting it sets is one, and the process is not root.

use std::collections::BTreeMap;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An instruction with its words, continued lines joined, comments left out.
struct Instruction {
    stage: usize,
    name: String,
    words: Vec<String>,
}

fn instructions(text: &str) -> Vec<Instruction> {
    let joined: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| match line.strip_suffix('\\') {
            Some(head) => [head, " "],
            None => [line, "\n"],
        })
        .collect();
    let mut stage = 0;
    joined
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let name = words.next()?;
            stage += usize::from(name == "FROM");
            Some(Instruction { stage, name, words: words.collect() })
        })
        .collect()
}

/// What is wrong with a Dockerfile, given `exists` for the sources and the text of `.dockerignore`.
fn faults(text: &str, ignore: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let all = instructions(text);
    let mut faults = Vec::new();
    let stages: Vec<&str> = all
        .iter()
        .filter(|one| one.name == "FROM")
        .filter_map(|one| one.words.iter().position(|word| word == "AS").map(|at| &*one.words[at + 1]))
        .collect();
    for copy in all.iter().filter(|one| one.name == "COPY") {
        let from = copy.words.iter().find_map(|word| word.strip_prefix("--from="));
        let paths: Vec<&String> = copy.words.iter().filter(|word| !word.starts_with("--")).collect();
        let sources = &paths[..paths.len().saturating_sub(1)];
        if let Some(stage) = from {
            if !stages.contains(&stage) {
                faults.push(format!("COPY from unknown stage {stage}"));
            }
            if sources.iter().any(|source| !source.ends_with("/target/release/postern")) {
                faults.push("COPY of something that cargo does not build".to_owned());
            }
            continue;
        }
        for source in sources {
            let top = source.split('/').next().unwrap_or(source);
            if !exists(source) {
                faults.push(format!("COPY names {source}, which does not exist"));
            }
            if ignore.lines().any(|line| line == "*") && !ignore.lines().any(|line| line == format!("!{top}"))
            {
                faults.push(format!("COPY names {source}, which .dockerignore keeps out"));
            }
        }
    }
    let last = all.iter().map(|one| one.stage).max().unwrap_or(0);
    let mut counts = BTreeMap::new();
    for one in all.iter().filter(|one| one.stage == last) {
        counts.entry(&*one.name).or_insert(one);
        if one.name == "USER"
            && one.words.iter().any(|user| user.starts_with("root") || user.starts_with('0'))
        {
            faults.push("USER is root".to_owned());
        }
        if one.words.iter().any(|word| word == "curl" || word == "wget") {
            faults.push("the image carries a download tool".to_owned());
        }
    }
    for needed in ["USER", "HEALTHCHECK", "ENTRYPOINT", "EXPOSE"] {
        if !counts.contains_key(needed) {
            faults.push(format!("{needed} is missing"));
        }
    }
    faults
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

#[test]
fn every_path_it_names_exists() {
    let faults =
        faults(&read("Dockerfile"), &read(".dockerignore"), |path| Path::new(ROOT).join(path).exists());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_bad_one_is_found_out() {
    let bad = "FROM rust AS build\nCOPY nowhere \\\n  src ./\nFROM debian\nCOPY --from=biuld /b/target/release/postern /\nUSER root\nRUN apt-get install curl\n";
    let faults = faults(bad, "*\n!nowhere\n", |path| path == "src");
    assert_eq!(
        faults,
        [
            "COPY names nowhere, which does not exist",
            "COPY names src, which .dockerignore keeps out",
            "COPY from unknown stage biuld",
            "USER is root",
            "the image carries a download tool",
            "HEALTHCHECK is missing",
            "ENTRYPOINT is missing",
            "EXPOSE is missing",
        ]
    );
}

/// Its `ENV` lines are read by the binary as any other settings; a misspelt one would end the container.
#[test]
fn the_settings_it_makes_are_accepted() {
    let text = read("Dockerfile");
    let variables: Vec<(String, String)> = instructions(&text)
        .into_iter()
        .filter(|one| one.name == "ENV")
        .flat_map(|one| one.words)
        .filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    assert!(!variables.is_empty());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["config", "check"])
        .env_clear()
        .envs(variables)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The crate's build script or `include_*!` may read files that the image's build does not copy.
#[test]
fn what_the_sources_include_is_copied() {
    let copied: Vec<String> = instructions(&read("Dockerfile"))
        .into_iter()
        .filter(|one| one.name == "COPY" && one.stage == 1)
        .flat_map(|one| one.words)
        .collect();
    for (path, text) in super::architecture::sources("src") {
        for (at, _) in
            text.match_indices("include_str!(\"../").chain(text.match_indices("include_bytes!(\"../"))
        {
            let target = text[at..].split('"').nth(1).unwrap();
            let folder = Path::new(&path).parent().unwrap();
            let mut parts: Vec<&str> = folder.to_str().unwrap().split('/').collect();
            for part in target.split('/') {
                if part == ".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            assert!(copied.iter().any(|word| word == parts[0]), "{path} includes {target}, not copied");
        }
    }
}
