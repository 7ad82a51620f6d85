//! What is measured: a gateway that serves, with its customer and the processes that it costs, and the figures that
//! come of it.

use std::time::Duration;

use postern::demo::dns::NameServer;

use super::cpu::{Cpu, Processes};
use super::installation::{Installation, Serving};
use super::load::{Outcome, Script, run};
use super::table::{Samples, short};
use super::tenant::Tenant;

/// A gateway that serves, with its customer and the processes that it costs.
pub struct Subject {
    pub tenant: Tenant,
    pub processes: Processes,
    _serving: Serving,
}

impl Subject {
    pub async fn new(
        installation: &Installation,
        names: &NameServer,
        postmaster: Option<u32>,
    ) -> anyhow::Result<Self> {
        let (serving, _) = installation.start().await?;
        let tenant = Tenant::set_up(installation, names).await?;
        let processes = Processes { server: Some(serving.pid()), postmaster };
        Ok(Self { tenant, processes, _serving: serving })
    }

    /// Plays the scripts for so long at most and adds what each request cost; gives the scripts back.
    pub async fn measure<S: Script>(
        &self,
        scripts: Vec<S>,
        most: Duration,
        figure: &mut Figure,
    ) -> anyhow::Result<Vec<S>> {
        let before = self.processes.read()?;
        let (outcome, scripts) = run(self.tenant.address, scripts, most).await?;
        figure.add(&outcome, self.processes.read()?.since(before).each(outcome.requests()));
        Ok(scripts)
    }
}

/// A figure with what belongs to it.
#[derive(Default)]
pub struct Figure {
    pub rate: Samples,
    pub server: Samples,
    pub total: Samples,
    latencies: [[Samples; 2]; 2],
}

impl Figure {
    pub fn add(&mut self, outcome: &Outcome, cost: Cpu) {
        self.rate.push(outcome.rate());
        self.server.push(cost.server);
        self.total.push(cost.total());
        for (kind, [half, most]) in self.latencies.iter_mut().enumerate() {
            half.push(outcome.percentile(kind, 0.5));
            most.push(outcome.percentile(kind, 0.99));
        }
    }

    pub fn latency(&self, kind: usize) -> String {
        let [half, most] = &self.latencies[kind];
        format!("p50 {} p99 {} ms", short(half.median()), short(most.median()))
    }

    pub fn cost(&self) -> String {
        format!("CPU {} ms, with database {} ms", short(self.server.median()), short(self.total.median()))
    }

    pub fn more(&self, kind: usize) -> String {
        format!("{}; {}", self.latency(kind), self.cost())
    }
}
