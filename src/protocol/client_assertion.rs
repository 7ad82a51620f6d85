//! Client assertions: how an OAuth client proves itself by a JWT that it signed (RFC 7523 §2.2 and §3), and the public
//! keys that it registered (RFC 7517).
//!
//! Keys and algorithms are those of the registration, whatever a header says: no key comes from the assertion, no
//! algorithm from outside the list, never `none`, never a shared secret. The audience is our issuer as one string,
//! `iss` and `sub` are the client, the end is near. That an assertion is used once is the caller's to see to, by `jti`.

use crate::model::state::SigningAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use openssl::bn::{BigNum, BigNumRef};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};
use serde_json::{Map, Value, json};

/// The largest assertion that is read, in bytes.
const MAX_LENGTH: usize = 8_192;
/// How far ahead an assertion may end, in seconds, beside the skew of clocks.
const MAX_LIFE: i64 = 600;
/// The longest `jti`.
const MAX_JTI: usize = 255;
/// The most keys of a client: enough to change them one by one.
const MAX_KEYS: usize = 10;
/// The sizes of RSA keys that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2_048..=8_192;
/// The exponent of RSA keys: 65537.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// What is allowed unless a registration says otherwise.
pub const DEFAULT_ALGORITHMS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::Ps256, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

/// Why a JWK set cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("a JWK set is an object with an array \"keys\" of 1 to {MAX_KEYS} keys")]
    NotASet,
    #[error("key {0} is not an object of strings as RFC 7517 has it")]
    NotAKey(usize),
    #[error("key {0} has a private or secret part; register the public part alone, and replace this key")]
    Private(usize),
    #[error("key {0} is of type {1:?}; RSA, EC (P-256) and OKP (Ed25519) keys are taken")]
    Type(usize, String),
    #[error("key {0} is for something else than signing (\"use\" or \"key_ops\")")]
    Use(usize),
    #[error("key {0} is broken: its parts are not those of a key of its type")]
    Broken(usize),
    #[error("key {0} is an RSA key of {1} bits; 2048 to 8192 bits and an exponent of 65537 are taken")]
    Size(usize, i32),
    #[error("key {0} can sign with none of the algorithms that are allowed")]
    Algorithm(usize),
    #[error("two keys have the same kid")]
    SameKid,
}

/// Why an assertion proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("the assertion is not a JWT that can be read")]
    Malformed,
    #[error("the assertion is signed with an algorithm that the client did not register")]
    Algorithm,
    #[error("the assertion names a key that the client did not register")]
    Key,
    #[error("the signature of the assertion is not the client's")]
    Signature,
    #[error("iss and sub of the assertion must both be the client_id")]
    Subject,
    #[error("aud of the assertion must be the issuer, as one string")]
    Audience,
    #[error("the assertion has expired, or says no exp")]
    Expired,
    #[error("the assertion lives too long: exp must be within {MAX_LIFE} seconds")]
    TooLong,
    #[error("the assertion begins in the future (nbf or iat)")]
    NotYet,
    #[error("the assertion has no jti of 1 to {MAX_JTI} characters")]
    Jti,
}

impl AssertionError {
    /// Whether the client had proven itself by its signature: then it may be told what is wrong.
    pub const fn is_of_the_client(self) -> bool {
        !matches!(self, Self::Malformed | Self::Algorithm | Self::Key | Self::Signature)
    }
}

/// A public key of a client.
struct Key {
    kid: Option<String>,
    algorithms: Vec<SigningAlgorithm>,
    decoding: DecodingKey,
    json: Value,
}

/// The public keys of a client, each with the algorithms that it may sign with.
pub struct KeySet(Vec<Key>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.kid)).finish()
    }
}

impl KeySet {
    /// Reads a JWK set, for these algorithms.
    ///
    /// # Errors
    /// [`KeySetError`], naming the key by its number from 1.
    pub fn parse(set: &Value, allowed: &[SigningAlgorithm]) -> Result<Self, KeySetError> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotASet)?;
        if !(1..=MAX_KEYS).contains(&keys.len()) {
            return Err(KeySetError::NotASet);
        }
        let mut read: Vec<Key> = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let key = Key::parse(index + 1, key, allowed)?;
            if key.kid.is_some() && read.iter().any(|other| other.kid == key.kid) {
                return Err(KeySetError::SameKid);
            }
            read.push(key);
        }
        Ok(Self(read))
    }

    /// The set with nothing but what was read: the public parts, `kid`, `alg` and `use`.
    pub fn to_json(&self) -> Value {
        json!({ "keys": self.0.iter().map(|key| &key.json).collect::<Vec<_>>() })
    }
}

