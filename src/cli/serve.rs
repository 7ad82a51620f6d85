//! `postern serve`: the server, until SIGINT or SIGTERM.
//!
//! The first signal ends it in order (requests under way finish within `http.shutdown_grace_seconds`); a second
//! one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Exit};
use crate::app::{App, Overrides, Running, Sockets};
use crate::config::Config;

/// Serves until a signal comes or a listener fails.
pub async fn run(config: &Config) -> Result<(), CliError> {
    let mut signals = Signals::listen()?;
    let app = App::open(config, Overrides::default()).await?;
    let mut running = app.serve(Sockets::default()).await?;
    announce(config, &running);
    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping: requests under way may finish");
            tokio::select! {
                () = running.stop() => tracing::info!("stopped"),
                name = signals.next() => tracing::warn!(signal = name, "stopped at once"),
            }
            Ok(())
        }
        reason = running.failure() => {
            running.stop().await;
            Err(CliError::new(
                Exit::Unexpected,
                reason,
                "Look at the lines above; start the server again once the cause is gone.",
            ))
        }
    }
}

fn announce(config: &Config, running: &Running) {
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    tracing::info!(
        listening = format!("{scheme}://{}", running.address),
        public_url = %config.public_url,
        database = running.services().db.kind(),
        "serving"
    );
    let url = config.public_url.url();
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if here && url.port_or_known_default() != Some(running.address.port()) {
        tracing::warn!(
            public_url = %config.public_url,
            "public_url names another port of this machine than the one listened on: links, sign-in and SCIM URLs go \
             there; set public_url (POSTERN_PUBLIC_URL) to where browsers reach this server"
        );
    }
    if let Some(address) = running.metrics_address {
        tracing::info!(listening = format!("http://{address}/metrics"), "metrics");
    }
}

/// The signals that end a server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    fn listen() -> Result<Self, CliError> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
