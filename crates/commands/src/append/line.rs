use std::time::Duration;

use taskfold_event_log::Kept;
use taskfold_event_log::deadline::within;

/// The advisory lock that processes stand in line for. It protects nothing, which the head of the log does: who waits in line gathers
/// commands meanwhile, where who waits for the head has sent its few.
pub const LINE: i64 = 0x7461_736b_666f_6c64;

/// More than the wait itself, for a server that does not answer.
const LIMIT: Duration = Duration::from_secs(1);

/// Waits until nobody else is about to append, and for a while at most: somebody in front may have stopped. Answers what the append is to
/// let go.
pub async fn wait(database: &mut Kept) -> Option<i64> {
    let waiting = async {
        let waiting = sqlx::query("SELECT set_config('lock_timeout', '100ms', true), pg_advisory_lock($1)").bind(LINE);
        waiting.execute(database.connection().await?).await
    };
    match within(LIMIT, waiting).await {
        Ok(_) => Some(LINE),
        Err(error) => {
            tracing::debug!(%error, "appending without having waited in line");
            database.close();
            None
        }
    }
}
