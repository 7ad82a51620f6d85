//! Ids: UUID newtypes, one for each noun, shown as TypeIDs (`org_01h455vb4pex5vsknk084sn02q`).
//!
//! Most are UUIDv7, so that rows made together lie together. A user's id is random (UUIDv4): one user may belong to
//! several organizations, and a time inside the id would tell an organization that the account existed before
//! (rule 17). URLs that are pasted into an IdP carry the bare UUID, without an underscore.

use super::random::Random;
use super::time::Timestamp;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Writes 128 bits as the 26 characters of a TypeID suffix (Crockford's base 32, lower case).
fn encode(id: Uuid) -> String {
    let value = id.as_u128();
    (0..26)
        .map(|i| {
            let index = usize::try_from((value >> (5 * (25 - i))) & 31).unwrap_or(0);
            char::from(ALPHABET[index])
        })
        .collect()
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    if bytes.len() != 26 || bytes[0] > b'7' {
        return None;
    }
    let mut value: u128 = 0;
    for byte in bytes {
        let digit = ALPHABET.iter().position(|a| a == byte)?;
        value = (value << 5) | digit as u128;
    }
    Some(Uuid::from_u128(value))
}

/// Why a text is not the id that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The id of another noun.
    #[error(
        "this is the id of another kind: it starts with {found:?}, and one that starts with {expected:?} was expected"
    )]
    WrongKind { expected: &'static str, found: String },
    /// No TypeID at all.
    #[error("this is not an id: one looks like {expected}_01h455vb4pex5vsknk084sn02q")]
    Malformed { expected: &'static str },
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let malformed = IdError::Malformed { expected: prefix };
    match text.split_once('_') {
        Some((found, suffix)) if found == prefix => decode(suffix).ok_or(malformed),
        Some((found, suffix))
            if decode(suffix).is_some()
                && found.len() <= 12
                && found.bytes().all(|b| b.is_ascii_lowercase()) =>
        {
            Err(IdError::WrongKind { expected: prefix, found: found.to_owned() })
        }
        _ => Err(malformed),
    }
}

/// The UUID that stands bare in a URL or a SCIM id: in the spelling that we give out and in no other, for ids compare
/// to the letter (RFC 7643 §3.1).
pub fn bare_uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string() == text)
}

/// A new UUIDv7 for the given time.
pub fn uuid_v7(now: Timestamp, random: &dyn Random) -> Uuid {
    let mut bytes = [0_u8; 10];
    random.fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &bytes).into_uuid()
}

/// What all UUIDv7 from this time on are not before, and all earlier ones are.
pub fn uuid_v7_from(time: Timestamp) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(time.unix_millis(), &[0; 10]).into_uuid()
}

