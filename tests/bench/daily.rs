//! What a client does to a directory day by day: look-ups, newcomers, a changed attribute, members who come and go, a
//! group read whole.
//!
//! Members are added and then taken out again, so that the group keeps its size; a figure of members counts both
//! requests alike.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::http::write_request;
use super::load::{CONCURRENCY, Script, Step};
use super::scim::{next_person, write_create, write_look_up};

/// Members of the groups.
pub const GROUP: usize = 1_000;
/// The first of a directory's people, far from those of [`next_person`].
pub const FIRST: u64 = 1_000_000_000;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    LookUp,
    /// As at the beginning of a synchronization: there is nobody of that name.
    LookUpNobody,
    /// A look-up that finds nobody, then the creation of that person.
    Join,
    PatchUser,
    /// One member comes and goes.
    Member,
    /// A hundred come in one PATCH and go in one.
    Hundred,
    ReadGroup,
}

/// Each with its name, the CPU milliseconds a request that it may cost, the requests of each connection in a round,
/// and what the kinds of its requests are called.
pub const OPERATIONS: [(Operation, &str, f64, usize, &[&str]); 7] = [
    (Operation::LookUp, "look-up by userName", 0.25, 400, &[""]),
    (Operation::LookUpNobody, "look-up by userName, nobody there", 0.25, 400, &[""]),
    (Operation::Join, "look-up and create", 0.45, 200, &["look-up ", "create "]),
    (Operation::PatchUser, "PATCH of one attribute of a user", 1.0, 100, &[""]),
    (Operation::Member, "one member added to a group of 1,000", 1.0, 100, &["add ", "take out "]),
    (Operation::Hundred, "100 members added in one PATCH", 15.0, 12, &["add ", "take out "]),
    (Operation::ReadGroup, "the full group of 1,000", 3.0, 50, &[""]),
];

/// Ids as the creates answered them.
pub struct People {
    pub users: Vec<String>,
    /// Who are in no group until they are added.
    pub spare: Vec<String>,
}

/// The id of the resource in an answer.
pub fn id(body: &[u8]) -> anyhow::Result<String> {
    let made: Value = serde_json::from_slice(body)?;
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

/// What one connection sends of an operation.
pub struct Work {
    operation: Operation,
    token: String,
    people: Arc<People>,
    group: String,
    connection: usize,
    turn: usize,
    most: usize,
    person: u64,
    scratch: String,
    /// Users who were made.
    made: Vec<String>,
}

impl Work {
    /// So many requests of one connection, whose group has this id.
    pub fn new(
        operation: Operation,
        token: &str,
        people: Arc<People>,
        group: &str,
        (connection, most): (usize, usize),
    ) -> Self {
        Self {
            operation,
            token: token.to_owned(),
            people,
            group: format!("/scim/v2/Groups/{group}"),
            connection,
            turn: 0,
            most,
            person: 0,
            scratch: String::with_capacity(16 * 1024),
            made: Vec::new(),
        }
    }

    /// Somebody of the directory; no two connections choose the same.
    fn somebody(&self) -> usize {
        let each = self.people.users.len() / CONCURRENCY;
        (self.turn * 7919 % each) * CONCURRENCY + self.connection
    }

    fn write_patch(&mut self, request: &mut Vec<u8>, path: &str, operation: &Value) {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        self.scratch.clear();
        let _ = write!(self.scratch, r#"{{"schemas":["{schema}"],"Operations":[{operation}]}}"#);
        let content = ("application/scim+json", self.scratch.as_bytes());
        write_request(request, ("PATCH", path), &self.token, content);
    }

    /// Adds people in every other turn and takes them out in the next.
    fn write_members(&mut self, request: &mut Vec<u8>) -> usize {
        let (spare, taking_out) = (&self.people.spare, self.turn % 2);
        let each = spare.len() / CONCURRENCY;
        let one = &spare[self.connection * each + self.turn / 2 % each];
        let values = |ids: &[String]| ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>();
        let operation = match (self.operation, taking_out) {
            (Operation::Hundred, 0) => json!({ "op": "add", "path": "members", "value": values(spare) }),
            (Operation::Hundred, _) => json!({ "op": "remove", "path": "members", "value": values(spare) }),
            (_, 0) => json!({ "op": "add", "path": "members", "value": [{ "value": one }] }),
            _ => json!({ "op": "remove", "path": format!("members[value eq \"{one}\"]") }),
        };
        let path = self.group.clone();
        self.write_patch(request, &path, &operation);
        taking_out
    }
}

impl Script for Work {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        if self.turn >= self.most {
            return None;
        }
        let (kind, expected) = match self.operation {
            Operation::LookUp | Operation::LookUpNobody => {
                let found = self.operation == Operation::LookUp;
                self.person = if found { FIRST + self.somebody() as u64 } else { next_person() };
                write_look_up(request, &self.token, &mut self.scratch, self.person);
                (0, 200..=200)
            }
            Operation::Join if self.turn.is_multiple_of(2) => {
                self.person = next_person();
                write_look_up(request, &self.token, &mut self.scratch, self.person);
                (0, 200..=200)
            }
            Operation::Join => {
                write_create(request, &self.token, &mut self.scratch, self.person);
                (1, 201..=201)
            }
            Operation::PatchUser => {
                let path = format!("/scim/v2/Users/{}", self.people.users[self.somebody()]);
                // Never what it is already.
                let title = format!("Title {}", next_person());
                let operation = json!({ "op": "replace", "path": "title", "value": title });
                self.write_patch(request, &path, &operation);
                (0, 200..=204)
            }
            // A large group is answered without a body.
            Operation::Member | Operation::Hundred => (self.write_members(request), 200..=204),
            Operation::ReadGroup => {
                write_request(request, ("GET", &self.group), &self.token, ("", b""));
                (0, 200..=200)
            }
        };
        self.turn += 1;
        Some(Step { kind, expected })
    }

    fn answered(&mut self, body: &[u8]) -> anyhow::Result<()> {
        match self.operation {
            // The turn is the next one's by now.
            Operation::Join if self.turn.is_multiple_of(2) => self.made.push(id(body)?),
            Operation::LookUp => ensure!(
                body.windows(11).any(|part| part == br#""userName":"#),
                "a look-up found nobody: {}",
                String::from_utf8_lossy(body)
            ),
            // An id has 36 characters.
            Operation::ReadGroup => {
                ensure!(body.len() > 36 * GROUP.min(self.people.users.len()), "a group lacks members");
            }
            _ => {}
        }
        Ok(())
    }
}

/// Deletes those whom a work has made.
pub struct Leavers(pub Work);

impl Script for Leavers {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        let path = format!("/scim/v2/Users/{}", self.0.made.pop()?);
        write_request(request, ("DELETE", &path), &self.0.token, ("", b""));
        Some(Step { kind: 0, expected: 204..=204 })
    }
}
