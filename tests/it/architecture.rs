//! The rules of the house, read from the sources: which layer may use which, which crate is at home
//! where, no clock and no chance out of the air, files of a size to be read. Each rule is also tried on
//! a sample that breaks it, so that none can go blind unnoticed.

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LONGEST: usize = 600;

/// A layer and what it may use besides itself; a name may be narrowed to a path within that layer.
const MAY_USE: &[(&str, &[&str])] = &[
    ("link", &[]),
    ("model", &[]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("protocol", &["model"]),
    ("store", &["model", "protocol::scim::filter"]),
    // The verifier processes stand in for an engine of protocol/saml.
    ("outbound", &["model", "protocol::saml"]),
    ("service", &["protocol", "store", "outbound", "model"]),
    ("http", &["service", "protocol", "outbound", "model"]),
    ("http/server", &["service", "protocol", "outbound", "model", "config"]),
    ("app", &["http", "service", "protocol", "store", "outbound", "model", "config", "telemetry"]),
    ("demo", &["app", "http", "service", "protocol", "outbound", "model", "config", "telemetry"]),
    ("cli", &["demo", "app", "http", "service", "protocol", "outbound", "model", "config", "telemetry"]),
    ("cli/migrate", &["app", "store", "model", "config"]),
    ("cli/doctor", &["app", "service", "protocol", "store", "outbound", "model", "config"]),
];

/// A crate and the places where it may be named.
const AT_HOME: &[(&str, &[&str])] = &[
    ("poem", &["http", "demo"]),
    // In `model` for derives on values only, as sea_orm is.
    ("poem_openapi", &["http", "demo", "model"]),
    ("sea_orm", &["store", "model"]),
    ("sea_orm_migration", &["store"]),
    ("sqlx", &["store"]),
    ("hickory_resolver", &["outbound/dns", "demo/dns"]),
    ("hickory_proto", &["outbound/dns", "demo/dns"]),
    ("hickory_server", &["demo/dns"]),
    ("reqwest", &["outbound", "demo"]),
    ("landlock", &["outbound/verifier"]),
    ("seccompiler", &["outbound/verifier"]),
    ("nix", &["outbound/verifier"]),
    ("libc", &["outbound/verifier"]),
    ("samael", &["protocol/saml", "demo/idp"]),
    ("clap", &["cli"]),
    ("figment", &["config"]),
    ("tracing_subscriber", &["telemetry"]),
];

/// What comes out of the air, and the places where it is caught.
const AMBIENT: &[(&str, &[&str])] = &[
    ("now_utc(", &["model/time"]),
    ("now_local(", &[]),
    ("SystemTime::now(", &["model/time"]),
    ("Utc::now(", &[]),
    ("now_v7(", &[]),
    ("new_v4(", &["model/id", "model/random"]),
    ("rand::rng(", &["model/random"]),
    ("env::var", &["config"]),
];

/// What lets a person in, and the places where it is done: each asks `service/enforcement` for a permit, or has the word
/// of an IdP or of a directory.
const WAYS_IN: &[(&str, &[&str])] = &[
    ("store::sessions::insert(", &["service/sessions"]),
    ("entries::enter(", &["service/sign_in/known"]),
    ("InviteStatus::Accepted", &["service/invites", "service/sign_in/person", "service/provisioning/person"]),
    ("Permit(())", &["service/enforcement/mod"]),
    ("Permit::by_assertion(", &["service/sign_in"]),
    ("Permit::of_no_person(", &["service/credentials", "service/access"]),
];

/// Whether `path` (as `store/users.rs`) lies at `place`: the file of that name or anything in its folder.
fn lies_in(path: &str, place: &str) -> bool {
    let path = path.trim_end_matches(".rs");
    path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// Everything wrong with one file of `src`; `path` is relative to it.
fn violations(path: &str, text: &str) -> Vec<String> {
    let mut found = form(text);
    let code = bare(text);
    let layer = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
    if !matches!(path, "lib.rs" | "main.rs") {
        match MAY_USE.iter().rev().find(|(place, _)| lies_in(path, place)) {
            None => found.push(format!("the layer {layer} stands in no rule; add it to MAY_USE")),
            Some((_, allowed)) => {
                for used in paths_in_crate(&code) {
                    let inside = |place: &str| used == place || used.starts_with(&format!("{place}::"));
                    if !inside(layer) && !allowed.iter().any(|place| inside(place)) {
                        found.push(format!("{layer} must not use crate::{used}"));
                    }
                }
            }
        }
        if climbs_out(path, text) {
            found.push("leaves its layer by `super`; write crate:: so that the direction shows".to_owned());
        }
    }
    for (name, homes) in AT_HOME {
        if names_crate(&code, name) && !homes.iter().any(|home| lies_in(path, home)) {
            found.push(format!("{name} may be named in {} only", homes.join(", ")));
        }
    }
    for (what, homes) in AMBIENT {
        if code.contains(what) && !homes.iter().any(|home| lies_in(path, home)) {
            found.push(format!("{what} takes from the air what must be given"));
        }
    }
    for (what, homes) in WAYS_IN {
        if code.contains(what) && !homes.iter().any(|home| lies_in(path, home)) {
            found.push(format!("{what} lets somebody in past service/enforcement"));
        }
    }
    if layer == "protocol" {
        for what in ["async ", ".await", "tokio::", "std::fs", "std::net", "Instant::now("] {
            if code.contains(what) {
                found.push(format!("a protocol engine does no I/O and does not wait, yet has {what:?}"));
            }
        }
    }
    found
}

/// The rules for the form of any file.
fn form(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let first = text.lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_none_or(|words| words.trim().is_empty()) {
        found.push("must begin with `//!` and what the file is for".to_owned());
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        found.push(format!("has {lines} lines, more than {LONGEST}"));
    }
    found
}

/// The code without comments and without what stands in string literals.
fn bare(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if let Some(quotes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(quotes));
            let body = &rest[quotes + 2..];
            rest = body.find(&end).map_or("", |at| &body[at + end.len()..]);
            code.push_str("\"\"");
        } else if next == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|character| {
                let closes = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                closes
            });
            rest = end.map_or("", |at| &rest[at + 2..]);
            code.push_str("\"\"");
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest = &rest[if rest.starts_with("'\"'") { 3 } else { 4 }..];
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    code
}

