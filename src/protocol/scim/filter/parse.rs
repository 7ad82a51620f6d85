//! Filter text to tree: recursive descent with bounds on length, depth and terms.
use super::super::lexer::{Lexer, Token};
use super::super::name::{self, Resolved};
use super::super::schema::{Attribute, Kind, ResourceType};
use super::super::value;
use super::{AttributeRef, Filter, FilterError, Literal, Operator};

/// Longest filter in bytes.
pub const MAX_LENGTH: usize = 8_192;
/// Deepest nesting of parentheses and brackets.
pub const MAX_DEPTH: usize = 64;
/// Most comparisons in one filter.
pub const MAX_TERMS: usize = 256;

impl Filter {
    /// Reads a filter on resources of that type.
    ///
    /// Operators and names have no case; runs of blanks count as one. Unknown attributes, values of
    /// another type than the attribute's, and an order among booleans are errors, as are more than
    /// [`MAX_LENGTH`] bytes, [`MAX_DEPTH`] levels or [`MAX_TERMS`] comparisons.
    pub fn parse(resource_type: &ResourceType, text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_LENGTH {
            return Err(FilterError {
                position: 1,
                message: format!("it has {} bytes, more than the {MAX_LENGTH} that are read", text.len()),
            });
        }
        let mut parser =
            Parser { lexer: Lexer::new(text), scope: Scope::Resource(resource_type), terms: 0, depth: 0 };
        let parsed = parser.any().and_then(|filter| match parser.next()? {
            (_, Token::End) => Ok(filter),
            (at, token) => {
                fail(at, format!("expected \"and\", \"or\" or the end, found {}", token.describe()))
            }
        });
        parsed.map_err(|wrong| wrong.on(text))
    }
}

/// Reads the filter of a value path up to, and with, its closing bracket; the opening one was taken.
/// Used by PATCH paths. `text` is the whole text that the lexer reads.
pub(in super::super) fn bracketed(
    lexer: &mut Lexer<'_>,
    text: &str,
    attribute: &Attribute,
) -> Result<Filter, FilterError> {
    let mut parser = Parser { lexer: *lexer, scope: Scope::Element(attribute), terms: 0, depth: 1 };
    let filter = parser.any().and_then(|filter| parser.close_bracket().map(|()| filter));
    *lexer = parser.lexer;
    filter.map_err(|wrong| wrong.on(text))
}

struct Wrong(usize, String);

impl Wrong {
    fn on(self, text: &str) -> FilterError {
        let position = text.get(..self.0).map_or(0, |before| before.chars().count()) + 1;
        FilterError { position, message: self.1 }
    }
}

impl From<(usize, String)> for Wrong {
    fn from((at, message): (usize, String)) -> Self {
        Self(at, message)
    }
}

fn fail<T>(at: usize, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(at, message.into()))
}

