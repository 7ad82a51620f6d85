//! The server's certificate: whether certificate, key and host fit together, and when it expires.

use super::Finding;
use crate::config::http::Tls;
use crate::model::time::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Ref};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const WHAT: &str = "certificate";
const RENEW: &str = "Install a new certificate in the same place; the running server reads it by itself.";
/// When a note is due, in days before the end.
const SOON: i32 = 21;

/// One finding for each thing that is not right, or one that all is.
pub(super) fn check(tls: &Tls, host: &str, now: Timestamp) -> Vec<Finding> {
    let (leaf, key) = match (read(&tls.certificate), read(&tls.key)) {
        (Ok(certificate), Ok(key)) => {
            let leaf = X509::stack_from_pem(&certificate).ok().and_then(|chain| chain.into_iter().next());
            // The callback stands for "no passphrase": without it OpenSSL would ask on the terminal.
            (leaf, PKey::private_key_from_pem_callback(&key, |_| Ok(0)).ok())
        }
        (certificate, key) => return [certificate.err(), key.err()].into_iter().flatten().collect(),
    };
    let Some(leaf) = leaf else {
        let found = format!("{} holds no PEM certificate", tls.certificate.display());
        return vec![Finding::failure(
            WHAT,
            found,
            "It must begin with the server's own, followed by its chain.",
        )];
    };
    let mut findings = Vec::new();
    match &key {
        None => findings.push(Finding::failure(
            WHAT,
            format!("{} holds no usable PEM private key", tls.key.display()),
            "It must be without a passphrase; certs/README.md tells how to make one.",
        )),
        Some(key) if !leaf.public_key().is_ok_and(|public| public.public_eq(key)) => {
            findings.push(Finding::failure(
                WHAT,
                "certificate and key do not belong together",
                "Install both of one pair in http.tls_certificate and http.tls_key.",
            ));
        }
        Some(_) => {}
    }
    if private_to_owner(&tls.key) == Some(false) {
        let found = format!("{} can be read by other accounts", tls.key.display());
        findings.push(Finding::warning(WHAT, found, format!("Run `chmod 600 {}`.", tls.key.display())));
    }
    let names = names(&leaf);
    if !names.iter().any(|name| covers(name, host)) {
        findings.push(Finding::failure(
            WHAT,
            format!("it is for {}, but public_url names {host}", list(&names)),
            "Get a certificate for the host of public_url, or correct public_url.",
        ));
    }
    findings.extend(lifetime(&leaf, now));
    if findings.is_empty() {
        findings.push(Finding::fine(WHAT, format!("for {}, until {}", list(&names), leaf.not_after())));
    }
    findings
}

fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    std::fs::read(path).map_err(|error| {
        let remedy =
            "Correct http.tls_certificate and http.tls_key; the server's account must be able to read both.";
        Finding::failure(WHAT, format!("{} cannot be read: {error}", path.display()), remedy)
    })
}

fn private_to_owner(path: &Path) -> Option<bool> {
    let others = std::fs::metadata(path).ok()?.permissions().mode() & 0o077;
    Some(others == 0)
}

fn lifetime(leaf: &X509Ref, now: Timestamp) -> Option<Finding> {
    let now = Asn1Time::from_unix(now.unix_seconds()).ok()?;
    let days = |from: &Asn1TimeRef, to: &Asn1TimeRef| from.diff(to).ok().map(|diff| (diff.days, diff.secs));
    if days(&now, leaf.not_before())? > (0, 0) {
        let found = format!("it is not valid before {}", leaf.not_before());
        return Some(Finding::failure(WHAT, found, "Wait, or check this machine's clock."));
    }
    let left = days(&now, leaf.not_after())?;
    if left <= (0, 0) {
        return Some(Finding::failure(WHAT, format!("it expired on {}", leaf.not_after()), RENEW));
    }
    (left.0 < SOON).then(|| {
        Finding::warning(WHAT, format!("it expires in {} days, on {}", left.0, leaf.not_after()), RENEW)
    })
}

/// The names it stands for, as browsers read them: the alternative names, never the subject.
fn names(leaf: &X509Ref) -> Vec<String> {
    let alternatives = leaf.subject_alt_names().into_iter().flatten();
    alternatives
        .filter_map(|name| {
            let address = |bytes: &[u8]| match bytes.len() {
                4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
                _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            };
            let ip = || name.ipaddress().and_then(address).map(|ip| ip.to_string());
            name.dnsname().map(str::to_ascii_lowercase).or_else(ip)
        })
        .collect()
}

/// Whether a name of a certificate covers a host; a `*` stands for one whole label (RFC 6125 section 6.4.3).
fn covers(name: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    match (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(name), Ok(host)) => name == host,
        (Err(_), Err(_)) => match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        },
        _ => false,
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no host at all".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_star_covers_one_label() {
        assert!(covers("*.example.com", "id.example.com"));
        assert!(!covers("*.example.com", "a.id.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(covers("id.example.com", "id.example.com"));
        assert!(covers("::1", "[::1]"));
        assert!(!covers("127.0.0.1", "localhost"));
    }
}
