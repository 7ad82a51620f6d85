//! Entity tags (RFC 7644 §3.14): weak tags of a version number, and the two conditional headers.
//!
//! Tags compare weakly, as SCIM's are weak throughout; a tag sent without quotes is read too.

/// The tag of a version.
pub fn weak(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// If-Match: whether the request may go on. `header` is `None` where it was not sent.
pub fn if_match(header: Option<&str>, current: &str) -> bool {
    header.is_none_or(|header| names(header, current))
}

/// If-None-Match on a read: whether the client already has it, so that the answer is 304.
pub fn if_none_match(header: Option<&str>, current: &str) -> bool {
    header.is_some_and(|header| names(header, current))
}

fn names(header: &str, current: &str) -> bool {
    let current = opaque(current);
    header.trim() == "*" || tags(header).into_iter().any(|tag| tag == current)
}

/// The opaque parts of a list of tags; commas inside quotes do not separate.
fn tags(header: &str) -> Vec<&str> {
    let mut quoted = false;
    header
        .split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(opaque)
        .filter(|tag| !tag.is_empty())
        .collect()
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_every_spelling() {
        let current = weak(7);
        for header in ["W/\"7\"", "\"7\"", "*", " \"6\", W/\"7\"", "\"a,b\",W/\"7\"", "7"] {
            assert!(if_match(Some(header), &current), "{header}");
            assert!(if_none_match(Some(header), &current), "{header}");
        }
        for header in ["W/\"8\"", "", "\"", ",,,", "\"7", "W/\"77\""] {
            assert!(!if_match(Some(header), &current), "{header}");
        }
        assert!(if_match(None, &current));
        assert!(!if_none_match(None, &current));
    }
}
