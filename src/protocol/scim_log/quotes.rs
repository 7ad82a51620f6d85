//! What a refusal quotes of a call, for the log: a quote stays where the masked call says the same, or where it is one
//! of the server's own words; everything else that stands between quotes may be a secret and is masked.
//!
//! The answer itself goes to whoever sent the call, and quotes as it likes.

use super::mask::MASK;
use crate::protocol::percent::decoded;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;

/// What refusals put between quotes on their own account.
const OWN_WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "work",
    "id",
    "ascending",
    "descending",
    "manual",
    "scim",
    "password",
    "photos",
    "2026-01-31t08:00:00z",
];
/// How the names of the standard's schemas begin.
const OWN_URNS: &str = "urn:ietf:params:scim:";

/// What the log says of a call anyway.
#[derive(Debug, Default)]
pub struct Told {
    /// In small letters, without control characters, as refusals quote.
    text: String,
    words: HashSet<String>,
}

impl Told {
    /// By the masked path, with its query, and the masked body.
    pub fn of(path: &str, body: Option<&Value>) -> Self {
        let mut told = Self::default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        told.add(&decoded(path));
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            told.add(&name);
            told.add(&value);
        }
        if let Some(body) = body {
            told.add_all(body);
        }
        told.words = words(&told.text).map(str::to_owned).collect();
        told
    }

    fn add(&mut self, text: &str) {
        self.text.extend(text.chars().filter(|c| !c.is_control()).flat_map(char::to_lowercase));
        self.text.push('\n');
    }

    /// The depth is that of a body that was read.
    fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_all(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.add(name);
                    self.add_all(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Whether a quote says nothing that the log does not say elsewhere.
    fn has(&self, quote: &str) -> bool {
        let quote = quote.trim_end_matches('…').to_lowercase();
        let own = |word: &str| {
            OWN_WORDS.contains(&word) || word.chars().all(|c| c.is_ascii_punctuation() || c == ' ')
        };
        own(&quote)
            || quote.starts_with(OWN_URNS)
            || uuid::Uuid::try_parse(&quote).is_ok()
            || self.text.contains(&quote)
            // An attribute is named in full where it was sent in parts.
            || words(&quote).all(|word| own(word) || self.words.contains(word))
    }

    /// A sentence without what it alone would tell.
    pub fn only<'s>(&self, sentence: &'s str) -> Cow<'s, str> {
        let pieces: Vec<&str> = sentence.split('"').collect();
        let even = pieces.len() % 2 == 1;
        if even && pieces.iter().skip(1).step_by(2).all(|quote| self.has(quote)) {
            return sentence.into();
        }
        match (pieces.first(), pieces.last()) {
            (Some(before), Some(after)) if even => format!("{before}\"{MASK}\"{after}").into(),
            // Where a quote ends cannot be said.
            (Some(before), _) => format!("{before}\"{MASK}\"").into(),
            _ => MASK.into(),
        }
    }
}

/// What stands between the signs that join names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ".:[]()\"".contains(c)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quote_stays_if_the_masked_call_says_it_and_goes_if_not() {
        let body =
            json!({ "Operations": [{ "op": MASK, "path": "name.Nick", "value": { "a b": "jo@acme.com" } }] });
        let told = Told::of("/Users/jo%40x?sortBy=title&filter=***", Some(&body));
        for kept in [
            "There is no user with the id \"jo@x\" in this directory.",
            "The path \"NAME.nick\" names nothing: \"name\" has no sub-attribute \"nick\".",
            "schemas must name \"urn:ietf:params:scim:schemas:core:2.0:User\".",
            "There is no user with the id \"01890000-0000-7000-8000-000000000000\" in this directory.",
            "expected \")\", found \"title\"",
            "\"name.title\" has parts.",
            "No quote.",
        ] {
            assert_eq!(told.only(kept), kept);
        }
        for (sent, kept) in [
            ("op must be add, but \"hunter2\" was sent.", "op must be add, but \"***\" was sent."),
            ("\"a b\" is \"hunter2\" or \"jo\", so", "\"***\", so"),
            ("It says \"jo\" hunter2\" here.", "It says \"***\""),
            ("It says \"jo.hunter2\".", "It says \"***\"."),
        ] {
            assert_eq!(told.only(sent), kept);
        }
    }
}
