//! Who a verified assertion is about: the address, the names, and the key by which to know the person again.
//!
//! IdPs call the same thing by many names; the lists below are what the well-known ones send by default or by
//! their set-up guides. A connection's [`AttributeMapping`] comes before the lists.

use serde::{Deserialize, Serialize};

use super::refusal::{SamlRefusal, shown};
use super::response::{AssertionAttribute, NameIdFormat, VerifiedAssertion};

const EMAIL: &[&str] = &[
    "email",
    "mail",
    "emailAddress",
    "email_address",
    "User.email",
    "user.email",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "http://schemas.xmlsoap.org/claims/EmailAddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "urn:oid:1.2.840.113549.1.9.1",
];
const GIVEN_NAME: &[&str] = &[
    "firstName",
    "first_name",
    "givenName",
    "given_name",
    "User.FirstName",
    "user.firstName",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "urn:oid:2.5.4.42",
];
const FAMILY_NAME: &[&str] = &[
    "lastName",
    "last_name",
    "familyName",
    "family_name",
    "surname",
    "sn",
    "User.LastName",
    "user.lastName",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
    "urn:oid:2.5.4.4",
];
const DISPLAY_NAME: &[&str] = &[
    "displayName",
    "display_name",
    "fullName",
    "cn",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "urn:oid:2.5.4.3",
    "name",
];
/// Attributes that their definitions promise never to change nor to be given to somebody else.
const SUBJECT: &[&str] = &[
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "urn:oasis:names:tc:SAML:attribute:pairwise-id",
    "urn:oasis:names:tc:SAML:attribute:subject-id",
];

/// Names of attributes that a connection's administrator sets where the usual ones do not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttributeMapping {
    /// The attribute with the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The attribute with the given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// The attribute with the family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// The attribute with the whole name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// An attribute that never changes and is never reused, such as Okta's `user.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// By what a person is known at one connection (rule 7 of the product).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Never changes: the key of a link.
    Immutable(String),
    /// Only an address: the key within that connection where there is nothing better, and its reuse is a danger.
    Address(String),
}

/// Who signed in, read from a verified assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The asserted address as it came; not yet checked as an e-mail address nor against any domain.
    pub email: String,
    /// The given name.
    pub given_name: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// The whole name; where none came, given and family name together.
    pub display_name: Option<String>,
    /// The key.
    pub subject: Subject,
}

impl Identity {
    /// Reads who an assertion is about.
    ///
    /// The address comes from the mapped attribute, else from the well-known ones, else from a NameID that is in
    /// e-mail format or unspecified with an `@`. The subject comes from the mapped attribute, else from one that is
    /// immutable by definition (Entra's objectidentifier), else from a persistent NameID; all else is an address.
    /// The attribute goes before the NameID because IdPs send it whatever NameID an administrator chooses later.
    ///
    /// # Errors
    /// [`SamlRefusal::NoEmail`], or [`SamlRefusal::NoSubject`] if a mapped subject did not come as one value.
    pub fn read(assertion: &VerifiedAssertion, mapping: &AttributeMapping) -> Result<Self, SamlRefusal> {
        let source = Source(assertion.attributes());
        let name_id = assertion.name_id();
        let email = source.first(mapping.email.as_deref(), EMAIL).or_else(|| match name_id.format {
            NameIdFormat::EmailAddress => Some(name_id.value.clone()),
            NameIdFormat::Unspecified if name_id.value.contains('@') => Some(name_id.value.clone()),
            _ => None,
        });
        let Some(email) = email else {
            return Err(SamlRefusal::NoEmail {
                name_id_format: name_id.format.label().to_owned(),
                attributes: source.names(),
            });
        };
        let subject = match mapping.subject.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => match source.values(name)[..] {
                [only] => Subject::Immutable(only.to_owned()),
                ref values => {
                    return Err(SamlRefusal::NoSubject {
                        attribute: shown(name),
                        found: values.len(),
                        attributes: source.names(),
                    });
                }
            },
            None => source
                .immutable()
                .or_else(|| (name_id.format == NameIdFormat::Persistent).then(|| name_id.value.clone()))
                .map_or_else(|| Subject::Address(email.clone()), Subject::Immutable),
        };
        let given_name = source.first(mapping.given_name.as_deref(), GIVEN_NAME);
        let family_name = source.first(mapping.family_name.as_deref(), FAMILY_NAME);
        let display_name = source.first(mapping.display_name.as_deref(), DISPLAY_NAME).or_else(|| {
            match (&given_name, &family_name) {
                (Some(given), Some(family)) => Some(format!("{given} {family}")),
                (one, other) => one.clone().or_else(|| other.clone()),
            }
        });
        Ok(Self { email, given_name, family_name, display_name, subject })
    }
}

struct Source<'a>(&'a [AssertionAttribute]);

impl<'a> Source<'a> {
    /// All values of an attribute that are not empty; the name as it is, else without regard to case.
    fn values(&self, name: &str) -> Vec<&'a str> {
        let of = |same: &dyn Fn(&str) -> bool| -> Vec<&'a str> {
            let values = self.0.iter().filter(|a| same(&a.name)).flat_map(|a| &a.values);
            values.map(String::as_str).filter(|value| !value.is_empty()).collect()
        };
        let exact = of(&|found| found == name);
        if exact.is_empty() { of(&|found| found.eq_ignore_ascii_case(name)) } else { exact }
    }

    /// The first value of the mapped attribute if one is mapped, else of the first well-known one that came.
    fn first(&self, mapped: Option<&str>, known: &[&str]) -> Option<String> {
        let value = match mapped.map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => self.values(name).first().copied(),
            None => known.iter().find_map(|name| self.values(name).first().copied()),
        };
        value.map(str::to_owned)
    }

    /// The value of an attribute that is immutable by definition, if it is one value.
    fn immutable(&self) -> Option<String> {
        SUBJECT.iter().find_map(|name| match self.values(name)[..] {
            [only] => Some(only.to_owned()),
            _ => None,
        })
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().take(40).map(|a| shown(&a.name)).collect()
    }
}
