//! The public URL: the one base of every address that leaves this installation.
//!
//! Promise: scheme and host (and port) only, no underscore in the host (Okta refuses such URLs), plain
//! http only where no network is crossed. `as_str` has no slash at its end.

use std::fmt;

use url::{Host, Url};

use super::problems::Checker;

/// `https://id.example.com`, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    url: Url,
    text: String,
}

impl PublicUrl {
    /// Without a slash at the end, so that `format!("{}/saml", …)` is right.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as a [`Url`], whose path is `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address of `path`, with or without its leading slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.text, path.trim_start_matches('/'))
    }

    /// Whether cookies can be `Secure` and carry the `__Host-` prefix.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host alone, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Reads an origin; the error says what is wrong with it, to stand behind the name of the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = |what: &str| Err(format!("{what}, found {text:?}"));
        let Ok(url) = Url::parse(text.trim()) else {
            return found("must be a URL such as https://id.example.com");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return found("must begin with https:// (or http:// on this machine)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user name or password".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return found("must end after the host and port, without path, query or fragment");
        }
        let local = match url.host() {
            Some(Host::Domain(name)) => {
                if name.contains('_') {
                    return found(
                        "must not have an underscore in its host: identity providers refuse such URLs",
                    );
                }
                name == "localhost" || name.ends_with(".localhost")
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return found("must name a host"),
        };
        if url.scheme() == "http" && !local {
            return found("may be plain http on this machine only (localhost, 127.0.0.1, ::1); use https");
        }
        if url.port() == Some(0) {
            return found("must not name port 0");
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    pub(super) fn check(text: &str, checker: &mut Checker<'_>) -> Self {
        Self::parse(text).unwrap_or_else(|problem| {
            checker.refuse("public_url", problem);
            Self::stand_in()
        })
    }

    /// Some valid value to go on checking with; a configuration with a problem is never handed out.
    fn stand_in() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that parses, kept so by every test of this file")]
        Self::parse("http://127.0.0.1").expect("the stand-in is a valid origin")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn origins_that_an_identity_provider_takes() {
        for (text, expected) in [
            ("https://id.example.com", "https://id.example.com"),
            ("https://ID.Example.com:8443/", "https://id.example.com:8443"),
            ("https://id.example.com:443", "https://id.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://gate.localhost", "http://gate.localhost"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().as_str(), expected);
        }
        let url = PublicUrl::parse("https://id.example.com/").unwrap();
        assert_eq!(url.join("/saml/acs"), "https://id.example.com/saml/acs");
        assert_eq!(url.join("scim/v2"), "https://id.example.com/scim/v2");
        assert_eq!((url.host(), url.is_https()), ("id.example.com", true));
    }

    #[test]
    fn origins_that_would_break_later_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "must be a URL"),
            ("id.example.com", "must be a URL"),
            ("ftp://id.example.com", "must begin with https"),
            ("https://id.example.com/gate", "without path"),
            ("https://id.example.com/?a", "without path"),
            ("https://id.example.com/#a", "without path"),
            ("https://user:secret@id.example.com", "user name or password"),
            ("https://my_id.example.com", "underscore"),
            ("http://id.example.com", "this machine only"),
            ("http://10.0.0.1", "this machine only"),
            ("https://id.example.com:0", "port 0"),
        ] {
            let problem = PublicUrl::parse(text).unwrap_err();
            assert!(problem.contains(reason), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
