//! Who a verified assertion is about: the address, the names, and the key by which to know the person again.
//!
//! IdPs call the same thing by many names; the lists below are what the well-known ones send by default or by
//! their set-up guides. A connection's [`AttributeMapping`] comes before the lists. Names are compared as they are,
//! then without regard to case.

use std::collections::HashSet;

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
    "urn:mace:dir:attribute-def:mail",
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
    "urn:mace:dir:attribute-def:givenName",
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
    "urn:mace:dir:attribute-def:sn",
];
const DISPLAY_NAME: &[&str] = &[
    "displayName",
    "display_name",
    "fullName",
    "cn",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "http://schemas.xmlsoap.org/claims/CommonName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "urn:oid:2.5.4.3",
    "urn:mace:dir:attribute-def:displayName",
    "urn:mace:dir:attribute-def:cn",
    "name",
];
/// Attributes that their definitions promise never to change nor to be given to somebody else; the last one by its
/// name, which the set-up guides ask for where an IdP has none of the others.
const SUBJECT: &[&str] = &[
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "urn:oasis:names:tc:SAML:attribute:pairwise-id",
    "urn:oasis:names:tc:SAML:attribute:subject-id",
    "immutable_id",
];
/// Keycloak sends `Role` beside whatever else is set up, so it comes last.
const GROUPS: &[&str] = &[
    "groups",
    "group",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
    "memberOf",
    "isMemberOf",
    "memberOfGroupNames",
    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
    "urn:oid:1.2.840.113556.1.2.102",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    "Role",
];
/// How many groups of a person are kept.
const MOST_GROUPS: usize = 2_000;
/// A group's name is cut here, in characters.
const LONGEST_GROUP: usize = 256;

/// What is read from an assertion's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The e-mail address.
    Email,
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The whole name.
    DisplayName,
    /// What never changes and is never given to somebody else.
    Subject,
    /// The groups.
    Groups,
}

impl Part {
    /// The names under which it is looked for if the connection names no other, the first that came wins.
    pub const fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Email => EMAIL,
            Self::GivenName => GIVEN_NAME,
            Self::FamilyName => FAMILY_NAME,
            Self::DisplayName => DISPLAY_NAME,
            Self::Subject => SUBJECT,
            Self::Groups => GROUPS,
        }
    }
}

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
    /// The attribute with the groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
}

