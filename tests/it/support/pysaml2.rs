//! A second real identity provider, which shares no code with SimpleSAMLphp: pysaml2 from PyPI under a small web server
//! (`tests/fixtures/saml_idp.py`), with the people and the service provider of one test.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::leash::Leashed;
use super::python;
use super::scratch::Scratch;
use super::simplesamlphp::{PERSISTENT, Person, key_and_certificate};

/// The running identity provider; ends with this handle, and so does its folder.
pub struct PySaml2 {
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    settings: Value,
    // Ends before the folder goes.
    _server: Leashed,
    folder: Scratch,
}

impl PySaml2 {
    /// Starts an identity provider on a free port and waits until it listens. It knows no service provider yet.
    ///
    /// # Panics
    /// When Python, pysaml2 or xmlsec1 is not installed; tests with real peers are never skipped.
    pub async fn start(people: &[Person]) -> Self {
        let folder = Scratch::new("pysaml2");
        let (key, certificate) = key_and_certificate("idp");
        folder.write("idp.key", key);
        folder.write("idp.crt", certificate);
        let venv = tokio::task::spawn_blocking(python::venv).await.expect("the environment");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/saml_idp.py");
        let mut command = Command::new(venv.join("bin/python"));
        command.arg(script).arg(folder.path()).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
        let log = folder.path().join("log");
        let mut server = Leashed::spawn(&command, &log).expect("setsid and sh");
        let deadline = Instant::now() + Duration::from_mins(1);
        let port = loop {
            if let Ok(port) = std::fs::read_to_string(folder.path().join("port")) {
                break port.parse().expect("a port");
            }
            let waits = server.ended().is_none() && Instant::now() < deadline;
            assert!(waits, "pysaml2 does not start: {}", std::fs::read_to_string(log).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let people = people.iter().map(|person| {
            json!({
                "username": person.username, "password": person.password, "attributes": person.attributes,
            })
        });
        let settings = json!({
            "base_url": format!("http://127.0.0.1:{port}"),
            "people": people.collect::<Vec<_>>(),
            "name_id": { "attribute": "uid", "format": PERSISTENT },
            "sp_metadata_url": null,
            "want_signed": false,
            "sign_assertion": true,
            "sign_response": true,
            "encrypt": false,
            "session_key": "aes-256",
        });
        let idp = Self { port, settings, _server: server, folder };
        idp.write_settings();
        idp
    }

    /// Sets one of the keys of `test.json`, for example `want_signed`.
    pub fn set(&mut self, key: &str, value: Value) {
        assert!(self.settings.get(key).is_some(), "{key}");
        self.settings[key] = value;
        self.write_settings();
    }

    /// Lets the service provider sign people in whose metadata is at this address.
    pub fn trust(&mut self, metadata_url: &str) {
        self.set("sp_metadata_url", json!(metadata_url));
    }

    /// The metadata as the identity provider serves it now.
    pub async fn metadata_xml(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build();
        let url = format!("http://127.0.0.1:{}/metadata", self.port);
        let answer = client.expect("a client").get(url).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success() && text.contains("EntityDescriptor"), "{status}: {text}\n{}", self.log());
        text
    }

    /// What the identity provider logged, for failing tests.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn write_settings(&self) {
        // By renaming, so that no request reads half a file.
        let new = self.folder.write("test.json.new", self.settings.to_string());
        std::fs::rename(new, self.folder.path().join("test.json")).expect("renamed");
    }
}
