//! One plain sentence on what a SCIM call did, or what was refused and why: "Added 3 people to Engineering."
//!
//! It is made of what the log keeps of the call, and of what the handler told about it. Where the body was cut, numbers
//! say "at least".

use super::{Target, clipped, parameter, text};
use crate::model::scim_request::ScimResource;
use crate::protocol::scim::as_boolean;
use crate::protocol::scim::name::member;
use serde_json::Value;

/// How long a name, a filter and the whole sentence get.
const LONGEST_NAME: usize = 100;
const LONGEST_FILTER: usize = 160;
const LONGEST: usize = 600;
/// How many attributes are named.
const MOST_NAMED: usize = 4;

/// What is known of a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// `None` if the client hung up before there was one.
    pub status: Option<u16>,
    /// The name of the user or group, if the handler knew it.
    pub name: Option<&'a str>,
    /// Of a list: how many there are in all, and on the page.
    pub listed: Option<(u64, u64)>,
    pub request: Option<&'a Value>,
    /// Whether the end of the request's body is missing.
    pub cut: bool,
    pub response: Option<&'a Value>,
    /// Why it was refused.
    pub error: Option<&'a str>,
}

/// Something done, in the past and as an infinitive, and what it was done to.
struct Deed {
    past: &'static str,
    base: &'static str,
    rest: String,
}

fn deed(past: &'static str, base: &'static str, rest: impl Into<String>) -> Deed {
    Deed { past, base, rest: rest.into() }
}

/// Tells what happened.
pub fn tell(call: &Call<'_>) -> String {
    let deeds = deeds(call);
    let joined = |verb: fn(&Deed) -> &'static str| {
        deeds.iter().map(|deed| format!("{} {}", verb(deed), deed.rest)).collect::<Vec<_>>().join(" and ")
    };
    let intent = || joined(|deed| deed.base);
    let because = call.error.map(str::trim).filter(|error| !error.is_empty());
    let told = match (call.status, because) {
        (None, _) => format!("the client hung up before the answer to a call to {}", intent()),
        (Some(304), _) => format!("{}: unchanged since the client last saw it", joined(|deed| deed.past)),
        (Some(..=399), _) => format!("{}{}", joined(|deed| deed.past), found(call)),
        (Some(401), Some(because)) => format!("refused the call: {because}"),
        (Some(401), None) => "refused the call: its token is not valid".to_owned(),
        (Some(429), _) => format!("turned away a call to {}: too many requests", intent()),
        (Some(404), Some(because)) => format!("could not {}: {because}", intent()),
        (Some(500..), Some(because)) => format!("failed to {}: {because}", intent()),
        (Some(500..), None) => format!("failed to {}", intent()),
        (Some(_), Some(because)) => format!("refused to {}: {because}", intent()),
        (Some(status), None) => format!("refused to {} (status {status})", intent()),
    };
    sentence(&told)
}

/// Tells what would happen, of a call that was only rehearsed; `changes` says whether it would change anything.
pub fn foretell(call: &Call<'_>, changes: bool) -> String {
    let deeds = deeds(call);
    let intent =
        deeds.iter().map(|deed| format!("{} {}", deed.base, deed.rest)).collect::<Vec<_>>().join(" and ");
    let because = call
        .error
        .map(str::trim)
        .filter(|error| !error.is_empty())
        .map_or_else(String::new, |error| format!(": {error}"));
    let told = match call.status {
        Some(304) => "would answer that nothing changed since the client last saw it".to_owned(),
        Some(..=399) if changes || is_read(call) || call.listed.is_some() => {
            format!("would {intent}{}", found(call))
        }
        Some(..=399) => format!("would take the call to {intent}, and change nothing by it"),
        Some(401) => format!("would refuse the call{because}"),
        Some(500..) => format!("would fail to {intent}{because}"),
        _ => format!("would refuse to {intent}{because}"),
    };
    sentence(&told)
}

