//! The Group resource type (RFC 7643 §4.2).
//!
//! Members are users of the same directory; a client names them by `value` and may leave out the rest.
use std::sync::LazyLock;

use super::{Attribute, GROUP_URN, INDEXED_MAX_CHARS, Mutability, ResourceType, Schema, Uniqueness};

/// The Group resource type.
pub fn group() -> &'static ResourceType {
    &GROUP
}

static GROUP: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "Group".into(),
    endpoint: "/Groups".into(),
    description: "A group of people that the identity provider manages.".into(),
    core: Schema {
        id: GROUP_URN.into(),
        name: "Group".into(),
        description: "A named set of members.".into(),
        attributes: vec![
            Attribute::string("displayName", "Name of the group, unique in the directory without case.")
                .required()
                .unique(Uniqueness::Server)
                .max_chars(INDEXED_MAX_CHARS),
            Attribute::complex(
                "members",
                "Members of the group.",
                vec![
                    Attribute::string("value", "Id of the member.")
                        .case_exact()
                        .mutability(Mutability::Immutable),
                    Attribute::reference("$ref", &["User"], "Where the member is read.")
                        .mutability(Mutability::Immutable),
                    Attribute::string("type", "Kind of member; groups are not members of groups here.")
                        .canonical(&["User"])
                        .mutability(Mutability::Immutable),
                    Attribute::string("display", "Taken and dropped; the user tells its name.")
                        .mutability(Mutability::ReadOnly)
                        .not_advertised(),
                ],
            )
            .multi_valued()
            .max_values(100_000),
        ],
    },
    extensions: Vec::new(),
});
