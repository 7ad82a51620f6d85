//! `DomainName`: a DNS name that an organization may claim, in the one spelling that is ever compared:
//! IDNA A-labels in lower case, without the trailing dot.
//!
//! `DomainName::parse` is the only way in for anything a person or program sends; it refuses what nobody
//! may own (public suffixes, free-mail domains, addresses of machines). Rows already stored are read by
//! `from_stored`, which checks the spelling alone: a suffix list that grew since must not make a row unreadable.

use std::{collections::HashSet, fmt, net::IpAddr, str::FromStr, sync::LazyLock};

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name accepted, in octets: DNS allows 253, and the longest challenge label (63) and a dot go before it.
pub const MAX_DOMAIN_NAME: usize = 253 - 64;

/// Top-level names kept for tests and documentation (RFC 6761); nobody can register below them, so a claim
/// there proves something only to who answers for DNS in that network.
const TEST_TLDS: [&str; 2] = ["test", "example"];

/// Top-level names that never mean the same thing to everybody (RFC 6761, 6762, 7686, 8375, ICANN SAC 113).
const LOCAL_TLDS: [&str; 6] = ["localhost", "local", "internal", "invalid", "onion", "alt"];

static FREE_MAIL: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("free_mail.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
});

/// A DNS name that an organization may claim, for example `acme.com` or `xn--bcher-kva.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
#[sea_orm(value_type = "String", from_str = "DomainName::from_stored")]
pub struct DomainName(String);

/// Why a text is not a domain that can be claimed. `Display` is the sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainNameError {
    #[error("The domain is empty. Write a name such as acme.com.")]
    Empty,
    #[error("\"{0}\" is a web address. Write the domain alone, such as acme.com.")]
    WebAddress(String),
    #[error("\"{0}\" is an e-mail address. Write only the part after the @.")]
    EmailAddress(String),
    #[error("\"{0}\" is a wildcard. Claim the domain itself; each sub-domain is claimed on its own.")]
    Wildcard(String),
    #[error("\"{0}\" is an IP address. Only a domain name can be claimed.")]
    IpAddress(String),
    #[error("\"{0}\" contains an underscore, which the name of a domain cannot have.")]
    Underscore(String),
    #[error("\"{0}\" has a single label. A domain has at least two, such as acme.com.")]
    SingleLabel(String),
    #[error("The domain is {length} characters long. At most {MAX_DOMAIN_NAME} are possible.")]
    TooLong { length: usize },
    #[error(
        "\"{0}\" is not a valid domain name: each part between the dots has 1 to 63 letters, digits or inner hyphens."
    )]
    Malformed(String),
    #[error("\"{0}\" ends in a name that is local to a network, so it cannot be claimed.")]
    LocalName(String),
    #[error("\"{name}\" ends in \".{suffix}\", which is not a known public ending. Check the spelling.")]
    UnknownSuffix { name: String, suffix: String },
    #[error("\"{0}\" is a public suffix, under which anybody can register. Claim your own name below it.")]
    PublicSuffix(String),
    #[error(
        "\"{0}\" belongs to a public mail provider. Only a domain of the organization's own can be claimed."
    )]
    FreeMail(String),
}

impl DomainNameError {
    /// The stable code of this refusal for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "domain_empty",
            Self::WebAddress(_) => "domain_is_web_address",
            Self::EmailAddress(_) => "domain_is_email_address",
            Self::Wildcard(_) => "domain_is_wildcard",
            Self::IpAddress(_) => "domain_is_ip_address",
            Self::Underscore(_) => "domain_has_underscore",
            Self::SingleLabel(_) => "domain_is_single_label",
            Self::TooLong { .. } => "domain_too_long",
            Self::Malformed(_) => "domain_malformed",
            Self::LocalName(_) => "domain_is_local",
            Self::UnknownSuffix { .. } => "domain_suffix_unknown",
            Self::PublicSuffix(_) => "domain_is_public_suffix",
            Self::FreeMail(_) => "domain_is_free_mail",
        }
    }
}

