//! SimpleSAMLphp as a real identity provider: Debian's package, served by PHP's own web server on loopback,
//! with people, keys and trusted service providers of one test.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    process::Command,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    x509::{X509Builder, X509NameBuilder},
};
use serde_json::{Value, json};
use url::Url;

use super::{leash::Leashed, postgres::free_port, scratch::Scratch};

const WWW: &str = "/usr/share/simplesamlphp/www";

/// `NameID` formats (SAML 2.0 core, section 8.3).
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

/// Somebody who can log in at the identity provider.
#[derive(Debug, Clone)]
pub struct Person {
    pub username: String,
    pub password: String,
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Person {
    /// A person with the attributes `uid`, `email`, `givenName` and `sn`, who logs in by `uid` and `secret`.
    pub fn new(uid: &str, email: &str, given_name: &str, family_name: &str) -> Self {
        let attributes = [("uid", uid), ("email", email), ("givenName", given_name), ("sn", family_name)];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        Self { username: uid.to_owned(), password: "secret".to_owned(), attributes: attributes.into() }
    }

    /// The same person with a further attribute, or with another value of one.
    pub fn with(mut self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.attributes.insert(name.to_owned(), values);
        self
    }
}

/// The running identity provider; ends with this handle, and so does its folder.
pub struct SimpleSamlPhp {
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    base_url: String,
    settings: Value,
    keys: u32,
    // Ends before the folder goes.
    _server: Leashed,
    folder: Scratch,
}

impl SimpleSamlPhp {
    /// Starts an identity provider on a free port of 127.0.0.1 and waits until it answers.
    ///
    /// # Panics
    /// When SimpleSAMLphp or PHP is not installed; tests with real peers are never skipped.
    pub async fn start(people: &[Person]) -> Self {
        assert!(
            std::path::Path::new(WWW).exists(),
            "{WWW} is missing: `make setup` installs simplesamlphp, php-cli, php-xml and php-mbstring"
        );
        let folder = Scratch::new("simplesamlphp");
        for (name, content) in [
            ("config.php", include_str!("../../fixtures/simplesamlphp/config.php")),
            ("authsources.php", include_str!("../../fixtures/simplesamlphp/authsources.php")),
            (
                "metadata/saml20-idp-hosted.php",
                include_str!("../../fixtures/simplesamlphp/metadata/saml20-idp-hosted.php"),
            ),
            (
                "metadata/saml20-sp-remote.php",
                include_str!("../../fixtures/simplesamlphp/metadata/saml20-sp-remote.php"),
            ),
        ] {
            folder.write(name, content);
        }
        for name in ["cert", "data", "log", "tmp", "sessions"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("folders");
        }
        let people = people.iter().map(|person| {
            json!({
                "username": person.username,
                "password": person.password,
                "attributes": person.attributes,
            })
        });
        let settings = json!({
            "secret": "a salt of no importance",
            "name_id": { "attribute": "uid", "format": PERSISTENT },
            "people": people.collect::<Vec<_>>(),
            "service_providers": {},
            "idp": {},
        });
        let (port, server) = serve(&folder).await;
        let mut idp = Self { port, base_url: String::new(), settings, keys: 0, _server: server, folder };
        idp.be_known_as(&format!("http://127.0.0.1:{port}"));
        idp.rotate_key();
        idp
    }

    /// Is found by browsers at this address, without a slash at the end.
    pub fn be_known_as(&mut self, base_url: &str) {
        base_url.clone_into(&mut self.base_url);
        self.settings["base_url"] = json!(base_url);
        self.settings["entity_id"] = json!(self.entity_id());
        if self.keys > 0 {
            self.write_settings();
        }
    }

    /// The entity id, under which the metadata is found too.
    pub fn entity_id(&self) -> String {
        format!("{}/saml2/idp/metadata.php", self.base_url)
    }

    /// Where authentication requests go.
    pub fn sso_url(&self) -> String {
        format!("{}/saml2/idp/SSOService.php", self.base_url)
    }

    /// The metadata as the identity provider serves it now.
    pub async fn metadata_xml(&self) -> String {
        let url = format!("http://127.0.0.1:{}/saml2/idp/metadata.php", self.port);
        let answer = client().get(url).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success() && text.contains("EntityDescriptor"), "{status}: {text}\n{}", self.log());
        text
    }

    /// Lets a service provider sign people in.
    pub fn trust(&mut self, entity_id: &str, acs_url: &str) {
        self.settings["service_providers"][entity_id] = json!({ "AssertionConsumerService": acs_url });
        self.write_settings();
    }

    /// The same with further keys of `saml20-sp-remote.php`, for example `assertion.encryption`.
    pub fn trust_with(&mut self, entity_id: &str, acs_url: &str, more: &Value) {
        let mut provider = json!({ "AssertionConsumerService": acs_url });
        for (name, value) in more.as_object().expect("an object") {
            provider[name] = value.clone();
        }
        self.settings["service_providers"][entity_id] = provider;
        self.write_settings();
    }

    /// Sends this attribute as the `NameID`, in this format; `uid` and persistent from the start.
    pub fn set_name_id(&mut self, attribute: &str, format: &str) {
        self.settings["name_id"] = json!({ "attribute": attribute, "format": format });
        self.write_settings();
    }

