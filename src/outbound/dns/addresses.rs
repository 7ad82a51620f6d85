//! Asking DNS for the addresses of a name, so that whoever connects can look at them first and then go nowhere else.

use super::{Resolver, failure};
use crate::model::dns_answer::{AddressAnswer, LookupFailure};
use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::IpAddr;

/// Where addresses are asked for.
pub trait AddressLookup: Send + Sync {
    /// All addresses of `name` (in its ASCII form, without trailing dot), as the name servers have them now.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, AddressAnswer>;
}

impl AddressLookup for Resolver {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, AddressAnswer> {
        Box::pin(self.ask_for_addresses(name))
    }
}

impl Resolver {
    /// Asks one server after the other until one knows.
    async fn ask_for_addresses(&self, name: &str) -> AddressAnswer {
        let Ok(name) = Name::from_ascii(format!("{name}.")) else { return AddressAnswer::NoName };
        let mut failed = None;
        for server in &self.servers {
            let answer = tokio::time::timeout(self.time_for_one_server, ask_server(server, &name)).await;
            match answer.unwrap_or(AddressAnswer::Failed(LookupFailure::Timeout)) {
                AddressAnswer::Failed(failure) => failed = failed.or(Some(failure)),
                answer => return answer,
            }
        }
        AddressAnswer::Failed(failed.unwrap_or(LookupFailure::Unreachable))
    }
}

/// Both families at once. Where one of them cannot be learned, the other is enough.
async fn ask_server(server: &TokioResolver, name: &Name) -> AddressAnswer {
    let (four, six) = futures_util::future::join(
        ask_family(server, name, RecordType::A),
        ask_family(server, name, RecordType::AAAA),
    )
    .await;
    match (four, six) {
        (AddressAnswer::Found(mut four), AddressAnswer::Found(six)) => {
            four.extend(six);
            AddressAnswer::Found(four)
        }
        (found @ AddressAnswer::Found(_), _) | (_, found @ AddressAnswer::Found(_)) => found,
        (failed @ AddressAnswer::Failed(_), _) | (_, failed @ AddressAnswer::Failed(_)) => failed,
        (four, _) => four,
    }
}

async fn ask_family(server: &TokioResolver, name: &Name, family: RecordType) -> AddressAnswer {
    server.clear_lookup_cache(name.clone(), family);
    match server.lookup(name.clone(), family).await {
        Ok(lookup) => {
            let addresses = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            });
            let addresses: Vec<IpAddr> = addresses.collect();
            if addresses.is_empty() { AddressAnswer::NoAddresses } else { AddressAnswer::Found(addresses) }
        }
        Err(error) if error.is_nx_domain() => AddressAnswer::NoName,
        Err(error) if error.is_no_records_found() => AddressAnswer::NoAddresses,
        Err(error) => AddressAnswer::Failed(failure(&error)),
    }
}
