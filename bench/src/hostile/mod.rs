//! Measures the latencies of well-behaved listeners while other clients misbehave, as a ratio to a calm run.

/// Misbehaving clients.
mod attackers;

use clap::Args;
use serde_json::{Value, json};

use self::attackers::Attackers;
use crate::history;
use crate::live::{Load, Measured, Roles, Served, Target, measure};
use crate::projects::{Audience, Projects};
use crate::publisher::How;
use crate::statistics::{figure, median, spread};
use crate::system::System;
use crate::usage::{kib, memory};

#[derive(Args, Clone, Debug)]
pub struct Hostile {
    #[command(flatten)]
    audience: Audience,
    /// Commands per second over all projects (`--projects`)
    #[arg(long, default_value = "50")]
    rate: u32,
    /// Seconds of each run
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// Pairs of runs, each one calm and one hostile
    #[arg(long, default_value = "3")]
    runs: usize,
    /// Events in the log before the runs, for the clients that request them and do not read them: each of these may
    /// take a share of the kernel's memory for data to be sent, 4 MiB by Linux's default
    #[arg(long, default_value = "20000")]
    history: i64,
    #[command(flatten)]
    attack: Attack,
}

/// Number of misbehaving clients of each kind.
#[derive(Args, Clone, Copy, Debug)]
pub struct Attack {
    /// Streams from the very beginning that are never read
    #[arg(long, default_value = "1000")]
    never_reading: usize,
    /// Streams that are read at one byte per second
    #[arg(long, default_value = "200")]
    slow: usize,
    /// Connections that never send a request, opened again when the server closes them
    #[arg(long, default_value = "5000")]
    half_open: usize,
    /// Clients that open a stream and close it again in a tight loop
    #[arg(long, default_value = "50")]
    reconnecting: usize,
}

/// Result of a pair of runs.
struct Pair {
    calm: Measured,
    hostile: Measured,
    answers: Vec<(String, u64)>,
    /// Memory of the server in bytes with all attackers connected.
    memory: u64,
}

pub async fn run(hostile: &Hostile) -> anyhow::Result<Value> {
    let Hostile { audience, attack, .. } = hostile;
    let load = Load { rate: hostile.rate, seconds: hostile.seconds };
    let system = System::start().await?;
    let served = Served::start(&system, Roles::Together).await?;
    let server = served.commands();
    let projects = Projects::make(&server.address, &server.address, audience).await?;
    history::write(&system.database_url()?, server, server, &projects, hostile.history).await?;
    let token = projects.admit(&server.address, &server.address, "mallory").await?;
    println!(
        "{} listeners in {} projects, {} commands/s; against them {} that never read, {} that read a byte a second, {} that send \
         nothing, {} that reconnect in a tight loop, one that asks for 1,000 channels, one with giant headers",
        audience.listeners,
        audience.projects,
        load.rate,
        attack.never_reading,
        attack.slow,
        attack.half_open,
        attack.reconnecting
    );
    println!("run | calm p50 ms | p99 | max | hostile p50 ms | p99 | max | hostile / calm p99 | MiB of the server");
    let mut pairs = Vec::new();
    for run in 0..hostile.runs {
        let target = Target::taskfold(&system, &served);
        let calm = measure(&target, &projects, audience, load, How::Rename).await?;
        let attackers = Attackers::start(*attack, server.address.parse()?, &token, &projects).await?;
        let measured = measure(&target, &projects, audience, load, How::Rename).await?;
        let memory = memory(server.pid())?;
        let pair = Pair { calm, hostile: measured, answers: attackers.end(), memory };
        pair.print_row(run);
        pairs.push(pair);
    }
    let faults: u64 = pairs.iter().map(Pair::faults).sum();
    let measured = summarise(hostile, &pairs);
    drop(served);
    system.stop().await?;
    anyhow::ensure!(faults == 0, "{faults} frames lost or doubled");
    Ok(measured)
}

impl Pair {
    fn faults(&self) -> u64 {
        self.calm.faults() + self.hostile.faults()
    }

    /// Ratio of the hostile to the calm latency at this percentile.
    fn ratio(&self, share: f64) -> f64 {
        self.hostile.latencies.at(share) / self.calm.latencies.at(share)
    }

    fn print_row(&self, run: usize) {
        let figures = |m: &Measured| {
            format!("{:.2} | {:.2} | {:.2}", m.latencies.at(0.5), m.latencies.at(0.99), m.latencies.max())
        };
        println!(
            "{} | {} | {} | {:.2} | {:.1}",
            run + 1,
            figures(&self.calm),
            figures(&self.hostile),
            self.ratio(0.99),
            kib(self.memory) / 1024.0
        );
    }
}

fn summarise(hostile: &Hostile, pairs: &[Pair]) -> Value {
    let ratios = |share| pairs.iter().map(|pair| pair.ratio(share)).collect::<Vec<f64>>();
    println!(
        "\nhostile / calm, median (least to greatest): p50 {}, p99 {}",
        spread(&ratios(0.5), 2),
        spread(&ratios(0.99), 2)
    );
    println!("stage, from the command sent | calm p50 ms | p99 | hostile p50 ms | p99");
    let of = |m: &Measured, index: usize, share| m.stages.as_ref().map_or(0.0, |stages| stages.0[index].1.at(share));
    let stages = pairs.first().and_then(|pair| pair.calm.stages.clone()).map_or(Vec::new(), |stages| stages.0);
    for (index, (stage, _)) in stages.iter().enumerate() {
        let calm = |share| median(pairs.iter().map(|pair| of(&pair.calm, index, share)).collect());
        let hostile = |share| median(pairs.iter().map(|pair| of(&pair.hostile, index, share)).collect());
        println!("{stage} | {:.2} | {:.2} | {:.2} | {:.2}", calm(0.5), calm(0.99), hostile(0.5), hostile(0.99));
    }
    println!("responses to the hostile clients, in the last run:");
    let mut answers = json!({});
    for (answer, times) in pairs.last().map_or(&[][..], |pair| &pair.answers) {
        println!("  {answer}: {times}");
        answers[answer] = json!(times);
    }
    let each = |of: &dyn Fn(&Pair) -> f64| figure(&pairs.iter().map(of).collect::<Vec<f64>>());
    json!({
        "listeners": hostile.audience.listeners, "projects": hostile.audience.projects, "rate": hostile.rate,
        "calm_p50_ms": each(&|pair| pair.calm.latencies.at(0.5)), "calm_p99_ms": each(&|pair| pair.calm.latencies.at(0.99)),
        "hostile_p50_ms": each(&|pair| pair.hostile.latencies.at(0.5)),
        "hostile_p99_ms": each(&|pair| pair.hostile.latencies.at(0.99)),
        "ratio_p50": figure(&ratios(0.5)), "ratio_p99": figure(&ratios(0.99)),
        "calm_connects_s": each(&|pair| pair.calm.connects.as_secs_f64()),
        "hostile_connects_s": each(&|pair| pair.hostile.connects.as_secs_f64()),
        "faults": pairs.iter().map(Pair::faults).sum::<u64>(),
        "server_bytes": each(&|pair| pair.memory as f64), "answers": answers,
    })
}
