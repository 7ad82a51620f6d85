//! Everything that leaves the process, each behind a small trait so that tests and the demo can stand in.

pub mod dns;
pub mod verifier;
pub mod web;
