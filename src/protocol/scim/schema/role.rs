//! The Role resource type: what Okta's governance reads to learn which roles it may give (no RFC has one). Read only.
use std::sync::LazyLock;

use super::{Attribute, Mutability, ROLE_URN, ResourceType, Schema, Uniqueness};

/// The Role resource type.
pub fn role() -> &'static ResourceType {
    &ROLE
}

static ROLE: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "Role".into(),
    endpoint: "/Roles".into(),
    description: "A role that the identity provider may give; its id is a value of roles on a user.".into(),
    core: Schema {
        id: ROLE_URN.into(),
        name: "Role".into(),
        description: "What a person may do here.".into(),
        attributes: vec![
            Attribute::string("displayName", "Name of the role.")
                .mutability(Mutability::ReadOnly)
                .unique(Uniqueness::Server),
        ],
    },
    extensions: Vec::new(),
});
