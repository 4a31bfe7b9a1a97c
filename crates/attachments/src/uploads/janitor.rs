//! Removal of abandoned uploads, and of the bytes of removed attachments.

use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::Event;
use taskfold_domain::ids::{AttachmentId, ProjectId, TaskId};
use taskfold_domain::limits::UPLOAD_RETENTION_DAYS;
use taskfold_domain::task::{Aspect, AttachmentChange};
use taskfold_event_log::deadline::{BATCH, REQUEST, within};
use taskfold_event_log::{EventRow, LoggedEvent, Worker};
use tokio_util::sync::CancellationToken;

use super::quota::{self, Changes};
use super::{Target, Uploads, rows};
use crate::{Store, StoreError};

/// Interval of the steps of an idle janitor.
const IDLE_INTERVAL: Duration = Duration::from_secs(60);
/// Number of positions of the log in one step.
const POSITIONS_PER_STEP: i64 = 10_000;
/// Number of expired uploads in one step.
const UPLOADS_PER_STEP: i64 = 100;

/// Outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Idle,
    Cleaned,
}

#[derive(Debug, thiserror::Error)]
pub enum JanitorError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Cleans until `shutdown`.
pub async fn work(uploads: Uploads, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match step(&uploads.pool, &uploads.store).await {
            Ok(outcome) => {
                Worker::Janitor.succeeded();
                match outcome {
                    Outcome::Cleaned => continue,
                    Outcome::Idle => {}
                }
            }
            Err(error) => tracing::warn!(%error, "removed attachments and expired uploads could not be cleaned up"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = uploads.removed.notified() => {}
            () = tokio::time::sleep(IDLE_INTERVAL) => {}
        }
    }
}

/// Removes the bytes of removed attachments and of expired uploads.
pub async fn step(pool: &PgPool, store: &Store) -> Result<Outcome, JanitorError> {
    let more_events = follow_log(pool, store).await?;
    let removed = remove_expired(pool, store).await?;
    Ok(if more_events || removed { Outcome::Cleaned } else { Outcome::Idle })
}

/// Follows the log, which says whose bytes to remove, so that none stay when a process dies between the event and the
/// removal. The position is stored after the removal, which can be repeated.
async fn follow_log(pool: &PgPool, store: &Store) -> Result<bool, JanitorError> {
    // Not in a transaction, which would stay open while the store works.
    let select = sqlx::query!(r#"SELECT j.counted, h.position AS "head!" FROM attachment_janitor j, log_head h"#,);
    let row = within(REQUEST, select.fetch_one(pool)).await?;
    let (at, head) = (row.counted, row.head);
    let upto = head.min(at + POSITIONS_PER_STEP);
    if upto <= at {
        return Ok(false);
    }
    let select = sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
               payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
               occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE position > $1 AND position <= $2
          AND event_type IN ('task.attachment_added', 'task.attachment_removed')
        ORDER BY position
        "#,
        at,
        upto,
    )
    .map(LoggedEvent::from);
    let events = within(BATCH, select.fetch_all(pool)).await?;
    let mut changes = Changes::default();
    for event in events {
        match event.event() {
            Ok(Event::Task(task_event)) => {
                if let Aspect::Attachment(change) = task_event.aspect() {
                    match change {
                        AttachmentChange::Removed(file) => {
                            store.remove(file.id).await?;
                            changes.remove(file.id);
                        }
                        AttachmentChange::Added(file) => {
                            within(REQUEST, rows::remove_single(pool, file.id)).await?;
                            if let Some(target) = target(&event) {
                                changes.add(file.id, target, file.size);
                            }
                        }
                    }
                }
            }
            Ok(Event::Project(_) | Event::Team(_)) => {}
            // Skipped: its bytes would only use space, and retries would stop the removal of all others.
            Err(error) => tracing::error!(%error, "an event of an attachment cannot be read, so its bytes stay"),
        }
    }
    within(BATCH, quota::follow(pool, (at, upto), &changes)).await?;
    Ok(upto < head)
}

/// The task of an event, and its project.
fn target(event: &LoggedEvent) -> Option<Target> {
    Some(Target { project: ProjectId(event.project_id?), task: TaskId(event.aggregate_id.parse().ok()?) })
}

/// Removes the rows of uploads that expired, and their bytes unless the log contains the attachment.
async fn remove_expired(pool: &PgPool, store: &Store) -> Result<bool, JanitorError> {
    // Abandoned in the same statement, so that an upload that is still alive is not appended after its bytes are
    // removed. The id is searched in the text of the payload, in which the quotes of file names are escaped: the JSON
    // functions of PostgreSQL fail on some payloads, and with them the statement for all uploads.
    let expired = sqlx::query!(
        r#"
        UPDATE attachment_uploads u SET state = CASE WHEN in_log THEN 'attached' ELSE 'abandoned' END
        FROM (
            SELECT attachment_id,
                   EXISTS (
                       SELECT FROM events e
                       WHERE e.aggregate_type = 'task' AND e.aggregate_id = task_id::text
                         AND e.event_type = 'task.attachment_added'
                         AND strpos(e.payload::text, format('"id":"%s"', attachment_id)) > 0)
                   AND NOT EXISTS (
                       SELECT FROM events e
                       WHERE e.aggregate_type = 'task' AND e.aggregate_id = task_id::text
                         AND e.event_type = 'task.attachment_removed'
                         AND strpos(e.payload::text, format('"id":"%s"', attachment_id)) > 0) AS in_log
            FROM attachment_uploads
            WHERE state = 'abandoned' OR touched_at < now() - make_interval(days => $2)
            ORDER BY touched_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS d
        WHERE u.attachment_id = d.attachment_id
        RETURNING u.attachment_id, in_log AS "in_log!"
        "#,
        UPLOADS_PER_STEP,
        UPLOAD_RETENTION_DAYS,
    );
    let expired = within(BATCH, expired.fetch_all(pool)).await?;
    for upload in &expired {
        let id = AttachmentId(upload.attachment_id);
        if upload.in_log {
            store.remove_tails(id).await?;
            within(REQUEST, rows::remove(pool, id)).await?;
        } else {
            store.remove(id).await?;
            within(REQUEST, rows::release(pool, id)).await?;
        }
    }
    Ok(!expired.is_empty())
}
