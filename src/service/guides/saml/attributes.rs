//! Which attributes each guide asks for: names that are read by default, and where the console has their values.

use super::super::Markdown;
use super::super::markdown::table;
use super::Facts;
use crate::model::state::ConnectionType;
use crate::protocol::saml::attributes::Part;

/// What to send, under which name, and what the console calls its source.
pub(super) fn attributes(kind: ConnectionType) -> &'static [(Part, &'static str, &'static str)] {
    use Part::{Email, FamilyName, GivenName, Groups, Subject};
    match kind {
        ConnectionType::Okta => &[
            (Email, "email", "user.email"),
            (GivenName, "firstName", "user.firstName"),
            (FamilyName, "lastName", "user.lastName"),
            (Subject, "immutable_id", "user.id"),
            (Groups, "groups", "a filter, under Group Attribute Statements"),
        ],
        ConnectionType::Entra => &[
            (Email, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "user.mail"),
            (GivenName, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "user.givenname"),
            (FamilyName, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "user.surname"),
            (
                Subject,
                "http://schemas.microsoft.com/identity/claims/objectidentifier",
                "user.objectid, by itself",
            ),
            (Groups, "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "a group claim"),
        ],
        ConnectionType::Google => &[
            (Email, "email", "Basic Information > Primary email"),
            (GivenName, "firstName", "Basic Information > First name"),
            (FamilyName, "lastName", "Basic Information > Last name"),
            (Groups, "groups", "Group membership"),
        ],
        ConnectionType::Onelogin => &[
            (Email, "email", "Email"),
            (GivenName, "firstName", "First Name"),
            (FamilyName, "lastName", "Last Name"),
            (Subject, "immutable_id", "OneLogin ID"),
            (Groups, "groups", "User Roles, or MemberOf"),
        ],
        ConnectionType::Jumpcloud => &[
            (Email, "email", "email"),
            (GivenName, "firstName", "firstname"),
            (FamilyName, "lastName", "lastname"),
            (Subject, "immutable_id", "employeeIdentifier, if it is never reused"),
            (Groups, "groups", "Include group attribute"),
        ],
        ConnectionType::Ping => &[
            (Email, "email", "Email Address"),
            (GivenName, "firstName", "Given Name"),
            (FamilyName, "lastName", "Family Name"),
            (Subject, "immutable_id", "User ID"),
            (Groups, "groups", "Group Names"),
        ],
        ConnectionType::Adfs => &[
            (
                Email,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
                "E-Mail-Addresses, as E-Mail Address",
            ),
            (
                GivenName,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
                "Given-Name, as Given Name",
            ),
            (
                FamilyName,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
                "Surname, as Surname",
            ),
            (Subject, "immutable_id", "objectGUID, as immutable_id"),
            (Groups, "http://schemas.xmlsoap.org/claims/Group", "Token-Groups - Unqualified Names, as Group"),
        ],
        ConnectionType::Keycloak => &[
            (Email, "email", "email"),
            (GivenName, "firstName", "firstName"),
            (FamilyName, "lastName", "lastName"),
            (Subject, "immutable_id", "id"),
            (Groups, "groups", "the mapper Group list"),
        ],
        ConnectionType::Generic => &[
            (Email, "mail", "the e-mail address"),
            (GivenName, "givenName", "the given name"),
            (FamilyName, "sn", "the family name"),
            (Subject, "urn:oasis:names:tc:SAML:attribute:subject-id", "an id that never changes"),
            (Groups, "isMemberOf", "the groups"),
        ],
    }
}

/// What a part is called in sentences and in the connection's mapping.
const fn part_name(part: Part) -> &'static str {
    match part {
        Part::Email => "e-mail address (`email`)",
        Part::GivenName => "given name (`given_name`)",
        Part::FamilyName => "family name (`family_name`)",
        Part::DisplayName => "whole name (`display_name`)",
        Part::Subject => "lasting id (`subject`)",
        Part::Groups => "groups (`groups`)",
    }
}

/// The attributes of a connection's guide, under the names that it reads.
pub(super) fn attribute_table(facts: &Facts) -> Markdown {
    let generic = facts.kind == ConnectionType::Generic;
    let rows = attributes(facts.kind).iter().map(|&(part, name, source)| {
        let shown = match facts.mapping.name_of(part) {
            Some(own) => Markdown::ours(format!("{} (set in this connection)", Markdown::code(own).as_str())),
            None if generic => {
                let names = part.usual_names().iter().map(|name| Markdown::code(name).as_str().to_owned());
                Markdown::ours(names.collect::<Vec<_>>().join(", "))
            }
            None => Markdown::code(name),
        };
        [Markdown::ours(part_name(part)), shown, Markdown::ours(source)]
    });
    table(["What Postern reads", "Name of the attribute", "Value at the identity provider"], rows)
}
