//! Group commit: while one batch commits, the next one collects. Serialising all appends on one row costs one commit
//! for many commands.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use sqlx::{Executor as _, PgPool};
use taskfold_event_log::deadline::within;
use taskfold_event_log::{LogIdentity, StickyConnection, Worker, Writes, metrics};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::exclusive::{self, ExclusiveSlot};
use super::log_tail::LogTail;
use super::other_appenders::{OtherAppenders, positions};
use super::{Append, CommandError, Outcome, Pending, Reply, batch, call, queue_lock};

/// Commands that one call takes at most; a call is one transaction, so also how much one crash can undo.
const MAX_BATCH: usize = 256;
/// Commands that may wait; beyond that, callers wait to enter the queue.
const MAX_QUEUED: usize = 4096;
/// Deadline of one call, for a server that does not answer. The database's own limits (`src/databases.rs`) end a call
/// that waits for something no later, and name it.
pub const CALL: Duration = Duration::from_secs(4);
/// Time in which a failed call is sent again. One that took until its deadline is not: its callers, who wait 4.5 s, are
/// told that the outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_AFTER: Duration = Duration::from_millis(150);
/// Age of a queued command whose caller no longer waits: it is not appended any more.
const STALE: Duration = Duration::from_secs(5);

/// A command in the queue.
struct Queued {
    pending: Pending,
    since: Instant,
}

/// Handle that passes commands to the committer.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Queued>,
    exclusive: mpsc::Sender<oneshot::Sender<ExclusiveSlot>>,
}

impl Appender {
    /// Returns when the command is durable, or refused. A caller that goes away does not stop its append.
    pub async fn append(&self, append: Append) -> Result<Outcome, CommandError> {
        let mut outcomes = self.append_ordered(vec![append]).await?;
        outcomes.pop().ok_or_else(shutting_down)?
    }

    /// Appends commands on one aggregate in their order, in one call if they fit: each expects the version that the one
    /// before it leaves, and those after a refused one are conflicts. Outcomes are in the same order.
    pub async fn append_ordered(
        &self,
        appends: Vec<Append>,
    ) -> Result<Vec<Result<Outcome, CommandError>>, CommandError> {
        let mut replies = Vec::with_capacity(appends.len());
        for append in appends {
            let (reply, outcome) = oneshot::channel();
            let queued = Queued { pending: (append, reply), since: Instant::now() };
            self.queue.send(queued).await.map_err(|_| shutting_down())?;
            replies.push(outcome);
        }
        let mut outcomes = Vec::with_capacity(replies.len());
        for reply in replies {
            outcomes.push(reply.await.unwrap_or_else(|_| Err(shutting_down())));
        }
        Ok(outcomes)
    }

    /// Waits until the caller has the log for itself, whatever other processes want of it.
    pub async fn lock(&self) -> Result<ExclusiveSlot, CommandError> {
        let gone = || CommandError::Unavailable("the log could not be locked".to_owned());
        let (requester, slot) = oneshot::channel();
        self.exclusive.send(requester).await.map_err(|_| gone())?;
        slot.await.map_err(|_| gone())
    }
}

fn shutting_down() -> CommandError {
    CommandError::Unavailable("shutting down".to_owned())
}

