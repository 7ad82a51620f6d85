//! The table against the codes that exist.

use super::*;
use std::collections::BTreeSet;

/// The codes that two functions give, read from their sources: an enum cannot be walked.
fn existing() -> BTreeSet<&'static str> {
    let sources = [include_str!("../refusal.rs"), include_str!("../../../protocol/saml/refusal.rs")];
    let mut found = BTreeSet::new();
    for source in sources {
        let body = source.split("pub fn code(&self)").nth(1).expect("a function that gives codes");
        let body = body.split("\n    }\n").next().unwrap_or_default();
        found.extend(body.lines().filter_map(|line| {
            let (_, rest) = line.split_once("=> \"")?;
            rest.split_once('"').map(|(code, _)| code)
        }));
    }
    found
}

#[test]
fn each_code_is_in_the_table_once() {
    let table: BTreeSet<&str> = CODES.iter().map(|code| code.code).collect();
    assert_eq!(table.len(), CODES.len(), "a code stands twice");
    let existing = existing();
    assert!(existing.len() > 40, "{existing:?}");
    assert_eq!(table, existing);
}

#[test]
fn each_fix_names_the_field_of_the_console() {
    for code in CODES {
        assert_eq!(code.fix.contains("{field}"), code.field.is_some(), "{}", code.code);
        for text in [code.plain, code.check, code.meaning, &code.fix_at(Console::Okta)] {
            assert!(text.ends_with('.') && !text.contains("{field}"), "{}: {text}", code.code);
        }
    }
}
