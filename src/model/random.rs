//! Randomness, injected: OpenSSL's generator in the product, a counting one where a test wants the same bytes again.

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// OpenSSL's generator, seeded by the operating system.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no secret is safe: there is nothing sensible to go on with.
        #[expect(clippy::expect_used, reason = "a process without a random generator must not make secrets")]
        openssl::rand::rand_bytes(bytes).expect("OpenSSL's random generator gives no bytes");
    }
}
