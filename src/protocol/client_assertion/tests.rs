//! Assertions of each kind of key are taken, and each lie is found.

use super::*;
use jsonwebtoken::{EncodingKey, Header};
use openssl::hash::MessageDigest;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use std::sync::LazyLock;

const ISSUER: &str = "https://id.example";
const CLIENT: &str = "scl_1";
const NOW: i64 = 1_000_000;

static RSA: LazyLock<PKey<Private>> = LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
static EC: LazyLock<PKey<Private>> = LazyLock::new(|| {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
});
static ED: LazyLock<PKey<Private>> = LazyLock::new(|| PKey::generate_ed25519().unwrap());

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_jwk(key: &PKey<Private>) -> Value {
    let key = key.rsa().unwrap();
    json!({ "kty": "RSA", "kid": "r", "n": text(&key.n().to_vec()), "e": text(&key.e().to_vec()) })
}

fn ec_jwk(key: &PKey<Private>) -> Value {
    let key = key.ec_key().unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
    let part = |number: &BigNum| text(&number.to_vec_padded(32).unwrap());
    json!({ "kty": "EC", "crv": "P-256", "kid": "e", "x": part(&x), "y": part(&y), "use": "sig" })
}

fn ed_jwk(key: &PKey<Private>) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "d", "x": text(&key.raw_public_key().unwrap()) })
}

fn set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

fn all() -> KeySet {
    crate::protocol::jwt::use_openssl();
    KeySet::parse(&set(&[rsa_jwk(&RSA), ec_jwk(&EC), ed_jwk(&ED)]), &DEFAULT_ALGORITHMS).unwrap()
}

