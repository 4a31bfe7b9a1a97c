//! From a command sent to its frame received, at many listeners, beside a server that has the same frames in memory.

/// One run against one server.
mod measure;
/// What is printed.
mod report;

use clap::{Args, ValueEnum};
use serde_json::Value;

pub use self::measure::{Measured, Target, faults, measure};
use crate::memory_server;
use crate::nchan::Nchan;
use crate::publisher::{How, sample};
use crate::rooms::{Audience, Rooms, position_of};
use crate::system::{Process, System};

/// The servers that ours is measured beside.
const IN_MEMORY: &str = "in memory";
const NCHAN: &str = "nchan";

#[derive(Args, Clone, Debug)]
pub struct Live {
    #[command(flatten)]
    audience: Audience,
    /// Commands a second, over all rooms; 0: only hold the connections
    #[arg(long, default_value = "50")]
    rate: u32,
    /// Of each run
    #[arg(long, default_value = "10")]
    seconds: u64,
    #[arg(long, default_value = "3")]
    runs: usize,
    /// In place of --listeners, --rooms and --rate
    #[arg(long)]
    preset: Option<Preset>,
    /// Each role in a process of its own: its CPU is told apart, and memory is that of the query-api alone
    #[arg(long)]
    apart: bool,
    /// Without the server from memory beside
    #[arg(long)]
    no_floor: bool,
    /// Beside Nchan, too (nginx with its module must be installed; for up to 19,000 listeners of one room each)
    #[arg(long, conflicts_with = "several")]
    nchan: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// 1,000 listeners in 10 rooms, 50 commands a second
    W1,
    /// 15,000 listeners in 150 rooms, 50 commands a second
    W2,
    /// One room of 5,000 listeners, 5 commands a second
    W3,
}

/// How much is published, and for how long.
#[derive(Clone, Copy)]
pub struct Load {
    pub rate: u32,
    pub seconds: u64,
}

/// Taskfold's processes: all roles in one, or one each.
pub struct Served {
    /// The last is the one that serves streams.
    processes: Vec<(&'static str, Process)>,
}

impl Served {
    pub async fn start(system: &System, apart: bool) -> anyhow::Result<Self> {
        let roles: &[&str] = if apart { &["command-api", "projector", "query-api"] } else { &["all"] };
        let mut processes = Vec::new();
        for role in roles {
            let name = if apart { *role } else { "taskfold" };
            processes.push((name, system.role(role).await?));
        }
        Ok(Self { processes })
    }

    pub fn commands(&self) -> &Process {
        &self.processes[0].1
    }

    pub fn reads(&self) -> &Process {
        &self.processes[self.processes.len() - 1].1
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.processes.iter().map(|(name, _)| *name)
    }

    pub fn pids(&self) -> impl Iterator<Item = (String, u32)> {
        self.processes.iter().map(|(name, process)| ((*name).to_owned(), process.pid()))
    }
}

impl Live {
    fn audience(&self) -> Audience {
        let (listeners, rooms) = match self.preset {
            Some(Preset::W1) => (1_000, 10),
            Some(Preset::W2) => (15_000, 150),
            Some(Preset::W3) => (5_000, 1),
            None => (self.audience.listeners, self.audience.rooms),
        };
        Audience { listeners, rooms, ..self.audience }
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
    let system = System::start().await?;
    let served = Served::start(&system, live.apart).await?;
    let nchan = if live.nchan { Some(Nchan::start().await?) } else { None };
    let floor = if live.no_floor { None } else { Some(memory_server::start().await?) };
    let rooms = Rooms::make(&served.commands().address, &served.reads().address, &audience).await?;
    let change = sample(&served.commands().address, &rooms.tokens[0], &rooms.rooms[0]).await?;
    rooms.until_readable(&served.reads().address, position_of(&change)?).await?;
    report::head(&audience, load, live.runs);
    let (mut ours, mut theirs, mut nchans) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..live.runs {
        let measured = measure(&Target::taskfold(&system, &served), &rooms, &audience, load, How::Rename).await?;
        report::run(run, "taskfold", &measured);
        ours.push(measured);
        if let Some(floor) = &floor {
            let how = How::Frame(change.clone());
            let measured = measure(&Target::peer(IN_MEMORY, floor), &rooms, &audience, load, how).await?;
            report::run(run, IN_MEMORY, &measured);
            theirs.push(measured);
        }
        if let Some(nchan) = &nchan {
            let from = run as u64 * u64::from(load.rate) * load.seconds;
            nchan.greet(&rooms.rooms, from).await?;
            let how = How::Numbered { change: change.clone(), from };
            let measured = measure(&Target::peer(NCHAN, &nchan.process), &rooms, &audience, load, how).await?;
            report::run(run, NCHAN, &measured);
            nchans.push(measured);
        }
    }
    let names: Vec<&str> = served.names().collect();
    let measured = report::all(&audience, load, &names, &ours, &[(IN_MEMORY, theirs), (NCHAN, nchans)]);
    let faults: u64 = ours.iter().map(Measured::faults).sum();
    drop((served, floor, nchan));
    system.stop().await?;
    anyhow::ensure!(faults == 0, "{faults} frames lost or doubled");
    Ok(measured)
}
