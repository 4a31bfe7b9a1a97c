//! The append, from the process's side. While one batch commits, the next one collects: serialising all appends on one
//! row costs one commit for many commands.

/// Which commands go into one call.
mod batch;
/// The call.
mod call;
/// One command at a time, when it has lost to others again and again.
mod hold;
/// The newest event of the log that the process has seen.
mod known;
/// Waiting while other processes append.
mod line;
/// Whether others append too.
mod others;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{FromRow, PgPool};
use taskfold_domain::ids::{ColumnId, ProjectId, TeamId, UserId};
use taskfold_domain::task::beside::{Link, Place};
use taskfold_event_log::deadline::within;
use taskfold_event_log::{Kept, LogIdentity, Worker, Writes};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use uuid::Uuid;

use self::hold::Turn;
use self::known::Known;
pub use self::line::LINE;
use self::others::Others;
use super::envelope::CommandError;

/// Commands that one call takes at most; a call is one transaction, so also how much one crash can undo.
const BATCH: usize = 256;
/// Commands that may wait; beyond it callers wait for a place.
const WAITING: usize = 4096;
/// Deadline of one call. The database's own limits (see `taskfold_command` in `src/databases.rs`) are below it, so that what is waited for in there is
/// named; this one is for a server that does not answer at all.
const CALL: Duration = Duration::from_secs(4);
/// How long trouble is waited out with a batch in hand. Callers wait little longer.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_AFTER: Duration = Duration::from_millis(150);
/// One command, decided.
#[derive(Clone, Debug)]
pub struct Append {
    pub aggregate_type: &'static str,
    pub aggregate: Uuid,
    /// None for a team.
    pub project: Option<ProjectId>,
    pub actor: UserId,
    pub command_id: Uuid,
    pub fingerprint: Vec<u8>,
    /// The aggregate's version that was decided on.
    pub expected_version: u64,
    /// The command of its last event, where that is known.
    pub expected_command: Option<Uuid>,
    /// The project that was decided on, where that is another aggregate.
    pub guard: Option<Seen>,
    /// The same of teams.
    pub teams: Vec<(TeamId, Seen)>,
    pub created_id: Option<Uuid>,
    pub created: bool,
    pub occurred_at: Option<DateTime<Utc>>,
    pub traceparent: Option<String>,
    /// Where a task stands after its events, when they change that.
    pub place: Option<Placed>,
    /// This column must hold no tasks.
    pub empty_column: Option<ColumnId>,
    pub link: Option<Link>,
    /// When the task is to be reminded of next, when that changes.
    pub due: Option<Option<DateTime<Utc>>>,
    /// Type, schema version and payload of each.
    pub events: Vec<(String, String, String)>,
}

/// An aggregate as it was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub version: u64,
    /// The id of the command of its last event, where that is known: a version alone does not tell one log from another.
    pub command: Option<Uuid>,
}

#[derive(Clone, Debug)]
pub struct Placed {
    pub place: Place,
    /// How many tasks the column may hold, where that is enforced and this one is new there.
    pub wip_limit: Option<u32>,
}

impl Append {
    pub fn new(
        aggregate_type: &'static str,
        aggregate: Uuid,
        project: Option<ProjectId>,
        actor: UserId,
        command_id: Uuid,
    ) -> Self {
        Self {
            aggregate_type,
            aggregate,
            project,
            actor,
            command_id,
            fingerprint: Vec::new(),
            expected_version: 0,
            expected_command: None,
            guard: None,
            teams: Vec::new(),
            created_id: None,
            created: false,
            occurred_at: None,
            traceparent: None,
            place: None,
            empty_column: None,
            link: None,
            due: None,
            events: Vec::new(),
        }
    }
}

/// Where the log has a command.
#[derive(Clone, Debug, Deserialize, FromRow)]
pub struct Recorded {
    pub first_position: i64,
    pub last_position: i64,
    pub version: i64,
    pub aggregate_id: Uuid,
    pub created_id: Option<Uuid>,
    pub created: bool,
    pub recorded_at: DateTime<Utc>,
}

/// What the log says to a command. See `migrations/append.sql`.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Appended(Recorded),
    Duplicate(Recorded),
    Reused,
    Conflict,
    Guard,
    Cycle,
    Rank,
    Wip,
    NotEmpty,
}

type Reply = oneshot::Sender<Result<Outcome, CommandError>>;
type Waiting = (Append, Reply);

/// Nobody waits any longer for a command that has stood in the queue for this long, and it is not appended any more.
const STALE: Duration = Duration::from_secs(5);

/// A command in the queue.
struct Queued {
    waiting: Waiting,
    since: Instant,
}

/// Hands commands to the committer.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Queued>,
    holds: mpsc::Sender<oneshot::Sender<Turn>>,
}

