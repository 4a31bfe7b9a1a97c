//! Dead letters: a poison event stops nothing but its own aggregate. It and the later events of the aggregate are
//! dead-lettered, with the reason, until somebody has repaired the cause and requested a retry.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::{PgConnection, PgPool};
use taskfold_domain::SubjectKind;
use taskfold_event_log::LoggedEvent;
use uuid::Uuid;

use crate::ProjectorError;
use crate::decoded::Decoded;
use crate::derived;
use crate::read_models::WatcherHistory;
use crate::rows::Unreadable;
use crate::tables::Tables;
use crate::transactions::will_lock;

/// Reason of the events behind one that failed.
pub const WAITS: &str = "waits for an earlier event of its aggregate";

/// Kind and id of an aggregate, as in the log.
pub type Aggregate = (String, String);

pub fn aggregate_of(event: &LoggedEvent) -> Aggregate {
    (event.aggregate_type.clone(), event.aggregate_id.clone())
}

/// Aggregates of these events that have dead letters already.
pub async fn known(db: &mut PgConnection, events: &[LoggedEvent]) -> sqlx::Result<HashSet<Aggregate>> {
    let ids: Vec<&str> = events.iter().map(|e| e.aggregate_id.as_str()).collect();
    let rows = sqlx::query!(
        "SELECT DISTINCT aggregate_type, aggregate_id FROM set_aside_events WHERE aggregate_id = ANY ($1)",
        &ids as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.aggregate_type, row.aggregate_id)).collect())
}

