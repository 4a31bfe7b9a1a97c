use sqlx::{Connection, PgConnection, PgPool};
use taskfold_event_log::{LoggedEvent, PROJECTED_CHANNEL};

use crate::ProjectorError;
use crate::fold::{Decoded, Keys};
use crate::set_aside::{self, aggregate_of};
use crate::tables::Tables;

/// Events that one transaction takes at most.
const BATCH: i64 = 1000;

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The read tables have all of the log.
    Idle,
    Projected {
        events: usize,
        /// The new checkpoint.
        position: i64,
    },
}

/// Projects the next batch: rows and checkpoint in one transaction.
pub async fn step(pool: &PgPool) -> Result<Outcome, ProjectorError> {
    let mut db = pool.acquire().await?;
    match take(&mut db, BATCH).await {
        // Something in the batch cannot be stored. One by one, the event that cannot is found and set aside.
        Err(ProjectorError::Database(sqlx::Error::Database(error))) if is_about_data(error.as_ref()) => {
            tracing::warn!(%error, "a batch could not be stored, going on one by one");
            take(&mut db, 1).await
        }
        outcome => outcome,
    }
}

/// Classes 22 (data) and 23 (constraints): trying again does not help.
fn is_about_data(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

async fn take(db: &mut PgConnection, limit: i64) -> Result<Outcome, ProjectorError> {
    let mut tx = db.begin().await?;
    // Held until the commit, against a second projector and a rebuild.
    let checkpoint: i64 =
        sqlx::query_scalar("SELECT position FROM projection_checkpoint FOR UPDATE").fetch_one(&mut *tx).await?;
    let events = taskfold_event_log::page_after(&mut *tx, checkpoint, limit).await?;
    let Some(last) = events.last().map(|e| e.position) else { return Ok(Outcome::Idle) };
    match events.as_slice() {
        [one] if limit == 1 => {
            let mut attempt = tx.begin().await?;
            match project(&mut attempt, &events).await {
                Ok(()) => attempt.commit().await?,
                Err(ProjectorError::Database(sqlx::Error::Database(error))) if is_about_data(error.as_ref()) => {
                    attempt.rollback().await?;
                    set_aside::put(&mut tx, one, error.message()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        events => project(&mut tx, events).await?,
    }
    let moved = sqlx::query("UPDATE projection_checkpoint SET position = $1 WHERE position = $2")
        .bind(last)
        .bind(checkpoint)
        .execute(&mut *tx)
        .await?;
    if moved.rows_affected() != 1 {
        return Err(ProjectorError::CheckpointMoved);
    }
    sqlx::query("SELECT pg_notify($1, $2)").bind(PROJECTED_CHANNEL).bind(last.to_string()).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Outcome::Projected { events: events.len(), position: last })
}

/// Loads the rows that the events touch, applies the events, writes the rows back.
async fn project(db: &mut PgConnection, events: &[LoggedEvent]) -> Result<(), ProjectorError> {
    let mut aside = set_aside::known(db, events).await?;
    let mut keys = Keys::default();
    let mut decoded = Vec::with_capacity(events.len());
    for event in events {
        match Decoded::new(event) {
            Ok(event) => {
                keys.add(&event);
                decoded.push(Ok(event));
            }
            Err(error) => decoded.push(Err((event, error.to_string()))),
        }
    }
    let mut tables = Tables::default();
    tables.tasks.load(db, &keys.tasks).await?;
    tables.projects.load(db, &keys.projects).await?;
    tables.members.load(db, &keys.members).await?;
    tables.comments.load(db, &keys.comments).await?;
    tables.attachments.load(db, &keys.attachments).await?;
    for event in decoded {
        let (logged, applied) = match event {
            Ok(event) if aside.contains(&aggregate_of(event.logged)) => {
                (event.logged, Err("waits for an earlier event of its aggregate".to_owned()))
            }
            Ok(event) => (event.logged, tables.apply(&event).map_err(|e| e.to_string())),
            Err((logged, reason)) => (logged, Err(reason)),
        };
        if let Err(reason) = applied {
            set_aside::put(db, logged, &reason).await?;
            aside.insert(aggregate_of(logged));
        }
    }
    tables.store(db).await
}
