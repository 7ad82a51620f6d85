//! A directory of so many users, filled through the SCIM door, with groups to change.
//!
//! Each connection has a group of its own, as one client changes one group after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::cpu::resident;
use super::daily::{FIRST, GROUP, Leavers, OPERATIONS, Operation, People, Work, id};
use super::http::Connection;
use super::installation::Installation;
use super::load::{CONCURRENCY, Script, Step, run};
use super::scim::write_create;
use super::subject::{Figure, Subject};

/// People beyond the directory's size, who are in no group until they are added.
const SPARE: usize = 100;
/// The number of people after which a fill tells how far it is.
const TOLD: usize = 10_000;
/// No load here is ended by the clock.
pub const LONG: Duration = Duration::from_mins(30);

/// A gateway with such a directory.
pub struct Directory {
    pub subject: Subject,
    /// Its folder ends after the gateway.
    _installation: Installation,
    pub size: usize,
    people: Arc<People>,
    groups: Vec<String>,
}

impl Directory {
    /// Fills the directory of a fresh installation and makes its groups.
    pub async fn fill(subject: Subject, installation: Installation, size: usize) -> anyhow::Result<Self> {
        let numbers = Arc::new(AtomicUsize::new(0));
        let name = installation.name;
        let newcomers = || Newcomers {
            token: subject.tenant.scim_token.clone(),
            name,
            numbers: numbers.clone(),
            most: size + SPARE,
            number: 0,
            scratch: String::with_capacity(1024),
            made: Vec::new(),
        };
        let scripts = std::iter::repeat_with(newcomers).take(CONCURRENCY).collect();
        let (outcome, scripts) = run(subject.tenant.address, scripts, LONG).await?;
        eprintln!("{name}: {} users, {:.0} a second", size + SPARE, outcome.rate());
        let mut made: Vec<_> = scripts.into_iter().flat_map(|script| script.made).collect();
        made.sort_unstable();
        let mut users: Vec<String> = made.into_iter().map(|(_, id)| id).collect();
        let spare = users.split_off(size);
        let people = Arc::new(People { users, spare });
        let mut directory = Self { subject, _installation: installation, size, people, groups: Vec::new() };
        let total = directory.get("/scim/v2/Users?count=0").await?["totalResults"].clone();
        ensure!(total == json!(size + SPARE), "{name}: {} users were made, {total} are there", size + SPARE);
        directory.groups = directory.make_groups(GROUP).await?;
        Ok(directory)
    }

    /// All whom a list shows.
    pub fn users(&self) -> usize {
        self.size + SPARE
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.subject.tenant.address).await?;
        connection.json(("GET", path), &self.subject.tenant.scim_token, None, 200).await
    }

    /// One group for each connection, each of the first so many users.
    async fn make_groups(&self, members: usize) -> anyhow::Result<Vec<String>> {
        let tenant = &self.subject.tenant;
        let mut connection = Connection::open(tenant.address).await?;
        let members = members.min(self.size);
        let values: Vec<_> = self.people.users[..members].iter().map(|id| json!({ "value": id })).collect();
        let mut groups = Vec::new();
        for number in 0..CONCURRENCY {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": format!("Group {number} of {members}"),
                "members": values,
            });
            let path = "/scim/v2/Groups?excludedAttributes=members";
            let made = connection.json(("POST", path), &tenant.scim_token, Some(&body), 201).await?;
            groups.push(made["id"].as_str().context("a group's id")?.to_owned());
        }
        Ok(groups)
    }

    /// One script for each connection, with so many requests each.
    fn works(&self, operation: Operation, most: usize, groups: &[String]) -> Vec<Work> {
        let token = &self.subject.tenant.scim_token;
        let work = |connection: usize| {
            let group = groups.get(connection).map_or("", String::as_str);
            Work::new(operation, token, self.people.clone(), group, (connection, most))
        };
        (0..CONCURRENCY).map(work).collect()
    }

    /// Each operation for a round.
    pub async fn round(&self, figures: &mut [Figure; OPERATIONS.len()]) -> anyhow::Result<()> {
        for ((operation, _, _, most, _), figure) in OPERATIONS.into_iter().zip(figures) {
            let works = self.works(operation, most, &self.groups);
            let works = self.subject.measure(works, LONG, figure).await?;
            // Whoever came leaves again, so that the next round finds as many users.
            run(self.subject.tenant.address, works.into_iter().map(Leavers).collect(), LONG).await?;
        }
        Ok(())
    }

    /// One member of a small and of a large group, round by round.
    pub async fn compare_groups(
        &self,
        sizes: [usize; 2],
        rounds: usize,
        figures: &mut [Figure; 2],
    ) -> anyhow::Result<()> {
        let groups = [self.make_groups(sizes[0]).await?, self.make_groups(sizes[1]).await?];
        for _ in 0..rounds {
            for (groups, figure) in groups.iter().zip(&mut *figures) {
                self.subject.measure(self.works(Operation::Member, 100, groups), LONG, figure).await?;
            }
        }
        Ok(())
    }

    /// The resident memory of the server in MiB after so many further look-ups.
    pub async fn resident_after(&self, look_ups: usize) -> anyhow::Result<f64> {
        let works = self.works(Operation::LookUp, look_ups / CONCURRENCY, &[]);
        run(self.subject.tenant.address, works, LONG).await?;
        resident(self.subject.processes.server.context("a server")?)
    }
}

/// Users who are made, one after the other.
struct Newcomers {
    token: String,
    name: &'static str,
    numbers: Arc<AtomicUsize>,
    most: usize,
    number: usize,
    scratch: String,
    made: Vec<(usize, String)>,
}

impl Script for Newcomers {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        self.number = self.numbers.fetch_add(1, Ordering::Relaxed);
        if self.number >= self.most {
            return None;
        }
        if self.number > 0 && self.number.is_multiple_of(TOLD) {
            eprintln!("{}: {} of {} users", self.name, self.number, self.most);
        }
        write_create(request, &self.token, &mut self.scratch, FIRST + self.number as u64);
        Some(Step { kind: 0, expected: 201..=201 })
    }

    fn answered(&mut self, body: &[u8]) -> anyhow::Result<()> {
        self.made.push((self.number, id(body)?));
        Ok(())
    }
}
