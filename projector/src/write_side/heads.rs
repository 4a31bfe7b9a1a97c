//! `aggregate_heads`: the last event of each aggregate, compared with the log and repaired.

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::differences::{Difference, MAX_LISTED, Wrong};
use crate::ProjectorError;
use crate::transactions::lock_log;

/// Aggregates whose heads are repaired in one transaction, during which no command is appended.
const CHUNK: usize = 500;

/// An aggregate whose head differs from the log.
struct DifferingHead {
    kind: String,
    id: Uuid,
    logged: bool,
    has_head: bool,
}

async fn differing(db: &mut PgConnection, limit: Option<i64>) -> sqlx::Result<Vec<DifferingHead>> {
    sqlx::query_as!(
        DifferingHead,
        r#"
        SELECT aggregate_type AS "kind!", aggregate_id AS "id!", l.version IS NOT NULL AS "logged!",
               h.version IS NOT NULL AS "has_head!"
        FROM (
            SELECT DISTINCT ON (e.aggregate_type, e.aggregate_id) e.aggregate_type, e.aggregate_id::uuid AS aggregate_id,
                   e.sequence AS version, e.position, e.command_id
            FROM events e
            WHERE e.aggregate_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
            ORDER BY e.aggregate_type, e.aggregate_id, e.sequence DESC) AS l
        FULL JOIN aggregate_heads h USING (aggregate_type, aggregate_id)
        WHERE (l.version, l.position, l.command_id) IS DISTINCT FROM (h.version, h.position, h.command_id)
        LIMIT $1
        "#,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Finds the heads that differ from the log.
pub async fn heads(db: &mut PgConnection) -> Result<Vec<Difference>, ProjectorError> {
    let difference = |DifferingHead { kind, id, logged, has_head }| {
        let wrong = match (logged, has_head) {
            (true, false) => Wrong::Missing,
            (false, _) => Wrong::Unexpected,
            (true, true) => Wrong::Different,
        };
        Difference { table: "aggregate_heads", wrong, key: format!("{kind} {id}"), task: None }
    };
    Ok(differing(db, Some(MAX_LISTED)).await?.into_iter().map(difference).collect())
}

/// Writes the heads that differ from the log again, some at a time while nothing is appended. Returns their number.
pub async fn repair(db: &mut PgConnection) -> Result<usize, ProjectorError> {
    let wrong = differing(db, None).await?;
    for chunk in wrong.chunks(CHUNK) {
        let (kinds, ids): (Vec<&str>, Vec<Uuid>) = chunk.iter().map(|head| (head.kind.as_str(), head.id)).unzip();
        let mut transaction = db.begin().await?;
        lock_log(&mut transaction).await?;
        sqlx::query!(
            r#"
            DELETE FROM aggregate_heads h USING unnest($1::text[], $2::uuid[]) AS w (kind, id)
            WHERE h.aggregate_type = w.kind AND h.aggregate_id = w.id
            "#,
            &kinds as _,
            &ids,
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            r#"
            INSERT INTO aggregate_heads (aggregate_type, aggregate_id, version, position, command_id)
            SELECT w.kind, w.id, e.sequence, e.position, e.command_id
            FROM unnest($1::text[], $2::uuid[]) AS w (kind, id) CROSS JOIN LATERAL (
                SELECT e.sequence, e.position, e.command_id FROM events e
                WHERE e.aggregate_type = w.kind AND e.aggregate_id = w.id::text
                ORDER BY e.sequence DESC LIMIT 1) AS e
            "#,
            &kinds as _,
            &ids,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(wrong.len())
}