/// The appender and its loop. The loop ends when the last appender is dropped and the queue is empty: commands that
/// were accepted before a shutdown are appended.
pub fn committer(
    pool: PgPool,
    log: watch::Receiver<LogIdentity>,
    writes: Writes,
) -> (Appender, impl Future<Output = ()>) {
    let (queue, mut queued) = mpsc::channel::<Queued>(MAX_QUEUED);
    let (exclusive, mut requests) = mpsc::channel(MAX_QUEUED);
    let committing = async move {
        let mut database = StickyConnection::new(pool);
        let mut tail = LogTail::new(log, writes);
        let mut others = OtherAppenders::default();
        // In order of arrival.
        let mut next = VecDeque::new();
        loop {
            if let Ok(requester) = requests.try_recv() {
                exclusive::grant(&mut database, &mut tail, requester).await;
            }
            if next.is_empty() {
                let first = tokio::select! {
                    biased;
                    first = queued.recv() => first,
                    Some(requester) = requests.recv() => {
                        exclusive::grant(&mut database, &mut tail, requester).await;
                        continue;
                    }
                };
                match first {
                    Some(first) => next.push_back(first),
                    None => return,
                }
            }
            let in_transaction = others.are_active() && queue_lock::begin(&mut database).await;
            while next.len() < MAX_BATCH
                && let Ok(more) = queued.try_recv()
            {
                next.push_back(more);
            }
            refuse_stale(&mut next);
            let batch = batch::take(&mut next, MAX_BATCH, |queued: &Queued| &queued.pending.0);
            if batch.is_empty() {
                if in_transaction {
                    database.close();
                }
                continue;
            }
            let (appends, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|queued| queued.pending).unzip();
            metrics::append_batch_commands().record(appends.len() as f64);
            let positions = commit(&mut database, &mut tail, &appends, replies, in_transaction).await;
            others.learn(positions);
        }
    };
    (Appender { queue, exclusive }, committing)
}

/// Refuses the oldest commands after an outage: their callers have had an answer already.
fn refuse_stale(next: &mut VecDeque<Queued>) {
    while next.front().is_some_and(|first| first.since.elapsed() > STALE)
        && let Some(Queued { pending: (_, reply), .. }) = next.pop_front()
    {
        let _ = reply.send(Err(CommandError::Unavailable("it was queued for too long".to_owned())));
    }
}

/// Appends a batch and replies to its callers. Returns the positions of the batch; `None` when it could not be appended
/// as a whole. `in_transaction`: the connection is in a transaction, which the call ends.
pub async fn commit(
    database: &mut StickyConnection,
    tail: &mut LogTail,
    appends: &[Append],
    replies: Vec<Reply>,
    in_transaction: bool,
) -> Option<RangeInclusive<i64>> {
    match commit_with_patience(database, tail, appends, in_transaction).await {
        Ok(outcomes) => {
            let positions = positions(&outcomes);
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // The caller may have gone.
                let _ = reply.send(Ok(outcome));
            }
            return positions;
        }
        // Something in the batch cannot be stored, or the append's tables lack a row for it: alone, it fails alone.
        Err(CommandError::Broken(_) | CommandError::Incomplete) if appends.len() > 1 => {
            for (append, reply) in appends.iter().zip(replies) {
                let outcome = commit_with_patience(database, tail, std::slice::from_ref(append), false).await;
                let first = |outcomes: Vec<Outcome>| outcomes.into_iter().next();
                let _ = reply.send(
                    outcome.and_then(|all| first(all).ok_or_else(|| CommandError::Broken("no outcome".to_owned()))),
                );
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.for_another()));
            }
        }
    }
    None
}

/// A connection lost in between leaves open whether the batch was committed. Sending it again settles that: what was
/// committed is reported as a duplicate.
async fn commit_with_patience(
    database: &mut StickyConnection,
    tail: &mut LogTail,
    appends: &[Append],
    mut in_transaction: bool,
) -> Result<Vec<Outcome>, CommandError> {
    let until = Instant::now() + PATIENCE;
    let mut retries = 0;
    loop {
        let commits = std::mem::take(&mut in_transaction);
        let call = async {
            let connection = database.connection().await?;
            let outcomes = call::call(connection, appends, tail.state()).await?;
            if commits {
                connection.execute("COMMIT").await?;
            }
            Ok(outcomes)
        };
        let called = within(CALL, call).await;
        match &called {
            Ok(_) => {
                Worker::Committer.succeeded();
                tail.writes.succeeded();
            }
            Err(error) => {
                tail.writes.failed(error);
                // Its session may hold a transaction, or not answer any more.
                database.close();
            }
        }
        match called.map_err(CommandError::from) {
            Err(CommandError::Unavailable(cause)) if Instant::now() < until => {
                tracing::warn!(cause, retries, "appending again");
                retries += 1;
                metrics::append_retries().increment(1);
                tokio::time::sleep(RETRY_AFTER * retries).await;
            }
            Ok(outcomes) => {
                tail.learn(appends, &outcomes);
                return Ok(outcomes);
            }
            Err(error) => return Err(error),
        }
    }
}
