//! The server's side: starts verifier processes as they are needed, lends one to each caller, and never gives one that
//! failed to anybody else.

use super::frame::{self, Answer};
use crate::protocol::saml::signature::{SignatureVerifier, VerifierError};
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a process may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long a verification may take: a thousand times what the usual one takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// After so many answers a process is replaced: whatever the libraries leak goes with it.
const ANSWERS: u32 = 20_000;
/// So many wait for work at most; a burst's others end.
const IDLE: usize = 4;

/// Verifies signatures in processes of their own. Blocks; to be called off the async threads.
#[derive(Debug)]
pub struct VerifierProcesses {
    /// `None` for this very binary.
    program: Option<PathBuf>,
    answer_within: Duration,
    idle: Mutex<Vec<Process>>,
}

/// One process, and the socket to it.
#[derive(Debug)]
struct Process {
    child: Child,
    socket: UnixStream,
    answers: u32,
}

/// Reads until a time: the socket's own limit is for one read, and an answer may come in drops.
struct Until<'a> {
    socket: &'a UnixStream,
    end: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.read(bytes)
    }
}

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
        Self { program: None, answer_within: ANSWER_WITHIN, idle: Mutex::default() }
    }

    /// Of a `postern` binary that lies elsewhere, with another time to answer within.
    pub fn new(program: PathBuf, answer_within: Duration) -> Self {
        Self { program: Some(program), answer_within, idle: Mutex::default() }
    }

    /// Starts a process if none is waiting, and tells how it is confined.
    ///
    /// # Errors
    /// A sentence: it cannot be started, or its self-test fails.
    pub fn confinement(&self) -> Result<String, String> {
        let (process, confinement) = self.start()?;
        self.give_back(process);
        Ok(confinement)
    }

    fn start(&self) -> Result<(Process, String), String> {
        let started = || -> io::Result<(Process, Answer)> {
            let (socket, theirs) = UnixStream::pair()?;
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
            let mut process = Process { child, socket, answers: 0 };
            let ready = frame::read_answer(&mut process.socket)?;
            process.socket.set_read_timeout(Some(self.answer_within))?;
            process.socket.set_write_timeout(Some(self.answer_within))?;
            Ok((process, ready))
        };
        let (process, ready) =
            started().map_err(|error| format!("a verifier process cannot be started: {error}"))?;
        let confinement =
            ready.map_err(|problem| format!("a verifier process fails its self-test: {problem}"))?;
        tracing::debug!(pid = process.child.id(), %confinement, "a verifier process is ready");
        Ok((process, confinement))
    }

    fn waiting(&self) -> Option<Process> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, process: Process) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if process.answers < ANSWERS && idle.len() < IDLE {
            idle.push(process);
        }
    }

    fn asked(&self, mut process: Process, document: &str, certificate: &[u8]) -> Result<Answer, Failure> {
        match process.ask(document, certificate, self.answer_within) {
            Ok(answer) => {
                self.give_back(process);
                Ok(answer)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Failure::Late)
            }
            Err(error) => Err(Failure::Gone(error)),
        }
    }
}

impl SignatureVerifier for VerifierProcesses {
    fn signed_bytes(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError> {
        let refused = |answer: Answer| answer.map_err(VerifierError::Refused);
        if let Some(process) = self.waiting() {
            match self.asked(process, document, certificate) {
                Ok(answer) => return refused(answer),
                Err(Failure::Late) => return Err(late()),
                // It may have ended long ago: a new one gets the same question, once.
                Err(Failure::Gone(error)) => tracing::warn!(%error, "a verifier process was gone"),
            }
        }
        let (process, _) = self.start().map_err(VerifierError::Unavailable)?;
        match self.asked(process, document, certificate) {
            Ok(answer) => refused(answer),
            Err(Failure::Late) => Err(late()),
            Err(Failure::Gone(error)) => {
                tracing::error!(%error, "a verifier process ended while it verified a signature");
                Err(VerifierError::Refused("the library failed on this document".to_owned()))
            }
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
    fn ask(&mut self, document: &str, certificate: &[u8], within: Duration) -> io::Result<Answer> {
        self.answers += 1;
        frame::ask(&mut self.socket, document, certificate)?;
        frame::read_answer(&mut BufReader::new(Until { socket: &self.socket, end: Instant::now() + within }))
    }
}

impl Drop for Process {
    /// Leaves neither a process nor its remains behind.
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
