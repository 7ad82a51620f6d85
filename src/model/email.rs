//! `EmailAddress`: an address in the one spelling that is ever compared: ASCII, wholly in lower case.
//! Plus-tags and dots are never folded. Whether the domain behind the @ belongs to anybody is not judged
//! here: callers compare `domain()` with the verified domains.

use std::{fmt, str::FromStr};

use email_address::Options;
use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest address accepted, in octets (RFC 5321 section 4.5.3.1.3 with erratum 1690).
pub const MAX_EMAIL_ADDRESS: usize = 254;

/// An e-mail address, for example `jo.doe+vpn@acme.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct EmailAddress(String);

/// Why a text is not an address that can be used here. `Display` is the sentence for the person who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressError {
    #[error("The e-mail address is empty.")]
    Empty,
    #[error("The e-mail address is longer than {MAX_EMAIL_ADDRESS} characters.")]
    TooLong,
    #[error(
        "The e-mail address has a character outside ASCII; write an international domain in its xn-- form."
    )]
    NotAscii,
    #[error("The e-mail address must have exactly one @, with a name before and a domain after it.")]
    NotOneAt,
    #[error("The e-mail address has a quoted name, which is not supported.")]
    Quoted,
    #[error(
        "The part before the @ must have 1 to 64 characters: letters, digits, !#$%&'*+-/=?^_`{{|}}~ and inner single dots."
    )]
    LocalPart,
    #[error("The part after the @ must be a domain name with a dot, such as acme.com, and no IP address.")]
    Domain,
}

impl EmailAddressError {
    /// The stable code of this refusal for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "email_empty",
            Self::TooLong => "email_too_long",
            Self::NotAscii => "email_not_ascii",
            Self::NotOneAt => "email_not_one_at",
            Self::Quoted => "email_quoted",
            Self::LocalPart => "email_local_part_invalid",
            Self::Domain => "email_domain_invalid",
        }
    }
}

impl EmailAddress {
    /// Reads an address; surrounding blanks are dropped and letters become lower case.
    ///
    /// # Errors
    /// Anything but `dot-atom@dns.name` in ASCII: quoted local parts, IP literals, display names, comments,
    /// domains of a single label, and addresses over 254 octets.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EmailAddressError::Empty);
        }
        if text.len() > MAX_EMAIL_ADDRESS {
            return Err(EmailAddressError::TooLong);
        }
        if !text.is_ascii() {
            return Err(EmailAddressError::NotAscii);
        }
        if text.starts_with('"') {
            return Err(EmailAddressError::Quoted);
        }
        let lower = text.to_ascii_lowercase();
        let Some((local, domain)) = lower.split_once('@') else { return Err(EmailAddressError::NotOneAt) };
        if local.is_empty() || domain.is_empty() || domain.contains('@') {
            return Err(EmailAddressError::NotOneAt);
        }
        if !is_dns_name(domain) {
            return Err(EmailAddressError::Domain);
        }
        let options = Options::default().without_display_text().without_domain_literal();
        if local.contains('"') || email_address::EmailAddress::parse_with_options(&lower, options).is_err() {
            return Err(EmailAddressError::LocalPart);
        }
        Ok(Self(lower))
    }

    /// The whole address in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the @.
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// The part after the @: a DNS name in lower case, to be compared with verified domains as it stands.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }
}

/// At least two labels of letters, digits and inner hyphens, the last one not all digits (which would be an IP
/// address); no trailing dot.
fn is_dns_name(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    let sound = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    labels.len() >= 2
        && labels.iter().all(sound)
        && labels.last().is_some_and(|tld| !tld.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EmailAddress {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = EmailAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_throughout_and_nothing_folded() {
        for (text, address, domain) in [
            ("Jo.Doe+VPN@Acme.COM", "jo.doe+vpn@acme.com", "acme.com"),
            (" jo@acme.com\n", "jo@acme.com", "acme.com"),
            ("o'brien_1@mail.acme.co.uk", "o'brien_1@mail.acme.co.uk", "mail.acme.co.uk"),
            ("x@xn--bcher-kva.de", "x@xn--bcher-kva.de", "xn--bcher-kva.de"),
            ("someone@gmail.com", "someone@gmail.com", "gmail.com"),
            ("a@b.notatld", "a@b.notatld", "b.notatld"),
        ] {
            let parsed = EmailAddress::parse(text).expect(text);
            assert_eq!((parsed.as_str(), parsed.domain()), (address, domain));
            assert_eq!(parsed, address.parse().expect("its own spelling"));
        }
        assert_ne!(EmailAddress::parse("jo+a@acme.com"), EmailAddress::parse("jo@acme.com"));
        assert_ne!(EmailAddress::parse("j.o@acme.com"), EmailAddress::parse("jo@acme.com"));
    }

    #[test]
    fn odd_forms_are_refused_with_their_reason() {
        for (text, code) in [
            ("", "email_empty"),
            ("jo", "email_not_one_at"),
            ("@acme.com", "email_not_one_at"),
            ("jo@", "email_not_one_at"),
            ("jo@evil.com@acme.com", "email_not_one_at"),
            ("\"jo@evil.com\"@acme.com", "email_quoted"),
            ("jo\"x\"@acme.com", "email_local_part_invalid"),
            ("Jo Doe <jo@acme.com>", "email_domain_invalid"),
            ("jo doe@acme.com", "email_local_part_invalid"),
            ("jo(x)@acme.com", "email_local_part_invalid"),
            ("jo..doe@acme.com", "email_local_part_invalid"),
            (".jo@acme.com", "email_local_part_invalid"),
            ("jo.@acme.com", "email_local_part_invalid"),
            ("jo@localhost", "email_domain_invalid"),
            ("jo@[127.0.0.1]", "email_domain_invalid"),
            ("jo@127.0.0.1", "email_domain_invalid"),
            ("jo@acme.com.", "email_domain_invalid"),
            ("jo@acme..com", "email_domain_invalid"),
            ("jo@-acme.com", "email_domain_invalid"),
            ("jo@ac_me.com", "email_domain_invalid"),
            ("jo@acme.com\0", "email_domain_invalid"),
            ("jo\r\nbcc:x@acme.com", "email_local_part_invalid"),
            ("jö@acme.com", "email_not_ascii"),
            ("jo@bücher.de", "email_not_ascii"),
            // The Kelvin sign lower-cases to an ASCII k; it must not arrive there.
            ("\u{212a}im@acme.com", "email_not_ascii"),
        ] {
            assert_eq!(EmailAddress::parse(text).expect_err(text).code(), code, "{text}");
        }
        let long = format!("{}@acme.com", "a".repeat(65));
        assert_eq!(EmailAddress::parse(&long), Err(EmailAddressError::LocalPart));
        let long = format!("a@{}com", "b.".repeat(126));
        assert_eq!(EmailAddress::parse(&long), Err(EmailAddressError::TooLong));
    }
}