impl Key {
    fn parse(number: usize, key: &Value, allowed: &[SigningAlgorithm]) -> Result<Self, KeySetError> {
        use SigningAlgorithm as A;
        let object = key.as_object().ok_or(KeySetError::NotAKey(number))?;
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|part| object.contains_key(*part)) {
            return Err(KeySetError::Private(number));
        }
        let text = |name: &str| match object.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= 2_048 => Ok(Some(text.as_str())),
            Some(_) => Err(KeySetError::NotAKey(number)),
        };
        let part = |name: &str| text(name)?.ok_or(KeySetError::Broken(number));
        let signs = object
            .get("key_ops")
            .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        if text("use")?.is_some_and(|to| to != "sig") || !signs {
            return Err(KeySetError::Use(number));
        }
        let kind = part("kty").map_err(|_| KeySetError::NotAKey(number))?;
        let (possible, parts, decoding): (&[A], &[&str], DecodingKey) = match (kind, text("crv")?) {
            ("RSA", _) => (&[A::Ps256, A::Rs256], &["n", "e"], rsa(number, part("n")?, part("e")?)?),
            ("EC", Some("P-256")) => {
                (&[A::Es256], &["crv", "x", "y"], elliptic(number, part("x")?, part("y")?)?)
            }
            ("OKP", Some("Ed25519")) => (&[A::EdDsa], &["crv", "x"], edwards(number, part("x")?)?),
            (kind, curve) => {
                let named = curve.map_or_else(|| kind.to_owned(), |curve| format!("{kind} {curve}"));
                return Err(KeySetError::Type(number, named.chars().take(40).collect()));
            }
        };
        let own = text("alg")?;
        let fits =
            |algorithm: &&A| allowed.contains(*algorithm) && own.is_none_or(|own| own == algorithm.as_str());
        let algorithms: Vec<A> = possible.iter().filter(fits).copied().collect();
        if algorithms.is_empty() {
            return Err(KeySetError::Algorithm(number));
        }
        let kept = ["kty", "kid", "alg", "use"].iter().chain(parts);
        let json: Map<String, Value> =
            kept.filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone()))).collect();
        Ok(Self { kid: text("kid")?.map(str::to_owned), algorithms, decoding, json: json.into() })
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn rsa(number: usize, n: &str, e: &str) -> Result<DecodingKey, KeySetError> {
    let broken = || KeySetError::Broken(number);
    let integer = |text: &str| BigNum::from_slice(&decoded(text)?).ok();
    let (modulus, exponent) = (integer(n).ok_or_else(broken)?, integer(e).ok_or_else(broken)?);
    let bits = modulus.num_bits();
    // A small exponent forgives careless padding, a huge one costs time, an even modulus is no product of primes.
    let usual = |exponent: &BigNumRef| exponent.to_vec() == RSA_EXPONENT;
    if !RSA_BITS.contains(&bits) || !usual(&exponent) || !modulus.is_bit_set(0) {
        return Err(KeySetError::Size(number, bits));
    }
    DecodingKey::from_rsa_components(n, e).map_err(|_| broken())
}

fn elliptic(number: usize, x: &str, y: &str) -> Result<DecodingKey, KeySetError> {
    let on_the_curve = || {
        let coordinate = |text: &str| decoded(text).filter(|bytes| bytes.len() == 32);
        let (x, y) = (BigNum::from_slice(&coordinate(x)?).ok()?, BigNum::from_slice(&coordinate(y)?).ok()?);
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
        EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?.check_key().ok()
    };
    on_the_curve().ok_or(KeySetError::Broken(number))?;
    DecodingKey::from_ec_components(x, y).map_err(|_| KeySetError::Broken(number))
}

