//! Measures how the latency of commands and reads, and the disk usage, depend on the length of the log.

use anyhow::Context as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::clients::{Measured, Request, measure, through_http};
use crate::floor::Floor;
use crate::multiply;
use crate::statistics::{figure, millis, percentile, spread};
use crate::system::System;
use crate::views::pgbench;
use crate::views::queries::{CARD, as_read};

/// Number of tasks that are changed and read.
const TASKS: usize = 512;
const EVENT: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, (payload -> 'changes')::text, project_id, \
    actor_id, command_id, occurred_at, recorded_at, traceparent";

/// An operation that is repeated.
struct Operation {
    what: &'static str,
    request: Request,
    /// SQL of the same read for pgbench; `None` for writes, which are compared with inserting.
    sql: Option<String>,
    /// Set if the clients already have the response and send its `ETag`.
    known: bool,
}

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
    multiply::skip_stream(&system, head).await?;
    drop(commands);
    let api = system.role("all").await?;
    let pool = PgPool::connect(&url).await?;
    multiply::until_projected(&pool).await?;
    someone = Client::connect(&api.address, &someone.token).await?;
    let operations = operations(&mut someone, &project).await?;
    println!("a log of {head} events, {clients} clients; median (least to greatest) of {runs} runs of {seconds} s");
    println!("what | a second | ratio to pgbench inserting, or reading the same | p99 ms");
    let mut measured: Vec<Vec<(Measured, f64)>> = operations.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (operation, results) in operations.iter().zip(&mut measured) {
            let beside = match &operation.sql {
                Some(sql) => pgbench(&system, sql, Some("taskfold_query"), clients, seconds).await?,
                None => floor.measure(clients, seconds).await?,
            };
            results.push((ask(&api.address, &someone.token, clients, seconds, operation).await?, beside));
        }
    }
    let rows: Vec<Value> =
        operations.iter().zip(&measured).map(|(operation, results)| print_row(operation.what, results)).collect();
    let sizes = disk(&pool, head).await?;
    pool.close().await;
    drop((api, floor));
    system.stop().await?;
    Ok(json!({"events": head, "measured": rows, "disk": sizes}))
}

async fn ask(
    address: &str,
    token: &str,
    clients: usize,
    seconds: u64,
    operation: &Operation,
) -> anyhow::Result<Measured> {
    if !operation.known {
        return through_http(address, token, clients, seconds, &operation.request).await;
    }
    let connect = async || {
        let mut client = Client::connect(address, token).await?;
        let (method, path, body) = (operation.request)(0);
        let answer = client.open(method, &path, body).await?;
        let tag = answer.headers().get("etag").context("no tag")?.to_str()?.to_owned();
        answer.into_body().collect().await?;
        client.known = Some(tag);
        Ok(client)
    };
    let send = async |client: &mut Client, n| {
        let (method, path, body) = (operation.request)(n);
        client.send(method, &path, body).await?;
        Ok(())
    };
    measure(clients, seconds, connect, send).await
}

async fn operations(someone: &mut Client, project: &str) -> anyhow::Result<Vec<Operation>> {
    let me = someone.json("GET", "/v1/me", String::new()).await?;
    let user = text(&me, "user_id")?;
    let path = format!("/v1/projects/{project}");
    let mut ids = Vec::new();
    for n in 0..TASKS {
        let made =
            someone.json("POST", &format!("{path}/tasks"), json!({"title": format!("task {n}")}).to_string()).await?;
        ids.push(text(&made, "id")?.to_owned());
    }
    let one = ids.first().context("no tasks")?.clone();
    let list = format!("{path}/tasks?limit=50");
    let get = |path: String| -> Request { Box::new(move |_| ("GET", path.clone(), String::new())) };
    let of_task = |rest: &'static str| -> Request {
        let ids = ids.clone();
        Box::new(move |n| ("GET", format!("/v1/tasks/{}{rest}", ids[n % TASKS]), String::new()))
    };
    let reading = |what, request, sql: String| Operation {
        what,
        request,
        sql: Some(as_read(user, Some(project), &sql)),
        known: false,
    };
    let writing = |what, request| Operation { what, request, sql: None, known: false };
    let (create, update) = (format!("{path}/tasks"), ids.clone());
    let page = format!(
        "SELECT {CARD}, description FROM tasks WHERE project_id = '{project}' AND NOT archived AND NOT deleted \
         ORDER BY created_at, task_id LIMIT 51"
    );
    Ok(vec![
        writing(
            "create",
            Box::new(move |n| ("POST", create.clone(), json!({"title": format!("created {n}")}).to_string())),
        ),
        writing(
            "update",
            Box::new(move |n| {
                let title = json!({"title": format!("renamed {n}")}).to_string();
                ("PATCH", format!("/v1/tasks/{}", update[n % TASKS]), title)
            }),
        ),
        reading("task", of_task(""), format!("SELECT {CARD}, description FROM tasks WHERE task_id = '{one}'")),
        reading(
            "history",
            of_task("/history"),
            format!(
                "SELECT {EVENT} FROM events WHERE aggregate_type = 'task' AND aggregate_id = '{one}' ORDER BY sequence DESC LIMIT 51"
            ),
        ),
        reading("list of 50", get(list.clone()), page.clone()),
        Operation { known: true, ..reading("list of 50, unchanged: 304", get(list), page) },
        reading(
            "catch-up page of 500",
            get(format!("{path}/events?since=0&limit=500")),
            format!(
                "SELECT {EVENT} FROM events WHERE position = ANY (ARRAY(SELECT e.position FROM events e \
                 WHERE (e.project_id, e.position) > ('{project}', 0) AND (e.project_id, e.position) <= ('{project}', 1000000000) \
                 ORDER BY e.project_id, e.position LIMIT 501)) ORDER BY position"
            ),
        ),
    ])
}

fn print_row(what: &str, results: &[(Measured, f64)]) -> Value {
    let rates: Vec<f64> = results.iter().map(|(m, _)| m.rate).collect();
    let ratios: Vec<f64> = results.iter().map(|(m, floor)| m.rate / floor).collect();
    let p99: Vec<f64> = results.iter().map(|(m, _)| millis(percentile(&m.latencies, 0.99))).collect();
    println!("{what} | {} | {} | {}", spread(&rates, 0), spread(&ratios, 2), spread(&p99, 1));
    json!({"what": what, "per_second": figure(&rates), "ratio_to_pgbench": figure(&ratios), "p99_ms": figure(&p99)})
}

/// Disk usage of the log, and how often each of its indexes was used.
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
