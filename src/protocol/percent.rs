//! Percent-encoding (RFC 3986 section 2.1), undone as leniently as clients need it.

/// Undoes percent-encoding; a broken escape stands for itself, and what is not UTF-8 then becomes U+FFFD. A plus is a plus.
pub fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = segment.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let escape = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(value) = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            plain.push(value);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for (text, plain) in [
            ("a%40b%2Ecom", "a@b.com"),
            ("jo+x%2by", "jo+x+y"),
            ("100%", "100%"),
            ("%+1%zz%é%", "%+1%zz%é%"),
            ("%C3%A9%FF", "é\u{fffd}"),
        ] {
            assert_eq!(decoded(text), plain);
        }
    }
}
