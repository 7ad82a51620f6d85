//! The protocol engines: pure functions over bytes and JSON, no I/O, no clock of their own, fuzzable.
pub mod client_assertion;
pub mod dns_challenge;
pub mod json;
pub mod jwt;
pub mod percent;
pub mod saml;
pub mod scim;
pub mod scim_log;
