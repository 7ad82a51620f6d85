//! The load tool: some connections, each with one request under way at any time, and how long each took.
//! The same for the yardstick and for the gateway, so that its own cost is in both figures alike.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;

use super::http::Connection;

/// How many requests are under way at once, everywhere.
pub const CONCURRENCY: usize = 8;

/// What one connection sends, one after the other.
pub trait Script: Send + 'static {
    /// Writes the next whole request into the empty buffer and tells what it is; `None` ends.
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step>;

    /// Looks at the body of the answer, out of the clock's sight.
    fn answered(&mut self, _body: &[u8]) -> anyhow::Result<()> {
        Ok(())
    }
}

/// One request.
pub struct Step {
    /// Latencies are kept apart by this number, which is below [`KINDS`].
    pub kind: usize,
    /// The status it must be answered with.
    pub expected: RangeInclusive<u16>,
}

/// How many kinds of requests a script has at most.
pub const KINDS: usize = 2;

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub elapsed: Duration,
    /// Nanoseconds, by kind, sorted.
    latencies: [Vec<u64>; KINDS],
}

impl Outcome {
    pub fn requests(&self) -> usize {
        self.latencies.iter().map(Vec::len).sum()
    }

    /// Requests in a second, of all kinds together.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.requests() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in milliseconds that `share` (0 to 1) of the requests of a kind stayed below.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts stay far below 2^52 and are not negative"
    )]
    pub fn percentile(&self, kind: usize, share: f64) -> f64 {
        let sorted = &self.latencies[kind];
        let at = (sorted.len() as f64 * share) as usize;
        sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(f64::NAN, |&nanos| nanos as f64 / 1e6)
    }
}

/// Runs each script on a connection of its own until it ends or `most` is over.
pub async fn run<S: Script>(
    address: SocketAddr,
    scripts: Vec<S>,
    most: Duration,
) -> anyhow::Result<(Outcome, Vec<S>)> {
    let mut connections = Vec::new();
    for script in scripts {
        connections.push((Connection::open(address).await?, script));
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, (connection, script)) in connections.into_iter().enumerate() {
        tasks.spawn(async move { (number, play(connection, script, start + most).await) });
    }
    let (mut outcome, mut scripts) = (Outcome::default(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (number, played) = done?;
        let (latencies, script) = played?;
        for (all, one) in outcome.latencies.iter_mut().zip(latencies) {
            all.extend(one);
        }
        scripts.push((number, script));
    }
    outcome.elapsed = start.elapsed();
    outcome.latencies.iter_mut().for_each(|all| all.sort_unstable());
    scripts.sort_unstable_by_key(|(number, _)| *number);
    Ok((outcome, scripts.into_iter().map(|(_, script)| script).collect()))
}

async fn play<S: Script>(
    mut connection: Connection,
    mut script: S,
    until: Instant,
) -> anyhow::Result<([Vec<u64>; KINDS], S)> {
    let mut latencies: [Vec<u64>; KINDS] = Default::default();
    let mut request = Vec::with_capacity(16 * 1024);
    let mut now = Instant::now();
    while now < until {
        request.clear();
        let Some(step) = script.next(&mut request) else { break };
        let sent = Instant::now();
        let reply = connection.send(&request).await?;
        if !step.expected.contains(&reply.status) {
            let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
            bail!(
                "{} answered {}: {}",
                String::from_utf8_lossy(line),
                reply.status,
                String::from_utf8_lossy(reply.body)
            );
        }
        let took = sent.elapsed();
        script.answered(reply.body)?;
        now = Instant::now();
        latencies[step.kind].push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
    Ok((latencies, script))
}

/// The same request again and again, answered with 200.
#[derive(Clone)]
pub struct Repeat(pub Vec<u8>);

impl Script for Repeat {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        request.extend_from_slice(&self.0);
        Some(Step { kind: 0, expected: 200..=200 })
    }
}
