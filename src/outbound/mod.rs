//! Everything that leaves the machine, each behind a small trait so that tests and the demo can stand in.

pub mod dns;
