//! Fills a log with a long history.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::projects::Projects;
use crate::system::Process;

/// Number of tasks in each project, so that no aggregate gets an unrealistically long history.
const TASKS: usize = 50;

/// Time limit for the projector to process all of it.
const LIMIT: Duration = Duration::from_secs(3600);

/// Inserts renames repeatedly, each at the next position of the log and the next version of its task.
const FILL: &str = "\
WITH before AS (SELECT position FROM log_head FOR UPDATE), \
     renamed AS (SELECT row_number() OVER (ORDER BY position) - 1 AS number, count(*) OVER () AS tasks, * FROM events \
                 WHERE event_type = 'task.renamed') \
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, words, \
                    salts, project_id, actor_id, command_id, occurred_at, recorded_at) \
SELECT before.position + n, r.aggregate_type, r.aggregate_id, r.sequence + 1 + (n - 1) / r.tasks, r.event_type, \
       r.event_version, r.payload, r.words, r.salts, r.project_id, r.actor_id, gen_random_uuid(), \
       r.occurred_at, r.recorded_at \
FROM before, generate_series(1, $1) n JOIN renamed r ON r.number = (n - 1) % r.tasks";

/// Sets the heads of the aggregates to their last events.
const HEADS: &str = "\
UPDATE aggregate_heads h SET version = e.sequence, position = e.position, command_id = e.command_id \
FROM (SELECT DISTINCT ON (aggregate_type, aggregate_id) * FROM events \
      ORDER BY aggregate_type, aggregate_id, sequence DESC) e \
WHERE h.aggregate_id = e.aggregate_id::uuid AND h.aggregate_type = e.aggregate_type";

/// A history that was written.
pub struct History {
    /// The last position.
    pub head: i64,
    pub writing: Duration,
    /// Time until all of it was projected and published.
    pub projecting: Duration,
}

/// Gives the projects this many events, and waits until they are projected and published.
pub async fn write(
    database_url: &str,
    commands: &Process,
    projector: &Process,
    projects: &Projects,
    events: i64,
) -> anyhow::Result<History> {
    rename_tasks(&commands.address, projects).await?;
    let began = Instant::now();
    let pool = PgPool::connect(database_url).await?;
    let head = fill(&pool, events).await?;
    pool.close().await;
    let writing = began.elapsed();
    until_published(projector, head).await?;
    Ok(History { head, writing, projecting: began.elapsed() - writing })
}

async fn rename_tasks(commands: &str, projects: &Projects) -> anyhow::Result<()> {
    let mut owner = Client::connect(commands, &projects.tokens[0]).await?;
    for number in 0..TASKS * projects.list.len() {
        let path = format!("/v1/projects/{}/tasks", projects.list[number % projects.list.len()].id);
        let task = owner.json("POST", &path, json!({"title": format!("Task {number}")}).to_string()).await?;
        let path = format!("/v1/tasks/{}", text(&task, "id")?);
        owner.send("PATCH", &path, json!({"title": format!("A better name for task {number}")}).to_string()).await?;
    }
    Ok(())
}

/// Inserts events directly, without the append; returns the last position of the log.
async fn fill(pool: &PgPool, events: i64) -> anyhow::Result<i64> {
    let mut tx = pool.begin().await?;
    sqlx::query(FILL).bind(events).execute(&mut *tx).await?;
    sqlx::query(HEADS).execute(&mut *tx).await?;
    let head = sqlx::query_scalar("UPDATE log_head SET position = position + $1 RETURNING position")
        .bind(events)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("SELECT pg_notify('taskfold_events', $1)").bind(format!("{head}")).execute(&mut *tx).await?;
    tx.commit().await?;
    // Autovacuum would do the same after a while.
    sqlx::query("VACUUM ANALYZE events").execute(pool).await?;
    Ok(head)
}

/// Waits until the projector's own metrics report that everything is published.
async fn until_published(projector: &Process, head: i64) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut client = Client::connect(&projector.address, "").await?;
        let metrics = client.send("GET", "/metrics", String::new()).await?;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let value = metrics.lines().find_map(|line| line.strip_prefix("taskfold_published_position ")?.parse().ok());
        if value.is_some_and(|position: f64| position >= head as f64) {
            return Ok(());
        }
        ensure!(began.elapsed() < LIMIT, "published {value:?} of {head}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
