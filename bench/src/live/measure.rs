use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::{Load, Served};
use crate::listeners::{Latencies, Plan, Report, Returns, Sent, Swarm, Truth};
use crate::publisher::{How, Publisher, places};
use crate::rooms::{Audience, Rooms};
use crate::stages::{Stages, Told};
use crate::system::{Process, System};
use crate::usage::{Watched, memory};

/// For all to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(300);
/// For the last frame, from the last command's reply.
const ARRIVE_LIMIT: Duration = Duration::from_secs(60);
/// After connecting, before memory is looked at.
const QUIET: Duration = Duration::from_secs(1);

/// A server to be measured.
pub struct Target<'a> {
    commands: &'a Process,
    reads: &'a Process,
    watched: Watched,
    /// Whose stages are watched.
    system: Option<&'a System>,
}

/// What one run came to.
pub struct Measured {
    /// Until all listeners were connected.
    pub connects: Duration,
    /// Bytes of the server for each connection.
    pub memory: f64,
    pub latencies: Latencies,
    pub stages: Option<Told>,
    /// Seconds, by process.
    pub cpu: Vec<(String, f64)>,
    pub deliveries: u64,
    pub heartbeats: u64,
    pub lost: u64,
    pub doubled: u64,
}

impl Measured {
    pub fn faults(&self) -> u64 {
        self.lost + self.doubled
    }

    /// CPU seconds of these processes for a million deliveries; where nothing happened, for a million heartbeats.
    pub fn cpu_per_million(&self, names: &[&str]) -> f64 {
        let frames = if self.deliveries > 0 { self.deliveries } else { self.heartbeats.max(1) };
        let used = self.cpu.iter().filter(|(name, _)| names.contains(&name.as_str()));
        used.map(|(_, seconds)| seconds).sum::<f64>() * 1e6 / frames as f64
    }
}

impl<'a> Target<'a> {
    pub fn taskfold(system: &'a System, served: &'a Served) -> Self {
        let watched = served.pids().chain(system.servers()).chain([client()]);
        Self {
            commands: served.commands(),
            reads: served.reads(),
            watched: Watched::new(watched),
            system: Some(system),
        }
    }

    /// A server that only passes frames on, by its name.
    pub fn peer(name: &str, floor: &'a Process) -> Self {
        let watched = Watched::new([(name.to_owned(), floor.pid()), client()]);
        Self { commands: floor, reads: floor, watched, system: None }
    }
}

/// This program; the servers that it started are told apart.
fn client() -> (String, u32) {
    ("client".to_owned(), std::process::id())
}

/// Connects all listeners, publishes, waits for the last frame, and disconnects all.
pub async fn measure(
    target: &Target<'_>,
    rooms: &Rooms,
    audience: &Audience,
    load: Load,
    how: How,
) -> anyhow::Result<Measured> {
    let sent = Arc::new(Sent::new(usize::try_from(load.seconds)? * load.rate as usize));
    let before = memory(target.reads.pid())?;
    let swarm = Swarm::start(Plan {
        addresses: vec![target.reads.address.parse::<SocketAddr>()?],
        channels: rooms.channels(),
        tokens: rooms.tokens.clone(),
        listeners: audience.everybody(),
        at_once: audience.connecting,
        threads: audience.threads,
        returns: Returns::Never,
        first: 0,
        sent: Arc::clone(&sent),
    })?;
    let connects = swarm.until_connected(CONNECT_LIMIT).await?;
    tokio::time::sleep(QUIET).await;
    let memory = memory(target.reads.pid())?.saturating_sub(before) as f64 / audience.listeners as f64;

    let stages = match target.system {
        Some(system) => Some(Stages::watch(system, &sent).await?),
        None => None,
    };
    let publisher = Publisher::new(&target.commands.address, &rooms.tokens[0], &rooms.rooms, how, sent);
    let cpu = target.watched.cpu()?;
    let published = publisher.run(load.rate, CancellationToken::new()).await?;
    if load.rate == 0 {
        tokio::time::sleep(Duration::from_secs(load.seconds)).await;
    }
    let sizes = audience.sizes();
    let expected = published.iter().map(|p| sizes[p.room] as u64).sum();
    let arrived = swarm.until_changes(expected, ARRIVE_LIMIT).await;
    let cpu = target.watched.cpu()?.since(&cpu);
    swarm.check()?;
    let report = swarm.report()?;
    let (lost, doubled) = faults(&swarm, &report, &places(&published));
    arrived.with_context(|| format!("{lost} frames lost, {doubled} doubled"))?;
    let stages = stages.map(|stages| stages.tell(&published, &report)).transpose()?;
    Ok(Measured {
        connects,
        memory,
        latencies: report.latencies,
        stages,
        cpu,
        deliveries: expected,
        heartbeats: report.heartbeats,
        lost,
        doubled,
    })
}

/// Frames that listeners lack, and frames that came again or out of order, against the rooms and positions that the replies told.
pub fn faults(swarm: &Swarm, report: &Report, published: &[(usize, u64)]) -> (u64, u64) {
    let truth = |rooms: &Vec<usize>| {
        Truth::new(published.iter().filter(|(room, _)| rooms.contains(room)).map(|(_, position)| *position).collect())
    };
    let truths: Vec<Truth> = swarm.plan().channels.iter().map(|channel| truth(&channel.rooms)).collect();
    let lost = report.seen.iter().map(|(channel, seen)| truths[*channel].missing(seen)).sum();
    let doubled = report.seen.iter().map(|(_, seen)| seen.doubled).sum();
    (lost, doubled)
}
