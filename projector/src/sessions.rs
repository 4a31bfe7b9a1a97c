//! Sessions of processes that have stopped without ending. PostgreSQL ends those that are idle in a transaction, but
//! not one that waits for its client to read a result, and keeps its locks meanwhile. A role may end sessions of its
//! own.

use sqlx::PgPool;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

/// Name of a projector's sessions in `pg_stat_activity`, which identifies their process.
pub fn application_name(part: &str, holder: Uuid) -> String {
    format!("{part} {holder}")
}

/// Ends all sessions of a projector that has lost its lease. Returns their number.
pub async fn end_those_of(pool: &PgPool, holder: Uuid) -> sqlx::Result<i64> {
    let end = sqlx::query_scalar!(
        r#"
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) AS "ended!" FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND application_name LIKE '% ' || $1::text
        "#,
        holder.to_string(),
    );
    within(REQUEST, end.fetch_one(pool)).await
}

/// Ends sessions that keep the checkpoint locked and do nothing, such as that of a suspended rebuild. Returns their
/// number.
pub async fn end_idle_holders_of_the_checkpoint(pool: &PgPool) -> sqlx::Result<i64> {
    let end = sqlx::query_scalar!(
        r#"
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) AS "ended!" FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user
          AND (state LIKE 'idle in transaction%' OR wait_event = 'ClientWrite')
          AND state_change < clock_timestamp() - interval '2 s'
          AND pid IN (
              SELECT pid FROM pg_locks
              WHERE relation = 'projection_checkpoint'::regclass
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND granted AND mode <> 'AccessShareLock')
        "#
    );
    within(REQUEST, end.fetch_one(pool)).await
}