impl DomainName {
    /// Reads what somebody typed: surrounding blanks and one trailing dot are dropped, Unicode names become
    /// A-labels (UTS 46, strict), letters become lower case. Names under `.test` and `.example` are accepted.
    ///
    /// # Errors
    /// Everything that is no DNS name of at least two labels under a known public suffix, and the names that
    /// no single organization can own: public suffixes and the free-mail domains of `free_mail.txt`.
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let name = spell(text)?;
        let tld = name.rsplit('.').next().unwrap_or_default();
        if LOCAL_TLDS.contains(&tld) || name == "home.arpa" || name.ends_with(".home.arpa") {
            return Err(DomainNameError::LocalName(name));
        }
        if TEST_TLDS.contains(&tld) {
            return Ok(Self(name));
        }
        match psl::suffix(name.as_bytes()) {
            Some(suffix) if suffix.is_known() => {
                if suffix.as_bytes() == name.as_bytes() {
                    return Err(DomainNameError::PublicSuffix(name));
                }
            }
            _ => {
                let suffix = tld.to_owned();
                return Err(DomainNameError::UnknownSuffix { name, suffix });
            }
        }
        if FREE_MAIL.contains(name.as_str()) {
            return Err(DomainNameError::FreeMail(name));
        }
        Ok(Self(name))
    }

    /// Reads a name that `parse` accepted earlier and a table kept: the spelling must be exactly the one
    /// `parse` gives, who may own it is not asked again.
    pub fn from_stored(text: &str) -> Result<Self, DomainNameError> {
        let name = spell(text)?;
        if name == text { Ok(Self(name)) } else { Err(DomainNameError::Malformed(shown(text))) }
    }

    /// The name in lower-case A-labels, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that was registered, which mostly is the zone as well: `acme.co.uk` of `eu.acme.co.uk`.
    pub fn registrable(&self) -> Option<&str> {
        psl::domain_str(&self.0)
    }
}

/// Brings a text into the one spelling, or says what keeps it from being a DNS name of two labels or more.
fn spell(text: &str) -> Result<String, DomainNameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DomainNameError::Empty);
    }
    if text.len() > 4 * MAX_DOMAIN_NAME {
        return Err(DomainNameError::TooLong { length: text.chars().count() });
    }
    if is_ip_address(text) {
        return Err(DomainNameError::IpAddress(shown(text)));
    }
    if text.contains("//") || text.contains('/') {
        return Err(DomainNameError::WebAddress(shown(text)));
    }
    if text.contains('@') {
        return Err(DomainNameError::EmailAddress(shown(text)));
    }
    if text.starts_with("*.") {
        return Err(DomainNameError::Wildcard(shown(text)));
    }
    // UTS 46 treats the ideographic full stops as dots, so a trailing one is dropped as well.
    let text = text.strip_suffix(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).unwrap_or(text);
    if text.contains('_') {
        return Err(DomainNameError::Underscore(shown(text)));
    }
    let Ok(name) = idna::domain_to_ascii_strict(text) else {
        if text.is_ascii() && text.len() > MAX_DOMAIN_NAME {
            return Err(DomainNameError::TooLong { length: text.len() });
        }
        return Err(DomainNameError::Malformed(shown(text)));
    };
    if name.len() > MAX_DOMAIN_NAME {
        return Err(DomainNameError::TooLong { length: name.len() });
    }
    // Full-width digits and dots become ASCII only here.
    if is_ip_address(&name) {
        return Err(DomainNameError::IpAddress(name));
    }
    if !name.contains('.') {
        return Err(DomainNameError::SingleLabel(name));
    }
    Ok(name)
}

fn is_ip_address(text: &str) -> bool {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || bare.trim_end_matches('.').parse::<IpAddr>().is_ok()
}

