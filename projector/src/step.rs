//! Steps of the projection: one batch of events into the read tables, with the checkpoint, in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{Connection, PgConnection};
use taskfold_event_log::deadline::{BATCH as BATCH_LIMIT, REQUEST, within};
use taskfold_event_log::{LoggedEvent, StickyConnection, WatchedPosition, metrics};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::dead_letters::{self, aggregate_of};
use crate::decoded::Decoded;
use crate::tables::{Keys, Tables};
use crate::{ProjectorError, derived, versions};

/// Maximum of events in one transaction.
const BATCH: i64 = 1000;
/// Divisor of the size of a batch that failed.
const SMALLER: i64 = 10;

/// Number of events up to which a step takes no time.
const FEW: usize = 100;

/// Maximum of rows that are kept for the next steps.
const KEPT_ROWS: usize = 10_000;

/// Outcome of a step.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The read tables have all of the log.
    Idle,
    Projected {
        events: Arc<[LoggedEvent]>,
        /// The new checkpoint.
        position: i64,
    },
}

/// Rows as the last step left them. They are current as long as the read tables are at the same log position: whoever
/// else writes there changes it.
#[derive(Default)]
pub struct Memory {
    tables: Tables,
    at: Option<LogPosition>,
}

/// Log position of the read tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogPosition {
    position: i64,
    /// Command of the event at `position`, which a position alone does not tell from another log's.
    command_id: Option<Uuid>,
    /// Number of times that they were rewritten without a new position.
    generation: i64,
}

/// Extent of a step, and whether it is announced.
#[derive(Clone, Copy)]
enum Reach {
    /// In the live generation: to the end of the log, and announced.
    Live,
    /// In another generation: up to the checkpoint of the live one.
    Other { upto: i64 },
}

impl Reach {
    /// Runs a part of a step with `events`. With few of them it takes no time, so that it has a deadline long before
    /// the step's own. A rebuild has no such deadline.
    async fn soon<T, E: From<sqlx::Error>>(
        self,
        events: usize,
        part: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self {
            Self::Live if events <= FEW => within(REQUEST, part).await,
            Self::Live | Self::Other { .. } => part.await,
        }
    }
}

/// Projects the next batch: rows and checkpoint in one transaction.
pub async fn step(database: &mut StickyConnection, memory: &mut Memory) -> Result<Outcome, ProjectorError> {
    // Boxed, here and below: the future of a batch is large, and each deadline around it holds it twice.
    let projecting = Box::pin(async { batch(database.connection().await?, memory, Reach::Live).await });
    let outcome = within(BATCH_LIMIT, projecting).await;
    if outcome.is_err() {
        database.close();
    }
    outcome
}

/// Projects up to `upto` into a generation beside the live one, whose tables the connection sees first.
pub async fn catch_up(db: &mut PgConnection, memory: &mut Memory, upto: i64) -> Result<(), ProjectorError> {
    while let Outcome::Projected { .. } = batch(db, memory, Reach::Other { upto }).await? {}
    Ok(())
}

/// Projects a batch, and smaller ones when it fails, down to one event: one that can be folded or stored by no attempt
/// is dead-lettered.
async fn batch(db: &mut PgConnection, memory: &mut Memory, reach: Reach) -> Result<Outcome, ProjectorError> {
    let mut limit = BATCH;
    loop {
        match take(db, memory, limit, reach).await {
            Err(error) if limit > 1 && !error.is_of_the_whole() => {
                limit = (limit / SMALLER).max(1);
                metrics::projection_retries().increment(1);
                tracing::warn!(%error, limit, "a batch could not be projected, trying a smaller one");
            }
            outcome => return outcome,
        }
    }
}

