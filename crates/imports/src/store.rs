//! Imports in the database.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::limits::IMPORTS_PER_USER;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::skipped::Skip;
use crate::source::{Format, Watermark};

/// Number of attempts for an import that ends its process.
const MAX_ATTEMPTS: i32 = 5;

/// The state of an import.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Import {
    pub id: Uuid,
    /// `queued`, `running`, `done` or `failed`.
    #[schema(example = "running")]
    pub state: String,
    /// Number of actions in the export.
    #[schema(example = 222)]
    pub total: i64,
    /// Number of actions that are done.
    #[schema(example = 97)]
    pub done: i64,
    /// Parts of the export that were not imported unchanged, with the reasons.
    #[schema(value_type = Vec<Skip>)]
    pub skipped: Json<Vec<Skip>>,
    pub project_id: Uuid,
    /// Reason of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A new import.
pub struct NewImport<'a> {
    pub id: Uuid,
    pub user: UserId,
    pub format: Format,
    pub source_id: &'a str,
    pub project: ProjectId,
    pub own: bool,
    pub document: &'a [u8],
    pub digest: &'a [u8],
    pub at: Timestamp,
}

/// Outcome of [`insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    Inserted,
    /// The same request was sent before.
    Replayed,
    /// The id was used for another upload.
    IdReused,
    /// The user has too many imports that are waiting or running.
    TooManyWaiting,
}

pub async fn insert(pool: &PgPool, new: NewImport<'_>) -> sqlx::Result<InsertOutcome> {
    let known =
        sqlx::query_scalar!("SELECT digest FROM imports WHERE import_id = $1", new.id).fetch_optional(pool).await?;
    if let Some(digest) = known {
        return Ok(if digest == new.digest { InsertOutcome::Replayed } else { InsertOutcome::IdReused });
    }
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM imports WHERE user_id = $1 AND state IN ('queued', 'running')"#,
        new.user.0,
    )
    .fetch_one(pool)
    .await?;
    if waiting >= IMPORTS_PER_USER {
        return Ok(InsertOutcome::TooManyWaiting);
    }
    let inserted = sqlx::query!(
        r#"
        INSERT INTO imports (import_id, user_id, format, source_id, project_id, own, document, digest, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT DO NOTHING
        "#,
        new.id,
        new.user.0,
        new.format.as_str(),
        new.source_id,
        new.project.0,
        new.own,
        new.document,
        new.digest,
        new.at.utc(),
    )
    .execute(pool)
    .await?;
    Ok(if inserted.rows_affected() == 1 { InsertOutcome::Inserted } else { InsertOutcome::Replayed })
}

pub async fn get(pool: &PgPool, id: Uuid, user: UserId) -> sqlx::Result<Option<Import>> {
    sqlx::query_as!(
        Import,
        r#"
        SELECT import_id AS id, state, total, done, skipped AS "skipped: Json<Vec<Skip>>", project_id, error
        FROM imports WHERE import_id = $1 AND user_id = $2
        "#,
        id,
        user.0,
    )
    .fetch_optional(pool)
    .await
}

