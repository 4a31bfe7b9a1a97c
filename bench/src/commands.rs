use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;

use crate::client::{Client, text};
use crate::figures::{median, millis, percentile, spread};
use crate::floor::Floor;
use crate::system::System;

/// Tasks that updates go to: more than clients, so that they seldom meet.
const TASKS: usize = 512;

/// What one measurement came to.
pub struct Measured {
    pub rate: f64,
    /// Sorted.
    pub latencies: Vec<Duration>,
}

pub async fn run(clients: &[usize], seconds: u64, runs: usize) -> anyhow::Result<()> {
    let system = System::start().await?;
    let floor = Floor::new(&system).await?;
    let api = system.role("all").await?;
    let (mut someone, project) = api.someone().await?;
    let mut tasks = Vec::new();
    for i in 0..TASKS {
        let made = someone
            .json("POST", &format!("/v1/projects/{project}/tasks"), json!({"title": format!("task {i}")}).to_string())
            .await?;
        tasks.push(text(&made, "id")?.to_owned());
    }
    println!(
        "commands/s through HTTP, all roles in one process; median (least to greatest) of {runs} runs of {seconds} s"
    );
    println!("clients | pgbench rows/s | create/s | ratio | p50 ms | p99 ms | update/s | ratio | p50 ms | p99 ms");
    for &clients in clients {
        let (mut floors, mut creates, mut updates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            floors.push(floor.measure(clients, seconds).await?);
            let path = format!("/v1/projects/{project}/tasks");
            let create = |n: usize| ("POST", path.clone(), json!({"title": format!("created {n}")}).to_string());
            creates.push(measure(&api.address, &someone.token, clients, seconds, create).await?);
            let update = |n: usize| {
                (
                    "PATCH",
                    format!("/v1/tasks/{}", tasks[n % TASKS]),
                    json!({"title": format!("renamed {n}")}).to_string(),
                )
            };
            updates.push(measure(&api.address, &someone.token, clients, seconds, update).await?);
        }
        print!("{clients} | {}", spread(&floors, 0));
        for measured in [&creates, &updates] {
            let rates: Vec<f64> = measured.iter().map(|m| m.rate).collect();
            let ratios: Vec<f64> = rates.iter().zip(&floors).map(|(rate, floor)| rate / floor).collect();
            let at = |share| median(measured.iter().map(|m| percentile(&m.latencies, share).as_secs_f64()).collect());
            let (p50, p99) = (Duration::from_secs_f64(at(0.5)), Duration::from_secs_f64(at(0.99)));
            print!(" | {} | {} | {} | {}", spread(&rates, 0), spread(&ratios, 2), millis(p50), millis(p99));
        }
        println!();
    }
    drop(api);
    drop(floor);
    system.stop().await
}

/// Each client sends one command after the other on a connection of its own.
pub async fn measure(
    address: &str,
    token: &str,
    clients: usize,
    seconds: u64,
    request: impl Fn(usize) -> (&'static str, String, String),
) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let request = &request;
    let each = (0..clients).map(|client| async move {
        let mut connection = Client::connect(address, token).await?;
        let mut latencies = Vec::new();
        let mut n = client;
        while Instant::now() < until {
            let (method, path, body) = request(n);
            let sent = Instant::now();
            connection.send(method, &path, body).await?;
            latencies.push(sent.elapsed());
            n += clients;
        }
        anyhow::Ok(latencies)
    });
    let mut latencies: Vec<Duration> = try_join_all(each).await?.into_iter().flatten().collect();
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Measured { rate, latencies })
}