/// The number of `#` if a raw string begins here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let quotes = hashes.len() - hashes.trim_start_matches('#').len();
    hashes[quotes..].starts_with('"').then_some(quotes)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every path behind `crate::`, braces opened: `crate::{a, b::{c, d}}` gives a, b::c, b::d.
fn paths_in_crate(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_word) {
            open(&code[at + "crate::".len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one path or one group in braces; returns what is behind it.
fn open<'a>(text: &'a str, before: &str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = open(inner, before, paths).trim_start();
            match inner.strip_prefix(',') {
                Some(next) if !next.trim_start().starts_with('}') => inner = next,
                Some(next) => break next.trim_start().strip_prefix('}').unwrap_or(next),
                None => break inner.strip_prefix('}').unwrap_or(inner),
            }
        }
    } else {
        let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let path = if before.is_empty() { word.to_owned() } else { format!("{before}::{word}") };
        match rest.strip_prefix("::") {
            Some(rest) if rest.starts_with(is_word) || rest.starts_with('{') => open(rest, &path, paths),
            Some(rest) => {
                paths.push(path);
                rest.strip_prefix('*').unwrap_or(rest)
            }
            None => {
                paths.push(path);
                let renamed = rest.trim_start().strip_prefix("as ");
                renamed.map_or(rest, |rest| rest.trim_start().trim_start_matches(is_word))
            }
        }
    }
}

