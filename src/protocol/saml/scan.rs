//! A strict reader of XML, for documents that strangers send.
//!
//! It takes a subset of XML 1.0 with namespaces and refuses everything that two readers might understand
//! differently: document types, comments, processing instructions, CDATA, other encodings, XML 1.1, forbidden
//! characters (also as references), relative namespace URIs, undeclared prefixes, duplicate attributes, a
//! second root, text after the root. Depth, elements, attributes and declarations are limited, and the time is
//! linear in the input.

use std::borrow::Cow;

use thiserror::Error;

use super::xml::{Attribute, Document, Element, ElementId, Node, ns};

/// What a document may contain.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether comments are skipped (metadata) or refused (responses).
    pub comments: bool,
    /// How deep elements may stand inside each other.
    pub depth: usize,
    /// How many elements there may be.
    pub elements: usize,
    /// How many attributes one element may have, namespace declarations included.
    pub attributes: usize,
    /// How many namespace declarations may be in scope at once.
    pub declarations: usize,
}

impl Rules {
    /// For SAML messages.
    pub const MESSAGE: Self =
        Self { comments: false, depth: 32, elements: 20_000, attributes: 64, declarations: 128 };
    /// For metadata that an administrator hands in: as messages, but comments are skipped.
    pub const METADATA: Self = Self { comments: true, ..Self::MESSAGE };
}

/// Why a document was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} (byte {at})")]
pub struct ScanError {
    /// What was wrong.
    pub problem: ScanProblem,
    /// The byte offset at which it was seen.
    pub at: usize,
}

/// What a document may not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ScanProblem {
    #[error("a document type declaration is not allowed")]
    Doctype,
    #[error("a comment is not allowed")]
    Comment,
    #[error("a processing instruction is not allowed")]
    ProcessingInstruction,
    #[error("a CDATA section is not allowed")]
    Cdata,
    #[error("only the encoding UTF-8 is allowed")]
    Encoding,
    #[error("only XML version 1.0 is allowed")]
    Version,
    #[error("a character that XML forbids")]
    ForbiddenCharacter,
    #[error("an unknown or malformed reference")]
    Reference,
    #[error("elements stand too deep inside each other")]
    TooDeep,
    #[error("too many elements")]
    TooManyElements,
    #[error("too many attributes on one element")]
    TooManyAttributes,
    #[error("too many namespace declarations")]
    TooManyDeclarations,
    #[error("an attribute stands twice on one element")]
    DuplicateAttribute,
    #[error("a namespace name that is not an absolute URI")]
    Namespace,
    #[error("a prefix that is not declared")]
    UndeclaredPrefix,
    #[error("a second root element")]
    SecondRoot,
    #[error("text outside the root element")]
    TextOutsideRoot,
    #[error("no root element")]
    NoRoot,
    #[error("the document ends too early")]
    Truncated,
    #[error("an end tag that does not match")]
    Mismatch,
    #[error("not well-formed")]
    Malformed,
}

/// Reads a document strictly.
///
/// # Errors
/// [`ScanError`] with the first thing that was not allowed.
pub fn scan(text: &str, rules: Rules) -> Result<Document<'_>, ScanError> {
    check_characters(text)?;
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        rules,
        document: Document { elements: Vec::with_capacity((text.len() / 64).min(rules.elements)) },
        places: Vec::new(),
        open: Vec::new(),
        names: Vec::new(),
        scope: vec![("xml", ns::XML)],
        marks: Vec::new(),
    };
    scanner.run()?;
    Ok(scanner.document)
}

fn fail<T>(problem: ScanProblem, at: usize) -> Result<T, ScanError> {
    Err(ScanError { problem, at })
}

