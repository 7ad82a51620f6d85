//! The server's side: starts verifier processes as they are needed, lends one to each caller, and never gives one that
//! failed to anybody else. Waiting for an answer holds no thread.

use super::frame::{self, Answer};
use crate::protocol::saml::signature::{SignatureVerifier, VerifierError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// How long a process may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long a verification may take: a thousand times what the usual one takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// After so many answers a process is replaced: whatever the libraries leak goes with it.
const ANSWERS: u32 = 20_000;
/// So many at most: it is all CPU, and hostile documents shall not take all of it.
const PROCESSES: usize = 4;
/// Room for the usual answer, so that it is read at once.
const USUAL_ANSWER: usize = 16 * 1024;

/// Verifies signatures in processes of their own.
#[derive(Debug, Clone)]
pub struct VerifierProcesses(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    /// `None` for this very binary.
    program: Option<PathBuf>,
    answer_within: Duration,
    turns: Semaphore,
    idle: Mutex<Vec<Process>>,
}

/// One process, and the socket to it.
#[derive(Debug)]
struct Process {
    socket: UnixStream,
    /// Ends with it.
    _running: Running,
    answers: u32,
}

/// A process that ends with this.
#[derive(Debug)]
struct Running(Child);

/// Why there is no answer.
enum Failure {
    /// The process had ended before it could be asked, or ended while it was.
    Gone(io::Error),
    /// It did not answer in time.
    Late,
}

impl VerifierProcesses {
    /// Of this very binary, even if the file was replaced since it was started. No process is started yet.
    pub fn of_this_binary() -> Self {
        Self::of(None, ANSWER_WITHIN)
    }

    /// Of a `postern` binary that lies elsewhere, with another time to answer within.
    pub fn new(program: PathBuf, answer_within: Duration) -> Self {
        Self::of(Some(program), answer_within)
    }

    fn of(program: Option<PathBuf>, answer_within: Duration) -> Self {
        let (turns, idle) = (Semaphore::new(PROCESSES), Mutex::default());
        Self(Arc::new(Pool { program, answer_within, turns, idle }))
    }

    /// Starts a process, tells how it is confined, and ends it. Blocks.
    ///
    /// # Errors
    /// A sentence: it cannot be started, or its self-test fails.
    pub fn confinement(&self) -> Result<String, String> {
        self.0.start().map(|(_, _, confinement)| confinement)
    }

    /// Verifies the one signature in the document with one certificate (as DER) and returns the exact bytes that were
    /// digested. Waits for a turn as long as it takes; the verification itself ends within two seconds.
    ///
    /// # Errors
    /// See [`VerifierError`].
    pub async fn ask(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError> {
        let question = frame::question(document, certificate)
            .map_err(|error| VerifierError::Refused(error.to_string()))?;
        let pool = Arc::clone(&self.0);
        // On its own: a caller who goes away in the middle would take the process along.
        let asked = tokio::spawn(async move {
            let _turn = pool.turns.acquire().await;
            Pool::answer(&pool, question).await
        });
        asked.await.unwrap_or_else(|error| Err(VerifierError::Unavailable(error.to_string())))
    }
}

/// For whoever is off the async threads anyway, in a runtime.
impl SignatureVerifier for VerifierProcesses {
    fn signed_bytes(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError> {
        Handle::current().block_on(self.ask(document, certificate))
    }
}

impl Pool {
    async fn answer(pool: &Arc<Self>, question: Vec<u8>) -> Result<String, VerifierError> {
        let refused = |answer: Answer| answer.map_err(VerifierError::Refused);
        if let Some(process) = pool.waiting() {
            match pool.asked(process, &question).await {
                Ok(answer) => return refused(answer),
                Err(Failure::Late) => return Err(late()),
                // It may have ended long ago: a new one gets the same question, once.
                Err(Failure::Gone(error)) => tracing::warn!(%error, "a verifier process was gone"),
            }
        }
        let started = Arc::clone(pool);
        let started = tokio::task::spawn_blocking(move || started.start()).await;
        let (running, socket, _) =
            started.unwrap_or_else(|error| Err(error.to_string())).map_err(VerifierError::Unavailable)?;
        let socket = socket.set_nonblocking(true).and_then(|()| UnixStream::from_std(socket));
        let socket = socket.map_err(|error| VerifierError::Unavailable(error.to_string()))?;
        match pool.asked(Process { socket, _running: running, answers: 0 }, &question).await {
            Ok(answer) => refused(answer),
            Err(Failure::Late) => Err(late()),
            Err(Failure::Gone(error)) => {
                tracing::error!(%error, "a verifier process ended while it verified a signature");
                Err(VerifierError::Refused("the library failed on this document".to_owned()))
            }
        }
    }

    /// A process that is ready, the socket to it, and how it is confined. Blocks.
    fn start(&self) -> Result<(Running, BlockingUnixStream, String), String> {
        let started = || -> io::Result<(Running, BlockingUnixStream, Answer)> {
            let (mut socket, theirs) = BlockingUnixStream::pair()?;
            socket.set_read_timeout(Some(READY_WITHIN))?;
            let child = Command::new(self.program.clone().unwrap_or_else(this_binary))
                .arg("verifier")
                // It needs no secret and no setting, and a signal from the terminal is for the server alone.
                .env_clear()
                .current_dir("/")
                .process_group(0)
                .stdin(OwnedFd::from(theirs))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            let running = Running(child);
            let ready = frame::read_answer(&mut socket)?;
            Ok((running, socket, ready))
        };
        let (running, socket, ready) =
            started().map_err(|error| format!("a verifier process cannot be started: {error}"))?;
        let confinement =
            ready.map_err(|problem| format!("a verifier process fails its self-test: {problem}"))?;
        tracing::debug!(pid = running.0.id(), %confinement, "a verifier process is ready");
        Ok((running, socket, confinement))
    }

    fn waiting(&self) -> Option<Process> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, process: Process) {
        if process.answers < ANSWERS {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }

    async fn asked(&self, mut process: Process, question: &[u8]) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.answer_within, process.ask(question)).await {
            Ok(Ok(answer)) => {
                self.give_back(process);
                Ok(answer)
            }
            Ok(Err(error)) => Err(Failure::Gone(error)),
            Err(_) => Err(Failure::Late),
        }
    }
}

/// Where this binary lies; if it was replaced there since it was started, still this one and not the new one.
fn this_binary() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    std::env::current_exe().ok().filter(|path| path.exists() || !running.exists()).unwrap_or(running)
}

fn late() -> VerifierError {
    tracing::error!("a verifier process was killed: it did not come to an end with a signature");
    VerifierError::Refused("the library did not come to an end with this document".to_owned())
}

impl Process {
    async fn ask(&mut self, question: &[u8]) -> io::Result<Answer> {
        self.answers += 1;
        self.socket.write_all(question).await?;
        let mut answer = Vec::with_capacity(USUAL_ANSWER);
        while frame::missing(&answer)? != Some(0) {
            if self.socket.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        frame::read_answer(&mut answer.as_slice())
    }
}

impl Drop for Running {
    /// Leaves neither a process nor its remains behind.
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
