//! Uploads in progress, in the database.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use taskfold_domain::ids::{AttachmentId, TaskId, UserId};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_domain::limits::UPLOAD_RETENTION_DAYS;
use uuid::Uuid;

use super::{AttachRequest, File, Target, UploadError, Uploads, quota};
use crate::Progress;

/// Records that there may be bytes under this id, before there are any. `declared`: size of the file, or 0.
pub(super) async fn begin(
    uploads: &Uploads,
    id: AttachmentId,
    target: Target,
    request: AttachRequest,
    declared: u64,
) -> Result<(), UploadError> {
    let mut transaction = uploads.pool.begin().await?;
    quota::count(&mut transaction, uploads.quota, id, target, declared).await?;
    sqlx::query!(
        "INSERT INTO attachment_uploads (attachment_id, task_id, user_id, command_id) VALUES ($1, $2, $3, $4)",
        id.0,
        target.task.0,
        request.user.0,
        request.command_id,
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

pub async fn renew(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE attachment_uploads SET touched_at = now() WHERE attachment_id = $1", id.0)
        .execute(pool)
        .await?;
    Ok(())
}

/// Records that the upload is being appended, with the size of the file. False: the janitor has abandoned it.
pub async fn start_commit(uploads: &Uploads, id: AttachmentId, target: Target, size: u64) -> Result<bool, UploadError> {
    let mut transaction = uploads.pool.begin().await?;
    quota::count(&mut transaction, uploads.quota, id, target, size).await?;
    let updated = sqlx::query!(
        r#"
        UPDATE attachment_uploads SET state = 'committing', touched_at = now()
        WHERE attachment_id = $1 AND state IN ('receiving', 'committing')
        "#,
        id.0,
    )
    .execute(&mut *transaction)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

/// Records that the log contains the attachment. The row of a resumable upload remains until it expires, for clients
/// that have missed the response.
pub async fn set_attached(pool: &PgPool, id: AttachmentId, position: i64) -> sqlx::Result<()> {
    remove_single(pool, id).await?;
    sqlx::query!(
        r#"
        UPDATE attachment_uploads SET state = 'attached', position = $2, touched_at = now()
        WHERE attachment_id = $1
        "#,
        id.0,
        position,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Removes the row of an upload in a single request.
pub async fn remove_single(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM attachment_uploads WHERE attachment_id = $1 AND length IS NULL", id.0)
        .execute(pool)
        .await?;
    Ok(())
}

/// Removes the row of an upload that was attached.
pub async fn remove(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM attachment_uploads WHERE attachment_id = $1", id.0).execute(pool).await?;
    Ok(())
}

/// Removes the rows of an upload whose bytes were removed.
pub async fn release(pool: &PgPool, id: AttachmentId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        WITH file AS (DELETE FROM attachment_files WHERE attachment_id = $1)
        DELETE FROM attachment_uploads WHERE attachment_id = $1
        "#,
        id.0,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A resumable upload.
#[derive(Clone, Debug)]
pub struct Upload {
    attachment_id: Uuid,
    pub state: String,
    pub length: i64,
    file_name: String,
    content_type: String,
    pub metadata: Option<String>,
    received: i64,
    hash: Option<Vec<u8>>,
    /// Position of the event, once the upload is attached.
    pub position: Option<i64>,
    pub command_id: Uuid,
    pub touched_at: DateTime<Utc>,
}

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
        self.touched_at + chrono::Duration::days(UPLOAD_RETENTION_DAYS.into())
    }
}

/// Number of the user's uploads that are not attached, except for the one of this request.
pub async fn unfinished(pool: &PgPool, request: AttachRequest) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM attachment_uploads
        WHERE user_id = $1 AND command_id <> $2 AND length IS NOT NULL AND state <> 'attached'
        "#,
        request.user.0,
        request.command_id,
    )
    .fetch_one(pool)
    .await
}

/// Creates an upload, or returns the one that the same request has created before. `None`: the key was used for another
/// request.
pub async fn create(
    uploads: &Uploads,
    id: AttachmentId,
    target: Target,
    request: AttachRequest,
    (file, length, metadata): (&File, u64, Option<&str>),
) -> Result<Option<Upload>, UploadError> {
    let mut transaction = uploads.pool.begin().await?;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO attachment_uploads
            (attachment_id, task_id, user_id, command_id, length, file_name, content_type, metadata)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (user_id, command_id) WHERE length IS NOT NULL DO NOTHING
        "#,
        id.0,
        target.task.0,
        request.user.0,
        request.command_id,
        length as i64,
        file.name.as_str(),
        file.content_type.as_str(),
        metadata,
    )
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 1 {
        quota::count(&mut transaction, uploads.quota, id, target, length).await?;
    }
    transaction.commit().await?;
    let upload = sqlx::query_as!(
        Upload,
        r#"
        SELECT attachment_id, state, length AS "length!", file_name AS "file_name!", content_type AS "content_type!",
               metadata, received, hash, position, command_id, touched_at
        FROM attachment_uploads
        WHERE user_id = $1 AND command_id = $2 AND task_id = $3 AND length = $4 AND metadata IS NOT DISTINCT FROM $5
        "#,
        request.user.0,
        request.command_id,
        target.task.0,
        length as i64,
        metadata,
    )
    .fetch_optional(&uploads.pool)
    .await?;
    Ok(upload)
}

/// The caller's own upload to this task.
pub async fn get(pool: &PgPool, id: AttachmentId, task: TaskId, user: UserId) -> sqlx::Result<Option<Upload>> {
    sqlx::query_as!(
        Upload,
        r#"
        SELECT attachment_id, state, length AS "length!", file_name AS "file_name!", content_type AS "content_type!",
               metadata, received, hash, position, command_id, touched_at
        FROM attachment_uploads
        WHERE attachment_id = $1 AND task_id = $2 AND user_id = $3 AND length IS NOT NULL AND state <> 'abandoned'
        "#,
        id.0,
        task.0,
        user.0,
    )
    .fetch_optional(pool)
    .await
}

/// Makes this request the writer, if the upload is at the offset `at`. A request that was writing before notices it
/// with its next part, and stops.
pub async fn take_over(pool: &PgPool, id: AttachmentId, at: u64, writer: Uuid) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        r#"
        UPDATE attachment_uploads SET writer = $3, touched_at = now()
        WHERE attachment_id = $1 AND received = $2 AND state = 'receiving'
        "#,
        id.0,
        at as i64,
        writer,
    )
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// True if the upload exists and was not abandoned.
pub async fn exists(pool: &PgPool, id: AttachmentId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT FROM attachment_uploads WHERE attachment_id = $1 AND state <> 'abandoned') AS "exists!"
        "#,
        id.0,
    )
    .fetch_one(pool)
    .await
}

/// Stores the progress of a request. False: it is no longer the writer.
pub async fn advance(pool: &PgPool, id: AttachmentId, writer: Uuid, to: &Progress) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        r#"
        UPDATE attachment_uploads SET received = $3, hash = $4, touched_at = now()
        WHERE attachment_id = $1 AND writer = $2 AND state = 'receiving'
        "#,
        id.0,
        writer,
        to.size as i64,
        to.hash.as_deref(),
    )
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Ends an upload that is still being received. Its writer notices it with its next part.
pub async fn abandon(pool: &PgPool, id: AttachmentId) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "UPDATE attachment_uploads SET state = 'abandoned' WHERE attachment_id = $1 AND state = 'receiving'",
        id.0,
    )
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}
