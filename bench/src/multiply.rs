//! Makes a long log from a short one, by copying whole projects with other ids and other people.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::system::System;

/// Number of projects, and of tasks in each, that are created by real commands. Each task gets seven more events.
const PROJECTS: usize = 4;
const TASKS: usize = 60;

/// Computes the id of a copy. The first eight digits count the copies, like the time in the original ids, so that ids
/// stay in the order of their creation.
const ID: &str = "CREATE FUNCTION bench_id(id text, copy bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$ \
    SELECT lpad(to_hex(x'01a00000'::bigint + copy), 8, '0') || substr(id, 9) $$";

/// Appends $1 copies to the log. At the start, the log contains only the events of its seed.
const COPY: &[&str] = &[
    "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, words, salts, \
         project_id, actor_id, command_id, occurred_at, recorded_at) \
     SELECT h.position * c + e.position, e.aggregate_type, bench_id(e.aggregate_id, c), e.sequence, e.event_type, e.event_version, \
         replace(replace(e.payload::text, e.project_id::text, bench_id(e.project_id::text, c)), e.actor_id::text, \
             bench_id(e.actor_id::text, c))::json, e.words, e.salts, \
         bench_id(e.project_id::text, c)::uuid, bench_id(e.actor_id::text, c)::uuid, bench_id(e.command_id::text, c)::uuid, e.occurred_at, e.recorded_at \
     FROM log_head h, generate_series(1, $1::bigint) c, events e ORDER BY 1",
    "INSERT INTO commands SELECT bench_id(k.actor_id::text, c)::uuid, bench_id(k.command_id::text, c)::uuid, k.fingerprint, bench_id(k.aggregate_id, c), k.version, \
         h.position * c + k.first_position, h.position * c + k.last_position, bench_id(k.created_id::text, c)::uuid, k.created \
     FROM log_head h, generate_series(1, $1::bigint) c, commands k",
    "INSERT INTO aggregate_heads (aggregate_type, aggregate_id, version, position, command_id) \
     SELECT a.aggregate_type, bench_id(a.aggregate_id::text, c)::uuid, a.version, h.position * c + a.position, \
         bench_id(a.command_id::text, c)::uuid \
     FROM log_head h, generate_series(1, $1::bigint) c, aggregate_heads a",
    "INSERT INTO task_places SELECT bench_id(p.task_id::text, c)::uuid, bench_id(p.project_id::text, c)::uuid, p.column_id, p.rank, p.state \
     FROM generate_series(1, $1::bigint) c, task_places p",
    "UPDATE log_head SET position = position * (1 + $1::bigint)",
];

/// Makes a log of about this many events: tasks that were edited, moved, commented on and completed. Returns its last
/// position.
pub async fn write(database_url: &str, commands: &str, token: &str, events: i64) -> anyhow::Result<i64> {
    seed(commands, token).await?;
    let pool = PgPool::connect(database_url).await?;
    let seeded: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
    sqlx::query(ID).execute(&pool).await?;
    let mut tx = pool.begin().await?;
    for copy in COPY {
        sqlx::query(copy).bind((events / seeded - 1).max(0)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    // Autovacuum would do the same after a while.
    sqlx::query("VACUUM ANALYZE").execute(&pool).await?;
    let head = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
    pool.close().await;
    Ok(head)
}

async fn seed(commands: &str, token: &str) -> anyhow::Result<()> {
    let mut owner = Client::connect(commands, token).await?;
    for project in 0..PROJECTS {
        let project =
            owner.json("POST", "/v1/projects", json!({"name": format!("Project {project}")}).to_string()).await?;
        let project = text(&project, "id")?.to_owned();
        let label = json!({"name": "bug", "color": "red"}).to_string();
        owner.send("POST", &format!("/v1/projects/{project}/labels"), label).await?;
        for number in 0..TASKS {
            let task = json!({"title": format!("Task {number} of this project"), "description": "A line that says a little more."});
            let task = owner.json("POST", &format!("/v1/projects/{project}/tasks"), task.to_string()).await?;
            let task = format!("/v1/tasks/{}", text(&task, "id")?);
            for (method, command, body) in [
                ("PATCH", "", json!({"title": format!("A better name for task {number}")})),
                ("PATCH", "", json!({"priority": "high", "estimate_minutes": 30})),
                ("POST", "/start", json!({})),
                ("POST", "/comments", json!({"text": "Half of it is done, the other half needs another look."})),
                ("POST", "/complete", json!({})),
            ] {
                owner.send(method, &format!("{task}{command}"), body.to_string()).await?;
            }
        }
    }
    Ok(())
}

/// Marks the read tables as those of an earlier version, which the next projector rebuilds: a rebuild of a million
/// events is faster than projecting them.
pub async fn leave_to_a_rebuild(database_url: &str) -> anyhow::Result<()> {
    let pool = PgPool::connect(database_url).await?;
    sqlx::query("UPDATE projection_checkpoint SET versions = '{}', position = (SELECT position FROM log_head)")
        .execute(&pool)
        .await?;
    pool.close().await;
    Ok(())
}

/// Starts the stream after the last position of the log, so that nothing of the log has to be published.
pub async fn skip_stream(system: &System, head: i64) -> anyhow::Result<()> {
    let pool = PgPool::connect(&system.database_url()?).await?;
    let log = taskfold_event_log::identity(&pool).await?;
    pool.close().await;
    let jetstream = async_nats::jetstream::new(system.nats().await?);
    let mut config = taskfold_projector::stream::config("TASKFOLD", &log, None, 1);
    config.first_sequence = Some(u64::try_from(head)? + 1);
    jetstream.create_stream(config).await?;
    Ok(())
}

/// Waits until the read tables contain the whole log.
pub async fn until_projected(pool: &PgPool) -> anyhow::Result<()> {
    let current = "SELECT c.versions <> '{}' AND c.position = h.position FROM projection_checkpoint c, log_head h";
    while !sqlx::query_scalar::<_, bool>(current).fetch_one(pool).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
