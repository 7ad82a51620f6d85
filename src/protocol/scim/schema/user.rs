//! The User resource type: core schema (RFC 7643 §4.1) and enterprise extension (§4.3).
//!
//! `password` is known but not advertised: it is taken and dropped. `groups` is read-only: who is in a group is told
//! from the other side.
use std::sync::{Arc, LazyLock};

use super::{
    Attribute, ENTERPRISE_USER_URN, INDEXED_MAX_CHARS, Kind, Mutability, ResourceType, Returned, Schema,
    USER_URN, Uniqueness,
};

/// The User resource type with the enterprise extension.
pub fn user() -> &'static ResourceType {
    &USER
}

/// The same, for whoever holds it beside those of directories with schemas of their own.
pub fn shared_user() -> Arc<ResourceType> {
    Arc::clone(&USER)
}

static USER: LazyLock<Arc<ResourceType>> = LazyLock::new(|| Arc::new(user_type()));

fn user_type() -> ResourceType {
    ResourceType {
        name: "User".into(),
        endpoint: "/Users".into(),
        description: "A person whom the identity provider manages.".into(),
        core: Schema {
            id: USER_URN.into(),
            name: "User".into(),
            description: "Core attributes of a person.".into(),
            attributes: core(),
        },
        extensions: vec![Schema {
            id: ENTERPRISE_USER_URN.into(),
            name: "EnterpriseUser".into(),
            description: "What an employer notes about a person.".into(),
            attributes: enterprise(),
        }],
    }
}

fn core() -> Vec<Attribute> {
    let string = Attribute::string;
    vec![
        string("userName", "Name by which the identity provider knows the person; compared without case.")
            .required()
            .unique(Uniqueness::Server)
            .max_chars(INDEXED_MAX_CHARS),
        Attribute::complex(
            "name",
            "The parts of the person's name.",
            vec![
                string("formatted", "The whole name, as it is shown."),
                string("familyName", "Last name.").max_chars(INDEXED_MAX_CHARS),
                string("givenName", "First name.").max_chars(INDEXED_MAX_CHARS),
                string("middleName", "Middle names."),
                string("honorificPrefix", "Title before the name."),
                string("honorificSuffix", "Suffix after the name."),
            ],
        ),
        string("displayName", "Name to show.").max_chars(INDEXED_MAX_CHARS),
        string("nickName", "How the person is casually called."),
        Attribute::reference("profileUrl", &["external"], "Page about the person."),
        string("title", "Job title."),
        string("userType", "Relation to the organization, such as Employee or Contractor."),
        string("preferredLanguage", "Languages the person prefers, as in Accept-Language."),
        string("locale", "Locale for numbers, dates and currency, such as en-US."),
        string("timezone", "Time zone by its name in the IANA database."),
        Attribute::boolean("active", "Whether the person may sign in. False ends every way in at once."),
        string("password", "Taken and dropped.")
            .mutability(Mutability::WriteOnly)
            .returned(Returned::Never)
            .not_advertised(),
        multi(
            "emails",
            "E-mail addresses.",
            string("value", "The address.").max_chars(INDEXED_MAX_CHARS),
            &["work", "home", "other"],
        ),
        multi(
            "phoneNumbers",
            "Telephone numbers, kept as they were sent.",
            string("value", "The number."),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        multi(
            "ims",
            "Instant messaging addresses.",
            string("value", "The address."),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo", "other"],
        ),
        multi(
            "photos",
            "Pictures of the person.",
            Attribute::reference("value", &["external"], "Where the picture is.").max_chars(65_536),
            &["photo", "thumbnail"],
        ),
        Attribute::complex(
            "addresses",
            "Postal addresses.",
            vec![
                string("formatted", "The whole address, as it is shown."),
                string("streetAddress", "Street, house number, post office box."),
                string("locality", "Town."),
                string("region", "State or region."),
                string("postalCode", "Postal code."),
                string("country", "Country, two letters of ISO 3166-1."),
                kind(&["work", "home", "other"]),
                primary(),
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "groups",
            "Groups the person is in; changed through the groups.",
            vec![
                string("value", "Id of the group.").case_exact().mutability(Mutability::ReadOnly),
                Attribute::reference("$ref", &["Group"], "Where the group is read.")
                    .mutability(Mutability::ReadOnly),
                string("display", "Name of the group.").mutability(Mutability::ReadOnly),
                kind(&["direct"]).mutability(Mutability::ReadOnly),
            ],
        )
        .multi_valued()
        .mutability(Mutability::ReadOnly),
        multi(
            "entitlements",
            "Things the person may use.",
            string("value", "The entitlement."),
            &["default", "other"],
        ),
        multi(
            "roles",
            "Roles of the person. Where the directory heeds them, the id of a Role sets the role here.",
            string("value", "The role."),
            &["default", "other"],
        ),
        multi(
            "x509Certificates",
            "Certificates of the person.",
            Attribute::new("value", Kind::Binary, "DER of the certificate in Base64."),
            &["work", "other"],
        ),
    ]
}

fn enterprise() -> Vec<Attribute> {
    let string = Attribute::string;
    vec![
        string("employeeNumber", "Number that the employer gave the person."),
        string("costCenter", "Cost center."),
        string("organization", "Name of the organization."),
        string("division", "Division."),
        string("department", "Department."),
        Attribute::complex(
            "manager",
            "The person's manager.",
            vec![
                string("value", "Id of the manager.").case_exact(),
                Attribute::reference("$ref", &["User"], "Where the manager is read."),
                string("displayName", "Name of the manager.").mutability(Mutability::ReadOnly),
            ],
        ),
    ]
}

/// A multi-valued attribute of the usual shape: value, display, type, primary.
fn multi(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let display = Attribute::string("display", "How the value is shown.");
    Attribute::complex(name, description, vec![value, display, kind(types), primary()]).multi_valued()
}

fn kind(values: &[&str]) -> Attribute {
    Attribute::string("type", "What the value is for.").canonical(values)
}

fn primary() -> Attribute {
    Attribute::boolean("primary", "Whether this is the preferred value; at most one is.")
}
