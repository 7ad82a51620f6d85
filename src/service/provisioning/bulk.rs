//! A bulk request (RFC 7644 §3.7), carried out: each operation by the very function that serves the single request,
//! with its own transaction and its own events. So an operation is done or not done, never half; the request as a
//! whole is not atomic, which the RFC does not ask.
//!
//! Users who refer to each other in a circle are the one exception: they are made in one transaction, all or none.
//! Whoever drives the run may stop it between two operations.

use super::groups::{self, GroupEdit};
use super::listing::Listing as _;
use super::{DirectoryUser, Edit, Refusal, Users, create, location, version};
use crate::model::id::DirectoryUserId;
use crate::protocol::scim::bulk::{BulkRequest, Course, Entry, Kind, Method, Operation, Ready, Step};
use crate::protocol::scim::{Conformance, GroupPatch, PatchRequest, ScimError, SentGroup, UserResource};
use crate::service::schemas::user_type;
use crate::service::{Ctx, Services};
use serde_json::Value;
use std::sync::Arc;

/// What an operation came to.
#[derive(Debug)]
pub struct Done {
    /// The status of the single request.
    pub status: u16,
    pub location: Option<String>,
    pub version: Option<String>,
}

/// A bulk request on its way.
#[derive(Debug)]
pub struct Run {
    services: Arc<Services>,
    ctx: Ctx,
    conformance: Conformance,
    course: Course,
    outcomes: Vec<Option<Result<Done, Refusal>>>,
}

/// An operation as it was sent, and its outcome.
#[derive(Debug)]
pub struct Outcome {
    pub entry: Entry,
    pub result: Result<Done, Refusal>,
}

impl Run {
    /// Puts the operations in order; nothing is done yet.
    pub fn new(services: Arc<Services>, ctx: Ctx, conformance: Conformance, request: BulkRequest) -> Self {
        let course = Course::new(request);
        let outcomes = course.entries().iter().map(|_| None).collect();
        Self { services, ctx, conformance, course, outcomes }
    }

    /// Carries out what comes next; false once nothing does.
    pub async fn step(&mut self) -> bool {
        // Each operation happens at its own time, as a single request would.
        let now = self.services.clock.now();
        self.ctx.now = now;
        let random = &*self.services.random;
        let mint = || DirectoryUserId::new(now, random).uuid().to_string();
        match self.course.next(mint) {
            None => return false,
            Some(Step::Refused(refused)) => {
                for (index, error) in refused {
                    self.put(index, Err(error.into()));
                }
            }
            Some(Step::Run(ready)) if ready.iter().any(|part| part.id.is_some()) => {
                self.circle(ready).await;
            }
            Some(Step::Run(ready)) => {
                for Ready { index, operation, .. } in ready {
                    let result = self.one(&operation).await;
                    self.note(index, result);
                }
            }
        }
        true
    }

    /// Ends the run: whatever was not begun is refused with this, unless the request bears no further errors.
    pub fn give_up(&mut self, error: &ScimError) {
        while let Some(step) = self.course.next(String::new) {
            match step {
                Step::Refused(refused) => {
                    for (index, error) in refused {
                        self.put(index, Err(error.into()));
                    }
                }
                Step::Run(ready) => {
                    for Ready { index, .. } in ready {
                        self.note(index, Err(error.clone().into()));
                    }
                }
            }
        }
    }

    /// What came of each operation that was begun or refused, in the order of the request.
    pub fn finish(self) -> Vec<Outcome> {
        let entries = self.course.into_entries();
        let both = entries.into_iter().zip(self.outcomes);
        both.filter_map(|(entry, result)| Some(Outcome { entry, result: result? })).collect()
    }

