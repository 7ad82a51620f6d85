//! Filters: whatever is read keeps its bounds, prints as a filter that reads as the same, and judges a resource without
//! a panic; whatever is refused is refused at a place in the text.
#![no_main]

use engine::protocol::scim::filter::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS};
use engine::protocol::scim::{Filter, UserResource};
use engine::shape;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::sync::LazyLock;

static RESOURCE: LazyLock<Value> = LazyLock::new(|| {
    let body = json!({
        "userName": "Ada", "active": true, "displayName": "Ädä", "emails": [{ "value": "a@b.example", "type": "work", "primary": true },
            { "value": "b" }], "name": { "givenName": "a" }, shape::OWN: { "integer0": 1, "integer1": [i64::MAX, -1], "decimal1": [0.5, 1e300],
            "dateTime0": "2026-01-01T00:00:00+02:00", "boolean1": [true], "complex1": [{ "string": "a", "integer": 7 }, { "decimal": 1.5 }] },
    });
    let user =
        UserResource::parse_as(shape::users(), &body, engine::protocol::scim::Conformance::Tolerant).unwrap();
    user.to_json_as(shape::users(), "u1", &shape::meta())
});

fuzz_target!(|text: &str| {
    for resource_type in shape::resource_types() {
        match Filter::parse(resource_type, text) {
            Err(error) => {
                assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}");
                assert!(error.message.len() < 2_000, "{error}");
            }
            Ok(filter) => {
                assert!(text.len() <= MAX_LENGTH);
                let (depth, terms) = size(&filter);
                assert!(depth <= MAX_DEPTH + 1 && terms <= MAX_TERMS, "{depth} {terms}");
                let printed = filter.to_string();
                let matches = filter.matches(&RESOURCE);
                let _ = (filter.index_keys(), filter.exact_key());
                // Print adds escapes and parentheses, which may go beyond what is read.
                match Filter::parse(resource_type, &printed) {
                    Ok(again) => {
                        assert_eq!(again, filter, "{printed}");
                        assert_eq!(again.to_string(), printed);
                        assert_eq!(again.matches(&RESOURCE), matches);
                    }
                    Err(error) => {
                        assert!(printed.len() > MAX_LENGTH || depth >= MAX_DEPTH / 2, "{printed}: {error}")
                    }
                }
            }
        }
    }
});

/// How deep a filter is, and how many comparisons it makes.
fn size(filter: &Filter) -> (usize, usize) {
    match filter {
        Filter::And(terms) | Filter::Or(terms) => {
            terms.iter().map(size).fold((0, 0), |(deep, many), (d, m)| (deep.max(d), many + m))
        }
        Filter::Not(filter) => (size(filter).0 + 1, size(filter).1),
        Filter::Has { filter, .. } => (size(filter).0 + 1, size(filter).1),
        Filter::Compare { .. } | Filter::Present(_) => (0, 1),
    }
}