/// Characters that XML 1.0 forbids, wherever they stand. In UTF-8 those are most control characters and two that
/// begin with the byte EF, so that most blocks are passed at one look.
fn check_characters(text: &str) -> Result<(), ScanError> {
    const BLOCK: usize = 64;
    for (number, block) in text.as_bytes().chunks(BLOCK).enumerate() {
        let odd = |byte: &u8| *byte < b' ' || *byte == 0xEF;
        // Counting looks at all of them, many at once.
        if block.iter().filter(|byte| odd(byte)).count() == 0 {
            continue;
        }
        for (offset, byte) in block.iter().enumerate() {
            let at = number * BLOCK + offset;
            if odd(byte) && !text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is_xml_char) {
                return fail(ScanProblem::ForbiddenCharacter, at);
            }
        }
    }
    Ok(())
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    rules: Rules,
    document: Document<'a>,
    /// Where the attributes of the present start tag stand.
    places: Vec<usize>,
    open: Vec<ElementId>,
    /// The qualified names of the open elements, as written.
    names: Vec<&'a str>,
    /// Prefixes in scope, innermost last.
    scope: Vec<(&'a str, &'a str)>,
    /// How long `scope` was before each open element.
    marks: Vec<usize>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), ScanError> {
        self.declaration()?;
        while self.at < self.bytes.len() {
            if self.open.is_empty() {
                self.outside()?;
            } else {
                self.inside()?;
            }
        }
        if !self.open.is_empty() {
            return fail(ScanProblem::Truncated, self.at);
        }
        if self.document.elements.is_empty() {
            return fail(ScanProblem::NoRoot, self.at);
        }
        Ok(())
    }

    fn starts_with(&self, token: &str) -> bool {
        self.bytes[self.at..].starts_with(token.as_bytes())
    }

    fn skip_space(&mut self) -> bool {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| is_space(*b)) {
            self.at += 1;
        }
        self.at > start
    }

    /// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`, if there is one.
    fn declaration(&mut self) -> Result<(), ScanError> {
        if !self.starts_with("<?xml") || !self.bytes.get(5).is_some_and(|b| is_space(*b)) {
            return Ok(());
        }
        self.at = 5;
        let mut step = 0;
        loop {
            let spaced = self.skip_space();
            if self.starts_with("?>") {
                self.at += 2;
                return if step == 0 { fail(ScanProblem::Malformed, 0) } else { Ok(()) };
            }
            let at = self.at;
            let (prefix, local) = self.name()?;
            let value = self.quoted()?;
            if !spaced || !prefix.is_empty() {
                return fail(ScanProblem::Malformed, at);
            }
            step = match (local, step) {
                ("version", 0) if value == "1.0" => 1,
                ("version", 0) => return fail(ScanProblem::Version, at),
                ("encoding", 1) if value.eq_ignore_ascii_case("utf-8") => 2,
                ("encoding", 1) => return fail(ScanProblem::Encoding, at),
                ("standalone", 1 | 2) if matches!(value, "yes" | "no") => 3,
                _ => return fail(ScanProblem::Malformed, at),
            };
        }
    }

    /// Before the root element or after it.
    fn outside(&mut self) -> Result<(), ScanError> {
        if self.skip_space() {
            return Ok(());
        }
        if self.bytes[self.at] != b'<' {
            return fail(ScanProblem::TextOutsideRoot, self.at);
        }
        if self.markup()? {
            return Ok(());
        }
        if self.starts_with("</") {
            return fail(ScanProblem::Mismatch, self.at);
        }
        if !self.document.elements.is_empty() {
            return fail(ScanProblem::SecondRoot, self.at);
        }
        self.start_tag()
    }

    fn inside(&mut self) -> Result<(), ScanError> {
        if self.bytes[self.at] != b'<' {
            return self.character_data();
        }
        if self.markup()? {
            return Ok(());
        }
        if self.starts_with("</") { self.end_tag() } else { self.start_tag() }
    }

    /// Anything that begins with `<!` or `<?`; true if it was a comment that may be skipped.
    fn markup(&mut self) -> Result<bool, ScanError> {
        let problem = if self.starts_with("<!--") {
            if self.rules.comments {
                let Some(end) = self.text[self.at + 4..].find("--") else {
                    return fail(ScanProblem::Truncated, self.at);
                };
                let end = self.at + 4 + end;
                if self.bytes.get(end + 2) != Some(&b'>') {
                    return fail(ScanProblem::Malformed, end);
                }
                self.at = end + 3;
                return Ok(true);
            }
            ScanProblem::Comment
        } else if self.starts_with("<![CDATA[") {
            ScanProblem::Cdata
        } else if self.starts_with("<!") {
            ScanProblem::Doctype
        } else if self.starts_with("<?") {
            ScanProblem::ProcessingInstruction
        } else {
            return Ok(false);
        };
        fail(problem, self.at)
    }

    fn character_data(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        let end = self.text[start..].find('<').map_or(self.bytes.len(), |n| start + n);
        let raw = &self.text[start..end];
        if raw.contains(']')
            && let Some(n) = raw.find("]]>")
        {
            return fail(ScanProblem::Malformed, start + n);
        }
        let value = decode(raw, start, Place::Text)?;
        self.at = end;
        if let Some(parent) = self.open.last() {
            self.document.elements[parent.0].children.push(Node::Text(value));
        }
        Ok(())
    }

    /// A name of ASCII letters, digits, `_`, `-`, `.`, with at most one prefix.
    fn name(&mut self) -> Result<(&'a str, &'a str), ScanError> {
        let first = self.plain_name()?;
        if self.bytes.get(self.at) == Some(&b':') {
            self.at += 1;
            let local = self.plain_name()?;
            return Ok((first, local));
        }
        Ok(("", first))
    }

    fn plain_name(&mut self) -> Result<&'a str, ScanError> {
        let start = self.at;
        while let Some(b) = self.bytes.get(self.at) {
            let first = self.at == start;
            if b.is_ascii_alphabetic()
                || *b == b'_'
                || (!first && (b.is_ascii_digit() || matches!(b, b'-' | b'.')))
            {
                self.at += 1;
            } else {
                break;
            }
        }
        if self.at == start {
            let problem =
                if self.at == self.bytes.len() { ScanProblem::Truncated } else { ScanProblem::Malformed };
            return fail(problem, start);
        }
        Ok(&self.text[start..self.at])
    }

    /// `= "value"`, raw.
    fn quoted(&mut self) -> Result<&'a str, ScanError> {
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b'=') {
            return fail(ScanProblem::Malformed, self.at);
        }
        self.at += 1;
        self.skip_space();
        let quote = match self.bytes.get(self.at) {
            Some(q @ (b'"' | b'\'')) => *q,
            _ => return fail(ScanProblem::Malformed, self.at),
        };
        self.at += 1;
        let start = self.at;
        let Some(length) = self.bytes[start..].iter().position(|b| *b == quote) else {
            return fail(ScanProblem::Truncated, start);
        };
        let raw = &self.text[start..start + length];
        if let Some(n) = raw.find('<') {
            return fail(ScanProblem::Malformed, start + n);
        }
        self.at = start + length + 1;
        Ok(raw)
    }

    fn start_tag(&mut self) -> Result<(), ScanError> {
        let tag_at = self.at;
        if self.open.len() >= self.rules.depth {
            return fail(ScanProblem::TooDeep, tag_at);
        }
        if self.document.elements.len() >= self.rules.elements {
            return fail(ScanProblem::TooManyElements, tag_at);
        }
        self.at += 1;
        let name_at = self.at;
        let (prefix, local) = self.name()?;
        let name = &self.text[name_at..self.at];
        let mark = self.scope.len();
        let (mut attributes, declarations, empty) = self.attributes()?;
        let namespace = self.resolve(prefix, true, name_at)?;
        for number in 0..attributes.len() {
            let (before, rest) = attributes.split_at_mut(number);
            let (attribute, at) = (&mut rest[0], self.places[number]);
            attribute.namespace = self.resolve(attribute.prefix, false, at)?;
            let same = |a: &Attribute| a.local == attribute.local && a.namespace == attribute.namespace;
            if before.iter().any(same) {
                return fail(ScanProblem::DuplicateAttribute, at);
            }
        }
        let id = ElementId(self.document.elements.len());
        let parent = self.open.last().copied();
        self.document.elements.push(Element {
            parent,
            prefix,
            local,
            namespace,
            attributes,
            declarations,
            children: Vec::new(),
            span: tag_at..self.at,
        });
        if let Some(parent) = parent {
            self.document.elements[parent.0].children.push(Node::Element(id));
        }
        if empty {
            self.scope.truncate(mark);
        } else {
            self.open.push(id);
            self.names.push(name);
            self.marks.push(mark);
        }
        Ok(())
    }

    /// The rest of a start tag: attributes, their namespaces still to be resolved, namespace declarations, and
    /// whether the tag closes itself.
    #[expect(clippy::type_complexity, reason = "used once, right here")]
    fn attributes(&mut self) -> Result<(Vec<Attribute<'a>>, Vec<(&'a str, &'a str)>, bool), ScanError> {
        let mut raw = Vec::new();
        self.places.clear();
        let mut declarations: Vec<(&'a str, &'a str)> = Vec::new();
        loop {
            let spaced = self.skip_space();
            match self.bytes.get(self.at) {
                None => return fail(ScanProblem::Truncated, self.at),
                Some(b'>') => {
                    self.at += 1;
                    return Ok((raw, declarations, false));
                }
                Some(b'/') => {
                    if self.bytes.get(self.at + 1) != Some(&b'>') {
                        return fail(ScanProblem::Malformed, self.at);
                    }
                    self.at += 2;
                    return Ok((raw, declarations, true));
                }
                Some(_) if !spaced => return fail(ScanProblem::Malformed, self.at),
                Some(_) => {}
            }
            let at = self.at;
            if raw.len() + declarations.len() >= self.rules.attributes {
                return fail(ScanProblem::TooManyAttributes, at);
            }
            let (prefix, local) = self.name()?;
            let value_at = self.at;
            let value = self.quoted()?;
            let declared = match (prefix, local) {
                ("", "xmlns") => "",
                ("xmlns", name) => name,
                _ => {
                    let value = decode(value, value_at, Place::Attribute)?;
                    raw.push(Attribute { prefix, local, namespace: "", value });
                    self.places.push(at);
                    continue;
                }
            };
            if declarations.iter().any(|(p, _)| *p == declared) {
                return fail(ScanProblem::DuplicateAttribute, at);
            }
            check_declaration(declared, value, at)?;
            if self.scope.len() > self.rules.declarations {
                return fail(ScanProblem::TooManyDeclarations, at);
            }
            declarations.push((declared, value));
            self.scope.push((declared, value));
        }
    }

    fn resolve(&self, prefix: &str, element: bool, at: usize) -> Result<&'a str, ScanError> {
        if prefix.is_empty() && !element {
            return Ok("");
        }
        match self.scope.iter().rev().find(|(p, _)| *p == prefix) {
            Some((_, uri)) => Ok(uri),
            None if prefix.is_empty() => Ok(""),
            None => fail(ScanProblem::UndeclaredPrefix, at),
        }
    }

    fn end_tag(&mut self) -> Result<(), ScanError> {
        let tag_at = self.at;
        self.at += 2;
        let start = self.at;
        self.name()?;
        let name = &self.text[start..self.at];
        self.skip_space();
        match self.bytes.get(self.at) {
            Some(b'>') => self.at += 1,
            Some(_) => return fail(ScanProblem::Malformed, self.at),
            None => return fail(ScanProblem::Truncated, self.at),
        }
        if self.names.pop() != Some(name) {
            return fail(ScanProblem::Mismatch, tag_at);
        }
        if let Some(id) = self.open.pop() {
            self.document.elements[id.0].span.end = self.at;
        }
        if let Some(mark) = self.marks.pop() {
            self.scope.truncate(mark);
        }
        Ok(())
    }
}

