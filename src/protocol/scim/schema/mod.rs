//! Attribute tables (RFC 7643 §2 and §7): what a resource type may hold and how it behaves.
//!
//! One table feeds everything: body checks, filters, PATCH, projection and `/Schemas`. Tables are
//! plain owned data, so that an organization's own extension can stand beside the built-in ones.
mod group;
pub mod own;
mod role;
mod user;

pub use group::group;
pub use role::role;
pub use user::{shared_user, user};

use std::sync::LazyLock;

/// URN of the core User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the schema of roles: Okta's, for no RFC has one yet.
pub const ROLE_URN: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// URN of the enterprise extension.
pub const ENTERPRISE_USER_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// URN of the core Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Longest string, in characters, where the table says nothing else.
pub const DEFAULT_MAX_CHARS: usize = 2_048;
/// Longest string of an attribute that stands in an index (a B-tree row of PostgreSQL ends at 2,704 bytes).
pub const INDEXED_MAX_CHARS: usize = 512;
/// Most values of one multi-valued attribute, where the table says nothing else.
pub const DEFAULT_MAX_VALUES: usize = 100;

/// Data type of an attribute (RFC 7643 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

impl Kind {
    /// Name as `/Schemas` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may set an attribute, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

impl Mutability {
    /// Name as `/Schemas` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

impl Returned {
    /// Name as `/Schemas` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Within what a value may occur only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

impl Uniqueness {
    /// Name as `/Schemas` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// One attribute or sub-attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    pub multi_valued: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub canonical_values: Vec<String>,
    pub reference_types: Vec<String>,
    pub sub_attributes: Vec<Attribute>,
    /// Stands in `/Schemas` and may be filtered on. False for what is taken but never kept.
    pub advertised: bool,
    /// Longest value in characters.
    pub max_chars: usize,
    /// Most values, if multi-valued.
    pub max_values: usize,
}

impl Attribute {
    /// An optional single readWrite attribute that compares without case.
    pub fn new(name: impl Into<String>, kind: Kind, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            description: description.into(),
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, Kind::Binary | Kind::Reference | Kind::DateTime),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
            advertised: true,
            max_chars: if kind == Kind::Binary { 65_536 } else { DEFAULT_MAX_CHARS },
            max_values: DEFAULT_MAX_VALUES,
        }
    }

    /// A string.
    pub fn string(name: &str, description: &str) -> Self {
        Self::new(name, Kind::String, description)
    }

    /// A boolean.
    pub fn boolean(name: &str, description: &str) -> Self {
        Self::new(name, Kind::Boolean, description)
    }

    /// A URI, with the resource types it may point at (`external` for the world outside).
    pub fn reference(name: &str, targets: &[&str], description: &str) -> Self {
        let mut attribute = Self::new(name, Kind::Reference, description);
        attribute.reference_types = targets.iter().map(ToString::to_string).collect();
        attribute
    }

    /// A complex attribute.
    pub fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Self {
        Self { sub_attributes, ..Self::new(name, Kind::Complex, description) }
    }

    #[must_use]
    pub fn multi_valued(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    #[must_use]
    pub fn case_exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    #[must_use]
    pub fn unique(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    #[must_use]
    pub fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        self
    }

    #[must_use]
    pub fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    #[must_use]
    pub fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = values.iter().map(ToString::to_string).collect();
        self
    }

    #[must_use]
    pub fn max_chars(mut self, max: usize) -> Self {
        self.max_chars = max;
        self
    }

    #[must_use]
    pub fn max_values(mut self, max: usize) -> Self {
        self.max_values = max;
        self
    }

    #[must_use]
    pub fn not_advertised(mut self) -> Self {
        self.advertised = false;
        self
    }

    /// The sub-attribute of that name, without case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// Whether it comes back unless something else is asked for.
    pub fn is_default(&self) -> bool {
        self.returned == Returned::Default
    }

    /// Whether it, or a part of it, does not come back unless it is asked for by its name.
    fn is_unasked(&self) -> bool {
        matches!(self.returned, Returned::Request | Returned::Never)
            || self.sub_attributes.iter().any(Self::is_unasked)
    }

    /// Whether this is a complex attribute.
    pub fn is_complex(&self) -> bool {
        self.kind == Kind::Complex
    }
}

/// The attribute of that name in a table, without case.
pub(super) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
}

/// A schema: a URN and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub id: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of that name, without case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

/// A resource type: its endpoint, its core schema and the extensions it may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    pub name: String,
    /// Path below the SCIM base, with its slash.
    pub endpoint: String,
    pub description: String,
    pub core: Schema,
    pub extensions: Vec<Schema>,
}

impl ResourceType {
    /// A core or common attribute (`id`, `externalId`, `meta`, `schemas`), without case.
    pub fn core_attribute(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| find(&COMMON, name))
    }

    /// Whether anything that a resource may hold does not come back unless it is asked for by its name. What is not
    /// advertised is not held either.
    pub fn has_unasked(&self) -> bool {
        let tables = std::iter::once(&self.core).chain(&self.extensions);
        tables.flat_map(|schema| &schema.attributes).any(|a| a.advertised && a.is_unasked())
    }

    /// The extension of that URN, without case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// An attribute by the URN of its extension (`None` for core) and its name.
    pub fn attribute(&self, extension: Option<&str>, name: &str) -> Option<&Attribute> {
        match extension {
            None => self.core_attribute(name),
            Some(urn) => self.extension(urn)?.attribute(name),
        }
    }
}

/// The attributes that every resource has and no schema lists (RFC 7643 §3.1).
pub fn common() -> &'static [Attribute] {
    &COMMON
}

static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let read_only = Mutability::ReadOnly;
    vec![
        Attribute::reference("schemas", &["uri"], "URNs of the schemas in use.")
            .multi_valued()
            .mutability(read_only)
            .returned(Returned::Always),
        Attribute::string("id", "Identifier that the server gave.")
            .case_exact()
            .mutability(read_only)
            .returned(Returned::Always)
            .unique(Uniqueness::Server),
        Attribute::string("externalId", "Identifier that the client gave.")
            .case_exact()
            .max_chars(INDEXED_MAX_CHARS),
        Attribute::complex(
            "meta",
            "What the server notes about the resource.",
            vec![
                Attribute::string("resourceType", "Name of the resource type.").case_exact(),
                Attribute::new("created", Kind::DateTime, "When the resource was created."),
                Attribute::new("lastModified", Kind::DateTime, "When the resource last changed."),
                Attribute::reference("location", &["uri"], "Where the resource is read."),
                Attribute::string("version", "Entity tag of the resource.").case_exact(),
            ]
            .into_iter()
            .map(|a| a.mutability(read_only))
            .collect(),
        )
        .mutability(read_only),
    ]
});