/// Where names are looked for.
#[derive(Clone, Copy)]
enum Scope<'r> {
    Resource(&'r ResourceType),
    Element(&'r Attribute),
}

struct Parser<'t, 'r> {
    lexer: Lexer<'t>,
    scope: Scope<'r>,
    terms: usize,
    depth: usize,
}

impl<'t, 'r> Parser<'t, 'r> {
    fn next(&mut self) -> Result<(usize, Token<'t>), Wrong> {
        let at = self.lexer.place();
        Ok((at, self.lexer.next()?))
    }

    fn keyword_follows(&self, word: &str) -> Result<bool, Wrong> {
        Ok(matches!(self.lexer.peek()?, Token::Word(found) if found.eq_ignore_ascii_case(word)))
    }

    /// One or more conjunctions joined by "or".
    fn any(&mut self) -> Result<Filter, Wrong> {
        let first = self.all()?;
        let mut terms = vec![first];
        while self.keyword_follows("or")? {
            self.next()?;
            terms.push(self.all()?);
        }
        Ok(one_or(terms, Filter::Or))
    }

    /// One or more terms joined by "and".
    fn all(&mut self) -> Result<Filter, Wrong> {
        let first = self.term()?;
        let mut terms = vec![first];
        while self.keyword_follows("and")? {
            self.next()?;
            terms.push(self.term()?);
        }
        Ok(one_or(terms, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, Wrong> {
        match self.next()? {
            (at, Token::Open) => self.group(at),
            (_, Token::Word(word))
                if word.eq_ignore_ascii_case("not") && self.lexer.peek()? == Token::Open =>
            {
                let (at, _) = self.next()?;
                Ok(Filter::Not(Box::new(self.group(at)?)))
            }
            (at, Token::Word(word)) => self.attribute_expression(at, word),
            (at, token) => {
                fail(at, format!("expected an attribute, \"not (\" or \"(\", found {}", token.describe()))
            }
        }
    }

    fn deeper(&mut self, at: usize) -> Result<(), Wrong> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fail(at, format!("it nests deeper than {MAX_DEPTH} levels"));
        }
        Ok(())
    }

    fn group(&mut self, at: usize) -> Result<Filter, Wrong> {
        self.deeper(at)?;
        let filter = self.any()?;
        self.depth -= 1;
        match self.next()? {
            (_, Token::Close) => Ok(filter),
            (at, token) => fail(at, format!("expected \")\", found {}", token.describe())),
        }
    }

    fn close_bracket(&mut self) -> Result<(), Wrong> {
        match self.next()? {
            (_, Token::CloseBracket) => Ok(()),
            (at, token) => fail(at, format!("expected \"]\", found {}", token.describe())),
        }
    }

    fn attribute_expression(&mut self, at: usize, word: &str) -> Result<Filter, Wrong> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return fail(at, format!("it has more than {MAX_TERMS} comparisons"));
        }
        let found = self.find(at, word)?;
        if self.lexer.peek()? == Token::OpenBracket {
            return self.value_path(at, found);
        }
        self.comparison(at, found)
    }

    fn find(&self, at: usize, word: &str) -> Result<Found<'r>, Wrong> {
        match self.scope {
            Scope::Resource(resource_type) => match name::resolve(resource_type, word) {
                Ok(Resolved::Attribute { extension, attribute, sub }) if attribute.advertised => {
                    Ok(Found { extension: extension.map(|s| s.id.as_str()), attribute, sub, element: false })
                }
                Ok(Resolved::Attribute { attribute, .. }) => {
                    fail(at, format!("\"{}\" cannot be filtered on", attribute.name))
                }
                Ok(_) => fail(at, "a schema cannot be compared; name one of its attributes"),
                Err(error) => fail(at, error.to_string()),
            },
            Scope::Element(parent) => {
                let sub = if parent.is_complex() {
                    parent.sub(word)
                } else {
                    word.eq_ignore_ascii_case("value").then_some(parent)
                };
                match sub {
                    Some(attribute) => Ok(Found { extension: None, attribute, sub: None, element: true }),
                    None => fail(
                        at,
                        name::NameError::UnknownSub {
                            attribute: parent.name.clone(),
                            sub: super::super::error::excerpt(word, 80),
                        }
                        .to_string(),
                    ),
                }
            }
        }
    }

    /// `attribute[…]`, and Entra's `attribute[…].sub op value`.
    fn value_path(&mut self, at: usize, found: Found<'r>) -> Result<Filter, Wrong> {
        let (open, _) = self.next()?;
        if found.element {
            return fail(open, "brackets cannot stand inside brackets");
        }
        if found.sub.is_some() || !found.attribute.is_complex() && !found.attribute.multi_valued {
            return fail(at, "brackets need an attribute with values to choose from, such as emails");
        }
        self.deeper(open)?;
        let outer = std::mem::replace(&mut self.scope, Scope::Element(found.attribute));
        let inner = self.any()?;
        self.close_bracket()?;
        self.depth -= 1;
        let attribute = found.reference();
        let word = match self.lexer.peek()? {
            Token::Word(word) if self.lexer.adjoins() => word,
            _ => {
                self.scope = outer;
                return Ok(Filter::Has { attribute, filter: Box::new(inner) });
            }
        };
        let (at, _) = self.next()?;
        let Some(sub) = word.strip_prefix('.') else {
            return fail(at, "expected \".\" and a sub-attribute, or a blank");
        };
        let sub = self.find(at, sub)?;
        let comparison = self.comparison(at, sub)?;
        self.scope = outer;
        let filter = match inner {
            Filter::And(mut terms) => {
                terms.push(comparison);
                Filter::And(terms)
            }
            inner => Filter::And(vec![inner, comparison]),
        };
        Ok(Filter::Has { attribute, filter: Box::new(filter) })
    }

    fn comparison(&mut self, at: usize, found: Found<'r>) -> Result<Filter, Wrong> {
        let (operator_at, token) = self.next()?;
        let Token::Word(word) = token else {
            return fail(
                operator_at,
                format!("expected an operator such as eq after the attribute, found {}", token.describe()),
            );
        };
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(found.reference()));
        }
        let Some(operator) = Operator::ALL.into_iter().find(|o| word.eq_ignore_ascii_case(o.as_str())) else {
            let token = Token::Word(word).describe();
            return fail(
                operator_at,
                format!("expected one of eq, ne, co, sw, ew, gt, ge, lt, le, pr, found {token}"),
            );
        };
        let found = found.compared();
        let attribute = found.reference();
        if attribute.kind == Kind::Complex {
            return fail(
                at,
                format!("\"{attribute}\" has parts and no value of its own; name one of its sub-attributes"),
            );
        }
        let (literal_at, token) = self.next()?;
        let literal = literal(&attribute, operator, literal_at, &token)?;
        check(&attribute, operator, &literal, operator_at, literal_at)?;
        Ok(Filter::Compare { attribute, operator, literal })
    }
}

