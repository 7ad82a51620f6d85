//! The demo IdP against the SAML engine: what is right gets in, what is wrong is refused for its own reason.

mod attacks;
mod encrypted;
mod good;
mod metadata;
mod profile;
mod server;
mod shapes;

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::macros::datetime;

use super::key::{KeyType, SigningKey};
use super::response::ResponseSpec;
use super::signer::{Placement, Signing};
use crate::protocol::saml::signature::{SignatureVerifier, VerifierError};
use crate::protocol::saml::{
    Certificate, Expectations, PostedResponse, SamlRefusal, VerifiedAssertion, verify,
};

pub(super) const IDP: &str = "https://idp.example/metadata";
pub(super) const SP: &str = "https://gate.example/saml/1/metadata";
pub(super) const ACS: &str = "https://gate.example/saml/1/acs";
pub(super) const REQUEST: &str = "_request0123456789";
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00:00 UTC);
pub(super) const PLACEMENTS: [Placement; 3] = [Placement::Response, Placement::Assertion, Placement::Both];

pub(super) fn key(kind: KeyType) -> SigningKey {
    SigningKey::generate(kind, "idp.example", NOW).unwrap()
}

/// The key that most tests share.
pub(super) fn rsa() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| key(KeyType::Rsa2048))
}

/// A key of somebody else.
pub(super) fn stranger() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| key(KeyType::Rsa2048))
}

pub(super) fn certificate(key: &SigningKey) -> Certificate {
    Certificate::from_der(&key.certificate_der().unwrap()).unwrap()
}

pub(super) fn spec() -> ResponseSpec {
    let mut spec = ResponseSpec::new(IDP, SP, ACS, REQUEST, ("_response1", "_assertion1"), NOW);
    spec.name_id = Some("user-1".to_owned());
    spec.attributes = vec![("email".to_owned(), vec!["jane@corp.example".to_owned()])];
    spec
}

pub(super) fn expected(keys: &[&SigningKey]) -> Expectations {
    Expectations {
        idp_entity_id: IDP.to_owned(),
        sp_entity_id: SP.to_owned(),
        acs_url: ACS.to_owned(),
        certificates: keys.iter().map(|k| certificate(k)).collect(),
        request_id: Some(REQUEST.to_owned()),
        decryption_keys: std::sync::Arc::default(),
        require_encryption: false,
        authn_contexts: std::sync::Arc::default(),
        clock_skew: Expectations::USUAL_SKEW,
    }
}

pub(super) fn form(xml: &str) -> Vec<u8> {
    STANDARD.encode(xml).into_bytes()
}

/// Verifies with the shared key.
pub(super) fn check(xml: &str) -> Result<VerifiedAssertion, SamlRefusal> {
    verify(&form(xml), &expected(&[rsa()]), NOW)
}

/// The code of the refusal, which must come before samael is asked.
pub(super) fn refused(xml: &str) -> &'static str {
    struct Unreachable;
    impl SignatureVerifier for Unreachable {
        fn signed_bytes(&self, document: &str, _: &[u8]) -> Result<String, VerifierError> {
            panic!("reached the signature library: {document}");
        }
    }
    let verified = PostedResponse::read(&form(xml))
        .and_then(|posted| posted.verify_with(&Unreachable, &expected(&[rsa()]), NOW));
    verified.expect_err(xml).code()
}

/// A right response with that signature.
pub(super) fn signed(signing: &Signing) -> String {
    signing.respond(&spec(), rsa()).unwrap()
}
