//! Where a browser goes after signing in: a path of this installation and never another site, so that a link to the
//! sign-in page cannot be made to end elsewhere (open redirect).

const LONGEST: usize = 2048;

/// A local path with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Why a text is no place to return to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReturnToError {
    #[error("return_to is longer than {LONGEST} bytes")]
    TooLong,
    #[error("return_to must be a path of this site: one slash first, no second one behind it, no backslash")]
    NotLocal,
    #[error(
        "return_to may have printable ASCII characters only; write others in percent form, such as %20 for a blank"
    )]
    Characters,
}

impl ReturnTo {
    /// Reads a path such as `/projects/7?tab=2`.
    ///
    /// # Errors
    /// Anything that a browser could take for another site: an absolute URL, `//host`, a backslash, or characters
    /// that browsers drop while they read a URL.
    pub fn parse(text: &str) -> Result<Self, ReturnToError> {
        if text.len() > LONGEST {
            return Err(ReturnToError::TooLong);
        }
        let path = text.split(['?', '#']).next().unwrap_or_default();
        if !path.starts_with('/') || path.contains("//") || text.contains('\\') {
            return Err(ReturnToError::NotLocal);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ReturnToError::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_pass() {
        for good in ["/", "/a/b", "/a?next=https://x.example//y", "/a%20b#top", "/api/v1/me"] {
            assert_eq!(ReturnTo::parse(good).map(ReturnTo::into_string).as_deref(), Ok(good));
        }
        for evil in [
            "",
            "a",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\n//evil.example",
            " /a",
            "/a b",
            "/a\r\nSet-Cookie: x=1",
            "/a//b",
            "/é",
            "javascript:alert(1)",
            "?a",
        ] {
            assert!(ReturnTo::parse(evil).is_err(), "{evil:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "a".repeat(LONGEST))), Err(ReturnToError::TooLong));
    }
}
