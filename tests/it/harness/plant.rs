//! Events that the program did not write, inserted directly into the log, each with a command of its own.

use sqlx::PgPool;
use uuid::Uuid;

use super::new_id;

/// Inserts an event of this aggregate, and returns its position.
pub async fn plant(owner: &PgPool, aggregate: &str, event_type: &str, payload: &str) -> i64 {
    let command: Uuid = new_id();
    let mut tx = owner.begin().await.unwrap();
    let position: i64 = sqlx::query_scalar("UPDATE log_head SET position = position + 1 RETURNING position")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, project_id, actor_id, \
             command_id, occurred_at, recorded_at) \
         SELECT $1, aggregate_type, aggregate_id, sequence + 1, $2, '1', $3::json, project_id, actor_id, $4, recorded_at, recorded_at \
         FROM events WHERE aggregate_id = $5 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(position)
    .bind(event_type)
    .bind(payload)
    .bind(command)
    .bind(aggregate)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query("UPDATE aggregate_heads SET version = version + 1, position = $1, command_id = $2 WHERE aggregate_id = $3::uuid")
        .bind(position)
        .bind(command)
        .bind(aggregate)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO commands SELECT actor_id, command_id, '', aggregate_id, sequence, position, position, NULL, false \
         FROM events WHERE position = $1",
    )
    .bind(position)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query("SELECT pg_notify('taskfold_events', $1)").bind(position.to_string()).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    position
}