fn edwards(number: usize, x: &str) -> Result<DecodingKey, KeySetError> {
    let fits = decoded(x).is_some_and(|bytes| PKey::public_key_from_raw_bytes(&bytes, Id::ED25519).is_ok());
    if !fits {
        return Err(KeySetError::Broken(number));
    }
    DecodingKey::from_ed_components(x).map_err(|_| KeySetError::Broken(number))
}

/// What an assertion must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub client_id: &'a str,
    pub issuer: &'a str,
    /// Seconds since 1970.
    pub now: i64,
    /// How far the client's clock may be off, in seconds.
    pub skew: i64,
}

/// An assertion that proves the client, if it was not used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub jti: String,
    /// Seconds since 1970 after which it would be refused by itself.
    pub usable_until: i64,
}

/// The client that an assertion says it is from: unproven, to know whose keys to ask.
pub fn claimed_client(assertion: &str) -> Option<String> {
    if assertion.len() > MAX_LENGTH {
        return None;
    }
    let payload = assertion.split('.').nth(1)?;
    let claims: Map<String, Value> = serde_json::from_slice(&decoded(payload)?).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

const fn named(algorithm: Algorithm) -> Option<SigningAlgorithm> {
    match algorithm {
        Algorithm::PS256 => Some(SigningAlgorithm::Ps256),
        Algorithm::ES256 => Some(SigningAlgorithm::Es256),
        Algorithm::EdDSA => Some(SigningAlgorithm::EdDsa),
        Algorithm::RS256 => Some(SigningAlgorithm::Rs256),
        _ => None,
    }
}

/// Verifies an assertion.
///
/// # Errors
/// [`AssertionError`].
pub fn verify(assertion: &str, keys: &KeySet, expected: Expected<'_>) -> Result<Accepted, AssertionError> {
    use AssertionError as E;
    if assertion.len() > MAX_LENGTH || assertion.bytes().filter(|b| *b == b'.').count() != 2 {
        return Err(E::Malformed);
    }
    // Fails for `none` and whatever else is no algorithm of signatures.
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| E::Malformed)?;
    if header.crit.is_some() || header.enc.is_some() {
        return Err(E::Malformed);
    }
    let algorithm = named(header.alg).ok_or(E::Algorithm)?;
    let of_kid = |key: &&Key| header.kid.is_none() || key.kid.is_none() || key.kid == header.kid;
    let mut named_keys = keys.0.iter().filter(of_kid).peekable();
    named_keys.peek().ok_or(E::Key)?;
    let mut fitting = named_keys.filter(|key| key.algorithms.contains(&algorithm)).peekable();
    fitting.peek().ok_or(E::Algorithm)?;
    let mut validation = Validation::new(header.alg);
    // Everything it says is compared below, with the caller's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = fitting
        .find_map(|key| {
            jsonwebtoken::decode::<Map<String, Value>>(assertion, &key.decoding, &validation).ok()
        })
        .ok_or(E::Signature)?
        .claims;
    check(&claims, expected)
}

fn check(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<Accepted, AssertionError> {
    use AssertionError as E;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.client_id) || text("sub") != Some(expected.client_id) {
        return Err(E::Subject);
    }
    if text("aud") != Some(expected.issuer) {
        return Err(E::Audience);
    }
    let Expected { now, skew, .. } = expected;
    let end = claims.get("exp").and_then(seconds).ok_or(E::Expired)?;
    if end.saturating_add(skew) <= now {
        return Err(E::Expired);
    }
    if end > now.saturating_add(MAX_LIFE).saturating_add(skew) {
        return Err(E::TooLong);
    }
    for name in ["nbf", "iat"] {
        match claims.get(name).map(seconds) {
            None => {}
            Some(Some(from)) if from <= now.saturating_add(skew) => {}
            Some(_) => return Err(E::NotYet),
        }
    }
    let jti = text("jti")
        .filter(|jti| (1..=MAX_JTI).contains(&jti.chars().count()) && !jti.chars().any(char::is_control));
    Ok(Accepted { jti: jti.ok_or(E::Jti)?.to_owned(), usable_until: end.saturating_add(skew) })
}

/// A NumericDate (RFC 7519 §2) in whole seconds; one with a fraction is rounded down.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| (0.0..1e15).contains(number))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the bounds are checked, and the fraction is to go"
        )]
        Some(number as i64)
    })
}

#[cfg(test)]
mod tests;
