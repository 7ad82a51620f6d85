//! How many values a JSON text has, told before any of them is made: a value in memory takes many times the two bytes
//! that a text needs for it, so that a body within its limit of bytes could still take up a server.

/// Most values (numbers, texts, arrays, objects and so on) in a body for SCIM: a PATCH that adds 124,000 members by their
/// ids, or a bulk request of 1,000 users with 250 values each.
pub const MOST_SCIM_VALUES: usize = 250_000;
/// The same of the REST API, whose bodies are small.
pub const MOST_API_VALUES: usize = 50_000;

/// Whether a text has more values than that. Of a text that is no JSON it may say either; nothing is allocated.
pub fn has_more_values_than(text: &[u8], most: usize) -> bool {
    // Each takes two bytes with what joins or encloses it; the last one may take one.
    if text.len().div_ceil(2) <= most {
        return false;
    }
    let mut count = 1_usize;
    let mut before = b' ';
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b',' | b'[' | b'{' => count += 1,
            // Nothing was in it after all.
            b']' | b'}' if matches!(before, b'[' | b'{') => count -= 1,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => {}
        }
        if count > most.saturating_add(1) {
            return true;
        }
        before = *byte;
    }
    count > most
}

/// What a body with more values is told.
pub fn too_many_values(most: usize) -> String {
    format!("The body has more than {most} JSON values; send it in several requests.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<f64>().prop_map(Value::from),
            "[a,\\[{}\"\\\\]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a\"\\\\,]{0,4}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_counted_as_they_are_made(value in tree(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let number = count(&value);
            prop_assert!(!has_more_values_than(text.as_bytes(), number), "{text}");
            prop_assert!(has_more_values_than(text.as_bytes(), number - 1), "{text}");
        }

        #[test]
        fn anything_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), most in 0_usize..20) {
            has_more_values_than(&bytes, most);
        }
    }
}
