//! A poison event stops nothing but its own aggregate: it and the aggregate's later events are set aside, with the reason,
//! until somebody mended the cause and asked to try again.

use std::collections::HashSet;

use sqlx::{PgConnection, PgPool};
use taskfold_event_log::LoggedEvent;

use crate::ProjectorError;
use crate::fold::Decoded;
use crate::tables::{Row, Tables};

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
        "SELECT count(*), (array_agg('position ' || position || ': ' || reason ORDER BY position))[1] \
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
            remove_rows(&mut tx, aggregate_id).await?;
            tables.store(&mut tx).await?;
            sqlx::query("DELETE FROM set_aside_events WHERE aggregate_type = $1 AND aggregate_id = $2")
                .bind(aggregate_type)
                .bind(aggregate_id)
                .execute(&mut *tx)
                .await?;
            tracing::info!(aggregate_type, aggregate_id, "taken back from the events set aside");
        }
    }
    tx.commit().await?;
    Ok(())
}

/// What an earlier, partial fold of the aggregate left.
async fn remove_rows(db: &mut PgConnection, aggregate_id: &str) -> sqlx::Result<()> {
    use crate::tables::{AttachmentRow, CommentRow, MemberRow, ProjectRow, TaskRow};
    let by_first_key = [
        (ProjectRow::TABLE, ProjectRow::KEY),
        (MemberRow::TABLE, MemberRow::KEY),
        (TaskRow::TABLE, TaskRow::KEY),
        (CommentRow::TABLE, CommentRow::KEY),
        (AttachmentRow::TABLE, AttachmentRow::KEY),
    ];
    for (table, key) in by_first_key {
        sqlx::query(&format!("DELETE FROM {table} WHERE {}::text = $1", key[0]))
            .bind(aggregate_id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
