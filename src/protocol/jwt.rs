//! Access tokens of signed-in people: JWTs by RFC 9068, signed with ES256, through jsonwebtoken on OpenSSL.
//!
//! Only ES256 under one of our own keys is taken, whatever a token's header says, and times are compared with the
//! caller's clock, never with the machine's. A valid token proves who was signed in; whether the session still lives
//! is the caller's to ask.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The `typ` of an access token (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";

/// What an access token says (RFC 9068 §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The installation's public URL.
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// The REST API this token is for.
    pub aud: String,
    /// Who asked for the token: Postern itself, until applications do.
    pub client_id: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// When the person signed in at the IdP, in seconds since 1970.
    pub auth_time: i64,
    /// The session: the token dies with it.
    pub sid: String,
    /// The organization.
    pub org: String,
    /// The person's role in it when the token was issued.
    pub role: String,
}

/// Why a token is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read, or its signature, type or key is not ours.
    #[error("the token is not one of ours")]
    Invalid,
    /// It was, and has ended.
    #[error("the token has expired")]
    Expired,
}

/// A key that signs access tokens.
pub struct SigningKey {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    x: String,
    y: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// A new P-256 key: its private part in PKCS#8 DER, to be sealed, and its public part in PEM.
    pub fn generate() -> Result<(Zeroizing<Vec<u8>>, String), ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let public = String::from_utf8_lossy(&key.public_key_to_pem()?).into_owned();
        Ok((Zeroizing::new(key.private_key_to_pkcs8()?), public))
    }

    /// Reads a private key in PKCS#8 DER. Its id is its JWK thumbprint (RFC 7638).
    ///
    /// # Errors
    /// OpenSSL's, for bytes that are no P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, ErrorStack> {
        let key = PKey::private_key_from_pkcs8(der)?.ec_key()?;
        let mut context = BigNumContext::new()?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
        let text = |number: &BigNum| Ok::<_, ErrorStack>(URL_SAFE_NO_PAD.encode(number.to_vec_padded(32)?));
        let (x, y) = (text(&x)?, text(&y)?);
        let thumbprint = sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
        let point = key.public_key().to_bytes(
            key.group(),
            openssl::ec::PointConversionForm::UNCOMPRESSED,
            &mut context,
        )?;
        Ok(Self {
            id: URL_SAFE_NO_PAD.encode(thumbprint),
            encoding: EncodingKey::from_ec_der(der),
            decoding: DecodingKey::from_ec_der(&point),
            x,
            y,
        })
    }

    /// The key's id, as tokens name it (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public part as a JWK (RFC 7517).
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y, "use": "sig", "alg": "ES256", "kid": self.id,
        })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// jsonwebtoken's, if OpenSSL refuses to sign.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }
}

/// Reads an access token: signed by one of these keys, for this issuer and audience, not ended at `now` (seconds).
///
/// # Errors
/// [`TokenError`].
pub fn verify(
    token: &str,
    keys: &[SigningKey],
    issuer: &str,
    audience: &str,
    now: i64,
) -> Result<Claims, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let typed = header
        .typ
        .as_deref()
        .is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt"));
    let key = keys.iter().find(|key| Some(key.id()) == header.kid.as_deref());
    let (true, Algorithm::ES256, Some(key)) = (typed, header.alg, key) else {
        return Err(TokenError::Invalid);
    };
    let mut validation = Validation::new(Algorithm::ES256);
    // The library asks the machine's clock; the end is compared below with the caller's.
    validation.validate_exp = false;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation)
        .map_err(|_| TokenError::Invalid)?
        .claims;
    if claims.exp <= now { Err(TokenError::Expired) } else { Ok(claims) }
}

/// The id of the key that a token names, unverified.
pub fn key_id(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Makes OpenSSL the one that signs and verifies; calling it again changes nothing.
pub fn use_openssl() {
    // An error only says that a provider was chosen before, and this is the only one in the binary.
    let _already = jsonwebtoken_openssl::install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        use_openssl();
        SigningKey::from_pkcs8(&SigningKey::generate().unwrap().0).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            iss: "https://id.example".into(),
            sub: "usr_1".into(),
            aud: "https://id.example/api/v1".into(),
            client_id: "postern".into(),
            iat: 100,
            exp: 400,
            jti: "1".into(),
            auth_time: 90,
            sid: "ses_1".into(),
            org: "org_1".into(),
            role: "member".into(),
        }
    }

    fn read(token: &str, keys: &[SigningKey], now: i64) -> Result<Claims, TokenError> {
        verify(token, keys, "https://id.example", "https://id.example/api/v1", now)
    }

    #[test]
    fn a_token_is_read_back_until_it_ends() {
        let keys = [key()];
        let token = keys[0].sign(&claims()).unwrap();
        assert_eq!(read(&token, &keys, 399), Ok(claims()));
        assert_eq!(read(&token, &keys, 400), Err(TokenError::Expired));
    }

    #[test]
    fn nothing_but_our_own_es256_is_taken() {
        let keys = [key()];
        let token = keys[0].sign(&claims()).unwrap();
        assert_eq!(read(&token, &[key()], 200), Err(TokenError::Invalid), "another key");
        let elsewhere = verify(&token, &keys, "https://other.example", "https://id.example/api/v1", 200);
        assert_eq!(elsewhere, Err(TokenError::Invalid), "another issuer");
        assert_eq!(
            verify(&token, &keys, "https://id.example", "x", 200),
            Err(TokenError::Invalid),
            "another audience"
        );
        let parts: Vec<&str> = token.split('.').collect();
        for header in [
            format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{}"}}"#, keys[0].id()),
            format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, keys[0].id()),
            format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{}"}}"#, keys[0].id()),
        ] {
            for signature in [parts[2], ""] {
                let forged = format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(&header), parts[1]);
                assert_eq!(read(&forged, &keys, 200), Err(TokenError::Invalid), "{header}");
            }
        }
        let changed = URL_SAFE_NO_PAD
            .encode(serde_json::to_string(&Claims { role: "owner".into(), ..claims() }).unwrap());
        assert_eq!(
            read(&format!("{}.{changed}.{}", parts[0], parts[2]), &keys, 200),
            Err(TokenError::Invalid)
        );
        let zero = URL_SAFE_NO_PAD.encode([0_u8; 64]);
        assert_eq!(read(&format!("{}.{}.{zero}", parts[0], parts[1]), &keys, 200), Err(TokenError::Invalid));
    }
}
