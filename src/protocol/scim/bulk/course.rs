//! The course of a bulk request: what is to be carried out next, with every reference resolved, until all is done or
//! as many errors were met as the request bears.
//!
//! A reference may point forwards or backwards. Users who refer to each other in a circle (each other's managers) come
//! as one step with ids given beforehand, so that all of them are made, referring to each other, or none is. Whatever
//! refers to what could not be made fails too; nothing is ever made without its references.
//!
//! Groups that contain each other are the circle that is refused (409, RFC 7644 §3.7.1, after the attempt that it asks for
//! has nowhere to go): members of a group here are users, so that to make the groups first and to add the members
//! afterwards would end in the same refusal with half of the request done. A user and a group never make a circle, for the
//! groups of a user are read-only.
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::super::error::quotable;
use super::reference::each;
use super::{BulkRequest, Entry, Kind, Method, Operation, ScimError, Target, order, plain};

/// Most POSTs that may refer to each other in one circle: they are one transaction.
const MAX_CIRCLE: usize = 100;

/// An operation that is to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// Where it stands in the request.
    pub index: usize,
    /// Without references.
    pub operation: Operation,
    /// The id that the resource of a POST must get, if others were told already.
    pub id: Option<String>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These are refused before they are begun; it is noted already.
    Refused(Vec<(usize, ScimError)>),
    /// One operation, or the POSTs of a circle, which are to be carried out all or none. Then [`Course::note`] is to
    /// be told of each.
    Run(Vec<Ready>),
}

#[derive(Debug)]
struct Unit {
    operations: Vec<usize>,
    circle: bool,
}

/// See the module's words.
#[derive(Debug)]
pub struct Course {
    entries: Vec<Entry>,
    units: VecDeque<Unit>,
    /// By bulkId: the id of what was made, or that it could not be.
    made: HashMap<String, Option<String>>,
    errors_left: Option<usize>,
}

impl Course {
    /// Puts the operations of a request in order and refuses those whose references cannot be resolved.
    pub fn new(request: BulkRequest) -> Self {
        let BulkRequest { mut entries, fail_on_errors } = request;
        let posts = posts(&mut entries);
        let mut needs: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); entries.len()];
        let mut nested = HashSet::new();
        for (index, needed) in needs.iter_mut().enumerate() {
            let Some(entry) = entries.get_mut(index) else { continue };
            let Ok(operation) = &mut entry.asked else { continue };
            let mut named = Vec::new();
            each(operation, &mut |bulk_id| {
                named.push(bulk_id.to_owned());
                None
            });
            let mut refusal = None;
            for bulk_id in named {
                match posts.get(&bulk_id) {
                    Some((post, kind)) => {
                        needed.insert(*post);
                        if *kind == Some(Kind::Group) {
                            nested.insert(index);
                        }
                    }
                    None => refusal = Some(unknown(&bulk_id)),
                }
            }
            if let Some(Target::BulkId(bulk_id)) = &operation.target {
                match posts.get(bulk_id) {
                    Some((post, kind)) if kind.is_none_or(|kind| kind == operation.kind) => {
                        needed.insert(*post);
                    }
                    Some(_) => refusal = Some(other_kind(bulk_id, operation.kind)),
                    None => refusal = Some(unknown(bulk_id)),
                }
            }
            if let Some(error) = refusal {
                entry.asked = Err(error);
                needed.clear();
            }
        }
        follow_each_other(&entries, &mut needs);
        let units: VecDeque<Unit> = order::units(&needs)
            .into_iter()
            .map(|operations| {
                let circle = operations.len() > 1
                    || operations
                        .iter()
                        .any(|index| needs.get(*index).is_some_and(|needed| needed.contains(index)));
                Unit { operations, circle }
            })
            .collect();
        for unit in &units {
            for index in &unit.operations {
                let Some(entry) = entries.get_mut(*index) else { continue };
                let groups = nested.contains(index);
                // A user whose manager is to be a group is wrong with or without a circle.
                let of_user = entry.asked.as_ref().is_ok_and(|operation| operation.kind == Kind::User);
                if unit.circle && !(groups && of_user) && (groups || unit.operations.len() > MAX_CIRCLE) {
                    entry.asked = Err(no_circle(groups));
                } else if groups && entry.asked.is_ok() {
                    entry.asked = Err(not_a_user());
                }
            }
        }
        Self { entries, units, made: HashMap::new(), errors_left: fail_on_errors }
    }

    /// The operations as they were sent, but for what is asked.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same, at the end.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// What comes next; `None` when all is done or too many errors were met. `mint` gives the id of a new user.
    pub fn next(&mut self, mut mint: impl FnMut() -> String) -> Option<Step> {
        if self.errors_left == Some(0) {
            return None;
        }
        let unit = self.units.pop_front()?;
        let mut ready = Vec::with_capacity(unit.operations.len());
        let mut refused = Vec::new();
        for index in unit.operations {
            let Some(entry) = self.entries.get_mut(index) else { continue };
            match std::mem::replace(&mut entry.asked, Err(taken())) {
                Ok(operation) => {
                    let id = unit.circle.then(&mut mint);
                    if let (Some(id), Some(bulk_id)) = (&id, &entry.bulk_id) {
                        self.made.insert(bulk_id.clone(), Some(id.clone()));
                    }
                    ready.push(Ready { index, operation, id });
                }
                Err(error) => refused.push((index, error)),
            }
        }
        for part in &mut ready {
            match self.resolve(&mut part.operation) {
                Err(bulk_id) => refused.push((part.index, failed(&bulk_id))),
                Ok(()) => {
                    if let Some(id) = part.operation.id().filter(|id| plain(id))
                        && let Some(entry) = self.entries.get_mut(part.index)
                    {
                        entry.path = Some(format!("{}/{id}", part.operation.kind.endpoint()));
                    }
                }
            }
        }
        if refused.is_empty() {
            return Some(Step::Run(ready));
        }
        // Nothing of a circle is made if one of it cannot be.
        for part in ready {
            if !refused.iter().any(|(index, _)| *index == part.index) {
                refused.push((part.index, Self::circle_broken()));
            }
        }
        for (index, _) in &refused {
            self.note(*index, Err(()));
        }
        Some(Step::Refused(refused))
    }

    /// Puts ids where references are; or gives the bulkId of what could not be made.
    fn resolve(&self, operation: &mut Operation) -> Result<(), String> {
        let mut missing = None;
        let mut look_up = |bulk_id: &str| {
            let id = self.made.get(bulk_id).cloned().flatten();
            if id.is_none() {
                missing = Some(bulk_id.to_owned());
            }
            id
        };
        each(operation, &mut look_up);
        if let Some(Target::BulkId(bulk_id)) = &operation.target
            && let Some(id) = look_up(bulk_id)
        {
            operation.target = Some(Target::Id(id));
        }
        missing.map_or(Ok(()), Err)
    }

    /// Notes how an operation ended: for a POST with the id of what was made.
    pub fn note(&mut self, index: usize, outcome: Result<Option<String>, ()>) {
        if outcome.is_err() {
            self.errors_left = self.errors_left.map(|left| left.saturating_sub(1));
        }
        let Some(entry) = self.entries.get(index) else { return };
        if entry.method == Method::Post.as_str()
            && let Some(bulk_id) = &entry.bulk_id
        {
            self.made.insert(bulk_id.clone(), outcome.unwrap_or_default());
        }
    }

    /// What those of a circle are told that have no mistake of their own.
    pub fn circle_broken() -> ScimError {
        ScimError::new(
            409,
            "This operation and others of the request refer to each other in a circle, and one of them cannot be \
             carried out, so that none of them was.",
        )
    }
}

