//! Deadlines of database calls. sqlx sets no timeout of its own, and a connection that has gone silent (a host that vanished, a proxy
//! that swallows traffic, a frozen backend) would hold its caller for as long as the kernel keeps the socket.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For a request that somebody waits for.
pub const REQUEST: Duration = Duration::from_secs(5);
/// For a batch in the background.
pub const BATCH: Duration = Duration::from_secs(30);
/// For a connection to show that it is alive.
pub const PING: Duration = Duration::from_secs(1);
/// How long connections are suspected after a call was given up.
const SUSPECT_FOR: Duration = Duration::from_secs(10);

/// When a call was last given up before its answer. One for the process: it only decides whether a connection is tested once more.
static GIVEN_UP: Mutex<Option<Instant>> = Mutex::new(None);

/// Runs a call for at most `limit`; beyond it, the error is that of a socket that timed out.
pub async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut call = pin!(call);
    match tokio::time::timeout(limit, call.as_mut()).await {
        Ok(answer) => answer,
        Err(_) => {
            // While the call still holds its connection: the pool looks at this when it gets the connection back.
            given_up();
            Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into())
        }
    }
}

/// Notes that somebody stops waiting for a call that may be under way.
pub fn given_up() {
    *GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection that comes back to its pool may have an answer outstanding that never arrives.
pub fn connections_are_suspect() -> bool {
    GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < SUSPECT_FOR)
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
