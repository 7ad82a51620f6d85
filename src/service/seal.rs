//! Sealing private keys under the installation key (rule 16): AES-256-GCM through OpenSSL, a fresh nonce each time,
//! the purpose as authenticated data so that one sealed thing cannot stand in for another.

use crate::model::random::Random;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use zeroize::Zeroizing;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals and opens with the installation key; prints nothing of it.
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// The sealed bytes are not ours, were changed, or were sealed under another installation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes cannot be opened with this installation key")]
pub struct OpenError;

impl Sealer {
    /// With this installation key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: Zeroizing::new(*key) }
    }

    /// Seals bytes for a purpose; the result is nonce, tag, ciphertext.
    pub fn seal(
        &self,
        purpose: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, openssl::error::ErrorStack> {
        let mut nonce = [0_u8; NONCE];
        random.fill(&mut nonce);
        let mut tag = [0_u8; TAG];
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, &*self.key, Some(&nonce), purpose.as_bytes(), plain, &mut tag)?;
        Ok([nonce.as_slice(), &tag, &sealed].concat())
    }

    /// Opens what was sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(OpenError)?;
        let (tag, body) = rest.split_at_checked(TAG).ok_or(OpenError)?;
        decrypt_aead(Cipher::aes_256_gcm(), &*self.key, Some(nonce), purpose.as_bytes(), body, tag)
            .map(Zeroizing::new)
            .map_err(|_| OpenError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::SystemRandom;

    #[test]
    fn only_the_same_key_and_purpose_open() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("signing-key", b"secret", &SystemRandom).unwrap();
        assert_eq!(&**sealer.open("signing-key", &sealed).unwrap(), b"secret");
        assert_eq!(sealer.open("other", &sealed), Err(OpenError));
        assert_eq!(Sealer::new(&[8; 32]).open("signing-key", &sealed), Err(OpenError));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open("signing-key", &changed), Err(OpenError));
        }
        assert_eq!(sealer.open("signing-key", &[]), Err(OpenError));
    }
}
