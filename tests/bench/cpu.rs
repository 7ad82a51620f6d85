//! What processes cost: processor time and resident memory, as `/proc` tells them (proc(5)).

use std::path::Path;

use anyhow::Context as _;

/// The unit of the times in `/proc/<pid>/stat`: USER_HZ, which is 100 on every architecture Linux has today.
const MILLISECONDS_A_TICK: f64 = 10.0;

/// A server and the database beside it, where there is one.
#[derive(Debug, Clone, Copy)]
pub struct Processes {
    pub server: Option<u32>,
    pub postmaster: Option<u32>,
}

/// Processor milliseconds, since the processes began or between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub server: f64,
    pub database: f64,
}

impl Cpu {
    /// What was spent since an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self { server: self.server - before.server, database: self.database - before.database }
    }

    /// For each of so many requests.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn each(self, requests: usize) -> Self {
        let requests = requests as f64;
        Self { server: self.server / requests, database: self.database / requests }
    }

    pub fn total(self) -> f64 {
        self.server + self.database
    }
}

impl Processes {
    /// Reads the clocks of all these processes.
    pub fn read(self) -> anyhow::Result<Cpu> {
        // The server has children too: those that verify signatures.
        let server = self.server.map_or(Ok(0.0), family)?;
        let database = self.postmaster.map_or(Ok(0.0), family)?;
        Ok(Cpu { server, database })
    }
}

/// A process, its living children, and the children that it has buried.
fn family(parent: u32) -> anyhow::Result<f64> {
    loop {
        let before = Stat::read(parent)?;
        let mut ticks = before.own() + before.buried();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // Processes come and go while this looks.
            if let Ok(stat) = Stat::read(pid)
                && stat.parent == parent
            {
                ticks += stat.own();
            }
        }
        // Whoever was buried meanwhile was counted twice or not at all.
        if Stat::read(parent)?.times[2..] == before.times[2..] {
            return Ok(ticks);
        }
    }
}

/// The fields of `/proc/<pid>/stat` that are of use here.
struct Stat {
    parent: u32,
    /// User and system time of itself, then of children that were waited for.
    times: [f64; 4],
}

impl Stat {
    fn read(pid: u32) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field, the name in parentheses, may hold anything.
        let (_, rest) = text.rsplit_once(") ").context("a stat line")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let time = |number: usize| -> anyhow::Result<f64> {
            Ok(fields.get(number - 3).context("a time")?.parse::<f64>()? * MILLISECONDS_A_TICK)
        };
        Ok(Self {
            parent: fields.get(1).context("a parent")?.parse()?,
            times: [time(14)?, time(15)?, time(16)?, time(17)?],
        })
    }

    fn own(&self) -> f64 {
        self.times[0] + self.times[1]
    }

    fn buried(&self) -> f64 {
        self.times[2] + self.times[3]
    }
}

/// The postmaster of the cluster in this folder.
pub fn postmaster(data: &Path) -> anyhow::Result<u32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid"))?;
    Ok(text.lines().next().context("a process id")?.trim().parse()?)
}

/// Resident memory of a process in MiB.
pub fn resident(pid: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// The processor's name, how many there are, and how busy the machine was just now.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!(
        "{cores} cores ({}), load average before the run {load}",
        model.trim_start_matches([' ', '\t', ':'])
    )
}
