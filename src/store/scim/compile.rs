//! Filters as SQL, with the meaning that [`Filter::matches`](crate::protocol::scim::Filter::matches) gives them.
//!
//! Each filter becomes two conditions: what surely matches and what may match. Mostly they are one, and then the
//! database's answer is final; where SQL cannot say it exactly, the rows between the two are judged in memory.
//! NULL counts as false in both, and negation knows it.

use super::json::{Json, ORDINAL};
use super::sql::{Sql, quoted};
use super::text::Text;
use super::{Field, Served, Stored};
use crate::model::id::{DirectoryId, bare_uuid};
use crate::protocol::scim::filter::{AttributeRef, Filter, Kind, Literal, Operator};
use sea_orm::DbBackend;

/// Below this whole numbers and those with a fraction compare alike in memory and in a database.
const EXACT_NUMBERS: u64 = 1 << 53;

/// Where a filter holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Cond {
    sure: Sql,
    /// `None` where it is the same.
    maybe: Option<Sql>,
}

impl Cond {
    /// A condition that says it exactly.
    pub fn exact(sql: Sql) -> Self {
        Self { sure: sql, maybe: None }
    }

    /// Between what surely matches and what may match.
    pub fn between(sure: Sql, maybe: Sql) -> Self {
        Self { sure, maybe: Some(maybe) }
    }

    fn constant(holds: bool) -> Self {
        Self::exact(if holds { Sql::yes() } else { Sql::no() })
    }

    /// SQL knows nothing of it.
    fn judged() -> Self {
        Self::between(Sql::no(), Sql::yes())
    }

    /// Whether what may match surely matches.
    pub fn is_exact(&self) -> bool {
        self.maybe.is_none()
    }

    /// What may match.
    pub fn maybe(&self) -> &Sql {
        self.maybe.as_ref().unwrap_or(&self.sure)
    }

    /// What surely matches.
    pub fn sure(&self) -> &Sql {
        &self.sure
    }

    fn map(&self, change: impl Fn(&Sql) -> Sql) -> Self {
        Self { sure: change(&self.sure), maybe: self.maybe.as_ref().map(&change) }
    }

    fn not(&self) -> Self {
        match &self.maybe {
            None => Self::exact(self.sure.negated()),
            Some(maybe) => Self::between(maybe.negated(), self.sure.negated()),
        }
    }

    fn joined(terms: &[Self], word: &str, empty: &str) -> Self {
        let sure = Sql::joined(terms.iter().map(Self::sure), word, empty);
        if terms.iter().all(Self::is_exact) {
            return Self::exact(sure);
        }
        Self::between(sure, Sql::joined(terms.iter().map(Self::maybe), word, empty))
    }

    fn all(terms: &[Self]) -> Self {
        Self::joined(terms, " AND ", "TRUE")
    }

    fn any(terms: &[Self]) -> Self {
        Self::joined(terms, " OR ", "FALSE")
    }
}

/// What one value is, to be compared.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Text(Text),
    /// 'true' or 'false'.
    Boolean(Sql),
    Number(Sql),
    /// Microseconds since 1970, shown as RFC 3339.
    Micros(Sql),
    /// Text of RFC 3339 as it was sent.
    Moment(Sql),
    /// A UUID column, and its text.
    Id {
        column: Sql,
        text: Sql,
    },
    /// Something with parts; the condition says where it is.
    Parts(Sql),
    /// Only memory knows.
    Judged,
}

/// The values of an attribute: one at most, or the rows of a table expression.
pub(super) enum Values {
    One(Operand),
    Many { from: Sql, each: Operand, first: First },
    Fixed(Vec<(String, Sql)>),
}

/// What the first of several values is.
pub(super) struct First {
    /// Where one is preferred.
    pub preferred: Option<Sql>,
    /// The order of the rest.
    pub order: &'static str,
}

/// Compiles filters on the resources of one table.
pub struct Compiler<'c, S: Stored> {
    backend: DbBackend,
    directory: DirectoryId,
    served: Served<'c>,
    table: std::marker::PhantomData<S>,
}

/// What names in a filter belong to: the resource, or one element of a list.
#[derive(Clone, Copy)]
enum Scope<'s> {
    Resource,
    Element(&'s Element),
}

