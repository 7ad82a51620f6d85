//! Whether a request costs the same however many users there are: installations that differ only in how many users
//! their directory holds, side by side round after round, each filled through the SCIM door.
//!
//! A filled database is vacuumed and analyzed at once, as autovacuum would within its next minute; otherwise that
//! would happen in the middle of some figure.

use postern::demo::dns::NameServer;

use super::cpu::postmaster;
use super::daily::OPERATIONS;
use super::directory::{Directory, LONG};
use super::installation::Installation;
use super::load::CONCURRENCY;
use super::postgres::Cluster;
use super::rounds::{Parts, execute};
use super::subject::{Figure, Subject};
use super::table::{Samples, Table, Target, short};
use super::walk::{By, PAGE, Walk};

/// Fewer than elsewhere: each request comes thousands of times in one.
const ROUNDS: usize = 3;
/// The directory that the costs are asked of.
const USUAL: usize = 10_000;
const SMALL: usize = 1_000;
/// Very many users: on PostgreSQL, and on SQLite, where they take longer to come.
const LARGE: [usize; 2] = [100_000, 20_000];
/// The groups whose members are compared.
const GROUPS: [usize; 2] = [100, 10_000];
/// Jumps of each connection.
const JUMPS: usize = 25;

/// Figures of one directory.
#[derive(Default)]
struct Measured {
    users: usize,
    operations: [Figure; OPERATIONS.len()],
    by_index: Figure,
    by_cursor: Figure,
    jumps: Figure,
    /// Resident MiB after as many requests as the largest directory has seen when it is filled.
    filled: Samples,
}

/// Figures of one database.
pub struct Growth {
    name: &'static str,
    usual: Option<Measured>,
    /// A small directory and a large one.
    grown: Option<[Measured; 2]>,
    /// A member of a small group and of a large one, in the large directory.
    groups: [Figure; 2],
}

/// How many users the command line calls very many.
fn asked() -> Option<usize> {
    std::env::args().find_map(|argument| argument.strip_prefix("users=")?.parse().ok())
}

/// Measures on PostgreSQL, then on SQLite.
pub async fn run(parts: &Parts, cluster: &Cluster, names: &NameServer) -> anyhow::Result<Vec<Growth>> {
    let mut all = Vec::new();
    for (name, large) in ["PostgreSQL", "SQLite"].into_iter().zip(LARGE) {
        let large = asked().unwrap_or(large).max(SMALL) / CONCURRENCY * CONCURRENCY;
        let mut sizes = Vec::new();
        if parts.has("growth") {
            sizes.extend([SMALL, large]);
        }
        if parts.has("directory") {
            sizes.push(USUAL);
        }
        if sizes.is_empty() {
            continue;
        }
        let mut directories = Vec::new();
        for (at, size) in sizes.into_iter().enumerate() {
            let on = (name == "PostgreSQL").then_some((cluster, format!("directory{at}")));
            directories.push(fill(name, on, names, size).await?);
        }
        all.push(measure(name, parts, directories).await?);
    }
    Ok(all)
}

/// An installation with so many users, on SQLite or in a database that is to be made.
async fn fill(
    name: &'static str,
    on: Option<(&Cluster, String)>,
    names: &NameServer,
    size: usize,
) -> anyhow::Result<Directory> {
    let Some((cluster, database)) = on else {
        let installation = Installation::new(name, None, names.address())?;
        let subject = Subject::new(&installation, names, None).await?;
        return Directory::fill(subject, installation, size).await;
    };
    execute(cluster.url("postgres"), &format!("CREATE DATABASE {database}")).await?;
    let url = cluster.url(&database);
    let installation = Installation::new(name, Some(url.clone()), names.address())?;
    let postmaster = postmaster(&cluster.folder().join("data"))?;
    let subject = Subject::new(&installation, names, Some(postmaster)).await?;
    let directory = Directory::fill(subject, installation, size).await?;
    execute(url.clone(), "VACUUM (ANALYZE)").await?;
    execute(url, "CHECKPOINT").await?;
    Ok(directory)
}

