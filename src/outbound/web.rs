//! Fetching a document from a URL that somebody typed, without letting that URL reach what only this machine reaches.
//!
//! The name is looked up by us, every address of it is judged, and the connection goes to those addresses and nowhere
//! else, so that a second answer of DNS changes nothing. No proxy, no redirect, no compression, no cookie; the size and
//! the whole time are bounded; TLS is verified against the system's roots. A client is made for each fetch, which is
//! rare, and nothing of it stays in memory afterwards.

pub mod ranges;

use super::dns::AddressLookup;
use crate::model::dns_answer::{AddressAnswer, LookupFailure};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::{Host, Url};

/// How many documents are fetched at once: each may take a few megabytes, TLS included.
const AT_ONCE: usize = 8;
/// The longest redirect target and TLS complaint that are shown.
const LONGEST_SHOWN: usize = 300;

/// Where documents are fetched from.
pub trait Web: Send + Sync {
    /// The document at a URL, whole.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FetchError>>;
}

/// Why a document was not fetched. `Display` is a sentence for whoever typed the URL, and tells nothing of what answers
/// at a refused address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("{found:?} is not an https URL without user name and fragment.")]
    NotUsable { found: String },
    #[error("Plain http is not used for {host}: give an https URL.")]
    PlainHttp { host: String },
    #[error(
        "The name {host} does not exist in DNS. Check its spelling, and whether it can be seen from the internet."
    )]
    NoName { host: String },
    #[error("The name {host} has no address in DNS.")]
    NoAddresses { host: String },
    #[error("The address of {host} could not be learned: {failure}. Try again in a moment.")]
    LookUp { host: String, failure: LookupFailure },
    #[error(
        "{host} lies in a range for {purpose}, which is not connected to. Give an address on the public internet, or ask the operator to list the range in saml.metadata_allowed_ranges."
    )]
    Range { host: String, purpose: &'static str },
    #[error("{host} takes no connection on port {port}.")]
    Connect { host: String, port: u16 },
    #[error("No trusted TLS connection to {host} came about: {problem}.")]
    Tls { host: String, problem: String },
    #[error("{host} answered with status {status} instead of 200.")]
    Status { host: String, status: u16 },
    #[error(
        "{host} answered with a redirect to {to}, which is not followed. If that is the right place, give its address instead."
    )]
    Redirect { host: String, to: String },
    #[error("{host} answered in compressed form ({encoding}), which was not asked for.")]
    Encoded { host: String, encoding: String },
    #[error("The document has more than {limit} bytes, which is more than is read.")]
    TooLarge { limit: usize },
    #[error("{host} did not deliver the whole document within {seconds} seconds.")]
    TooSlow { host: String, seconds: u64 },
    #[error("The connection to {host} broke before the whole document had come.")]
    Broken { host: String },
}

impl FetchError {
    /// The stable code of this failure for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotUsable { .. } => "url_invalid",
            Self::PlainHttp { .. } => "url_not_https",
            Self::NoName { .. } => "host_not_found",
            Self::NoAddresses { .. } => "host_without_address",
            Self::LookUp { failure, .. } => match failure {
                LookupFailure::Timeout => "dns_timeout",
                LookupFailure::ServerFailure { .. } => "dns_server_failure",
                LookupFailure::Unreachable => "dns_unreachable",
                LookupFailure::Unreadable => "dns_unreadable",
            },
            Self::Range { .. } => "address_refused",
            Self::Connect { .. } => "connection_refused",
            Self::Tls { .. } => "tls_failed",
            Self::Status { .. } => "status_unexpected",
            Self::Redirect { .. } => "redirect_not_followed",
            Self::Encoded { .. } => "document_compressed",
            Self::TooLarge { .. } => "document_too_large",
            Self::TooSlow { .. } => "document_too_slow",
            Self::Broken { .. } => "connection_broken",
        }
    }
}

/// What fetching is bounded by.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// Ranges that may be connected to although they are not of the public internet. Plain http goes to those of them
    /// that are loopback.
    pub allowed: Vec<IpNet>,
    /// For all of it, from looking the name up to the last byte.
    pub timeout: Duration,
    /// The largest document in bytes.
    pub largest: usize,
}

/// [`Web`] over the network.
pub struct WebClient {
    settings: WebSettings,
    addresses: Arc<dyn AddressLookup>,
    turns: Semaphore,
}

impl WebClient {
    /// Makes ready; nothing is opened or loaded yet.
    pub fn new(settings: WebSettings, addresses: Arc<dyn AddressLookup>) -> Self {
        Self { settings, addresses, turns: Semaphore::new(AT_ONCE) }
    }

    async fn get(&self, text: &str) -> Result<Vec<u8>, FetchError> {
        let target = Target::parse(text)?;
        let host = target.host.clone();
        let seconds = self.settings.timeout.as_secs();
        let whole = async {
            // An error only once the semaphore is closed, which it never is.
            let _turn = self.turns.acquire().await;
            let addresses = self.judged(&target).await?;
            self.request(&target, &addresses).await
        };
        tokio::time::timeout(self.settings.timeout, whole)
            .await
            .unwrap_or(Err(FetchError::TooSlow { host, seconds }))
    }

