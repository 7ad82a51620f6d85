//! The ways in which somebody ends the demo. Once listened for, none of them ends the process by itself.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::DemoError;

/// Ctrl-C, `kill`, and a terminal that is closed.
pub struct Signals([Signal; 3]);

impl Signals {
    /// Listens from now on.
    pub fn listen() -> Result<Self, DemoError> {
        let on = |kind| signal(kind).map_err(DemoError::Signals);
        Ok(Self([on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?]))
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