/// One element of a list of values.
enum Element {
    Json(Json),
    /// A row of another table.
    Row(fn(&str) -> Field),
}

impl<'c, S: Stored> Compiler<'c, S> {
    pub fn new(backend: DbBackend, directory: DirectoryId, served: Served<'c>) -> Self {
        Self { backend, directory, served, table: std::marker::PhantomData }
    }

    /// Where what is listed is: what the filter finds, if there is one, of whom the caller may meet.
    pub fn everything(&self, filter: Option<&Filter>) -> Option<Cond> {
        let domain = self.served.domain.map(|domain| match S::ADDRESS {
            Some(column) => {
                let address = Text::sent(Sql::raw(column));
                address.compare(self.backend, true, Operator::EndsWith, &format!("@{domain}"))
            }
            None => Cond::constant(false),
        });
        let terms: Vec<Cond> = domain.into_iter().chain(filter.map(|filter| self.filter(filter))).collect();
        if terms.is_empty() { None } else { Some(Cond::all(&terms)) }
    }

    /// Where the filter holds.
    fn filter(&self, filter: &Filter) -> Cond {
        let cond = self.compile(filter, Scope::Resource);
        // What only an index can find quickly is said beside it; it follows from the filter.
        match S::found_by(self.directory, filter) {
            Some(found) => cond.map(|sql| Sql::of("(? AND ?)", [&found, sql])),
            None => cond,
        }
    }

    /// The values that an attribute sorts by.
    pub(super) fn sorted(&self, attribute: &AttributeRef) -> Values {
        self.values(attribute, Scope::Resource)
    }

    fn compile(&self, filter: &Filter, scope: Scope<'_>) -> Cond {
        match filter {
            Filter::And(terms) => {
                Cond::all(&terms.iter().map(|term| self.compile(term, scope)).collect::<Vec<_>>())
            }
            Filter::Or(terms) => {
                Cond::any(&terms.iter().map(|term| self.compile(term, scope)).collect::<Vec<_>>())
            }
            Filter::Not(filter) => self.compile(filter, scope).not(),
            Filter::Present(attribute) => self.present(attribute, scope),
            Filter::Has { attribute, filter } => self.has(attribute, filter, scope),
            Filter::Compare { attribute, operator, literal } => {
                self.compare(attribute, *operator, literal, scope)
            }
        }
    }

    fn compare(
        &self,
        attribute: &AttributeRef,
        operator: Operator,
        literal: &Literal,
        scope: Scope<'_>,
    ) -> Cond {
        let values = self.values(attribute, scope);
        let holds = |operand: &Operand, operator| self.holds(attribute, operand, operator, literal);
        let unequal = |operand: &Operand| holds(operand, Operator::Equal).not();
        match (&values, operator, literal) {
            (values, Operator::NotEqual, Literal::Null) => assigned(values),
            (values, _, Literal::Null) => assigned(values).not(),
            (Values::One(operand), Operator::NotEqual, _) => unequal(operand),
            (Values::One(operand), operator, _) => holds(operand, operator),
            (Values::Many { from, each, .. }, Operator::NotEqual, _) => {
                let other = Cond::all(&[Cond::exact(is_there(each)), unequal(each)]);
                Cond::any(&[assigned(&values).not(), exists(from, &other)])
            }
            (Values::Many { from, each, .. }, operator, _) => exists(from, &holds(each, operator)),
            (Values::Fixed(values), operator, Literal::Text(literal)) => {
                let holds = values.iter().filter(|(value, _)| fixed(attribute, operator, value, literal));
                let holds: Vec<Cond> = holds.map(|(_, there)| Cond::exact(there.clone())).collect();
                let none = (operator == Operator::NotEqual).then(|| {
                    Cond::any(&values.iter().map(|(_, there)| Cond::exact(there.clone())).collect::<Vec<_>>())
                        .not()
                });
                Cond::any(&holds.into_iter().chain(none).collect::<Vec<_>>())
            }
            (Values::Fixed(_), operator, _) => Cond::constant(operator == Operator::NotEqual),
        }
    }

