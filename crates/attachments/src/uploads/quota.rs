//! The quota of a project's attachments. A file has a row from before its first byte is stored until its bytes are
//! removed, and the sum of the rows is what its project uses.

use sqlx::{PgConnection, PgPool};
use taskfold_domain::ids::AttachmentId;
use uuid::Uuid;

use super::{Target, UploadError};

/// Sets the size of a file in its row, unless the project would exceed its quota with it. Files of one project wait for
/// one another until the transaction ends, so that they do not exceed the quota together.
pub(super) async fn count(
    transaction: &mut PgConnection,
    quota: u64,
    id: AttachmentId,
    target: Target,
    size: u64,
) -> Result<(), UploadError> {
    // A statement of its own: the next one sees what was committed while this one waited.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('attachments ' || $1::uuid::text, 0))",
        target.project.0
    )
    .execute(&mut *transaction)
    .await?;
    let used = sqlx::query_scalar!(
        r#"
        SELECT coalesce(sum(size), 0)::bigint AS "used!" FROM attachment_files
        WHERE project_id = $1 AND attachment_id <> $2
        "#,
        target.project.0,
        id.0,
    )
    .fetch_one(&mut *transaction)
    .await?
    .unsigned_abs();
    if used.saturating_add(size) > quota {
        return Err(UploadError::QuotaExceeded { quota, used, size });
    }
    sqlx::query!(
        r#"
        INSERT INTO attachment_files (attachment_id, task_id, project_id, size) VALUES ($1, $2, $3, $4)
        ON CONFLICT (attachment_id) DO UPDATE SET size = excluded.size
        "#,
        id.0,
        target.task.0,
        target.project.0,
        size.cast_signed(),
    )
    .execute(transaction)
    .await?;
    Ok(())
}

/// Attachments that a part of the log adds and removes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    added: Vec<Uuid>,
    tasks: Vec<Uuid>,
    projects: Vec<Uuid>,
    sizes: Vec<i64>,
    removed: Vec<Uuid>,
}

impl Changes {
    pub(super) fn add(&mut self, id: AttachmentId, target: Target, size: u64) {
        self.added.push(id.0);
        self.tasks.push(target.task.0);
        self.projects.push(target.project.0);
        self.sizes.push(size.cast_signed());
    }

    pub(super) fn remove(&mut self, id: AttachmentId) {
        self.removed.push(id.0);
    }
}

/// Writes what the log changed after position `from`, up to and including `upto`, unless another instance has done so.
/// The rows of added attachments usually exist; the previous release writes none.
pub(super) async fn follow(pool: &PgPool, (from, upto): (i64, i64), changes: &Changes) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let moved = sqlx::query!(
        r#"
        UPDATE attachment_janitor SET counted = $2, position = greatest(position, $2) WHERE counted = $1
        "#,
        from,
        upto,
    )
    .execute(&mut *transaction)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO attachment_files (attachment_id, task_id, project_id, size)
        SELECT DISTINCT ON (attachment_id) attachment_id, task_id, project_id, size
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) AS a (attachment_id, task_id, project_id, size)
        ON CONFLICT (attachment_id) DO UPDATE SET size = excluded.size
        WHERE attachment_files.size <> excluded.size
        "#,
        &changes.added,
        &changes.tasks,
        &changes.projects,
        &changes.sizes,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM attachment_files WHERE attachment_id = ANY ($1)", &changes.removed)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
