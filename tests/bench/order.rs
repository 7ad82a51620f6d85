//! `make order`: finds out which functions run while the gateway starts, idles and answers the usual requests, and
//! writes them into the linker script that lays them side by side (see `src/link/build.rs`).
//!
//! Functions are named as the compiler mangles them, shortened where that takes few others with them. The instances of a
//! generic function differ by a hash alone; where only some of them run they are named with it, and then once more
//! without it, so that the list is still of use to a compiler that makes other hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use postern::demo::dns::NameServer;

use super::installation::{Installation, PROGRAM};
use super::load::run as load;
use super::scim::{Mix, scripts};
use super::sign_in;
use super::tenant::Tenant;

/// The first argument that asks for this instead of a measurement.
pub const ORDER: &str = "order";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/link/order.ld");
/// Long enough for every job that repeats within seconds to come round.
const WATCHED: Duration = Duration::from_secs(3);
/// Of each form of a signed response.
const RESPONSES: usize = 3;
/// How many bytes of functions that are not wanted a pattern is worth.
const WORTH: u64 = 1024;

/// Watches the installations and writes the script.
pub async fn run(installations: &[&Installation], names: &NameServer) -> anyhow::Result<()> {
    let mut start = BTreeSet::new();
    for installation in installations {
        eprintln!("Watching the start on {}", installation.name);
        let (serving, _) = installation.start_under(&watcher(installation)).await?;
        tokio::time::sleep(WATCHED).await;
        drop(serving);
        collect(&calls(installation), &mut start)?;
    }
    let mut usual = BTreeSet::new();
    for installation in installations {
        eprintln!("Watching requests on {}", installation.name);
        let (serving, _) = installation.start_under(&watcher(installation)).await?;
        let tenant = Tenant::set_up(installation, names).await?;
        load(tenant.address, scripts(&tenant, Mix::Both), WATCHED).await?;
        sign_in::first_time(&tenant).await?;
        for (signed, _) in sign_in::FORMS {
            let requests = sign_in::prepare(&tenant, signed, RESPONSES).await?;
            sign_in::post(&tenant, requests).await?;
        }
        drop(serving);
        collect(&calls(installation), &mut usual)?;
    }
    let usual: BTreeSet<_> = usual.difference(&start).cloned().collect();
    std::fs::write(SCRIPT, script(&start, &usual)?).context(SCRIPT)?;
    Ok(())
}

fn calls(installation: &Installation) -> std::path::PathBuf {
    installation.folder().join("calls")
}

fn watcher(installation: &Installation) -> Vec<String> {
    let file = calls(installation);
    vec![
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--demangle=no".to_owned(),
        format!("--callgrind-out-file={}", file.display()),
    ]
}

/// Reads from what callgrind wrote which functions of the binary ran. (Its format: an `ob=` line names the object that
/// the following lines are about, an `fn=` line the function; a name is written once and a number stands for it from
/// then on, also where the name first came as a callee's, in `cob=` and `cfn=`.)
fn collect(file: &Path, functions: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let program = Path::new(PROGRAM).canonicalize()?;
    let (mut objects, mut names) = (HashMap::new(), HashMap::new());
    let mut ours = false;
    for line in text.lines() {
        let Some((key, value)) = line.split_once("=(") else { continue };
        let (id, name) = value.split_once(')').context("a name without a number")?;
        let known = match key {
            "ob" | "cob" => &mut objects,
            "fn" | "cfn" => &mut names,
            _ => continue,
        };
        if let Some(name) = name.strip_prefix(' ') {
            known.insert(id, name);
        }
        let name = *known.get(id).context("a number without a name")?;
        match key {
            // It does not know whose the sections are that the script itself has made.
            "ob" => {
                ours = name == "???" || Path::new(name).canonicalize().is_ok_and(|object| object == program);
            }
            "fn" if ours => functions.extend(plain(name)),
            _ => {}
        }
    }
    Ok(())
}

