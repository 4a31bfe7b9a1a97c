//! Several instances of the query-api, each with as many listeners as a process may have files: their listeners are
//! held by processes of this program, one for each instance.

/// The process that holds the listeners of one instance.
pub mod holder;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::holder::Holder;
use crate::listeners::Sent;
use crate::publisher::{How, Publisher};
use crate::rooms::{Audience, Rooms};
use crate::system::{Process, System};
use crate::usage::{Watched, kib, memory};

/// How often the holders are told what was sent; a frame takes longer.
const TELL_EVERY: Duration = Duration::from_millis(1);

#[derive(Args, Clone, Debug)]
pub struct Several {
    /// `--listeners` are those of each
    #[arg(long, default_value = "2")]
    instances: usize,
    #[command(flatten)]
    audience: Audience,
    /// Commands a second, over all rooms; 0: only hold the connections
    #[arg(long, default_value = "50")]
    rate: u32,
    #[arg(long, default_value = "30")]
    seconds: u64,
}

pub async fn run(several: &Several) -> anyhow::Result<Value> {
    let Several { instances, audience, rate, seconds } = several;
    let system = System::start().await?;
    let (commands, projector) = (system.role("command-api").await?, system.role("projector").await?);
    let mut queries = Vec::new();
    for _ in 0..*instances {
        queries.push(system.role("query-api").await?);
    }
    let rooms = Rooms::make(&commands.address, &queries[0].address, audience).await?;
    let commands_in_all = usize::try_from(*seconds)? * *rate as usize;
    let (mut holders, mut connects, mut grown) = (Vec::new(), Vec::new(), Vec::new());
    println!("instance | connected after s | KiB a connection");
    for (number, query) in queries.iter().enumerate() {
        let before = memory(query.pid())?;
        let (holder, connected) =
            Holder::start(query, number * audience.listeners, &rooms, audience, commands_in_all).await?;
        let each = memory(query.pid())?.saturating_sub(before) as f64 / audience.listeners as f64;
        println!("{} | {connected:.2} | {:.1}", number + 1, kib(each as u64));
        holders.push(holder);
        connects.push(connected);
        grown.push(each / 1024.0);
    }

    let watched = Watched::new(queries.iter().map(|query| (query.address.clone(), query.pid())));
    let cpu = watched.cpu()?;
    let sent = Arc::new(Sent::new(commands_in_all));
    let publisher = Publisher::new(&commands.address, &rooms.tokens[0], &rooms.rooms, How::Rename, Arc::clone(&sent));
    let publishing = publisher.run(*rate, CancellationToken::new());
    let (published, ()) = tokio::join!(publishing, tell(&sent, &mut holders));
    let published = published?;
    if *rate == 0 {
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
    }
    let answers = futures::future::try_join_all(holders.into_iter().map(|holder| holder.end(&published))).await?;
    let cpu: f64 = watched.cpu()?.since(&cpu).iter().map(|(_, seconds)| seconds).sum();
    let (faults, mut measured) = report(&answers, cpu);
    measured["listeners_each"] = json!(audience.listeners);
    measured["rate"] = json!(rate);
    measured["connects_s"] = json!(connects);
    measured["kib_per_connection"] = json!(grown);
    let sizes = queries.iter().map(Process::pid).map(memory).collect::<anyhow::Result<Vec<_>>>()?;
    println!(
        "KiB of each instance at the end: {:?}",
        sizes.into_iter().map(|size| kib(size) as u64).collect::<Vec<_>>()
    );
    drop((commands, projector, queries));
    system.stop().await?;
    anyhow::ensure!(faults == 0, "{faults} frames lost or doubled");
    Ok(measured)
}

/// Passes on when each command was sent, until all are.
async fn tell(sent: &Sent, holders: &mut [Holder]) {
    let mut ticks = tokio::time::interval(TELL_EVERY);
    for command in 0..sent.commands() {
        let at = loop {
            match sent.get(command) {
                Some(at) => break at,
                None => drop(ticks.tick().await),
            }
        };
        holders.iter_mut().for_each(|holder| holder.tell(command, at));
    }
}

/// What all holders have seen; how many frames were lost or doubled.
fn report(answers: &[Value], cpu: f64) -> (u64, Value) {
    let sum = |key: &str| answers.iter().filter_map(|answer| answer[key].as_u64()).sum::<u64>();
    println!("instance | deliveries | heartbeats | lost | doubled | p50 ms | p90 ms | p99 ms | max ms");
    for (number, answer) in answers.iter().enumerate() {
        let keys = ["deliveries", "heartbeats", "lost", "doubled", "p50_ms", "p90_ms", "p99_ms", "max_ms"];
        println!("{} | {}", number + 1, keys.map(|key| answer[key].to_string()).join(" | "));
    }
    let frames = sum("deliveries") + sum("heartbeats");
    let per_million = cpu * 1e6 / frames.max(1) as f64;
    println!("CPU of the instances: {cpu:.2} s, {per_million:.1} s for 1M frames, heartbeats included");
    let measured = json!({"instances": answers, "cpu_s": cpu, "cpu_s_per_million_frames": per_million});
    (sum("lost") + sum("doubled"), measured)
}
