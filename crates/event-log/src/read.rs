//! Reads of the log by position, project and aggregate.

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::event::{EventRow, LoggedEvent};

/// The last position of the log; 0 if it is empty.
pub async fn head(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!("SELECT position FROM log_head").fetch_one(db).await
}

/// The checkpoint: the position up to which the read tables contain the log. Nothing after it is published or served.
pub async fn projected_position(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!("SELECT position FROM projection_checkpoint").fetch_one(db).await
}

/// The next `limit` events after `position`, in order. Without an upper bound: with one, PostgreSQL may read everything
/// up to it, and sort that, for each page.
pub async fn page_after(db: impl PgExecutor<'_>, position: i64, limit: i64) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
               words AS "words: _", project_id, actor_id, command_id, occurred_at AS "occurred_at: _",
               recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE position > $1
        ORDER BY position LIMIT $2
        "#,
        position,
        limit,
    )
    .map(LoggedEvent::from)
    .fetch_all(db)
    .await
}

/// The events from `first` to `last`, both included.
pub async fn page_between(db: impl PgExecutor<'_>, first: i64, last: i64) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
               words AS "words: _", project_id, actor_id, command_id, occurred_at AS "occurred_at: _",
               recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE position BETWEEN $1 AND $2
        ORDER BY position
        "#,
        first,
        last,
    )
    .map(LoggedEvent::from)
    .fetch_all(db)
    .await
}

/// The next `limit` events of these projects after `after` and up to `upto`, in order.
pub async fn project_page_after(
    db: impl PgExecutor<'_>,
    projects: &[Uuid],
    after: i64,
    upto: i64,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    // Row comparisons, because only the index of the project serves them. With bounds on `position` alone, the generic
    // plan reads the log between the bounds, whichever project the events belong to.
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
               words AS "words: _", project_id, actor_id, command_id, occurred_at AS "occurred_at: _",
               recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE position = ANY (ARRAY(
            SELECT of.position FROM unnest($1::uuid[]) AS project (id) CROSS JOIN LATERAL (
                SELECT e.position FROM events e
                WHERE (e.project_id, e.position) > (project.id, $2) AND (e.project_id, e.position) <= (project.id, $3)
                ORDER BY e.project_id, e.position LIMIT $4) AS of
            ORDER BY of.position LIMIT $4))
        ORDER BY position
        "#,
        projects,
        after,
        upto,
        limit,
    )
    .map(LoggedEvent::from)
    .fetch_all(db)
    .await
}

/// The event of one aggregate with this version.
pub async fn aggregate_event(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    version: i64,
) -> sqlx::Result<Option<LoggedEvent>> {
    Ok(versions(db, aggregate_type, aggregate_id, version.saturating_sub(1), version).await?.pop())
}

/// The events of one aggregate after a version, in order.
pub async fn aggregate_after(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    version: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    versions(db, aggregate_type, aggregate_id, version, i64::MAX).await
}

async fn versions(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
    upto: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
               words AS "words: _", project_id, actor_id, command_id, occurred_at AS "occurred_at: _",
               recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 AND sequence <= $4
        ORDER BY sequence
        "#,
        aggregate_type,
        aggregate_id,
        after,
        upto,
    )
    .map(LoggedEvent::from)
    .fetch_all(db)
    .await
}
