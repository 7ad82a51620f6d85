//! The connection guard: a cap on open connections and deadlines against clients that dawdle.
//!
//! poem has no defence of its own: a half-sent header stays open for ever. The guard wraps the acceptor and
//! the endpoint and tells the phases of a connection apart by whether a request is being answered:
//!
//! - *head*: nobody is answered yet and bytes are awaited: from the accept (TLS handshake included), or from
//!   the first byte after an idle time, to the call of the endpoint. Must end within `first_answer`, no matter
//!   how many bytes drip in; else the connection is cut.
//! - *answering*: at least one request reached the endpoint. No deadline here, so that a slow handler is never
//!   cut: how long a handler may take, and how long a body may take to arrive, is for the time-out and
//!   body-limit middleware, which can still answer in the dialect of the surface.
//! - *idle*: an answer was given, nothing came since. Closed quietly after `idle`.
//! - in every phase a write that makes no progress for `stalled_write` cuts the connection.
//!
//! HTTP/2 connections carry housekeeping frames between requests; once they had a request, bytes alone do not
//! open a new head phase there, the idle time bounds them.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use metrics::{Counter, Gauge};
use poem::{
    Endpoint, Request, Response, Result,
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

/// How long a connection may stay in each phase.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the first byte (or the accept) to a whole request head.
    pub first_answer: Duration,
    /// Between two requests of one connection.
    pub idle: Duration,
    /// For a write that makes no progress.
    pub stalled_write: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            first_answer: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stalled_write: Duration::from_secs(30),
        }
    }
}

/// Where the guard counts; does nothing by default.
#[derive(Clone)]
pub struct ConnectionMetrics {
    /// Open connections.
    pub open: Gauge,
    /// Connections cut for missing a deadline (idle ones are not counted).
    pub cut: Counter,
}

impl Default for ConnectionMetrics {
    fn default() -> Self {
        Self { open: Gauge::noop(), cut: Counter::noop() }
    }
}

/// All open connections of one listener.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    deadlines: Deadlines,
    permits: Arc<Semaphore>,
    open: RwLock<HashMap<SocketAddr, Arc<Phase>>>,
    started: Instant,
    metrics: ConnectionMetrics,
}

/// The phase of one connection, shared by its stream and the endpoint.
struct Phase {
    answering: AtomicU32,
    idle: AtomicBool,
    /// Microseconds after `Shared::started`.
    since: AtomicU64,
    /// The client sends nothing any more: it closed the connection, or it broke.
    gone: AtomicBool,
}

/// The connection on which a request came, for a handler that takes long: poem lets a handler run to its end when
/// the client hangs up, so whoever wants to stop before it must ask.
#[derive(Clone)]
pub struct Line(Arc<Phase>);

impl Line {
    /// Whether the client hung up.
    pub fn is_gone(&self) -> bool {
        self.0.gone.load(Ordering::Acquire)
    }
}

impl Connections {
    pub fn new(max_connections: usize, deadlines: Deadlines, metrics: ConnectionMetrics) -> Self {
        Self(Arc::new(Shared {
            deadlines,
            permits: Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            open: RwLock::new(HashMap::new()),
            started: Instant::now(),
            metrics,
        }))
    }

    /// Wraps the outermost acceptor (TLS inside), so that handshakes count as time to the first answer.
    pub fn acceptor<A: Acceptor>(&self, inner: A) -> GuardedAcceptor<A> {
        GuardedAcceptor { inner, connections: self.clone() }
    }

    /// Wraps the outermost endpoint, which tells the guard that a request is being answered.
    pub fn endpoint<E: Endpoint>(&self, inner: E) -> GuardedEndpoint<E> {
        GuardedEndpoint { inner, connections: self.clone() }
    }

    fn open(&self, remote: Option<SocketAddr>) -> Arc<Phase> {
        let phase = Arc::new(Phase {
            answering: AtomicU32::new(0),
            idle: AtomicBool::new(false),
            since: AtomicU64::new(self.now()),
            gone: AtomicBool::new(false),
        });
        if let Some(remote) = remote {
            self.0.open.write().unwrap_or_else(PoisonError::into_inner).insert(remote, phase.clone());
        }
        self.0.metrics.open.increment(1);
        phase
    }

    fn close(&self, remote: Option<SocketAddr>) {
        if let Some(remote) = remote {
            self.0.open.write().unwrap_or_else(PoisonError::into_inner).remove(&remote);
        }
        self.0.metrics.open.decrement(1);
    }

    fn answering(&self, remote: &RemoteAddr) -> Option<Answering> {
        let remote = remote.as_socket_addr()?;
        let phase = self.0.open.read().unwrap_or_else(PoisonError::into_inner).get(remote).cloned()?;
        phase.answering.fetch_add(1, Ordering::AcqRel);
        Some(Answering { phase, connections: self.clone() })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn deadline(&self, phase: &Phase) -> Option<Instant> {
        if phase.answering.load(Ordering::Acquire) > 0 {
            return None;
        }
        let since = self.0.started + Duration::from_micros(phase.since.load(Ordering::Acquire));
        Some(
            since
                + if phase.idle.load(Ordering::Acquire) {
                    self.0.deadlines.idle
                } else {
                    self.0.deadlines.first_answer
                },
        )
    }
}

/// Held while an endpoint answers.
struct Answering {
    phase: Arc<Phase>,
    connections: Connections,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.phase.since.store(self.connections.now(), Ordering::Release);
        self.phase.idle.store(true, Ordering::Release);
        self.phase.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// See [`Connections::endpoint`].
pub struct GuardedEndpoint<E> {
    inner: E,
    connections: Connections,
}

impl<E: Endpoint> Endpoint for GuardedEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let answering = self.connections.answering(request.remote_addr());
        if let Some(answering) = &answering {
            request.extensions_mut().insert(Line(answering.phase.clone()));
        }
        Ok(self.inner.get_response(request).await)
    }
}

