//! What a request does to the members of a group, told without the members (RFC 7644 §3.5.2 on `members`).
//!
//! Whatever the dialect (array or object, path or none, one value chosen by a filter or several by a list), the
//! operations on `members` fold into one [`Membership`]: who comes, and who goes or who alone may stay. So a store
//! can carry out any PATCH in one statement each way, and nobody's change overwrites another's. Members are users; a
//! group in a group is refused.
use std::collections::BTreeSet;

use serde_json::Value;

use super::error::quotable;
use super::filter::{Filter, Literal, Operator};
use super::name::member;
use super::patch::{Change, Op, Target, numbered};
use super::schema::{self, Attribute};
use super::value::{self, Reading};
use super::{Conformance, PatchRequest, ScimError, fold};

/// The name of the attribute.
pub const MEMBERS: &str = "members";

/// Ids of members, as they were sent.
pub type Ids = BTreeSet<String>;

/// Who stays of those who are in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staying {
    /// All but these.
    AllBut(Ids),
    /// These alone, of those who are in it.
    Only(Ids),
}

impl Default for Staying {
    fn default() -> Self {
        Self::AllBut(Ids::new())
    }
}

impl Staying {
    fn and(&mut self, other: Self) {
        *self = match (std::mem::take(self), other) {
            (Self::AllBut(mut a), Self::AllBut(b)) => {
                a.extend(b);
                Self::AllBut(a)
            }
            (Self::Only(mut a), Self::Only(b)) => {
                a.retain(|id| b.contains(id));
                Self::Only(a)
            }
            (Self::Only(mut only), Self::AllBut(gone)) | (Self::AllBut(gone), Self::Only(mut only)) => {
                only.retain(|id| !gone.contains(id));
                Self::Only(only)
            }
        };
    }

    fn not(self) -> Self {
        match self {
            Self::AllBut(ids) => Self::Only(ids),
            Self::Only(ids) => Self::AllBut(ids),
        }
    }

    fn has(&self, id: &str) -> bool {
        match self {
            Self::AllBut(gone) => !gone.contains(id),
            Self::Only(ids) => ids.contains(id),
        }
    }
}

/// What a request does to the members of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    staying: Staying,
    added: Ids,
    named: Ids,
}

impl Membership {
    /// The members are these from now on.
    pub fn whole(ids: Ids) -> Self {
        Self { staying: Staying::Only(Ids::new()), added: ids.clone(), named: ids }
    }

    /// Who is to be in the group whether they were or not.
    pub fn added(&self) -> &Ids {
        &self.added
    }

    /// Everybody whom some operation would add: each must be somebody, also where a later operation takes that one
    /// out again.
    pub fn named(&self) -> &Ids {
        &self.named
    }

    /// Who goes: [`Staying::AllBut`] of nobody where nobody does. Who is added stays, whatever is said here.
    pub fn staying(&self) -> &Staying {
        &self.staying
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The members afterwards, if these were in it before: what a store has to arrive at.
    pub fn apply(&self, before: &Ids) -> Ids {
        let kept = before.iter().filter(|id| self.staying.has(id)).cloned();
        kept.chain(self.added.iter().cloned()).collect()
    }

    fn add(&mut self, ids: Ids) {
        // By what comes in this operation, not by all that came before: there may be a thousand of each.
        if let Staying::AllBut(gone) = &mut self.staying {
            for id in &ids {
                gone.remove(id);
            }
        }
        self.named.extend(ids.iter().cloned());
        self.added.extend(ids);
    }

    fn remove(&mut self, leaving: Staying) {
        let staying = leaving.not();
        match &staying {
            Staying::AllBut(gone) => {
                for id in gone {
                    self.added.remove(id);
                }
            }
            Staying::Only(ids) => self.added.retain(|id| ids.contains(id)),
        }
        self.staying.and(staying);
    }
}

/// A PATCH of a group: what it does to the members, and all the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPatch {
    pub membership: Membership,
    /// Changes of other attributes; may have none.
    pub rest: PatchRequest,
}

impl GroupPatch {
    /// Reads the body of a PATCH of a group.
    ///
    /// As [`PatchRequest::parse`]; besides, `invalidValue` for a member without an id and for a group as a member,
    /// `invalidFilter` where members are chosen by more than `value` and `type`, and `mutability` for changing what
    /// a member is.
    pub fn parse(body: &Value, conformance: Conformance) -> Result<Self, ScimError> {
        let request = PatchRequest::parse(schema::group(), body, conformance)?;
        let (rest, changes) = request.split(MEMBERS);
        let reader = Reader { attribute: attribute()?, reading: rest.reading() };
        let mut membership = Membership::default();
        for change in &changes {
            reader
                .change(&mut membership, change)
                .map_err(|error| numbered(error, change.operation, rest.operations()))?;
        }
        Ok(Self { membership, rest })
    }
}

/// The table of `members`.
fn attribute() -> Result<&'static Attribute, ScimError> {
    schema::group().attribute(None, MEMBERS).ok_or_else(|| ScimError::new(500, "Groups have no members."))
}

/// The ids in the value of `members` of a POST or PUT, in normal form.
pub(super) fn ids_of(items: &[Value]) -> Result<Ids, ScimError> {
    let mut ids = Ids::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("{MEMBERS}[{index}]");
        if let Some(kind) = item.get("type").and_then(Value::as_str)
            && !is_user(kind)
        {
            return Err(ScimError::invalid_value(format!(
                "{at} is of the type \"{}\"; members of a group here are users. Send the users of that group as \
                 members instead.",
                quotable(kind, 40)
            )));
        }
        let Some(id) = item.get("value").and_then(Value::as_str) else {
            return Err(ScimError::invalid_value(format!("{at} has no value; it must be the id of a user.")));
        };
        ids.insert(id.to_owned());
    }
    Ok(ids)
}