pub async fn put(db: &mut PgConnection, event: &LoggedEvent, reason: &str) -> sqlx::Result<()> {
    tracing::error!(position = event.position, event_type = event.event_type, reason, "event dead-lettered");
    sqlx::query!(
        r#"
        INSERT INTO set_aside_events (position, aggregate_type, aggregate_id, reason) VALUES ($1, $2, $3, $4)
        ON CONFLICT (position) DO UPDATE SET reason = excluded.reason
        "#,
        event.position,
        event.aggregate_type,
        event.aggregate_id,
        storable(reason),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Number of dead letters of each kind of aggregate that has any.
pub async fn count_by_kind(pool: &PgPool) -> sqlx::Result<HashMap<String, i64>> {
    let rows =
        sqlx::query!(r#"SELECT aggregate_type, count(*) AS "count!" FROM set_aside_events GROUP BY aggregate_type"#)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|row| (row.aggregate_type, row.count)).collect())
}

/// Number of dead letters, and the reason of the first.
pub async fn summary(pool: &PgPool) -> sqlx::Result<(i64, Option<String>)> {
    let summary = sqlx::query!(
        r#"
        SELECT count(*) AS "count!",
               (SELECT 'position ' || position || ': ' || reason FROM set_aside_events ORDER BY position LIMIT 1) AS first
        FROM set_aside_events
        "#
    )
    .fetch_one(pool)
    .await?;
    Ok((summary.count, summary.first))
}

/// Requests that the working projector tries all of them again. Returns their number.
pub async fn request_retry(pool: &PgPool) -> sqlx::Result<u64> {
    Ok(sqlx::query!("UPDATE set_aside_events SET retry = true").execute(pool).await?.rows_affected())
}

/// Folds each aggregate with a requested retry anew from the log, and removes its dead letters when that works. One
/// that fails keeps its reason, and does not keep others from being tried.
pub async fn retry_requested(pool: &PgPool) -> Result<(), ProjectorError> {
    // By the event as it is now: a repaired one may be of another aggregate than the dead letter.
    let requested = sqlx::query!(
        r#"
        SELECT DISTINCT coalesce(e.aggregate_type, s.aggregate_type) AS "aggregate_type!",
               coalesce(e.aggregate_id, s.aggregate_id) AS "aggregate_id!"
        FROM set_aside_events s LEFT JOIN events e USING (position)
        WHERE s.retry
        "#
    )
    .fetch_all(pool)
    .await?;
    for aggregate in requested {
        let aggregate = (aggregate.aggregate_type, aggregate.aggregate_id);
        match retry(pool, &aggregate).await {
            Err(error) if error.is_of_the_whole() => return Err(error),
            Err(error) => failed(&mut *pool.acquire().await?, &aggregate, &error.to_string()).await?,
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn retry(pool: &PgPool, aggregate: &Aggregate) -> Result<(), ProjectorError> {
    let (aggregate_type, aggregate_id) = aggregate;
    let mut tx = pool.begin().await?;
    will_lock(&mut tx).await?;
    let checkpoint =
        sqlx::query_scalar!("SELECT position FROM projection_checkpoint FOR UPDATE").fetch_one(&mut *tx).await?;
    let events = taskfold_event_log::aggregate_after(&mut *tx, aggregate_type, aggregate_id, 0).await?;
    let project = events.first().and_then(|first| first.project_id);
    let mut tables = Tables::default();
    if let (Some(project), true) = (project, aggregate_type == SubjectKind::Task.as_str()) {
        tables.history = Some(Arc::new(watchers_of(&mut tx, &[project]).await?));
    }
    let folded = events.iter().filter(|e| e.position <= checkpoint).try_for_each(|event| {
        let decoded = Decoded::new(event).map_err(|e| (event, e.to_string()))?;
        tables.apply(&decoded).map_err(|e| (event, e.to_string()))
    });
    match folded {
        Err((event, reason)) => {
            put(&mut tx, event, &reason).await?;
            failed(&mut tx, aggregate, &reason).await?;
        }
        Ok(()) => {
            // Rows are rewritten whatever they are now, and so is what is derived from them.
            if let Some(Ok(subject)) = events.first().map(LoggedEvent::subject) {
                derived::forget(&mut tx, subject.id).await?;
                Tables::delete_of(&mut tx, subject.id).await?;
            }
            derived::flush(&mut tables, &mut tx).await?;
            if let Some(project) = project {
                derived::count_anew(&mut tx, project).await?;
            }
            sqlx::query!(
                r#"
                DELETE FROM set_aside_events
                WHERE aggregate_type = $1 AND aggregate_id = $2
                   OR position IN (SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2)
                "#,
                aggregate_type,
                aggregate_id,
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!("UPDATE projection_checkpoint SET generation = generation + 1").execute(&mut *tx).await?;
            tracing::info!(aggregate_type, aggregate_id, "projected again, no dead letter any more");
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Records why the retry of an aggregate failed, at its first event that is not only waiting.
async fn failed(db: &mut PgConnection, (aggregate_type, aggregate_id): &Aggregate, reason: &str) -> sqlx::Result<()> {
    tracing::error!(aggregate_type, aggregate_id, reason, "still a dead letter");
    sqlx::query!(
        r#"
        WITH first AS (
            SELECT min(position) AS position FROM set_aside_events WHERE aggregate_type = $1 AND aggregate_id = $2)
        UPDATE set_aside_events s
        SET retry = false, reason = CASE WHEN s.position = first.position THEN $3 ELSE s.reason END
        FROM first
        WHERE s.aggregate_type = $1 AND s.aggregate_id = $2
        "#,
        aggregate_type,
        aggregate_id,
        storable(reason),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Dead-letters projects with unreadable rows, of which there is no event in this batch but events of their tasks.
/// Their watchers are read from the log, so that the tasks do not wait.
pub async fn unreadable(
    db: &mut PgConnection,
    unreadable: &Unreadable,
    events: &[LoggedEvent],
) -> sqlx::Result<Option<Arc<WatcherHistory>>> {
    if unreadable.is_empty() {
        return Ok(None);
    }
    let before = events.first().map_or(0, |first| first.position);
    for (project, reason) in unreadable {
        let put = sqlx::query!(
            r#"
            INSERT INTO set_aside_events (position, aggregate_type, aggregate_id, reason)
            SELECT position, aggregate_type, aggregate_id, $3 FROM events e
            WHERE aggregate_type = 'project' AND aggregate_id = $1 AND position < $2 AND NOT EXISTS (
                SELECT FROM set_aside_events s
                WHERE (s.aggregate_type, s.aggregate_id) = (e.aggregate_type, e.aggregate_id))
            ORDER BY sequence DESC LIMIT 1
            "#,
            project.to_string(),
            before,
            storable(reason),
        )
        .execute(&mut *db)
        .await?;
        if put.rows_affected() > 0 {
            tracing::error!(%project, reason, "project dead-lettered");
        }
    }
    let projects: Vec<Uuid> = unreadable.keys().copied().collect();
    Ok(Some(Arc::new(watchers_of(db, &projects).await?)))
}

/// History of the projects' watchers. Events that cannot be folded are dead-lettered themselves.
async fn watchers_of(db: &mut PgConnection, projects: &[Uuid]) -> sqlx::Result<WatcherHistory> {
    let mut tables = Tables::default();
    let mut history = WatcherHistory::default();
    let kind = SubjectKind::Project.as_str();
    for project in projects {
        for event in taskfold_event_log::aggregate_after(&mut *db, kind, &project.to_string(), 0).await? {
            let Ok(decoded) = Decoded::new(&event) else { break };
            if tables.apply(&decoded).is_err() {
                break;
            }
            tables.projects.get(project).into_iter().for_each(|row| history.add(row));
        }
    }
    Ok(history)
}

/// Replaces NUL, which PostgreSQL has not in text and a reason may quote.
fn storable(reason: &str) -> String {
    reason.replace('\0', "\u{fffd}")
}
