//! Filters (RFC 7644 §3.4.2.2): a tree that was checked against the attribute tables when it was read.
//!
//! A parsed filter names only attributes that exist, in canonical spelling, and compares only what can
//! be compared; printing it gives a filter that reads back as the same tree. An attribute with a
//! `value` sub-attribute, compared by itself, means that `value` (`emails co "x"`, Entra's
//! `manager eq "id"`), and `emails[type eq "work"].value eq "x"` is taken as
//! `emails[type eq "work" and value eq "x"]`.
mod eval;
mod parse;
mod sort;

use std::fmt;

use thiserror::Error;

use super::ScimError;
use super::schema::Attribute;
use crate::protocol::percent::decoded;

pub use super::name::{fold, folded};
pub use super::schema::Kind;
pub(super) use parse::bracketed;
pub use parse::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS};
pub use sort::Sort;

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of two or more.
    And(Vec<Filter>),
    /// Any of two or more.
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// Some value of the attribute stands in that relation to the literal.
    Compare {
        attribute: AttributeRef,
        operator: Operator,
        literal: Literal,
    },
    /// The attribute has a value.
    Present(AttributeRef),
    /// One and the same value of a multi-valued attribute meets the filter, whose names are
    /// sub-attributes.
    Has {
        attribute: AttributeRef,
        filter: Box<Filter>,
    },
}

/// An attribute by canonical names, with what a comparison needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttributeRef {
    /// URN of the extension; `None` is the core schema or, in brackets, the element.
    pub extension: Option<String>,
    pub name: String,
    pub sub: Option<String>,
    /// Of the sub-attribute, where one is named.
    pub kind: Kind,
    /// Of the sub-attribute, where one is named.
    pub case_exact: bool,
    /// Whether the attribute has a list of values.
    pub multi_valued: bool,
    /// Whether the sub-attribute has a list of values.
    pub sub_multi_valued: bool,
}

impl AttributeRef {
    fn new(extension: Option<&str>, attribute: &Attribute, sub: Option<&Attribute>) -> Self {
        let leaf = sub.unwrap_or(attribute);
        Self {
            extension: extension.map(ToOwned::to_owned),
            name: attribute.name.clone(),
            sub: sub.map(|sub| sub.name.clone()),
            kind: leaf.kind,
            case_exact: leaf.case_exact,
            multi_valued: attribute.multi_valued,
            sub_multi_valued: sub.is_some_and(|sub| sub.multi_valued),
        }
    }
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// The operator as a filter spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    /// Whether it asks for an order.
    pub fn is_ordering(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }
}

/// What an attribute is compared with. Its type fits the attribute's.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    Boolean(bool),
    Number(serde_json::Number),
    /// With `eq`: unassigned; with `ne`: assigned.
    Null,
}

impl Literal {
    /// The moment that a text names, in nanoseconds since 1970; without a zone it is taken as UTC.
    pub fn moment(&self) -> Option<i128> {
        match self {
            Self::Text(text) => {
                super::value::parse_time(text).map(time::OffsetDateTime::unix_timestamp_nanos)
            }
            _ => None,
        }
    }
}

/// Why a filter was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("The filter is wrong at character {position}: {message}.")]
pub struct FilterError {
    /// Counted in characters, from 1.
    pub position: usize,
    pub message: String,
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        Self::invalid_filter(error.to_string())
    }
}

