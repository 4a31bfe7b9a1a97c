//! Measures a rebuild of a long log while a person works: its duration and memory, and the latencies of the person's
//! requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::multiply;
use crate::projects::position_of;
use crate::system::System;
use crate::usage::{kib, peak_memory};

/// Interval between two actions of the person.
const EVERY: Duration = Duration::from_millis(50);
/// Duration of the work before the rebuild, for comparison.
const CALM: Duration = Duration::from_secs(10);

pub async fn run(events: i64, runs: usize) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let commands = system.role("command-api").await?;
    let (someone, project) = commands.someone().await?;
    let url = system.database_url()?;
    let head = multiply::write(&url, &commands.address, &someone.token, events).await?;
    multiply::leave_to_a_rebuild(&url).await?;
    multiply::skip_stream(&system, head).await?;
    let pool = PgPool::connect(&url).await?;
    let began = Instant::now();
    let _projector = system.role("projector").await?;
    multiply::until_projected(&pool).await?;
    println!("a log of {head} events; the projector made the read tables in {:.1} s", began.elapsed().as_secs_f64());
    let reads = system.role("query-api").await?;

    let work = async |stop: &AtomicBool| work(&commands.address, &reads.address, &someone.token, &project, stop).await;
    let mut results = Vec::new();
    for _ in 0..runs {
        let stop = AtomicBool::new(false);
        let (calm, ()) = tokio::join!(work(&stop), async {
            tokio::time::sleep(CALM).await;
            stop.store(true, Ordering::Relaxed);
        });
        let stop = AtomicBool::new(false);
        let began = Instant::now();
        let mut rebuild = system.command("rebuild")?.spawn()?;
        let pid = rebuild.id();
        let rebuilding = async {
            let ((), peak) = peak_memory(pid, async {
                while rebuild.try_wait().is_ok_and(|ended| ended.is_none()) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await?;
            stop.store(true, Ordering::Relaxed);
            ensure!(rebuild.wait()?.success(), "the rebuild failed");
            Ok((began.elapsed(), peak))
        };
        let (meanwhile, rebuilt) = tokio::join!(work(&stop), rebuilding);
        let ((took, peak), calm, meanwhile) = (rebuilt?, calm?, meanwhile?);
        println!(
            "rebuilt, compared and switched in {:.1} s, {:.0} MiB at most",
            took.as_secs_f64(),
            kib(peak) / 1024.0
        );
        println!(
            "a command and the read of it, ms p50 / p99 / longest: calm {}, meanwhile {}",
            said(&calm),
            said(&meanwhile)
        );
        results.push(json!({
            "seconds": took.as_secs_f64(), "peak_bytes": peak,
            "calm_ms": statistics(&calm), "meanwhile_ms": statistics(&meanwhile),
        }));
    }
    drop((commands, reads));
    pool.close().await;
    drop(_projector);
    system.stop().await?;
    Ok(json!({"events": head, "runs": results}))
}

/// Creates a task and reads it, repeatedly; returns the duration of both together, in microseconds.
async fn work(
    commands: &str,
    reads: &str,
    token: &str,
    project: &str,
    stop: &AtomicBool,
) -> anyhow::Result<Histogram<u64>> {
    let mut writer = Client::connect(commands, token).await?;
    let mut reader = Client::connect(reads, token).await?;
    let mut latencies = Histogram::new(3)?;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let made = writer
            .json("POST", &format!("/v1/projects/{project}/tasks"), json!({"title": "Meanwhile"}).to_string())
            .await?;
        let at = position_of(&made)?;
        let path = format!("/v1/tasks/{}?min_position={at}", text(&made, "id")?);
        reader.send("GET", &path, String::new()).await?;
        latencies.record(u64::try_from(began.elapsed().as_micros())?)?;
        tokio::time::sleep(EVERY).await;
    }
    Ok(latencies)
}

fn statistics(latencies: &Histogram<u64>) -> [f64; 3] {
    let ms = |micros: u64| micros as f64 / 1000.0;
    [ms(latencies.value_at_quantile(0.5)), ms(latencies.value_at_quantile(0.99)), ms(latencies.max())]
}

fn said(latencies: &Histogram<u64>) -> String {
    statistics(latencies).map(|ms| format!("{ms:.1}")).join(" / ")
}
