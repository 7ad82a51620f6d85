//! Asking DNS for TXT records, and for addresses, fresh each time.
//!
//! The promise: "there is no such name", "there is no record" and "could not find out" are told apart, long
//! values split in 255-byte strings arrive whole, aliases are followed, and nothing is answered from a cache.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::BoxFuture;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, Record, RecordType},
    system_conf::read_system_conf,
};

use crate::model::dns_answer::{LookupFailure, TxtAnswer};

mod addresses;

pub use addresses::AddressLookup;

/// Where TXT records are asked for.
pub trait TxtLookup: Send + Sync {
    /// The TXT records of `name` (without trailing dot), as the name servers have them now.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer>;
}

/// Which name servers to ask, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Name servers by address and port (the first three count), asked over UDP, and over TCP where an answer
    /// is truncated. Empty means those of the system (`/etc/resolv.conf`).
    pub nameservers: Vec<SocketAddr>,
    /// The longest time one question may take, retries and fallbacks included.
    pub timeout: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self { nameservers: Vec::new(), timeout: Duration::from_secs(5) }
    }
}

/// Why the resolver could not be set up.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system's name servers could not be read ({cause}). Set dns.nameservers, for example to [\"9.9.9.9:53\"]."
)]
pub struct ResolverError {
    cause: String,
}

/// [`TxtLookup`] over the network by hickory's stub resolver, one for each name server: hickory itself takes
/// one server's SERVFAIL or REFUSED as final, and a sick server must not hide a sound one.
pub struct Resolver {
    servers: Vec<TokioResolver>,
    time_for_one_server: Duration,
}

/// How many name servers are asked at most, as in the C library's resolver.
const MOST_SERVERS: usize = 3;

impl Resolver {
    /// Sets up a resolver; sends nothing. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When no name servers are given and the system's configuration cannot be read or names none.
    pub fn new(settings: &DnsSettings) -> Result<Self, ResolverError> {
        let fail = |error: NetError| ResolverError { cause: error.to_string() };
        let (mut servers, mut options) = if settings.nameservers.is_empty() {
            let (config, options) = read_system_conf().map_err(fail)?;
            (config.name_servers, options)
        } else {
            (
                settings.nameservers.iter().map(|address| name_server(*address)).collect(),
                ResolverOpts::default(),
            )
        };
        servers.truncate(MOST_SERVERS);
        let Some(count) = u32::try_from(servers.len()).ok().filter(|count| *count > 0) else {
            return Err(ResolverError { cause: "none is configured".to_owned() });
        };
        let time_for_one_server = settings.timeout / count;
        configure(&mut options, time_for_one_server);
        let build = |server| {
            let config = ResolverConfig::from_name_servers(vec![server]);
            let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.with_options(options.clone()).build().map_err(fail)
        };
        let servers = servers.into_iter().map(build).collect::<Result<_, _>>()?;
        Ok(Self { servers, time_for_one_server })
    }

    /// Asks one server after the other until one knows.
    async fn ask(&self, name: &str) -> TxtAnswer {
        let Ok(name) = Name::from_ascii(format!("{name}.")) else { return TxtAnswer::NoName };
        let mut failed = None;
        for server in &self.servers {
            let answer = tokio::time::timeout(self.time_for_one_server, ask_server(server, &name)).await;
            match answer.unwrap_or(TxtAnswer::Failed(LookupFailure::Timeout)) {
                TxtAnswer::Failed(failure) => failed = failed.or(Some(failure)),
                answer => return answer,
            }
        }
        TxtAnswer::Failed(failed.unwrap_or(LookupFailure::Unreachable))
    }
}

impl TxtLookup for Resolver {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TxtAnswer> {
        Box::pin(self.ask(name))
    }
}

async fn ask_server(server: &TokioResolver, name: &Name) -> TxtAnswer {
    server.clear_lookup_cache(name.clone(), RecordType::TXT);
    match server.lookup(name.clone(), RecordType::TXT).await {
        Ok(lookup) => {
            let values = txt_values(name, lookup.answers());
            if values.is_empty() { TxtAnswer::NoRecords } else { TxtAnswer::Found(values) }
        }
        Err(error) if error.is_no_records_found() => judge_absence(server, name, error.is_nx_domain()).await,
        Err(error) => TxtAnswer::Failed(failure(&error)),
    }
}

/// The resolver reports what became of the last name of a chain of aliases; whether `name` itself was an
/// alias decides what the admin has to mend.
async fn judge_absence(server: &TokioResolver, name: &Name, no_such_name: bool) -> TxtAnswer {
    server.clear_lookup_cache(name.clone(), RecordType::CNAME);
    let alias = server.lookup(name.clone(), RecordType::CNAME).await.ok().and_then(|lookup| {
        lookup.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *name => Some(target.0.clone()),
            _ => None,
        })
    });
    match alias {
        Some(target) => TxtAnswer::EmptyAlias { target: plain(&target) },
        None if no_such_name => TxtAnswer::NoName,
        None => TxtAnswer::NoRecords,
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn configure(options: &mut ResolverOpts, time_for_one_server: Duration) {
    // Time for a second try: the first packet may be lost, and a slow answer is ready by then.
    options.timeout = time_for_one_server / 2;
    options.attempts = 1;
    // No answer outlives its question: an admin who has just mended a record must see it.
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.positive_min_ttl = None;
    options.negative_min_ttl = None;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    options.edns0 = true;
}

/// The TXT values that belong to `name`, directly or through aliases; everything else in the answer is ignored.
fn txt_values(name: &Name, records: &[Record]) -> Vec<String> {
    let mut owner = name.clone();
    // A chain cannot be longer than the records are many, so loops end.
    for _ in records {
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == owner => Some(target.0.clone()),
            _ => None,
        });
        match alias {
            Some(target) => owner = target,
            None => break,
        }
    }
    let texts =
        records.iter().filter(|record| record.name == owner).filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
    texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

fn failure(error: &NetError) -> LookupFailure {
    match error {
        NetError::Timeout => LookupFailure::Timeout,
        NetError::Dns(DnsError::ResponseCode(code)) => {
            LookupFailure::ServerFailure { code: code.to_str().to_owned() }
        }
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => LookupFailure::Unreachable,
        _ => LookupFailure::Unreadable,
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
