//! Web addresses for a real browser: a test authority of our own, and TLS in front of a server that speaks plain HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

/// Signs the certificates of the web servers of one test.
pub struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

/// A certificate for this key and name, still without extensions and signature.
fn begun(name: &str, key: &PKey<Private>) -> X509Builder {
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version 3");
    let mut serial = BigNum::new().expect("a number");
    serial.rand(127, MsbOption::MAYBE_ZERO, false).expect("a number");
    builder.set_serial_number(&serial.to_asn1_integer().expect("a number")).expect("a number");
    builder.set_subject_name(&subject.build()).expect("a name");
    builder.set_pubkey(key).expect("a key");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("today")).expect("a start");
    builder.set_not_after(&Asn1Time::days_from_now(30).expect("a day")).expect("an end");
    builder
}

impl Authority {
    pub fn new() -> Self {
        let key = new_key();
        let mut builder = begun("Authority of one test", &key);
        let mut name = X509NameBuilder::new().expect("a name");
        name.append_entry_by_text("CN", "Authority of one test").expect("a name");
        builder.set_issuer_name(&name.build()).expect("a name");
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().expect("a CA"))
            .expect("a CA");
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().expect("a usage");
        builder.append_extension(usage).expect("a usage");
        builder.sign(&key, MessageDigest::sha256()).expect("signed");
        Self { key, certificate: builder.build() }
    }

    /// The SHA-256 of its public key in base64, as Chromium is told whom to trust.
    pub fn pin(&self) -> String {
        openssl::base64::encode_block(&sha256(&self.key.public_key_to_der().expect("DER")))
    }

    /// A server's side of TLS under this name.
    fn acceptor(&self, host: &str) -> SslAcceptor {
        let key = new_key();
        let mut builder = begun(host, &key);
        builder.set_issuer_name(self.certificate.subject_name()).expect("a name");
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let name = SubjectAlternativeName::new().dns(host).build(&context).expect("a name");
        builder.append_extension(name).expect("a name");
        let usage = ExtendedKeyUsage::new().server_auth().build().expect("a usage");
        builder.append_extension(usage).expect("a usage");
        builder.sign(&self.key, MessageDigest::sha256()).expect("signed");
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS");
        acceptor.set_private_key(&key).expect("a key");
        acceptor.set_certificate(&builder.build()).expect("a certificate");
        acceptor.add_extra_chain_cert(self.certificate.clone()).expect("a chain");
        acceptor.build()
    }

    /// Speaks TLS as `host` on a free port of 127.0.0.1 and passes everything on to `upstream`; gives the address.
    /// Ends with the test's runtime.
    pub async fn front(&self, host: &str, upstream: SocketAddr) -> SocketAddr {
        let acceptor = self.acceptor(host);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ssl = Ssl::new(acceptor.context()).expect("TLS");
                // Browsers open connections that they do not use; whatever goes wrong ends the one connection.
                tokio::spawn(async move {
                    let mut client = SslStream::new(ssl, stream).ok()?;
                    std::pin::Pin::new(&mut client).accept().await.ok()?;
                    let mut server = TcpStream::connect(upstream).await.ok()?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
                });
            }
        });
        address
    }
}