    fn put(&mut self, index: usize, result: Result<Done, Refusal>) {
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(result);
        }
    }

    fn note(&mut self, index: usize, result: Result<(Option<String>, Done), Refusal>) {
        match result {
            Ok((id, done)) => {
                self.course.note(index, Ok(id));
                self.put(index, Ok(done));
            }
            Err(refusal) => {
                self.course.note(index, Err(()));
                self.put(index, Err(refusal));
            }
        }
    }

    /// Makes users who refer to each other.
    async fn circle(&mut self, ready: Vec<Ready>) {
        let mut resources = Vec::with_capacity(ready.len());
        let mut broken = None;
        for (place, part) in ready.iter().enumerate() {
            let id = part.id.as_deref().and_then(DirectoryUserId::from_bare);
            let read = self.read_user(&part.operation.data).await;
            match (id, read) {
                (Some(id), Ok(resource)) => resources.push((id, resource)),
                (_, Err(refusal)) => broken = broken.or(Some((place, refusal))),
                (None, Ok(_)) => broken = broken.or(Some((place, Course::circle_broken().into()))),
            }
        }
        let made = match broken {
            Some(broken) => Err(broken),
            None => create::create_together(&self.services, &self.ctx, &resources).await,
        };
        match made {
            Ok(rows) => {
                for (part, row) in ready.iter().zip(&rows) {
                    let done = self.user(201, row);
                    self.note(part.index, Ok((part.id.clone(), done)));
                }
            }
            Err((place, refusal)) => {
                let mut refusal = Some(refusal);
                for (at, part) in ready.iter().enumerate() {
                    let own = if at == place { refusal.take() } else { None };
                    let told = own.unwrap_or_else(|| Course::circle_broken().into());
                    self.note(part.index, Err(told));
                }
            }
        }
    }

    async fn one(&self, operation: &Operation) -> Result<(Option<String>, Done), Refusal> {
        match operation.kind {
            Kind::User => self.on_user(operation).await,
            Kind::Group => self.on_group(operation).await,
        }
    }

    async fn on_user(&self, operation: &Operation) -> Result<(Option<String>, Done), Refusal> {
        let (services, ctx) = (&*self.services, &self.ctx);
        let (data, if_match) = (&operation.data, operation.version.as_deref());
        let id = operation.id().unwrap_or_default();
        let edit = match operation.method {
            Method::Post => {
                let resource = self.read_user(data).await?;
                let row = create::create(services, ctx, &resource).await?;
                return Ok((Some(row.id.uuid().to_string()), self.user(201, &row)));
            }
            Method::Delete => {
                super::remove(services, ctx, id, if_match).await?;
                let location = Some(services.settings.url(&format!("{}{id}", Users::ENDPOINT)));
                return Ok((None, Done { status: 204, location, version: None }));
            }
            Method::Put => Edit::Replace(self.read_user(data).await?),
            Method::Patch => {
                let users = user_type(services, ctx).await?;
                Edit::Patch(PatchRequest::parse(&users, data, self.conformance)?)
            }
        };
        let row = super::change(services, ctx, id, if_match, &edit).await?;
        Ok((None, self.user(200, &row)))
    }

    async fn on_group(&self, operation: &Operation) -> Result<(Option<String>, Done), Refusal> {
        let (services, ctx) = (&*self.services, &self.ctx);
        let (data, if_match) = (&operation.data, operation.version.as_deref());
        let id = operation.id().unwrap_or_default();
        let done = |status, row: &groups::DirectoryGroup| Done {
            status,
            location: Some(groups::location(services, row)),
            version: Some(groups::version(row)),
        };
        let edit = match operation.method {
            Method::Post => {
                let sent = SentGroup::parse(data, self.conformance)?;
                let row = groups::create(services, ctx, &sent).await?;
                return Ok((Some(row.id.uuid().to_string()), done(201, &row)));
            }
            Method::Delete => {
                groups::remove(services, ctx, id, if_match).await?;
                let location = Some(services.settings.url(&format!("{}{id}", groups::Groups::ENDPOINT)));
                return Ok((None, Done { status: 204, location, version: None }));
            }
            Method::Put => GroupEdit::Replace(SentGroup::parse(data, self.conformance)?),
            Method::Patch => GroupEdit::Patch(GroupPatch::parse(data, self.conformance)?),
        };
        let row = groups::change(services, ctx, id, if_match, &edit).await?;
        Ok((None, done(200, &row)))
    }

    /// A body of a user, by the tables of the directory.
    async fn read_user(&self, data: &Value) -> Result<UserResource, Refusal> {
        let users = user_type(&self.services, &self.ctx).await?;
        Ok(UserResource::parse_as(&users, data, self.conformance)?)
    }

    fn user(&self, status: u16, row: &DirectoryUser) -> Done {
        Done { status, location: Some(location(&self.services, row)), version: Some(version(row)) }
    }
}
