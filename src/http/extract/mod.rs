//! What handlers take out of a request.

pub mod client_ip;

pub use client_ip::{ClientIp, TrustedProxies};
