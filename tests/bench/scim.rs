//! A SCIM client at the beginning of a synchronization: is there such a user? No? Then make one.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::http::write_request;
use super::load::{CONCURRENCY, Script, Step};
use super::tenant::{DOMAIN, Tenant};

/// The kinds of requests, as [`Step::kind`] wants them.
pub const LOOK_UP: usize = 0;
pub const CREATE: usize = 1;

/// Which requests to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// A look-up that finds nobody, then the creation of that person.
    Both,
    LookUps,
    Creates,
}

/// What one connection of the client sends.
pub struct Synchronization {
    token: String,
    mix: Mix,
    person: u64,
    /// Whether the person was looked up and is to be made now.
    looked_up: bool,
    body: String,
}

/// One script for each connection.
pub fn scripts(tenant: &Tenant, mix: Mix) -> Vec<Synchronization> {
    let script = || Synchronization {
        token: tenant.scim_token.clone(),
        mix,
        person: 0,
        looked_up: false,
        body: String::with_capacity(1024),
    };
    std::iter::repeat_with(script).take(CONCURRENCY).collect()
}

/// Nobody is met twice in one run.
pub fn next_person() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Asks for this person by their user name.
pub fn write_look_up(request: &mut Vec<u8>, token: &str, scratch: &mut String, person: u64) {
    scratch.clear();
    let _ = write!(
        scratch,
        "/scim/v2/Users?filter=userName%20eq%20%22person{person}%40{DOMAIN}%22&startIndex=1&count=100"
    );
    write_request(request, ("GET", scratch), token, ("", b""));
}

/// Makes this person as Okta does: no more, no less.
pub fn write_create(request: &mut Vec<u8>, token: &str, scratch: &mut String, person: u64) {
    scratch.clear();
    let _ = write!(
        scratch,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"person{person}@{DOMAIN}","name":{{"givenName":"Given{person}","familyName":"Family{person}"}},"emails":[{{"primary":true,"value":"person{person}@{DOMAIN}","type":"work"}}],"displayName":"Given{person} Family{person}","locale":"en-US","externalId":"00u{person:017}","groups":[],"active":true}}"#
    );
    write_request(request, ("POST", "/scim/v2/Users"), token, ("application/scim+json", scratch.as_bytes()));
}

impl Script for Synchronization {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        let create = match self.mix {
            Mix::Both => {
                self.looked_up = !self.looked_up;
                !self.looked_up
            }
            Mix::LookUps => false,
            Mix::Creates => true,
        };
        if !(create && self.mix == Mix::Both) {
            self.person = next_person();
        }
        if create {
            write_create(request, &self.token, &mut self.body, self.person);
            return Some(Step { kind: CREATE, expected: 201..=201 });
        }
        write_look_up(request, &self.token, &mut self.body, self.person);
        Some(Step { kind: LOOK_UP, expected: 200..=200 })
    }
}
