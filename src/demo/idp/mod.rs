//! A small SAML identity provider for the demo and the tests: it really signs and really speaks the protocol,
//! and it can be told to get any part of it wrong.

pub mod encrypter;
pub mod key;
pub mod response;
mod server;
pub mod signer;
#[cfg(test)]
mod tests;

pub use encrypter::Encrypting;
pub use key::{KeyType, SigningKey};
pub use response::ResponseSpec;
pub use server::{Answer, DemoIdp, IdpError, Person};
pub use signer::{Placement, Signing};
