//! A poison event stops nothing but its own aggregate: it and the aggregate's later events are set aside, with the reason,
//! until somebody mended the cause and asked to try again.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{PgConnection, PgPool};
use taskfold_event_log::LoggedEvent;
use uuid::Uuid;

use crate::ProjectorError;
use crate::fold::{Decoded, WatcherHistory};
use crate::tables::Tables;

/// The reason of those that are behind one that failed.
pub const WAITS: &str = "waits for an earlier event of its aggregate";

/// An aggregate, as the log names it.
pub type Aggregate = (String, String);

pub fn aggregate_of(event: &LoggedEvent) -> Aggregate {
    (event.aggregate_type.clone(), event.aggregate_id.clone())
}

/// Which aggregates of these events are set aside already.
pub async fn known(db: &mut PgConnection, events: &[LoggedEvent]) -> sqlx::Result<HashSet<Aggregate>> {
    let ids: Vec<&str> = events.iter().map(|e| e.aggregate_id.as_str()).collect();
    let rows: Vec<Aggregate> = sqlx::query_as(
        "SELECT DISTINCT aggregate_type, aggregate_id FROM set_aside_events WHERE aggregate_id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

pub async fn put(db: &mut PgConnection, event: &LoggedEvent, reason: &str) -> sqlx::Result<()> {
    tracing::error!(position = event.position, event_type = event.event_type, reason, "event set aside");
    sqlx::query(
        "INSERT INTO set_aside_events (position, aggregate_type, aggregate_id, reason) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (position) DO UPDATE SET reason = excluded.reason",
    )
    .bind(event.position)
    .bind(&event.aggregate_type)
    .bind(&event.aggregate_id)
    // PostgreSQL has no NUL in text, and a reason may quote what is wrong.
    .bind(reason.replace('\0', "\u{fffd}"))
    .execute(db)
    .await?;
    Ok(())
}

/// How many events are set aside, and the reason of the first.
pub async fn summary(pool: &PgPool) -> sqlx::Result<(i64, Option<String>)> {
    sqlx::query_as(
        "SELECT count(*), (SELECT 'position ' || position || ': ' || reason FROM set_aside_events ORDER BY position LIMIT 1) \
         FROM set_aside_events",
    )
    .fetch_one(pool)
    .await
}

/// Asks the working projector to try all of them again. Answers how many there are.
pub async fn request_retry(pool: &PgPool) -> sqlx::Result<u64> {
    Ok(sqlx::query("UPDATE set_aside_events SET retry = true").execute(pool).await?.rows_affected())
}

/// Folds each aggregate asked for anew from the log, and takes it back when that works.
pub async fn retry_requested(pool: &PgPool) -> Result<(), ProjectorError> {
    let requested: Vec<Aggregate> =
        sqlx::query_as("SELECT DISTINCT aggregate_type, aggregate_id FROM set_aside_events WHERE retry")
            .fetch_all(pool)
            .await?;
    for aggregate in requested {
        retry(pool, &aggregate).await?;
    }
    Ok(())
}

async fn retry(pool: &PgPool, (aggregate_type, aggregate_id): &Aggregate) -> Result<(), ProjectorError> {
    let mut tx = pool.begin().await?;
    let checkpoint: i64 =
        sqlx::query_scalar("SELECT position FROM projection_checkpoint FOR UPDATE").fetch_one(&mut *tx).await?;
    let events = taskfold_event_log::aggregate_after(&mut *tx, aggregate_type, aggregate_id, 0).await?;
    let mut tables = Tables::default();
    if let Some(first) = events.first() {
        if let Ok(subject) = first.subject() {
            tables.remove_of(&mut tx, subject.id).await?;
        }
        if let (Some(project), true) = (first.project_id, aggregate_type == "task") {
            tables.history = Some(Arc::new(watchers_of(&mut tx, project).await?));
        }
    }
    let folded = events.iter().filter(|e| e.position <= checkpoint).try_for_each(|event| {
        let decoded = Decoded::new(event).map_err(|e| (event, e.to_string()))?;
        tables.apply(&decoded).map_err(|e| (event, e.to_string()))
    });
    match folded {
        Err((event, reason)) => {
            put(&mut tx, event, &reason).await?;
            sqlx::query("UPDATE set_aside_events SET retry = false WHERE aggregate_type = $1 AND aggregate_id = $2")
                .bind(aggregate_type)
                .bind(aggregate_id)
                .execute(&mut *tx)
                .await?;
        }
        Ok(()) => {
            tables.store(&mut tx).await?;
            sqlx::query("DELETE FROM set_aside_events WHERE aggregate_type = $1 AND aggregate_id = $2")
                .bind(aggregate_type)
                .bind(aggregate_id)
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE projection_checkpoint SET generation = generation + 1").execute(&mut *tx).await?;
            tracing::info!(aggregate_type, aggregate_id, "taken back from the events set aside");
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Who watched a project when. What of it cannot be folded is set aside itself.
async fn watchers_of(db: &mut PgConnection, project: Uuid) -> sqlx::Result<WatcherHistory> {
    let mut tables = Tables::default();
    let mut history = WatcherHistory::default();
    for event in taskfold_event_log::aggregate_after(db, "project", &project.to_string(), 0).await? {
        let Ok(decoded) = Decoded::new(&event) else { break };
        if tables.apply(&decoded).is_err() {
            break;
        }
        tables.projects.get(&project).into_iter().for_each(|row| history.add(row));
    }
    Ok(history)
}