/// Namespaces in XML 1.0, section 3, and stricter: absolute URIs of plain ASCII, no references.
fn check_declaration(prefix: &str, uri: &str, at: usize) -> Result<(), ScanError> {
    let reserved = uri == ns::XML || uri == ns::XMLNS;
    let right = match prefix {
        "xml" => uri == ns::XML,
        "xmlns" => false,
        "" if uri.is_empty() => true,
        _ => !reserved && is_absolute_uri(uri),
    };
    if right { Ok(()) } else { fail(ScanProblem::Namespace, at) }
}

fn is_absolute_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`&'".contains(&b))
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Text,
    Attribute,
}

/// Resolves references, normalizes line ends, and in attributes turns white space into spaces.
fn decode(raw: &str, offset: usize, place: Place) -> Result<Cow<'_, str>, ScanError> {
    let special = |b: &u8| match place {
        Place::Text => matches!(b, b'&' | b'\r'),
        Place::Attribute => matches!(b, b'&' | b'\r' | b'\n' | b'\t'),
    };
    if !raw.bytes().any(|b| special(&b)) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(n) = rest.bytes().position(|b| special(&b)) {
        out.push_str(&rest[..n]);
        let at = offset + (raw.len() - rest.len()) + n;
        rest = &rest[n..];
        if let Some(reference) = rest.strip_prefix('&') {
            // The longest is &#x10FFFF; or one with a few leading zeros.
            let Some(end) = reference.bytes().take(16).position(|b| b == b';') else {
                return fail(ScanProblem::Reference, at);
            };
            out.push(referenced(&reference[..end], at)?);
            rest = &reference[end + 1..];
        } else {
            let length = if rest.starts_with("\r\n") { 2 } else { 1 };
            out.push(if place == Place::Text { '\n' } else { ' ' });
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn referenced(name: &str, at: usize) -> Result<char, ScanError> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match name.strip_prefix("#x") {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
            Some(_) => None,
            None => name
                .strip_prefix('#')
                .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok()),
        },
    };
    let Some(number) = number else { return fail(ScanProblem::Reference, at) };
    match char::from_u32(number).filter(|c| is_xml_char(*c)) {
        Some(c) => Ok(c),
        None => fail(ScanProblem::ForbiddenCharacter, at),
    }
}

#[cfg(test)]
mod tests;
