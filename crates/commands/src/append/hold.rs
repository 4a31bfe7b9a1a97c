use std::time::Duration;

use sqlx::Connection as _;
use taskfold_event_log::Kept;
use taskfold_event_log::deadline::within;
use tokio::sync::oneshot;

use super::known::Known;
use super::{Append, CALL, CommandError, Outcome, Reply, Waiting, call, commit};

/// For deciding while all other appends wait.
const LIMIT: Duration = Duration::from_secs(2);

/// The log stands still for one command, which is decided now and cannot lose to another process.
pub struct Turn(oneshot::Sender<Waiting>);

impl Turn {
    /// Returns when the command is durable, or refused. A turn that is dropped lets the log go on.
    pub async fn append(self, append: Append) -> Result<Outcome, CommandError> {
        let gone = || CommandError::Unavailable("the turn is over".to_owned());
        let (reply, answer) = oneshot::channel();
        self.0.send((append, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Holds the log for whoever asks, until their command is appended.
pub async fn hold(database: &mut Kept, known: &mut Known, asker: oneshot::Sender<Turn>) {
    metrics::counter!("taskfold_log_holds_total").increment(1);
    match within(CALL, held(database, known, asker)).await {
        Ok(None) => {}
        // What came of it is not known: sending it again settles that.
        Ok(Some((append, reply))) => {
            database.close();
            commit(database, known, &[append], vec![reply], None).await;
        }
        Err(error) => {
            tracing::warn!(%error, "the log could not be held");
            database.close();
        }
    }
}

/// Answers the command, if it could not be appended in its turn.
async fn held(
    database: &mut Kept,
    known: &mut Known,
    asker: oneshot::Sender<Turn>,
) -> sqlx::Result<Option<(Append, Reply)>> {
    let mut tx = database.connection().await?.begin().await?;
    sqlx::query("SELECT taskfold_hold_log()").execute(&mut *tx).await?;
    let (turn, waiting) = oneshot::channel();
    // An asker who has gone has dropped the turn.
    let _ = asker.send(Turn(turn));
    let Ok(Ok((append, reply))) = tokio::time::timeout(LIMIT, waiting).await else {
        tx.rollback().await?;
        return Ok(None);
    };
    let called = async {
        let outcomes = call::call(&mut tx, std::slice::from_ref(&append), None, known.log()).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(outcomes)
    };
    let called = called.await.inspect(|outcomes| known.learn(std::slice::from_ref(&append), outcomes));
    match called.map(|outcomes| outcomes.into_iter().next()) {
        Ok(Some(outcome)) => {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(outcome));
            Ok(None)
        }
        Ok(None) | Err(_) => Ok(Some((append, reply))),
    }
}
