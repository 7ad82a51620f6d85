//! Values and states: what the words of the product mean, as types. No I/O, no other layer.
//!
//! A value of one of these types has been checked when it was made; the layers above never check again.

pub mod actor;
pub mod connection_ids;
pub mod dns_answer;
pub mod dns_name;
pub mod email;
pub mod event;
pub mod id;
pub mod page;
pub mod random;
pub mod saml;
pub mod scim_request;
pub mod scope;
pub mod secret;
pub mod sign_in;
pub mod state;
pub mod tenant;
pub mod time;

/// Defines an enum whose values are fixed words, the same in the database, in JSON and in the API.
///
/// The generated type has `as_str`, `FromStr` (any other word is an error that lists the right ones), serde and
/// database conversions, and is an `enum` of strings in the OpenAPI document.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, poem_openapi::Enum, sea_orm::DeriveValueType)]
        #[sea_orm(value_type = "String")]
        pub enum $name {
            $($(#[$vmeta])* #[oai(rename = $word)] $variant),+
        }

        impl $name {
            /// All values, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::model::UnknownWord { found: text.to_owned(), expected: &[$($word),+] }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// A word outside a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not one of {}", expected.join(", "))]
pub struct UnknownWord {
    /// What was found.
    pub found: String,
    /// The words that would have been right.
    pub expected: &'static [&'static str],
}