/// Whether `name::` is used as the start of a path, or named by `use name;`.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let starts = !before.ends_with(is_word)
            && (!before.ends_with("::") || before.ends_with(" ::") || before.ends_with("<::"));
        starts && (after.starts_with("::") || (before.ends_with("use ") && after.starts_with([';', ' '])))
    })
}

/// Whether a chain of `super::` reaches the root of the crate. An inline module is one step deeper than
/// its file; it is told by its indentation, which rustfmt keeps.
fn climbs_out(path: &str, text: &str) -> bool {
    let folders = path.matches('/').count();
    let depth = folders + usize::from(!path.ends_with("mod.rs"));
    text.lines().any(|line| {
        let inline = usize::from(line.starts_with([' ', '\t']));
        let code = line.split("//").next().unwrap_or_default();
        (depth + inline..depth + inline + 4).any(|steps| steps > 0 && code.contains(&"super::".repeat(steps)))
    })
}

/// Every Rust file below `folder` of the repository, as (path from the repository, text).
pub fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no sources below {folder}");
    files
}

#[test]
fn the_sources_keep_the_rules() {
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        let within = path.strip_prefix("src/").unwrap();
        found.extend(violations(within, &text).into_iter().map(|what| format!("{path}: {what}")));
    }
    for (path, text) in sources("tests").into_iter().chain(sources("migrations/src")) {
        found.extend(form(&text).into_iter().map(|what| format!("{path}: {what}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_rule_sees_what_breaks_it() {
    let long = format!("//! Long.\n{}", "\n".repeat(600));
    let broken: &[(&str, &str, &str)] = &[
        ("model/user.rs", "//! U.\nuse crate::service::Ctx;", "model must not use crate::service::Ctx"),
        ("protocol/scim/mod.rs", "//! P.\nuse crate::{model::Role, store};", "must not use crate::store"),
        (
            "store/users.rs",
            "//! S.\nuse crate::protocol::{scim::{filter::F, patch}};",
            "crate::protocol::scim::patch",
        ),
        ("service/users.rs", "//! S.\nfn f() { crate::http::go() }", "service must not use crate::http::go"),
        ("http/api/users.rs", "//! H.\nuse crate::store::users;", "http must not use crate::store::users"),
        (
            "http/api/users.rs",
            "//! H.\nuse crate::config::Config;",
            "http must not use crate::config::Config",
        ),
        ("cli/serve.rs", "//! C.\nuse crate::store::Db;", "cli must not use crate::store::Db"),
        ("worker/mod.rs", "//! W.", "stands in no rule"),
        ("store/mod.rs", "//! S.\nuse super::service;", "leaves its layer"),
        ("store/users.rs", "//! S.\nuse super::super::service;", "leaves its layer"),
        ("service/users.rs", "//! S.\nuse poem::Request;", "poem may be named in http"),
        ("service/users.rs", "//! S.\nfn f() -> Result<(), sea_orm::DbErr> {}", "sea_orm may be named in"),
        ("http/mod.rs", "//! H.\nuse samael::idp;", "samael may be named in"),
        ("outbound/web.rs", "//! W.\nuse hickory_resolver::Resolver;", "hickory_resolver may be named in"),
        ("cli/health.rs", "//! H.\nuse reqwest::Client;", "reqwest may be named in"),
        ("service/users.rs", "//! S.\nfn f() { OffsetDateTime::now_utc() }", "from the air"),
        ("service/users.rs", "//! S.\nfn f() { std::env::vars() }", "from the air"),
        (
            "service/passwords.rs",
            "//! P.\nfn f() { store::sessions::insert(tx) }",
            "past service/enforcement",
        ),
        ("protocol/saml/mod.rs", "//! S.\npub async fn f() {}", "a protocol engine"),
        ("model/user.rs", "use std::fmt;", "must begin with"),
        ("model/user.rs", "//!\nuse std::fmt;", "must begin with"),
        ("model/user.rs", &long, "has 601 lines"),
    ];
    for (path, text, expected) in broken {
        let found = violations(path, text).join("\n");
        assert!(found.contains(expected), "{path}: {text:?} should give {expected:?}, gave {found:?}");
    }
}

#[test]
fn what_the_rules_allow_passes() {
    let fine: &[(&str, &str)] = &[
        (
            "model/user.rs",
            "//! U.\n// use poem::Request;\nconst A: &str = \"crate::http now_utc( \\\" poem::X\";",
        ),
        (
            "store/users.rs",
            "//! S.\nuse crate::{model::{Role, User}, protocol::scim::filter::Filter};\nuse sea_orm::X;",
        ),
        ("store/users.rs", "//! S.\nuse super::Db;\nmod tests {\n    use super::super::Db;\n}"),
        ("http/server.rs", "//! S.\nuse crate::config::Config;\nuse poem::Server;"),
        ("http/server/tls.rs", "//! S.\nuse crate::config::http::Tls;"),
        ("cli/migrate.rs", "//! M.\nuse crate::store::migrate;"),
        ("model/time.rs", "//! T.\nfn f() { OffsetDateTime::now_utc(); }"),
        ("protocol/scim/filter.rs", "//! F.\nfn f() { let q = '\"'; crate::model::x(r#\"crate::http\"#); }"),
        (
            "service/a.rs",
            "//! A.\nuse crate::{\n    model::*,\n    store::{\n        users as u,\n        Db,\n    },\n};\nstruct Mypoem;",
        ),
    ];
    for (path, text) in fine {
        assert_eq!(violations(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

/// The bans of `.config/deny.toml` that need no tool: what is really compiled here. (Of what only other platforms compile,
/// a machine that has just built this has nothing.)
#[test]
fn one_crypto_library_and_one_registry() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--edges=normal,build"])
        .args(["--prefix=none", "--no-dedupe", "--format={p}"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.lines().any(|line| line.starts_with("openssl ")), "{tree}");
    for banned in ["rustls", "ring", "aws-lc-rs", "aws-lc-sys", "rsa"] {
        let hit = tree.lines().find(|line| line.split(' ').next() == Some(banned));
        assert_eq!(hit, None, "banned by .config/deny.toml");
    }
    let lock = std::fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let foreign: Vec<&str> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .filter(|line| !line.contains("registry+https://github.com/rust-lang/crates.io-index"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// The fields of the typed sections under `src/config`, as (section, field).
fn settings(files: &[(String, String)]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (path, text) in files {
        let section = path.rsplit('/').next().unwrap().trim_end_matches(".rs");
        if matches!(section, "problems" | "layers" | "environment" | "public_url" | "tests") {
            continue;
        }
        for line in text.lines() {
            if let Some((name, _)) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(": "))
                && name.chars().all(is_word)
            {
                fields.push((section.to_owned(), name.to_owned()));
            }
        }
    }
    fields
}

/// Whether the code reads a field of this name of anything.
fn reads(code: &str, field: &str) -> bool {
    code.match_indices(&format!(".{field}")).any(|(at, hit)| {
        let after = &code[at + hit.len()..];
        !after.starts_with('(') && !after.starts_with(is_word)
    })
}

/// A setting that nothing reads is a promise of the manual that nobody keeps.
#[test]
fn every_setting_is_read() {
    let (own, other): (Vec<_>, Vec<_>) =
        sources("src").into_iter().partition(|(path, _)| path.starts_with("src/config/"));
    let code: String = other.iter().map(|(_, text)| bare(text)).collect();
    let fields = settings(&own);
    assert!(fields.len() > 30, "{fields:?}");
    let unread: Vec<_> = fields.iter().filter(|(_, field)| !reads(&code, field)).collect();
    assert!(unread.is_empty(), "no code outside src/config reads {unread:?}");
    assert!(reads("config.http.listen)", "listen") && !reads("config.http.listen_on", "listen"));
}