/// A term that every match must meet and that a store is likely to have an index for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKey<'a> {
    /// Case-exact.
    Id(&'a str),
    /// Case-exact.
    ExternalId(&'a str),
    /// To be folded, see [`super::fold`].
    UserName(&'a str),
    /// Of groups or users; to be folded.
    DisplayName(&'a str),
    /// The `value` of an e-mail; to be folded.
    Email(&'a str),
    Active(bool),
}

impl Filter {
    /// The terms that an index may serve, of the filter itself or of its top conjunction.
    ///
    /// A store may narrow by any of them and then keep what [`Self::matches`]. Empty where there is
    /// none; the order is from most to least selective.
    pub fn index_keys(&self) -> Vec<IndexKey<'_>> {
        let mut keys: Vec<_> = match self {
            Self::And(terms) => terms.iter().filter_map(Self::index_key).collect(),
            term => term.index_key().into_iter().collect(),
        };
        keys.sort_by_key(|key| match key {
            IndexKey::Id(_) => 0,
            IndexKey::ExternalId(_) => 1,
            IndexKey::UserName(_) => 2,
            IndexKey::Email(_) => 3,
            IndexKey::DisplayName(_) => 4,
            IndexKey::Active(_) => 5,
        });
        keys
    }

    /// The filter as exactly one indexed equality, such as `userName eq "x"`: then no further check is
    /// needed. (An e-mail comparison with a type is not exact.)
    pub fn exact_key(&self) -> Option<IndexKey<'_>> {
        match self {
            Self::Compare { .. } => self.index_key(),
            _ => None,
        }
    }

    /// The filter with percent-encoding in its texts undone, if there is any: the SCIM Validator of Entra ID encodes
    /// values once more before it encodes the query.
    pub fn decoded(&self) -> Option<Self> {
        let all = |terms: &[Self]| -> Option<Vec<Self>> {
            let decoded: Vec<_> = terms.iter().map(Self::decoded).collect();
            let any = decoded.iter().any(Option::is_some);
            let each =
                decoded.into_iter().zip(terms).map(|(term, before)| term.unwrap_or_else(|| before.clone()));
            any.then(|| each.collect())
        };
        match self {
            Self::And(terms) => all(terms).map(Self::And),
            Self::Or(terms) => all(terms).map(Self::Or),
            Self::Not(filter) => filter.decoded().map(Box::new).map(Self::Not),
            Self::Has { attribute, filter } => filter
                .decoded()
                .map(|filter| Self::Has { attribute: attribute.clone(), filter: Box::new(filter) }),
            Self::Compare { attribute, operator, literal: Literal::Text(text) } if text.contains('%') => {
                let plain = decoded(text);
                (plain != *text && !plain.contains('\0')).then(|| Self::Compare {
                    attribute: attribute.clone(),
                    operator: *operator,
                    literal: Literal::Text(plain),
                })
            }
            Self::Compare { .. } | Self::Present(_) => None,
        }
    }

    /// Whether it says anything of a core attribute.
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::And(terms) | Self::Or(terms) => terms.iter().any(|term| term.names(name)),
            Self::Not(filter) => filter.names(name),
            Self::Compare { attribute, .. } | Self::Present(attribute) | Self::Has { attribute, .. } => {
                attribute.extension.is_none() && attribute.name == name
            }
        }
    }

    fn index_key(&self) -> Option<IndexKey<'_>> {
        match self {
            Self::Compare { attribute, operator: Operator::Equal, literal }
                if attribute.extension.is_none() =>
            {
                match (attribute.name.as_str(), attribute.sub.as_deref(), literal) {
                    ("id", None, Literal::Text(text)) => Some(IndexKey::Id(text)),
                    ("externalId", None, Literal::Text(text)) => Some(IndexKey::ExternalId(text)),
                    ("userName", None, Literal::Text(text)) => Some(IndexKey::UserName(text)),
                    ("displayName", None, Literal::Text(text)) => Some(IndexKey::DisplayName(text)),
                    ("emails", Some("value"), Literal::Text(text)) => Some(IndexKey::Email(text)),
                    ("active", None, Literal::Boolean(active)) => Some(IndexKey::Active(*active)),
                    _ => None,
                }
            }
            Self::Has { attribute, filter }
                if attribute.extension.is_none() && attribute.name == "emails" =>
            {
                let terms = match filter.as_ref() {
                    Self::And(terms) => terms.as_slice(),
                    term => std::slice::from_ref(term),
                };
                terms.iter().find_map(|term| match term {
                    Self::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) }
                        if attribute.name == "value" =>
                    {
                        Some(IndexKey::Email(text.as_str()))
                    }
                    _ => None,
                })
            }
            _ => None,
        }
    }
}

impl fmt::Display for AttributeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(terms) => join(f, terms, " and ", |t| matches!(t, Self::And(_) | Self::Or(_))),
            Self::Or(terms) => join(f, terms, " or ", |t| matches!(t, Self::Or(_))),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Compare { attribute, operator, literal } => {
                write!(f, "{attribute} {} {literal}", operator.as_str())
            }
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::Has { attribute, filter } => write!(f, "{attribute}[{filter}]"),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    terms: &[Filter],
    word: &str,
    grouped: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if grouped(term) { write!(f, "({term})")? } else { write!(f, "{term}")? }
    }
    Ok(())
}
