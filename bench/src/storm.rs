//! Measures two instances that serve all listeners and stop in turn while commands are sent: the time until all
//! listeners are connected and have the whole log again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::listeners::{Latencies, Listeners, Plan, Reconnect, Report};
use crate::live::faults;
use crate::projects::{Audience, Projects};
use crate::publisher::{How, Publisher};
use crate::system::{Process, System};

const CONNECT_LIMIT: Duration = Duration::from_secs(120);
/// Time limit for all listeners to be consistent again.
const RECOVER_LIMIT: Duration = Duration::from_secs(120);
/// Pause between two instances, as in a rolling update.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Args, Clone, Debug)]
pub struct Storm {
    #[command(flatten)]
    audience: Audience,
    /// Commands per second over all projects (`--projects`)
    #[arg(long, default_value = "50")]
    rate: u32,
    /// SIGKILL instead of SIGTERM: no listener is notified, and all reconnect within a second
    #[arg(long)]
    kill: bool,
}

/// Measurements of the stop of one instance.
struct InstanceStop {
    /// Time from the signal to the process's end.
    ended: Duration,
    /// Time from the signal until all listeners were connected and had the whole log.
    consistent: Duration,
    /// Durations without a connection, one for each lost connection.
    outages: Latencies,
    drains: u64,
}

pub async fn run(storm: &Storm) -> anyhow::Result<Value> {
    let Storm { audience, rate, kill } = storm;
    let system = System::start().await?;
    let (commands, projector) = (system.role("command-api").await?, system.role("projector").await?);
    let mut instances = vec![system.role("query-api").await?, system.role("query-api").await?];
    let projects = Projects::make(&commands.address, &instances[1].address, audience).await?;
    let listeners = Listeners::start(Plan {
        addresses: instances.iter().map(|i| i.address.parse()).collect::<Result<_, _>>()?,
        channels: projects.channels(),
        tokens: projects.tokens.clone(),
        listeners: audience.all_listeners(0),
        at_once: audience.connecting,
        threads: audience.threads,
        reconnect: if *kill { Reconnect::Immediately } else { Reconnect::AfterRetry },
    })?;
    let connects = listeners.until_connected(CONNECT_LIMIT).await?;
    println!(
        "{} listeners in {} projects on two instances, connected after {:.2} s; {rate} commands/s",
        audience.listeners,
        audience.projects,
        connects.as_secs_f64()
    );
    let publisher = Publisher::new(&commands.address, &projects.tokens[0], &projects.list, How::Rename);
    let enough = CancellationToken::new();
    let publishing = tokio::spawn({
        let (publisher, rate, enough) = (Arc::clone(&publisher), *rate, enough.clone());
        async move { publisher.run(rate, usize::MAX, enough).await }
    });
    tokio::time::sleep(PAUSE).await;
    println!(
        "instance | ended after s | all consistent after s | lost connections | p50 s without | p99 s | longest s | drain frames"
    );
    let mut all = Vec::new();
    for number in 0..instances.len() {
        let signal = if *kill { Signal::SIGKILL } else { Signal::SIGTERM };
        let instance = instances.remove(number);
        let address = instance.address.clone();
        let stopped = stop_instance(&listeners, &publisher, instance, signal).await?;
        all.push(stopped.print_row(number, signal));
        instances.insert(number, system.role_at("query-api", address).await?);
        tokio::time::sleep(PAUSE).await;
    }
    enough.cancel();
    let published = publishing.await??;
    consistent(&listeners, &publisher, Instant::now()).await?;
    let report = listeners.report()?;
    let (lost, doubled) = faults(&listeners.plan().channels, &report, &published);
    println!(
        "{} commands, {} frames received: {lost} lost, {doubled} doubled or out of order",
        published.len(),
        listeners.changes()
    );
    let measured = json!({
        "listeners": audience.listeners, "projects": audience.projects, "rate": rate, "kill": kill,
        "connects_s": connects.as_secs_f64(), "instances": all, "lost": lost, "doubled": doubled,
    });
    drop((listeners, instances, commands, projector));
    system.stop().await?;
    ensure!(lost + doubled == 0, "{lost} frames lost, {doubled} doubled");
    Ok(measured)
}

async fn stop_instance(
    listeners: &Listeners,
    publisher: &Publisher,
    instance: Process,
    signal: Signal,
) -> anyhow::Result<InstanceStop> {
    let before = listeners.report()?;
    let began = Instant::now();
    instance.end(signal).await?;
    let ended = began.elapsed();
    let consistent = consistent(listeners, publisher, began).await?;
    let Report { outages, drains, .. } = listeners.report()?.since(&before)?;
    Ok(InstanceStop { ended, consistent, outages, drains })
}

/// Waits until all listeners are connected and have each position that was in a reply by then; returns the time since
/// `began`.
async fn consistent(listeners: &Listeners, publisher: &Publisher, began: Instant) -> anyhow::Result<Duration> {
    listeners.until_connected(RECOVER_LIMIT).await?;
    let heads: Vec<u64> = publisher.heads.iter().map(|head| head.load(Ordering::Relaxed)).collect();
    let newest = |projects: &Vec<usize>| projects.iter().map(|project| heads[*project]).max().unwrap_or(0);
    let due: Vec<u64> = listeners.plan().channels.iter().map(|channel| newest(&channel.projects)).collect();
    while listeners.reached(due.clone())? < listeners.plan().listeners.len() {
        ensure!(began.elapsed() < RECOVER_LIMIT, "not all listeners have all of the log after {RECOVER_LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed())
}

impl InstanceStop {
    fn print_row(&self, number: usize, signal: Signal) -> Value {
        let (ended, consistent) = (self.ended.as_secs_f64(), self.consistent.as_secs_f64());
        let [p50, p99] = [0.5, 0.99].map(|share| self.outages.at(share) / 1000.0);
        let (longest, lost) = (self.outages.max() / 1000.0, self.outages.count());
        println!(
            "instance {} by {signal} | {ended:.2} | {consistent:.2} | {lost} | {p50:.2} | {p99:.2} | {longest:.2} | {}",
            number + 1,
            self.drains
        );
        json!({
            "signal": signal.as_str(), "ended_s": ended, "consistent_s": consistent, "lost_connections": lost,
            "without_p50_s": p50, "without_p99_s": p99, "without_longest_s": longest, "drains": self.drains,
        })
    }
}