    /// Where one value stands in that relation to the literal.
    fn holds(
        &self,
        attribute: &AttributeRef,
        operand: &Operand,
        operator: Operator,
        literal: &Literal,
    ) -> Cond {
        match (operand, literal) {
            (Operand::Text(text), Literal::Text(literal)) => {
                text.compare(self.backend, attribute.case_exact, operator, literal)
            }
            (Operand::Boolean(text), Literal::Boolean(literal)) if operator == Operator::Equal => {
                Cond::exact(Sql::of(if *literal { "? = 'true'" } else { "? = 'false'" }, [text]))
            }
            (Operand::Number(sql), Literal::Number(literal)) => number(sql, operator, literal),
            (Operand::Id { column, text }, Literal::Text(literal)) => match bare_uuid(literal) {
                Some(id) if operator == Operator::Equal || operator.is_ordering() => {
                    Cond::exact(Sql::of(&format!("? {} ?", sign(operator)), [column, &Sql::value(id)]))
                }
                _ if operator == Operator::Equal => Cond::constant(false),
                _ => Text::sent(text.clone()).compare(self.backend, true, operator, literal),
            },
            (Operand::Micros(sql), literal) if operator == Operator::Equal || operator.is_ordering() => {
                micros(sql, operator, literal)
            }
            (Operand::Moment(sql), Literal::Text(literal))
                if matches!(operator, Operator::Contains | Operator::StartsWith | Operator::EndsWith) =>
            {
                Text::sent(sql.clone()).compare(self.backend, true, operator, literal)
            }
            (Operand::Moment(sql), Literal::Text(_)) => {
                Cond::between(Sql::no(), Sql::of("? IS NOT NULL", [sql]))
            }
            (Operand::Judged | Operand::Micros(_), _) => Cond::judged(),
            _ => Cond::constant(false),
        }
    }

    fn present(&self, attribute: &AttributeRef, scope: Scope<'_>) -> Cond {
        let there = |operand: &Operand| match operand {
            Operand::Text(text) => Sql::of("? <> ''", [&text.sql]),
            Operand::Moment(sql) => Sql::of("? <> ''", [sql]),
            operand => is_there(operand),
        };
        match self.values(attribute, scope) {
            Values::One(Operand::Judged) | Values::Many { each: Operand::Judged, .. } => Cond::judged(),
            Values::One(operand) => Cond::exact(there(&operand)),
            Values::Many { from, each, .. } => exists(&from, &Cond::exact(there(&each))),
            Values::Fixed(values) => {
                Cond::any(&values.into_iter().map(|(_, there)| Cond::exact(there)).collect::<Vec<_>>())
            }
        }
    }

    fn has(&self, attribute: &AttributeRef, filter: &Filter, scope: Scope<'_>) -> Cond {
        match self.field(attribute, scope) {
            Field::Rows { from, each, .. } => {
                return exists(&Sql::raw(from), &self.compile(filter, Scope::Element(&Element::Row(each))));
            }
            Field::Nothing => return Cond::constant(false),
            Field::Json => {}
            _ => return Cond::judged(),
        }
        let Some(json) = Self::json(attribute, scope) else { return Cond::judged() };
        if attribute.multi_valued {
            let (from, element) = json.elements(self.backend, attribute.kind != Kind::Complex);
            return exists(&from, &self.compile(filter, Scope::Element(&Element::Json(element))));
        }
        let there = Cond::exact(Sql::of("? IS NOT NULL", [&json.kind(self.backend)]));
        Cond::all(&[there, self.compile(filter, Scope::Element(&Element::Json(json)))])
    }

    fn field(&self, attribute: &AttributeRef, scope: Scope<'_>) -> Field {
        match scope {
            Scope::Resource
                if attribute.extension.is_none() && self.served.hidden.contains(&attribute.name.as_str()) =>
            {
                Field::Nothing
            }
            Scope::Resource => {
                S::field(attribute.extension.as_deref(), &attribute.name, attribute.sub.as_deref())
            }
            Scope::Element(Element::Row(each)) => each(&attribute.name),
            Scope::Element(Element::Json(_)) => Field::Json,
        }
    }

    /// The attribute, without its sub-attribute, in the JSON of the row; `None` if no path leads there.
    fn json(attribute: &AttributeRef, scope: Scope<'_>) -> Option<Json> {
        match scope {
            Scope::Resource => {
                let path = attribute.extension.iter().chain([&attribute.name]);
                Json::column().at(path.map(String::as_str))
            }
            // An element that is no object is its own value.
            Scope::Element(Element::Json(element)) if element.is_plain() => Some(element.clone()),
            Scope::Element(Element::Json(element)) => element.at([attribute.name.as_str()]),
            Scope::Element(Element::Row(_)) => None,
        }
    }

