//! Tokens of filters and PATCH paths, each with its place.
//!
//! A word is a run without blanks, brackets, parentheses and quotes: names, operators, numbers. Strings
//! are JSON strings with their escapes.

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    Text(String),
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    End,
}

impl Token<'_> {
    /// How a sentence calls it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("\"{}\"", super::error::excerpt(word, 40)),
            Self::Text(_) => "a string".into(),
            Self::Open => "\"(\"".into(),
            Self::Close => "\")\"".into(),
            Self::OpenBracket => "\"[\"".into(),
            Self::CloseBracket => "\"]\"".into(),
            Self::End => "the end".into(),
        }
    }
}

/// A text and how far it was read. Copying it is how one looks ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks; then the byte at which the next token begins.
    pub(super) fn place(&mut self) -> usize {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    /// Whether the next token follows without a blank.
    pub(super) fn adjoins(&self) -> bool {
        !self.rest().starts_with(char::is_whitespace)
    }

    /// The next token; `Err` is the place and what is wrong with a string there.
    pub(super) fn next(&mut self) -> Result<Token<'t>, (usize, String)> {
        let start = self.place();
        let rest = self.rest();
        let token = match rest.as_bytes().first() {
            None => return Ok(Token::End),
            Some(b'(') => Token::Open,
            Some(b')') => Token::Close,
            Some(b'[') => Token::OpenBracket,
            Some(b']') => Token::CloseBracket,
            Some(b'"') => return self.string(start, rest),
            Some(_) => {
                let breaks = |c: char| c.is_whitespace() || "()[]\"".contains(c);
                let word = rest.split(breaks).next().unwrap_or(rest);
                self.at = start + word.len();
                return Ok(Token::Word(word));
            }
        };
        self.at = start + 1;
        Ok(token)
    }

    /// The next token without taking it.
    pub(super) fn peek(&self) -> Result<Token<'t>, (usize, String)> {
        let mut ahead = *self;
        ahead.next()
    }

    fn string(&mut self, start: usize, rest: &'t str) -> Result<Token<'t>, (usize, String)> {
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some(literal) = end.and_then(|end| rest.get(..end + 2)) else {
            return Err((start, "this string has no closing quotation mark".into()));
        };
        self.at = start + literal.len();
        match serde_json::from_str::<String>(literal) {
            Ok(text) if text.contains('\0') => {
                Err((start, "this string contains a NUL character, which no value can contain".into()))
            }
            Ok(text) => Ok(Token::Text(text)),
            Err(_) => Err((start, "this is not a valid JSON string".into())),
        }
    }
}
