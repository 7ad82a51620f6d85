//! Listeners: bind, serve an endpoint under the guard, end gracefully.
//!
//! `bind` takes the port (port 0 in tests) and checks the certificate, so that every reason not to start shows
//! before anything is served; `run` serves until told to stop, lets running requests finish within the grace
//! time, and returns. A second listener, such as the loopback one for `/metrics`, is a second `Server`.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use poem::{
    Endpoint,
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::{TcpListener, TcpStream};

use crate::config;

use super::{
    guard::{ConnectionMetrics, Connections, Deadlines, GuardedAcceptor},
    tls::{TlsAcceptor, TlsError, TlsFiles},
};

/// Where to listen.
#[derive(Debug)]
pub enum Listen {
    Address(SocketAddr),
    /// A socket somebody else bound (tests, socket activation).
    Bound(std::net::TcpListener),
}

/// One listener.
pub struct ServerOptions {
    /// For logs: `public`, `internal`.
    pub name: &'static str,
    pub listen: Listen,
    /// Plain HTTP without it.
    pub tls: Option<TlsFiles>,
    pub max_connections: usize,
    pub deadlines: Deadlines,
    /// How long running requests may take to finish after the signal to stop.
    pub grace: Duration,
    pub metrics: ConnectionMetrics,
}

impl ServerOptions {
    pub fn new(name: &'static str, listen: Listen) -> Self {
        Self {
            name,
            listen,
            tls: None,
            max_connections: 4096,
            deadlines: Deadlines::default(),
            grace: Duration::from_secs(20),
            metrics: ConnectionMetrics::default(),
        }
    }

    /// The listener for everybody, from the configuration.
    pub fn public(http: &config::http::Http, metrics: ConnectionMetrics) -> Self {
        let deadlines = Deadlines { first_answer: http.request_head, ..Deadlines::default() };
        Self {
            tls: http.tls.as_ref().map(|tls| TlsFiles::new(&tls.certificate, &tls.key)),
            max_connections: http.max_connections,
            deadlines: Deadlines { idle: deadlines.idle.max(deadlines.first_answer), ..deadlines },
            grace: http.shutdown_grace,
            metrics,
            ..Self::new("public", Listen::Address(http.listen))
        }
    }

    /// The listener for `/metrics`, if one is configured.
    pub fn internal(http: &config::http::Http) -> Option<Self> {
        http.metrics_listen.map(|address| Self {
            max_connections: 64,
            grace: Duration::from_secs(1),
            ..Self::new("internal", Listen::Address(address))
        })
    }
}

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot listen on {address}: {source}; is another process on that port, or the port privileged?")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("cannot use the socket handed over: {0}")]
    Socket(io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Kept apart by type: poem puts its acceptor into a box, and a second box would cost each read and write.
enum Bound {
    Plain(GuardedAcceptor<Tcp>),
    Tls(GuardedAcceptor<TlsAcceptor<Tcp>>),
}

/// A bound listener that does not serve yet.
pub struct Server {
    name: &'static str,
    address: SocketAddr,
    acceptor: Bound,
    connections: Connections,
    grace: Duration,
}

impl Server {
    /// Takes the port and reads the certificate. Must be called inside the runtime.
    ///
    /// # Errors
    /// The port is taken or forbidden, or the certificate is unusable.
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let listener = match options.listen {
            Listen::Address(address) => {
                TcpListener::bind(address).await.map_err(|source| ServerError::Bind { address, source })?
            }
            Listen::Bound(socket) => {
                socket.set_nonblocking(true).map_err(ServerError::Socket)?;
                TcpListener::from_std(socket).map_err(ServerError::Socket)?
            }
        };
        let address = listener.local_addr().map_err(ServerError::Socket)?;
        let connections = Connections::new(options.max_connections, options.deadlines, options.metrics);
        let tcp = Tcp { listener, address };
        let acceptor = match options.tls {
            Some(files) => Bound::Tls(connections.acceptor(TlsAcceptor::new(tcp, files)?)),
            None => Bound::Plain(connections.acceptor(tcp)),
        };
        Ok(Self { name: options.name, address, acceptor, connections, grace: options.grace })
    }

    /// The address in use, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets running requests finish within the grace time.
    ///
    /// # Errors
    /// Only those of the listener itself; a failing connection ends alone.
    pub async fn run<E>(self, endpoint: E, shutdown: impl Future<Output = ()>) -> io::Result<()>
    where
        E: Endpoint + 'static,
    {
        let endpoint = self.connections.endpoint(endpoint);
        match self.acceptor {
            Bound::Plain(acceptor) => serve(self.name, acceptor, endpoint, shutdown, self.grace).await,
            Bound::Tls(acceptor) => serve(self.name, acceptor, endpoint, shutdown, self.grace).await,
        }
    }
}

async fn serve(
    name: &'static str,
    acceptor: impl Acceptor + 'static,
    endpoint: impl Endpoint + 'static,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    poem::Server::new_with_acceptor(acceptor)
        .name(name)
        .http2_max_concurrent_streams(100)
        .run_with_graceful_shutdown(endpoint, shutdown, Some(grace))
        .await
}

/// Plain TCP without Nagle's delay.
struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
}

impl Acceptor for Tcp {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![LocalAddr(self.address.into())]
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, remote) = self.listener.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch Nagle's delay off");
        }
        Ok((stream, LocalAddr(self.address.into()), RemoteAddr(remote.into()), Scheme::HTTP))
    }
}