/// A new random UUIDv4.
pub fn uuid_v4(random: &dyn Random) -> Uuid {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the shown form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id (UUIDv7) for the given time.
            pub fn new(now: Timestamp, random: &dyn Random) -> Self {
                Self(uuid_v7(now, random))
            }

            /// The id that a bare UUID names, as [`bare_uuid`] reads it.
            pub fn from_bare(text: &str) -> Option<Self> {
                bare_uuid(text).map(Self)
            }

            /// The bare UUID, as it stands in URLs that are pasted into an IdP.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}_{}", $prefix, encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

id!(
    /// An organization.
    OrganizationId, "org");
id!(
    /// A user. Made with [`UserId::random`] only, see the head of this file.
    UserId, "usr");
id!(
    /// A domain claim.
    DomainId, "dom");
id!(
    /// A SAML connection.
    ConnectionId, "con");
id!(
    /// A key of ours at a SAML connection.
    SamlKeyId, "smk");
id!(
    /// A directory.
    DirectoryId, "dir");
id!(
    /// A SCIM token.
    ScimTokenId, "sct");
id!(
    /// An OAuth client of a directory.
    ScimClientId, "scl");
id!(
    /// An access token of an OAuth client of a directory.
    ScimAccessTokenId, "sat");
id!(
    /// An entry of the SCIM request log. Made with [`ScimRequestId::in_order`] only.
    ScimRequestId, "srq");
id!(
    /// A directory user; over SCIM its bare UUID is the resource's `id`.
    DirectoryUserId, "dus");
id!(
    /// A directory group; over SCIM its bare UUID is the resource's `id`.
    DirectoryGroupId, "grp");
id!(
    /// An API key, of an organization or the operator's.
    ApiKeyId, "key");
id!(
    /// A session.
    SessionId, "ses");
id!(
    /// An invite.
    InviteId, "inv");
id!(
    /// The approval of a guest.
    GuestId, "gst");
id!(
    /// An event.
    EventId, "evt");
id!(
    /// A sign-in attempt.
    SignInAttemptId, "sia");
id!(
    /// An entry of the sign-in log. Made with [`SignInId::in_order`] only, or for an attempt that nobody finished.
    SignInId, "sgn");
id!(
    /// A test sign-in through a SAML connection.
    ConnectionTestId, "cts");
id!(
    /// A link between a user and a subject at a SAML connection.
    LinkId, "lnk");
id!(
    /// A link that waits for an administrator.
    PendingLinkId, "pln");

/// A UUIDv7 for the given time that is above those made before it by the same process in the same millisecond, as long
/// as `count` goes up (RFC 9562 section 6.2, method 1: 32 of the random bits are a counter).
fn uuid_in_order(now: Timestamp, count: u32, random: &dyn Random) -> Uuid {
    let mut bytes = [0_u8; 8];
    random.fill(&mut bytes);
    let chance = u128::from(u64::from_be_bytes(bytes) >> 22);
    let count = u128::from(count);
    Uuid::from_u128(uuid_first(now).as_u128() | (count >> 20) << 64 | (count & 0xf_ffff) << 42 | chance)
}

fn uuid_first(at: Timestamp) -> Uuid {
    let millis = u128::from(at.unix_millis()) & 0xffff_ffff_ffff;
    Uuid::from_u128(millis << 80 | 0x7 << 76 | 0b10 << 62)
}

macro_rules! ordered {
    ($($name:ident),+) => {
        $(impl $name {
            /// An id for the given time that is above those made before it by the same process in the same millisecond,
            /// as long as `count` goes up.
            pub fn in_order(now: Timestamp, count: u32, random: &dyn Random) -> Self {
                Self(uuid_in_order(now, count, random))
            }

            /// Not above any id of this millisecond or of a later one.
            pub fn first(at: Timestamp) -> Self {
                Self(uuid_first(at))
            }
        })+
    };
}

ordered!(ScimRequestId, SignInId);

impl UserId {
    /// A new random id.
    pub fn random(random: &dyn Random) -> Self {
        Self(uuid_v4(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_examples_of_the_typeid_specification() {
        let uuid = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(encode(uuid), "01h455vb4pex5vsknk084sn02q");
        assert_eq!(decode("01h455vb4pex5vsknk084sn02q"), Some(uuid));
        assert_eq!(decode("8zzzzzzzzzzzzzzzzzzzzzzzzz"), None, "more than 128 bits");
        assert_eq!(decode("7zzzzzzzzzzzzzzzzzzzzzzzzz"), Some(Uuid::from_u128(u128::MAX)));
    }

    #[test]
    fn ids_of_requests_are_in_order() {
        use crate::model::random::SystemRandom;
        let at = |micros: i64| Timestamp::from_micros(1_795_009_600_000_000 + micros);
        let ids: Vec<_> = [(0, 0), (0, 1), (900, 0xf_ffff), (900, 0x10_0000), (900, u32::MAX), (1_000, 0)]
            .into_iter()
            .map(|(micros, count)| ScimRequestId::in_order(at(micros), count, &SystemRandom))
            .collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        assert!(ids.iter().all(|id| id.uuid().get_version_num() == 7));
        assert!(ScimRequestId::first(at(0)) <= ids[0] && ids[4] < ScimRequestId::first(at(1_000)));
        assert!(ScimRequestId::first(at(1_000)) <= ids[5]);
    }

    #[test]
    fn tells_an_id_of_another_kind_from_nonsense() {
        let id = OrganizationId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<OrganizationId>(), Ok(id));
        assert_eq!(
            id.to_string().parse::<DomainId>(),
            Err(IdError::WrongKind { expected: "dom", found: "org".to_owned() })
        );
        assert!(matches!("org_xyz".parse::<OrganizationId>(), Err(IdError::Malformed { .. })));
        assert!(matches!(
            id.to_string().to_uppercase().parse::<OrganizationId>(),
            Err(IdError::Malformed { .. })
        ));
    }
}
