//! Native XML code runs apart: a few processes of this same binary (`postern verifier`) hold libxml2 and xmlsec, and
//! the server hands them one signed element and one certificate at a time. They have no files, no network, little
//! memory ([`confine`]), and are killed and replaced when they crash or pass the deadline.
//!
//! So neither a crash nor a loop nor a hole in the C libraries takes the gate down. Nothing is believed for coming
//! from such a process: the caller compares what comes back with what it reckoned itself.

pub mod confine;
mod frame;
mod process;
pub mod serve;

pub use process::VerifierProcesses;
