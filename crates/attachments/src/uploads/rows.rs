use chrono::{DateTime, Utc};
use sqlx::PgPool;
use taskfold_domain::ids::{AttachmentId, TaskId, UserId};
use taskfold_domain::input::{ContentType, FileName};
use uuid::Uuid;

use super::{AttachRequest, File};
use crate::Progress;

/// For how long an upload may be silent before it is taken for dead.
pub const KEPT: &str = "1 day";
pub const KEPT_DAYS: i64 = 1;

/// Says that bytes may be stored under this id, before any are.
pub async fn begin(pool: &PgPool, id: AttachmentId, task: TaskId, request: AttachRequest) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO attachment_uploads (attachment_id, task_id, user_id, command_id) VALUES ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(task.0)
        .bind(request.user.0)
        .bind(request.command_id)
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn touch(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query("UPDATE attachment_uploads SET touched_at = now() WHERE attachment_id = $1")
        .bind(id.0)
        .execute(pool)
        .await?;
    Ok(())
}

/// Whether it may be appended: not when the janitor has taken it for dead.
pub async fn committing(pool: &PgPool, id: AttachmentId) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "UPDATE attachment_uploads SET state = 'committing', touched_at = now() \
         WHERE attachment_id = $1 AND state IN ('receiving', 'committing')",
    )
    .bind(id.0)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// The log has it. One that can be resumed is kept for a while, for whoever has missed the answer.
pub async fn attached(pool: &PgPool, id: AttachmentId, position: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM attachment_uploads WHERE attachment_id = $1 AND length IS NULL")
        .bind(id.0)
        .execute(pool)
        .await?;
    sqlx::query(
        "UPDATE attachment_uploads SET state = 'attached', position = $2, touched_at = now() WHERE attachment_id = $1",
    )
    .bind(id.0)
    .bind(position)
    .execute(pool)
    .await?;
    Ok(())
}

pub async fn remove(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM attachment_uploads WHERE attachment_id = $1").bind(id.0).execute(pool).await?;
    Ok(())
}

/// An upload that can be resumed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Upload {
    attachment_id: Uuid,
    pub state: String,
    pub length: i64,
    file_name: String,
    content_type: String,
    pub metadata: Option<String>,
    received: i64,
    hash: Option<Vec<u8>>,
    /// Of the event, once it is attached.
    pub position: Option<i64>,
    pub command_id: Uuid,
    pub touched_at: DateTime<Utc>,
}

const FIELDS: &str = "attachment_id, state, length, file_name, content_type, metadata, received, hash, position, \
                      command_id, touched_at";

impl Upload {
    pub fn id(&self) -> AttachmentId {
        AttachmentId(self.attachment_id)
    }

    pub fn progress(&self) -> Progress {
        Progress { size: self.received as u64, hash: self.hash.clone() }
    }

    pub fn is_complete(&self) -> bool {
        self.received == self.length
    }

    pub fn is_attached(&self) -> bool {
        self.state == "attached"
    }

    pub fn file(&self) -> File {
        File { name: FileName::cleaned(&self.file_name), content_type: ContentType::cleaned(Some(&self.content_type)) }
    }

    pub fn expires_at(&self) -> DateTime<Utc> {
        self.touched_at + chrono::Duration::days(KEPT_DAYS)
    }
}

/// How many of somebody's uploads are not complete, but for one that is asked for again.
pub async fn unfinished(pool: &PgPool, request: AttachRequest) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM attachment_uploads \
         WHERE user_id = $1 AND command_id <> $2 AND length IS NOT NULL AND state <> 'attached'",
    )
    .bind(request.user.0)
    .bind(request.command_id)
    .fetch_one(pool)
    .await
}

/// A new upload, or the one that was asked for before under the same key.
pub async fn create(
    pool: &PgPool,
    id: AttachmentId,
    task: TaskId,
    request: AttachRequest,
    (file, length, metadata): (&File, u64, Option<&str>),
) -> sqlx::Result<Option<Upload>> {
    sqlx::query(
        "INSERT INTO attachment_uploads (attachment_id, task_id, user_id, command_id, length, file_name, content_type, metadata) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (user_id, command_id) WHERE length IS NOT NULL DO NOTHING",
    )
    .bind(id.0)
    .bind(task.0)
    .bind(request.user.0)
    .bind(request.command_id)
    .bind(length as i64)
    .bind(file.name.as_str())
    .bind(file.content_type.as_str())
    .bind(metadata)
    .execute(pool)
    .await?;
    sqlx::query_as(&format!(
        "SELECT {FIELDS} FROM attachment_uploads \
         WHERE user_id = $1 AND command_id = $2 AND task_id = $3 AND length = $4 AND metadata IS NOT DISTINCT FROM $5"
    ))
    .bind(request.user.0)
    .bind(request.command_id)
    .bind(task.0)
    .bind(length as i64)
    .bind(metadata)
    .fetch_optional(pool)
    .await
}

/// The caller's own upload to this task.
pub async fn get(pool: &PgPool, id: AttachmentId, task: TaskId, user: UserId) -> sqlx::Result<Option<Upload>> {
    sqlx::query_as(&format!(
        "SELECT {FIELDS} FROM attachment_uploads WHERE attachment_id = $1 AND task_id = $2 AND user_id = $3 \
         AND length IS NOT NULL AND state <> 'abandoned'"
    ))
    .bind(id.0)
    .bind(task.0)
    .bind(user.0)
    .fetch_optional(pool)
    .await
}

/// Makes this request the one that writes, if the upload is where it thinks. One that was writing finds that out with its
/// next part, and stops.
pub async fn take_over(pool: &PgPool, id: AttachmentId, at: u64, writer: Uuid) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "UPDATE attachment_uploads SET writer = $3, touched_at = now() \
         WHERE attachment_id = $1 AND received = $2 AND state = 'receiving'",
    )
    .bind(id.0)
    .bind(at as i64)
    .bind(writer)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Whether there is still something to come of it.
pub async fn is_there(pool: &PgPool, id: AttachmentId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM attachment_uploads WHERE attachment_id = $1 AND state <> 'abandoned')",
    )
    .bind(id.0)
    .fetch_one(pool)
    .await
}

/// Whether this request is still the one that writes.
pub async fn advance(pool: &PgPool, id: AttachmentId, writer: Uuid, to: &Progress) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "UPDATE attachment_uploads SET received = $3, hash = $4, touched_at = now() \
         WHERE attachment_id = $1 AND writer = $2 AND state = 'receiving'",
    )
    .bind(id.0)
    .bind(writer)
    .bind(to.size as i64)
    .bind(&to.hash)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Ends an upload that is still coming in. Whoever writes finds that out with the next part.
pub async fn abandon(pool: &PgPool, id: AttachmentId) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "UPDATE attachment_uploads SET state = 'abandoned' WHERE attachment_id = $1 AND state = 'receiving'",
    )
    .bind(id.0)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}
