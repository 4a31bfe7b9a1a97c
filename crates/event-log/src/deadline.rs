//! Deadlines of database calls. sqlx sets no timeout, and a connection that has become silent (a lost host, a proxy
//! that drops traffic, a frozen backend) would block its caller for as long as the kernel keeps the socket.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use taskfold_domain::limits::REQUEST_SECONDS;
use tokio::time::Instant;

/// Limit of a call that a client waits for.
pub const REQUEST: Duration = Duration::from_secs(REQUEST_SECONDS);
/// Limit of a batch in the background.
pub const BATCH: Duration = Duration::from_secs(30);
/// Limit of the ping that tests a connection.
pub const PING: Duration = Duration::from_secs(1);
/// Time for which connections are suspect after a call was abandoned.
const SUSPECT_FOR: Duration = Duration::from_secs(10);

/// Time at which a call was last abandoned before its answer. One for the process, because it only decides whether a
/// connection is tested once more.
static ABANDONED: Mutex<Option<Instant>> = Mutex::new(None);

/// Runs a call for at most `limit`. After that, the error is that of a socket that timed out.
pub async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut call = pin!(call);
    match tokio::time::timeout(limit, call.as_mut()).await {
        Ok(answer) => answer,
        Err(_) => {
            // Recorded while the call still holds its connection: the pool checks it when the connection is returned.
            abandoned();
            Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into())
        }
    }
}

/// Records that a call which may be under way was abandoned.
pub fn abandoned() {
    *ABANDONED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Tells whether a connection that is returned to its pool may wait for an answer that never arrives.
pub fn connections_are_suspect() -> bool {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < SUSPECT_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends_at_its_deadline_and_makes_connections_suspect() {
        let silent = within(REQUEST, std::future::pending::<sqlx::Result<()>>()).await;
        assert!(matches!(silent, Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut));
        assert!(connections_are_suspect());
        tokio::time::advance(SUSPECT_FOR).await;
        assert!(!connections_are_suspect());
    }
}
