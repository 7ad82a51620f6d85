//! TLS on the listener: a pair is checked at the start, replaced while serving, and never replaced by a bad one.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use postern::http::{
    server::{Listen, Server, ServerOptions},
    tls::TlsFiles,
};

use super::{LONG, SHORT, closed_after, start};

/// A folder of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("postern-serve-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            check_every: Duration::from_millis(50),
            ..TlsFiles::new(self.0.join("cert.pem"), self.0.join("key.pem"))
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Writes a self-signed pair whose common name is `name`.
fn make_certificate(folder: &std::path::Path, name: &str) {
    use openssl::{
        asn1::Asn1Time,
        ec::{EcGroup, EcKey},
        hash::MessageDigest,
        nid::Nid,
        pkey::PKey,
        x509::{X509, X509NameBuilder},
    };
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&subject).unwrap();
    certificate.set_issuer_name(&subject).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    std::fs::write(folder.join("key.pem"), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.build().to_pem().unwrap()).unwrap();
}

/// One request over TLS: the name in the certificate, and the answer.
async fn ask_tls(address: SocketAddr) -> (String, String) {
    tokio::task::spawn_blocking(move || {
        use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
        let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let mut stream = connector.build().connect("localhost", socket).unwrap();
        assert_eq!(stream.ssl().version_str(), "TLSv1.3");
        let certificate = stream.ssl().peer_certificate().unwrap();
        let name = certificate.subject_name().entries().next().unwrap().data().to_string().unwrap();
        stream.write_all(b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (name, answer)
    })
    .await
    .unwrap()
}

async fn until_certificate(address: SocketAddr, name: &str) {
    let start = Instant::now();
    while ask_tls(address).await.0 != name {
        assert!(start.elapsed() < LONG, "{name} is not in use");
        tokio::time::sleep(SHORT / 10).await;
    }
}

#[tokio::test]
async fn tls_certificates_are_replaced_while_serving() {
    let scratch = Scratch::new("reload");
    make_certificate(&scratch.0, "first");
    let server = start(|options| options.tls = Some(scratch.files())).await;
    let (name, answer) = ask_tls(server.address).await;
    assert_eq!(name, "first");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    make_certificate(&scratch.0, "second");
    until_certificate(server.address, "second").await;
    // Half a file, then a key of another pair: the running certificate stays.
    std::fs::write(scratch.0.join("cert.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    tokio::time::sleep(SHORT).await;
    assert_eq!(ask_tls(server.address).await.0, "second");
    make_certificate(&scratch.0, "third");
    until_certificate(server.address, "third").await;
}

#[tokio::test]
async fn tls_certificates_are_replaced_on_sighup() {
    let scratch = Scratch::new("hangup");
    make_certificate(&scratch.0, "first");
    let server = start(|options| {
        options.tls = Some(TlsFiles { check_every: LONG * 20, ..scratch.files() });
    })
    .await;
    assert_eq!(ask_tls(server.address).await.0, "first");
    make_certificate(&scratch.0, "second");
    let pid = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    until_certificate(server.address, "second").await;
}

#[tokio::test]
async fn a_silent_tls_handshake_is_cut() {
    let scratch = Scratch::new("silent");
    make_certificate(&scratch.0, "first");
    let server = start(|options| options.tls = Some(scratch.files())).await;
    let mut stream = server.connect().await;
    let after = closed_after(&mut stream).await;
    assert!(after < SHORT * 5, "{after:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let (one, other) = (Scratch::new("one"), Scratch::new("other"));
    make_certificate(&one.0, "one");
    make_certificate(&other.0, "other");
    let mut options = ServerOptions::new("test", Listen::Address(SocketAddr::from(([127, 0, 0, 1], 0))));
    options.tls = Some(TlsFiles::new(one.0.join("cert.pem"), other.0.join("key.pem")));
    let Err(error) = Server::bind(options).await else { panic!("bound") };
    assert!(error.to_string().contains("does not belong"), "{error}");
}