/// With a capital and a full stop.
fn sentence(told: &str) -> String {
    let told = clipped(told, LONGEST);
    let mut characters = told.chars();
    let mut sentence: String =
        characters.next().map(|first| first.to_ascii_uppercase()).into_iter().collect();
    sentence.push_str(characters.as_str());
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// What a list or a look-up found.
fn found(call: &Call<'_>) -> String {
    let Some((total, shown)) = call.listed else { return String::new() };
    match (filter(call), total) {
        (Some(_), 0) => ": found none".to_owned(),
        (Some(_), total) if shown == total => format!(": found {total}"),
        (Some(_), total) => format!(": found {total}, sent {shown}"),
        (None, total) => format!(": {shown} of {total}"),
    }
}

fn filter(call: &Call<'_>) -> Option<String> {
    let filter = call.request.and_then(|body| text(body, "filter")).map(str::to_owned);
    let filter = filter.or_else(|| parameter(call.path, "filter"))?;
    Some(clipped(&filter, LONGEST_FILTER).into_owned())
}

fn name(name: &str) -> String {
    clipped(name, LONGEST_NAME).into_owned()
}

fn is_read(call: &Call<'_>) -> bool {
    matches!(call.method, "GET" | "HEAD")
}

fn deeds(call: &Call<'_>) -> Vec<Deed> {
    let one = |past, base, rest: String| vec![deed(past, base, rest)];
    let target = Target::of(call.path);
    match (target, call.method) {
        (Target::Users, "POST") => one("added", "add", added_user(call)),
        (Target::Groups, "POST") => one("created", "create", created_group(call)),
        (Target::Users | Target::Groups | Target::Roles, _) if is_read(call) => {
            vec![list(target.resource(), call)]
        }
        (Target::Search(resource), "POST") => vec![list(resource, call)],
        (Target::User(id), _) if is_read(call) => one("read", "read", whom(call, id)),
        (Target::User(id), "PUT") => replaced_user(call, id),
        (Target::User(id), "PATCH") => changed_user(call, id),
        (Target::User(id), "DELETE") => one("deleted", "delete", whom(call, id)),
        (Target::Group(id), _) if is_read(call) => {
            one("read", "read", format!("the group {}", which(call, id)))
        }
        (Target::Group(id), "PUT") => replaced_group(call, id),
        (Target::Group(id), "PATCH") => changed_group(call, id),
        (Target::Group(id), "DELETE") => one("deleted", "delete", format!("the group {}", which(call, id))),
        (Target::Role(id), _) if is_read(call) => one("read", "read", format!("the role {}", name(id))),
        (Target::Bulk, "POST") => one("did", "do", bulk(call)),
        (Target::Discovery(document), _) if is_read(call) => {
            one("read", "read", format!("what this server offers ({document})"))
        }
        _ => one("answered", "answer", format!("{} {}", call.method, bare(call.path))),
    }
}

/// The path without root and query.
fn bare(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    name(path.strip_prefix("/scim/v2").filter(|rest| !rest.is_empty()).unwrap_or(path))
}

/// Whom a call to `/Users/{id}` is about.
fn whom(call: &Call<'_>, id: &str) -> String {
    match known(call, "userName") {
        Some(known) => name(known),
        None => format!("the user {}", name(id)),
    }
}

/// Which group a call to `/Groups/{id}` is about.
fn which(call: &Call<'_>, id: &str) -> String {
    known(call, "displayName").map_or_else(|| name(id), name)
}

/// The name that the handler told, or that the body says.
fn known<'a>(call: &Call<'a>, attribute: &str) -> Option<&'a str> {
    let said = || call.request.and_then(|body| text(body, attribute));
    call.name.or_else(said).filter(|name| !name.trim().is_empty())
}

