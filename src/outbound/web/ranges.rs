//! Which addresses a server may be made to connect to by a URL that a customer's administrator typed: those of the
//! public internet, and what the operator lists. The ranges are those of the IANA special-purpose registries (RFC 6890
//! and its successors), with what carries an IPv4 address inside an IPv6 one.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Network, length of its prefix, what it is for.
const REFUSED_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private networks"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carriers' shared addresses"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local addresses"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private networks"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private networks"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved addresses"),
    // A cloud's own service inside each virtual network, on an address that is public by its number.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's own service"),
];

const REFUSED_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4-mapped addresses"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "NAT64"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "NAT64"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private networks"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local addresses"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// All unicast addresses of the public internet; the rest is reserved.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What the range is for that makes this address none to connect to; `None` if it may be connected to.
pub fn refused(address: IpAddr, allowed: &[IpNet]) -> Option<&'static str> {
    if allowed.iter().any(|range| range.contains(&address)) {
        return None;
    }
    match address {
        IpAddr::V4(address) => REFUSED_V4.iter().find_map(|(network, length, purpose)| {
            let same = (address.to_bits() ^ network.to_bits()).leading_zeros() >= *length;
            same.then_some(*purpose)
        }),
        IpAddr::V6(address) => {
            let lies_in = |network: Ipv6Addr, length: u32| {
                (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
            };
            let found = REFUSED_V6.iter().find(|(network, length, _)| lies_in(*network, *length));
            let global = lies_in(GLOBAL_V6.0, GLOBAL_V6.1);
            found.map(|(_, _, purpose)| *purpose).or((!global).then_some("reserved addresses"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_and_what_is_listed() {
        let may = |address: &str, allowed: &[&str]| {
            let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
            refused(address.parse().unwrap(), &allowed).is_none()
        };
        for address in
            ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "223.255.255.255"]
        {
            assert!(may(address, &[]), "{address}");
        }
        assert!(
            may("2606:4700::1111", &[]) && may("2a00:1450:4001::1", &[]) && may("2001:4860:4860::8888", &[])
        );
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!may(address, &[]), "{address}");
        }
        assert!(may("10.1.2.3", &["10.1.0.0/16"]) && !may("10.2.2.3", &["10.1.0.0/16"]));
        assert!(may("fd00::1", &["fd00::/8"]) && may("::1", &["::1/128"]));
        assert!(!may("::ffff:127.0.0.1", &["127.0.0.0/8"]), "another spelling is another address");
    }
}
