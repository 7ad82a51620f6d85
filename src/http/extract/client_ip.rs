//! The address of the client, behind proxies that the operator named and no others.
//!
//! Only when the peer is a trusted proxy is `X-Forwarded-For` read, from the right: the first address that is
//! not a trusted proxy is the client; everything left of it is hearsay. Scheme and host come from the
//! configured public URL, never from headers.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::{FromRequest, Request, RequestBody, Result, http::HeaderMap, web::RemoteAddr};

/// The networks whose `X-Forwarded-For` and `X-Request-Id` are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The peer's own address and whether it is trusted.
    pub fn peer(&self, remote: &RemoteAddr) -> (Option<IpAddr>, bool) {
        let peer = remote.as_socket_addr().map(|address| address.ip().to_canonical());
        (peer, peer.is_some_and(|peer| self.trusts(peer)))
    }

    /// The client's address, given that the peer is trusted.
    fn forwarded_for(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        for line in headers.get_all("x-forwarded-for").into_iter().rev() {
            let Ok(line) = line.to_str() else { return client };
            for entry in line.rsplit(',') {
                let Some(address) = parse_address(entry.trim()) else { return client };
                client = address;
                if !self.trusts(address) {
                    return client;
                }
            }
        }
        client
    }

    /// The client's address by the rule of the module.
    pub fn client(&self, remote: &RemoteAddr, headers: &HeaderMap) -> Option<IpAddr> {
        match self.peer(remote) {
            (Some(peer), true) => Some(self.forwarded_for(peer, headers)),
            (peer, _) => peer,
        }
    }
}

/// Proxies write bare addresses, addresses with a port, and IPv6 in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()
        .map(|address| address.to_canonical())
}

/// The client's address, put in by the request-id middleware; absent on sockets without addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub Option<IpAddr>);

impl ClientIp {
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().copied().unwrap_or_else(|| {
            Self(request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical()))
        })
    }
}

impl<'a> FromRequest<'a> for ClientIp {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        Ok(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use poem::{Addr, http::HeaderValue};

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let remote = RemoteAddr(Addr::SocketAddr(SocketAddr::new(peer.parse().unwrap(), 9)));
        proxies.client(&remote, &headers).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        // What the client itself wrote stands left of what the proxy saw.
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        // Garbage ends the walk at the last proxy known.
        assert_eq!(client("10.0.0.1", &["8.8.8.8, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
