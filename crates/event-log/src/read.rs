use sqlx::PgExecutor;
use uuid::Uuid;

use crate::event::LoggedEvent;

/// The columns of [`LoggedEvent`].
#[macro_export]
macro_rules! event_columns {
    () => {
        "position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS payload, words, \
         project_id, actor_id, command_id, occurred_at, recorded_at, traceparent"
    };
}

/// Selects [`LoggedEvent`]s, for queries of the log that stand beside their one user.
#[macro_export]
macro_rules! select_events {
    ($($rest:tt)+) => {
        concat!("SELECT ", $crate::event_columns!(), " FROM events ", $($rest)+)
    };
}
use select_events as select;

/// The last position of the log; 0 when it is empty.
pub async fn head(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT position FROM log_head").fetch_one(db).await
}

/// Up to which position the read tables hold the log. Nothing beyond it is announced or served.
pub async fn projected_position(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT position FROM projection_checkpoint").fetch_one(db).await
}

/// The next `limit` events behind `position`, in order.
pub async fn page_after(db: impl PgExecutor<'_>, position: i64, limit: i64) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as(select!("WHERE position > $1 ORDER BY position LIMIT $2"))
        .bind(position)
        .bind(limit)
        .fetch_all(db)
        .await
}

/// The events from `first` to `last`, both included.
pub async fn page_between(db: impl PgExecutor<'_>, first: i64, last: i64) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as(select!("WHERE position BETWEEN $1 AND $2 ORDER BY position"))
        .bind(first)
        .bind(last)
        .fetch_all(db)
        .await
}

/// The next `limit` events of these projects behind `after` and not beyond `upto`, in order.
pub async fn project_page_after(
    db: impl PgExecutor<'_>,
    projects: &[Uuid],
    after: i64,
    upto: i64,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    // Rows are compared, and not columns: that can be had from the index of the project alone. With bounds of `position` the plan that is
    // good for all parameters reads the log between them, whoever's it is.
    sqlx::query_as(select!(
        "WHERE position = ANY (ARRAY( \
             SELECT of.position FROM unnest($1) AS project (id) CROSS JOIN LATERAL ( \
                 SELECT e.position FROM events e \
                 WHERE (e.project_id, e.position) > (project.id, $2) AND (e.project_id, e.position) <= (project.id, $3) \
                 ORDER BY e.project_id, e.position LIMIT $4) AS of \
             ORDER BY of.position LIMIT $4)) \
         ORDER BY position"
    ))
    .bind(projects)
    .bind(after)
    .bind(upto)
    .bind(limit)
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
    sqlx::query_as(select!("WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3"))
        .bind(aggregate_type)
        .bind(aggregate_id)
        .bind(version)
        .fetch_optional(db)
        .await
}

/// The events of one aggregate behind a version, in order.
pub async fn aggregate_after(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    version: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as(select!("WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence"))
        .bind(aggregate_type)
        .bind(aggregate_id)
        .bind(version)
        .fetch_all(db)
        .await
}
