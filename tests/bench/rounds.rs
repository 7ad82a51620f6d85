//! The order of the measurements: set everything up, then round after round each yardstick beside the subjects that
//! are judged by it, then the table.
//!
//! `cargo bench --bench gateway -- scim sign-in` measures only the parts named: `http`, `scim`, `sign-in`, `start`,
//! `directory` (what a request costs with 10,000 users), `growth` (the same with 1,000 and with very many users, walks
//! through the list, large groups, memory; `users=100000` says how many are very many, on each database); `order`
//! measures nothing and writes the linker script.

use std::path::PathBuf;
use std::time::Duration;

use postern::demo::dns::NameServer;

use super::cpu::{Processes, machine, postmaster, resident};
use super::growth;
use super::http::write_request;
use super::installation::Installation;
use super::load::{CONCURRENCY, Repeat, run as load};
use super::order;
use super::postgres::{self, Cluster};
use super::scim::{CREATE, LOOK_UP, Mix, scripts};
use super::sign_in;
use super::subject::{Figure, Subject};
use super::table::{Samples, Table, Target, short};
use super::yardsticks::{Hello, Pgbench, Work};

pub const ROUNDS: usize = 5;
const STARTS: usize = 5;
/// Of each form in each round.
const RESPONSES: usize = 600;
const PGBENCH_SECONDS: u32 = 3;
/// Idle means that nothing came for so long.
const IDLE: Duration = Duration::from_secs(2);

const fn seconds(tenths: u64) -> Duration {
    Duration::from_millis(tenths * 100)
}

/// What is measured in this run.
pub struct Parts(Vec<String>);

impl Parts {
    fn asked() -> Self {
        let named = |argument: &String| !argument.starts_with('-') && !argument.contains('=');
        Self(std::env::args().skip(1).filter(named).collect())
    }

    pub fn has(&self, part: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|asked| asked == part)
    }
}

#[derive(Default)]
struct Figures {
    hello: Figure,
    cached: Figure,
    insert: Samples,
    select: Samples,
    insert_cost: Samples,
    scim: [Synchronizations; 2],
    /// One for each of [`sign_in::FORMS`].
    responses: [Figure; 3],
    starts: [Samples; 2],
    idle: [Samples; 2],
}

/// The synchronization, and its two halves alone.
#[derive(Default)]
struct Synchronizations {
    mixed: Figure,
    look_ups: Figure,
    creates: Figure,
}

pub async fn run() -> anyhow::Result<()> {
    let parts = Parts::asked();
    let header = machine();
    eprintln!("Starting PostgreSQL, hello world and two gateways");
    let cluster = Cluster::start("");
    let data: PathBuf = cluster.folder().join("data");
    let postmaster = postmaster(&data)?;
    for database in ["yardstick", "postern"] {
        execute(cluster.url("postgres"), &format!("CREATE DATABASE {database}")).await?;
    }
    let names = NameServer::start().await?;
    let on_postgres = Installation::new("PostgreSQL", Some(cluster.url("postern")), names.address())?;
    let on_sqlite = Installation::new("SQLite", None, names.address())?;
    if parts.0.iter().any(|part| part == order::ORDER) {
        return order::run(&[&on_postgres, &on_sqlite], &names).await;
    }
    let mut figures = Figures::default();
    if parts.has("start") {
        starts(&[&on_postgres, &on_sqlite], &mut figures).await?;
    }
    if ["http", "scim", "sign-in"].iter().any(|part| parts.has(part)) {
        let pgbench = Pgbench::prepare(cluster.url("yardstick")).await?;
        let hello = Hello::start()?;
        let subjects = [
            Subject::new(&on_postgres, &names, Some(postmaster)).await?,
            Subject::new(&on_sqlite, &names, None).await?,
        ];
        if parts.has("sign-in") {
            sign_in::first_time(&subjects[0].tenant).await?;
        }
        for number in 1..=ROUNDS {
            eprintln!("Round {number} of {ROUNDS}");
            round(&parts, &subjects, &hello, &pgbench, &mut figures).await?;
        }
    }
    let growth = growth::run(&parts, &cluster, &names).await?;
    println!("\n{header}; concurrency {CONCURRENCY}, {ROUNDS} rounds, median (lowest..highest)\n");
    let mut table = table(&parts, &figures);
    growth::tell(&growth, &mut table);
    print!("{table}");
    println!(
        "\n{}",
        match table.missed {
            0 => "Every target is met.".to_owned(),
            missed => format!("Targets missed: {missed}."),
        }
    );
    Ok(())
}

/// Runs one statement as the superuser, on a connection of its own.
pub async fn execute(url: String, statement: &str) -> anyhow::Result<()> {
    use sea_orm::ConnectionTrait as _;
    let connection = postgres::connect(url).await;
    connection.execute_unprepared(statement).await?;
    Ok(connection.close().await?)
}

/// How long a start takes and what it leaves resident, on each in turn.
async fn starts(installations: &[&Installation; 2], figures: &mut Figures) -> anyhow::Result<()> {
    for number in 0..STARTS {
        for (at, installation) in installations.iter().enumerate() {
            let (serving, took) = installation.start().await?;
            figures.starts[at].push(took.as_secs_f64());
            if number < ROUNDS {
                tokio::time::sleep(IDLE).await;
                figures.idle[at].push(resident(serving.pid())?);
            }
        }
    }
    Ok(())
}