/// The user's own project for a board. `new_id`: its id if there is none yet.
pub async fn own_project(
    pool: &PgPool,
    format: Format,
    source_id: &str,
    user: UserId,
    new_id: Uuid,
) -> sqlx::Result<ProjectId> {
    sqlx::query!(
        r#"
        INSERT INTO imported_boards (format, source_id, project_id, owner_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        "#,
        format.as_str(),
        source_id,
        new_id,
        user.0,
    )
    .execute(pool)
    .await?;
    let project = sqlx::query_scalar!(
        "SELECT project_id FROM imported_boards WHERE format = $1 AND source_id = $2 AND owner_id = $3",
        format.as_str(),
        source_id,
        user.0,
    )
    .fetch_one(pool)
    .await?;
    Ok(ProjectId(project))
}

/// Detaches the user's own project from a board, so that the next import creates another one.
pub async fn disown(pool: &PgPool, format: Format, source_id: &str, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE imported_boards SET owner_id = NULL WHERE format = $1 AND source_id = $2 AND owner_id = $3",
        format.as_str(),
        source_id,
        user.0,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The result of the last import of a board into a project.
#[derive(Debug)]
pub struct LastImport {
    pub snapshot: Box<RawValue>,
    pub watermark: Watermark,
}

pub async fn last(
    pool: &PgPool,
    format: Format,
    source_id: &str,
    project: ProjectId,
) -> sqlx::Result<Option<LastImport>> {
    let row = sqlx::query!(
        r#"
        SELECT snapshot AS "snapshot!: Json<Box<RawValue>>", newest_at, newest_id, last_activity
        FROM imported_boards
        WHERE format = $1 AND source_id = $2 AND project_id = $3 AND snapshot IS NOT NULL
        "#,
        format.as_str(),
        source_id,
        project.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| LastImport {
        snapshot: row.snapshot.0,
        watermark: Watermark {
            newest_action: row.newest_at.map(Timestamp::from).zip(row.newest_id),
            last_activity: row.last_activity.map(Timestamp::from),
        },
    }))
}

/// An import that a worker has taken.
#[derive(Debug)]
pub struct Job {
    pub id: Uuid,
    pub user_id: Uuid,
    pub format: String,
    pub source_id: String,
    pub project_id: Uuid,
    pub own: bool,
    pub document: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

/// Takes the oldest import that is waiting, or whose worker has sent no heartbeat for 30 s. At most one import of a
/// project runs at a time, and formats of a later release are left to its workers.
pub async fn take(pool: &PgPool, worker: Uuid) -> sqlx::Result<Option<Job>> {
    let mut transaction = pool.begin().await?;
    // Workers take imports one after another, so that each sees what the others have taken.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('taskfold.imports'))").execute(&mut *transaction).await?;
    fail_after_last_attempt(&mut transaction).await?;
    let formats = Format::ALL.map(|format| format.as_str().to_owned());
    let job = sqlx::query_as!(
        Job,
        r#"
        UPDATE imports SET state = 'running', worker = $1, heartbeat_at = now(), attempts = attempts + 1
        WHERE import_id = (
            SELECT i.import_id FROM imports i
            WHERE (i.state = 'queued' OR (i.state = 'running' AND i.heartbeat_at < now() - interval '30 seconds'))
              AND i.format = ANY ($2)
              AND NOT EXISTS (
                  SELECT FROM imports o
                  WHERE o.project_id = i.project_id AND o.import_id <> i.import_id
                    AND o.state = 'running' AND o.heartbeat_at >= now() - interval '30 seconds')
            ORDER BY i.created_at, i.import_id LIMIT 1)
        RETURNING import_id AS id, user_id, format, source_id, project_id, own, document AS "document!", created_at
        "#,
        worker,
        &formats[..],
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(job)
}

async fn fail_after_last_attempt(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE imports
        SET state = 'failed', document = NULL, error = 'The import ended unexpectedly several times'
        WHERE state = 'running' AND heartbeat_at < now() - interval '30 seconds' AND attempts >= $1
        "#,
        MAX_ATTEMPTS,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores the progress of a running import. False: another worker has taken it.
pub async fn heartbeat(pool: &PgPool, id: Uuid, worker: Uuid, total: i64, done: i64) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        r#"
        UPDATE imports SET heartbeat_at = now(), total = $3, done = $4
        WHERE import_id = $1 AND worker = $2 AND state = 'running'
        "#,
        id,
        worker,
        total,
        done,
    )
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Puts an import that a shutdown interrupts back into the queue.
pub async fn put_back(pool: &PgPool, id: Uuid, worker: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE imports SET state = 'queued', worker = NULL, attempts = attempts - 1
        WHERE import_id = $1 AND worker = $2 AND state = 'running'
        "#,
        id,
        worker,
    )
    .execute(pool)
    .await?;
    Ok(())
}

pub async fn fail(pool: &PgPool, id: Uuid, worker: Uuid, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE imports SET state = 'failed', error = $3, document = NULL
        WHERE import_id = $1 AND worker = $2 AND state = 'running'
        "#,
        id,
        worker,
        reason,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The result of an import.
pub struct FinishedImport {
    pub total: i64,
    pub skipped: Vec<Skip>,
    /// Base of the next import. `None`: the export was older than the last one, so the last base remains.
    pub base: Option<ImportBase>,
}

/// The base of the next import of a board.
pub struct ImportBase {
    pub snapshot: Box<RawValue>,
    pub watermark: Watermark,
}

pub async fn finish(pool: &PgPool, job: &Job, worker: Uuid, finished: FinishedImport) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let updated = sqlx::query!(
        r#"
        UPDATE imports SET state = 'done', total = $3, done = $3, skipped = $4, document = NULL
        WHERE import_id = $1 AND worker = $2 AND state = 'running'
        "#,
        job.id,
        worker,
        finished.total,
        Json(finished.skipped) as _,
    )
    .execute(&mut *transaction)
    .await?;
    if let Some(base) = finished.base.filter(|_| updated.rows_affected() == 1) {
        let (newest_at, newest_id) = base.watermark.newest_action.map(|(at, id)| (at.utc(), id)).unzip();
        sqlx::query!(
            r#"
            INSERT INTO imported_boards (format, source_id, project_id, snapshot, newest_at, newest_id, last_activity)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (format, source_id, project_id) DO UPDATE
            SET snapshot = excluded.snapshot, newest_at = excluded.newest_at, newest_id = excluded.newest_id,
                last_activity = excluded.last_activity
            "#,
            job.format,
            job.source_id,
            job.project_id,
            Json(base.snapshot) as _,
            newest_at,
            newest_id,
            base.watermark.last_activity.map(|at| at.utc()),
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