async fn measure(name: &'static str, parts: &Parts, directories: Vec<Directory>) -> anyhow::Result<Growth> {
    let mut measured: Vec<Measured> = directories.iter().map(|_| Measured::default()).collect();
    let most = directories.iter().map(|directory| directory.size).max().unwrap_or_default();
    let growth = parts.has("growth");
    for (directory, of) in directories.iter().zip(&mut measured) {
        of.users = directory.size;
        if growth && directory.size != USUAL {
            of.filled.push(directory.resident_after(most - directory.size + SMALL).await?);
        }
    }
    for number in 1..=ROUNDS {
        eprintln!("{name}: round {number} of {ROUNDS} with {} directories", directories.len());
        for (directory, of) in directories.iter().zip(&mut measured) {
            directory.round(&mut of.operations).await?;
        }
    }
    let mut groups = <[Figure; 2]>::default();
    if growth {
        let pages = directories[1].users().div_ceil(PAGE);
        eprintln!("{name}: walks of {pages} pages, and large groups");
        for (directory, of) in directories.iter().zip(&mut measured).take(2) {
            let (subject, users) = (&directory.subject, directory.users());
            let walk =
                |by, pages| move |number| Walk::new(&subject.tenant.scim_token, by, users, pages, number);
            let one = |by| vec![walk(by, pages)(0)];
            subject.measure(one(By::Index), LONG, &mut of.by_index).await?;
            subject.measure(one(By::Cursor), LONG, &mut of.by_cursor).await?;
            let jumps = (0..CONCURRENCY).map(walk(By::Jump, JUMPS)).collect();
            subject.measure(jumps, LONG, &mut of.jumps).await?;
        }
        directories[1].compare_groups(GROUPS, ROUNDS, &mut groups).await?;
    }
    let mut measured = measured.into_iter();
    let grown = if growth { measured.next().zip(measured.next()).map(<[_; 2]>::from) } else { None };
    Ok(Growth { name, usual: measured.next(), grown, groups })
}

/// CPU milliseconds a request of both processes, beside those of another figure.
fn beside(table: &mut Table, what: &str, (figure, other): (&Figure, &Figure), most: Option<f64>, name: &str) {
    let target = match most {
        Some(most) => Target::AtMostTimes(most, &other.total, name),
        None => Target::Beside(&other.total, name),
    };
    table.row(what, "ms", &figure.total, &target, figure.more(0));
}

/// Adds rows; targets are for PostgreSQL alone.
pub fn tell(all: &[Growth], table: &mut Table) {
    for growth in all {
        let judged = growth.name == "PostgreSQL";
        if let Some(usual) = &growth.usual {
            table.heading(&format!(
                "{} users on {}: CPU a request, with the database",
                usual.users, growth.name
            ));
            for ((_, what, most, _, kinds), figure) in OPERATIONS.into_iter().zip(&usual.operations) {
                let target = if judged { Target::AtMost(most, "ms") } else { Target::None };
                let latencies =
                    kinds.iter().enumerate().map(|(at, kind)| format!("{kind}{}", figure.latency(at)));
                let more = format!("{}; {}", latencies.collect::<Vec<_>>().join("; "), figure.cost());
                table.row(what, "ms", &figure.total, &target, more);
            }
        }
        if let Some([small, large]) = &growth.grown {
            tell_growth(growth, small, large, judged, table);
        }
    }
}

fn tell_growth(growth: &Growth, small: &Measured, large: &Measured, judged: bool, table: &mut Table) {
    table.heading(&format!(
        "{} users on {}, beside {}: CPU a request, with the database",
        large.users, growth.name, small.users
    ));
    let name = format!("{} users", small.users);
    let at_most = |most: f64| judged.then_some(most);
    for (at, (_, what, ..)) in OPERATIONS.into_iter().enumerate() {
        beside(table, what, (&large.operations[at], &small.operations[at]), at_most(1.35), &name);
    }
    let walks = [
        ("a page of 100 in a walk by index", &large.by_index, &small.by_index, at_most(1.3)),
        ("a page of 100 in a walk by cursor", &large.by_cursor, &small.by_cursor, at_most(1.3)),
        ("a page of 100 after a jump by index", &large.jumps, &small.jumps, None),
    ];
    for (what, figure, other, most) in walks {
        beside(table, what, (figure, other), most, &name);
    }
    let what = format!("one member added to a group of {}", GROUPS[1].min(large.users));
    let [few, many] = &growth.groups;
    beside(table, &what, (many, few), at_most(1.3), &format!("group of {}", GROUPS[0]));
    let target = match at_most(1.3) {
        Some(most) => Target::AtMostTimes(most, &small.filled, &name),
        None => Target::Beside(&small.filled, &name),
    };
    let more = format!("after as many requests on both; {} MiB a 1,000 users more", {
        let more = large.filled.median() - small.filled.median();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let thousands = (large.users - small.users) as f64 / 1000.0;
        short(more / thousands)
    });
    table.row("resident memory of the server", "MiB", &large.filled, &target, more);
}
