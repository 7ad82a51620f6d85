//! `postern health`: asks `/health/live` of the configured listener, for container health checks.
//!
//! Plain blocking sockets with one deadline over all, no runtime, so that a check every few seconds costs
//! next to nothing. Over TLS the certificate is not verified: it is made for the public name, the question
//! carries no secret, and the answer is believed as far as "something serves here" only.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};

use super::{CliError, Exit, out};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(3);

/// Exit code 6 unless the server answers 200 in time.
pub fn run(config: &Config) -> Result<(), CliError> {
    let address = reachable(config.http.listen);
    match ask(address, config.http.tls.is_some(), config.public_url.host()) {
        Ok(200) => out::line(format!("The server on {address} is alive.")),
        Ok(status) => Err(failed(format!("the server on {address} answered {status} instead of 200"))),
        Err(why) => Err(failed(format!("the server on {address} did not answer: {why}"))),
    }
}

fn failed(message: String) -> CliError {
    CliError::new(
        Exit::CheckFailed,
        message,
        "Look at the log of `postern serve`; check that it runs and that http.listen is the same for both.",
    )
}

/// A listener on all addresses is asked on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr, tls: bool, host: &str) -> Result<u16, String> {
    let deadline = Instant::now() + PATIENCE;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let request = format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    if tls {
        let mut builder = SslConnector::builder(SslMethod::tls()).map_err(|error| error.to_string())?;
        builder.set_verify(SslVerifyMode::NONE);
        let stream = builder
            .build()
            .configure()
            .map_err(|error| error.to_string())?
            .verify_hostname(false)
            .connect(host, stream)
            .map_err(|error| format!("TLS failed: {error}"))?;
        exchange(stream, &request, deadline)
    } else {
        exchange(stream, &request, deadline)
    }
}

/// Sends the request and reads as far as the status line.
fn exchange(mut stream: impl Read + Write, request: &str, deadline: Instant) -> Result<u16, String> {
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    let mut byte = [0_u8; 1];
    // Byte by byte: the line is short, and nothing behind it matters.
    while line.len() < 64 && Instant::now() < deadline {
        match stream.read(&mut byte) {
            Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
            Ok(_) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    status(&line).ok_or_else(|| "its answer is not HTTP".to_owned())
}

fn status(line: &[u8]) -> Option<u16> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next()?.strip_prefix("HTTP/")?;
    words.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server for one connection, which answers `answer` to whatever comes.
    fn serve_once(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = [0_u8; 512];
            let _ = stream.read(&mut seen);
            let _ = stream.write_all(answer.as_bytes());
        });
        address
    }

    fn verdict(address: SocketAddr) -> Result<(), CliError> {
        let mut config = Config::from_toml_str("").unwrap();
        config.http.listen = address;
        run(&config)
    }

    #[test]
    fn only_a_200_is_alive() {
        verdict(serve_once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).unwrap();
        for (answer, reason) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"),
            ("SSH-2.0-OpenSSH\r\n", "not HTTP"),
            ("", "did not answer"),
        ] {
            let error = verdict(serve_once(answer)).unwrap_err();
            assert_eq!(error.exit, Exit::CheckFailed);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[test]
    fn nobody_there_fails_the_check() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(verdict(address).unwrap_err().exit, Exit::CheckFailed);
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        assert_eq!(reachable(([0, 0, 0, 0], 80).into()), ([127, 0, 0, 1], 80).into());
        assert_eq!(reachable("[::]:80".parse().unwrap()), "[::1]:80".parse().unwrap());
        assert_eq!(reachable(([192, 0, 2, 1], 80).into()), ([192, 0, 2, 1], 80).into());
    }
}