/// The name without what the optimizer appends to a part's own functions, and callgrind's count of a recursion; `None`
/// for what has no name.
fn plain(name: &str) -> Option<String> {
    let name = name.split('\'').next().unwrap_or(name);
    let name = name.split(".llvm.").next().unwrap_or(name);
    (!name.starts_with("0x") && !name.contains([' ', '?'])).then(|| name.to_owned())
}

/// All functions of the binary with their sizes in bytes, by `nm`.
fn functions() -> anyhow::Result<BTreeMap<String, u64>> {
    let output =
        Command::new("nm").args(["--print-size", "--defined-only", PROGRAM]).output().context("nm")?;
    let mut sizes = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let [_, size, kind, name] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        if let ("t" | "T" | "w" | "W", Some(name)) = (kind, plain(name)) {
            *sizes.entry(name).or_default() += u64::from_str_radix(size, 16)?;
        }
    }
    Ok(sizes)
}

/// Patterns that match the functions wanted, with as few bytes of others and as few patterns as [`WORTH`] makes of it,
/// and their price: the bytes that they match, and the worth of each pattern. `all` share their first `depth` bytes.
fn patterns(all: &[(&str, u64)], wanted: &BTreeSet<String>, depth: usize) -> (u64, Vec<String>) {
    if !all.iter().any(|(name, _)| wanted.contains(*name)) {
        return (0, Vec::new());
    }
    let whole = all.iter().map(|(_, size)| size).sum::<u64>() + WORTH;
    let first = all[0].0;
    if all.len() == 1 {
        return (whole, vec![format!("{}*", &first[..depth])]);
    }
    let (mut price, mut parts) = (0, Vec::new());
    for part in all.chunk_by(|(a, _), (b, _)| a.as_bytes().get(depth) == b.as_bytes().get(depth)) {
        let (name, size) = part[0];
        // A name that ends here is a part of its own.
        let (more, patterns) = match (name.len() == depth, wanted.contains(name)) {
            (true, true) => (size + WORTH, vec![name.to_owned()]),
            (true, false) => (0, Vec::new()),
            (false, _) => patterns(part, wanted, depth + 1),
        };
        price += more;
        parts.extend(patterns);
    }
    if whole <= price { (whole, vec![format!("{}*", &first[..depth])]) } else { (price, parts) }
}

/// The pattern without the hash at its end, if it has that or a part of it.
fn unhashed(pattern: &str) -> Option<String> {
    let (name, hash) = pattern.rsplit_once("17h").filter(|_| pattern.starts_with("_ZN"))?;
    let is_hash = hash.trim_end_matches(['E', '*']).bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && hash.len() > 1).then(|| format!("{name}17h*"))
}

fn script(start: &BTreeSet<String>, usual: &BTreeSet<String>) -> anyhow::Result<String> {
    let functions = functions()?;
    let all: Vec<_> = functions.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let mut script = "/* Written by `make order`: what runs while the gateway starts and idles, then what else runs in\n   \
                      usual requests, then whatever has names like these. See src/link/build.rs. */\n\
                      SECTIONS {\n"
        .to_owned();
    let (_, start) = patterns(&all, start, 0);
    let (_, usual) = patterns(&all, usual, 0);
    let alike: BTreeSet<_> = start.iter().filter_map(|pattern| unhashed(pattern)).collect();
    let alike: Vec<_> = alike.into_iter().collect();
    for (section, patterns) in [("start", start), ("usual", usual), ("alike", alike)] {
        eprintln!("{section}: {} patterns", patterns.len());
        writeln!(script, "  .text.postern.{section} : {{")?;
        for pattern in patterns {
            writeln!(script, "    *(.text.{pattern})")?;
        }
        writeln!(script, "  }}")?;
    }
    writeln!(script, "}}\nINSERT BEFORE .text;")?;
    Ok(script)
}
