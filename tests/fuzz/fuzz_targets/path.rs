//! PATCH paths: whatever is read prints as a path that reads as the same, in both ways of reading.
#![no_main]

use engine::model::state::Conformance;
use engine::protocol::scim::filter::MAX_LENGTH;
use engine::protocol::scim::path::Path;
use engine::shape;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for resource_type in shape::resource_types() {
        for conformance in Conformance::ALL {
            match Path::parse_as(resource_type, text, *conformance) {
                Err(error) => assert!(
                    error.status == 400 && error.scim_type.is_some() && error.detail.len() < 4_000,
                    "{error}"
                ),
                // It prints as words.
                Ok(Path::Core) => {}
                Ok(path) => {
                    assert!(text.len() <= MAX_LENGTH);
                    let printed = path.to_string();
                    match Path::parse_as(resource_type, &printed, *conformance) {
                        Ok(again) => assert_eq!(again, path, "{printed}"),
                        Err(error) => {
                            assert!(printed.len() > MAX_LENGTH || nested(text), "{printed}: {error}")
                        }
                    }
                    if *conformance == Conformance::Profile {
                        // What the strict reading takes, the other takes for the same.
                        assert_eq!(Path::parse(resource_type, text).unwrap(), path);
                    }
                }
            }
        }
    }
});

/// So deep that parentheses which print adds may be too many.
fn nested(text: &str) -> bool {
    text.matches(['(', '[']).count() > 30
}
