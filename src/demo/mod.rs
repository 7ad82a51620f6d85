//! `postern demo`: the gateway with real peers beside it on loopback, and the story told through them.

pub mod dns;
pub mod idp;
