//! TLS 1.2 and 1.3 on a listener; certificates are read again when the files change or on SIGHUP.
//!
//! A bad pair at the start is an error; a bad pair later (a file half written, a key that belongs to another
//! certificate) is logged and the running certificate stays in use. The handshake runs at the first read or
//! write, so that a client that dawdles over it holds up nobody else. (poem's own OpenSSL acceptor is not used:
//! it stops at TLS 1.2, and refuses connections that come before its first configuration.)

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, select_next_proto},
    x509::X509,
};
use poem::{
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior},
};
use tokio_openssl::SslStream;

/// Where the certificate lies, both in PEM form.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, followed by the chain.
    pub certificate: PathBuf,
    /// The private key, without a passphrase.
    pub key: PathBuf,
    /// How often the files are looked at for changes.
    pub check_every: Duration,
}

impl TlsFiles {
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), check_every: Duration::from_secs(10) }
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {source}; check the path and that the server's account may read the file")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} holds no PEM certificate; it must begin with the server's own, followed by its chain")]
    Certificate { path: PathBuf },
    #[error("{path} holds no usable PEM private key; it must be without a passphrase")]
    Key { path: PathBuf },
    #[error("the key in {key} does not belong to the certificate in {certificate}; install both of one pair")]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("OpenSSL does not take the certificate: {0}; is its key too small or its signature too old?")]
    Refused(#[from] ErrorStack),
    #[error("cannot listen for SIGHUP: {0}")]
    Signal(std::io::Error),
}

/// Reads and checks a pair; the bytes that were checked are the ones used.
fn load(files: &TlsFiles) -> Result<SslAcceptor, TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let certificate = read(&files.certificate)?;
    let key = read(&files.key)?;
    let chain = X509::stack_from_pem(&certificate)
        .map_err(|_| TlsError::Certificate { path: files.certificate.clone() })?;
    let leaf = chain.first().ok_or_else(|| TlsError::Certificate { path: files.certificate.clone() })?;
    // The callback stands for "no passphrase": without it OpenSSL would ask on the terminal.
    let private = PKey::private_key_from_pem_callback(&key, |_| Ok(0))
        .map_err(|_| TlsError::Key { path: files.key.clone() })?;
    let public = leaf.public_key().map_err(|_| TlsError::Certificate { path: files.certificate.clone() })?;
    if !public.public_eq(&private) {
        return Err(TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() });
    }
    Ok(acceptor(&chain, &private)?)
}

/// Mozilla's intermediate profile, with HTTP/2 offered.
fn acceptor(chain: &[X509], key: &PKey<Private>) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    for (position, certificate) in chain.iter().enumerate() {
        if position == 0 {
            builder.set_certificate(certificate)?;
        } else {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
    }
    builder.set_private_key(key)?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// What tells one version of the files from another.
type Version = [Option<(SystemTime, u64)>; 2];

fn version(files: &TlsFiles) -> Version {
    let of =
        |path: &Path| std::fs::metadata(path).ok().and_then(|data| Some((data.modified().ok()?, data.len())));
    [of(&files.certificate), of(&files.key)]
}

struct Watch {
    files: TlsFiles,
    seen: Version,
    ticks: Interval,
    hangup: Signal,
}

impl Watch {
    /// Completes with the next usable pair after a change or a signal.
    async fn next(mut self) -> (SslAcceptor, Self) {
        loop {
            let asked = tokio::select! {
                _ = self.ticks.tick() => false,
                _ = self.hangup.recv() => true,
            };
            let now = version(&self.files);
            if !asked && now == self.seen {
                continue;
            }
            self.seen = now;
            match load(&self.files) {
                Ok(acceptor) => {
                    tracing::info!(certificate = %self.files.certificate.display(), "TLS certificate read anew");
                    return (acceptor, self);
                }
                Err(error) => {
                    tracing::error!(%error, "TLS certificate not replaced, the old one stays in use");
                }
            }
        }
    }
}

/// An acceptor that speaks TLS over the connections of another.
pub struct TlsAcceptor<A> {
    inner: A,
    current: SslAcceptor,
    changes: BoxStream<'static, SslAcceptor>,
}

impl<A: Acceptor> TlsAcceptor<A> {
    /// Reads the certificate and begins to watch it. Must be called inside the runtime.
    ///
    /// # Errors
    /// The certificate or its key is unusable.
    pub fn new(inner: A, files: TlsFiles) -> Result<Self, TlsError> {
        let seen = version(&files);
        let current = load(&files)?;
        let mut ticks = tokio::time::interval(files.check_every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hangup = signal(SignalKind::hangup()).map_err(TlsError::Signal)?;
        let watch = Watch { files, seen, ticks, hangup };
        // A stream keeps a half-done look at the files across the calls of `accept`.
        let changes = stream::unfold(watch, |watch| async move { Some(watch.next().await) }).boxed();
        Ok(Self { inner, current, changes })
    }
}

impl<A: Acceptor> Acceptor for TlsAcceptor<A> {
    type Io = TlsStream<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        loop {
            tokio::select! {
                changed = self.changes.next() => {
                    if let Some(acceptor) = changed {
                        self.current = acceptor;
                    }
                }
                accepted = self.inner.accept() => {
                    let (stream, local, remote, _) = accepted?;
                    let ssl = Ssl::new(self.current.context())?;
                    let mut stream = SslStream::new(ssl, stream)?;
                    let handshake = async move {
                        Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
                        Ok(stream)
                    };
                    return Ok((TlsStream::Handshake(Box::pin(handshake)), local, remote, Scheme::HTTPS));
                }
            }
        }
    }
}

/// A connection whose handshake runs at its first use.
pub enum TlsStream<S> {
    Handshake(Pin<Box<dyn Future<Output = io::Result<SslStream<S>>> + Send>>),
    Open(SslStream<S>),
    Failed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut SslStream<S>>>> {
        if let Self::Handshake(handshake) = self {
            match handshake.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(stream)) => *self = Self::Open(stream),
                Poll::Ready(Err(error)) => {
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match self {
            Self::Open(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // There is nobody yet to say goodbye to.
            Self::Handshake(_) | Self::Failed => Poll::Ready(Ok(())),
            Self::Open(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