    /// The addresses of the host: all of them, if all may be connected to.
    async fn judged(&self, target: &Target) -> Result<Vec<IpAddr>, FetchError> {
        let host = target.host.clone();
        let addresses = match &target.place {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            // Never asked of DNS (RFC 6761).
            Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]
            }
            Host::Domain(name) => match self.addresses.addresses(name).await {
                AddressAnswer::Found(addresses) if !addresses.is_empty() => addresses,
                AddressAnswer::Found(_) | AddressAnswer::NoAddresses => {
                    return Err(FetchError::NoAddresses { host });
                }
                AddressAnswer::NoName => return Err(FetchError::NoName { host }),
                AddressAnswer::Failed(failure) => return Err(FetchError::LookUp { host, failure }),
            },
        };
        let refused = |address: &IpAddr| ranges::refused(*address, &self.settings.allowed);
        if let Some(purpose) = addresses.iter().find_map(refused) {
            return Err(FetchError::Range { host, purpose });
        }
        if !target.https && !addresses.iter().all(IpAddr::is_loopback) {
            return Err(FetchError::PlainHttp { host });
        }
        Ok(addresses)
    }

    async fn request(&self, target: &Target, addresses: &[IpAddr]) -> Result<Vec<u8>, FetchError> {
        let host = || target.host.clone();
        let pinned = addresses.iter().map(|address| SocketAddr::new(*address, target.port)).collect();
        // Reading the system's roots takes a while.
        let https = target.https;
        let client = tokio::task::spawn_blocking(move || {
            reqwest::Client::builder()
                .dns_resolver(Pinned(pinned))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .https_only(https)
                .tls_version_min(reqwest::tls::Version::TLS_1_2)
                .pool_max_idle_per_host(0)
                .user_agent("Postern")
                .build()
        });
        let client = match client.await {
            Ok(Ok(client)) => client,
            failed => {
                tracing::error!(?failed, "a web client could not be made");
                return Err(FetchError::Tls {
                    host: host(),
                    problem: "this server cannot speak TLS".to_owned(),
                });
            }
        };
        let request = client
            .get(target.url.clone())
            .header("accept", "application/samlmetadata+xml, application/xml, text/xml, */*;q=0.5")
            .header("accept-encoding", "identity");
        let mut answer = request.send().await.map_err(|error| failure(target, &error))?;
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get("location").and_then(|value| value.to_str().ok());
            let to = to.and_then(|to| target.url.join(to).ok()).map(|to| cut(to.as_str()));
            return Err(match to {
                Some(to) => FetchError::Redirect { host: host(), to },
                None => FetchError::Status { host: host(), status: status.as_u16() },
            });
        }
        if status != reqwest::StatusCode::OK {
            return Err(FetchError::Status { host: host(), status: status.as_u16() });
        }
        let encoding = answer.headers().get("content-encoding").and_then(|value| value.to_str().ok());
        if let Some(encoding) = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(FetchError::Encoded { host: host(), encoding: cut(encoding) });
        }
        let limit = self.settings.largest;
        let too_large = FetchError::TooLarge { limit };
        let told = answer.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if told > limit {
            return Err(too_large);
        }
        let mut document = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| failure(target, &error))? {
            if document.len() + piece.len() > limit {
                return Err(too_large);
            }
            document.extend_from_slice(&piece);
        }
        Ok(document)
    }
}

impl Web for WebClient {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        Box::pin(self.get(url))
    }
}

/// What a failure of the client means to whoever typed the URL.
fn failure(target: &Target, error: &reqwest::Error) -> FetchError {
    let host = target.host.clone();
    let mut problem = None;
    let mut cause = error.source();
    // The outermost cause that speaks of TLS says the most.
    while let Some(inner) = cause.filter(|_| problem.is_none()) {
        let text = inner.to_string();
        let tls = inner.is::<openssl::ssl::Error>() || inner.is::<openssl::error::ErrorStack>();
        problem = (tls || text.contains("certificate")).then_some(text);
        cause = inner.source();
    }
    match problem {
        Some(problem) => FetchError::Tls { host, problem: cut(&plain(&problem)) },
        None if error.is_connect() => FetchError::Connect { host, port: target.port },
        None => FetchError::Broken { host },
    }
}

/// The only addresses that a client knows, whatever name it asks for.
struct Pinned(Vec<SocketAddr>);

impl reqwest::dns::Resolve for Pinned {
    fn resolve(&self, _name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let addresses: reqwest::dns::Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// A URL taken apart.
struct Target {
    url: Url,
    place: Host<String>,
    host: String,
    port: u16,
    https: bool,
}

impl Target {
    fn parse(text: &str) -> Result<Self, FetchError> {
        let unusable = || FetchError::NotUsable { found: cut(text) };
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(unusable());
        }
        let url = Url::parse(text).map_err(|_| unusable())?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !plain || !matches!(url.scheme(), "https" | "http") {
            return Err(unusable());
        }
        let (Some(place), Some(port)) = (url.host().map(|host| host.to_owned()), url.port_or_known_default())
        else {
            return Err(unusable());
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let https = url.scheme() == "https";
        Ok(Self { place: without_dot(place), host, port, https, url })
    }
}

/// A name that ends with a dot is the same name.
fn without_dot(place: Host<String>) -> Host<String> {
    match place {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        address => address,
    }
}

/// What OpenSSL says, without its numbers and places in its sources.
fn plain(problem: &str) -> String {
    let reason = problem.rsplit_once(": (").map(|(_, reason)| reason.trim_end_matches(')'));
    if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
        return format!("its certificate was refused ({reason})");
    }
    let parts: Vec<&str> = problem.split(':').collect();
    parts
        .iter()
        .rev()
        .find(|part| part.contains(' '))
        .map_or_else(|| problem.to_owned(), |part| part.trim().to_owned())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_SHOWN).collect()
}
