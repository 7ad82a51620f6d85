//! Postern: the gate through which enterprise customers' identities enter a B2B application.
//!
//! Layers are folders and the arrows between them go one way only (kept by `tests/it/architecture.rs`):
//!
//! ```text
//!   cli, demo ──► app ──► http ──► service ──► protocol, store, outbound ──► model
//! ```
//!
//! `http` knows poem, `store` knows sea-orm, `outbound` knows the network, `protocol` does no I/O,
//! `service` knows the rules and the transaction, `model` knows nothing. A noun has one file name in
//! every layer.

// The layers of a request are futures within futures, deeper than the compiler looks by default.
#![recursion_limit = "256"]

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod model;
pub mod outbound;
pub mod protocol;
pub mod service;
pub mod store;
pub mod telemetry;
