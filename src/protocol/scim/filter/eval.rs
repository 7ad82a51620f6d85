//! Filters in memory: the meaning that a store's SQL must agree with.
//!
//! A comparison holds if some value of the attribute meets it; `ne` also holds where there is no value.
//! Strings that are not case-exact are folded on both sides; times are compared as moments.
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::super::name::fold;
use super::super::schema::Kind;
use super::super::value::parse_time;
use super::{AttributeRef, Filter, Literal, Operator};

impl Filter {
    /// Whether a resource, as it leaves (with `id`, `meta`, `schemas`), meets the filter. For a filter
    /// from brackets: whether one element does.
    pub fn matches(&self, resource: &Value) -> bool {
        match self {
            Self::And(terms) => terms.iter().all(|term| term.matches(resource)),
            Self::Or(terms) => terms.iter().any(|term| term.matches(resource)),
            Self::Not(filter) => !filter.matches(resource),
            Self::Present(attribute) => attribute.values(resource).into_iter().any(is_present),
            Self::Has { attribute, filter } => {
                attribute.values(resource).into_iter().any(|element| filter.matches(element))
            }
            Self::Compare { attribute, operator, literal } => {
                let values = attribute.values(resource);
                match (operator, literal) {
                    (Operator::NotEqual, Literal::Null) => !values.is_empty(),
                    (_, Literal::Null) => values.is_empty(),
                    (Operator::NotEqual, literal) => {
                        values.is_empty()
                            || values.iter().any(|value| !holds(attribute, Operator::Equal, value, literal))
                    }
                    (operator, literal) => {
                        values.iter().any(|value| holds(attribute, *operator, value, literal))
                    }
                }
            }
        }
    }
}

impl AttributeRef {
    /// The values of the attribute in a resource or element, without nulls.
    pub fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let base = match &self.extension {
            Some(urn) => resource.get(urn),
            None => Some(resource),
        };
        let Some(base) = base else { return Vec::new() };
        // An element that is no object is its own value.
        let value = if base.is_object() { base.get(&self.name) } else { Some(base) };
        let mut values: Vec<&Value> = flat(value).collect();
        if let Some(sub) = &self.sub {
            values = values.into_iter().flat_map(|value| flat(value.get(sub))).collect();
        }
        values
    }
}

fn flat(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let values = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter(|value| !value.is_null())
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => object.values().any(|value| !value.is_null()),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn holds(attribute: &AttributeRef, operator: Operator, value: &Value, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Bool(value), Literal::Boolean(literal)) => operator == Operator::Equal && value == literal,
        (Value::Number(value), Literal::Number(literal)) => {
            numbers(value, literal).is_some_and(|ordering| fits(operator, ordering))
        }
        (Value::String(value), Literal::Text(literal)) => {
            if attribute.kind == Kind::DateTime
                && let (Some(value), Some(literal)) = (parse_time(value), parse_time(literal))
                && (operator == Operator::Equal || operator.is_ordering())
            {
                return fits(operator, value.cmp(&literal));
            }
            if attribute.case_exact {
                texts(operator, value, literal)
            } else {
                texts(operator, &fold(value), &fold(literal))
            }
        }
        _ => false,
    }
}

fn texts(operator: Operator, value: &str, literal: &str) -> bool {
    match operator {
        Operator::Contains => value.contains(literal),
        Operator::StartsWith => value.starts_with(literal),
        Operator::EndsWith => value.ends_with(literal),
        operator => fits(operator, value.cmp(literal)),
    }
}

fn numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn fits(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}
