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

use crate::listeners::{Latencies, Plan, Report, Returns, Swarm};
use crate::live::faults;
use crate::publisher::{How, Publisher};
use crate::rooms::{Audience, Rooms};
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
    /// Commands per second over all projects (`--rooms`)
    #[arg(long, default_value = "50")]
    rate: u32,
    /// SIGKILL instead of SIGTERM: no listener is notified, and all reconnect within a second
    #[arg(long)]
    kill: bool,
}

/// Measurements of the stop of one instance.
struct Gone {
    /// Time from the signal to the process's end.
    ended: Duration,
    /// Time from the signal until all listeners were connected and had the whole log.
    consistent: Duration,
    /// Durations without a connection, one for each lost connection.
    outages: Latencies,
    told: u64,
}

pub async fn run(storm: &Storm) -> anyhow::Result<Value> {
    let Storm { audience, rate, kill } = storm;
    let system = System::start().await?;
    let (commands, projector) = (system.role("command-api").await?, system.role("projector").await?);
    let mut instances = vec![system.role("query-api").await?, system.role("query-api").await?];
    let rooms = Rooms::make(&commands.address, &instances[1].address, audience).await?;
    let swarm = Swarm::start(Plan {
        addresses: instances.iter().map(|i| i.address.parse()).collect::<Result<_, _>>()?,
        channels: rooms.channels(),
        tokens: rooms.tokens.clone(),
        listeners: audience.everybody(0),
        at_once: audience.connecting,
        threads: audience.threads,
        returns: if *kill { Returns::AtOnce } else { Returns::AsTold },
    })?;
    let connects = swarm.until_connected(CONNECT_LIMIT).await?;
    println!(
        "{} listeners in {} rooms on two instances, connected after {:.2} s; {rate} commands/s",
        audience.listeners,
        audience.rooms,
        connects.as_secs_f64()
    );
    let publisher = Publisher::new(&commands.address, &rooms.tokens[0], &rooms.rooms, How::Rename);
    let enough = CancellationToken::new();
    let publishing = tokio::spawn({
        let (publisher, rate, enough) = (Arc::clone(&publisher), *rate, enough.clone());
        async move { publisher.run(rate, usize::MAX, enough).await }
    });
    tokio::time::sleep(PAUSE).await;
    println!(
        "goes away | ended after s | all consistent after s | lost connections | p50 s without | p99 s | longest s | told to go"
    );
    let mut all = Vec::new();
    for number in 0..instances.len() {
        let signal = if *kill { Signal::SIGKILL } else { Signal::SIGTERM };
        let instance = instances.remove(number);
        let address = instance.address.clone();
        let gone = go_away(&swarm, &publisher, instance, signal).await?;
        all.push(gone.tell(number, signal));
        instances.insert(number, system.role_at("query-api", address).await?);
        tokio::time::sleep(PAUSE).await;
    }
    enough.cancel();
    let published = publishing.await??;
    consistent(&swarm, &publisher, Instant::now()).await?;
    let report = swarm.report()?;
    let (lost, doubled) = faults(&swarm.plan().channels, &report, &published);
    println!(
        "{} commands, {} frames received: {lost} lost, {doubled} doubled or out of order",
        published.len(),
        swarm.changes()
    );
    let measured = json!({
        "listeners": audience.listeners, "rooms": audience.rooms, "rate": rate, "kill": kill,
        "connects_s": connects.as_secs_f64(), "instances": all, "lost": lost, "doubled": doubled,
    });
    drop((swarm, instances, commands, projector));
    system.stop().await?;
    ensure!(lost + doubled == 0, "{lost} frames lost, {doubled} doubled");
    Ok(measured)
}

async fn go_away(swarm: &Swarm, publisher: &Publisher, instance: Process, signal: Signal) -> anyhow::Result<Gone> {
    let before = swarm.report()?;
    let began = Instant::now();
    instance.end(signal).await?;
    let ended = began.elapsed();
    let consistent = consistent(swarm, publisher, began).await?;
    let Report { outages, drains, .. } = swarm.report()?.since(&before)?;
    Ok(Gone { ended, consistent, outages, told: drains })
}

/// Waits until all listeners are connected and have each position that was in a reply by then; returns the time since
/// `began`.
async fn consistent(swarm: &Swarm, publisher: &Publisher, began: Instant) -> anyhow::Result<Duration> {
    swarm.until_connected(RECOVER_LIMIT).await?;
    let heads: Vec<u64> = publisher.heads.iter().map(|head| head.load(Ordering::Relaxed)).collect();
    let newest = |rooms: &Vec<usize>| rooms.iter().map(|room| heads[*room]).max().unwrap_or(0);
    let due: Vec<u64> = swarm.plan().channels.iter().map(|channel| newest(&channel.rooms)).collect();
    while swarm.reached(due.clone())? < swarm.plan().listeners.len() {
        ensure!(began.elapsed() < RECOVER_LIMIT, "not all listeners have all of the log after {RECOVER_LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed())
}

impl Gone {
    fn tell(&self, number: usize, signal: Signal) -> Value {
        let (ended, consistent) = (self.ended.as_secs_f64(), self.consistent.as_secs_f64());
        let [p50, p99] = [0.5, 0.99].map(|share| self.outages.at(share) / 1000.0);
        let (longest, lost) = (self.outages.max() / 1000.0, self.outages.count());
        println!(
            "instance {} by {signal} | {ended:.2} | {consistent:.2} | {lost} | {p50:.2} | {p99:.2} | {longest:.2} | {}",
            number + 1,
            self.told
        );
        json!({
            "signal": signal.as_str(), "ended_s": ended, "consistent_s": consistent, "lost_connections": lost,
            "without_p50_s": p50, "without_p99_s": p99, "without_longest_s": longest, "drains": self.told,
        })
    }
}
