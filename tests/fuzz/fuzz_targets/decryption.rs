//! Encrypted assertions: any plaintext under a right key, and any ciphertext. None is signed, so none gets in; and
//! whatever the plaintext is, there is one answer.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use engine::protocol::saml::{PostedResponse, SamlRefusal};
use engine::sign_in::{self, Content};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    gcm: bool,
    /// Encrypted as it is, or taken for what was encrypted.
    sealed: bool,
    bytes: &'a [u8],
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let content = if input.gcm { Content::Gcm } else { Content::Cbc };
    let bytes = if input.sealed { content.seal(input.bytes) } else { input.bytes.to_vec() };
    if bytes.is_empty() {
        return;
    }
    let text = sign_in::encrypted(content, &bytes);
    let posted = PostedResponse::read(&sign_in::form(&text)).expect("it has the right shape");
    assert!(posted.is_encrypted());
    let refusal = posted.verify_with(&sign_in::Unreachable, sign_in::expected(), sign_in::NOW);
    let refusal = refusal.expect_err("nobody signed it");
    assert!(matches!(refusal, SamlRefusal::DecryptionFailed { .. }), "{refusal}");
});