/// The POSTs by their bulkId, with what they make where that is known. A bulkId that stands twice is nobody's.
fn posts(entries: &mut [Entry]) -> HashMap<String, (usize, Option<Kind>)> {
    let mut posts: HashMap<String, (usize, Option<Kind>)> = HashMap::new();
    let mut doubled = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        if entry.method != Method::Post.as_str() {
            continue;
        }
        let kind = entry.asked.as_ref().ok().map(|operation| operation.kind);
        if let Some(bulk_id) = &entry.bulk_id
            && posts.insert(bulk_id.clone(), (index, kind)).is_some()
        {
            doubled.insert(bulk_id.clone());
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.method == Method::Post.as_str()) {
        if let Some(bulk_id) = entry.bulk_id.as_ref().filter(|bulk_id| doubled.contains(*bulk_id)) {
            entry.asked = Err(ScimError::invalid_value(format!(
                "The bulkId \"{}\" stands at more than one POST of the request; each needs one of its own.",
                quotable(bulk_id, 80)
            )));
        }
    }
    for bulk_id in doubled {
        if let Some((_, kind)) = posts.get_mut(&bulk_id) {
            *kind = None;
        }
    }
    posts
}

/// Operations on one resource keep their order among themselves.
fn follow_each_other(entries: &[Entry], needs: &mut [BTreeSet<usize>]) {
    let mut last: HashMap<(Kind, &Target), usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Ok(Operation { kind, target: Some(target), .. }) = &entry.asked
            && let Some(before) = last.insert((*kind, target), index)
            && let Some(needed) = needs.get_mut(index)
        {
            needed.insert(before);
        }
    }
}

fn unknown(bulk_id: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "No POST of this request has the bulkId \"{}\" that is referred to.",
        quotable(bulk_id, 80)
    ))
}

fn failed(bulk_id: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "The POST with the bulkId \"{}\" that is referred to failed, so that there is no id to put here.",
        quotable(bulk_id, 80)
    ))
}

fn other_kind(bulk_id: &str, kind: Kind) -> ScimError {
    ScimError::invalid_value(format!(
        "The POST with the bulkId \"{}\" makes no {}, so that there is none below {}.",
        quotable(bulk_id, 80),
        kind.name(),
        kind.endpoint()
    ))
}

fn not_a_user() -> ScimError {
    ScimError::invalid_value(
        "A bulkId of a Group stands where the id of a User must: members of a group here are users, and so are \
         managers. Send the users of that group as members instead.",
    )
}

fn no_circle(groups: bool) -> ScimError {
    let why = if groups {
        "groups that contain each other cannot be, because members of a group here are users".to_owned()
    } else {
        format!("at most {MAX_CIRCLE} may; set the references in a second request")
    };
    ScimError::new(409, format!("Operations of this request refer to each other in a circle: {why}."))
}

fn taken() -> ScimError {
    ScimError::new(500, "This operation was carried out already.")
}
