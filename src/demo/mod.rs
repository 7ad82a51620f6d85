//! `postern demo`: the gateway with real peers beside it on loopback, and its story told through them.
//!
//! Nothing is staged: a name server answers DNS, an identity provider signs SAML, a SCIM client pushes people, and the
//! gateway is the one that `postern serve` runs. Everything lies in one scratch folder and in this process; however
//! the demo ends (by itself, by Ctrl-C, by an error), nothing of it stays behind.

pub mod browser;
pub mod dns;
mod error;
mod handout;
pub mod html;
pub mod idp;
pub mod people;
pub mod rest;
pub mod scim_client;
mod scratch;
mod screen;
mod signals;
mod stage;
mod tour;

pub use error::DemoError;

use crate::model::random::SystemRandom;
use scratch::Scratch;
use screen::{Screen, line};
use signals::Signals;
use stage::Stage;

/// How the demo is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// End after the story instead of staying up.
    pub exit: bool,
}

/// How it ended, when nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The story was told to its end.
    Told,
    /// Somebody ended it before.
    Interrupted,
}

/// Runs the demo. Whatever comes back, the scratch folder is gone and nothing of the demo runs any more.
///
/// # Errors
/// [`DemoError`] names what failed and where; also if the scratch folder could not be removed.
pub async fn run(options: Options) -> Result<Ending, DemoError> {
    let mut signals = Signals::listen()?;
    let screen = Screen::new();
    let scratch = Scratch::new(&SystemRandom)?;
    let ending = Box::pin(in_folder(options, &mut signals, screen, &scratch)).await;
    let path = scratch.path().display().to_string();
    scratch.remove()?;
    let ending = ending?;
    line("")?;
    line(&match ending {
        Ending::Told => format!("The demo has ended. {path} is removed; nothing is left behind."),
        Ending::Interrupted => {
            format!("The demo was ended early. {path} is removed; nothing is left behind.")
        }
    })?;
    Ok(ending)
}

async fn in_folder(
    options: Options,
    signals: &mut Signals,
    screen: Screen,
    scratch: &Scratch,
) -> Result<Ending, DemoError> {
    let mut stage = screen.during("starting", Stage::set(scratch.path())).await?;
    let ending = play(options, signals, screen, &mut stage).await;
    stage.strike().await;
    ending
}

async fn play(
    options: Options,
    signals: &mut Signals,
    screen: Screen,
    stage: &mut Stage,
) -> Result<Ending, DemoError> {
    let results = tokio::select! {
        results = tour::tell(screen, stage) => results?,
        () = signals.next() => return Ok(Ending::Interrupted),
    };
    if options.exit {
        return Ok(Ending::Told);
    }
    handout::show(screen, stage, &results)?;
    // From here on nobody needs them; the handout is on the screen.
    drop(results);
    let address = stage.gateway.address;
    tokio::select! {
        () = signals.next() => Ok(Ending::Told),
        reason = stage.gateway.failure() => Err(DemoError::GatewayEnded { address, reason }),
    }
}
