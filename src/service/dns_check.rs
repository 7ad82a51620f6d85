//! Runs the questions of a DNS check: `protocol::dns_challenge` says what to ask, `outbound::dns` asks.

use crate::{
    outbound::dns::TxtLookup,
    protocol::dns_challenge::{Challenge, Check, Outcome},
};

/// Asks DNS whether the record of `challenge` stands. `nonce` is random and new for each call.
///
/// Takes at most a handful of questions, one after the other, each within the lookup's own time limit.
pub async fn check_challenge(lookup: &dyn TxtLookup, challenge: Challenge, nonce: u64) -> Outcome {
    let mut check = Check::new(challenge, nonce);
    while let Some(name) = check.next_name() {
        check.answer(lookup.txt(&name).await);
    }
    check.outcome()
}
