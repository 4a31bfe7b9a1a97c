//! Deciding one command while every other append waits.

use std::time::Duration;

use sqlx::Connection as _;
use taskfold_event_log::deadline::within;
use taskfold_event_log::{StickyConnection, metrics};
use tokio::sync::oneshot;

use super::log_tail::LogTail;
use super::{Append, CALL, CommandError, Outcome, Pending, Reply, call, commit};

/// Time to decide, while all other appends wait.
const LIMIT: Duration = Duration::from_secs(2);

/// Exclusive access to the log for one command, which is decided now and cannot lose to another process.
pub struct ExclusiveSlot(oneshot::Sender<Pending>);

impl ExclusiveSlot {
    /// Returns when the command is durable, or refused. Dropping the slot releases the log.
    pub async fn append(self, append: Append) -> Result<Outcome, CommandError> {
        let gone = || CommandError::Unavailable("the exclusive slot has ended".to_owned());
        let (reply, outcome) = oneshot::channel();
        self.0.send((append, reply)).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// Locks the log for the requester until their command is appended.
pub async fn grant(database: &mut StickyConnection, tail: &mut LogTail, requester: oneshot::Sender<ExclusiveSlot>) {
    metrics::log_holds().increment(1);
    match within(CALL, locked(database, tail, requester)).await {
        Ok(None) => {}
        // The result is unknown: sending the command again settles that.
        Ok(Some((append, reply))) => {
            database.close();
            commit(database, tail, &[append], vec![reply], false).await;
        }
        Err(error) => {
            tracing::warn!(%error, "the log could not be locked for one command");
            database.close();
        }
    }
}

/// Returns the command if its append failed under the lock.
async fn locked(
    database: &mut StickyConnection,
    tail: &mut LogTail,
    requester: oneshot::Sender<ExclusiveSlot>,
) -> sqlx::Result<Option<(Append, Reply)>> {
    let mut transaction = database.connection().await?.begin().await?;
    sqlx::query!("SELECT taskfold_hold_log()").execute(&mut *transaction).await?;
    let (slot, decided) = oneshot::channel();
    // A requester that has gone has dropped the slot.
    let _ = requester.send(ExclusiveSlot(slot));
    let Ok(Ok((append, reply))) = tokio::time::timeout(LIMIT, decided).await else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let called = async {
        let outcomes = call::call(&mut transaction, std::slice::from_ref(&append), tail.state()).await?;
        transaction.commit().await?;
        Ok::<_, sqlx::Error>(outcomes)
    };
    let called = called.await.inspect(|outcomes| tail.learn(std::slice::from_ref(&append), outcomes));
    match called.map(|outcomes| outcomes.into_iter().next()) {
        Ok(Some(outcome)) => {
            // The caller may have gone.
            let _ = reply.send(Ok(outcome));
            Ok(None)
        }
        Ok(None) | Err(_) => Ok(Some((append, reply))),
    }
}
