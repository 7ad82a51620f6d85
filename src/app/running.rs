//! The listeners of an app that serves, and their end in order: no new requests, those under way finish, the
//! background work stops, the database is closed (so that SQLite folds its log), the data directory is given back.

use super::{AppError, DataLock, work};
use crate::config;
use crate::http::middleware::Metrics;
use crate::http::server::{Listen, Server, ServerOptions};
use crate::http::{self, Doors, health};
use crate::service::Services;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Sockets that somebody else bound, in place of the configured addresses.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For everybody.
    pub public: Option<TcpListener>,
    /// For `/metrics`; there is such a listener then even if none is configured.
    pub metrics: Option<TcpListener>,
}

/// The listeners, bound but not yet served.
pub(super) struct Listeners {
    public: Server,
    metrics: Option<Server>,
}

/// Takes the ports and reads the certificate.
pub(super) async fn bind(
    http: &config::http::Http,
    metrics: &Metrics,
    sockets: Sockets,
) -> Result<Listeners, AppError> {
    let mut public = ServerOptions::public(http, metrics.connections("public"));
    if let Some(socket) = sockets.public {
        public.listen = Listen::Bound(socket);
    }
    let public = Server::bind(public).await?;
    let internal = match sockets.metrics {
        Some(socket) => Some(ServerOptions::new("internal", Listen::Bound(socket))),
        None => ServerOptions::internal(http),
    };
    let metrics = match internal {
        Some(options) => Some(Server::bind(options).await?),
        None => None,
    };
    Ok(Listeners { public, metrics })
}

/// A served app. Dropping it stops everything at once; [`Running::stop`] does so in order.
pub struct Running {
    /// Where requests are answered.
    pub address: SocketAddr,
    /// Where `/metrics` is answered, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    services: Arc<Services>,
    listeners: TaskTracker,
    background: TaskTracker,
    stop_listening: CancellationToken,
    stop_working: CancellationToken,
    failure: watch::Receiver<Option<String>>,
    _lock: Option<DataLock>,
    _dropped: [DropGuard; 2],
}

/// Serves the listeners.
pub(super) fn start(
    bound: Listeners,
    doors: &Doors,
    background_work: bool,
    lock: Option<DataLock>,
) -> Running {
    let (listeners, background) = (TaskTracker::new(), TaskTracker::new());
    let (stop_listening, stop_working) = (CancellationToken::new(), CancellationToken::new());
    let (failed, failure) = watch::channel(None);
    let address = bound.public.address();
    let metrics_address = bound.metrics.as_ref().map(Server::address);
    let stopped = stop_listening.clone().cancelled_owned();
    let report = failed.clone();
    let endpoint = http::routes(doors);
    listeners.spawn(async move {
        if let Err(error) = bound.public.run(endpoint, stopped).await {
            report.send_replace(Some(format!("the listener on {address} failed: {error}")));
        }
    });
    if let Some(server) = bound.metrics {
        let stopped = stop_listening.clone().cancelled_owned();
        let endpoint = health::internal(doors.metrics.clone());
        listeners.spawn(async move {
            if let Err(error) = server.run(endpoint, stopped).await {
                failed.send_replace(Some(format!("the listener for metrics failed: {error}")));
            }
        });
    }
    work::write_scim_log(&background, &stop_working, &doors.state.services);
    work::write_sign_in_log(&background, &stop_working, &doors.state.services);
    if background_work {
        work::start(&background, &stop_working, &doors.state);
    }
    listeners.close();
    background.close();
    let dropped = [stop_listening.clone().drop_guard(), stop_working.clone().drop_guard()];
    Running {
        address,
        metrics_address,
        services: Arc::clone(&doors.state.services),
        listeners,
        background,
        stop_listening,
        stop_working,
        failure,
        _lock: lock,
        _dropped: dropped,
    }
}

impl Running {
    /// The use cases.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Waits until a listener fails by itself; tells why. Never ends while all is well.
    pub async fn failure(&mut self) -> String {
        match self.failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops in order; returns when nothing is left.
    pub async fn stop(self) {
        self.stop_listening.cancel();
        self.listeners.wait().await;
        self.stop_working.cancel();
        self.background.wait().await;
        if let Err(error) = self.services.db.clone().close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}
