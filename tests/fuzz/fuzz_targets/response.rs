//! Responses and metadata of any shape: whatever the strict scan takes comes out of canonicalization as something that
//! it takes again and that comes out the same; nothing gets in without a signature of the known key; nothing panics.
#![no_main]

use engine::protocol::saml::scan::{Rules, scan};
use engine::protocol::saml::{PostedResponse, c14n, read_idp_metadata};
use engine::sign_in;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = read_idp_metadata(text.as_bytes());
    if let Ok(document) = scan(text, Rules::MESSAGE) {
        for id in document.all().take(16) {
            let once = c14n::exclusive(&document, id, None, &[]);
            let again = scan(&once, Rules::MESSAGE).expect("what is canonical is taken");
            assert_eq!(c14n::exclusive(&again, again.root(), None, &[]), once);
            let alone = document.standalone(text, id, None);
            let alone = scan(&alone, Rules::MESSAGE).expect("what stands alone is taken");
            assert_eq!(c14n::exclusive(&alone, alone.root(), None, &[]), once);
        }
    }
    if let Ok(posted) = PostedResponse::read(&sign_in::form(text)) {
        let refusal = posted.verify_with(&sign_in::Unreachable, sign_in::expected(), sign_in::NOW);
        let refusal = refusal.expect_err("nobody signed it");
        assert!(refusal.to_string().len() < 20_000 && !refusal.code().is_empty());
    }
});