impl AttributeMapping {
    /// The name that the connection's administrator gave for a part, if any.
    pub fn name_of(&self, part: Part) -> Option<&str> {
        let name = match part {
            Part::Email => &self.email,
            Part::GivenName => &self.given_name,
            Part::FamilyName => &self.family_name,
            Part::DisplayName => &self.display_name,
            Part::Subject => &self.subject,
            Part::Groups => &self.groups,
        };
        name.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }
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
    /// The groups that came: trimmed, each once and in order, at most 2,000, each cut at 256 characters.
    pub groups: Vec<String>,
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
        let email = source.first(mapping, Part::Email).or_else(|| match name_id.format {
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
        let subject = match mapping.name_of(Part::Subject) {
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
        let given_name = source.first(mapping, Part::GivenName);
        let family_name = source.first(mapping, Part::FamilyName);
        let display_name =
            source.first(mapping, Part::DisplayName).or_else(|| match (&given_name, &family_name) {
                (Some(given), Some(family)) => Some(format!("{given} {family}")),
                (one, other) => one.clone().or_else(|| other.clone()),
            });
        let groups = source.groups(mapping);
        Ok(Self { email, given_name, family_name, display_name, subject, groups })
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

    /// All values of the mapped attribute if one is mapped, else of the first well-known one that came.
    fn all(&self, mapping: &AttributeMapping, part: Part) -> Vec<&'a str> {
        if let Some(name) = mapping.name_of(part) {
            return self.values(name);
        }
        let mut known = part.usual_names().iter().map(|name| self.values(name));
        known.find(|values| !values.is_empty()).unwrap_or_default()
    }

    /// The first of these values.
    fn first(&self, mapping: &AttributeMapping, part: Part) -> Option<String> {
        self.all(mapping, part).first().map(|value| (*value).to_owned())
    }

    fn groups(&self, mapping: &AttributeMapping) -> Vec<String> {
        let mut seen = HashSet::new();
        let values = self.all(mapping, Part::Groups).into_iter().map(|value| {
            let value = value.trim();
            let end = value.char_indices().nth(LONGEST_GROUP).map_or(value.len(), |(at, _)| at);
            value[..end].trim_end()
        });
        let values = values.filter(|value| !value.is_empty() && seen.insert(*value));
        values.take(MOST_GROUPS).map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";

    fn attributes(pairs: &[(&str, &[&str])]) -> Vec<AssertionAttribute> {
        let one = |(name, values): &(&str, &[&str])| AssertionAttribute {
            name: (*name).to_owned(),
            friendly_name: None,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        pairs.iter().map(one).collect()
    }

    /// What is read of e-mail, names and groups under the usual names.
    fn read(pairs: &[(&str, &[&str])]) -> (Option<String>, Option<String>, Option<String>, Vec<String>) {
        let (all, mapping) = (attributes(pairs), AttributeMapping::default());
        let source = Source(&all);
        let first = |part| source.first(&mapping, part);
        (first(Part::Email), first(Part::GivenName), first(Part::FamilyName), source.groups(&mapping))
    }

    #[test]
    fn what_each_well_known_idp_sends_by_default_is_read() {
        let claim = |name: &str| format!("{CLAIMS}{name}");
        let (email, given, family) = (claim("emailaddress"), claim("givenname"), claim("surname"));
        let idps: &[(&str, [&str; 4])] = &[
            ("Okta's guide", ["email", "firstName", "lastName", "groups"]),
            (
                "Entra ID",
                [&email, &given, &family, "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"],
            ),
            ("OneLogin", ["User.email", "User.FirstName", "User.LastName", "memberOf"]),
            ("JumpCloud", ["email", "firstname", "lastname", "memberOf"]),
            ("AD FS", [&email, &given, &family, "http://schemas.xmlsoap.org/claims/Group"]),
            (
                "SimpleSAMLphp",
                [
                    "urn:oid:0.9.2342.19200300.100.1.3",
                    "urn:oid:2.5.4.42",
                    "urn:oid:2.5.4.4",
                    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
                ],
            ),
            ("Keycloak", ["urn:oid:1.2.840.113549.1.9.1", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4", "Role"]),
            ("LDAP names", ["mail", "givenName", "sn", "isMemberOf"]),
        ];
        for (idp, [mail, given, family, groups]) in idps {
            let found = read(&[
                (mail, &["jane@corp.example"]),
                (given, &["Jane"]),
                (family, &["Doe"]),
                (groups, &["Staff", "Berlin"]),
            ]);
            let texts = |text: &str| Some(text.to_owned());
            let groups = vec!["Staff".to_owned(), "Berlin".to_owned()];
            assert_eq!(found, (texts("jane@corp.example"), texts("Jane"), texts("Doe"), groups), "{idp}");
        }
    }

    #[test]
    fn groups_are_trimmed_each_once_and_bounded() {
        let groups = |values: &[&str]| read(&[("Groups", values)]).3;
        assert_eq!(groups(&[" Staff ", "", "Staff", "  ", "staff"]), ["Staff", "staff"]);
        let many: Vec<String> = (0..3_000).map(|n| format!("group {n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept = groups(&many);
        assert_eq!((kept.len(), kept[1_999].as_str()), (2_000, "group 1999"));
        let long = "ü".repeat(300);
        assert_eq!(groups(&[&long]), ["ü".repeat(256)]);
    }

    #[test]
    fn one_attribute_gives_the_groups_and_a_mapping_says_which() {
        let all = attributes(&[("Role", &["offline_access"]), ("groups", &["Staff"]), ("teams", &["Red"])]);
        let source = Source(&all);
        let mut mapping = AttributeMapping::default();
        assert_eq!(source.groups(&mapping), ["Staff"]);
        mapping.groups = Some(" teams ".to_owned());
        assert_eq!(source.groups(&mapping), ["Red"]);
        mapping.groups = Some("missing".to_owned());
        assert!(source.groups(&mapping).is_empty(), "a mapped name is not replaced by a usual one");
    }
}