    fn values(&self, attribute: &AttributeRef, scope: Scope<'_>) -> Values {
        let one = |operand| Values::One(operand);
        match self.field(attribute, scope) {
            Field::Nothing => Values::Fixed(Vec::new()),
            Field::Id(column) => one(self.id(column)),
            Field::Text(column) => one(Operand::Text(Text::sent(Sql::raw(column)))),
            Field::Folded(column) => one(Operand::Text(Text { sql: Sql::raw(column), folded: true })),
            Field::Time(column) => one(Operand::Micros(Sql::raw(column))),
            Field::Flag { column, key } => {
                let there = Json::column().at([key]).map(|json| json.kind(self.backend));
                let there = there.unwrap_or_else(Sql::no);
                let text = format!(
                    "CASE WHEN ? IS NOT NULL THEN CASE WHEN {column} THEN 'true' ELSE 'false' END END"
                );
                one(Operand::Boolean(Sql::of(&text, [&there])))
            }
            Field::Version(column) => {
                let text = if self.backend == DbBackend::Postgres { "::text" } else { "" };
                let sql = format!("('W/\"' || {column}{text} || '\"')");
                one(Operand::Text(Text::sent(Sql::raw(sql))))
            }
            Field::Location(column) => {
                let Operand::Id { text, .. } = self.id(column) else { return one(Operand::Judged) };
                let location =
                    if self.backend == DbBackend::Postgres { "(?::text || ?)" } else { "(? || ?)" };
                one(Operand::Text(Text::sent(Sql::of(location, [&Sql::value(self.served.location), &text]))))
            }
            Field::Fixed(value) => Values::Fixed(vec![(value.to_owned(), Sql::yes())]),
            Field::Schemas(core) => {
                let extensions = self.served.extensions.iter().map(|urn| {
                    let json = Json::column().at([*urn]).map(|json| json.kind(self.backend));
                    let there = Sql::of("? IS NOT NULL", [&json.unwrap_or_else(|| Sql::raw("NULL"))]);
                    ((*urn).to_owned(), there)
                });
                Values::Fixed(std::iter::once((core.to_owned(), Sql::yes())).chain(extensions).collect())
            }
            Field::Rows { from, order, each } => {
                let each = match attribute.sub.as_deref().map(each) {
                    None => Operand::Parts(Sql::yes()),
                    Some(Field::Id(column)) => self.id(column),
                    Some(Field::Text(column)) => Operand::Text(Text::sent(Sql::raw(column))),
                    Some(Field::Folded(column)) => {
                        Operand::Text(Text { sql: Sql::raw(column), folded: true })
                    }
                    Some(Field::Fixed(value)) => Operand::Text(Text::sent(Sql::raw(quoted(value)))),
                    Some(_) => Operand::Judged,
                };
                Values::Many { from: Sql::raw(from), each, first: First { preferred: None, order } }
            }
            Field::Judged => one(Operand::Judged),
            Field::Json => self.json_values(attribute, scope),
        }
    }

    fn json_values(&self, attribute: &AttributeRef, scope: Scope<'_>) -> Values {
        let Some(json) = Self::json(attribute, scope) else { return Values::One(Operand::Judged) };
        let (from, element, json) = if attribute.multi_valued {
            let (from, element) = json.elements(self.backend, false);
            (Some(from), Some(element.clone()), element)
        } else {
            (None, None, json)
        };
        let json = match &attribute.sub {
            Some(_) if attribute.sub_multi_valued => None,
            Some(sub) => json.at([sub.as_str()]),
            None => Some(json),
        };
        let operand = json.map_or(Operand::Judged, |json| self.leaf(attribute.kind, &json));
        match from {
            Some(from) => {
                let preferred = element.and_then(|element| element.at(["primary"]));
                let preferred =
                    preferred.map(|primary| Sql::of("? = 'true'", [&primary.boolean(self.backend)]));
                Values::Many { from, each: operand, first: First { preferred, order: ORDINAL } }
            }
            None => Values::One(operand),
        }
    }

