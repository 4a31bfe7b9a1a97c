use std::time::Duration;

use serde_json::json;

use crate::client::text;
use crate::clients::through_http;
use crate::figures::{median, millis, percentile, spread};
use crate::floor::Floor;
use crate::system::System;

/// Tasks that updates go to: more than clients, so that they seldom meet.
const TASKS: usize = 512;

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
            creates.push(through_http(&api.address, &someone.token, clients, seconds, create).await?);
            let update = |n: usize| {
                (
                    "PATCH",
                    format!("/v1/tasks/{}", tasks[n % TASKS]),
                    json!({"title": format!("renamed {n}")}).to_string(),
                )
            };
            updates.push(through_http(&api.address, &someone.token, clients, seconds, update).await?);
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
