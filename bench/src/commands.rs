//! Measures commands per second through HTTP, as a ratio to pgbench inserting one row at a time.

use serde_json::{Value, json};

use crate::client::text;
use crate::clients::{Measured, through_http};
use crate::floor::Floor;
use crate::statistics::{figure, median, millis, percentile, spread};
use crate::system::System;

/// Number of tasks that are updated: more than clients, so that two clients rarely update the same one.
const TASKS: usize = 512;

/// Roles that serve the commands: with projector, publisher and streams in the same process, and without.
const ROLES: [&str; 2] = ["all", "command-api"];

pub async fn run(clients: &[usize], seconds: u64, runs: usize) -> anyhow::Result<Value> {
    println!("commands/s through HTTP; median (least to greatest) of {runs} runs of {seconds} s");
    let mut by_role = Vec::new();
    for role in ROLES {
        by_role.push(json!({"role": role, "by_clients": of_role(role, clients, seconds, runs).await?}));
    }
    Ok(Value::from(by_role))
}

async fn of_role(role: &str, clients: &[usize], seconds: u64, runs: usize) -> anyhow::Result<Vec<Value>> {
    let system = System::start().await?;
    let floor = Floor::new(&system).await?;
    let api = system.role(role).await?;
    let (mut someone, project) = api.someone().await?;
    let mut tasks = Vec::new();
    for i in 0..TASKS {
        let made = someone
            .json("POST", &format!("/v1/projects/{project}/tasks"), json!({"title": format!("task {i}")}).to_string())
            .await?;
        tasks.push(text(&made, "id")?.to_owned());
    }
    println!("\n{role}");
    println!("clients | pgbench rows/s | create/s | ratio | p50 ms | p99 ms | update/s | ratio | p50 ms | p99 ms");
    let mut by_clients = Vec::new();
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
        let (create, update) = (print_row(&creates, &floors), print_row(&updates, &floors));
        println!();
        by_clients.push(json!({
            "clients": clients, "pgbench_rows_per_second": figure(&floors), "create": create, "update": update,
        }));
    }
    drop(api);
    drop(floor);
    system.stop().await?;
    Ok(by_clients)
}

/// Prints the results on the same line as the floor.
fn print_row(measured: &[Measured], floors: &[f64]) -> Value {
    let rates: Vec<f64> = measured.iter().map(|m| m.rate).collect();
    let ratios: Vec<f64> = rates.iter().zip(floors).map(|(rate, floor)| rate / floor).collect();
    let at = |share| -> Vec<f64> { measured.iter().map(|m| millis(percentile(&m.latencies, share))).collect() };
    let (p50, p99) = (at(0.5), at(0.99));
    let (p50_ms, p99_ms) = (median(p50.clone()), median(p99.clone()));
    print!(" | {} | {} | {p50_ms:.2} | {p99_ms:.2}", spread(&rates, 0), spread(&ratios, 2));
    json!({
        "commands_per_second": figure(&rates), "ratio_to_pgbench": figure(&ratios), "p50_ms": figure(&p50),
        "p99_ms": figure(&p99),
    })
}