fn added_user(call: &Call<'_>) -> String {
    let who = known(call, "userName").map_or_else(|| "a user without userName".to_owned(), name);
    match call.request.and_then(|body| member(body, "active")).and_then(as_boolean) {
        Some(false) => format!("{who}, not active"),
        _ => who,
    }
}

fn replaced_user(call: &Call<'_>, id: &str) -> Vec<Deed> {
    let mut deeds = vec![deed("replaced", "replace", format!("the profile of {}", whom(call, id)))];
    if call.request.and_then(|body| member(body, "active")).and_then(as_boolean) == Some(false) {
        deeds.push(deed("set", "set", "it to not active"));
    }
    deeds
}

/// The operations of a PATCH.
fn operations<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Value> {
    call.request.and_then(|body| member(body, "Operations")).and_then(Value::as_array).into_iter().flatten()
}

/// What a PATCH names: each path, or each member of a value without a path, with its value.
fn named(operation: &Value) -> Vec<(&str, Option<&Value>)> {
    let value = member(operation, "value");
    match (text(operation, "path").filter(|path| !path.trim().is_empty()), value) {
        (Some(path), value) => vec![(path, value)],
        (None, Some(Value::Object(members))) => {
            members.iter().map(|(name, value)| (name.as_str(), Some(value))).collect()
        }
        (None, _) => Vec::new(),
    }
}

/// A path as people say it: without the URN in front and the filter behind.
fn attribute(path: &str) -> &str {
    let path = path.split('[').next().unwrap_or_default();
    let end = path.rsplit(':').next().unwrap_or_default();
    let attribute = if path.starts_with("urn:") { end } else { path };
    // A whole extension is named by its URN, which ends in the resource type.
    if attribute.is_empty() { path } else { attribute }
}

fn changed_user(call: &Call<'_>, id: &str) -> Vec<Deed> {
    let who = whom(call, id);
    let mut deeds = Vec::new();
    let mut attributes: Vec<&str> = Vec::new();
    for (path, value) in operations(call).flat_map(named) {
        let attribute = attribute(path);
        match value.and_then(as_boolean) {
            Some(active) if attribute.eq_ignore_ascii_case("active") => {
                deeds.retain(|deed: &Deed| deed.base != "activate" && deed.base != "deactivate");
                deeds.push(if active {
                    deed("activated", "activate", who.clone())
                } else {
                    deed("deactivated", "deactivate", who.clone())
                });
            }
            _ if matches!(attribute, "id" | "schemas" | "meta") => {}
            _ if attributes.contains(&attribute) => {}
            _ => attributes.push(attribute),
        }
    }
    if !attributes.is_empty() || deeds.is_empty() {
        let whose = if deeds.is_empty() { format!("of {who}") } else { "of the same person".to_owned() };
        let what = if attributes.is_empty() { "nothing".to_owned() } else { some(&attributes, call.cut) };
        deeds.push(deed("changed", "change", format!("{what} {whose}")));
    }
    deeds
}

/// A few names, and how many more there are.
fn some(names: &[&str], more_to_come: bool) -> String {
    let shown: Vec<_> = names.iter().take(MOST_NAMED).map(|text| clipped(text, 60)).collect();
    let left = names.len().saturating_sub(MOST_NAMED);
    match (shown.as_slice(), left) {
        _ if more_to_come => format!("{} and more", shown.join(", ")),
        (_, 1..) => format!("{} and {left} more", shown.join(", ")),
        ([first @ .., last], 0) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => shown.join(", "),
    }
}

fn people(number: usize, at_least: bool) -> String {
    match (number, at_least) {
        (0, true) => "people".to_owned(),
        (number, true) => format!("at least {number} people"),
        (0, false) => "nobody".to_owned(),
        (1, false) => "1 person".to_owned(),
        (number, false) => format!("{number} people"),
    }
}

/// How many members a value names.
fn count(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Array(members)) => members.len(),
        Some(Value::Null) | None => 0,
        Some(_) => 1,
    }
}

