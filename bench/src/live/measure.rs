//! One run against one server: connect, publish, wait for the last frame, disconnect.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::Load;
use super::peers::Peer;
use super::served::{Served, numbered};
use crate::listeners::{Channel, ExpectedPositions, Latencies, ListenerProcesses, Plan, Reconnect, Report};
use crate::projects::{Audience, Projects};
use crate::publisher::{How, Published, Publisher};
use crate::stages::{StageLatencies, Stages};
use crate::system::{Process, System};
use crate::usage::{Watched, memory_of_all};

/// Time limit for all listeners to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(300);
/// Time limit for the last frame, after the last command's reply.
const ARRIVE_LIMIT: Duration = Duration::from_secs(60);
/// Pause after connecting, before memory is measured.
const QUIET: Duration = Duration::from_secs(1);

/// A server to be measured.
pub struct Target<'a> {
    commands: &'a Process,
    reads: Vec<&'a Process>,
    /// Processes whose CPU time is reported.
    watched: Vec<(String, u32)>,
    /// System whose stages are measured.
    system: Option<&'a System>,
}

/// Result of one run.
pub struct Measured {
    /// Time until all listeners were connected.
    pub connects: Duration,
    /// Memory in bytes per listener, for each server that has listeners.
    pub memory: Vec<f64>,
    pub latencies: Latencies,
    pub stages: Option<StageLatencies>,
    /// CPU seconds by process.
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

    /// CPU seconds of these processes per million deliveries; without deliveries, per million heartbeats.
    pub fn cpu_per_million(&self, names: &[impl AsRef<str>]) -> f64 {
        let frames = if self.deliveries > 0 { self.deliveries } else { self.heartbeats.max(1) };
        let used = self.cpu.iter().filter(|(name, _)| names.iter().any(|wanted| wanted.as_ref() == name));
        used.map(|(_, seconds)| seconds).sum::<f64>() * 1e6 / frames as f64
    }
}

impl<'a> Target<'a> {
    pub fn taskfold(system: &'a System, served: &'a Served) -> Self {
        let watched = served.pids().chain(system.servers()).chain([client()]);
        Self {
            commands: served.commands(),
            reads: served.reads().collect(),
            watched: watched.collect(),
            system: Some(system),
        }
    }

    pub fn peer(peer: &'a Peer) -> Self {
        let server = peer.process();
        let watched = vec![(peer.name.to_owned(), server.pid()), client()];
        Self { commands: server, reads: vec![server], watched, system: None }
    }
}

/// This program, which sends the commands; the processes that it started are reported separately.
fn client() -> (String, u32) {
    ("client".to_owned(), std::process::id())
}

/// Connects all listeners, publishes, waits for the last frame, and disconnects all.
pub async fn measure(
    target: &Target<'_>,
    projects: &Projects,
    audience: &Audience,
    load: Load,
    how: How,
) -> anyhow::Result<Measured> {
    let memory = || target.reads.iter().map(|server| memory_of_all(server.pid())).collect::<anyhow::Result<Vec<_>>>();
    let before = memory()?;
    let mut listeners = ListenerProcesses::start(&plans(target, projects, audience)?).await?;
    let connects = listeners.until_connected(CONNECT_LIMIT).await?;
    tokio::time::sleep(QUIET).await;
    let grown = memory()?.into_iter().zip(before).map(|(after, before)| after.saturating_sub(before) as f64);
    let memory = grown.map(|bytes| bytes / audience.listeners as f64).collect();

    let stages = match target.system {
        Some(system) => Some(Stages::watch(system).await?),
        None => None,
    };
    let publisher = Publisher::new(&target.commands.address, &projects.tokens[0], &projects.list, how);
    let processes = numbered("listeners", listeners.pids());
    let watched = Watched::new(target.watched.iter().cloned().chain(processes));
    let cpu = watched.cpu()?;
    let published = publisher.run(load.rate, load.commands()?, CancellationToken::new()).await?;
    if load.rate == 0 {
        tokio::time::sleep(Duration::from_secs(load.seconds)).await;
    }
    let sizes = audience.sizes();
    let expected = published.iter().map(|p| (sizes[p.project] * target.reads.len()) as u64).sum();
    let arrived = listeners.until_changes(expected, ARRIVE_LIMIT).await;
    let cpu = watched.cpu()?.since(&cpu);
    listeners.check().await?;
    let report = listeners.report().await?;
    let (lost, doubled) = faults(&projects.channels(), &report, &published);
    arrived.with_context(|| format!("{lost} frames lost, {doubled} doubled"))?;
    let stages = stages.map(|stages| stages.latencies(&published, &report)).transpose()?;
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

/// Plans for each server that has listeners.
fn plans(target: &Target<'_>, projects: &Projects, audience: &Audience) -> anyhow::Result<Vec<Plan>> {
    let plan = |(instance, server): (usize, &&Process)| {
        Ok(Plan {
            addresses: vec![server.address.parse()?],
            channels: projects.channels(),
            tokens: projects.tokens.clone(),
            listeners: audience.all_listeners(instance),
            at_once: audience.connecting,
            threads: audience.threads,
            reconnect: Reconnect::Never,
        })
    };
    target.reads.iter().enumerate().map(plan).collect()
}

/// Number of missing frames, and of frames that were repeated or out of order, compared with the positions in the
/// replies.
pub fn faults(channels: &[Channel], report: &Report, published: &[Published]) -> (u64, u64) {
    let expected = |projects: &Vec<usize>| {
        ExpectedPositions::new(published.iter().filter(|p| projects.contains(&p.project)).map(|p| p.position).collect())
    };
    let expected_positions: Vec<ExpectedPositions> =
        channels.iter().map(|channel| expected(&channel.projects)).collect();
    let lost = report.received.iter().map(|(channel, received)| expected_positions[*channel].missing(received)).sum();
    let doubled = report.received.iter().map(|(_, received)| received.doubled).sum();
    (lost, doubled)
}
