//! PATCH paths (RFC 7644 §3.5.2): `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, each also with
//! the URN of its schema, and the URN of a schema alone.
use std::fmt;

use super::error::excerpt;
use super::filter::{self, Filter, FilterError, MAX_LENGTH};
use super::lexer::{Lexer, Token};
use super::name::{self, Resolved};
use super::schema::ResourceType;
use super::{Conformance, ScimError};

/// What a path points at, in canonical names.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// The core schema by its URN: the resource itself.
    Core,
    /// A whole extension by its URN.
    Extension(String),
    Attribute(AttributePath),
}

/// A path to an attribute or a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributePath {
    /// URN of the extension; `None` is the core schema.
    pub extension: Option<String>,
    pub attribute: String,
    /// Which values are meant; names in it are sub-attributes.
    pub filter: Option<Filter>,
    pub sub: Option<String>,
}

impl Path {
    /// Reads a path on resources of that type.
    ///
    /// 400 `invalidPath` for what cannot be read or names nothing, `invalidFilter` for a mistake
    /// between the brackets.
    pub fn parse(resource_type: &ResourceType, text: &str) -> Result<Self, ScimError> {
        Self::parse_as(resource_type, text, Conformance::Tolerant)
    }

    /// The same as a directory reads it: in the profile what names nothing is 400 `invalidSyntax`, and so is an
    /// attribute of an extension without its URN.
    pub fn parse_as(
        resource_type: &ResourceType,
        text: &str,
        conformance: Conformance,
    ) -> Result<Self, ScimError> {
        if text.len() > MAX_LENGTH {
            return Err(ScimError::invalid_path(format!(
                "The path has {} bytes, more than the {MAX_LENGTH} that are read.",
                text.len()
            )));
        }
        let mut lexer = Lexer::new(text);
        let Token::Word(head) = next(&mut lexer, text)? else { return Err(broken(text)) };
        let (extension, attribute, sub) = match name::resolve(resource_type, head) {
            Ok(Resolved::Attribute { extension, attribute, sub }) => (extension, attribute, sub),
            Ok(schema) if next(&mut lexer, text)? == Token::End => {
                return Ok(match schema {
                    Resolved::Extension(schema) => Self::Extension(schema.id.clone()),
                    _ => Self::Core,
                });
            }
            Ok(_) => return Err(broken(text)),
            Err(error) => {
                let detail = format!("The path \"{}\" names nothing: {error}.", excerpt(text, 200));
                return Err(undefined(conformance, detail));
            }
        };
        if let Some(schema) = extension.filter(|_| conformance == Conformance::Profile && !head.contains(':'))
        {
            let (name, urn) = (&attribute.name, &schema.id);
            let detail = format!("There is no core attribute \"{name}\"; write \"{urn}:{name}\".");
            return Err(undefined(conformance, detail));
        }
        let mut path = AttributePath {
            extension: extension.map(|s| s.id.clone()),
            attribute: attribute.name.clone(),
            filter: None,
            sub: sub.map(|s| s.name.clone()),
        };
        match next(&mut lexer, text)? {
            Token::End => return Ok(Self::Attribute(path)),
            Token::OpenBracket if path.sub.is_none() => {}
            _ => return Err(broken(text)),
        }
        if !attribute.multi_valued {
            return Err(ScimError::invalid_path(format!(
                "The path \"{}\" has a filter, but {} has only one value.",
                excerpt(text, 200),
                attribute.name
            )));
        }
        path.filter = Some(filter::bracketed(&mut lexer, text, attribute).map_err(in_brackets)?);
        let glued = lexer.adjoins();
        match next(&mut lexer, text)? {
            Token::End => {}
            Token::Word(word) if glued => {
                let sub = word.strip_prefix('.').and_then(|sub| attribute.sub(sub)).ok_or_else(|| {
                    let detail = format!(
                        "The path \"{}\" names nothing: {} has no sub-attribute \"{}\".",
                        excerpt(text, 200),
                        attribute.name,
                        excerpt(word.trim_start_matches('.'), 80)
                    );
                    undefined(conformance, detail)
                })?;
                path.sub = Some(sub.name.clone());
                if next(&mut lexer, text)? != Token::End {
                    return Err(broken(text));
                }
            }
            _ => return Err(broken(text)),
        }
        Ok(Self::Attribute(path))
    }
}

fn next<'t>(lexer: &mut Lexer<'t>, text: &str) -> Result<Token<'t>, ScimError> {
    lexer.next().map_err(|_| broken(text))
}

/// The refusal of a name that stands for nothing.
fn undefined(conformance: Conformance, detail: String) -> ScimError {
    match conformance {
        Conformance::Tolerant => ScimError::invalid_path(detail),
        Conformance::Profile => ScimError::invalid_syntax(detail),
    }
}

fn broken(text: &str) -> ScimError {
    ScimError::invalid_path(format!(
        "The path \"{}\" cannot be read; a path looks like name.givenName or emails[type eq \"work\"].value.",
        excerpt(text, 200)
    ))
}

fn in_brackets(error: FilterError) -> ScimError {
    ScimError::invalid_filter(format!(
        "The filter in the path is wrong at character {} of the path: {}.",
        error.position, error.message
    ))
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core => f.write_str("the core schema"),
            Self::Extension(urn) => f.write_str(urn),
            Self::Attribute(path) => path.fmt(f),
        }
    }
}
