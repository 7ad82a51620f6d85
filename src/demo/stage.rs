//! Everything that runs during the demo, on loopback and in one process: a name server, a SAML identity provider, and
//! the gateway itself, opened from a configuration and served as `postern serve` does it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dns::NameServer;
use super::error::DemoError;
use super::idp::{DemoIdp, KeyType};
use super::people;
use crate::app::{App, Overrides, Running, Sockets};
use crate::config::{Config, Layers};
use crate::model::random::SystemRandom;
use crate::model::time::SystemClock;

/// Where the gateway listens if it can; else on the next port that is free.
const FIRST_PORT: u16 = 8080;
const PORTS: u16 = 100;
/// Longer than the gateway's own patience with requests under way.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The gateway and its peers, all answering.
pub struct Stage {
    pub names: NameServer,
    pub idp: DemoIdp,
    pub gateway: Running,
    /// Without a slash at the end.
    pub public_url: String,
    /// From opening the empty database to listening.
    pub started_in: Duration,
}

impl Stage {
    /// Starts everything; whatever was started ends again if a later part fails.
    pub async fn set(folder: &Path) -> Result<Self, DemoError> {
        let names = NameServer::start().await.map_err(|error| peer("name server", &error))?;
        let idp = start_idp().await?;
        let socket = free_socket()?;
        let address = socket.local_addr().map_err(no_port)?;
        let public_url = format!("http://{address}");
        let text = settings(&public_url, &address.to_string(), &names.address().to_string(), folder);
        let config = Config::from_toml_str(&text).map_err(DemoError::Config)?;
        crate::telemetry::start(&config.log);
        let started = Instant::now();
        let app = App::open(&config, Overrides::default()).await.map_err(DemoError::Gateway)?;
        let sockets = Sockets { public: Some(socket), metrics: None };
        let gateway = app.serve(sockets).await.map_err(DemoError::Gateway)?;
        Ok(Self { names, idp, gateway, public_url, started_in: started.elapsed() })
    }

    /// Ends everything in order; nothing writes into the folder afterwards.
    pub async fn strike(self) {
        // Past the time, dropping has ended what was left of it.
        let _ = tokio::time::timeout(STOP_WITHIN, self.gateway.stop()).await;
        drop(self.idp);
        drop(self.names);
    }
}

async fn start_idp() -> Result<DemoIdp, DemoError> {
    let failed = |error: io::Error| peer("identity provider", &error);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let idp = DemoIdp::start(listener, KeyType::Rsa2048, Arc::new(SystemClock), Arc::new(SystemRandom))
        .map_err(failed)?;
    let grace = people::employees().into_iter().take(1);
    for person in [people::ada()].into_iter().chain(grace).chain([people::margaret()]) {
        idp.put_person(person.account());
    }
    Ok(idp)
}

fn peer(peer: &'static str, error: &dyn std::error::Error) -> DemoError {
    DemoError::Peer { peer, cause: error.to_string() }
}

const fn no_port(source: io::Error) -> DemoError {
    DemoError::NoPort { first: FIRST_PORT, last: FIRST_PORT + PORTS - 1, source }
}

fn free_socket() -> Result<TcpListener, DemoError> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in FIRST_PORT..FIRST_PORT + PORTS {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(no_port(last))
}

/// The gateway's configuration: the defaults, apart from places, and from a pace that lets a thousand people through
/// in seconds. Of the environment only the log's level counts, so that a failing demo can be looked into.
fn settings(public_url: &str, listen: &str, name_server: &str, folder: &Path) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let chosen = Layers::gather(None).settings().into_iter().find(|setting| setting.key == "log.level");
    let level = match chosen {
        Some(setting) if setting.source.contains("POSTERN_") => setting.shown,
        _ => text("warn"),
    };
    let data = folder.join("data");
    format!(
        "public_url = {}\n\
         data_dir = {}\n\
         [http]\n\
         listen = {}\n\
         metrics_listen = \"\"\n\
         shutdown_grace_seconds = 2\n\
         [database]\n\
         max_connections = 8\n\
         [dns]\n\
         nameservers = [{}]\n\
         [scim]\n\
         rate_per_second = 2000\n\
         burst = 2000\n\
         [log]\n\
         level = {level}\n",
        text(public_url),
        text(&data.to_string_lossy()),
        text(listen),
        text(name_server),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_accepted_whatever_the_folder_is_called() {
        let folder = Path::new("/tmp/a \"quoted\\ folder");
        let text = settings("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:5353", folder);
        let config = Config::from_toml_str(&text).unwrap();
        assert_eq!(config.data_dir, folder.join("data"));
        assert!(config.http.metrics_listen.is_none());
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let one = free_socket().unwrap();
        let two = free_socket().unwrap();
        assert!(two.local_addr().unwrap().port() > one.local_addr().unwrap().port());
    }
}
