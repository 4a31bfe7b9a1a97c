//! Continuation of a log that was restored to an earlier state: it gets another id, and the stream is created and
//! published anew. The events that both logs share are found by comparing it with the stream, where that still exists.

use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use serde_json::json;
use sqlx::PgPool;
use taskfold_event_log::{ASK_EVERY, LogIdentity};
use tokio::time::Instant;

use crate::publish;
use crate::stream::{self, Label};
use crate::transactions::will_lock;
use crate::{Deps, ProjectorError, message};

/// Time in which a leading projector must begin publishing; without one, this process publishes.
const FOR_A_LEADER: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Time in which every process has read the id of the log.
const UNTIL_KNOWN: Duration = ASK_EVERY.saturating_mul(2);

/// Result of an adoption.
#[derive(Clone, Debug)]
pub struct Adopted {
    pub before: LogIdentity,
    pub now: LogIdentity,
    /// Position up to which both logs are the same.
    pub fork: i64,
    pub head: i64,
}

/// Gives the log another id, lets it take commands again, and publishes it anew. `owner` connects as the owner of the
/// tables.
pub async fn adopt(owner: &PgPool, deps: &Deps) -> Result<Adopted, ProjectorError> {
    let context = stream::context(&deps.nats);
    let before = taskfold_event_log::identity(owner).await?;
    let old = stream::find(&context, &deps.stream).await?;
    let replicas = old.as_ref().map_or(deps.stream_replicas, |old| old.cached_info().config.num_replicas);
    let head = taskfold_event_log::head(owner).await?;
    let fork = match &old {
        Some(old) => in_common(owner, old, head).await?,
        // There is nothing to compare with: the log is taken to be complete.
        None => head,
    };
    // The stream is deleted below; one that has nothing of this log belongs to another system.
    if fork == 0 && old.as_ref().is_some_and(|old| stream::label(old, &before) == Label::Another) {
        return Err(ProjectorError::OtherStream(deps.stream.clone()));
    }
    // In this order, so that nobody takes a message of the old stream for an event of the new log: by the time there
    // are any of those, all processes know its id.
    renew(owner, fork).await?;
    let now = taskfold_event_log::identity(owner).await?;
    if old.is_some() {
        context.delete_stream(&deps.stream).await.map_err(|e| ProjectorError::Stream(e.to_string()))?;
    }
    let key = taskfold_event_log::publication_key(owner).await?;
    let made = stream::ensure(&context, &deps.stream, &now, &key, replicas).await?;
    tokio::time::sleep(UNTIL_KNOWN).await;
    sqlx::query!("UPDATE log_head SET suspended = NULL").execute(owner).await?;
    republish(deps, &made).await?;
    publish_adoption(deps, &before, &now, fork).await?;
    Ok(Adopted { before, now, fork, head })
}

/// Finds the last position up to which stream and log have the same events, by bisection: both are in one order.
async fn in_common(db: &PgPool, stream: &Stream, head: i64) -> Result<i64, ProjectorError> {
    let last = stream::last_sequence(stream).await?;
    if last == 0 || same(db, stream, last.min(head)).await? {
        // Beyond a stream that ends earlier there is nothing to compare with.
        return Ok(if last <= head { head } else { last.min(head) });
    }
    let (mut common, mut differing) = (0, last.min(head));
    while common + 1 < differing {
        let middle = common + (differing - common) / 2;
        if same(db, stream, middle).await? {
            common = middle;
        } else {
            differing = middle;
        }
    }
    Ok(common)
}

async fn same(db: &PgPool, stream: &Stream, position: i64) -> Result<bool, ProjectorError> {
    let events = taskfold_event_log::page_between(db, position, position).await?;
    let message = stream::message(stream, position).await?;
    Ok(events.first().zip(message).is_some_and(|(event, message)| message::is_of(&message.payload, event)))
}

/// Writes another id. The log takes no commands until the old stream is deleted, also when this process ends meanwhile.
async fn renew(owner: &PgPool, fork: i64) -> Result<(), ProjectorError> {
    let mut tx = owner.begin().await?;
    will_lock(&mut tx).await?;
    // Row that every append locks.
    let head = sqlx::query_scalar!(
        r#"
        UPDATE log_head SET suspended = 'it is being adopted; `taskfold adopt` continues where it stopped'
        RETURNING position
        "#
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO log_identities (epoch, log_id, fork_position)
        SELECT max(epoch) + 1, gen_random_uuid(), $1 FROM log_identities
        "#,
        fork.min(head),
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Waits until the leading projector has published all that is projected, or publishes it where there is none.
async fn republish(deps: &Deps, stream: &Stream) -> Result<(), ProjectorError> {
    let (mut seen, mut moved) = (0, Instant::now());
    loop {
        let upto = taskfold_event_log::projected_position(&deps.pool).await?;
        let last = stream::last_sequence(stream).await?;
        if last >= upto {
            return Ok(());
        }
        if last > seen {
            (seen, moved) = (last, Instant::now());
        }
        if moved.elapsed() > FOR_A_LEADER {
            // Fenced, so that a projector that leads after all is not disturbed.
            publish::catch_up(deps).await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Announces the adoption on a subject of its own: on the stream it would take a position.
async fn publish_adoption(
    deps: &Deps,
    before: &LogIdentity,
    now: &LogIdentity,
    fork: i64,
) -> Result<(), ProjectorError> {
    let subject = format!("{}.log.adopted", stream::prefix(&deps.stream));
    let message = json!({
        "type": "log.adopted", "log_id": now.id, "previous_log_id": before.id, "fork_position": fork, "epoch": now.epoch(),
    });
    let failed = |error: &dyn std::fmt::Display| ProjectorError::Stream(error.to_string());
    deps.nats.publish(subject, message.to_string().into()).await.map_err(|e| failed(&e))?;
    deps.nats.flush().await.map_err(|e| failed(&e))
}
