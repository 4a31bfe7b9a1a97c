//! Whether a long log makes anything slower, and how large it is.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::clients::{Measured, through_http};
use crate::figures::{figure, millis, percentile, spread};
use crate::floor::Floor;
use crate::multiply;
use crate::system::System;

/// Tasks that are changed and read.
const TASKS: usize = 512;

/// A request, by its number.
type Request = Box<dyn Fn(usize) -> (&'static str, String, String)>;

pub async fn run(sizes: &[i64], clients: usize, seconds: u64, runs: usize) -> anyhow::Result<Value> {
    let mut results = Vec::new();
    for events in sizes {
        results.push(with(*events, clients, seconds, runs).await?);
    }
    Ok(Value::Array(results))
}

async fn with(events: i64, clients: usize, seconds: u64, runs: usize) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let floor = Floor::new(&system).await?;
    let commands = system.role("command-api").await?;
    let (mut someone, project) = commands.someone().await?;
    let url = system.database_url()?;
    let head = multiply::write(&url, &commands.address, &someone.token, events).await?;
    multiply::leave_to_a_rebuild(&url).await?;
    multiply::skip_stream(&system.nats_url()?, head).await?;
    drop(commands);
    let api = system.role("all").await?;
    let pool = PgPool::connect(&url).await?;
    multiply::until_projected(&pool).await?;
    someone = Client::connect(&api.address, &someone.token).await?;
    let requests = requests(&mut someone, &project).await?;
    println!("a log of {head} events, {clients} clients; median (least to greatest) of {runs} runs of {seconds} s");
    println!("what | a second | ratio to pgbench inserting | p99 ms");
    let mut measured: Vec<Vec<(Measured, f64)>> = requests.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for ((_, request), results) in requests.iter().zip(&mut measured) {
            let inserted = floor.measure(clients, seconds).await?;
            results.push((through_http(&api.address, &someone.token, clients, seconds, request).await?, inserted));
        }
    }
    let rows: Vec<Value> = requests.iter().zip(&measured).map(|((what, _), results)| tell(what, results)).collect();
    let sizes = disk(&pool, head).await?;
    pool.close().await;
    drop((api, floor));
    system.stop().await?;
    Ok(json!({"events": head, "measured": rows, "disk": sizes}))
}

async fn requests(someone: &mut Client, project: &str) -> anyhow::Result<Vec<(&'static str, Request)>> {
    let path = format!("/v1/projects/{project}");
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        let made =
            someone.json("POST", &format!("{path}/tasks"), json!({"title": format!("task {n}")}).to_string()).await?;
        tasks.push(format!("/v1/tasks/{}", text(&made, "id")?));
    }
    let get = |path: String| -> Request { Box::new(move |_| ("GET", path.clone(), String::new())) };
    let (create, update, read, history) = (format!("{path}/tasks"), tasks.clone(), tasks.clone(), tasks);
    Ok(vec![
        ("create", Box::new(move |n| ("POST", create.clone(), json!({"title": format!("created {n}")}).to_string()))),
        (
            "update",
            Box::new(move |n| {
                ("PATCH", update[n % TASKS].clone(), json!({"title": format!("renamed {n}")}).to_string())
            }),
        ),
        ("task", Box::new(move |n| ("GET", read[n % TASKS].clone(), String::new()))),
        ("history", Box::new(move |n| ("GET", format!("{}/history", history[n % TASKS]), String::new()))),
        ("list of 50", get(format!("{path}/tasks?limit=50"))),
        ("catch-up page of 500", get(format!("{path}/events?since=0&limit=500"))),
    ])
}

fn tell(what: &str, results: &[(Measured, f64)]) -> Value {
    let rates: Vec<f64> = results.iter().map(|(m, _)| m.rate).collect();
    let ratios: Vec<f64> = results.iter().map(|(m, floor)| m.rate / floor).collect();
    let p99: Vec<f64> = results.iter().map(|(m, _)| millis(percentile(&m.latencies, 0.99))).collect();
    println!("{what} | {} | {} | {}", spread(&rates, 0), spread(&ratios, 2), spread(&p99, 1));
    json!({"what": what, "per_second": figure(&rates), "ratio_to_pgbench": figure(&ratios), "p99_ms": figure(&p99)})
}

/// What the log takes on disk, and how often each of its indexes was used.
async fn disk(pool: &PgPool, head: i64) -> anyhow::Result<Value> {
    let sizes: Vec<(String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT t.name, pg_table_size(t.name::regclass), NULL::bigint \
             FROM unnest(ARRAY ['events', 'commands', 'task_places']) AS t (name) \
         UNION ALL SELECT indexrelname::text, pg_relation_size(indexrelid), idx_scan FROM pg_stat_user_indexes \
             WHERE relname IN ('events', 'commands', 'task_places')",
    )
    .fetch_all(pool)
    .await?;
    println!("on disk | bytes an event | times used");
    for (name, bytes, used) in &sizes {
        let used = used.map_or_else(String::new, |used| used.to_string());
        println!("{name} | {:.0} | {used}", *bytes as f64 / head as f64);
    }
    let rows = sizes.into_iter().map(|(name, bytes, used)| json!({"name": name, "bytes": bytes, "used": used}));
    Ok(rows.collect())
}