fn one_or(mut terms: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    if terms.len() == 1
        && let Some(only) = terms.pop()
    {
        return only;
    }
    many(terms)
}

/// An attribute that a name stands for.
#[derive(Clone, Copy)]
struct Found<'r> {
    extension: Option<&'r str>,
    attribute: &'r Attribute,
    sub: Option<&'r Attribute>,
    /// Named inside brackets.
    element: bool,
}

impl Found<'_> {
    fn reference(self) -> AttributeRef {
        let mut reference = AttributeRef::new(self.extension, self.attribute, self.sub);
        // Inside brackets of a plain multi-valued attribute, `value` is the element itself.
        if self.element && self.attribute.multi_valued && self.sub.is_none() {
            "value".clone_into(&mut reference.name);
        }
        reference.multi_valued &= !self.element;
        reference
    }

    /// A complex attribute is compared by its `value`.
    fn compared(mut self) -> Self {
        if self.sub.is_none() && self.attribute.is_complex() {
            self.sub = self.attribute.sub("value");
        }
        self
    }
}

fn literal(
    attribute: &AttributeRef,
    operator: Operator,
    at: usize,
    token: &Token<'_>,
) -> Result<Literal, Wrong> {
    let literal = match token {
        Token::Text(text) => Literal::Text(text.clone()),
        Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
        Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
        Token::Word("null") => Literal::Null,
        Token::Word(word) => match serde_json::from_str::<serde_json::Number>(word) {
            Ok(number) => Literal::Number(number),
            Err(_) => {
                return fail(
                    at,
                    format!(
                        "expected a string in double quotes, a number, true, false or null, found {}",
                        token.describe()
                    ),
                );
            }
        },
        token => {
            return fail(
                at,
                format!("expected a value after {}, found {}", operator.as_str(), token.describe()),
            );
        }
    };
    // Entra writes primary eq "True".
    Ok(match literal {
        Literal::Text(text) if attribute.kind == Kind::Boolean => {
            match value::as_boolean(&text.as_str().into()) {
                Some(value) => Literal::Boolean(value),
                None => Literal::Text(text),
            }
        }
        literal => literal,
    })
}

/// Whether the comparison has a meaning.
fn check(
    attribute: &AttributeRef,
    operator: Operator,
    literal: &Literal,
    operator_at: usize,
    literal_at: usize,
) -> Result<(), Wrong> {
    let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    if matches!(literal, Literal::Null) {
        if equality {
            return Ok(());
        }
        return fail(literal_at, "null can only be compared with eq and ne");
    }
    let (fits, expected) = match attribute.kind {
        Kind::Boolean => (matches!(literal, Literal::Boolean(_)), "true or false"),
        Kind::Integer | Kind::Decimal => (matches!(literal, Literal::Number(_)), "a number"),
        _ => (matches!(literal, Literal::Text(_)), "a string in double quotes"),
    };
    if !fits {
        return fail(literal_at, format!("\"{attribute}\" is compared with {expected}"));
    }
    let allowed = match attribute.kind {
        Kind::Boolean => equality,
        Kind::Binary => !operator.is_ordering(),
        Kind::Integer | Kind::Decimal => equality || operator.is_ordering(),
        _ => true,
    };
    if !allowed {
        return fail(
            operator_at,
            format!(
                "\"{}\" cannot be used on \"{attribute}\", which is of type {}",
                operator.as_str(),
                attribute.kind.as_str()
            ),
        );
    }
    if attribute.kind == Kind::DateTime
        && (equality || operator.is_ordering())
        && let Literal::Text(text) = literal
        && value::parse_time(text).is_none()
    {
        return fail(literal_at, "expected a date and time as in \"2026-01-31T08:00:00Z\"");
    }
    Ok(())
}
