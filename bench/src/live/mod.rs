//! Measures the time from sending a command to receiving its frame at many listeners, compared with a server that has
//! the same frames in memory.

/// One run against one server.
mod measure;
/// Servers that Taskfold is compared with.
mod peers;
/// Printed results.
mod report;
/// Taskfold's processes.
mod served;

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use serde_json::Value;

pub use self::measure::{Measured, Target, faults, measure};
use self::peers::Peer;
pub use self::served::{Roles, Served};
use crate::projects::{Audience, Projects, position_of};
use crate::publisher::{How, sample};
use crate::system::System;

#[derive(Args, Clone, Debug)]
pub struct Live {
    #[command(flatten)]
    audience: Audience,
    /// Commands per second over all projects (`--projects`); 0: only hold the connections
    #[arg(long, default_value = "50")]
    rate: u32,
    /// Seconds of each run
    #[arg(long, default_value = "10")]
    seconds: u64,
    #[arg(long, default_value = "3")]
    runs: usize,
    /// Workload in place of --listeners, --projects and --rate
    #[arg(long)]
    preset: Option<Preset>,
    /// Each role in a process of its own: its CPU is reported separately, and memory is that of the query-api alone
    #[arg(long)]
    apart: bool,
    /// Number of query-api instances. With more than one, each has as many listeners as --listeners says, the roles run
    /// in separate processes, and no other server is compared
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    instances: NonZeroUsize,
    /// Without the comparison with the in-memory server
    #[arg(long)]
    no_floor: bool,
    /// Compares with nginx and Nchan too, with this number of workers
    #[arg(long, value_name = "WORKERS", num_args = 0..=1, default_missing_value = "1")]
    nchan: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// 1,000 listeners in 10 projects, 50 commands per second
    W1,
    /// 15,000 listeners in 150 projects, 50 commands per second
    W2,
    /// One project with 5,000 listeners, 5 commands per second
    W3,
}

/// Publishing rate and duration.
#[derive(Clone, Copy)]
pub struct Load {
    pub rate: u32,
    pub seconds: u64,
}

impl Load {
    fn commands(self) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.seconds)? * self.rate as usize)
    }
}

impl Live {
    fn audience(&self) -> Audience {
        let (listeners, projects) = match self.preset {
            Some(Preset::W1) => (1_000, 10),
            Some(Preset::W2) => (15_000, 150),
            Some(Preset::W3) => (5_000, 1),
            None => (self.audience.listeners, self.audience.projects),
        };
        Audience { listeners, projects, ..self.audience }
    }

    fn roles(&self) -> Roles {
        let instances = self.instances.get();
        if self.apart || instances > 1 { Roles::Apart(instances) } else { Roles::Together }
    }

    async fn peers(&self) -> anyhow::Result<Vec<Peer>> {
        let mut peers = Vec::new();
        if self.instances > NonZeroUsize::MIN {
            return Ok(peers);
        }
        if !self.no_floor {
            peers.push(Peer::axum().await?);
        }
        if let Some(workers) = self.nchan {
            peers.push(Peer::nchan(workers).await?);
        }
        Ok(peers)
    }

    fn load(&self) -> Load {
        let rate = match self.preset {
            Some(Preset::W1 | Preset::W2) => 50,
            Some(Preset::W3) => 5,
            None => self.rate,
        };
        Load { rate, seconds: self.seconds }
    }
}

pub async fn run(live: &Live) -> anyhow::Result<Value> {
    let (audience, load) = (live.audience(), live.load());
    let mut peers = live.peers().await?;
    let system = System::start().await?;
    let served = Served::start(&system, live.roles()).await?;
    let (commands, reads) = (&served.commands().address, &served.reads[0].1.address);
    let projects = Projects::make(commands, reads, &audience).await?;
    let change = sample(commands, &projects.tokens[0], &projects.list[0]).await?;
    for reads in served.reads() {
        projects.until_readable(&reads.address, position_of(&change)?).await?;
    }
    report::head(&audience, live.instances, load, live.runs);
    let mut ours = Vec::new();
    for run in 0..live.runs {
        let measured = measure(&Target::taskfold(&system, &served), &projects, &audience, load, How::Rename).await?;
        report::run(run, "taskfold", &measured);
        ours.push(measured);
        for peer in &mut peers {
            let how = peer.prepare(&projects, &change).await?;
            let measured = measure(&Target::peer(peer), &projects, &audience, load, how).await?;
            report::run(run, peer.name, &measured);
            peer.runs.push(measured);
        }
    }
    let names: Vec<&str> = served.names().collect();
    let measured = report::all(&audience, load, &names, &ours, &peers);
    let faults: u64 = ours.iter().map(Measured::faults).sum();
    drop((served, peers));
    system.stop().await?;
    anyhow::ensure!(faults == 0, "{faults} frames lost or doubled");
    Ok(measured)
}