fn created_group(call: &Call<'_>) -> String {
    let group = known(call, "displayName").map_or_else(|| "without a name".to_owned(), name);
    match count(call.request.and_then(|body| member(body, "members"))) {
        0 => format!("the group {group}"),
        members => format!("the group {group} with {}", people(members, call.cut)),
    }
}

fn replaced_group(call: &Call<'_>, id: &str) -> Vec<Deed> {
    let group = which(call, id);
    let members = call.request.and_then(|body| member(body, "members"));
    let rest = match members {
        Some(members) => format!("the group {group}, with {} in it", people(count(Some(members)), call.cut)),
        None => format!("the group {group}"),
    };
    vec![deed("replaced", "replace", rest)]
}

fn changed_group(call: &Call<'_>, id: &str) -> Vec<Deed> {
    let group = which(call, id);
    let (mut added, mut removed, mut set, mut emptied) = (0, 0, None, false);
    let mut attributes: Vec<&str> = Vec::new();
    for operation in operations(call) {
        let verb = text(operation, "op").unwrap_or_default().to_ascii_lowercase();
        for (path, value) in named(operation) {
            let attribute = attribute(path);
            let of_members = attribute.eq_ignore_ascii_case("members");
            match verb.as_str() {
                "add" if of_members => added += count(value),
                "remove" if of_members && path.contains('[') => removed += 1,
                "remove" if of_members && count(value) > 0 => removed += count(value),
                "remove" if of_members => emptied = true,
                _ if of_members => set = Some(count(value)),
                _ if matches!(attribute, "id" | "schemas" | "meta") => {}
                _ if attributes.contains(&attribute) => {}
                _ => attributes.push(attribute),
            }
        }
    }
    let mut deeds = Vec::new();
    let mut group_or_it = {
        let mut first = true;
        move || if std::mem::take(&mut first) { group.clone() } else { "it".to_owned() }
    };
    // Only the last number can be missing something.
    let cut = call.cut;
    if emptied {
        deeds.push(deed("removed", "remove", format!("everybody from {}", group_or_it())));
    }
    if added > 0 {
        deeds.push(deed("added", "add", format!("{} to {}", people(added, cut), group_or_it())));
    }
    if removed > 0 {
        deeds.push(deed("removed", "remove", format!("{} from {}", people(removed, cut), group_or_it())));
    }
    if let Some(set) = set {
        deeds.push(deed("set", "set", format!("the members of {} to {}", group_or_it(), people(set, cut))));
    }
    if !attributes.is_empty() || deeds.is_empty() {
        let what = if attributes.is_empty() { "nothing".to_owned() } else { some(&attributes, false) };
        deeds.push(deed("changed", "change", format!("{what} of {}", group_or_it())));
    }
    deeds
}

fn list(resource: ScimResource, call: &Call<'_>) -> Deed {
    let what = match resource {
        ScimResource::User => "people",
        ScimResource::Group => "groups",
        ScimResource::Role => "roles",
        _ => "people and groups",
    };
    match filter(call) {
        Some(filter) => deed("looked for", "look for", format!("{what} with {filter}")),
        None => deed("listed", "list", what),
    }
}

fn bulk(call: &Call<'_>) -> String {
    let number = operations(call).count();
    let least = if call.cut { "at least " } else { "" };
    let what = if number == 1 { "operation" } else { "operations" };
    let answers = call.response.and_then(|body| member(body, "Operations")).and_then(Value::as_array);
    let failed = answers.into_iter().flatten().filter(|answer| {
        let status = member(answer, "status");
        let status = status.and_then(|status| text(status, "code").or_else(|| status.as_str()));
        status.is_some_and(|status| status.starts_with(['4', '5']))
    });
    match failed.count() {
        0 => format!("{least}{number} {what} in one call"),
        failed => format!("{least}{number} {what} in one call, of which {failed} failed"),
    }
}
