//! Measures reads of a large database through HTTP, compared with pgbench running the same SQL.

/// A large database.
mod fill;
/// Reads, in HTTP and in SQL.
pub mod queries;

use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use self::queries::{Query, queries};
use crate::client::Client;
use crate::clients::{Measured, through_http};
use crate::floor::{beside_postgres, transactions};
use crate::statistics::{figure, median, millis, percentile, spread};
use crate::system::System;

/// Results of all runs of a read.
#[derive(Default)]
struct Results {
    http: Vec<Measured>,
    /// The same SQL, as the query-api's role.
    sql: Vec<f64>,
    /// The same SQL as the owner, to whom no policy applies.
    unguarded: Vec<f64>,
}

pub async fn run(clients: usize, seconds: u64, runs: usize) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let api = system.role("all").await?;
    let (mut someone, _) = api.someone().await?;
    let me = someone.json("GET", "/v1/me", String::new()).await?;
    let user = me["user_id"].as_str().context("who am I")?.parse()?;
    let pool = PgPool::connect(&system.database_url()?).await?;
    let filled = fill::fill(&pool, user).await?;
    pool.close().await;
    // Filling takes longer than the server keeps an idle connection open.
    let mut someone = Client::connect(&api.address, &someone.token).await?;
    println!(
        "{} tasks in {} projects, {} of them in one; {clients} clients; median (least to greatest) of {runs} runs of {seconds} s",
        filled.tasks, filled.projects, filled.in_one
    );
    println!("read | requests/s | p50 ms | p99 ms | pgbench/s | ratio | pgbench/s without policies | with / without");
    let mut report = Vec::new();
    for query in queries(&filled) {
        if !is_answered(&mut someone, &query).await? {
            println!("{} | is not served", query.name);
            continue;
        }
        let mut results = Results::default();
        for _ in 0..runs {
            let request = |n: usize| ("GET", (query.path)(n), String::new());
            results.sql.push(pgbench(&system, &query.sql, Some("taskfold_query"), clients, seconds).await?);
            results.http.push(through_http(&api.address, &someone.token, clients, seconds, request).await?);
            results.unguarded.push(pgbench(&system, &query.sql, None, clients, seconds).await?);
        }
        report.push(print_row(&query, &results));
    }
    drop(api);
    system.stop().await?;
    Ok(json!({"clients": clients, "tasks": filled.tasks, "reads": report}))
}

async fn is_answered(someone: &mut Client, query: &Query) -> anyhow::Result<bool> {
    let answer = someone.open("GET", &(query.path)(0), String::new()).await?;
    let found = answer.status() != 404;
    http_body_util::BodyExt::collect(answer.into_body()).await?;
    Ok(found)
}

fn print_row(query: &Query, results: &Results) -> Value {
    let rates: Vec<f64> = results.http.iter().map(|m| m.rate).collect();
    let at = |share| -> Vec<f64> { results.http.iter().map(|m| millis(percentile(&m.latencies, share))).collect() };
    let (p50, p99) = (at(0.5), at(0.99));
    let ratio = |of: &[f64], to: &[f64]| of.iter().zip(to).map(|(of, to)| of / to).collect::<Vec<f64>>();
    let (http, guard) = (ratio(&rates, &results.sql), ratio(&results.sql, &results.unguarded));
    println!(
        "{} | {} | {:.2} | {:.2} | {} | {} | {} | {}",
        query.name,
        spread(&rates, 0),
        median(p50.clone()),
        median(p99.clone()),
        spread(&results.sql, 0),
        spread(&http, 2),
        spread(&results.unguarded, 0),
        spread(&guard, 2)
    );
    json!({
        "read": query.name,
        "requests_per_second": figure(&rates),
        "p50_ms": figure(&p50),
        "p99_ms": figure(&p99),
        "pgbench_per_second": figure(&results.sql),
        "ratio": figure(&http),
        "pgbench_per_second_without_policies": figure(&results.unguarded),
        "ratio_with_policies": figure(&guard),
    })
}

/// Runs a read in SQL, in a transaction like the query-api's; returns transactions per second.
pub async fn pgbench(
    system: &System,
    sql: &str,
    role: Option<&str>,
    clients: usize,
    seconds: u64,
) -> anyhow::Result<f64> {
    let script = std::env::temp_dir().join(format!("taskfold-views-{}.sql", std::process::id()));
    std::fs::write(&script, sql)?;
    let mut command = Command::new(beside_postgres(system)?);
    command.arg("-f").arg(&script);
    if let Some(role) = role {
        command.env("PGOPTIONS", format!("-c role={role}"));
    }
    let rate = transactions(command, &system.database_url()?, clients, seconds).await;
    std::fs::remove_file(&script)?;
    rate
}