/// What a sentence quotes of a text: enough to recognize it, without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for DomainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        DomainName::parse(text).expect_err(text).code()
    }

    #[test]
    fn one_spelling_for_every_way_of_writing() {
        for (text, name) in [
            ("acme.com", "acme.com"),
            ("  ACME.Com. ", "acme.com"),
            ("Bücher.de", "xn--bcher-kva.de"),
            ("XN--BCHER-KVA.de", "xn--bcher-kva.de"),
            ("bücher。de。", "xn--bcher-kva.de"),
            ("ａｃｍｅ.com", "acme.com"),
            ("sub.dept.acme.co.uk", "sub.dept.acme.co.uk"),
            ("acme.test", "acme.test"),
            ("deep.acme.example", "deep.acme.example"),
            ("someone.github.io", "someone.github.io"),
        ] {
            let domain = DomainName::parse(text).expect(text);
            assert_eq!(domain.as_str(), name);
            assert_eq!(DomainName::from_stored(name), Ok(domain));
        }
    }

    #[test]
    fn what_nobody_may_own_is_refused_by_name() {
        for (text, expected) in [
            ("", "domain_empty"),
            (" . ", "domain_malformed"),
            ("co.uk", "domain_is_public_suffix"),
            ("CO.UK.", "domain_is_public_suffix"),
            ("github.io", "domain_is_public_suffix"),
            ("anything.ck", "domain_is_public_suffix"),
            ("gmail.com", "domain_is_free_mail"),
            ("GMAIL.com.", "domain_is_free_mail"),
            ("qq.com", "domain_is_free_mail"),
            ("com", "domain_is_single_label"),
            ("localhost", "domain_is_single_label"),
            ("test", "domain_is_single_label"),
            ("intra.localhost", "domain_is_local"),
            ("printer.local", "domain_is_local"),
            ("nas.home.arpa", "domain_is_local"),
            ("acme.notatld", "domain_suffix_unknown"),
            ("127.0.0.1", "domain_is_ip_address"),
            ("127.0.0.1.", "domain_is_ip_address"),
            ("１２７.0.0.1", "domain_is_ip_address"),
            ("[::1]", "domain_is_ip_address"),
            ("2001:db8::1", "domain_is_ip_address"),
            ("_dmarc.acme.com", "domain_has_underscore"),
            ("https://acme.com/", "domain_is_web_address"),
            ("jo@acme.com", "domain_is_email_address"),
            ("*.acme.com", "domain_is_wildcard"),
            ("acme..com", "domain_malformed"),
            (".acme.com", "domain_malformed"),
            ("acme.com..", "domain_malformed"),
            ("-acme.com", "domain_malformed"),
            ("ac me.com", "domain_malformed"),
            ("acme.com:443", "domain_malformed"),
            ("xn--a.com", "domain_malformed"),
            ("a\u{200d}b.com", "domain_malformed"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
        assert_eq!(code(&format!("{}.com", "a".repeat(64))), "domain_malformed");
        assert_eq!(code(&format!("{}com", "a.".repeat(100))), "domain_too_long");
        assert_eq!(code(&"a".repeat(100_000)), "domain_too_long");
    }

    #[test]
    fn the_longest_name_leaves_room_for_the_longest_label() {
        let label = "a".repeat(61);
        let name = format!("{label}.{label}.{label}.com");
        assert_eq!(name.len(), MAX_DOMAIN_NAME);
        assert!(DomainName::parse(&name).is_ok());
        assert_eq!(code(&format!("b{name}")), "domain_too_long");
    }

    #[test]
    fn stored_rows_outlive_the_lists() {
        // Suppose these became public suffix and free-mail domain after they were verified.
        assert_eq!(DomainName::from_stored("github.io").expect("readable").as_str(), "github.io");
        assert_eq!(DomainName::from_stored("gmail.com").expect("readable").as_str(), "gmail.com");
        for odd in ["Acme.com", "acme.com.", "bücher.de", "com", ""] {
            assert!(DomainName::from_stored(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_free_mail_list_is_in_order() {
        assert!(FREE_MAIL.len() >= 100, "{}", FREE_MAIL.len());
        let mut last = "";
        for line in include_str!("free_mail.txt").lines().filter(|l| !l.starts_with('#')) {
            assert!(last < line, "{line} stands after {last}");
            assert_eq!(DomainName::from_stored(line).expect(line).as_str(), line);
            last = line;
        }
    }

    #[test]
    fn json_uses_the_same_door() {
        assert_eq!(serde_json::from_str::<DomainName>("\"Acme.COM\"").expect("valid").as_str(), "acme.com");
        assert!(serde_json::from_str::<DomainName>("\"gmail.com\"").is_err());
    }
}