    /// Sets a key of `saml20-idp-hosted.php`, for example `saml20.sign.response`.
    pub fn set(&mut self, key: &str, value: Value) {
        self.settings["idp"][key] = value;
        self.write_settings();
    }

    /// Signs with a new key and certificate from now on; returns the certificate in PEM.
    pub fn rotate_key(&mut self) -> String {
        let (name, certificate) = self.make_key();
        self.settings["key"] = json!(name);
        self.write_settings();
        certificate
    }

    fn make_key(&mut self) -> (String, String) {
        self.keys += 1;
        let name = format!("idp-{}", self.keys);
        let (key, certificate) = key_and_certificate(&name);
        self.folder.write(&format!("cert/{name}.key"), key);
        self.folder.write(&format!("cert/{name}.crt"), &certificate);
        (name, certificate)
    }

    /// Names a next key in the metadata, beside the one that goes on signing.
    pub fn announce_key(&mut self) {
        let (name, _) = self.make_key();
        self.settings["idp"]["new_privatekey"] = json!(format!("{name}.key"));
        self.settings["idp"]["new_certificate"] = json!(format!("{name}.crt"));
        self.write_settings();
    }

    /// Signs with the announced key from now on, and names it alone.
    pub fn use_announced_key(&mut self) {
        self.settings["idp"] = json!({});
        self.settings["key"] = json!(format!("idp-{}", self.keys));
        self.write_settings();
    }

    /// The certificate that signs now, in PEM.
    pub fn certificate_pem(&self) -> String {
        let file = self.folder.path().join(format!("cert/idp-{}.crt", self.keys));
        std::fs::read_to_string(file).expect("the certificate")
    }

    /// What the identity provider logged, for failing tests.
    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}\n{}", read("log/simplesamlphp.log"), read("php.log"))
    }

    fn write_settings(&self) {
        // By renaming, so that no request reads half a file.
        let new = self.folder.write("test.json.new", self.settings.to_string());
        std::fs::rename(new, self.folder.path().join("test.json")).expect("renamed");
    }
}

/// Starts PHP's web server and waits until it takes connections.
async fn serve(folder: &Scratch) -> (u16, Leashed) {
    const TRIES: usize = 5;
    let log = folder.path().join("php.log");
    for _ in 0..TRIES {
        // Somebody else may take the port first; then PHP ends, and the next one is tried.
        let port = free_port();
        let mut command = Command::new("php");
        command
            .args(["-d", "display_errors=stderr", "-d", "date.timezone=UTC"])
            .args(["-S", &format!("127.0.0.1:{port}"), "-t", WWW])
            .env("SIMPLESAMLPHP_CONFIG_DIR", folder.path())
            .current_dir(WWW);
        let mut server = Leashed::spawn(&command, &log).expect("setsid and sh");
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.ended().is_none() && Instant::now() < deadline {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() && server.ended().is_none() {
                return (port, server);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("PHP's web server does not start: {}", std::fs::read_to_string(log).unwrap_or_default())
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client")
}

/// An RSA key and a certificate for it that it signed itself, both in PEM.
pub fn key_and_certificate(name: &str) -> (Vec<u8>, String) {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let subject = subject.build();
    let mut builder = X509Builder::new().expect("a certificate");
    builder.set_version(2).expect("version 3");
    let serial = BigNum::from_u32(1).and_then(|number| number.to_asn1_integer()).expect("a number");
    builder.set_serial_number(&serial).expect("a number");
    builder.set_subject_name(&subject).expect("a subject");
    builder.set_issuer_name(&subject).expect("an issuer");
    builder.set_pubkey(&key).expect("a key");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("today")).expect("a start");
    builder.set_not_after(&Asn1Time::days_from_now(3650).expect("a day")).expect("an end");
    builder.sign(&key, MessageDigest::sha256()).expect("signed");
    let pem = builder.build().to_pem().expect("PEM");
    (key.private_key_to_pem_pkcs8().expect("PEM"), String::from_utf8(pem).expect("ASCII"))
}

/// The redirect of an authentication request as another service provider would send it: the same request with
/// another issuer. The answer then names the wrong audience, but everything else of it fits.
pub fn with_issuer(redirect: &Url, issuer: &str) -> Url {
    let pairs: Vec<(String, String)> = redirect
        .query_pairs()
        .filter(|(name, _)| name != "Signature" && name != "SigAlg")
        .map(|(name, value)| match name.as_ref() {
            "SAMLRequest" => (name.into_owned(), deflated(&replace_issuer(&inflated(&value), issuer))),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    let mut url = redirect.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

fn replace_issuer(xml: &str, issuer: &str) -> String {
    let open =
        xml.find("Issuer").and_then(|at| xml[at..].find('>').map(|end| at + end + 1)).expect("an issuer");
    let close = xml[open..].find('<').map(|at| open + at).expect("its end");
    format!("{}{issuer}{}", &xml[..open], &xml[close..])
}

/// Reads the message of a redirect binding (SAML 2.0 bindings, section 3.4.4.1).
pub fn inflated(message: &str) -> String {
    let bytes = BASE64_STANDARD.decode(message).expect("base64");
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(bytes.as_slice()).read_to_string(&mut xml).expect("deflated XML");
    xml
}

pub fn deflated(xml: &str) -> String {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(xml.as_bytes()).expect("memory");
    BASE64_STANDARD.encode(encoder.finish().expect("memory"))
}
