//! What lies in the data directory: the lock of the one server, and the generated installation key.
//!
//! The directory is its owner's alone (0700), and so is every file made in it (0600). The key appears whole or not
//! at all, also when two processes start at once.

use super::AppError;
use crate::config::security::InstallationKey;
use crate::model::random::Random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file of the generated installation key.
pub const KEY_FILE: &str = "installation.key";
const LOCK_FILE: &str = "postern.lock";
const PRIVATE: u32 = 0o600;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AppError {
    let path = path.to_owned();
    move |source| AppError::File { doing, path, source }
}

/// Makes the data directory, with the folders above it, unless it is there.
pub fn make_data_dir(path: &Path) -> Result<(), AppError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("make the data directory", path))
}

/// Makes an empty file that only its owner reads, unless it is there: SQLite gives its own rights to its log.
pub fn make_private(path: &Path) -> Result<(), AppError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path);
    opened.map(drop).map_err(failed("open the database file", path))
}

/// The right to serve from a data directory; given back when dropped, and by the system when the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`AppError::AlreadyRunning`] if another process has it.
    pub fn take(data_dir: &Path) -> Result<Self, AppError> {
        let path = data_dir.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            .map_err(failed("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message that the next one gets; the lock itself is the system's.
                let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                if let Err(error) = noted {
                    tracing::debug!(%error, "the process number was not written into the lock file");
                }
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                Err(AppError::AlreadyRunning { path: data_dir.to_owned(), pid })
            }
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }
}

/// Where the generated key lies.
pub fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join(KEY_FILE)
}

/// Reads the generated key; `None` if there is none yet.
pub fn read_key(data_dir: &Path) -> Result<Option<InstallationKey>, AppError> {
    let path = key_path(data_dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    InstallationKey::parse(&text).map(Some).map_err(|message| AppError::KeyFile { path, message })
}

/// Makes the key, unless another process is first; gives the one that lies there afterwards.
pub fn make_key(data_dir: &Path, random: &dyn Random) -> Result<InstallationKey, AppError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    random.fill(&mut *key);
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
    let path = key_path(data_dir);
    let draft = data_dir.join(format!("{KEY_FILE}.{}.new", std::process::id()));
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A link fails where a key lies already, which a renaming would replace.
        match std::fs::hard_link(&draft, &path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => File::open(data_dir)?.sync_all(),
        }
    })();
    let removed = std::fs::remove_file(&draft);
    written.and(removed).map_err(failed("make", &path))?;
    read_key(data_dir)?.ok_or(AppError::KeyMissing { path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::SystemRandom;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postern-files-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        make_data_dir(&path.join("deep")).unwrap();
        path
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let place = folder("key");
        let data = place.join("deep");
        assert_eq!(mode(&data), 0o700);
        assert!(read_key(&data).unwrap().is_none());
        let key = make_key(&data, &SystemRandom).unwrap();
        let again = make_key(&data, &SystemRandom).unwrap();
        assert_eq!(key.expose(), again.expose(), "the first one stays");
        assert_eq!(mode(&key_path(&data)), 0o600);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
        std::fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_second_server_is_told_who_is_there() {
        let place = folder("lock");
        let first = DataLock::take(&place).unwrap();
        let Err(AppError::AlreadyRunning { pid, .. }) = DataLock::take(&place) else {
            panic!("two servers on one directory")
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        DataLock::take(&place).unwrap();
        std::fs::remove_dir_all(place).unwrap();
    }
}
