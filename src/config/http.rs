//! `[http]`: listeners, TLS, trusted proxies and the limits of one connection and one request.
//!
//! Promise: every limit is above zero and has a ceiling; a certificate never stands without its key.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::problems::{Checker, SECOND};

const MIB: u32 = 1024 * 1024;

/// The server's side of HTTP.
#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Where `/metrics` is served; `None` is off.
    pub metrics_listen: Option<SocketAddr>,
    /// The only peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    pub max_connections: usize,
    /// For the head of a request to arrive, TLS handshake included.
    pub request_head: Duration,
    /// For a request in all, its body included.
    pub request_timeout: Duration,
    /// Largest body of REST and pages, in bytes.
    pub body_limit: u64,
    pub scim_body_limit: u64,
    pub saml_body_limit: u64,
    pub tls: Option<Tls>,
    pub shutdown_grace: Duration,
}

/// PEM files; whether they can be read is found when the listener opens them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    listen: String,
    metrics_listen: String,
    trusted_proxies: Vec<String>,
    max_connections: i64,
    request_head_seconds: i64,
    request_timeout_seconds: i64,
    body_limit_bytes: i64,
    scim_body_limit_bytes: i64,
    saml_body_limit_bytes: i64,
    tls_certificate: String,
    tls_key: String,
    shutdown_grace_seconds: i64,
}

impl Http {
    pub(super) fn check(raw: &Raw, checker: &mut Checker<'_>) -> Self {
        let listen = address("http.listen", &raw.listen, checker);
        let metrics_listen = (!raw.metrics_listen.is_empty())
            .then(|| address("http.metrics_listen", &raw.metrics_listen, checker));
        if metrics_listen == Some(listen) && listen.port() != 0 {
            checker.refuse("http.metrics_listen", "must differ from http.listen");
        }
        let networks: Vec<Network> = checker.list(
            "http.trusted_proxies",
            &raw.trusted_proxies,
            "networks such as \"10.0.0.0/8\" or addresses",
        );
        let tls = match (raw.tls_certificate.is_empty(), raw.tls_key.is_empty()) {
            (true, true) => None,
            (false, false) => {
                Some(Tls { certificate: (&raw.tls_certificate).into(), key: (&raw.tls_key).into() })
            }
            (true, false) => {
                checker.refuse(
                    "http.tls_certificate",
                    "is missing while http.tls_key is given; give both or none",
                );
                None
            }
            (false, true) => {
                checker.refuse(
                    "http.tls_key",
                    "is missing while http.tls_certificate is given; give both or none",
                );
                None
            }
        };
        Self {
            listen,
            metrics_listen,
            trusted_proxies: networks.into_iter().map(|network| network.0).collect(),
            max_connections: checker.count("http.max_connections", raw.max_connections, 1..=100_000),
            request_head: checker.span(
                "http.request_head_seconds",
                raw.request_head_seconds,
                SECOND,
                1..=600,
            ),
            request_timeout: checker.span(
                "http.request_timeout_seconds",
                raw.request_timeout_seconds,
                SECOND,
                1..=600,
            ),
            body_limit: checker.number("http.body_limit_bytes", raw.body_limit_bytes, 1024..=64 * MIB).into(),
            scim_body_limit: checker
                .number("http.scim_body_limit_bytes", raw.scim_body_limit_bytes, 1024..=64 * MIB)
                .into(),
            saml_body_limit: checker
                .number("http.saml_body_limit_bytes", raw.saml_body_limit_bytes, 1024..=16 * MIB)
                .into(),
            tls,
            shutdown_grace: checker.span(
                "http.shutdown_grace_seconds",
                raw.shutdown_grace_seconds,
                SECOND,
                1..=600,
            ),
        }
    }
}

fn address(key: &str, text: &str, checker: &mut Checker<'_>) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        checker.refuse(
            key,
            format!("expects an address and port such as 127.0.0.1:8080 or [::]:8080, found {text:?}"),
        );
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

/// A network, or one address as the network that holds only it.
pub(super) struct Network(pub(super) IpNet);

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(|network| Self(network.trunc()))
            .map_err(|_| ())
    }
}
