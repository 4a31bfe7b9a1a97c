use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::Event;
use taskfold_domain::TaskEvent;
use taskfold_domain::ids::AttachmentId;
use taskfold_event_log::deadline::{BATCH, REQUEST, within};
use taskfold_event_log::{EventRow, LoggedEvent, Worker};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Uploads, rows};
use crate::{Store, StoreError};

/// Between two looks when nobody wakes it.
const LOOK: Duration = Duration::from_secs(60);
/// Positions of the log that one look takes.
const WINDOW: i64 = 10_000;
/// Dead uploads that one look takes.
const DEAD: i64 = 100;

/// SQL: the place in an event's payload that names the attachment, 0 for none. In the text, in which a quote of a file's name is escaped: PostgreSQL's functions for JSON fail on some
/// payloads, and with them the statement for all uploads.
const NAMED: &str = "strpos(e.payload::text, format('\"id\":\"%s\"', attachment_id))";

/// What a look came to.
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
        let outcome = step(&uploads.pool, &uploads.store).await;
        if outcome.is_ok() {
            Worker::Janitor.succeeded();
        }
        match outcome {
            Ok(Outcome::Cleaned) => continue,
            Ok(Outcome::Idle) => {}
            Err(error) => tracing::warn!(%error, "what is left of attachments could not be taken away yet"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = uploads.removed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Takes away the bytes of attachments that were removed, and of uploads that died.
pub async fn step(pool: &PgPool, store: &Store) -> Result<Outcome, JanitorError> {
    let followed = follow_the_log(pool, store).await?;
    let buried = bury_the_dead(pool, store).await?;
    Ok(if followed || buried { Outcome::Cleaned } else { Outcome::Idle })
}

/// The log says which bytes go, so that none stay because a process died between the event and the bytes. How far it was
/// followed is moved on when they are gone: done twice is as good as once.
async fn follow_the_log(pool: &PgPool, store: &Store) -> Result<bool, JanitorError> {
    // Not in a transaction, which would be held for as long as the store takes.
    let where_it_is = sqlx::query_as("SELECT j.position, h.position FROM attachment_janitor j, log_head h");
    let (at, head): (i64, i64) = within(REQUEST, where_it_is.fetch_one(pool)).await?;
    let upto = head.min(at + WINDOW);
    if upto <= at {
        return Ok(false);
    }
    let reading = sqlx::query_as!(
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
    let events = within(BATCH, reading.fetch_all(pool)).await?;
    for event in events {
        match event.event() {
            Ok(Event::Task(TaskEvent::AttachmentRemoved(e))) => store.remove(e.attachment.from.id).await?,
            Ok(Event::Task(TaskEvent::AttachmentAdded(e))) => {
                let forget = "DELETE FROM attachment_uploads WHERE attachment_id = $1 AND length IS NULL";
                within(REQUEST, sqlx::query(forget).bind(e.attachment.to.id.0).execute(pool)).await?;
            }
            Ok(_) => {}
            // Bytes that stay do no harm; all others would wait for them to go.
            Err(error) => tracing::error!(%error, "the bytes of an attachment are not looked after"),
        }
    }
    // Another instance may be at it too, and further.
    let follow = sqlx::query("UPDATE attachment_janitor SET position = $1 WHERE position < $1").bind(upto);
    within(REQUEST, follow.execute(pool)).await?;
    Ok(upto < head)
}

/// Uploads that nothing has been heard of for a day. One that may have been appended is asked of the log.
async fn bury_the_dead(pool: &PgPool, store: &Store) -> Result<bool, JanitorError> {
    // Attached ones were kept for those who missed the answer. The others are marked first, so that an upload that is alive
    // after all does not append what is being taken away.
    let mark = format!(
        "UPDATE attachment_uploads u SET state = CASE WHEN in_log THEN 'attached' ELSE 'abandoned' END \
         FROM (SELECT attachment_id, EXISTS (\
                   SELECT FROM events e WHERE e.aggregate_type = 'task' AND e.aggregate_id = task_id::text \
                   AND e.event_type = 'task.attachment_added' \
                   AND {NAMED} > 0) \
               AND NOT EXISTS (\
                   SELECT FROM events e WHERE e.aggregate_type = 'task' AND e.aggregate_id = task_id::text \
                   AND e.event_type = 'task.attachment_removed' \
                   AND {NAMED} > 0) AS in_log \
               FROM attachment_uploads WHERE state = 'abandoned' OR touched_at < now() - interval '{KEPT}' \
               ORDER BY touched_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS d \
         WHERE u.attachment_id = d.attachment_id RETURNING u.attachment_id, in_log",
        KEPT = rows::KEPT
    );
    let dead: Vec<(Uuid, bool)> = within(BATCH, sqlx::query_as(&mark).bind(DEAD).fetch_all(pool)).await?;
    for (id, in_log) in &dead {
        let id = AttachmentId(*id);
        if *in_log {
            store.remove_tails(id).await?;
        } else {
            store.remove(id).await?;
        }
        within(REQUEST, rows::remove(pool, id)).await?;
    }
    Ok(!dead.is_empty())
}
