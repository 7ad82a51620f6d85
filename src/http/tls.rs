//! TLS certificates for a listener: read, checked, and read again when the files change or on SIGHUP.
//!
//! A bad pair at the start is an error; a bad pair later (a file half written, a key that belongs to another
//! certificate) is logged and the running certificate stays in use.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures_util::Stream;
use openssl::{pkey::PKey, x509::X509};
use poem::listener::OpensslTlsConfig;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Interval,
};

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
    #[error("cannot listen for SIGHUP: {0}")]
    Signal(std::io::Error),
}

/// Reads and checks a pair; the bytes that were checked are the ones used.
fn load(files: &TlsFiles) -> Result<OpensslTlsConfig, TlsError> {
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
    Ok(OpensslTlsConfig::new().cert_from_data(certificate).key_from_data(key))
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
    first: Option<OpensslTlsConfig>,
    seen: Version,
    ticks: Interval,
    hangup: Signal,
}

/// The configuration as it is now, then each new one as the files change.
///
/// # Errors
/// The first pair must be usable.
pub fn configurations(
    files: TlsFiles,
) -> Result<impl Stream<Item = OpensslTlsConfig> + Send + Unpin + 'static, TlsError> {
    let seen = version(&files);
    let first = Some(load(&files)?);
    let mut ticks = tokio::time::interval(files.check_every.max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let hangup = signal(SignalKind::hangup()).map_err(TlsError::Signal)?;
    let watch = Watch { files, first, seen, ticks, hangup };
    Ok(Box::pin(futures_util::stream::unfold(watch, |mut watch| async move {
        if let Some(first) = watch.first.take() {
            return Some((first, watch));
        }
        loop {
            let asked = tokio::select! {
                _ = watch.ticks.tick() => false,
                _ = watch.hangup.recv() => true,
            };
            let now = version(&watch.files);
            if !asked && now == watch.seen {
                continue;
            }
            watch.seen = now;
            match load(&watch.files) {
                Ok(configuration) => {
                    tracing::info!(certificate = %watch.files.certificate.display(), "TLS certificate read anew");
                    return Some((configuration, watch));
                }
                Err(error) => {
                    tracing::error!(%error, "TLS certificate not replaced, the old one stays in use");
                }
            }
        }
    })))
}
