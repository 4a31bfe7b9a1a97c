//! The queue of processes that append to one log.

use std::time::Duration;

use sqlx::Executor as _;
use taskfold_event_log::StickyConnection;
use taskfold_event_log::deadline::within;

/// Advisory lock that processes queue for. It protects nothing; the row lock of `log_head` does that. A process that
/// waits here goes on collecting commands, while one that waits for the row has already sent its few. Transactions hold
/// it, not sessions, so that a connection pooler may be used.
pub const QUEUE_LOCK: i64 = 0x7461_736b_666f_6c64;

/// Longer than the wait itself, for a server that does not answer.
const LIMIT: Duration = Duration::from_secs(1);

/// Begins a transaction and waits in it until no other process is about to append, at most 100 ms: the one in front may
/// be suspended. Returns `true` while the transaction is open.
pub async fn begin(database: &mut StickyConnection) -> bool {
    let statements = format!(
        "BEGIN; SET LOCAL lock_timeout = '100ms'; SELECT pg_advisory_xact_lock({QUEUE_LOCK}); SET LOCAL lock_timeout TO DEFAULT"
    );
    let waiting = async { database.connection().await?.execute(statements.as_str()).await };
    match within(LIMIT, waiting).await {
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(%error, "appending without having queued");
            database.close();
            false
        }
    }
}
