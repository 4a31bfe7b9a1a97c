use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgPool};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::{ProjectId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::skipped::Skip;
use super::trello::snapshot::Snapshot;

/// Uploads of one person that may wait at one time: each may have 64 MiB.
const WAITING_EACH: i64 = 20;
/// How often an import that takes the process with it is tried.
const ATTEMPTS: i32 = 5;

/// How an import stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, FromRow)]
pub struct Import {
    #[sqlx(rename = "import_id")]
    pub id: Uuid,
    /// `queued`, `running`, `done` or `failed`.
    #[schema(example = "running")]
    pub state: String,
    /// How many actions the export has.
    #[schema(example = 222)]
    pub total: i64,
    /// How many of them are behind us.
    #[schema(example = 97)]
    pub done: i64,
    /// What was not taken over as it was, or made up, and why.
    #[schema(value_type = Vec<Skip>)]
    pub skipped: Json<Vec<Skip>>,
    pub project_id: Uuid,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

const IMPORT: &str = "import_id, state, total, done, skipped, project_id, error";

/// A new import.
pub struct NewImport<'a> {
    pub id: Uuid,
    pub user: UserId,
    pub source_id: &'a str,
    pub project: ProjectId,
    pub own: bool,
    pub document: &'a [u8],
    pub digest: &'a [u8],
    pub at: Timestamp,
}

#[derive(Debug)]
pub enum Stored {
    New,
    /// The same request came before.
    Known,
    /// The id was used for another upload.
    Reused,
    /// Too many of this person's wait.
    TooMany,
}

pub async fn insert(pool: &PgPool, new: NewImport<'_>) -> sqlx::Result<Stored> {
    let known: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT digest FROM imports WHERE import_id = $1").bind(new.id).fetch_optional(pool).await?;
    if let Some(digest) = known {
        return Ok(if digest == new.digest { Stored::Known } else { Stored::Reused });
    }
    let waiting: i64 =
        sqlx::query_scalar("SELECT count(*) FROM imports WHERE user_id = $1 AND state IN ('queued', 'running')")
            .bind(new.user.0)
            .fetch_one(pool)
            .await?;
    if waiting >= WAITING_EACH {
        return Ok(Stored::TooMany);
    }
    let inserted = sqlx::query(
        "INSERT INTO imports (import_id, user_id, format, source_id, project_id, own, document, digest, created_at) \
         VALUES ($1, $2, 'trello', $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(new.id)
    .bind(new.user.0)
    .bind(new.source_id)
    .bind(new.project.0)
    .bind(new.own)
    .bind(new.document)
    .bind(new.digest)
    .bind(new.at.utc())
    .execute(pool)
    .await?;
    Ok(if inserted.rows_affected() == 1 { Stored::New } else { Stored::Known })
}

pub async fn get(pool: &PgPool, id: Uuid, user: UserId) -> sqlx::Result<Option<Import>> {
    sqlx::query_as(&format!("SELECT {IMPORT} FROM imports WHERE import_id = $1 AND user_id = $2"))
        .bind(id)
        .bind(user.0)
        .fetch_optional(pool)
        .await
}

/// The person's own project for a board; `fresh` becomes it when there is none.
pub async fn own_project(pool: &PgPool, source_id: &str, user: UserId, fresh: Uuid) -> sqlx::Result<ProjectId> {
    sqlx::query(
        "INSERT INTO imported_boards (format, source_id, project_id, owner_id) VALUES ('trello', $1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(source_id)
    .bind(fresh)
    .bind(user.0)
    .execute(pool)
    .await?;
    let project = sqlx::query_scalar(
        "SELECT project_id FROM imported_boards WHERE format = 'trello' AND source_id = $1 AND owner_id = $2",
    )
    .bind(source_id)
    .bind(user.0)
    .fetch_one(pool)
    .await?;
    Ok(ProjectId(project))
}

/// The project is no longer the person's own: the next import makes another.
pub async fn disown(pool: &PgPool, source_id: &str, user: UserId) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE imported_boards SET owner_id = NULL WHERE format = 'trello' AND source_id = $1 AND owner_id = $2",
    )
    .bind(source_id)
    .bind(user.0)
    .execute(pool)
    .await
    .map(|_| ())
}

/// What the last import of a board into a project left behind.
#[derive(Debug, Default, FromRow)]
pub struct Last {
    pub snapshot: Option<Json<Snapshot>>,
    pub newest_at: Option<DateTime<Utc>>,
    pub newest_id: Option<String>,
    pub last_activity: Option<DateTime<Utc>>,
}

pub async fn last(pool: &PgPool, source_id: &str, project: ProjectId) -> sqlx::Result<Option<Last>> {
    sqlx::query_as(
        "SELECT snapshot, newest_at, newest_id, last_activity FROM imported_boards \
         WHERE format = 'trello' AND source_id = $1 AND project_id = $2 AND snapshot IS NOT NULL",
    )
    .bind(source_id)
    .bind(project.0)
    .fetch_optional(pool)
    .await
}

/// An import that this worker has taken.
#[derive(Debug, FromRow)]
pub struct Job {
    #[sqlx(rename = "import_id")]
    pub id: Uuid,
    pub user_id: Uuid,
    pub source_id: String,
    pub project_id: Uuid,
    pub own: bool,
    pub document: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

/// Takes the oldest import that waits, or whose worker was not heard of for 30 s; never two of one project at once.
pub async fn take(pool: &PgPool, worker: Uuid) -> sqlx::Result<Option<Job>> {
    let mut transaction = pool.begin().await?;
    // Workers take one after the other, so that none overlooks what another has just taken.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('taskfold.imports'))").execute(&mut *transaction).await?;
    give_up(&mut transaction).await?;
    let job = sqlx::query_as(
        "UPDATE imports SET state = 'running', worker = $1, heartbeat_at = now(), attempts = attempts + 1 \
         WHERE import_id = (SELECT i.import_id FROM imports i \
             WHERE (i.state = 'queued' OR (i.state = 'running' AND i.heartbeat_at < now() - interval '30 seconds')) \
               AND NOT EXISTS (SELECT FROM imports o WHERE o.project_id = i.project_id AND o.import_id <> i.import_id \
                   AND o.state = 'running' AND o.heartbeat_at >= now() - interval '30 seconds') \
             ORDER BY i.created_at, i.import_id LIMIT 1) \
         RETURNING import_id, user_id, source_id, project_id, own, document, created_at",
    )
    .bind(worker)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(job)
}

async fn give_up(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE imports SET state = 'failed', document = NULL, error = 'The import ended unexpectedly several times' \
         WHERE state = 'running' AND heartbeat_at < now() - interval '30 seconds' AND attempts >= $1",
    )
    .bind(ATTEMPTS)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Says that the work goes on; `false` when another has taken it.
pub async fn heartbeat(pool: &PgPool, id: Uuid, worker: Uuid, total: i64, done: i64) -> sqlx::Result<bool> {
    sqlx::query(
        "UPDATE imports SET heartbeat_at = now(), total = $3, done = $4 \
         WHERE import_id = $1 AND worker = $2 AND state = 'running'",
    )
    .bind(id)
    .bind(worker)
    .bind(total)
    .bind(done)
    .execute(pool)
    .await
    .map(|updated| updated.rows_affected() == 1)
}

/// Puts an import back that a shutdown interrupts.
pub async fn put_back(pool: &PgPool, id: Uuid, worker: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE imports SET state = 'queued', worker = NULL, attempts = attempts - 1 \
         WHERE import_id = $1 AND worker = $2 AND state = 'running'",
    )
    .bind(id)
    .bind(worker)
    .execute(pool)
    .await
    .map(|_| ())
}

pub async fn fail(pool: &PgPool, id: Uuid, worker: Uuid, why: &str) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE imports SET state = 'failed', error = $3, document = NULL \
         WHERE import_id = $1 AND worker = $2 AND state = 'running'",
    )
    .bind(id)
    .bind(worker)
    .bind(why)
    .execute(pool)
    .await
    .map(|_| ())
}