async fn take(db: &mut PgConnection, memory: &mut Memory, limit: i64, reach: Reach) -> Result<Outcome, ProjectorError> {
    let mut tx = reach.soon(0, db.begin()).await?;
    // The lock is held until the commit, against a second projector and the switch of a rebuild. Plans are kept with
    // the connection, and often made while the tables are still small: they must be those of large tables.
    let begin = sqlx::query!(
        r#"
        SELECT position, CASE WHEN command_position = position THEN command_id END AS command_id, generation,
               versions = $1 AS "ours!", EXISTS (SELECT FROM set_aside_events) AS "dead_letters!",
               set_config('enable_seqscan', 'off', true) AS seqscan,
               set_config('enable_hashjoin', 'off', true) AS hashjoin,
               set_config('enable_mergejoin', 'off', true) AS mergejoin
        FROM projection_checkpoint FOR UPDATE
        "#,
        Json(versions::ours()) as _,
    );
    let checkpoint = reach.soon(0, begin.fetch_one(&mut *tx)).await?;
    // The tables may have been written by another version of the code.
    if !checkpoint.ours {
        return Err(ProjectorError::OtherVersion);
    }
    let dead_letters = checkpoint.dead_letters;
    let at = LogPosition {
        position: checkpoint.position,
        command_id: checkpoint.command_id,
        generation: checkpoint.generation,
    };
    let mut events = reach.soon(0, taskfold_event_log::page_after(&mut *tx, at.position, limit)).await?;
    if let Reach::Other { upto } = reach {
        events.retain(|event| event.position <= upto);
    }
    let Some((position, command_id)) = events.last().map(|e| (e.position, e.command_id)) else {
        // Ended now rather than with the next step: an open transaction keeps PostgreSQL from vacuuming what every
        // append leaves behind.
        tx.rollback().await?;
        return Ok(Outcome::Idle);
    };
    let span = tracing::info_span!("batch", after = at.position, last = position);
    // Nothing is kept in memory until the commit is certain.
    let kept = std::mem::take(memory);
    let mut tables = if kept.at == Some(at) { kept.tables } else { Tables::default() };
    match events.as_slice() {
        [one] if limit == 1 => {
            let mut attempt = tx.begin().await?;
            match project(&mut attempt, &mut tables, &events, dead_letters).instrument(span.clone()).await {
                Ok(()) => attempt.commit().await?,
                Err(error) if error.is_of_the_whole() => return Err(error),
                Err(error) => {
                    attempt.rollback().await?;
                    tables = Tables::default();
                    dead_letters::put(&mut tx, one, &error.to_string()).instrument(span).await?;
                }
            }
        }
        events => {
            let projecting = Box::pin(project(&mut tx, &mut tables, events, dead_letters)).instrument(span);
            reach.soon(events.len(), projecting).await?;
        }
    }
    let channel = match reach {
        Reach::Live => Some(WatchedPosition::Projected.channel()),
        Reach::Other { .. } => None,
    };
    let advance = sqlx::query!(
        r#"
        WITH moved AS (
            UPDATE projection_checkpoint SET position = $1, command_position = $1, command_id = $4
            WHERE position = $2 RETURNING position)
        SELECT CASE WHEN $3::text IS NOT NULL THEN pg_notify($3, position::text) END FROM moved
        "#,
        position,
        at.position,
        channel,
        command_id,
    );
    let moved = reach.soon(0, advance.fetch_optional(&mut *tx)).await?;
    if moved.is_none() {
        return Err(ProjectorError::CheckpointMoved);
    }
    reach.soon(0, tx.commit()).await?;
    if tables.rows() <= KEPT_ROWS {
        *memory = Memory { tables, at: Some(LogPosition { position, command_id: Some(command_id), ..at }) };
    }
    Ok(Outcome::Projected { events: events.into(), position })
}

/// Loads the rows that the events modify, applies the events, writes the rows back.
async fn project(
    db: &mut PgConnection,
    tables: &mut Tables,
    events: &[LoggedEvent],
    any_dead_letters: bool,
) -> Result<(), ProjectorError> {
    let mut dead_lettered = if any_dead_letters { dead_letters::known(db, events).await? } else { HashSet::new() };
    let mut keys = Keys::default();
    let mut decoded = Vec::with_capacity(events.len());
    for event in events {
        decoded.push(match Decoded::new(event) {
            Ok(_) if dead_lettered.contains(&aggregate_of(event)) => Err((event, dead_letters::WAITS.to_owned())),
            Ok(event) => {
                keys.add(&event);
                Ok(event)
            }
            Err(error) => Err((event, error.to_string())),
        });
    }
    let unreadable = tables.load(db, &keys).await?;
    tables.history = dead_letters::unreadable(db, &unreadable, events).await?;
    for event in decoded {
        let (logged, applied) = match event {
            Ok(event) if dead_lettered.contains(&aggregate_of(event.logged)) => {
                (event.logged, Err(dead_letters::WAITS.to_owned()))
            }
            Ok(event) => match unreadable.get(&event.id) {
                Some(reason) => (event.logged, Err(reason.clone())),
                None => (event.logged, tables.apply(&event).map_err(|e| e.to_string())),
            },
            Err((logged, reason)) => (logged, Err(reason)),
        };
        if let Err(reason) = applied {
            dead_letters::put(db, logged, &reason).await?;
            dead_lettered.insert(aggregate_of(logged));
        }
    }
    derived::flush(tables, db).await
}
