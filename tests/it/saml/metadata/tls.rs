//! TLS to the IdP's web server: verified with the system's roots, for the name in the address.
//!
//! Which roots those are is the process's, so the test runs itself again in a process whose `SSL_CERT_FILE` names one.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};
use postern::outbound::web::{FetchError, Web as _, WebClient, WebSettings};

use crate::support::app::FakeDns;
use crate::support::scratch::Scratch;

/// Says to the second process where the two servers are.
const PORTS: &str = "POSTERN_TEST_TLS_PORTS";
const DOCUMENT: &[u8] = b"<metadata/>";

/// Serves the document over TLS with a certificate of its own for `good.example`; gives the port and the certificate.
fn serve() -> (u16, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", "good.example").expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("set");
    builder.set_subject_name(&name).expect("set");
    builder.set_issuer_name(&name).expect("set");
    builder.set_pubkey(&key).expect("set");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("a time")).expect("set");
    builder.set_not_after(&Asn1Time::days_from_now(1).expect("a time")).expect("set");
    let names = SubjectAlternativeName::new().dns("good.example").build(&builder.x509v3_context(None, None));
    builder.append_extension(names.expect("an extension")).expect("set");
    builder.sign(&key, MessageDigest::sha256()).expect("signed");
    let certificate = builder.build();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("an acceptor");
    acceptor.set_private_key(&key).expect("set");
    acceptor.set_certificate(&certificate).expect("set");
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(mut stream) = acceptor.accept(stream) else { continue };
            let mut head = [0; 4096];
            assert_ne!(stream.read(&mut head).expect("a request"), 0);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", DOCUMENT.len());
            stream.write_all(answer.as_bytes()).expect("written");
            stream.write_all(DOCUMENT).expect("written");
            stream.shutdown().ok();
        }
    });
    (port, certificate.to_pem().expect("PEM"))
}

#[test]
fn only_a_certificate_of_the_name_that_a_root_vouches_for_is_taken() {
    if let Some(ports) = std::env::var_os(PORTS) {
        let ports = ports.into_string().expect("numbers");
        let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().expect("a port")).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        return runtime.expect("a runtime").block_on(judge(ports[0], ports[1]));
    }
    let (known, unknown) = (serve(), serve());
    let folder = Scratch::new("tls");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &known.1).expect("written");
    let name = "saml::metadata::tls::only_a_certificate_of_the_name_that_a_root_vouches_for_is_taken";
    let again = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env("SSL_CERT_FILE", &roots)
        .env(PORTS, format!("{} {}", known.0, unknown.0))
        // What the environment says of proxies is not asked.
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .output()
        .expect("run again");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&again.stderr)
    );
}

async fn judge(known: u16, unknown: u16) {
    let dns = Arc::new(FakeDns::default());
    for name in ["good.example", "other.example"] {
        dns.address(name, &["127.0.0.1"]);
    }
    let settings = WebSettings {
        allowed: vec!["127.0.0.1/32".parse().expect("a network")],
        timeout: Duration::from_secs(20),
        largest: 1_000,
    };
    let web = WebClient::new(settings, dns);
    assert_eq!(web.fetch(&format!("https://good.example:{known}/")).await.as_deref(), Ok(DOCUMENT));
    for (host, port, part) in
        [("good.example", unknown, "self-signed"), ("other.example", known, "ostname mismatch")]
    {
        match web.fetch(&format!("https://{host}:{port}/")).await {
            Err(FetchError::Tls { host: named, problem }) => {
                assert_eq!(named, host);
                assert!(problem.contains(part), "{problem}");
            }
            other => panic!("{host}: {other:?}"),
        }
    }
}
