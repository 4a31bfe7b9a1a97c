//! `attachment_files`: the attachments that count against the quotas of their projects, compared with the log and
//! repaired.

use sqlx::{Connection as _, PgConnection};

use super::differences::{Difference, MAX_LISTED, Wrong};
use crate::ProjectorError;

/// Finds the attachments whose rows differ from the log.
pub async fn files(db: &mut PgConnection) -> Result<Vec<Difference>, ProjectorError> {
    let differing = sqlx::query!(
        r#"
        SELECT attachment_id AS "attachment_id!", has_row AS "has_row!", size IS NOT NULL AS "in_log!"
        FROM attachment_file_differences LIMIT $1
        "#,
        MAX_LISTED,
    )
    .fetch_all(db)
    .await?;
    let difference = |(key, has_row, in_log)| {
        let wrong = match (has_row, in_log) {
            (false, _) => Wrong::Missing,
            (true, false) => Wrong::Unexpected,
            (true, true) => Wrong::Different,
        };
        Difference { table: "attachment_files", wrong, key: format!("attachment {key}"), task: None }
    };
    Ok(differing.into_iter().map(|row| difference((row.attachment_id, row.has_row, row.in_log))).collect())
}

/// Writes the rows that differ from the log again. Returns their number.
pub async fn repair(db: &mut PgConnection) -> Result<u64, ProjectorError> {
    let mut transaction = db.begin().await?;
    // The janitor would write them at the same time.
    sqlx::query!("SELECT FROM attachment_janitor FOR UPDATE").execute(&mut *transaction).await?;
    let removed = sqlx::query!(
        r#"
        DELETE FROM attachment_files f USING attachment_file_differences d
        WHERE d.attachment_id = f.attachment_id AND d.size IS NULL
        "#,
    )
    .execute(&mut *transaction)
    .await?;
    let written = sqlx::query!(
        r#"
        INSERT INTO attachment_files AS f (attachment_id, task_id, project_id, size)
        SELECT attachment_id, task_id, project_id, size FROM attachment_file_differences WHERE size IS NOT NULL
        ON CONFLICT (attachment_id) DO UPDATE
        SET task_id = excluded.task_id, project_id = excluded.project_id, size = excluded.size
        "#,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(removed.rows_affected() + written.rows_affected())
}