impl Appender {
    /// Returns when the command is durable, or refused. A caller who goes away does not stop its append.
    pub async fn append(&self, append: Append) -> Result<Outcome, CommandError> {
        let gone = || CommandError::Unavailable("shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        let queued = Queued { waiting: (append, reply), since: Instant::now() };
        self.queue.send(queued).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until the log stands still for the caller alone, whatever other processes want of it.
    pub async fn hold(&self) -> Result<Turn, CommandError> {
        let gone = || CommandError::Unavailable("the log could not be held".to_owned());
        let (asker, turn) = oneshot::channel();
        self.holds.send(asker).await.map_err(|_| gone())?;
        turn.await.map_err(|_| gone())
    }
}

/// The appender and the loop behind it, which ends when the last appender is dropped and nothing waits any more: commands that were
/// accepted before a shutdown are appended.
pub fn committer(
    pool: PgPool,
    log: watch::Receiver<LogIdentity>,
    writes: Writes,
) -> (Appender, impl Future<Output = ()>) {
    let (queue, mut waiting) = mpsc::channel::<Queued>(WAITING);
    let (holds, mut holding) = mpsc::channel(WAITING);
    let committing = async move {
        let mut database = Kept::new(pool);
        let mut known = Known::new(log, writes);
        let mut others = Others::default();
        // In the order of their arrival.
        let mut next = VecDeque::new();
        loop {
            if let Ok(asker) = holding.try_recv() {
                hold::hold(&mut database, &mut known, asker).await;
            }
            if next.is_empty() {
                let first = tokio::select! {
                    biased;
                    first = waiting.recv() => first,
                    Some(asker) = holding.recv() => {
                        hold::hold(&mut database, &mut known, asker).await;
                        continue;
                    }
                };
                match first {
                    Some(first) => next.push_back(first),
                    None => return,
                }
            }
            let line = if others.append_too() { line::wait(&mut database).await } else { None };
            while next.len() < BATCH
                && let Ok(more) = waiting.try_recv()
            {
                next.push_back(more);
            }
            refuse_stale(&mut next);
            let batch = batch::take(&mut next, BATCH, |queued: &Queued| &queued.waiting.0);
            if batch.is_empty() {
                continue;
            }
            let (appends, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|queued| queued.waiting).unzip();
            metrics::histogram!("taskfold_append_batch_commands").record(appends.len() as f64);
            let positions = commit(&mut database, &mut known, &appends, replies, line).await;
            others.learn(positions);
        }
    };
    (Appender { queue, holds }, committing)
}

/// After trouble with the database, the callers of the oldest commands have been told that they are not answered.
fn refuse_stale(next: &mut VecDeque<Queued>) {
    while next.front().is_some_and(|first| first.since.elapsed() > STALE)
        && let Some(Queued { waiting: (_, reply), .. }) = next.pop_front()
    {
        let _ = reply.send(Err(CommandError::Unavailable("it waited for too long".to_owned())));
    }
}

/// Answers which positions the batch has; none when it could not be appended as a whole.
async fn commit(
    database: &mut Kept,
    known: &mut Known,
    appends: &[Append],
    replies: Vec<Reply>,
    line: Option<i64>,
) -> Option<RangeInclusive<i64>> {
    match commit_with_patience(database, known, appends, line).await {
        Ok(outcomes) => {
            let positions = others::positions(&outcomes);
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // Whoever asked may have gone.
                let _ = reply.send(Ok(outcome));
            }
            return positions;
        }
        // Something in the batch cannot be stored, or lacks what the append keeps of it: alone, it fails alone.
        Err(CommandError::Broken(_) | CommandError::Incomplete) if appends.len() > 1 => {
            for (append, reply) in appends.iter().zip(replies) {
                let answer = commit_with_patience(database, known, std::slice::from_ref(append), None).await;
                let first = |outcomes: Vec<Outcome>| outcomes.into_iter().next();
                let _ = reply.send(
                    answer.and_then(|all| first(all).ok_or_else(|| CommandError::Broken("no answer".to_owned()))),
                );
            }
        }
        Err(error) => {
            let text = error.to_string();
            for reply in replies {
                let _ = reply.send(Err(match error {
                    CommandError::Broken(_) => CommandError::Broken(text.clone()),
                    CommandError::Suspended => CommandError::Suspended,
                    CommandError::OtherLog => CommandError::OtherLog,
                    CommandError::Forked => CommandError::Forked,
                    CommandError::Incomplete => CommandError::Incomplete,
                    _ => CommandError::Unavailable(text.clone()),
                }));
            }
        }
    }
    None
}

/// A connection lost on the way leaves open whether the batch was committed. Sending it again settles that: what was
/// committed is answered as a duplicate.
async fn commit_with_patience(
    database: &mut Kept,
    known: &mut Known,
    appends: &[Append],
    mut line: Option<i64>,
) -> Result<Vec<Outcome>, CommandError> {
    let until = Instant::now() + PATIENCE;
    let mut retries = 0;
    loop {
        let call = async { call::call(database.connection().await?, appends, line.take(), known.log()).await };
        let called = within(CALL, call).await;
        match &called {
            Ok(_) => {
                Worker::Committer.succeeded();
                known.writes.succeeded();
            }
            Err(error) => {
                known.writes.failed(error);
                // A session that waited in line is still the first there; and any may be one that does not answer.
                database.close();
            }
        }
        match called.map_err(CommandError::from) {
            Err(CommandError::Unavailable(cause)) if Instant::now() < until => {
                tracing::warn!(cause, retries, "appending again");
                retries += 1;
                tokio::time::sleep(RETRY_AFTER * retries).await;
            }
            Ok(outcomes) => {
                known.learn(appends, &outcomes);
                return Ok(outcomes);
            }
            Err(error) => return Err(error),
        }
    }
}
