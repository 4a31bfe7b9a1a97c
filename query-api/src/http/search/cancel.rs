//! Cancellation of a search whose caller has disconnected.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Cancels the running statement of a transaction when it is dropped, as when the caller disconnects. Otherwise the
/// statement would run to its end: sqlx waits for it before it uses the connection again.
pub struct CancelOnDrop {
    pool: PgPool,
    pid: i32,
    began: DateTime<Utc>,
    armed: bool,
}

impl CancelOnDrop {
    pub fn new(pool: PgPool, pid: i32, began: DateTime<Utc>) -> Self {
        Self { pool, pid, began, armed: true }
    }

    /// Marks the statement as completed.
    pub fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.armed {
            return;
        }
        let (pool, pid, began) = (self.pool.clone(), self.pid, self.began);
        runtime.spawn(async move {
            let cancelled =
                sqlx::query_scalar!("SELECT taskfold_cancel_own($1, $2)", pid, began).fetch_one(&pool).await;
            if let Err(error) = cancelled {
                tracing::debug!(%error, "a search of a disconnected caller was not cancelled");
            }
        });
    }
}