/// What is kept of an import that has come to its end.
pub struct Finished {
    pub total: i64,
    pub skipped: Vec<Skip>,
    /// The new base, unless the export was older than the last one.
    pub base: Option<Base>,
}

pub struct Base {
    pub snapshot: Snapshot,
    pub newest: Option<(Timestamp, String)>,
    pub last_activity: Option<Timestamp>,
}

pub async fn finish(pool: &PgPool, job: &Job, worker: Uuid, finished: Finished) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let updated = sqlx::query(
        "UPDATE imports SET state = 'done', total = $3, done = $3, skipped = $4, document = NULL \
         WHERE import_id = $1 AND worker = $2 AND state = 'running'",
    )
    .bind(job.id)
    .bind(worker)
    .bind(finished.total)
    .bind(Json(finished.skipped))
    .execute(&mut *transaction)
    .await?;
    if let Some(base) = finished.base.filter(|_| updated.rows_affected() == 1) {
        let (newest_at, newest_id) = base.newest.map(|(at, id)| (at.utc(), id)).unzip();
        sqlx::query(
            "INSERT INTO imported_boards (format, source_id, project_id, snapshot, newest_at, newest_id, last_activity) \
             VALUES ('trello', $1, $2, $3, $4, $5, $6) \
             ON CONFLICT (format, source_id, project_id) DO UPDATE SET snapshot = excluded.snapshot, \
                 newest_at = excluded.newest_at, newest_id = excluded.newest_id, last_activity = excluded.last_activity",
        )
        .bind(&job.source_id)
        .bind(job.project_id)
        .bind(Json(base.snapshot))
        .bind(newest_at)
        .bind(newest_id)
        .bind(base.last_activity.map(|at| at.utc()))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