    fn leaf(&self, kind: Kind, json: &Json) -> Operand {
        match kind {
            Kind::String | Kind::Reference | Kind::Binary => {
                Operand::Text(Text::sent(json.text(self.backend)))
            }
            Kind::DateTime => Operand::Moment(json.text(self.backend)),
            Kind::Boolean => Operand::Boolean(json.boolean(self.backend)),
            Kind::Integer | Kind::Decimal => Operand::Number(json.number(self.backend)),
            Kind::Complex => Operand::Parts(Sql::of("? IS NOT NULL", [&json.kind(self.backend)])),
        }
    }

    fn id(&self, column: &str) -> Operand {
        let text = id_text(self.backend, column);
        Operand::Id { column: Sql::raw(column), text }
    }
}

/// An id as it stands in URLs and bodies.
pub(super) fn id_text(backend: DbBackend, column: &str) -> Sql {
    if backend == DbBackend::Postgres {
        return Sql::raw(format!("{column}::text"));
    }
    let parts = [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)];
    let parts: Vec<String> =
        parts.iter().map(|(at, length)| format!("substr(hex({column}), {at}, {length})")).collect();
    Sql::raw(format!("lower({})", parts.join(" || '-' || ")))
}

fn exists(from: &Sql, cond: &Cond) -> Cond {
    cond.map(|sql| Sql::of("EXISTS (SELECT 1 FROM ? AND ?)", [from, sql]))
}

fn is_there(operand: &Operand) -> Sql {
    match operand {
        Operand::Text(text) => Sql::of("? IS NOT NULL", [&text.sql]),
        Operand::Boolean(sql) | Operand::Number(sql) | Operand::Micros(sql) | Operand::Moment(sql) => {
            Sql::of("? IS NOT NULL", [sql])
        }
        Operand::Id { column, .. } => Sql::of("? IS NOT NULL", [column]),
        Operand::Parts(there) => there.clone(),
        Operand::Judged => Sql::yes(),
    }
}

/// Where there is a value at all.
fn assigned(values: &Values) -> Cond {
    match values {
        Values::One(Operand::Judged) | Values::Many { each: Operand::Judged, .. } => Cond::judged(),
        Values::One(operand) => Cond::exact(is_there(operand)),
        Values::Many { from, each, .. } => exists(from, &Cond::exact(is_there(each))),
        Values::Fixed(values) => {
            Cond::any(&values.iter().map(|(_, there)| Cond::exact(there.clone())).collect::<Vec<_>>())
        }
    }
}

/// Whether a comparison with a value that is known beforehand holds.
fn fixed(attribute: &AttributeRef, operator: Operator, value: &str, literal: &str) -> bool {
    let comparison = Filter::Compare {
        attribute: AttributeRef { extension: None, sub: None, ..attribute.clone() },
        operator,
        literal: Literal::Text(literal.to_owned()),
    };
    comparison.matches(&serde_json::json!({ attribute.name.as_str(): value }))
}

const fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        _ => "=",
    }
}

/// Numbers compare as doubles, and whole ones exactly.
fn number(sql: &Sql, operator: Operator, literal: &serde_json::Number) -> Cond {
    match literal.as_i64() {
        Some(whole) if whole.unsigned_abs() < EXACT_NUMBERS => {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53 nothing is lost")]
            let value = Sql::value(whole as f64);
            Cond::exact(Sql::of(&format!("? {} ?", sign(operator)), [sql, &value]))
        }
        _ => Cond::between(Sql::no(), Sql::of("? IS NOT NULL", [sql])),
    }
}

/// A time of whole microseconds against a moment of any precision.
fn micros(sql: &Sql, operator: Operator, literal: &Literal) -> Cond {
    let Some(nanos) = literal.moment() else { return Cond::constant(false) };
    let Ok(floor) = i64::try_from(nanos.div_euclid(1_000)) else { return Cond::judged() };
    let whole = nanos.rem_euclid(1_000) == 0;
    let operator = match operator {
        Operator::Equal if !whole => return Cond::constant(false),
        Operator::GreaterOrEqual if !whole => Operator::Greater,
        Operator::Less if !whole => Operator::LessOrEqual,
        operator => operator,
    };
    Cond::exact(Sql::of(&format!("? {} ?", sign(operator)), [sql, &Sql::value(floor)]))
}
