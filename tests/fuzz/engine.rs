//! The SCIM and SAML engines by themselves, as the fuzz targets see them: the very files of `src/protocol`, which need
//! nothing of the gateway but a few words of the model. So a target is built in seconds, not with the gateway's hundreds of crates.

/// The words that the engine speaks of; in the gateway they can be stored and documented besides.
pub mod model {
    macro_rules! words {
        ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
            pub enum $name {
                $($(#[$vmeta])* #[serde(rename = $word)] $variant),+
            }

            impl $name {
                /// All values.
                pub const ALL: &'static [Self] = &[$(Self::$variant),+];
                /// The word.
                pub const fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $word),+ }
                }
            }
        };
    }

    pub mod state {
        words!(Conformance { Tolerant = "tolerant", Profile = "profile" });
        words!(AttributeType {
            String = "string",
            Boolean = "boolean",
            Integer = "integer",
            Decimal = "decimal",
            DateTime = "dateTime",
            Reference = "reference",
            Complex = "complex",
        });
        words!(AttributeMutability { ReadWrite = "readWrite", Immutable = "immutable" });
        words!(AttributeReturned { Always = "always", Default = "default", Request = "request" });
    }
}

#[path = "../../src/protocol"]
pub mod protocol {
    pub mod json;
    pub mod percent;
    pub mod saml;
    pub mod scim;
}

pub mod shape;
pub mod sign_in;