fn claims() -> Value {
    json!({ "iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 300, "iat": NOW, "jti": "1" })
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", text(&signature))
}

fn es256(claims: &Value) -> String {
    crate::protocol::jwt::use_openssl();
    let header = Header { kid: Some("e".into()), ..Header::new(Algorithm::ES256) };
    let key = EncodingKey::from_ec_der(&EC.private_key_to_pkcs8().unwrap());
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

fn with_rsa(padding: Padding, message: &[u8]) -> Vec<u8> {
    let mut signer = Signer::new(MessageDigest::sha256(), &RSA).unwrap();
    signer.set_rsa_padding(padding).unwrap();
    if padding == Padding::PKCS1_PSS {
        // As RFC 7518 §3.5 wants it.
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

fn take(assertion: &str) -> Result<Accepted, AssertionError> {
    verify(assertion, &all(), Expected { client_id: CLIENT, issuer: ISSUER, now: NOW, skew: 60 })
}

#[test]
fn each_algorithm_of_the_list_proves_the_client() {
    let accepted = Accepted { jti: "1".into(), usable_until: NOW + 360 };
    assert_eq!(take(&es256(&claims())), Ok(accepted.clone()));
    let pss = json!({ "alg": "PS256", "typ": "JWT" });
    assert_eq!(take(&signed(&pss, &claims(), |m| with_rsa(Padding::PKCS1_PSS, m))), Ok(accepted.clone()));
    let ed = json!({ "alg": "EdDSA", "kid": "d" });
    let sign = |m: &[u8]| Signer::new_without_digest(&ED).unwrap().sign_oneshot_to_vec(m).unwrap();
    assert_eq!(take(&signed(&ed, &claims(), sign)), Ok(accepted.clone()));
    assert_eq!(claimed_client(&es256(&claims())).as_deref(), Some(CLIENT));

    // RS256 proves nothing unless it was registered.
    let rs = signed(&json!({ "alg": "RS256" }), &claims(), |m| with_rsa(Padding::PKCS1, m));
    assert_eq!(take(&rs), Err(AssertionError::Algorithm));
    let keys = KeySet::parse(&set(&[rsa_jwk(&RSA)]), &[SigningAlgorithm::Rs256]).unwrap();
    let expected = Expected { client_id: CLIENT, issuer: ISSUER, now: NOW, skew: 60 };
    assert_eq!(verify(&rs, &keys, expected), Ok(accepted));
}

#[test]
fn no_header_talks_its_way_in() {
    let good = es256(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let jwk = ec_jwk(&EC);
    for (header, error) in [
        (json!({ "alg": "none" }), AssertionError::Malformed),
        (json!({ "alg": "NONE", "kid": "e" }), AssertionError::Malformed),
        (json!({ "kid": "e" }), AssertionError::Malformed),
        (json!({ "alg": "ES256", "crit": ["exp"] }), AssertionError::Malformed),
        (json!({ "alg": "HS256", "kid": "e" }), AssertionError::Algorithm),
        (json!({ "alg": "ES384", "kid": "e" }), AssertionError::Algorithm),
        (json!({ "alg": "PS256", "kid": "e" }), AssertionError::Algorithm),
        (json!({ "alg": "EdDSA", "kid": "e" }), AssertionError::Algorithm),
        (json!({ "alg": "ES256", "kid": "other" }), AssertionError::Key),
        (json!({ "alg": "ES256", "kid": "r" }), AssertionError::Algorithm),
        (
            json!({ "alg": "ES256", "kid": "e", "jku": "https://evil.example/keys" }),
            AssertionError::Signature,
        ),
        (json!({ "alg": "ES256", "kid": "e", "jwk": jwk }), AssertionError::Signature),
    ] {
        for signature in [parts[2], "", "AAAA"] {
            let forged = format!("{}.{}.{signature}", text(header.to_string().as_bytes()), parts[1]);
            assert_eq!(take(&forged), Err(error), "{header}");
        }
    }
    // A key of one's own in the header.
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let own = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.jwk = Some(serde_json::from_value(ec_jwk(&own)).unwrap());
    let key = EncodingKey::from_ec_der(&own.private_key_to_pkcs8().unwrap());
    let forged = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    assert_eq!(take(&forged), Err(AssertionError::Signature));
    // The public key as a shared secret.
    let secret = text(jwk["x"].as_str().unwrap().as_bytes());
    let forged =
        jsonwebtoken::encode(&Header::default(), &claims(), &EncodingKey::from_secret(secret.as_bytes()));
    assert_eq!(take(&forged.unwrap()), Err(AssertionError::Algorithm));
    let zero = format!("{}.{}.{}", parts[0], parts[1], text(&[0_u8; 64]));
    assert_eq!(take(&zero), Err(AssertionError::Signature));
    for broken in ["", "a.b", "a.b.c.d", "..", &format!("{good}."), &"x".repeat(10_000)] {
        assert_eq!(take(broken), Err(AssertionError::Malformed), "{broken:.20}");
    }
}

#[test]
fn what_it_says_must_be_meant_for_us_and_now() {
    use AssertionError as E;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        take(&es256(&claims))
    };
    let cases = [
        ("iss", json!("scl_2"), E::Subject),
        ("sub", json!("scl_2"), E::Subject),
        ("sub", Value::Null, E::Subject),
        ("aud", json!([ISSUER]), E::Audience),
        ("aud", json!("https://id.example/"), E::Audience),
        ("aud", json!("https://id.example/oauth/token"), E::Audience),
        ("aud", json!("https://other.example"), E::Audience),
        ("exp", Value::Null, E::Expired),
        ("exp", json!("soon"), E::Expired),
        ("exp", json!(NOW - 60), E::Expired),
        ("exp", json!(-1), E::Expired),
        ("exp", json!(NOW + 661), E::TooLong),
        ("exp", json!(i64::MAX), E::TooLong),
        ("nbf", json!(NOW + 61), E::NotYet),
        ("iat", json!(NOW + 61), E::NotYet),
        ("iat", json!("now"), E::NotYet),
        ("jti", Value::Null, E::Jti),
        ("jti", json!(""), E::Jti),
        ("jti", json!(7), E::Jti),
        ("jti", json!("x".repeat(256)), E::Jti),
        ("jti", json!("a\u{0}b"), E::Jti),
    ];
    for (name, value, error) in cases {
        assert_eq!(with(name, value.clone()), Err(error), "{name}: {value}");
        assert!(error.is_of_the_client());
    }
    for (name, value) in [
        ("exp", json!(NOW - 59)),
        ("exp", json!(NOW + 660)),
        ("exp", json!(1_000_100.5)),
        ("nbf", json!(NOW + 60)),
        ("jti", json!("x".repeat(255))),
    ] {
        assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
    }
}

#[test]
fn only_public_keys_that_can_sign_are_registered() {
    crate::protocol::jwt::use_openssl();
    let parse = |keys: &[Value]| KeySet::parse(&set(keys), &DEFAULT_ALGORITHMS).map(|keys| keys.to_json());
    let changed = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let (rsa, ec, ed) = (rsa_jwk(&RSA), ec_jwk(&EC), ed_jwk(&ED));
    let off = text(&[7_u8; 32]);
    let cases = [
        (changed(ec.clone(), "d", json!("AAAA")), KeySetError::Private(1)),
        (changed(rsa.clone(), "p", json!("AAAA")), KeySetError::Private(1)),
        (json!({ "kty": "oct", "k": "AAAA" }), KeySetError::Private(1)),
        (json!({ "kty": "oct" }), KeySetError::Type(1, "oct".into())),
        (changed(ec.clone(), "crv", json!("P-384")), KeySetError::Type(1, "EC P-384".into())),
        (changed(ed.clone(), "crv", json!("X25519")), KeySetError::Type(1, "OKP X25519".into())),
        (changed(ec.clone(), "use", json!("enc")), KeySetError::Use(1)),
        (changed(ec.clone(), "key_ops", json!(["encrypt"])), KeySetError::Use(1)),
        (changed(ec.clone(), "y", json!(off)), KeySetError::Broken(1)),
        (changed(ec.clone(), "x", json!("not base64!")), KeySetError::Broken(1)),
        (changed(ed.clone(), "x", json!("AAAA")), KeySetError::Broken(1)),
        (changed(rsa.clone(), "e", json!("AQ")), KeySetError::Size(1, 2048)),
        (changed(rsa.clone(), "e", json!("Aw")), KeySetError::Size(1, 2048)),
        (changed(rsa.clone(), "e", json!("AQAD")), KeySetError::Size(1, 2048)),
        (rsa_jwk(&small), KeySetError::Size(1, 1024)),
        (changed(rsa.clone(), "alg", json!("RS256")), KeySetError::Algorithm(1)),
        (changed(ec.clone(), "alg", json!("ES384")), KeySetError::Algorithm(1)),
        (json!("key"), KeySetError::NotAKey(1)),
        (json!({ "kid": 1 }), KeySetError::NotAKey(1)),
    ];
    for (key, error) in cases {
        assert_eq!(parse(std::slice::from_ref(&key)), Err(error), "{key}");
    }
    assert_eq!(parse(&[ec.clone(), ec.clone()]), Err(KeySetError::SameKid));
    assert_eq!(parse(&[]), Err(KeySetError::NotASet));
    assert_eq!(parse(&vec![changed(ec.clone(), "kid", Value::Null); 11]), Err(KeySetError::NotASet));
    for nonsense in [json!(null), json!([]), json!({ "keys": {} }), ec.clone()] {
        assert_eq!(KeySet::parse(&nonsense, &DEFAULT_ALGORITHMS).map(drop), Err(KeySetError::NotASet));
    }
    // Nothing is kept but what was read.
    let kept = parse(&[changed(ec.clone(), "x5c", json!(["…"])), rsa.clone(), ed]).unwrap();
    assert!(kept["keys"][0].get("x5c").is_none());
    assert_eq!(kept["keys"][1], rsa);
    assert_eq!(KeySet::parse(&kept, &DEFAULT_ALGORITHMS).unwrap().to_json(), kept);
}