/// See [`Connections::acceptor`].
pub struct GuardedAcceptor<A> {
    inner: A,
    connections: Connections,
}

impl<A: Acceptor> Acceptor for GuardedAcceptor<A> {
    type Io = GuardedIo<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    /// At the cap, further clients wait in the kernel's queue. An error of the accept (out of descriptors,
    /// most likely) is slept over and tried again; it never reaches the caller, who would retry at once.
    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let permit = self
            .connections
            .0
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        let mut pause = Duration::from_millis(20);
        let (inner, local, remote, scheme) = loop {
            match self.inner.accept().await {
                Ok(accepted) => break accepted,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => {
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept a connection");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        };
        let address = remote.as_socket_addr().copied();
        let phase = self.connections.open(address);
        let io = GuardedIo {
            timer: Box::pin(tokio::time::sleep(self.connections.0.deadlines.first_answer)),
            inner,
            phase,
            connections: self.connections.clone(),
            remote: address,
            stalled: None,
            opening: true,
            multiplexed: false,
            cut: false,
            _permit: permit,
        };
        Ok((io, local, remote, scheme))
    }
}

/// A stream that keeps the deadlines of its connection.
pub struct GuardedIo<S> {
    inner: S,
    phase: Arc<Phase>,
    connections: Connections,
    remote: Option<SocketAddr>,
    timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// No byte was read yet.
    opening: bool,
    /// The client opened with the preface of HTTP/2.
    multiplexed: bool,
    cut: bool,
    _permit: OwnedSemaphorePermit,
}

impl<S> Drop for GuardedIo<S> {
    fn drop(&mut self) {
        self.connections.close(self.remote);
    }
}

impl<S> GuardedIo<S> {
    /// Ready once the connection must end: `Ok` for an idle one (the caller reports an end of file), `Err`
    /// for one that missed its deadline.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(deadline) = self.connections.deadline(&self.phase) else {
                return Poll::Pending;
            };
            // The timer is moved only when it would fire too late; firing too early costs one look here.
            if self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(if self.phase.idle.load(Ordering::Acquire) {
                    Ok(())
                } else {
                    Err(self.cut("no whole request within the deadline"))
                });
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    fn cut(&mut self, reason: &'static str) -> io::Error {
        // hyper may try once more on its way out.
        if !std::mem::replace(&mut self.cut, true) {
            self.connections.0.metrics.cut.increment(1);
            tracing::debug!(reason, "connection cut");
        }
        io::Error::new(io::ErrorKind::TimedOut, reason)
    }

    fn received(&mut self, bytes: &[u8]) {
        if self.opening {
            self.opening = false;
            self.multiplexed = bytes.starts_with(b"PRI");
        }
        if !self.multiplexed
            && self.phase.answering.load(Ordering::Acquire) == 0
            && self.phase.idle.load(Ordering::Acquire)
        {
            self.phase.since.store(self.connections.now(), Ordering::Release);
            self.phase.idle.store(false, Ordering::Release);
        }
    }

    /// Bounds a write, flush or shutdown that stays pending.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            if self.phase.idle.load(Ordering::Acquire) {
                self.phase.since.store(self.connections.now(), Ordering::Release);
            }
            return poll;
        }
        let limit = self.connections.0.deadlines.stalled_write;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.cut("the client does not read its answer")));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let bytes = &buf.filled()[before..];
                if !bytes.is_empty() {
                    this.received(bytes);
                } else if buf.remaining() > 0 {
                    this.phase.gone.store(true, Ordering::Release);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                this.phase.gone.store(true, Ordering::Release);
                Poll::Ready(Err(error))
            }
            Poll::Pending => this.poll_deadline(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, data);
        self.watch_write(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, data);
        self.watch_write(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        // A flush with nothing to send is no progress.
        if poll.is_ready() { poll } else { self.watch_write(cx, poll) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch_write(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails a few times, as an accept without free descriptors does.
    struct Failing(u8);

    impl Acceptor for Failing {
        type Io = tokio::io::DuplexStream;

        fn local_addr(&self) -> Vec<LocalAddr> {
            Vec::new()
        }

        async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
            self.0 += 1;
            match self.0 {
                0..3 => Err(io::Error::other("too many open files")),
                _ => Ok((tokio::io::duplex(1).0, LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP)),
            }
        }
    }

    #[tokio::test]
    async fn accept_errors_are_slept_over() {
        let connections = Connections::new(1, Deadlines::default(), ConnectionMetrics::default());
        let start = Instant::now();
        connections.acceptor(Failing(0)).accept().await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(60), "retried at once");
    }
}
