//! Printed and JSON results of the live measurements.

use std::num::NonZeroUsize;

use serde_json::{Value, json};

use super::Load;
use super::measure::Measured;
use super::peers::Peer;
use crate::projects::Audience;
use crate::statistics::{figure, median, spread};

/// Percentiles that are reported; 1 is the maximum.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

pub fn head(audience: &Audience, instances: NonZeroUsize, load: Load, runs: usize) {
    let Audience { listeners, projects, projects_per_stream, .. } = audience;
    let each = projects_per_stream.map_or(String::new(), |count| format!(", each following {count}"));
    let times = if instances == NonZeroUsize::MIN { String::new() } else { format!("{instances} x ") };
    println!(
        "{times}{listeners} listeners in {projects} projects{each}; {} commands/s in all, {runs} runs of {} s; ms from command sent to frame received",
        load.rate, load.seconds
    );
    println!(
        "run | server | p50 | p90 | p99 | max | CPU s per 1M deliveries | KiB a connection | all connected after s | deliveries | lost | doubled"
    );
}

pub fn run(run: usize, server: &str, measured: &Measured) {
    let at = SHARES.map(|(_, share)| format!("{:.2}", latency(measured, share)));
    let cpu = measured.cpu.iter().map(|(name, _)| format!("{name} {:.1}", measured.cpu_per_million(&[name])));
    let memory = measured.memory.iter().map(|bytes| format!("{:.1}", bytes / 1024.0));
    println!(
        "{} | {server} | {} | {} | {} | {:.2} | {} | {} | {}",
        run + 1,
        at.join(" | "),
        cpu.collect::<Vec<_>>().join(", "),
        memory.collect::<Vec<_>>().join(", "),
        measured.connects.as_secs_f64(),
        measured.deliveries,
        measured.lost,
        measured.doubled
    );
}

/// Medians, stages and ratios.
pub fn all(audience: &Audience, load: Load, roles: &[&str], ours: &[Measured], peers: &[Peer]) -> Value {
    println!("\nmedian (least to greatest):");
    let mut summary = json!({
        "listeners": audience.listeners, "projects": audience.projects, "rate": load.rate, "seconds": load.seconds,
        "projects_per_stream": audience.projects_per_stream, "taskfold": summarise("taskfold", roles, ours),
    });
    stages(ours);
    for peer in peers {
        let name = peer.name.replace(' ', "_");
        summary[&name] = summarise(peer.name, &[peer.name], &peer.runs);
        summary[&name]["taskfold_ratios"] = ratios(roles, ours, peer);
    }
    summary
}

fn summarise(server: &str, roles: &[&str], runs: &[Measured]) -> Value {
    let mut summary = json!({
        "deliveries": runs.iter().map(|m| m.deliveries).sum::<u64>(),
        "heartbeats": runs.iter().map(|m| m.heartbeats).sum::<u64>(),
        "lost": runs.iter().map(|m| m.lost).sum::<u64>(),
        "doubled": runs.iter().map(|m| m.doubled).sum::<u64>(),
    });
    let mut print_figure = |name: &str, key: &str, values: Vec<f64>| {
        println!("{server}: {name} {}", spread(&values, 2));
        summary[key] = figure(&values);
    };
    for (name, share) in SHARES {
        print_figure(&format!("{name} ms"), &format!("{name}_ms"), each(runs, |m| latency(m, share)));
    }
    print_figure("CPU s per 1M deliveries", "cpu_s_per_million", each(runs, |m| m.cpu_per_million(roles)));
    for (name, _) in runs.first().into_iter().flat_map(|m| &m.cpu) {
        let key = format!("cpu_s_per_million_{}", name.replace([' ', '-'], "_"));
        print_figure(
            &format!("CPU s per 1M deliveries, {name} alone"),
            &key,
            each(runs, |m| m.cpu_per_million(&[name])),
        );
    }
    // Later runs find memory that the first run left allocated.
    let memory = runs.first().map_or(&[][..], |m| &m.memory);
    print_figure(
        "KiB a connection (first run)",
        "kib_per_connection",
        memory.iter().map(|bytes| bytes / 1024.0).collect(),
    );
    print_figure("all connected after s", "connects_s", each(runs, |m| m.connects.as_secs_f64()));
    let stages = runs.first().and_then(|m| m.stages.as_ref()).map_or(Vec::new(), |stages| stages.0.clone());
    for (index, (stage, _)) in stages.iter().enumerate() {
        let at = |share| each(runs, |m| m.stages.as_ref().map_or(0.0, |stages| stages.0[index].1.at(share)));
        summary["stages"][stage] = json!({"p50_ms": figure(&at(0.5)), "p99_ms": figure(&at(0.99))});
    }
    summary
}

/// Prints the medians of the stages over the runs, cumulative from the time at which the command was sent.
fn stages(runs: &[Measured]) {
    let stages: Vec<_> = runs.iter().filter_map(|m| m.stages.as_ref()).collect();
    let Some(first) = stages.first() else { return };
    println!("stage, from the command sent | p50 ms | p99 ms");
    for (index, (stage, _)) in first.0.iter().enumerate() {
        let at = |share| median(stages.iter().map(|stages| stages.0[index].1.at(share)).collect());
        println!("{stage} | {:.2} | {:.2}", at(0.5), at(0.99));
    }
}

fn ratios(roles: &[&str], ours: &[Measured], peer: &Peer) -> Value {
    let mut ratios = json!({});
    let mut print_figure = |name: &str, key: &str, of: &dyn Fn(&Measured) -> f64, to: &dyn Fn(&Measured) -> f64| {
        let values: Vec<f64> = ours.iter().zip(&peer.runs).map(|(ours, theirs)| of(ours) / to(theirs)).collect();
        println!("taskfold / {}: {name} {}", peer.name, spread(&values, 2));
        ratios[key] = figure(&values);
    };
    for (name, share) in SHARES {
        print_figure(name, name, &|m| latency(m, share), &|m| latency(m, share));
    }
    print_figure("CPU a delivery", "cpu", &|m| m.cpu_per_million(roles), &|m| m.cpu_per_million(&[peer.name]));
    let mut with_servers = roles.to_vec();
    with_servers.extend(["postgres", "nats"]);
    print_figure(
        "CPU a delivery, PostgreSQL and NATS included",
        "cpu_with_servers",
        &|m| m.cpu_per_million(&with_servers),
        &|m| m.cpu_per_million(&[peer.name]),
    );
    ratios
}

fn each(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

/// Latency in milliseconds.
fn latency(measured: &Measured, share: f64) -> f64 {
    if share >= 1.0 { measured.latencies.max() } else { measured.latencies.at(share) }
}