async fn round(
    parts: &Parts,
    subjects: &[Subject; 2],
    hello: &Hello,
    pgbench: &Pgbench,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let [on_postgres, _] = subjects;
    if parts.has("http") {
        let processes = Processes { server: Some(hello.pid()), postmaster: None };
        let before = processes.read()?;
        let outcome = hello.measure(seconds(20)).await?;
        figures.hello.add(&outcome, processes.read()?.since(before).each(outcome.requests()));

        let mut request = Vec::new();
        let path = ("GET", "/api/v1/organizations/me");
        write_request(&mut request, path, &on_postgres.tenant.api_key, ("", b""));
        let before = on_postgres.processes.read()?;
        let repeat = vec![Repeat(request); CONCURRENCY];
        let (outcome, _) = load(on_postgres.tenant.address, repeat, seconds(20)).await?;
        figures.cached.add(&outcome, on_postgres.processes.read()?.since(before).each(outcome.requests()));
    }
    if parts.has("scim") {
        let database = Processes { server: None, ..on_postgres.processes };
        let before = database.read()?;
        let early = pgbench.measure(Work::Insert, PGBENCH_SECONDS).await?;
        let spent = database.read()?.since(before).database;
        figures.insert_cost.push(spent / (early * f64::from(PGBENCH_SECONDS)));
        for (subject, of_subject) in subjects.iter().zip(&mut figures.scim) {
            let measure = async |mix, time, figure: &mut Figure| {
                subject.measure(scripts(&subject.tenant, mix), time, figure).await.map(drop)
            };
            measure(Mix::Both, seconds(40), &mut of_subject.mixed).await?;
            if subject.processes.postmaster.is_some() {
                // On both sides of what is judged by it, for the machine may change its mind meanwhile.
                let late = pgbench.measure(Work::Insert, PGBENCH_SECONDS).await?;
                figures.insert.push(early.midpoint(late));
            }
            measure(Mix::LookUps, seconds(10), &mut of_subject.look_ups).await?;
            measure(Mix::Creates, seconds(15), &mut of_subject.creates).await?;
        }
        figures.select.push(pgbench.measure(Work::Select, PGBENCH_SECONDS).await?);
    }
    if parts.has("sign-in") {
        for ((signed, _), figure) in sign_in::FORMS.into_iter().zip(&mut figures.responses) {
            let requests = sign_in::prepare(&on_postgres.tenant, signed, RESPONSES).await?;
            let before = on_postgres.processes.read()?;
            let outcome = sign_in::post(&on_postgres.tenant, requests).await?;
            figure.add(&outcome, on_postgres.processes.read()?.since(before).each(outcome.requests()));
        }
    }
    Ok(())
}

fn table(parts: &Parts, figures: &Figures) -> Table {
    const RATE: &str = "req/s";
    let mut table = Table::new();
    let none = String::new;
    table.heading("yardsticks");
    if parts.has("http") {
        let hello = &figures.hello;
        table.row("poem hello world", RATE, &hello.rate, &Target::None, hello.more(0));
    }
    if parts.has("scim") {
        let cost = format!("CPU of the database {} ms", short(figures.insert_cost.median()));
        table.row("pgbench single-row insert", "tx/s", &figures.insert, &Target::None, cost);
        table.row("pgbench indexed select", "tx/s", &figures.select, &Target::None, none());
    }
    table.heading("gateway");
    if parts.has("scim") {
        for (name, of_subject) in ["PostgreSQL", "SQLite"].iter().zip(&figures.scim) {
            let mixed = &of_subject.mixed;
            let target = match *name {
                "PostgreSQL" => Target::AtLeast(0.4, &figures.insert, "insert"),
                _ => Target::None,
            };
            let what = format!("SCIM look-up and create, {name}");
            let latencies = format!(
                "look-up {}; create {}; {}",
                mixed.latency(LOOK_UP),
                mixed.latency(CREATE),
                mixed.cost()
            );
            table.row(&what, RATE, &mixed.rate, &target, latencies);
            let (look_ups, creates) = (&of_subject.look_ups, &of_subject.creates);
            table.row("   only look-ups", RATE, &look_ups.rate, &Target::None, look_ups.more(LOOK_UP));
            table.row("   only creates", RATE, &creates.rate, &Target::None, creates.more(CREATE));
        }
    }
    if parts.has("http") {
        let cached = &figures.cached;
        let target = Target::AtLeast(0.3, &figures.hello.rate, "hello");
        table.row("API key from cache", RATE, &cached.rate, &target, cached.more(0));
    }
    if parts.has("sign-in") {
        for ((_, signed), figure) in sign_in::FORMS.iter().zip(&figures.responses) {
            let more = format!("{} a second; {}", short(figure.rate.median()), figure.more(0));
            let target = Target::AtMost(1.0, "ms");
            let what = format!("ACS, {signed} signed, server CPU");
            table.row(&what, "ms", &figure.server, &target, more);
        }
    }
    if parts.has("start") {
        for (at, name) in ["PostgreSQL", "SQLite"].iter().enumerate() {
            let what = format!("idle resident memory, {name}");
            table.row(&what, "MiB", &figures.idle[at], &Target::AtMost(20.0, "MiB"), none());
            let what = format!("start to first answer, {name}");
            table.row(&what, "s", &figures.starts[at], &Target::AtMost(0.2, "s"), none());
        }
    }
    table
}