/// Refuses members that name nobody: a list that would be empty for it must not empty a group.
pub(super) fn check_named(sent: &Value) -> Result<(), ScimError> {
    let items = match sent {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    let names = |item: &Value| {
        let value = |(key, value): (&String, &Value)| key.eq_ignore_ascii_case("value") && !value.is_null();
        item.as_object().is_some_and(|object| object.iter().any(value))
    };
    match items.iter().position(|item| !names(item)) {
        Some(index) => Err(ScimError::invalid_value(format!(
            "{MEMBERS}[{index}] has no value; a member is an object whose value is the id of a user."
        ))),
        None => Ok(()),
    }
}

fn is_user(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("User")
}

struct Reader {
    attribute: &'static Attribute,
    reading: Reading,
}

impl Reader {
    fn change(&self, membership: &mut Membership, change: &Change) -> Result<(), ScimError> {
        let Target::Attribute(path) = &change.target else { return Ok(()) };
        let sent = change.value.as_ref().unwrap_or(&Value::Null);
        match (&path.filter, path.sub.as_deref(), change.op) {
            (None, None, Op::Add) => membership.add(self.sent(sent)?),
            (None, None, Op::Replace) => {
                let ids = self.sent(sent)?;
                membership.remove(Staying::default());
                membership.add(ids);
            }
            (None, None, Op::Remove) => membership.remove(match sent {
                Value::Null => Staying::default(),
                Value::Array(named) => Staying::Only(named.iter().filter_map(named_id).collect()),
                named => Staying::Only(named_id(named).into_iter().collect()),
            }),
            (Some(filter), None, Op::Remove) => membership.remove(chosen(filter)?),
            (Some(filter), None, Op::Replace) if sent.is_null() => membership.remove(chosen(filter)?),
            (Some(filter), None, _) => self.one(membership, filter, sent)?,
            (Some(filter), Some("value"), Op::Add | Op::Replace) => {
                self.one(membership, filter, &serde_json::json!({ "value": sent }))?;
            }
            (_, Some(_), _) => return Err(fixed()),
        }
        Ok(())
    }

    /// The ids of a value for `members`.
    fn sent(&self, sent: &Value) -> Result<Ids, ScimError> {
        check_named(sent)?;
        ids_of(&value::read_items(self.attribute, sent, MEMBERS, self.reading)?)
    }

    /// A value for the one member that a filter names: nothing but that member may be meant.
    fn one(&self, membership: &mut Membership, filter: &Filter, sent: &Value) -> Result<(), ScimError> {
        let named = match chosen(filter)? {
            Staying::Only(ids) if ids.len() == 1 => ids,
            _ => {
                return Err(ScimError::no_target(
                    "The path must choose one member: members[value eq \"id\"].",
                ));
            }
        };
        let mut sent = match sent {
            Value::Array(items) if items.len() == 1 => items.first().cloned().unwrap_or_default(),
            sent => sent.clone(),
        };
        if let (Some(object), Some(id)) = (sent.as_object_mut(), named.first())
            && !object.keys().any(|key| key.eq_ignore_ascii_case("value"))
        {
            object.insert("value".into(), id.as_str().into());
        }
        if self.sent(&sent)? != named {
            return Err(fixed());
        }
        membership.add(named);
        Ok(())
    }
}

fn fixed() -> ScimError {
    ScimError::mutability("A member cannot be changed into another; remove it and add the other.")
}

/// The id that an element of the value of a remove names; what names nobody removes nobody.
fn named_id(named: &Value) -> Option<String> {
    let part = |name: &str| member(named, name)?.as_str();
    if let Value::String(id) = named {
        return Some(id.clone());
    }
    if part("type").is_some_and(|kind| !is_user(kind)) {
        return None;
    }
    part("value").map(str::to_owned)
}

/// Whom a filter in brackets chooses, as far as that can be said by ids.
fn chosen(filter: &Filter) -> Result<Staying, ScimError> {
    let everybody = Staying::default;
    let nobody = || Staying::Only(Ids::new());
    Ok(match filter {
        Filter::And(terms) => {
            let mut all = everybody();
            for term in terms {
                all.and(chosen(term)?);
            }
            all
        }
        Filter::Or(terms) => {
            let mut none = everybody();
            for term in terms {
                none.and(chosen(term)?.not());
            }
            none.not()
        }
        Filter::Not(filter) => chosen(filter)?.not(),
        Filter::Present(attribute) if ["value", "type", "$ref"].contains(&attribute.name.as_str()) => {
            everybody()
        }
        Filter::Compare {
            attribute,
            operator: operator @ (Operator::Equal | Operator::NotEqual),
            literal: literal @ (Literal::Text(_) | Literal::Null),
        } if ["value", "type"].contains(&attribute.name.as_str()) => {
            let equal = match literal {
                Literal::Text(text) if attribute.name == "value" => Staying::Only(Ids::from([text.clone()])),
                Literal::Text(text) if fold(text) == "user" => everybody(),
                _ => nobody(),
            };
            if *operator == Operator::Equal { equal } else { equal.not() }
        }
        _ => {
            return Err(ScimError::invalid_filter(
                "In the path of a PATCH, members are chosen by value and type, with eq and ne: members[value eq \"id\"].",
            ));
        }
    })
}
