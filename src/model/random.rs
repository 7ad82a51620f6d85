//! Randomness, injected: OpenSSL's generator in the product, a counting one where a test wants the same bytes again.

use std::cell::RefCell;
use zeroize::{Zeroize as _, Zeroizing};

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// OpenSSL's generator, seeded by the operating system.
///
/// Ids and secrets are a few bytes each, and a request makes several; a call of the generator costs as much for many
/// bytes as for few. So each thread fetches a block, hands every byte out once, and wipes it as it does.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

const BLOCK: usize = 512;

thread_local! {
    /// A block, and how many of its bytes are left, at its front.
    static LEFT: RefCell<(Zeroizing<[u8; BLOCK]>, usize)> = RefCell::new((Zeroizing::new([0; BLOCK]), 0));
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > BLOCK / 8 {
            return generate(bytes);
        }
        LEFT.with_borrow_mut(|(block, left)| {
            if *left < bytes.len() {
                generate(&mut **block);
                *left = BLOCK;
            }
            let fresh = &mut block[*left - bytes.len()..*left];
            bytes.copy_from_slice(fresh);
            fresh.zeroize();
            *left -= bytes.len();
        });
    }
}

fn generate(bytes: &mut [u8]) {
    // Without randomness no secret is safe: there is nothing sensible to go on with.
    #[expect(clippy::expect_used, reason = "a process without a random generator must not make secrets")]
    openssl::rand::rand_bytes(bytes).expect("OpenSSL's random generator gives no bytes");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_byte_is_handed_out_twice() {
        let draw = || {
            (0..1_000).map(|_| {
                let mut id = [0; 10];
                SystemRandom.fill(&mut id);
                id
            })
        };
        let other = std::thread::spawn(move || draw().collect::<Vec<_>>());
        let seen: HashSet<[u8; 10]> = draw().chain(other.join().unwrap()).collect();
        assert_eq!(seen.len(), 2_000);
        let mut long = [0; 100];
        SystemRandom.fill(&mut long);
        assert_ne!(long, [0; 100]);
    }
}
