use serde_json::json;
use sqlx::PgPool;

use crate::client::{Client, text};
use crate::rooms::Rooms;

/// Tasks in each project, which the events are of: no aggregate has a history that nobody would have.
const TASKS: usize = 50;

/// Renames that happened, again and again, each at the next position of the log and the next version of its task.
const FILL: &str = "\
WITH before AS (SELECT position FROM log_head FOR UPDATE), \
     renamed AS (SELECT row_number() OVER (ORDER BY position) - 1 AS number, count(*) OVER () AS tasks, * FROM events \
                 WHERE event_type = 'task.renamed') \
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, project_id, \
                    actor_id, command_id, occurred_at, recorded_at) \
SELECT before.position + n, r.aggregate_type, r.aggregate_id, r.sequence + 1 + (n - 1) / r.tasks, r.event_type, \
       r.event_version, r.payload, r.project_id, r.actor_id, gen_random_uuid(), r.occurred_at, r.recorded_at \
FROM before, generate_series(1, $1) n JOIN renamed r ON r.number = (n - 1) % r.tasks";

pub async fn tasks(commands: &str, rooms: &Rooms) -> anyhow::Result<()> {
    let mut owner = Client::connect(commands, &rooms.tokens[0]).await?;
    for number in 0..TASKS * rooms.rooms.len() {
        let path = format!("/v1/projects/{}/tasks", rooms.rooms[number % rooms.rooms.len()].project);
        let task = owner.json("POST", &path, json!({"title": format!("Task {number}")}).to_string()).await?;
        let path = format!("/v1/tasks/{}", text(&task, "id")?);
        owner.send("PATCH", &path, json!({"title": format!("A better name for task {number}")}).to_string()).await?;
    }
    Ok(())
}

/// Writes events past the append; the log's last position.
pub async fn fill(pool: &PgPool, events: i64) -> anyhow::Result<i64> {
    let mut tx = pool.begin().await?;
    sqlx::query(FILL).bind(events).execute(&mut *tx).await?;
    let head = sqlx::query_scalar("UPDATE log_head SET position = position + $1 RETURNING position")
        .bind(events)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("SELECT pg_notify('taskfold_events', $1)").bind(format!("{head}")).execute(&mut *tx).await?;
    tx.commit().await?;
    // As PostgreSQL itself does after a while.
    sqlx::query("VACUUM ANALYZE events").execute(pool).await?;
    Ok(head)
}
