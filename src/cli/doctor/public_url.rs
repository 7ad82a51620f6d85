//! The public URL, as everybody else reaches it: its name resolves, its certificate is trusted, this server answers.
//!
//! Nobody answering is a note and no failure: the doctor is often asked before the first start.

use super::Finding;
use crate::config::Config;
use openssl::ssl::{SslConnector, SslMethod};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

const WHAT: &str = "public_url";
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks `/health/live` at the public URL.
pub(super) async fn check(config: &Config) -> Finding {
    let url = config.public_url.url().clone();
    let proxied = url.scheme() == "https" && config.http.tls.is_none();
    if !proxied && url.scheme() != "https" && config.http.tls.is_some() {
        let found = format!("{} is plain http, but a certificate is configured", config.public_url);
        return Finding::failure(
            WHAT,
            found,
            "Begin public_url with https://, or take http.tls_certificate and http.tls_key out.",
        );
    }
    let asked = tokio::task::spawn_blocking(move || ask(&url)).await;
    let url = &config.public_url;
    match asked.unwrap_or_else(|error| Err(Trouble::Away(error.to_string()))) {
        Ok(200) if proxied && config.http.trusted_proxies.is_empty() => Finding::warning(
            WHAT,
            format!("{url} answers, through a proxy that is not in http.trusted_proxies"),
            "Name the proxy's network there, so that limits and logs see each client's own address.",
        ),
        Ok(200) => Finding::fine(WHAT, format!("{url} answers")),
        Ok(status) => Finding::failure(
            WHAT,
            format!("{url}/health/live answered {status} instead of 200"),
            "Something else answers there: correct public_url, or what the proxy in front passes on.",
        ),
        Err(Trouble::Name(why)) => Finding::failure(
            WHAT,
            format!("the host of {url} does not resolve: {why}"),
            "Enter the host in DNS, or correct public_url: identity providers and browsers go there.",
        ),
        Err(Trouble::Tls(why)) => Finding::failure(
            WHAT,
            format!("{url} shows a certificate that is not trusted here: {why}"),
            "Install one of a public authority for this host, with its whole chain.",
        ),
        Err(Trouble::Away(why)) => Finding::warning(
            WHAT,
            format!("nobody answers at {url} now: {why}"),
            "Fine while the server does not run. Otherwise check the way there: firewall, proxy, http.listen.",
        ),
    }
}

enum Trouble {
    Name(String),
    Away(String),
    Tls(String),
}

fn ask(url: &url::Url) -> Result<u16, Trouble> {
    let away = |error: std::io::Error| Trouble::Away(error.to_string());
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_matches(['[', ']']);
    let mut addresses = (bare, port).to_socket_addrs().map_err(|error| Trouble::Name(error.to_string()))?;
    let address = addresses.next().ok_or_else(|| Trouble::Name("no address".to_owned()))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(away)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(away)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(away)?;
    let request = format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    if url.scheme() == "https" {
        let tls = SslConnector::builder(SslMethod::tls()).map_err(|error| Trouble::Tls(error.to_string()))?;
        let stream = tls.build().connect(bare, stream).map_err(|error| Trouble::Tls(error.to_string()))?;
        exchange(stream, &request)
    } else {
        exchange(stream, &request)
    }
}

/// The status of the answer.
fn exchange(mut stream: impl Read + Write, request: &str) -> Result<u16, Trouble> {
    stream.write_all(request.as_bytes()).map_err(|error| Trouble::Away(error.to_string()))?;
    let mut head = Vec::new();
    let read = stream.take(64).read_to_end(&mut head);
    let text = String::from_utf8_lossy(&head);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    match (status, read) {
        (Some(status), _) => Ok(status),
        (None, Err(error)) => Err(Trouble::Away(error.to_string())),
        (None, Ok(_)) => Err(Trouble::Away("its answer is not HTTP".to_owned())),
    }
}
